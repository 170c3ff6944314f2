"""What is known of a plugin, and where plugins are: in installed distributions, modules by name, and files."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import zlib
from functools import partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from pamola_tasks.errors import PluginError
from pamola_tasks.storage.trust import believe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

GROUP = "pamola_tasks"
KERNEL = "pamola-tasks"  # what the kernel's own implementations are registered as


class PluginRecord:
    """What is known of one plugin.

    Args:
        name: Its entry-point name, or the name of the module or class that was registered.
        target: Where it is: `module`, `module:object` or the path of a Python file; empty for a plain object.
        distribution: The distribution that brought it, normalized; empty for those registered directly.
        version: The version of the distribution.
        given: Whether the user gave it, rather than having it installed; as it seems from `distribution` unless said.
    """

    status = "loaded"  #: or `failed`, `blocked`, `incompatible`
    wrong: str | BaseException = ""  #: why, unless it is loaded: a text of ours, or what was raised
    object: Any = None  #: what is registered with pluggy
    hooks: Sequence[str] = ()  #: names of the hooks that it implements
    redact: Callable[[str], str] = staticmethod(lambda text: "")  #: what `reason` is shown through

    def __init__(
        self, name: str, target: str = "", distribution: str = "", version: str = "", given: bool | None = None
    ) -> None:
        self.name, self.target, self.distribution, self.version = name, target, distribution, version
        self.given = not distribution if given is None else given
        self.exclude = name or distribution  #: what `--no-plugin` leaves out it alone by
        #: whether the name belongs to it: the plugins that come with the kernel are named after their distributions
        self.built_in = distribution in (f"{KERNEL}-{name}", f"pamola-{name}")
        #: gives the plugin: what `target` names, unless something else is put here
        self.get: Callable[[], Any] = lambda: module_from(Path(target)) if target.endswith(".py") else resolve(target)

    @property
    def file(self) -> str:
        """The Python file that it is, and empty for all others."""
        return self.target if self.target.endswith(".py") else ""

    @property
    def sha256(self) -> str:
        """The hash of the file as it was loaded, and empty for all others."""
        return str(getattr(self.object, "__sha256__", "")) if self.file else ""

    @property
    def names(self) -> set[str]:
        """What settings may call it: its name and its distribution, normalized."""
        return {normalized(name) for name in (self.name, self.distribution) if name}

    def matches(self, name: str) -> bool:
        """Whether it or its distribution has this name, in which `*` is any text."""
        from fnmatch import fnmatchcase

        return any(fnmatchcase(own, normalized(name)) for own in self.names)

    @property
    def label(self) -> str:
        """The plugin for messages: `name (distribution version)`."""
        return f"{self.name} ({self.distribution} {self.version})" if self.distribution else self.name

    @property
    def reason(self) -> str:
        """Why it is not loaded, without secrets; empty where it is."""
        return self.wrong if isinstance(self.wrong, str) else reason(self.wrong, self.redact)

    def __repr__(self) -> str:
        return f"PluginRecord({self.label}, {self.status})"


def normalized(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def reason(error: BaseException, redact: Callable[[str], str], message_of: Callable[[BaseException], str] = str) -> str:
    """An error in one line: its class, and what may be said of a foreign error, `message_of`, without secrets."""
    if isinstance(error, PluginError):
        return str(error)
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    text = redact(message_of(error) if str(error) else "").strip().splitlines()
    if isinstance(error, pluggy.PluginValidationError) and len(text) > 1:
        return f"{text[0]}: {text[-1]}"  # which hook, and what is wrong with it; between them its definition
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def installed() -> list[PluginRecord]:
    """All entry points of the group `pamola_tasks`, by distribution and name.

    Read from `entry_points.txt` directly: `importlib.metadata` would take three times the time at every start of the
    command line. It reads what is not a folder on `sys.path` (a zip file).
    """
    found: list[PluginRecord] = []
    for distribution, version, read in _distributions():
        try:
            text = read("entry_points.txt") or ""
        except (OSError, UnicodeDecodeError):
            continue
        if f"[{GROUP}]" in text:
            found += [PluginRecord(point, target, distribution, version) for point, target in _entry_points(text)]
    return sorted(found, key=lambda record: (record.distribution, record.name))


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of distributions, of those that are installed, without importing them."""
    wanted = {normalized(name): name for name in names}
    return {wanted[name]: version for name, version, _ in _distributions() if name in wanted}


def leftovers() -> list[str]:
    """What of distributions on `sys.path` is passed over, because pip has left it half there or there twice."""
    found: list[str] = []
    for _ in _distributions(found):
        pass
    return found


def _distributions(left: list[str] | None = None) -> Iterator[tuple[str, str, Callable[[str], str | None]]]:
    """Name, version and a reader of the files of each distribution on `sys.path`, the first of each name.

    What is passed over is added to `left`.
    """
    left = [] if left is None else left
    seen: dict[str, str] = {}
    for entry in dict.fromkeys(sys.path):
        for name, version, read in _in_archive(entry) if os.path.isfile(entry) else _in_folder(entry or ".", left):
            if (name := normalized(name)) not in seen:
                seen[name] = entry
                yield name, version, read
            elif seen[name] == entry:
                left.append(f"{name} {version} in {entry}, a second version")


def _in_folder(folder: str, left: list[str]) -> Iterator[tuple[str, str, Callable[[str], str | None]]]:
    def read(info: str, name: str) -> str:
        with open(f"{folder}/{info}/{name}", "rb", buffering=0) as file:
            return file.read().decode()

    with contextlib.suppress(OSError):
        for info in os.listdir(folder):
            if not info.endswith((".dist-info", ".egg-info")) and not (info == "EGG-INFO" and folder.endswith(".egg")):
                continue
            path = f"{folder}/{info}"
            metadata = "METADATA" if info.endswith(".dist-info") else "PKG-INFO"
            name, dash, version = info.rpartition(".")[0].partition("-")
            try:
                whole = info[0].isalnum() and bool(os.stat(f"{path}/{metadata}"))
            except OSError:
                whole = os.path.isfile(path)
            if not whole:
                left.append(path)
                continue
            if not dash or "-" in version:  # a folder's name that does not tell where the version begins
                with contextlib.suppress(OSError, UnicodeDecodeError):
                    head = read(info, metadata).partition("\n\n")[0]
                    said = dict(re.findall(r"^(Name|Version):\s*(.*?)\s*$", head, re.MULTILINE))
                    name, version = said.get("Name", name), said.get("Version", version)
            yield name, version.partition("-")[0], partial(read, info)


def _in_archive(archive: str) -> Iterator[tuple[str, str, Callable[[str], str | None]]]:
    from importlib import metadata

    for found in metadata.distributions(path=[archive]):
        if "Name" in found.metadata:  # the backport that others may import has no None for what is not there
            yield found.name, found.version, found.read_text


def _entry_points(text: str) -> Iterator[tuple[str, str]]:
    """Names and targets in the group's section of an `entry_points.txt`."""
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield name.strip(), target.partition("[")[0].strip()


def record_for(plugin: Any) -> PluginRecord:
    """The record of a module, a class or an instance; a module that is installed goes by its entry point's name."""
    name = getattr(plugin, "__name__", type(plugin).__name__)
    with contextlib.suppress(Exception):  # one that raises is met again, and recorded, when the plugin is loaded
        name = getattr(plugin, "PAMOLA_PLUGIN_NAME", None) or name
    record = PluginRecord(str(name))
    if isinstance(plugin, ModuleType):
        record = next((found for found in installed() if found.target == plugin.__name__), record)
    record.get, record.given = lambda: plugin, True
    return record


def resolve(target: str) -> Any:
    """The object that `"module"` or `"module:object.attribute"` names, imported."""
    module, _, path = target.partition(":")
    found: Any = import_module(module)
    for attribute in filter(None, path.split(".")):
        found = getattr(found, attribute)
    return found


def module_from(path: Path) -> Any:
    """A Python file as a module of its own; it is named after the file and can be imported from then on.

    It is what the file holds now: Python judges bytecode by the size of the file and the second of its last change,
    which an edit may leave as they were. `PluginError` where there is no such file, or it is not a Python file;
    `UntrustedError` where others could have written it.
    """
    import hashlib

    path = path.resolve()
    if path.suffix != ".py" or not path.is_file():
        raise PluginError(f"there is no Python file {path}")
    with path.open("rb") as file:
        believe(path, found=os.fstat(file.fileno()))
        source = file.read()
    # The same name in every process, so that what is defined there can be named to another one.
    name = f"pamola_file_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}_{zlib.crc32(os.fsencode(path)):08x}"
    module = module_from_spec(spec_from_file_location(name, path))  # type: ignore[arg-type]  # there is a loader
    vars(module)["__sha256__"] = hashlib.sha256(source).hexdigest()
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module
