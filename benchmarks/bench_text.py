"""Texts per second of RedactTextOperation, on texts of about 200 characters, and what it costs to import and set up.

    python benchmarks/bench_text.py [TEXTS]

`searched` is the search alone, in seconds of the processor; `step` a run of one step, in which the table is hashed,
copied and written as CSV, too.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pandas as pd

from pamola_tasks.functions import run_on

WORDS = (
    "patient reports mild pain after walking and slept well we discussed the results of the last examination with the"
    " family and agreed to continue treatment until the next appointment in spring appetite is good no fever"
).split()
FIRST, LAST = "Ann Bob Cem Dee Eva Finn Gil Hana".split(), "Smith Lee Garcia Okafor Novak Rossi Haas Silva".split()


def visits(count: int) -> pd.DataFrame:
    """Records with a name and a note; half of the notes name a contact, a third the person."""
    rng = np.random.default_rng(1)
    names, notes = [], []
    for number in range(count):
        name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        words = rng.choice(WORDS, 30).tolist()
        if number % 3 == 0:
            words[5] = name
        if number % 4 == 0:
            words[12] = f"p{number}@example.org"
        if number % 4 == 1:
            words[20] = f"+1 212-555-{number % 10_000:04}"
        names.append(name)
        notes.append(" ".join(words))
    return pd.DataFrame({"name": names, "note": notes})


def main() -> None:
    """Search, then run the step."""
    count = int(sys.argv[1]) if sys.argv[1:] else 5_000
    began = time.process_time()
    from pamola_ops_text.entities import DEFAULT
    from pamola_ops_text.recognizers import Asked
    from pamola_ops_text.searching import Searching

    frame = visits(count)
    print(f"{time.process_time() - began:8.2f} s to import")
    for label, entities in (("default", DEFAULT), ("without PHONE_NUMBER", [e for e in DEFAULT if e[:5] != "PHONE"])):
        began = time.process_time()
        asked = Asked(languages=["en"], models={}, entities=entities, patterns={}, context={}, score_threshold=0.4)
        searching = Searching(asked, {"name": "PERSON"}, {}, {}, [])
        with searching.recognizers.searching():
            searching.find("ann@example.org")
            print(f"{time.process_time() - began:8.2f} s to set up")
            began = time.process_time()
            found = sum(len(searching.find(note, (name,))) for name, note in frame.itertuples(index=False))
        seconds = time.process_time() - began
        print(f"{count / seconds:8,.0f} texts/s searched, {label} ({found:,} findings)")
    began = time.process_time()
    asked_of_step: dict[str, Any] = {"columns": ["note"], "known_columns": {"name": "PERSON"}}
    run_on(frame, "RedactTextOperation", writes="output_dataset", **asked_of_step)
    print(f"{count / (time.process_time() - began):8,.0f} texts/s, a step")


if __name__ == "__main__":
    main()
