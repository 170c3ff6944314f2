"""Names of a package, imported when they are first used (PEP 562)."""

import sys

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost every start of the command line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazily(
    package: str, homes: "Mapping[str, str]"
) -> "tuple[Callable[[str], object], Callable[[], list[str]], list[str]]":
    """`__getattr__`, `__dir__` and `__all__` of a package whose names are imported when they are used.

    Args:
        package: Its `__name__`.
        homes: For each module, as it is seen from the package, the names that it defines, separated by blanks.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def get(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module  # not before: importing a package is to import nothing else

        value: object = getattr(import_module(f".{home[name]}", package), name)
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return get, listed, sorted(home)
