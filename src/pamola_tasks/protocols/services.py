"""What plugins add by name: kinds of service, with the order in which they come up, and contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Service:
    """A kind of service, of the kernel or of a plugin (`pamola_add_services`).

    One plugin answers it with `pamola_provide_<name>(run)`; its answer is `run.<name>`. A service of a plugin that has
    a method `close()` is closed when the run ends, the newest first. Without a provider `run.<name>` is None, unless
    the service is essential.

    Args:
        protocol: What a provider must offer: a class, or its name as `"module:Class"`, for people and type checkers.
        after: Services that must be up before it; it comes up right after the last of them. Without any it comes up
            last, when all others are there.
        essential: Refuse to run while no plugin provides it.
        default: The distribution that answers unless another plugin is chosen.
    """

    __slots__ = ("after", "default", "essential", "protocol")

    def __init__(
        self, protocol: type | str = object, *, after: Iterable[str] = (), essential: bool = False, default: str = ""
    ) -> None:
        self.protocol = protocol
        self.after = (after,) if isinstance(after, str) else tuple(after)
        self.essential = essential
        self.default = default

    def __repr__(self) -> str:
        return f"Service({self.protocol!r}, after={self.after!r}, essential={self.essential}, default={self.default!r})"


# Name, protocol, whether runs need it, the distribution that answers unless another plugin is chosen: the only place
# in which the kernel names components. Services come up in this order, each sees only those before it.
SERVICE_TABLE = (
    ("redactor", "Redactor", True, "pamola-tasks-redaction"),
    ("project", "Project", False, "pamola-tasks-config"),
    ("path_guard", "PathGuard", False, "pamola-tasks-paths"),
    ("config", "Config", True, "pamola-tasks-config"),
    ("places", "Places", True, "pamola-tasks-directories"),
    ("directories", "Directories", True, "pamola-tasks-directories"),
    ("logging", "Logging", False, "pamola-tasks-logs"),
    ("history", "History", False, "pamola-tasks-history"),
    ("lock", "Lock", True, "pamola-tasks-directories"),
    ("encryption", "Encryption", False, "pamola-tasks-encryption"),
    ("data_source", "DataSource", True, "pamola-tasks-data"),
    ("data_writer", "DataWriter", True, "pamola-tasks-data"),
    ("checkpoints", "Checkpoints", False, "pamola-tasks-checkpoints"),
    ("dependencies", "Dependencies", False, "pamola-tasks-dependencies"),
    ("progress", "Progress", False, "pamola-tasks-progress"),
    ("reporter", "Reporter", False, "pamola-tasks-reports"),
    ("executor", "Executor", True, "pamola-tasks-executor"),
    ("scheduler", "Scheduler", False, "pamola-tasks-orchestration"),
)


def _services() -> dict[str, Service]:
    found: dict[str, Service] = {}
    for name, protocol, essential, default in SERVICE_TABLE:
        before = tuple(found)[-1:] if name not in _OUTSIDE_RUNS else ()
        found[name] = Service(f"pamola_tasks.protocols:{protocol}", after=before, essential=essential, default=default)
    return found


_OUTSIDE_RUNS = ("scheduler",)
KERNEL_SERVICES: Mapping[str, Service] = {n: s for n, s in _services().items() if n not in _OUTSIDE_RUNS}
SERVICES = tuple(KERNEL_SERVICES)
# Those of a kernel, which come up in no run.
OUTSIDE_RUNS: Mapping[str, Service] = {n: s for n, s in _services().items() if n in _OUTSIDE_RUNS}

# Attributes of `run` that are not services, whose names no service can have.
RUN_NAMES = frozenset(
    "id task kernel record logger options dry layers plan results perform files redact warn provide services".split()
)


class ServiceOrderError(ValueError):
    """Services cannot come up in any order; `names` are those of plugins that are to blame."""

    def __init__(self, message: str, names: list[str]) -> None:
        super().__init__(message)
        self.names = names


def in_order(services: Mapping[str, Service]) -> list[str]:
    """Names of services in the order in which they come up: each right after the last one that it needs.

    Raises:
        ServiceOrderError: One needs a service that is not there, or two need each other.
    """
    order = [name for name in services if name in KERNEL_SERVICES]
    rest = {name: service for name, service in services.items() if name not in {*KERNEL_SERVICES, *OUTSIDE_RUNS}}
    for name, service in rest.items():
        for needed in service.after:
            if needed not in services:
                raise ServiceOrderError(f"service {name!r} comes after {needed!r}, which is not a service", [name])
    while rest:
        ready = [name for name, service in rest.items() if not rest.keys() & set(service.after)]
        if not ready:
            raise ServiceOrderError(f"services {', '.join(sorted(rest))} wait for each other", list(rest))
        for name in ready:
            places = [order.index(needed) for needed in rest.pop(name).after]
            order.insert(max(places) + 1 if places else len(order), name)
    return order


class Contribution:
    """Something that a plugin adds under a name, and what it replaces.

    A plain object or `"module:object"` is the same as a `Contribution` that replaces nothing.

    Args:
        target: The object, or `"module:object"`, imported when it is first used.
        replaces: The name of a contribution of another plugin that this one takes the place of.
    """

    __slots__ = ("replaces", "target")

    def __init__(self, target: Any, *, replaces: str = "") -> None:
        self.target = target
        self.replaces = replaces

    def __repr__(self) -> str:
        return f"Contribution({self.target!r}, replaces={self.replaces!r})"
