"""The demo's project: a folder, a table in it, and a task file that a person can read and run again."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from pamola_tasks.errors import UsageError
from pamola_tasks.parameters import unknown_name

if TYPE_CHECKING:
    from pamola_tasks.protocols import DataSource, KernelView

TASK_ID = "demo"
RELEASED = "released"
BEFORE, ANONYMIZE, AFTER = "profile-before", "anonymize", "profile-after"

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
_WORDS_OF_YAML = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


@attrs.frozen(kw_only=True)
class Demo:
    """What is anonymized, and how.

    Attributes:
        dataset: The table's name in the task.
        path: Its file, relative to the project.
        description: What the task is, for its report.
        comment: What stands at the head of the task file.
        on_identifiers: What happens to unlisted columns that look like direct identifiers.
        dates: Quasi-identifiers that are dates, and become intervals of dates.
        synthetic: Whether the table was made up.
    """

    dataset: str
    path: str
    description: str
    comment: str
    k: int
    quasi_identifiers: Sequence[str]
    sensitive_attributes: Sequence[str]
    direct_identifiers: Sequence[str]
    on_identifiers: str
    synthetic: bool
    seed: int
    dates: Sequence[str] = ()


def mark(folder: Path) -> None:
    """Make a folder the root of a project with an id of its own.

    The folder was made, or found empty, by the demo, and no project is there yet whose guard could open files.
    """
    (folder / ".pamola.toml").write_text(
        "# The root of a project of pamola-tasks. It may say which plugins are used; settings belong in configs/.\n"
        "[plugins]\n",
        encoding="utf-8",
    )
    (folder / ".pamola").mkdir(mode=0o700)
    (folder / ".pamola" / "id").write_text(f"{uuid.uuid4()}\n", encoding="ascii")


def with_patients(kernel: KernelView, *, rows: int, seed: int) -> Demo:
    """Put a table of synthetic patients into the project; the roles of its columns are known."""
    from pamola_tasks_demo.patients import DIRECT_IDENTIFIERS, QUASI_IDENTIFIERS, SENSITIVE_ATTRIBUTES, patients

    path = "DATA/raw/patients.csv"
    with kernel.project.files.create(path, "data") as file:
        patients(rows, seed).to_csv(file, index=False, lineterminator="\n")
    return Demo(
        dataset="patients",
        path=path,
        description="Anonymize a table of synthetic patients",
        comment=f"{rows:,} synthetic patients from a generator (seed {seed}): nobody among them is real.",
        k=5,
        quasi_identifiers=QUASI_IDENTIFIERS,
        sensitive_attributes=SENSITIVE_ATTRIBUTES,
        direct_identifiers=DIRECT_IDENTIFIERS,
        on_identifiers="warn",
        synthetic=True,
        seed=seed,
    )


def with_table(kernel: KernelView, source: Path, *, seed: int) -> Demo:
    """Put a copy of the user's table into the project; nothing is known of its columns but what they look like."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", source.stem).strip("_-") or "table"
    path = f"DATA/raw/{stem}{source.suffix.lower() or '.csv'}"
    # The user named this file on the command line; it lies outside the project, so its guard has no say.
    with source.open("rb") as original, kernel.project.files.create(path, "data") as copy:
        shutil.copyfileobj(original, copy, 1 << 20)
    return Demo(
        dataset=stem,
        path=path,
        description=f"Anonymize {source.name}",
        comment=f"DATA/raw/ holds a copy of {source.name}: the file itself was only read.",
        k=5,
        quasi_identifiers=(),
        sensitive_attributes=(),
        direct_identifiers=(),
        on_identifiers="drop",
        synthetic=False,
        seed=seed,
    )


def table_of(kernel: KernelView, demo: Demo) -> DataSource:
    """A data source that knows the table, as the installed data plugin reads it."""
    source = kernel.services(None, upto="data_source").data_source
    source.add_file_path(demo.dataset, demo.path)
    return source


def with_roles(
    demo: Demo, columns: Sequence[str], *, quasi_identifiers: Sequence[str], sensitive: Sequence[str], k: int
) -> Demo:
    """The demo with the columns that the user named, each in one role.

    Raises:
        UsageError: No quasi-identifiers, a column that is not there, or one that has two roles.
    """
    quasi = named_columns(quasi_identifiers, columns, "--quasi-identifiers") or list(demo.quasi_identifiers)
    protected = named_columns(sensitive, columns, "--sensitive")
    if not quasi:
        raise UsageError(
            "--quasi-identifiers is missing: name the columns by which somebody could be recognized together, such as"
            f" age, sex and place, separated by commas. The columns of the table are: {', '.join(columns)}"
        )
    both = [name for name in protected if name in quasi]
    if both:
        raise UsageError(f"{', '.join(both)}: a column is either a quasi-identifier or sensitive, not both")
    if not protected:
        protected = [name for name in demo.sensitive_attributes if name not in quasi]
    return attrs.evolve(
        demo,
        k=k,
        quasi_identifiers=quasi,
        sensitive_attributes=protected,
        direct_identifiers=[name for name in demo.direct_identifiers if name not in (*quasi, *protected)],
    )


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
    """Columns named on the command line: separated by commas, unless the text is a column's name as it stands.

    Raises:
        UsageError: A name that no column has, with the one that was probably meant.
    """
    names: list[str] = []
    for text in given:
        names += [text] if text in columns else [name.strip() for name in text.split(",") if name.strip()]
    unknown = [unknown_name(name, columns, "column") for name in names if name not in columns]
    if unknown:
        raise UsageError("\n".join(f"{option}: {problem}" for problem in unknown))
    return list(dict.fromkeys(names))


def write_task(kernel: KernelView, demo: Demo) -> None:
    """Write `configs/demo.yaml`."""
    kernel.project.files.write(f"configs/{TASK_ID}.yaml", task_file(demo), "config")


def task_file(demo: Demo) -> str:
    """The task as YAML."""
    roles = [
        ("quasi_identifiers", demo.quasi_identifiers, "could tell together who somebody is: generalized"),
        ("sensitive_attributes", demo.sensitive_attributes, "worth protecting: kept, their diversity is measured"),
        ("direct_identifiers", demo.direct_identifiers, "say who somebody is: dropped"),
    ]
    lines = [
        f"# {demo.comment}",
        f"# Run it again with: pamola-task run {TASK_ID}",
        f"task_id: {TASK_ID}",
        "task_type: anonymization",
        f"description: {scalar(demo.description)}",
        "input_datasets:",
        f"  {scalar(demo.dataset)}: {scalar(demo.path)}",
        *_data_types(demo),
        f"seed: {demo.seed}",
        "",
        "operations:",
        f"  - id: {BEFORE}",
        "    ProfileOperation:",
        f"      dataset_name: {scalar(demo.dataset)}",
        "      output_prefix: before",
        "",
        f"  - id: {ANONYMIZE}",
        "    AnonymizeOperation:",
        f"      input_dataset: {scalar(demo.dataset)}",
        f"      output_dataset: {RELEASED}",
        "      method: k-anonymity",
        f"      k: {demo.k}",
    ]
    for parameter, names, comment in roles:
        if names:
            lines += [f"      # {comment}", f"      {parameter}: [{', '.join(map(scalar, names))}]"]
    lines += [
        "      # what looks like a direct identifier and is listed nowhere: warn, drop or fail",
        f"      on_identifiers: {demo.on_identifiers}",
        "",
        f"  - id: {AFTER}",
        "    ProfileOperation:",
        f"      dataset_name: {RELEASED}",
        "      output_prefix: after",
        "",
        f"outputs: [{RELEASED}]   # later steps read it, and it is published all the same",
    ]
    return "\n".join(lines) + "\n"


def _data_types(demo: Demo) -> list[str]:
    if not demo.dates:
        return []
    columns = [f"    {scalar(name)}: date" for name in demo.dates]
    return ["data_types:", f"  {scalar(demo.dataset)}:", *columns]


def scalar(text: str) -> str:
    """A text as a YAML scalar: plain where that is safe, else as JSON, which YAML 1.2 includes."""
    import json

    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    if re.fullmatch(r"[A-Z][A-Za-z0-9 ._/-]*[A-Za-z0-9]", text):
        return text
    return json.dumps(text, ensure_ascii=False)
