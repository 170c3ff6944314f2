"""The layers of the cascade, from the command line down to the environment, each value with its place.

500 command line · 450 environment, where `env_override` is on · 400 task file
340 project file, `tasks.<id>` · 330 `task_defaults` · 320 its top level · 310 the origin's sections
200 what the task's class states · 100 environment
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError, PamolaTaskError, ValidationError
from pamola_tasks.files import check_name
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks_config.documents import FORMATS, Document, Node, Path, Problem, dotted, format_of, read_file
from pamola_tasks_config.fitting import Wrong, from_text, plain
from pamola_tasks_config.schema import SYNONYMS, Scope, kinds

if TYPE_CHECKING:
    from pamola_tasks.files import Files
    from pamola_tasks.protocols import Project
    from pamola_tasks.task import BaseTask

PROJECT_FILE = "prj_config"
CONFIGS = "configs"
COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER = "command line", "task file", "project file"
TASK_CLASS, ENVIRONMENT = "task class", "environment"
WRITTEN = frozenset((COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER))
_ORDER = {COMMAND_LINE: 0, TASK_FILE: 1, PROJECT_FILE_LAYER: 2, TASK_CLASS: 3, ENVIRONMENT: 4}
RESERVED = frozenset(
    (
        "PAMOLA_KEY",
        "PAMOLA_KEY_FILE",
        "PAMOLA_PASSPHRASE",
        "PAMOLA_NO_PLUGINS",
        "PAMOLA_PROJECT_ROOT",
        "PAMOLA_EXECUTION_LOG_PATH",
        "PAMOLA_MAX_SEARCH_DEPTH",
    )
)
# A variable cannot say which task runs, nor lift itself over the files.
_NOT_FROM_ENVIRONMENT = frozenset(("task_id", "task_class", "operations", "env_override"))


@attrs.frozen(kw_only=True)
class FileLayer(ConfigLayer):
    """A layer from a file, which can say of every key where it stands.

    Attributes:
        document: The file.
        base: The path of the section that holds the keys.
        renamed: Where keys stand that the file has under another name.
    """

    document: Document
    base: tuple[str, ...] = ()
    renamed: Mapping[str, tuple[str, ...]] = attrs.Factory(dict)


def problem_in(layer: ConfigLayer, wrong: Wrong) -> Problem:
    """A problem with a value of a layer, at its place."""
    if isinstance(layer, FileLayer):
        path = in_file(layer, wrong.path)
        key, value = layer.document.find(path)
        return layer.document.problem(key if wrong.at_key else value, wrong.message, path)
    place = layer.origin
    for length in range(len(wrong.path), 0, -1):
        if dotted(wrong.path[:length]) in layer.places:
            place = layer.places[dotted(wrong.path[:length])]
            break
    return Problem(_ORDER.get(layer.name, 5), 0, 0, f"{place}: {dotted(wrong.path)}: {wrong.message}")


def in_file(layer: FileLayer, path: Path) -> Path:
    """The path that a key of a layer has in its file."""
    head = path[0] if path else ""
    if isinstance(head, str) and head in layer.renamed:
        return (*layer.renamed[head], *path[1:])
    return (*layer.base, *path)


# ---------------------------------------------------------------- files


def find_file(files: Files, stem: str) -> tuple[str, tuple[str, ...]]:
    """The configuration file of this name in `configs/`, YAML before TOML before JSON, and the others there are."""
    there = [f"{CONFIGS}/{stem}.{extension}" for extension in FORMATS if files.exists(f"{CONFIGS}/{stem}.{extension}")]
    return (there[0] if there else ""), tuple(there[1:])


def several(used: str, others: Iterable[str]) -> tuple[str, ...]:
    """The warning that there are several files of one name."""
    names = ", ".join(others)
    return (f"{used} is used, and {names} beside it is not: keep one of them",) if names else ()


def config_files(files: Files) -> list[str]:
    """Names of the files in `configs/` that may be task files, sorted."""
    try:
        entries = [name for name, stat in files.iter(CONFIGS) if stat.kind == "file"]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        f"{CONFIGS}/{name}"
        for name in entries
        if format_of(name)
        and not name.startswith(".")
        and PurePosixPath(name).stem not in (PROJECT_FILE, "execution_log")
    ]


@attrs.frozen(kw_only=True)
class Sources:
    """The files that a configuration is made from.

    Attributes:
        task_id: The task's id; empty where only the project's configuration is wanted.
        task: The task file, if there is one.
        project: The project file, if there is one.
        warnings: What their owner should know.
    """

    task_id: str
    task: Document | None
    project: Document | None
    warnings: tuple[str, ...] = ()


def read_sources(project: Project, task: BaseTask | None) -> Sources:
    """Read the task file and the project file.

    Raises:
        ValidationError: Files that cannot be read; all of them.
    """
    files = project.files
    warnings: tuple[str, ...] = ()
    task_id = getattr(task, "task_id", "") or ""
    name = str(getattr(task, "file", "") or "") if task is not None else ""
    if name and not format_of(name):
        name = ""  # a task written in Python: its configuration is the one of its id
    if not name and task_id:
        check_name(task_id, "the task id")
        name, others = find_file(files, task_id)
        name = name or _file_saying(files, task_id)
        warnings += several(name, others)
    project_name, others = find_file(files, PROJECT_FILE)
    warnings += several(project_name, others)
    failed: list[str] = []

    def read(name: str, order: int) -> Document | None:
        try:
            return read_file(files, name, order=order) if name else None
        except ValidationError as error:
            failed.extend(error.problems)
            return None

    task_document = read(name, _ORDER[TASK_FILE])
    project_document = read(project_name, _ORDER[PROJECT_FILE_LAYER])
    if failed:
        raise ValidationError(problems=tuple(failed))
    if name and task_document is None:
        raise ConfigurationError(f"{name}: there is no such task file")
    if task_document is not None and not task_id:
        task_id = stated_id(task_document)
    return Sources(task_id=task_id, task=task_document, project=project_document, warnings=warnings)


def _file_saying(files: Files, task_id: str) -> str:
    """The file that is named otherwise and says that it is this task's, or empty."""
    for name in config_files(files):
        try:
            document = read_file(files, name)
        except PamolaTaskError:
            continue  # it says nothing that can be read, and is no file of this task by its name
        if document is not None and stated_id(document) == task_id:
            return name
    return ""


def stated_id(document: Document) -> str:
    """The id of the task that a file configures: its `task_id`, else the file's name."""
    stated = _child(document.root, "task_id")
    if stated is not None and isinstance(stated.value, str) and stated.value:
        return stated.value
    return PurePosixPath(document.name.replace("\\", "/")).stem


def _child(node: Node | None, key: str) -> Node | None:
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def _layer(
    name: str,
    rank: int,
    document: Document,
    values: Mapping[str, Any],
    base: tuple[str, ...] = (),
    renamed: Mapping[str, tuple[str, ...]] | None = None,
) -> FileLayer:
    renamed = renamed or {}
    heads = {path: key for key, path in renamed.items()}
    places: dict[str, str] = {}
    for path, node in document:
        relative: tuple[str, ...] | None = None
        for head, key in heads.items():
            if path[: len(head)] == head:
                relative = (key, *path[len(head) :])
        if relative is None and not heads and path[: len(base)] == base:
            relative = path[len(base) :]
        if relative and relative[0] in values:
            places[dotted(relative)] = document.where(node.start)
    origin = document.name + (f" ({'.'.join(base)})" if base else "")
    return FileLayer(
        name=name,
        rank=rank,
        origin=origin,
        values=values,
        places=places,
        document=document,
        base=base,
        renamed=renamed,
    )


def _values(node: Node | None) -> dict[str, Any]:
    found = node.plain() if node is not None else None
    return found if isinstance(found, dict) else {}


def task_layer(document: Document) -> FileLayer:
    """What a task file says."""
    return _layer(TASK_FILE, 400, document, _values(document.root))


def project_layers(document: Document, task_id: str) -> list[FileLayer]:
    """What a project file says to one task; without a task, to the project."""
    layers: list[FileLayer] = []
    root = document.root
    if task_id and isinstance(_child(_child(root, "tasks"), task_id), Node):
        base = ("tasks", task_id)
        layers.append(_layer(PROJECT_FILE_LAYER, 340, document, _values(_section(root, base)), base))
    layers.append(_layer(PROJECT_FILE_LAYER, 330, document, _values(_child(root, "task_defaults")), ("task_defaults",)))
    top = {key: value for key, value in _values(root).items() if key not in ("tasks", "task_defaults")}
    lifted: dict[str, Any] = {}
    renamed: dict[str, tuple[str, ...]] = {}
    for section, names in SYNONYMS.items():
        if isinstance(top.get(section), dict):
            for old, key in names.items():
                if old in top[section] and key not in lifted:
                    lifted[key] = top[section][old]
                    renamed[key] = (section, old)
            top[section] = {key: value for key, value in top[section].items() if key not in names}
        elif section in top and top[section] is None:
            del top[section]
    layers.append(_layer(PROJECT_FILE_LAYER, 320, document, {k: v for k, v in top.items() if v != {}}))
    if lifted:
        layers.append(_layer(PROJECT_FILE_LAYER, 310, document, lifted, renamed=renamed))
    return layers


def _section(root: Node, path: Iterable[str]) -> Node | None:
    node: Node | None = root
    for key in path:
        node = _child(node, key)
    return node


def other_task_sections(document: Document, task_id: str) -> Iterator[FileLayer]:
    """The sections of a project file that belong to other tasks: their mistakes are shown with the rest."""
    tasks = _child(document.root, "tasks")
    if tasks is not None and isinstance(tasks.value, dict):
        for other, node in tasks.value.items():
            if other != task_id:
                yield _layer(PROJECT_FILE_LAYER, 340, document, _values(node), ("tasks", other))


# ---------------------------------------------------------------- command line, class, environment


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"retry.max_retries": 5}` as `{"retry": {"max_retries": 5}}`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        place = found
        *parents, last = key.split(".")
        if not all((*parents, last)):
            raise ConfigurationError(f"--set {key}: a key is names joined by single dots")
        for parent in parents:
            inner = place.get(parent)
            if not isinstance(inner, dict):
                inner = place[parent] = {}
            place = inner
        value = plain(value)
        if isinstance(value, dict) and isinstance(place.get(last), dict):
            place[last].update(value)
        else:
            place[last] = value
    return found


def override_layer(overrides: Mapping[str, Any]) -> ConfigLayer:
    """What the command line or a caller asked for."""
    return ConfigLayer(name=COMMAND_LINE, rank=500, origin="--set", values=nested(overrides))


def class_layer(task: BaseTask) -> ConfigLayer:
    """What the task's class states. A class that states None for what cannot be None states nothing."""
    stated = plain(task.stated_configuration())
    values = {key: value for key, value in stated.items() if value is not None or key not in kinds()}
    return ConfigLayer(name=TASK_CLASS, rank=200, origin=str(getattr(task, "origin", "")) or TASK_CLASS, values=values)


def environment_layer(
    environ: Mapping[str, str], task_id: str, task_ids: Iterable[str], settings: Mapping[str, type], *, lifted: bool
) -> ConfigLayer:
    """What environment variables say, by the type of their key.

    Args:
        environ: The environment.
        task_id: The task that runs, or empty.
        task_ids: Ids of all tasks that are known: a variable belongs to the longest that it fits.
        settings: Names of plugins and the class of their section.
        lifted: Whether `env_override` puts it over the files.
    """
    from pamola_tasks.parameters import annotations_of
    from pamola_tasks.protocols import RetrySettings

    keys: dict[str, tuple[tuple[str, ...], Any]] = {}
    for section, cls in ((("scope",), Scope), (("retry",), RetrySettings), *(((n,), c) for n, c in settings.items())):
        for name, kind in annotations_of(cls).items():
            keys[f"{_variable(section[0])}__{name.upper()}"] = ((*section, name), kind)
    for name, kind in kinds().items():
        if name not in _NOT_FROM_ENVIRONMENT:
            keys[name.upper()] = ((name,), kind)
    others = {_variable(other) for other in task_ids} - {_variable(task_id)}
    own = _variable(task_id)
    found: dict[tuple[str, ...], tuple[bool, str, Any]] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith("PAMOLA_") or variable in RESERVED:
            continue
        rest = variable.removeprefix("PAMOLA_")
        specific = bool(task_id) and rest.startswith(f"TASK_{own}_")
        key = rest.removeprefix(f"TASK_{own}_") if specific else rest
        if key not in keys:
            continue
        if specific and any(
            len(other) > len(own) and rest.startswith(f"TASK_{other}_") and rest.removeprefix(f"TASK_{other}_") in keys
            for other in others
        ):
            continue
        path, kind = keys[key]
        if specific or path not in found or not found[path][0]:
            found[path] = (specific, variable, from_text(text, kind))
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for path, (_, variable, value) in found.items():
        inner = values
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
        places[dotted(path)] = f"environment variable {variable}"
    return ConfigLayer(
        name=ENVIRONMENT, rank=450 if lifted else 100, origin="environment", values=values, places=places
    )


def _variable(name: str) -> str:
    """A task id or section as part of a variable's name."""
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


# ---------------------------------------------------------------- all of them


def collect(project: Project, task: BaseTask | None, overrides: Mapping[str, Any]) -> list[ConfigLayer]:
    """All layers but the environment, which `provide` adds when it knows whether `env_override` is on.

    Raises:
        ConfigurationError: Files that cannot be read, or say things twice; all problems of a file together.
    """
    sources = read_sources(project, task)
    layers: list[ConfigLayer] = []
    if overrides:
        layers.append(override_layer(overrides))
    if sources.task is not None:
        layers.append(task_layer(sources.task))
    if sources.project is not None:
        layers.extend(project_layers(sources.project, sources.task_id))
    if task is not None:
        layers.append(class_layer(task))
    documents = [document for document in (sources.task, sources.project) if document is not None]
    if any(document.problems for document in documents):
        from pamola_tasks_config.checking import check_layers

        problems = check_layers(layers, {}, sources.task_id, strict=False, sections=False)
        from pamola_tasks_config.documents import in_words

        raise ValidationError(problems=in_words(p for d in documents for p in (*d.problems, *problems)))
    return layers
