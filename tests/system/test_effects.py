"""What operations state of their scope and effects is true: each runs on a real table of which columns are changed."""

import csv
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from command_line import SCRIPT
from installed import clean_environment

from pamola_tasks import Effect, Effects, Kernel
from pamola_tasks_data.column_lineage import ColumnLineage

ROWS, APART = 60, 2
PACKS = ("pamola-ops-anonymize", "pamola-ops-profile")
DIRECT = ("IDENTITY", "TRANSFORMATION", "AGGREGATION")
#: what a run changes: one column of the table, or several columns that no step names together
CHANGES = {
    **{name: {("people", name)} for name in ("id", "age", "sex")},
    "day": {("people", "day"), ("people", "occupation"), ("released", "age"), ("released", "education")},
    "phone": {
        *(("people", "phone"), ("people", "education"), ("population", "age"), ("population", "sex")),
        *(("names", "name"), ("wages", "wage"), ("wages", "id")),
    },
}
QUASI = ["age", "sex"]
GROUPS = {"few": ["HS-grad", "Some-college", "11th"], "many": ["Bachelors", "Masters", "Doctorate"]}


def step(operation, id, **parameters):
    return {"operation": operation, "id": id, "parameters": {"input_dataset": "people", **parameters}}


def columns(operation, id, names, **parameters):
    return step(operation, id, output_dataset=id, columns=names, **parameters)


OF_ROWS = [
    columns("DropOperation", "dropped", ["phone", "sex"]),
    columns("MaskOperation", "masked_whole", ["id"], method="full", length=4),
    columns("GeneralizeOperation", "months", ["day"], method="period", period="month"),
    columns("GeneralizeOperation", "halves", ["age"], method="interval", width=2.5),
    columns("GeneralizeOperation", "grouped", ["education"], method="groups", groups=GROUPS, outside="keep"),
    columns("SuppressOperation", "starred", ["sex"], suppress="attributes"),
    columns("SuppressOperation", "named_cells", ["education"], suppress="cells", values=["HS-grad"]),
    columns("SuppressOperation", "named_records", ["education"], suppress="records", values=["HS-grad"]),
    columns("TopBottomCodeOperation", "coded", ["age"], top=45, bottom=25),
    columns("PseudonymizeOperation", "hashed", ["id", "phone"], purpose="p"),
    columns("PseudonymizeOperation", "ff1", ["phone"], method="ff1", purpose="p"),
    columns("PseudonymizeOperation", "moved", ["day"], method="surrogate", surrogate="date", person="id", purpose="p"),
    columns("PseudonymizeOperation", "renamed", ["occupation"], method="surrogate", surrogate="list",
            surrogates_dataset="names", purpose="p"),
]  # fmt: skip
ROLES = {"direct_identifiers": ["phone"], "person": "id", "insensitive_attributes": ["day"], "register": False}
BY_HALF = columns("TopBottomCodeOperation", "by_half", ["age"], top_quantile=0.5)
OTHERS = [
    BY_HALF,
    columns("MaskOperation", "fewer", ["phone"], method="partial", keep_last=3, on_identifiers="drop"),
    step("AnonymizeOperation", "safe", output_dataset="safe", k=3, quasi_identifiers=QUASI, method="k-anonymity",
         sensitive_attributes=["occupation"], row_id=True, **ROLES),
    step("AnonymizeOperation", "diverse", output_dataset="diverse", k=3, quasi_identifiers=QUASI, l=2,
         method="l-diversity", sensitive_attributes=["occupation"], keep_order=True, ties="fixed", **ROLES),
    columns("MaskOperation", "masked", ["phone", "age"], method="partial", keep_last=1),
    columns("GeneralizeOperation", "decades", ["age"], method="interval", width=10),
    columns("GeneralizeOperation", "labelled", ["sex"], method="hierarchy", hierarchies={"sex": "sexes"},
            levels={"sex": 1}),
    columns("SuppressOperation", "rare_cells", ["education"], suppress="cells", min_count=5),
    columns("SuppressOperation", "rare_records", ["education", "sex"], suppress="records", min_count=3),
    columns("TopBottomCodeOperation", "by_share", ["age"], top_quantile=0.9),
    columns("NoiseOperation", "noisy", ["age"], scale=2),
    columns("NoiseOperation", "bounded", ["age"], epsilon=1, bounds={"age": [17, 90]}, person="id", contributions=1,
            reproducible=True),
    columns("PseudonymizeOperation", "tokens", ["id", "phone"], method="token", vault_dataset="vault", purpose="p"),
    columns("PseudonymizeOperation", "apart", ["sex", "occupation"], method="surrogate", surrogate="list",
            surrogates_dataset="names", injective=True, purpose="p"),
    {"operation": "ReidentifyOperation", "id": "restored", "parameters": {
        "input_dataset": "tokens", "vault_dataset": "vault", "output_dataset": "restored", "columns": ["id", "phone"]}},
    step("HoldOutOperation", "held", output_dataset="kept", control_dataset="control", person="id"),
    step("PrivateStatisticsOperation", "figures", output_dataset="figures", epsilon=10_000, person="id",
         contributions=1, groups_per_person=1, by={"sex": ["Male", "Female"]},
         statistics={"ages": {"kind": "sum", "column": "age", "bounds": [17, 90]}}),
    step("RiskOperation", "risk", population_dataset="population", quasi_identifiers=QUASI, record_risks=True,
         sensitive_attributes=["occupation"], person="id"),
    step("AssessOperation", "assessment", quasi_identifiers=QUASI, k=2, ks=[2], strategies=["mondrian"]),
    {"operation": "UtilityOperation", "id": "utility", "parameters": {
        "original_dataset": "people", "anonymized_dataset": "released", "quasi_identifiers": ["age", "education"]}},
    {"operation": "AttackOperation", "id": "attack", "parameters": {
        "original_dataset": "people", "anonymized_dataset": "released", "quasi_identifiers": ["age", "education"],
        "person": "id", "attacks": ["singling_out", "record_linkage"], "attempts": 60}},
    {"operation": "ProfileOperation", "id": "profile", "parameters": {
        "dataset_name": "people", "fields": ["age", "occupation"], "min_count": 1}},
    {"operation": "CorrelationOperation", "id": "correlation", "parameters": {
        "primary_dataset": "people", "secondary_dataset": "wages", "join_key": "id", "min_count": 2}},
]  # fmt: skip


def table_of(adult: Path) -> dict[str, list[str]]:
    with adult.open() as file:
        rows = list(csv.DictReader(file, delimiter=";"))[: ROWS * 7 : 7]
    draw = random.Random(5)
    return {
        "id": [f"K{draw.randrange(10**6):06}" for _ in rows],
        "day": [f"20{draw.randrange(10, 24)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}" for _ in rows],
        "phone": [f"0-{draw.randrange(10**9):09}" for _ in rows],
        **{name: [row[name] for row in rows] for name in ("age", "sex", "education", "occupation")},
    }


def write(path: Path, table: dict[str, list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(table), *zip(*table.values(), strict=True)])


def read(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return {name: [row[place] for row in rows] for place, name in enumerate(header)}


def configured(root: Path, task: str, operations: list, tables: dict, **more: object) -> None:
    inputs = {name: f"DATA/raw/{task}/{name}.csv" for name in tables}
    settings = {"task_id": task, "input_datasets": inputs, "operations": operations, "outputs": ["tokens", "vault"]}
    more = {"seed": 7, "output_format": "csv", "report_formats": ["json"], **more}
    (root / f"configs/{task}.json").write_text(json.dumps({**settings, **more}))
    for name, table in tables.items():
        write(root / f"DATA/raw/{task}/{name}.csv", table)


def changed_tables(tables: dict, changed: set) -> dict:
    """The tables, with other cells in some columns: of ids half are reversed, and one is twice; others keep values."""
    draw = random.Random(6)

    def anew(cells: list[str]) -> list[str]:
        values = sorted(set(cells))
        if len(values) == len(cells) and not values[0][:4].isdigit():
            turned = [cell[:: draw.choice((1, -1))] for cell in cells]
            return [*turned[:-1], turned[0]]
        return draw.sample(drawn := values + draw.choices(values, k=len(cells) - len(values)), k=len(drawn))

    return {
        dataset: {name: anew(cells) if (dataset, name) in changed else cells for name, cells in table.items()}
        for dataset, table in tables.items()
    }


@pytest.fixture(scope="module")
def root(adult: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which each task ran all operations: on the table, with a column changed, and in pieces."""
    root = tmp_path_factory.mktemp("effects")
    people = table_of(adult)
    wide = [f"[{int(age) // 20 * 20},{int(age) // 20 * 20 + 19}]" for age in people["age"]]
    tables = {
        "people": people,
        "population": {name: people[name] * 2 for name in QUASI},
        "released": {"age": wide, "education": people["education"]},
        "names": {"name": [f"Name{number}" for number in range(45)]},
        "wages": {"id": people["id"][::-1], "wage": [str(number**2) for number in range(ROWS)]},
        "sexes": {"value": ["Male", "Female"], "level": ["person", "any"]},
    }
    environment = clean_environment(tmp_path_factory.mktemp("home"))

    def pamola(*arguments: str) -> None:
        done = subprocess.run([SCRIPT, *arguments], cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]

    pamola("init", ".")
    pamola("keys", "init")
    for task, changed in {"base": set(), **CHANGES}.items():
        configured(root, task, OF_ROWS + OTHERS, changed_tables(tables, changed))
    some = {name: cells[:15] for name, cells in people.items()}
    for size in (1, 7, 15):
        configured(root, f"pieces_{size}", OF_ROWS, {**tables, "people": some}, chunk_size=size)
    few = {name: cells[:APART] for name, cells in people.items()}
    apart = [*OF_ROWS, BY_HALF]
    configured(root, "few", apart, {**tables, "people": few})
    for row in range(APART):
        configured(root, f"row_{row}", apart, {**tables, "people": {name: [few[name][row]] for name in few}})
    pamola("run", *sorted(path.stem for path in (root / "configs").glob("*.json")))
    return root


def left_by(root: Path, task: str, name: str) -> Path:
    (found,) = [path for path in (root / "DATA/processed" / task).rglob(f"{name}.*") if "temp" not in path.parts]
    return found


def stated(root: Path) -> dict[str, Effects]:
    run = Kernel.discover(project=root).plan("base")
    return ColumnLineage.of(run, run.plan).written


def lies(root: Path, statements: dict[str, Effects]) -> Iterator[str]:
    """Where what a run left is not as stated, by what changed when a column was."""
    for name, effects in statements.items():
        before = left_by(root, "base", name)
        table = read(before) if before.suffix == ".csv" and effects.columns else {}
        if [*table] != [column for column in effects.columns if column in table or column not in effects.optional]:
            yield f"{name} has the columns {list(table)}"
        for task, changed in CHANGES.items():
            after = left_by(root, task, name)
            of_all = [effect for effect in effects.whole if (effect.dataset, effect.column) in changed]
            if of_all or not table:
                same = after.read_bytes() == before.read_bytes()
                if same if any(effect.kind in DIRECT for effect in of_all) else not (same or of_all):
                    yield f"{name} is {'the same' if same else 'another'} with another {task}"
                continue
            now = read(after)
            for column, found in effects.columns.items():
                if column not in table:
                    continue
                kinds = {effect.kind for effect in found if (effect.dataset, effect.column) in changed}
                same = now.get(column) == table.get(column)
                composed = name == "restored"  # from a vault that both columns are in
                if same if kinds & set(DIRECT) and not composed else not (same or kinds):
                    yield f"{name}.{column} is {'the same' if same else 'another'} with another {task}"


def test_every_operation_states_what_follows_from_what(root: Path) -> None:
    kernel = Kernel.discover(project=root)
    known = {name for name in kernel.operations if kernel.operations.get(name).distribution.startswith(PACKS)}
    assert known == {step["operation"] for step in OF_ROWS + OTHERS}
    statements = stated(root)
    plan = kernel.plan("base").plan
    assert {name for step in plan for name in step.writes} <= set(statements)
    assert not list(lies(root, statements))


@pytest.mark.parametrize(
    ("name", "column", "lie"),
    [
        ("masked", "phone", {}),
        ("masked", "sex", {"sex": [Effect("people", "age")]}),
        ("dropped", "phone", {"phone": [Effect("people", "phone")]}),
        ("moved", "day", {"day": [Effect("people", "day", "TRANSFORMATION")]}),
        ("restored", "id", {"id": [Effect("people", "sex")]}),
        ("risk", "", {}),
    ],
)
def test_a_planted_lie_is_found(root: Path, name: str, column: str, lie: dict) -> None:
    statements = stated(root)
    name = next(each for each in statements if each.endswith(name))
    told = {each: effects for each, effects in statements[name].columns.items() if each != column}
    statements[name] = attrs.evolve(statements[name], columns={**told, **lie}, whole=())
    found = list(lies(root, statements))
    assert found
    assert all(name in each for each in found)


def same_apart(root: Path, name: str) -> bool:
    """Whether rows that are processed each alone give the table that they give together."""
    alone = [read(left_by(root, f"row_{row}", name)) for row in range(APART)]
    together = {column: [cell for table in alone for cell in table[column]] for column in alone[0]}
    return together == read(left_by(root, "few", name))


def test_operations_of_rows_write_the_same_bytes_in_pieces_and_row_by_row(root: Path) -> None:
    plan = Kernel.discover(project=root).plan("base").plan
    of_rows = [step for step in plan if step.operation.scope == "row"]
    assert [step.id for step in of_rows] == [step["id"] for step in OF_ROWS] + ["restored"]
    for step in OF_ROWS:
        (name,) = plan[step["id"]].writes
        whole, *pieces = (left_by(root, f"pieces_{size}", name).read_bytes() for size in (15, 7, 1))
        assert pieces == [whole, whole], name
        assert same_apart(root, name), name
    assert not same_apart(root, "by_half"), "a quantile is one of all rows"
