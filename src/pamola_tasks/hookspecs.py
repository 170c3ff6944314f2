"""Every hook of pamola-tasks, in the order of a run: the page to read first.

A plugin implements any of these functions, takes only the parameters that it needs, by name, and marks them with
`@pamola_tasks.hookimpl`. What a hook may return depends on its kind, which its name shows:

* **service** (`pamola_provide_*`): exactly one plugin provides it, chosen before the call: the one named by
  `plugins.prefer.<service>`, else the only implementation that is not `trylast`, else the default.
* **contribution** (`pamola_add_*`): the answers of all plugins are collected once.
* **check** (`pamola_check_*`): any plugin may object; all objections are collected and shown. A check can only tighten.
* **decision** (`pamola_modify_plan`): one plugin after another; the kernel records which one changed what.
* **event** (`pamola_on_*`): observers, in the parent process only, never two at a time. An observer that raises is
  recorded and named in the report while the others are still called; after three failures it is left out of the run.

The kernel has the only plain implementation of `pamola_run_step`, which is made to be wrapped. A wrapper of another
hook is called once, around all implementations, even if there is none; what it returns counts. Events have no wrappers.
No parameter of an implementation may have a default value or be keyword-only, no implementation may be `async`.
One marked `optionalhook=True` may belong to a hook that another plugin adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pamola_tasks import protocols
    from pamola_tasks.operation import Operation
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import Config, KernelView, Project, RunServices, Task
    from pamola_tasks.record import Artifact, DatasetRecord, OperationResult, SavedStep
    from pamola_tasks.secret import Secret

    Objections = Iterable[str] | str | None

PROJECT_NAME = "pamola_tasks"
HOOK_API = 1

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


# ---------------------------------------------------------------- assembly


def pamola_add_hooks(add: Callable[[Any], None]) -> None:
    """Add hook specifications of your own, which other plugins can then implement.

    Called when the plugin is loaded: give `add` a module or class whose functions are marked `@pamola_tasks.hookspec`
    and named by their kind. Call your hooks with `kernel.plugins.each`, `first` or `objections`, or with
    `kernel.contributions` for contributions by name.
    """


def pamola_add_services() -> Mapping[str, protocols.Service]:
    """Add kinds of service when the plugin is loaded: each is `run.<name>`, from `pamola_provide_<name>(run)`."""


def pamola_add_commands() -> Mapping[str, protocols.Command]:
    """Add commands to the command line, by name. A name that two plugins use is an error.

    Called when the command line starts, so import nothing here: a `Command` names the click command. One that writes
    (the default) is refused while an installed plugin is failed or incompatible.
    """


def pamola_add_templates() -> Mapping[str, protocols.Command | protocols.Contribution]:
    """Add what `pamola-task new` can create: its subcommands, which write with `CommandLine.create_files`."""


def pamola_add_operations() -> Mapping[str, str | type[Operation]]:
    """Add operations that tasks may use by name: the class, or `"module:Class"`, imported when it is first used."""


def pamola_add_functions() -> Mapping[str, str | Callable[..., Any]]:
    """Add functions to the package `pamola_tasks`, for notebooks: `pamola_tasks.<name>`, found when first asked for.

    `pamola_tasks.functions.run_on` runs an operation on a frame.
    """


def pamola_add_views() -> Mapping[str, str | Callable[..., str]]:
    """Add functions that give HTML for notebooks and pages of other plugins, by name: a function, or `"module:name"`.

    Ours are `charts(charts)`, a fragment of a list of charts as steps and the JSON report have them; `style()`, the CSS
    that it needs; and `first_page(report)`, the first page of a JSON report with the charts of its steps, a whole page.
    All texts in them are escaped. Get one by `kernel.contributions("pamola_add_views", "the view")["charts"]`.
    """


def pamola_add_tasks(project: Project) -> Mapping[str, Any]:
    """Add tasks by id: a `BaseTask` class, `"module:Class"`, or a `pamola_tasks.registry.TaskFile`.

    Called once per kernel and project. A key such as `"*.yaml"` gives the class for all task files with that ending
    that name no class of their own; it is called with the file's name and, where known, the task's id.
    """


def pamola_add_settings() -> str | type:
    """Give the attrs class, or `"module:Class"`, that the plugin's own section of the configuration must fit.

    `"module:Class"` is imported where the section says something, or is asked for. The section has the name of the
    plugin's entry point; the instance is `run.config.plugin("<name>")`.
    """


def pamola_add_diagnoses(project: Project | None, kernel: KernelView, data: bool) -> Iterable[protocols.Diagnosis]:
    """Report to `pamola-task doctor` what is missing, odd or damaged.

    With `data` (`--data`) examine what runs left on the disk too, which takes time. A service that keeps files can
    report more: its method `diagnose` is then called where it has one.
    """


def pamola_provide_scheduler(kernel: KernelView) -> protocols.Scheduler:
    """Run several tasks: in dependency order, at the same time, as a dry run.

    Without a provider `pamola-task run` refuses `--all`, `--with-dependencies` and more than one name.
    """


# ---------------------------------------------------------------- initialize


def pamola_provide_redactor(run: RunServices | None) -> protocols.Redactor:
    """Hide secrets in texts, and decide what may be shown of errors. Without a provider the run is refused.

    Called before everything else, since every log line passes through it: use no service and no configuration, but know
    the secrets in the environment; those of the configuration are added once that is known. Without a run it is for
    messages outside of runs, such as why a plugin could not be loaded.
    """


def pamola_provide_project(start: Path, asked: bool) -> protocols.Project:
    """Find the project that a folder belongs to. Without a provider the start folder itself is the root.

    `start` is `--project` or the current folder; where it was asked for, it is the root, whatever is above it.
    """


def pamola_provide_path_guard(project: Project) -> protocols.PathGuard:
    """Guard the names of files under the project's root. Without a provider every access to a file is denied.

    Called before any configuration is read; the kernel adds further roots that it allows with `PathGuard.extended`.
    """


def pamola_add_container_formats(
    project: Project,
) -> Mapping[str, str | Callable[[Project], protocols.ContainerFormat]]:
    """Add file formats whose bytes can change while their content stays the same: an encrypted file gets another key.

    Files of these formats are hashed as the format says, so that records stay true. Files of a format with an attribute
    `encryption` are encrypted, and refused where no service decrypts them.

    Returns:
        The text that files of the format begin with (at most 64 bytes, not another format's beginning), and what makes
        a `ContainerFormat` from the project, or `"module:object"`, imported when the first such file is met.
    """


def pamola_check_path(project: Project, path: str, purpose: str, config: Config | None) -> Objections:
    """Forbid a path that the guard would allow: return why. An exception forbids too.

    Called before every access to a file by name, with the `path` as it was given. `purpose` is one of `read`, `write`,
    `mkdir`, `delete` and `list`; `config` is None while the configuration is still being read.
    """


def pamola_add_config_layers(
    project: Project, task: Task | None, overrides: Mapping[str, Any]
) -> Iterable[protocols.ConfigLayer]:
    """Add layers of configuration values; read files through `project.files`.

    Without a task the project's configuration is wanted. `overrides` are dotted keys from the command line or caller.
    """


def pamola_provide_config(
    project: Project, task: Task | None, layers: Iterable[protocols.ConfigLayer], settings: Mapping[str, type]
) -> protocols.Config:
    """Merge the layers, highest rank first, into one typed configuration. Without a provider the run is refused.

    `settings` gives for plugins the attrs class that their section must fit. `ConfigurationError` lists all problems.
    """


def pamola_check_config(config: Config) -> Objections:
    """Object to a configuration: anything returned stops the run."""


def pamola_find_secret(name: str, project: Project) -> Secret | str | None:
    """Look up the secret that `${secret:NAME}` names: the first plugin that knows it answers."""


def pamola_add_redactions(run: RunServices) -> Iterable[str | Callable[[str], bool]]:
    """Add patterns (regular expressions) and predicates on key names to what `run.redact` hides."""


def pamola_provide_places(project: Project, config: Config) -> protocols.Places:
    """Know where everything is: directories, state, lock and reports of any task, and the project's folders.

    `status`, `clean`, `report`, `verify`, key changes … ask it too. Without a provider the run is refused.
    """


def pamola_provide_directories(run: RunServices) -> protocols.Directories:
    """Make the directories of the run's task, where `run.places` puts them. Without a provider the run is refused."""


def pamola_provide_logging(run: RunServices) -> protocols.Logging:
    """Give the handlers for the run's log lines, earlier lines included. Without a provider nothing is logged."""


def pamola_add_log_handlers(run: RunServices) -> Iterable[logging.Handler]:
    """Add further handlers beside those of the logging service."""


def pamola_provide_history(run: RunServices) -> protocols.History:
    """Record that the run happened. Without a provider there is no history."""


def pamola_provide_lock(run: RunServices) -> protocols.Lock:
    """Keep a task from running twice at the same time; asked about others too. Without a provider runs are refused."""


def pamola_provide_encryption(run: RunServices) -> protocols.Encryption:
    """Encrypt and decrypt files and data. Without a provider, a run that asks for encryption is refused."""


def pamola_provide_data_source(run: RunServices) -> protocols.DataSource:
    """Read datasets: a source that knows the task's inputs by name. Without a provider the run is refused."""


def pamola_provide_data_writer(run: RunServices) -> protocols.DataWriter:
    """Write datasets. Without a provider the run is refused."""


def pamola_add_dataset_formats() -> Mapping[str, str | protocols.DatasetFormat | protocols.Contribution]:
    """Add file formats for datasets: the extension without dot, and a `DatasetFormat` or `"module:object"`.

    To take the place of a format of another plugin, return `Contribution(…, replaces="csv")`.
    """


def pamola_provide_checkpoints(run: RunServices) -> protocols.Checkpoints:
    """Remember finished steps. Without a provider every run starts from the beginning."""


def pamola_provide_dependencies(run: RunServices) -> protocols.Dependencies:
    """Find what other tasks left. Without a provider, a task that names dependencies is refused."""


def pamola_check_dependencies(run: RunServices) -> Objections:
    """Object to a run because something it needs is missing: anything returned stops the run."""


def pamola_provide_progress(run: RunServices) -> protocols.Progress:
    """Show progress. Without a provider none is shown."""


def pamola_provide_reporter(run: RunServices) -> protocols.Reporter:
    """Write the report. Without a provider there is none."""


def pamola_provide_executor(run: RunServices) -> protocols.Executor:
    """Run the steps of a plan. Without a provider the run is refused."""


def pamola_on_run_started(run: RunServices) -> None:
    """Called once, right after configuration, guard and history exist; later services are not up yet.

    In a run of selected steps: once these have been found in the plan.
    """


# ---------------------------------------------------------------- configure


def pamola_modify_plan(run: RunServices, plan: Plan) -> None:
    """Reorder, insert or deselect steps through the plan's methods. The kernel records which plugin changed what."""


def pamola_check_plan(run: RunServices, plan: Plan) -> Objections:
    """Object to a plan: anything returned stops the run.

    `Objections` of every check are a text, or several in a collection; None or an empty one means none. Any other
    answer, `False` and an empty text too, is an error that names the plugin, and stops the run as well.
    """


# ---------------------------------------------------------------- execute


def pamola_run_operation(kernel: KernelView, operation: Operation, arguments: Mapping[str, Any]) -> OperationResult:
    """Run one operation without a task, with the arguments of `Operation.run`."""


def pamola_add_fingerprint_parts(run: RunServices, step: Step) -> Mapping[str, str]:
    """Add parts to a step's fingerprint: when one changes, the step runs again. `reading NAME: …` is how it is read."""


def pamola_check_skip(run: RunServices, step: Step, saved: SavedStep) -> Objections:
    """Object to skipping a finished step: what it left outside the project is no longer there. It then runs again.

    Asked when its fingerprint and files are as they were. `saved` is what was recorded, metrics included.
    """


def pamola_run_step(run: RunServices, step: Step) -> OperationResult:
    """One attempt at one step, where the step runs (thread or process). Failures inside are exceptions.

    Wrap it (`@hookimpl(wrapper=True)`), yielding once. Retry belongs to the executor, not to wrappers.
    """


def pamola_check_release(run: RunServices, tables: Iterable[protocols.ReleaseTable]) -> Objections:
    """Object to tables that are about to be released: anything returned keeps them from being published.

    Called when a step has written datasets that are published, before they are in their place: the step then fails.
    Called again by `pamola-task release`, before it makes a bundle.
    """


def pamola_on_step_started(run: RunServices, step: Step) -> None:
    """Called before the first attempt at a step."""


def pamola_on_step_progress(run: RunServices, step: Step, done: float, total: float | None, unit: str) -> None:
    """Called while a step makes progress, at most ten times a second. `done` counts from 0 in each stage."""


def pamola_on_step_stage(run: RunServices, step: Step, stage: str) -> None:
    """Called when a step begins a stage (`ctx.stage("measuring")`), which ends its stage before."""


def pamola_on_step_retried(run: RunServices, step: Step, attempt: int, error: BaseException, wait: float) -> None:
    """Called when attempt number `attempt` (from 1) failed and the next one follows in `wait` seconds."""


def pamola_on_step_finished(run: RunServices, step: Step, result: OperationResult) -> None:
    """Called when a step has ended, well or not."""


def pamola_on_step_skipped(run: RunServices, step: Step, reason: str) -> None:
    """Called instead of started and finished when a step is not run."""


def pamola_on_dataset_read(run: RunServices, step: Step, dataset: DatasetRecord) -> None:
    """Called when a step first reads a dataset."""


def pamola_on_dataset_written(run: RunServices, step: Step, dataset: DatasetRecord) -> None:
    """Called when a dataset that a step wrote is in its place."""


def pamola_on_artifact(run: RunServices, step: Step, artifact: Artifact) -> None:
    """Called when an artifact that a step made is in its place."""


# ---------------------------------------------------------------- finalize


def pamola_add_report_sections(run: RunServices) -> Iterable[protocols.ReportSection] | protocols.ReportSection | None:
    """Add sections to the report: a title, facts for machines, Markdown for people.

    A list of charts under `charts` in the facts is drawn. Each section has a key that no other plugin uses.
    """


def pamola_add_report_writers() -> Mapping[str, str | protocols.ReportWriter]:
    """Add formats of the report: the extension without dot, and a `ReportWriter` or `"module:object"`."""


def pamola_on_run_finished(run: RunServices) -> None:
    """Called exactly once for each `pamola_on_run_started`, whatever happened; `run.record` holds the facts."""


# Names show which hooks these are, and for which of them one answer is all.
_FIRST_RESULT = ("pamola_find_secret", "pamola_run_operation", "pamola_run_step")
for _name, _hook in [*globals().items()]:
    if _name.startswith("pamola_"):
        hookspec(_hook, firstresult=_name.startswith("pamola_provide_") or _name in _FIRST_RESULT)
