"""The demo's project: a folder, a table in it, and a task file that a person can read and run again."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import UsageError
from pamola_tasks.parameters import unknown_name

if TYPE_CHECKING:
    from pamola_tasks.protocols import DataSource, KernelView

TASK_ID = "demo"
RELEASED = "released"
BEFORE, ANONYMIZE, AFTER = "profile-before", "anonymize", "profile-after"

# What the task file says of the columns of each role.
_ROLES = {
    "quasi_identifiers": "together could identify a person: generalized",
    "sensitive_attributes": "sensitive: kept, with their diversity measured",
    "direct_identifiers": "identify a person: dropped",
    "insensitive_attributes": "harmless: kept",
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
_WORDS_OF_YAML = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


@attrs.frozen(kw_only=True)
class Demo:
    """What is anonymized, and how."""

    dataset: str  # the table's name in the task
    path: str  # relative to the project
    description: str
    comment: str  # at the head of the task file
    synthetic: bool
    seed: int
    k: int = 5
    quasi_identifiers: Sequence[str] = ()
    sensitive_attributes: Sequence[str] = ()
    direct_identifiers: Sequence[str] = ()
    insensitive_attributes: Sequence[str] = ()
    dates: Sequence[str] = ()  # quasi-identifiers that become intervals of dates


def mark(folder: Path) -> None:
    """Make a folder, which is empty, the root of a project with an id of its own; no guard can open files there yet."""
    said = "# The root of a project of pamola-tasks. It may say which plugins are used; settings belong in configs/."
    (folder / ".pamola.toml").write_text(f"{said}\n[plugins]\n", encoding="utf-8")
    (folder / ".pamola").mkdir(mode=0o700)
    (folder / ".pamola" / "id").write_text(f"{uuid.uuid4()}\n", encoding="ascii")


def with_patients(kernel: KernelView, *, rows: int, seed: int) -> Demo:
    """Put a table of synthetic patients into the project; the roles of its columns are known."""
    from pamola_tasks_demo import patients as synthetic

    path = f"{_raw(kernel)}/patients.csv"
    with kernel.project.files.create(path, "data") as file:
        synthetic.patients(rows, seed).to_csv(file, index=False, lineterminator="\n")
    return Demo(
        dataset="patients",
        path=path,
        description="Anonymize a table of synthetic patients",
        comment=f"{rows:,} synthetic patients from a generator (seed {seed}): no real people.",
        quasi_identifiers=synthetic.QUASI_IDENTIFIERS,
        sensitive_attributes=synthetic.SENSITIVE_ATTRIBUTES,
        direct_identifiers=synthetic.DIRECT_IDENTIFIERS,
        insensitive_attributes=synthetic.INSENSITIVE_ATTRIBUTES,
        synthetic=True,
        seed=seed,
    )


def with_table(kernel: KernelView, source: Path, *, seed: int) -> Demo:
    """Put a copy of the user's table into the project; nothing is known of its columns but what they look like."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", source.stem).strip("_-") or "table"
    raw = _raw(kernel)
    path = f"{raw}/{stem}{source.suffix.lower() or '.csv'}"
    # The user named this file on the command line; it lies outside the project, so its guard has no say.
    with source.open("rb") as original, kernel.project.files.create(path, "data") as copy:
        shutil.copyfileobj(original, copy, 1 << 20)
    return Demo(
        dataset=stem,
        path=path,
        description=f"Anonymize {source.name}",
        comment=f"{raw}/ holds a copy of {source.name}: the file itself was only read.",
        synthetic=False,
        seed=seed,
    )


def _raw(kernel: KernelView) -> str:
    return kernel.services(None, upto="places").places.folders["raw"]


def table_of(kernel: KernelView, demo: Demo) -> DataSource:
    """A data source that knows the table, as the installed data plugin reads it."""
    source = kernel.services(None, upto="data_source").data_source
    source.add_file_path(demo.dataset, demo.path)
    return source


def looks_knowable(kernel: KernelView, demo: Demo) -> list[str]:
    """The columns that look like quasi-identifiers, if a plugin says which do."""
    services = kernel.services(None, upto="data_source")
    judge = getattr(getattr(services, "identifiers", None), "roles", None)
    if judge is None:
        return []
    frame = table_of(kernel, demo).frame(demo.dataset)
    return [str(column) for column in judge(frame, set(frame.columns), ())["quasi-identifier"]]


def with_roles(
    demo: Demo,
    columns: Sequence[str],
    *,
    quasi_identifiers: Sequence[str],
    sensitive: Sequence[str],
    k: int,
    likely: Sequence[str] = (),
) -> Demo:
    """The demo with the columns that the user named, each in one role; a UsageError names the `likely` ones."""
    quasi = named_columns(quasi_identifiers, columns, "--quasi-identifiers") or list(demo.quasi_identifiers)
    protected = named_columns(sensitive, columns, "--sensitive")
    if not quasi:
        raise UsageError(
            "--quasi-identifiers is missing: name the columns that together could identify a person, such as"
            f" age, sex and place, separated by commas. The columns of the table are: {', '.join(columns)}"
            + (f". These look like it, and are worth a look: {','.join(likely)}" if likely else "")
        )
    both = [name for name in protected if name in quasi]
    if both:
        raise UsageError(f"{', '.join(both)}: a column is either a quasi-identifier or sensitive, not both")
    if not protected:
        protected = [name for name in demo.sensitive_attributes if name not in quasi]
    others: dict[str, Any] = {
        role: [name for name in getattr(demo, role) if name not in (*quasi, *protected)]
        for role in ("direct_identifiers", "insensitive_attributes")
    }
    return attrs.evolve(demo, k=k, quasi_identifiers=quasi, sensitive_attributes=protected, **others)


def with_dates(demo: Demo, source: DataSource) -> Demo:
    """The demo with its quasi-identifiers of ISO dates stated as such: as text they could only become sets of dates."""
    import pandas as pd

    schema = source.schema(demo.dataset)
    texts = [name for name in demo.quasi_identifiers if schema[name] in ("str", "string", "object")]
    frame = source.frame(demo.dataset, texts) if texts else pd.DataFrame()
    dates = []
    for name in texts:
        present = frame[name].dropna().drop_duplicates()
        if len(present) and pd.to_datetime(present, format="%Y-%m-%d", errors="coerce").notna().all():
            dates.append(name)
    return attrs.evolve(demo, dates=dates)


def named_columns(given: Sequence[str], columns: Sequence[str], option: str) -> list[str]:
    """Columns named on the command line: separated by commas, unless the text is exactly a column's name."""
    names: list[str] = []
    for text in given:
        names += [text] if text in columns else [name.strip() for name in text.split(",") if name.strip()]
    unknown = [unknown_name(name, columns, "column") for name in names if name not in columns]
    if unknown:
        raise UsageError("\n".join(f"{option}: {problem}" for problem in unknown))
    return list(dict.fromkeys(names))


def task_file(demo: Demo) -> str:
    """The task as YAML."""
    dates = "".join(f"    {scalar(name)}: date\n" for name in demo.dates)
    roles = "".join(
        f"      # {comment}\n      {role}: [{', '.join(map(scalar, getattr(demo, role)))}]\n"
        for role, comment in _ROLES.items()
        if getattr(demo, role)
    )
    return Template(Path(__file__).with_name("demo.yaml.txt").read_text(encoding="utf-8")).substitute(
        comment=demo.comment,
        description=scalar(demo.description),
        dataset=scalar(demo.dataset),
        path=scalar(demo.path),
        data_types=f"data_types:\n  {scalar(demo.dataset)}:\n{dates}" if dates else "",
        seed=demo.seed,
        k=demo.k,
        roles=roles,
    )


def scalar(text: str) -> str:
    """A text as a YAML scalar: plain where that is safe, else as JSON, which YAML 1.2 includes."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML
    if plain or re.fullmatch(r"[A-Z][A-Za-z0-9 ._/-]*[A-Za-z0-9]", text):
        return text
    return json.dumps(text, ensure_ascii=False)
