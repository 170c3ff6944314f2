"""Runs in a process of its own: rotates the files of a project, or encrypts them anew, so that it can be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from encryption_samples import KEY, OTHER_KEY

from pamola_tasks.storage.files import Files
from pamola_tasks_encryption.header import key_id
from pamola_tasks_encryption.renewal import Renewal, renew_files
from pamola_tasks_encryption.rotation import exchange_files
from pamola_tasks_paths.guard import ProjectGuard


def main() -> None:
    files = Files(ProjectGuard(Path(sys.argv[1])))
    print("begins", flush=True)
    before = written()
    if sys.argv[2:] == ["anew"]:
        tally = renew_files(
            Renewal.begin(files, OTHER_KEY, ""), {key_id(KEY): KEY, key_id(OTHER_KEY): OTHER_KEY}, OTHER_KEY, ""
        )
    else:
        tally = exchange_files(files, {key_id(KEY): KEY}, OTHER_KEY)
    print(written() - before, sum(tally.counts.values()), flush=True)


def written() -> int:
    """What this process has passed to write calls so far, as the kernel counts it."""
    text = Path("/proc/self/io").read_text() if Path("/proc/self/io").exists() else "wchar: 0"
    return int(next(line for line in text.splitlines() if line.startswith("wchar")).split()[1])


if __name__ == "__main__":
    main()
