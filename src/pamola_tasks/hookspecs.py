"""Every hook of pamola-tasks, in the order of a run: the page to read first.

A plugin implements any of these functions, takes only the parameters that it needs, by name, and marks them with
`@pamola_tasks.hookimpl`. What a hook may answer depends on its kind (see `KINDS`):

* **service** (`pamola_provide_*`): exactly one plugin answers. The kernel chooses it before the call: first the
  one named by `plugins.prefer.<service>`, else the only implementation that is not `trylast`, else the default.
* **contribution** (`pamola_add_*`): everybody's answers are collected, once.
* **check** (`pamola_check_*`): everybody may object; objections are collected and all shown. A check can only tighten.
* **decision** (`pamola_modify_plan`): one after the other; the kernel records who changed what.
* **event** (`pamola_on_*`): observers, in the parent process only, never two at a time. An observer that raises is
  recorded and named in the report, and the others are still called; after three times it is left out of the run.

`pamola_run_step` is the one hook made to be wrapped: the kernel has the only plain implementation.
A wrapper of any other hook is called once, around all implementations, also where there is none; what it returns
counts. No parameter of an implementation may have a default value or be keyword-only, no implementation may be `async`,
and no event may be wrapped. An implementation marked `optionalhook=True` may be of a hook that another plugin adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pluggy

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pamola_tasks.operation import Artifact, Operation, OperationResult
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import (
        Checkpoints,
        Command,
        Config,
        ConfigLayer,
        ContainerFormat,
        Contribution,
        DatasetFormat,
        DataSource,
        DataWriter,
        Dependencies,
        Diagnosis,
        Directories,
        Encryption,
        Executor,
        History,
        KernelView,
        Lock,
        Logging,
        PathGuard,
        Places,
        Progress,
        Project,
        Redactor,
        Reporter,
        ReportSection,
        ReportWriter,
        RunServices,
        Scheduler,
        Service,
        Task,
    )
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.secret import Secret

PROJECT_NAME = "pamola_tasks"
HOOK_API = 1

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)

Kind = Literal["service", "contribution", "check", "decision", "event", "chain", "step"]


def kind_of(hook: str) -> Kind:
    """What kind of hook a name is, which follows from the name."""
    if hook.startswith("pamola_provide_"):
        return "service"
    if hook.startswith("pamola_check_"):
        return "check"
    if hook.startswith("pamola_on_"):
        return "event"
    if hook == "pamola_modify_plan":
        return "decision"
    if hook == "pamola_find_secret":
        return "chain"
    if hook == "pamola_run_step":
        return "step"
    return "contribution"


# ------------------------------------------------------------------------------------------------ assembly


@hookspec
def pamola_add_hooks(add: Callable[[Any], None]) -> None:
    """Add hook specifications of your own, which other plugins can then implement.

    Called when the plugin is loaded, before any plugin's implementations are looked at. The names of the hooks say
    what kind they are, as those of the kernel do. Ask them with `kernel.plugins.each`, `first`, `objections` or, for
    contributions by name, `kernel.contributions`.

    Args:
        add: Takes a module, class or object whose functions are marked with `@pamola_tasks.hookspec`.
    """


@hookspec
def pamola_add_services() -> Mapping[str, Service]:
    """Add kinds of service: each becomes `run.<name>`, provided by `pamola_provide_<name>(run)`.

    Called when the plugin is loaded. Services come up in the order that their `after` asks for.

    Returns:
        Names of services, and what each must offer.
    """


@hookspec
def pamola_add_commands() -> Mapping[str, Command]:
    """Add commands to the command line.

    Called when the command line starts. Nothing that a command needs may be imported here: a `Command` names the
    click command as `"module:object"`, with its one line of help and whether it writes. A command that writes (the
    default) is refused while an installed plugin is failed or incompatible.

    Returns:
        Names of commands, and for each a `Command`. A name that two plugins use is an error.
    """


@hookspec
def pamola_add_templates() -> Mapping[str, Command]:
    """Add what `pamola-task new` can create: each a subcommand of `new`, which writes files with
    `CommandLine.create_files`.

    Called when `pamola-task new` is used.

    Returns:
        Names of templates, and for each a `Command`. A name that two plugins use is an error.
    """


@hookspec
def pamola_add_operations() -> Mapping[str, str | type[Operation]]:
    """Add operations that tasks may use by name.

    Called once per kernel, when the first operation is looked up.

    Returns:
        Names of operations, and for each the class or `"module:Class"`, which is imported when it is first used.
    """


@hookspec
def pamola_add_tasks(project: Project) -> Mapping[str, Any]:
    """Add tasks that can be run by their id.

    Called once per kernel and project, when tasks are listed or looked up.

    Returns:
        Task ids, and for each a `BaseTask` class, `"module:Class"`, or a `pamola_tasks.registry.TaskFile`. A key such
        as `"*.yaml"` brings the class of all task files with that ending that name no class of their own; it is called
        with the file's name and, where it is known, the task's id.
    """


@hookspec
def pamola_add_settings() -> str | type:
    """Say what this plugin's own section of the configuration must fit.

    Called once per kernel, before configuration is read. The section is named after the plugin's entry point.

    Returns:
        An attrs class, or `"module:Class"`. The section that fits it is `run.config.plugin("<name>")`.
    """


@hookspec
def pamola_add_diagnoses(project: Project | None, kernel: KernelView, data: bool) -> Iterable[Diagnosis]:
    """Report to `pamola-task doctor` what is missing, odd or damaged.

    A service that keeps files can report more: with `--data`, its method `diagnose` is called where it has one.

    Args:
        project: The project, or None where there is none.
        kernel: The kernel.
        data: Whether `--data` was given: examine what runs left on the disk too, which takes time.

    Returns:
        Findings, each with a level (`ok`, `note`, `warning`, `error`), what was found and what to do about it.
    """


@hookspec(firstresult=True)
def pamola_provide_scheduler(kernel: KernelView) -> Scheduler:
    """Run several tasks: in dependency order, at the same time, as a dry run.

    Called once per kernel, when several tasks are to be run. With no answer `pamola-task run` runs one task and refuses
    `--all`, `--with-dependencies` and more than one name.

    Args:
        kernel: The `Kernel` of the project.
    """


# ------------------------------------------------------------------------------------------------ initialize


@hookspec(firstresult=True)
def pamola_provide_redactor(run: RunServices | None) -> Redactor:
    """Hide secrets in texts, and say what may be said of errors.

    Called first of all, since every log line passes through it: it can use no service and no configuration, and should
    know the secrets in the environment. The secrets and patterns of the configuration are added once that is known.
    With no answer the run is refused.

    Args:
        run: The run; None for messages outside of runs: why a plugin could not be loaded, errors of commands.
    """


@hookspec(firstresult=True)
def pamola_provide_project(start: Path, asked: bool) -> Project:
    """Find the project that a folder belongs to.

    With no answer the start folder itself is the root.

    Args:
        start: The folder to look from: `--project`, or the current one.
        asked: Whether that folder itself was asked for: it is the root then, whatever is above it.

    Returns:
        The project: its root, its id, what marked it.
    """


@hookspec(firstresult=True)
def pamola_provide_path_guard(project: Project) -> PathGuard:
    """Guard the names of files.

    Called before any configuration is read, so the guard knows the project's root only; roots outside the project
    are added by the kernel with `PathGuard.extended` when the configuration allows them. With no answer, every
    access to a file is denied.
    """


@hookspec
def pamola_add_container_formats(project: Project) -> Mapping[str, str | Callable[[Project], ContainerFormat]]:
    """Say of formats that their bytes can change while what they hold stays: an encrypted file gets another key.

    What is recorded of files is a hash: in checkpoints, reports, manifests and history. Files of these formats are
    hashed, when they are written and ever after, as the format says, so that records stay true.

    Called once per kernel and project, when the first file is opened. A format that has an attribute `encryption`
    is one of encrypted files, which are refused where no service decrypts them.

    Returns:
        The text that files of the format begin with (at most 64 bytes, no other format's beginning), and what makes
        a `ContainerFormat` from the project, or `"module:object"`, which is imported when the first such file is met.
    """


@hookspec
def pamola_check_path(project: Project, path: str, purpose: str, config: Config | None) -> Iterable[str] | str | None:
    """Forbid a path that the guard would allow.

    Called before every opening of a file by name. Anything returned forbids; an exception forbids too.

    Args:
        project: The project.
        path: The name as it was given.
        purpose: `read`, `write`, `mkdir`, `delete` or `list`.
        config: The configuration; None while it is still being read.

    Returns:
        Why the path must not be used, or nothing.
    """


@hookspec
def pamola_add_config_layers(
    project: Project, task: Task | None, overrides: Mapping[str, Any]
) -> Iterable[ConfigLayer]:
    """Add layers of configuration values.

    Args:
        project: The project; files are read through `project.files`.
        task: The task, or None where only the project's configuration is wanted.
        overrides: What the command line or the caller asked for (dotted keys).

    Returns:
        Layers: each a name, a rank (100 to 500, higher overrules lower), an origin and its values.
    """


@hookspec(firstresult=True)
def pamola_provide_config(
    project: Project, task: Task | None, layers: Iterable[ConfigLayer], settings: Mapping[str, type]
) -> Config:
    """Merge the layers into one typed configuration.

    With no answer the run is refused.

    Args:
        project: The project.
        task: The task, or None.
        layers: All layers, highest rank first.
        settings: Names of plugins, and the attrs class that their section must fit.

    Raises:
        ConfigurationError: All problems at once.
    """


@hookspec
def pamola_check_config(config: Config) -> Iterable[str] | str | None:
    """Object to a configuration: anything returned stops the run."""


@hookspec(firstresult=True)
def pamola_find_secret(name: str, project: Project) -> Secret | str | None:
    """Look up the secret that `${secret:NAME}` names: the first plugin that knows it answers."""


@hookspec
def pamola_add_redactions(run: RunServices) -> Iterable[str | Callable[[str], bool]]:
    """Add patterns (regular expressions) and predicates on key names to what `run.redact` hides."""


@hookspec(firstresult=True)
def pamola_provide_places(project: Project, config: Config) -> Places:
    """Say where everything is: the directories, state, lock and reports of any task, and the project's folders.

    All that looks at tasks from outside (`status`, `clean`, `report`, `verify`, key changes …) asks it too.
    With no answer the run is refused.
    """


@hookspec(firstresult=True)
def pamola_provide_directories(run: RunServices) -> Directories:
    """Make the directories of the run's task, where `run.places` says: others are refused.

    With no answer the run is refused.
    """


@hookspec(firstresult=True)
def pamola_provide_logging(run: RunServices) -> Logging:
    """Give the handlers that the run's log lines go to; lines logged before are kept and handed on.

    With no answer nothing is logged.
    """


@hookspec
def pamola_add_log_handlers(run: RunServices) -> Iterable[logging.Handler]:
    """Add further handlers beside those of the logging service."""


@hookspec(firstresult=True)
def pamola_provide_history(run: RunServices) -> History:
    """Record that the run happened. With no answer there is no history."""


@hookspec(firstresult=True)
def pamola_provide_lock(run: RunServices) -> Lock:
    """Keep a task from running twice at the same time. The kernel takes the lock; the provider only offers it.

    With no answer the run is refused. Without a task (`run.record.task_id` is empty) the lock is asked about others.
    """


@hookspec(firstresult=True)
def pamola_provide_encryption(run: RunServices) -> Encryption:
    """Encrypt and decrypt files and data. With no answer, a run that asks for encryption is refused."""


@hookspec(firstresult=True)
def pamola_provide_data_source(run: RunServices) -> DataSource:
    """Read datasets: a source that knows the task's inputs by name. With no answer the run is refused."""


@hookspec(firstresult=True)
def pamola_provide_data_writer(run: RunServices) -> DataWriter:
    """Write datasets. With no answer the run is refused."""


@hookspec
def pamola_add_dataset_formats() -> Mapping[str, str | DatasetFormat | Contribution]:
    """Add file formats for datasets: the extension without dot, and a `DatasetFormat` or `"module:object"`.

    To take the place of a format of another plugin, return `Contribution(…, replaces="csv")`.
    """


@hookspec(firstresult=True)
def pamola_provide_checkpoints(run: RunServices) -> Checkpoints:
    """Remember finished steps. With no answer every run starts from the beginning."""


@hookspec(firstresult=True)
def pamola_provide_dependencies(run: RunServices) -> Dependencies:
    """Find what other tasks left. With no answer, a task that names dependencies is refused."""


@hookspec
def pamola_check_dependencies(run: RunServices) -> Iterable[str] | str | None:
    """Object to a run because something it needs is not there: anything returned stops the run."""


@hookspec(firstresult=True)
def pamola_provide_progress(run: RunServices) -> Progress:
    """Show progress. With no answer none is shown."""


@hookspec(firstresult=True)
def pamola_provide_reporter(run: RunServices) -> Reporter:
    """Write the report. With no answer there is none."""


@hookspec(firstresult=True)
def pamola_provide_executor(run: RunServices) -> Executor:
    """Run the steps of a plan. With no answer the run is refused."""


@hookspec
def pamola_on_run_started(run: RunServices) -> None:
    """Called once, right after configuration, guard and history exist; later services are not up yet.

    In a run of some steps only it is called once these have been found in the plan: a run that asks for others is
    refused, and nobody hears of it.
    """


# ------------------------------------------------------------------------------------------------ configure


@hookspec
def pamola_modify_plan(run: RunServices, plan: Plan) -> None:
    """Reorder, insert or deselect steps: change `plan` through its methods. Who changed what is recorded."""


@hookspec
def pamola_check_plan(run: RunServices, plan: Plan) -> Iterable[str] | str | None:
    """Object to a plan: anything returned stops the run."""


# ------------------------------------------------------------------------------------------------ execute


@hookspec
def pamola_add_fingerprint_parts(run: RunServices, step: Step) -> Mapping[str, str]:
    """Add parts to a step's fingerprint: when one of them changes, the step is not skipped but run again."""


@hookspec(firstresult=True)
def pamola_run_step(run: RunServices, step: Step) -> OperationResult:
    """One attempt at one step, where the step runs (thread or process). Failures inside are exceptions.

    The kernel has the only plain implementation; plugins wrap it (`@hookimpl(wrapper=True)`), each yielding once.
    Retry belongs to the executor, not to wrappers.
    """


@hookspec
def pamola_on_step_started(run: RunServices, step: Step) -> None:
    """Called before the first attempt at a step."""


@hookspec
def pamola_on_step_progress(run: RunServices, step: Step, done: float, total: float | None, unit: str) -> None:
    """Called while a step makes progress, at most ten times a second."""


@hookspec
def pamola_on_step_retried(run: RunServices, step: Step, attempt: int, error: BaseException, wait: float) -> None:
    """Called when an attempt failed and another will be made.

    Args:
        attempt: The number of the attempt that failed, from 1.
        wait: Seconds until the next one.
    """


@hookspec
def pamola_on_step_finished(run: RunServices, step: Step, result: OperationResult) -> None:
    """Called when a step has ended, well or not."""


@hookspec
def pamola_on_step_skipped(run: RunServices, step: Step, reason: str) -> None:
    """Called instead of started and finished when a step is not run."""


@hookspec
def pamola_on_dataset_read(run: RunServices, step: Step, dataset: DatasetRecord) -> None:
    """Called when a step first reads a dataset."""


@hookspec
def pamola_on_dataset_written(run: RunServices, step: Step, dataset: DatasetRecord) -> None:
    """Called when a dataset that a step wrote is in its place."""


@hookspec
def pamola_on_artifact(run: RunServices, step: Step, artifact: Artifact) -> None:
    """Called when an artifact that a step made is in its place."""


# ------------------------------------------------------------------------------------------------ finalize


@hookspec
def pamola_add_report_sections(run: RunServices) -> Iterable[ReportSection] | ReportSection | None:
    """Add sections to the report: a title, facts for machines, Markdown for people.

    A list of charts under `charts` in the facts is drawn. Each section has a key that no other plugin uses.
    """


@hookspec
def pamola_add_report_writers() -> Mapping[str, str | ReportWriter]:
    """Add formats of the report: the extension without dot, and a `ReportWriter` or `"module:object"`."""


@hookspec
def pamola_on_run_finished(run: RunServices) -> None:
    """Called exactly once for each `pamola_on_run_started`, whatever happened; `run.record` tells what did."""
