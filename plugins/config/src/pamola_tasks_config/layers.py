"""The layers of the cascade, from the command line down to the environment, each value with its place.

500 command line · 450 environment, where `env_override` is on · 400 task file
340 project file, `tasks.<id>` · 330 `task_defaults` · 320 its top level · 310 the origin's sections
200 what the task's class states · 100 environment

The origin's sections `performance`, `encryption` and `logging` say keys of a task in other words; they stand just
under the layer that they are written in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError, PamolaTaskError, PathSecurityError, ValidationError
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks.storage.files import check_name
from pamola_tasks_config.documents import FORMATS, Document, Node, Path, Problem, dotted, format_of, read_file
from pamola_tasks_config.fitting import Wrong, plain
from pamola_tasks_config.schema import SYNONYMS, kinds

if TYPE_CHECKING:
    from pamola_tasks import BaseTask
    from pamola_tasks.protocols import Project
    from pamola_tasks.storage.files import Files

PROJECT_FILE = "prj_config"
CONFIGS = "configs"
COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER = "command line", "task file", "project file"
TASK_CLASS, ENVIRONMENT = "task class", "environment"
WRITTEN = frozenset((COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER))
_ORDER = {COMMAND_LINE: 0, TASK_FILE: 1, PROJECT_FILE_LAYER: 2, TASK_CLASS: 3, ENVIRONMENT: 4}


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
    there = [name for extension in FORMATS if _is_there(files, name := f"{CONFIGS}/{stem}.{extension}")]
    return (there[0] if there else ""), tuple(there[1:])


def _is_there(files: Files, name: str) -> bool:
    """Whether there is anything of this name. What must not be opened counts: to pass it over would hide it."""
    try:
        files.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PathSecurityError:
        return True
    return True


def several(used: str, others: Iterable[str]) -> tuple[str, ...]:
    """The warning that there are several files of one name."""
    names = ", ".join(others)
    return (f"{used} is used, and {names} beside it is not: keep one of them",) if names else ()


def config_files(files: Files) -> list[str]:
    """Names of what lies in `configs/` and may be a task file, sorted; what is no file is refused when it is read."""
    try:
        entries = [name for name, _ in files.iter(CONFIGS)]
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
    places: dict[str, str] = {}
    for key in values:
        head = renamed.get(key, (*base, key))
        for path, node in document.below(head):
            places[dotted((key, *path))] = document.where(node.start)
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


def task_layers(document: Document) -> list[ConfigLayer]:
    """What a task file says."""
    return _with_old_sections(_layer(TASK_FILE, 400, document, _values(document.root)))


def project_layers(document: Document, task_id: str) -> list[ConfigLayer]:
    """What a project file says to one task; without a task, to the project."""
    root = document.root
    found: list[ConfigLayer] = []
    if task_id and _section(root, ("tasks", task_id)) is not None:
        found += _with_old_sections(_task_section(document, task_id))
    defaults = _values(_child(root, "task_defaults"))
    found += _with_old_sections(_layer(PROJECT_FILE_LAYER, 330, document, defaults, ("task_defaults",)))
    top = {key: value for key, value in _values(root).items() if key not in ("tasks", "task_defaults")}
    return found + _with_old_sections(_layer(PROJECT_FILE_LAYER, 320, document, top))


def _task_section(document: Document, task_id: str) -> FileLayer:
    base = ("tasks", task_id)
    return _layer(PROJECT_FILE_LAYER, 340, document, _values(_section(document.root, base)), base)


def other_task_sections(document: Document, task_id: str) -> list[ConfigLayer]:
    """The sections of a project file that belong to other tasks: their mistakes are shown with the rest."""
    tasks = _values(_child(document.root, "tasks"))
    return [
        layer for other in tasks if other != task_id for layer in _with_old_sections(_task_section(document, other))
    ]


def _with_old_sections(layer: ConfigLayer) -> list[ConfigLayer]:
    """A layer, and just under it what its sections `performance`, `encryption` and `logging` say of keys of the schema.

    Whatever else stands in such a section stays: it may be a plugin's.
    """
    values = dict(layer.values)
    lifted: dict[str, Any] = {}
    renamed: dict[str, tuple[str, ...]] = {}
    for section, names in SYNONYMS.items():
        inner = values.get(section)
        if section in values and inner is None:
            del values[section]
        if not isinstance(inner, Mapping):
            continue
        for old, key in names.items():
            if old in inner and key not in lifted:
                lifted[key] = inner[old]
                renamed[key] = (section, old)
        values[section] = {key: value for key, value in inner.items() if key not in names}
        if not values[section]:
            del values[section]
    rest = attrs.evolve(layer, values=values)
    if not lifted:
        return [rest]
    if isinstance(layer, FileLayer):
        base = layer.base
        renamed = {key: (*base, *path) for key, path in renamed.items()}
        return [rest, _layer(layer.name, layer.rank - 5, layer.document, lifted, base, renamed)]
    places = {key: f"{layer.origin}: {dotted(path)}" for key, path in renamed.items()}
    return [rest, attrs.evolve(layer, rank=layer.rank - 5, values=lifted, places=places)]


def _section(root: Node, path: Iterable[str]) -> Node | None:
    node: Node | None = root
    for key in path:
        node = _child(node, key)
    return node


# ---------------------------------------------------------------- command line and class


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


def override_layers(overrides: Mapping[str, Any], *, rank: int = 500, origin: str = "--set") -> list[ConfigLayer]:
    """What the command line or a caller asked for."""
    layer = ConfigLayer(name=COMMAND_LINE, rank=rank, origin=origin, values=nested(overrides))
    return _with_old_sections(layer)


def class_layers(task: BaseTask) -> list[ConfigLayer]:
    """What the task's class states. A class that states None for what cannot be None states nothing."""
    stated = plain(task.stated_configuration())
    values = {key: value for key, value in stated.items() if value is not None or key not in kinds()}
    layer = ConfigLayer(name=TASK_CLASS, rank=200, origin=task.origin or TASK_CLASS, values=values)
    return _with_old_sections(layer)


# ---------------------------------------------------------------- all of them


def collect(project: Project, task: BaseTask | None, overrides: Mapping[str, Any]) -> list[ConfigLayer]:
    """All layers but the environment, which `provide` adds when it knows whether `env_override` is on.

    Raises:
        ConfigurationError: Files that cannot be read, or say things twice; all problems of a file together.
    """
    sources = read_sources(project, task)
    layers: list[ConfigLayer] = []
    if overrides:
        layers += override_layers(overrides)
    if sources.task is not None:
        layers += task_layers(sources.task)
    if sources.project is not None:
        layers += project_layers(sources.project, sources.task_id)
    if task is not None:
        layers += class_layers(task)
    documents = [document for document in (sources.task, sources.project) if document is not None]
    if any(document.problems for document in documents):
        from pamola_tasks_config.checking import check_layers
        from pamola_tasks_config.documents import in_words

        problems = check_layers(layers, {}, sources.task_id, strict=False, sections=False)
        raise ValidationError(problems=in_words(p for d in documents for p in (*d.problems, *problems)))
    return layers
