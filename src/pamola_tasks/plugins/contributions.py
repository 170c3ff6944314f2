"""What plugins contribute by name, collected: one owner a name, imported when it is first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError, PluginError
from pamola_tasks.plugins.discovery import resolve
from pamola_tasks.protocols.services import Contribution

if TYPE_CHECKING:
    from pamola_tasks.plugins.calling import HookCalls
    from pamola_tasks.plugins.discovery import PluginRecord


class _Found(Mapping[str, Any]):
    """What plugins gave by name, with who gave it: its names are known before anything is imported."""

    _found: dict[str, tuple[PluginRecord, Any]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, name: object) -> bool:
        return name in self._found


class Contributions(_Found):
    """The contributions to one hook, by name. A value that is given as `"module:object"` is imported when asked for.

    Args:
        plugins: Whose answers are collected, once.
        hook: The hook, whose answers are mappings.
        what: What is contributed, in words with an article: `a task`, `the dataset format`.
        **arguments: Those of the hook.

    Raises:
        PluginError: Two plugins bring the same name and neither replaces the other's, or a name is replaced that
            no plugin brings.
    """

    def __init__(self, plugins: HookCalls, hook: str, what: str, **arguments: Any) -> None:
        self._what = what
        self._found = {}
        given: list[tuple[PluginRecord, str, Contribution]] = []
        for record, answer in plugins.each(hook, **arguments):
            if not isinstance(answer, Mapping):
                raise PluginError(f"plugin {record.label}: {hook} returns a mapping, not a {type(answer).__name__}")
            for name, made in answer.items():
                given.append((record, name, made if isinstance(made, Contribution) else Contribution(made)))
        replaced: dict[str, PluginRecord] = {}
        for record, name, made in sorted(given, key=lambda each: bool(each[2].replaces)):  # after what they replace
            if made.replaces:
                if before := replaced.get(made.replaces):
                    raise PluginError(f"{before.label} and {record.label} both replace {what} {made.replaces!r}")
                if self._found.pop(made.replaces, None) is None:
                    raise PluginError(f"{record.label} replaces {what} {made.replaces!r}, which no plugin brings")
                replaced[made.replaces] = record
            if name in self._found:
                both = f"{self.owner(name).label} and {record.label} both bring {what} {name!r}"
                raise PluginError(f"{both}: exclude one of them with --no-plugin")
            self._found[name] = record, made.target

    def __getitem__(self, name: str) -> Any:
        return imported(*self._found[name], f"{self._what.partition(' ')[2]} {name!r}")

    def owner(self, name: str) -> PluginRecord:
        """The plugin that brings a name."""
        return self._found[name][0]

    def target(self, name: str) -> Any:
        """What was contributed, not imported."""
        return self._found[name][1]


class Sections(_Found):
    """By plugin, the attrs class of its section of the configuration; `"module:Class"` is imported when asked for.

    Args:
        plugins: Whose answers to `pamola_add_settings` are collected, once.

    Raises:
        PluginError: What a plugin gave is not an attrs class.
    """

    def __init__(self, plugins: HookCalls) -> None:
        answers = [(record, answer) for record, answer in plugins.each("pamola_add_settings") if answer is not None]
        self._found = {record.name: (record, answer) for record, answer in answers}
        for name in self.known():
            self[name]

    def __getitem__(self, name: str) -> type:
        record, answer = self._found[name]
        cls: type = imported(record, answer)
        if not hasattr(cls, "__attrs_attrs__"):
            raise PluginError(f"plugin {record.label}: its settings {cls!r} are not an attrs class")
        self._found[name] = record, cls
        return cls

    def known(self) -> list[str]:
        """The plugins whose class is imported by now."""
        return [name for name, (_, answer) in self._found.items() if not isinstance(answer, str)]


def imported(record: PluginRecord, target: Any, what: str = "") -> Any:
    """What a plugin gave, imported where it is `"module:object"`; `PluginError` where it cannot be."""
    if not isinstance(target, str):
        return target
    try:
        return resolve(target)
    except PamolaTaskError:
        raise
    except Exception as error:
        of_what = f"{what} of {record.label} cannot be imported from {target}"
        problem = of_what if what else f"plugin {record.label}: {target} cannot be imported"
        raise PluginError(f"{problem}: {type(error).__name__}: {error}") from error
