"""Checkpoints, history and path guard: a good toy each, and toys with one fault each."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Any

import attrs
from contracts.toys import all_of, before, fault, good

from pamola_tasks.testing.contracts import CheckpointsContract, HistoryContract, PathGuardContract


def constant(value: Any) -> Any:
    """A method that always gives one value."""
    return lambda self, *arguments, **named: value


def trusting(up: Any, self: Any, step: Any) -> Any:
    """Decide without a look at the outputs."""
    saved = self.load().get(step.id)
    return saved if saved is not None and saved.fingerprint == self.fingerprint(step) else ""


def hasty(up: Any, self: Any, step: Any, staged: Any, record: Any) -> Any:
    """Remember the step and swallow that its outputs could not be put in place."""
    try:
        return up.publish(step, staged, record)
    except OSError:
        staged.files = []
        step = attrs.evolve(step) if attrs.has(type(step)) else step
        with contextlib.suppress(Exception):
            up.publish(step, None, record)
        return [], []


def without(key: str, value: Any) -> Any:
    """`load` with one fact of each record lost."""
    return before(lambda up, self: {id_: attrs.evolve(saved, **{key: value}) for id_, saved in up.load().items()})


def open_files(up: Any, self: Any, name: Any, mode: str = "rb") -> Any:
    """Follow links."""
    return (self.root / name).open(mode)


@contextlib.contextmanager
def in_place(self: Any, name: Any, *, exclusive: bool = False, parents: bool = True, mode: int = 0o600) -> Any:
    """Write under the name itself."""
    path = self.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if exclusive and path.exists():
        raise FileExistsError(name)
    with path.open("wb", buffering=0) as file:
        os.chmod(path, mode)
        yield file


def written(**facts: Any) -> Any:
    """Entries of the history with some facts changed or, where they are None, lost."""

    def add(up: Any, self: Any, entry: dict[str, Any]) -> None:
        changed = {**entry, **facts}
        up.add({key: value for key, value in changed.items() if key not in facts or value is not None})

    return before(add)


C, H, G = CheckpointsContract, HistoryContract, PathGuardContract
globals().update(
    all_of(
        good(C),
        fault(C, "test_it_is_what_its_protocol_says", "lacks_clear", clear=None),
        fault(C, "test_it_is_what_its_protocol_says", "takes_less", publish=lambda self, step: ([], [])),
        fault(C, "test_a_finished_step_is_skipped", "never_skips", stands=constant("")),
        fault(
            C,
            "test_a_changed_parameter_runs_the_step",
            "parameters_do_not_count",
            fingerprint=before(lambda up, self, step: {**up.fingerprint(step), "parameters": ""}),
        ),
        fault(
            C,
            "test_a_changed_input_runs_the_step",
            "inputs_do_not_count",
            fingerprint=before(lambda up, self, step: {"parameters": up.fingerprint(step)["parameters"]}),
        ),
        fault(C, "test_a_changed_output_runs_the_step", "outputs_are_trusted", stands=before(trusting)),
        fault(C, "test_a_missing_output_runs_the_step", "outputs_are_not_looked_for", stands=before(trusting)),
        fault(C, "test_clear_forgets", "clear_does_nothing", clear=constant(None)),
        fault(C, "test_load_gives_what_the_step_left", "metrics_are_lost", load=without("metrics", {})),
        fault(C, "test_load_gives_what_the_step_left", "the_seed_is_lost", seed=constant(None)),
        fault(C, "test_a_full_disk_fails_the_step", "errors_are_swallowed", publish=before(hasty)),
        good(H),
        fault(H, "test_it_is_what_its_protocol_says", "lacks_step_finished", step_finished=None),
        fault(H, "test_a_run_is_recorded_while_it_runs", "begins_at_the_end", run_started=constant(None)),
        fault(
            H, "test_a_run_that_ended_is_recorded_whole", "no_time_zone", add=written(timestamp="2026-01-01T10:00:00")
        ),
        fault(H, "test_a_run_that_ended_is_recorded_whole", "no_outputs", add=written(output_files=None)),
        fault(H, "test_a_failure_is_recorded_with_its_error", "no_error", add=written(error=None)),
        fault(H, "test_a_success_is_found_behind_a_failure", "all_succeed", add=written(success=True)),
        fault(H, "test_the_newest_run_counts", "oldest_first", records=before(lambda up, self: up.records()[::-1])),
        fault(
            H,
            "test_tasks_do_not_mix",
            "one_list_for_all",
            find_latest_execution=before(lambda up, self, task_id, success_only=True: self.records()[0]),
        ),
        fault(
            H, "test_records_are_newest_first", "records_turned", records=before(lambda up, self: up.records()[::-1])
        ),
        good(G),
        fault(G, "test_it_is_what_its_protocol_says", "lacks_stat", stat=None),
        fault(G, "test_a_file_appears_whole_or_not_at_all", "writes_in_place", create=in_place),
        fault(
            G,
            "test_exclusive_replaces_nothing",
            "replaces_always",
            create=before(lambda up, self, name, exclusive=False, parents=True, mode=0o600: up.create(name)),
        ),
        fault(
            G,
            "test_nothing_outside_is_reached",
            "follows_every_name",
            path=lambda self, name, roots=(): self.root / name,
        ),
        fault(G, "test_no_link_leads_out", "follows_links", open=before(open_files)),
        fault(
            G,
            "test_further_roots_are_read_and_not_written",
            "writes_to_further_roots",
            extended=lambda self, roots: type(self)(self.root, (*self.more, *roots)),
            path=before(lambda up, self, name, roots=(): up.path(name, self.more)),
        ),
        fault(G, "test_what_is_missing_is_missing", "everything_exists", exists=constant(True)),
        fault(
            G,
            "test_entries_are_sorted_and_typed",
            "unsorted",
            iter=before(lambda up, self, name=".": reversed(list(up.iter(name)))),
        ),
        fault(
            G,
            "test_moving_and_deleting",
            "deletes_behind_links",
            remove_tree=before(
                lambda up, self, name, missing_ok=False: (
                    [shutil.rmtree(p.resolve()) for p in self.path(name).rglob("*") if p.is_symlink()],
                    up.remove_tree(name, missing_ok=missing_ok),
                )[1]
            ),
        ),
    )
)
