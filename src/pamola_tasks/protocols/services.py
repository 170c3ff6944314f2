"""What plugins add by name: kinds of service, with the order in which they come up, and contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pamola_tasks.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Service(NamedTuple):
    """A kind of service, of the kernel or of a plugin (`pamola_add_services`).

    One plugin answers it with `pamola_provide_<name>(run)`; its answer is `run.<name>`. A service of a plugin that has
    a method `close()` is closed when the run ends, the newest first. Without a provider `run.<name>` is None, unless
    the service is essential.
    """

    #: what a provider must offer: a class, or its name as `"module:Class"`, for people and type checkers
    protocol: type | str = object
    #: services that must be up before it; it comes up right after the last of them, or last of all if it names none
    after: str | Iterable[str] = ()
    essential: bool = False  #: refuse to run while no plugin provides it
    default: str = ""  #: the distribution that answers unless another plugin is chosen
    guarded: bool = False  #: installing another provider, or a wrapper, does not choose it: the user has to ask for it


class Contribution(NamedTuple):
    """Something that a plugin adds under a name. Anything else that is given is one that replaces nothing."""

    target: Any  #: the object, or `"module:object"`, imported when it is first used
    replaces: str = ""  #: the name of a contribution of another plugin that this one takes the place of


# Name, protocol, whether runs need it, the distribution that answers unless another plugin is chosen, whether that
# takes more than installing one (protection and proof hang on it): the only place in which the kernel names components.
# Services come up in this order, each sees only those before it.
SERVICE_TABLE = (
    ("redactor", "Redactor", True, "pamola-tasks-redaction", True),
    ("project", "Project", False, "pamola-tasks-config", False),
    ("path_guard", "PathGuard", False, "pamola-tasks-paths", True),
    ("config", "Config", True, "pamola-tasks-config", False),
    ("places", "Places", True, "pamola-tasks-directories", False),
    ("directories", "Directories", True, "pamola-tasks-directories", False),
    ("logging", "Logging", False, "pamola-tasks-logs", False),
    ("history", "History", False, "pamola-tasks-history", True),
    ("lock", "Lock", True, "pamola-tasks-directories", True),
    ("encryption", "Encryption", False, "pamola-tasks-encryption", True),
    ("data_source", "DataSource", True, "pamola-tasks-data", False),
    ("data_writer", "DataWriter", True, "pamola-tasks-data", False),
    ("checkpoints", "Checkpoints", False, "pamola-tasks-checkpoints", True),
    ("dependencies", "Dependencies", False, "pamola-tasks-dependencies", False),
    ("progress", "Progress", False, "pamola-tasks-progress", False),
    ("reporter", "Reporter", False, "pamola-tasks-reports", False),
    ("executor", "Executor", True, "pamola-tasks-executor", False),
    ("scheduler", "Scheduler", False, "pamola-tasks-orchestration", False),
)

KERNEL_SERVICES = {
    name: Service(f"pamola_tasks.protocols:{protocol}", essential=essential, default=default, guarded=guarded)
    for name, protocol, essential, default, guarded in SERVICE_TABLE
}
OUTSIDE_RUNS = {"scheduler": KERNEL_SERVICES.pop("scheduler")}  # of a kernel: these come up in no run
SERVICES = tuple(KERNEL_SERVICES)

# Attributes of `run` that are not services, whose names no service can have.
RUN_NAMES = frozenset(
    "id task kernel record logger options dry layers plan results perform files redact warn provide services".split()
)


def in_order(services: Mapping[str, Service]) -> list[str]:
    """Names of services in the order in which they come up: each right after the last one that it needs.

    Raises:
        PluginError: One needs a service that is not there, or two need each other; `details` has those to blame.
    """
    order = list(KERNEL_SERVICES)
    rest = {
        name: {service.after} if isinstance(service.after, str) else set(service.after)
        for name, service in services.items()
        if name not in KERNEL_SERVICES and name not in OUTSIDE_RUNS
    }
    for name, needs in rest.items():
        for needed in needs - services.keys():
            raise PluginError(f"service {name!r} comes after {needed!r}, which is not a service", services=[name])
    while rest:
        ready = [name for name, needs in rest.items() if not rest.keys() & needs]
        if not ready:
            raise PluginError(f"services {', '.join(sorted(rest))} wait for each other", services=list(rest))
        for name in ready:
            places = [order.index(needed) for needed in rest.pop(name)]
            order.insert(max(places) + 1 if places else len(order), name)
    return order
