"""The other services: a good toy each, and toys with one fault each."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from contracts.toys import all_of, before, fault, good

from pamola_tasks.testing import contracts as kit


def constant(value: Any) -> Any:
    """A method that always gives one value."""
    return lambda self, *arguments, **named: value


def other(name: str, *caught: tuple[str, str, dict[str, Any]]) -> dict[str, type]:
    """A contract with its good toy and its faults."""
    contract = getattr(kit, name)
    return all_of(good(contract), *(fault(contract, test, what, **changes) for test, what, changes in caught))


STRUCTURE = "test_it_is_what_its_protocol_says"


def raises(self: Any, *arguments: Any, **named: Any) -> Any:
    """A method that fails in a way of its own."""
    raise RuntimeError("not so")


def shut(up: Any, self: Any) -> None:
    """Close once, and fail the second time."""
    if self.__dict__.setdefault("shut", 0):
        raise RuntimeError("closed already")
    self.shut = 1


def odd_files(up: Any, self: Any, path: Any) -> str:
    """Take every path for a task's."""
    return up.owner_of(path) or "t_1"


class Sealed(io.BytesIO):
    """A writer that hides nothing."""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self.raw = raw

    def close(self) -> None:
        if not self.closed:
            self.raw.write(b"acme/1\n" + bytes(40) + self.getvalue())
        super().close()


def unchecked(self: Any, raw: Any, *, role: str, task_id: str) -> Any:
    """Read without a look at the hash."""
    return io.BytesIO(raw.read()[47:].translate(bytes(255 - n for n in range(256))))


def unbound(up: Any, self: Any, raw: Any, *, role: str, task_id: str) -> Any:
    """Bind to nothing."""
    return up(raw, role="data", task_id="contract")


@contextlib.contextmanager
def nothing_kept_out(self: Any, task_id: str) -> Iterator[None]:
    """Let all run."""
    yield


def partly(up: Any, self: Any, frame: Any, path: str, **more: Any) -> Any:
    """Write straight to the file, piece by piece."""
    import pandas as pd

    target = self.run.files.root / (f"{path}{more['name']}.csv" if path.endswith("/") else path)
    target.parent.mkdir(exist_ok=True)
    pieces = [frame] if isinstance(frame, pd.DataFrame) else frame
    for piece in pieces:
        with target.open("a") as file:
            piece.to_csv(file)
    return up.write_dataset(pd.DataFrame(), path, **more)


def run_steps(plan: Any, driver: Any, stopped: Any, *, prepare: bool = True, twice: bool = False) -> None:
    """Run steps in some wrong way."""
    from pamola_tasks import OperationResult

    for step in plan:
        if stopped():
            return
        if driver.prepare(step) or not prepare:
            for _ in range(2 if twice else 1):
                try:
                    result = driver.attempt(step)
                except BaseException as error:
                    result = OperationResult.failure(error, "")
            driver.complete(step, result)


def keeping(change: Any) -> Any:
    """`run` of the scheduler, with its outcomes changed."""
    return before(lambda up, self, *names, **more: change(up.run(*names, **more)))


REDACTOR = (
    (STRUCTURE, "lacks_learn", {"learn": None}),
    ("test_a_registered_secret_is_hidden", "hides_nothing", {"__call__": lambda self, text: text}),
    ("test_secrets_in_values_are_hidden", "shows_values", {"value": lambda self, value, key="": str(value) or value}),
    ("test_what_it_learns_is_hidden", "learns_nothing", {"learn": constant(None)}),
    ("test_patterns_and_predicates_count", "no_predicates", {"add_predicate": constant(None)}),
    ("test_it_never_raises", "raises", {"value": before(lambda up, self, value, key="": up.value({**value}, key))}),
    ("test_no_error_holds_a_cell", "shows_errors", {"disclosure": lambda self, run=None, datasets=(): Shows()}),
)


class Shows:
    """Shows every error whole."""

    def message(self, error: BaseException) -> str:
        return str(error)

    trace = message

    def remember(self, error: BaseException) -> None:
        """Nothing."""


PROJECT = (
    ("test_the_root_is_absolute_and_resolved", "relative", {"root": property(lambda self: Path("project"))}),
    ("test_its_id_stays", "new_id", {"id": property(lambda self: str(uuid.uuid4()))}),
    (
        "test_a_folder_that_was_asked_for_is_the_root",
        "root_above",
        {"root": property(lambda self: self.__dict__["root"].parent)},
    ),
    ("test_a_folder_in_it_belongs_to_it", "no_marker", {"marker": property(lambda self: "")}),
)
CONFIG = (
    (STRUCTURE, "lacks_origins", {"origins": None}),
    ("test_the_caller_overrides_the_task", "task_wins", {"seed": property(lambda self: 3)}),
    ("test_what_is_not_stated_has_its_default", "another_default", {"output_format": property(lambda self: "json")}),
    ("test_typed_text_is_read", "text_stays_text", {"seed": property(lambda self: str(self._origins["seed"].value))}),
    (
        "test_dotted_keys_are_found",
        "no_dots",
        {"get": lambda self, key, default=None: self.to_dict().get(key, default)},
    ),
    (
        "test_it_says_where_values_came_from",
        "origins_without_overridden",
        {"origins": lambda self: {key: attrs.evolve(value, overridden=()) for key, value in self._origins.items()}},
    ),
)
PLACES = (
    (STRUCTURE, "lacks_left", {"left": None}),
    (
        "test_tasks_have_places_of_their_own",
        "one_lock",
        {"of": before(lambda up, self, task_id: one_lock(up.of(task_id)))},
    ),
    ("test_files_belong_to_their_task", "owns_everything", {"owner_of": before(odd_files)}),
    (
        "test_an_id_that_leads_elsewhere_is_refused",
        "takes_every_id",
        {"of": before(lambda up, self, task_id: up.of("x"))},
    ),
    ("test_what_runs_left_is_found", "newest_first", {"runs": before(lambda up, self, task: up.runs(task)[::-1])}),
    ("test_every_type_has_a_place", "no_folders", {"folders": property(lambda self: {"raw": "BENCH/in"})}),
)


def one_lock(place: Any) -> Any:
    """The lock of every task in one place."""
    return attrs.evolve(place, lock="LAB/lock")


DIRECTORIES = (
    (STRUCTURE, "lacks_get_directory", {"clean_temp_directory": None}),
    (
        "test_they_are_made_where_places_says",
        "makes_nothing",
        {"ensure_directories": lambda self: dict(self.directories)},
    ),
    (
        "test_an_unknown_type_is_an_error",
        "gives_every_type",
        {"get_directory": lambda self, dir_type: self.directories.get(dir_type, self.files.root)},
    ),
    ("test_temp_is_emptied_and_nothing_else", "empties_nothing", {"clean_temp_directory": constant(True)}),
    (
        "test_artifacts_have_the_name_asked_for",
        "no_extension",
        {
            "get_artifact_path": before(
                lambda up, self, *names, **more: up.get_artifact_path(*names, **more).with_suffix("")
            )
        },
    ),
)
LOGGING = (
    (STRUCTURE, "lacks_handlers", {"handlers": None}),
    ("test_there_are_handlers", "no_handlers", {"handlers": property(lambda self: [])}),
    ("test_lines_carry_run_task_and_step", "no_handlers_for_steps", {"handlers": property(lambda self: [])}),
    ("test_it_can_be_closed_twice", "closes_once", {"close": before(shut)}),
    (
        "test_what_is_written_holds_no_secret_and_no_cell",
        "keeps_the_table",
        {"close": lambda self: tell_all(self.handlers[0])},
    ),
)


def tell_all(handler: Any) -> None:
    """Write the table into the log."""
    with handler.files.append(handler.path) as file:
        file.write(handler.files.read("people.json", "data"))


LOCK = (
    (STRUCTURE, "lacks_tell", {"tell": None}),
    ("test_a_task_runs_once_at_a_time", "locks_nothing", {"is_running": constant(False)}),
    ("test_a_failed_run_lets_go", "never_lets_go", {"release": constant(None)}),
    ("test_every_process_can_ask_who_holds_it", "knows_no_holder", {"holder": constant(None)}),
    ("test_it_can_be_kept_from_running", "keeps_nobody_out", {"keeping_out": nothing_kept_out}),
    (
        "test_other_tasks_run_beside_it",
        "one_for_all",
        {"folder": lambda self, task_id: self.run.files.root / "LAB/all"},
    ),
    (
        "test_a_killed_run_locks_nobody_out",
        "forgets_crashes",
        {"after_a_crash": property(lambda self: False, lambda s, v: None)},
    ),
)
ENCRYPTION = (
    (STRUCTURE, "lacks_refusal", {"refusal": None}),
    ("test_nothing_of_it_can_be_read", "plain", {"writer": lambda self, raw, *, role, task_id: Sealed(raw)}),
    ("test_an_altered_file_is_refused", "looks_at_no_hash", {"reader": unchecked}),
    (
        "test_it_is_bound_to_role_and_task",
        "bound_to_nothing",
        {
            "reader": before(
                lambda up, self, raw, *, role, task_id: unbound(up.reader, self, raw, role=role, task_id=task_id)
            ),
            "writer": before(
                lambda up, self, raw, *, role, task_id: unbound(up.writer, self, raw, role=role, task_id=task_id)
            ),
        },
    ),
    ("test_its_files_are_known_by_their_head", "knows_all", {"is_encrypted": constant(True)}),
    ("test_derived_keys_belong_to_their_purpose", "one_key", {"derive_key": constant(hashlib.sha256().digest())}),
)
SOURCE = (
    (STRUCTURE, "lacks_release", {"release": None}),
    (
        "test_it_knows_the_datasets_of_the_configuration",
        "has_all",
        {"has_dataset": lambda self, name: name in self.files},
    ),
    (
        "test_columns_come_in_the_order_asked_for",
        "all_columns",
        {"frame": before(lambda up, self, name, columns=None: up.frame(name))},
    ),
    (
        "test_pieces_are_the_table",
        "one_piece",
        {"chunks": before(lambda up, self, name, size, columns=None: iter([self.frame(name, columns)]))},
    ),
    (
        "test_the_hash_is_that_of_the_file",
        "one_hash",
        {"describe": before(lambda up, self, name: attrs.evolve(up.describe(name), sha256="0" * 64))},
    ),
    ("test_what_is_released_can_be_read_again", "keeps_all", {"release": constant(None)}),
    ("test_what_is_missing_is_a_data_error", "other_errors", {"file": lambda self, name: self.files[name]}),
)
WRITER = (
    (
        STRUCTURE,
        "takes_no_step",
        {"write_dataset": lambda self, frame, path, *, name, format, role="data", kind="output": None},
    ),
    (
        "test_the_record_is_that_of_the_file",
        "no_rows",
        {"write_dataset": before(lambda up, self, *a, **m: attrs.evolve(up.write_dataset(*a, **m), rows=None))},
    ),
    (
        "test_pieces_make_the_same_file",
        "first_piece",
        {
            "write_dataset": before(
                lambda up, self, frame, *a, **m: up.write_dataset(
                    frame if hasattr(frame, "columns") else next(iter(frame)), *a, **m
                )
            )
        },
    ),
    (
        "test_a_folder_gets_the_name_of_the_dataset",
        "a_name_of_its_own",
        {
            "write_dataset": before(
                lambda up, self, frame, path, **m: up.write_dataset(
                    frame, f"{path}data.csv" if path.endswith("/") else path, **m
                )
            )
        },
    ),
    ("test_a_table_that_ends_in_an_error_leaves_nothing", "written_in_place", {"write_dataset": before(partly)}),
)
DEPENDENCIES = (
    (STRUCTURE, "takes_no_pattern", {"get_dependency_output": lambda self, dependency_id: None}),
    ("test_a_dependency_that_never_ran_stops", "asks_nobody", {"assert_dependencies_completed": constant(True)}),
    (
        "test_a_dependency_that_failed_stops",
        "any_run_will_do",
        {
            "problem": before(
                lambda up, self, task: None if (found := up.problem(task)) and "never" not in str(found) else found
            )
        },
    ),
    (
        "test_a_dependency_that_went_well_does_not",
        "always_stops",
        {"problem": lambda self, task_id: RuntimeError(task_id)},
    ),
    (
        "test_its_output_is_found",
        "gives_the_project",
        {"get_dependency_output": lambda self, dependency_id, file_pattern=None: self.run.files.root},
    ),
    (
        "test_errors_are_warnings_when_asked",
        "says_nothing",
        {"problem": before(lambda up, self, task: None if self.run.config.continue_on_error else up.problem(task))},
    ),
)
PROGRESS = (
    (STRUCTURE, "lacks_close", {"close": None}),
    (
        "test_standard_output_stays_clean",
        "prints",
        {"update_operation": lambda self, name, steps=1, postfix=None: print(steps)},
    ),
    ("test_quiet_shows_nothing", "talks", {"close": lambda self: print("done", file=sys.stderr)}),
    (
        "test_totals_may_be_unknown_and_wrong",
        "divides",
        {"start_operation": lambda self, name, total=0, description=None, unit="items", leave=False: 1 / total},
    ),
    ("test_it_can_be_closed_twice", "closes_once", {"close": before(shut)}),
    ("test_steps_may_be_skipped_and_overlap", "wants_order", {"complete_operation": raises}),
)
REPORTER = (
    (STRUCTURE, "takes_no_time", {"add_task_summary": lambda self, success: None}),
    ("test_every_run_has_a_report", "newest_only", {"save_report": before(lambda up, self: newest_only(up, self))}),
    (
        "test_a_failure_is_reported",
        "always_well",
        {"add_task_summary": before(lambda up, self, success, **more: up.add_task_summary(True))},
    ),
    ("test_what_a_task_adds_is_in_it", "loses_metrics", {"add_metric": constant(None)}),
    ("test_no_secret_is_written", "writes_all", {"save_report": before(lambda up, self: written_whole(up, self))}),
    (
        "test_it_says_where_the_report_is",
        "says_nothing",
        {"save_report": before(lambda up, self: (up.save_report(), Path())[1])},
    ),
)


def newest_only(up: Any, self: Any) -> Path:
    """Remove the report of the run."""
    path: Path = up.save_report()
    self.run.files.unlink(self.run.places.of(self.run.record.task_id).report(self.run.id))
    return path


def written_whole(up: Any, self: Any) -> Path:
    """Write past the redactor."""
    path: Path = up.save_report()
    path.write_text(str(self.page))
    return path


EXECUTOR = (
    (STRUCTURE, "takes_no_driver", {"run_plan": lambda self, plan: None}),
    (
        "test_every_step_runs_once_behind_those_it_needs",
        "twice",
        {"run_plan": lambda self, plan, driver: run_steps(plan, driver, lambda: driver.stopped, twice=True)},
    ),
    (
        "test_after_a_failure_nothing_begins",
        "runs_on",
        {"run_plan": lambda self, plan, driver: run_steps([*plan, *plan][: len(plan)], driver, lambda: False)},
    ),
    (
        "test_independent_steps_go_on_when_asked",
        "stops_always",
        {"run_plan": lambda self, plan, driver: run_steps(list(plan)[:1], driver, lambda: False)},
    ),
    (
        "test_what_is_unchanged_is_not_attempted",
        "attempts_all",
        {"run_plan": lambda self, plan, driver: run_steps(plan, driver, lambda: driver.stopped, prepare=False)},
    ),
    (
        "test_what_may_pass_is_attempted_again",
        "attempts_once",
        {"run_plan": lambda self, plan, driver: run_steps(plan, driver, lambda: driver.stopped)},
    ),
    (
        "test_a_step_over_its_time_limit_is_stopped",
        "has_no_limits",
        {"run_plan": lambda self, plan, driver: run_steps(plan, driver, lambda: driver.stopped)},
    ),
    (
        "test_an_interrupt_ends_the_run",
        "swallows",
        {"run_plan": lambda self, plan, driver: run_steps(plan, driver, lambda: driver.stopped)},
    ),
)
SCHEDULER = (
    (STRUCTURE, "lacks_dry_run", {"dry_run": None}),
    (
        "test_it_knows_the_tasks",
        "no_needs",
        {"node": before(lambda up, self, name: attrs.evolve(up.node(name), needs={}))},
    ),
    (
        "test_tasks_come_behind_those_they_need",
        "any_order",
        {"order": before(lambda up, self, *a, **m: dict(reversed(up.order(*a, **m).items())))},
    ),
    (
        "test_an_unknown_task_is_an_error",
        "leaves_out",
        {"order": before(lambda up, self, names=(), **m: up.order([n for n in names if n != "never"], **m))},
    ),
    (
        "test_what_needs_a_failed_task_is_not_run",
        "runs_on",
        {"run": before(lambda up, self, *a, **m: up.run(*a, **{**m, "continue_on_error": True}))},
    ),
    (
        "test_a_dry_run_runs_nothing",
        "runs",
        {"dry_run": before(lambda up, self, *a, **m: [*self.run(*a, **m), *up.dry_run(*a, **m)][-1:])},
    ),
    ("test_it_runs_them_in_order", "runs_the_last", {"run": keeping(lambda found: list(found)[-1:])}),
)
for name, caught in {
    "RedactorContract": REDACTOR,
    "ProjectContract": PROJECT,
    "ConfigContract": CONFIG,
    "PlacesContract": PLACES,
    "DirectoriesContract": DIRECTORIES,
    "LoggingContract": LOGGING,
    "LockContract": LOCK,
    "EncryptionContract": ENCRYPTION,
    "DataSourceContract": SOURCE,
    "DataWriterContract": WRITER,
    "DependenciesContract": DEPENDENCIES,
    "ProgressContract": PROGRESS,
    "ReporterContract": REPORTER,
    "ExecutorContract": EXECUTOR,
    "SchedulerContract": SCHEDULER,
}.items():
    globals().update(other(name, *caught))
