"""`use_dask`: the key of the configuration that chooses the executor of another plugin, as `--executor dask` does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from pamola_tasks.protocols import Executor, RunServices

_KEY, _DASK = "use_dask", "dask"
_KIND = ("executor", "kind")


def asks_for_dask(run: RunServices) -> bool:
    """Whether `use_dask` is what decides: nothing else was asked for by name."""
    return bool(getattr(run.config, _KEY, False)) and "executor" not in run.kernel.plugins.prefer


def dask_executor(run: RunServices) -> Executor:
    """What the plugin `dask` provides."""
    manager = run.kernel.plugins.manager
    chosen = manager.get_plugin(_DASK)
    others = [plugin for plugin in manager.get_plugins() if plugin is not chosen]
    made: Executor | None = None
    if chosen is not None:
        made = manager.subset_hook_caller("pamola_provide_executor", remove_plugins=others)(run=run)
    if made is None:
        run.kernel.plugins.refuse_if_broken()  # it may be one of those
        said = "is true, and the executor dask is not installed: install pamola-tasks-dask, or set it to false"
        raise ConfigurationError(run.config.problem_at((_KEY,), said))
    return made


def contradictions(run: RunServices) -> Iterator[str]:
    """Where `use_dask` is true, and steps run elsewhere all the same."""
    if not getattr(run.config, _KEY, False):
        return
    chosen: Any = run.kernel.plugins.provider("executor")
    said = run.config.origins().get(".".join(_KIND))
    if asks_for_dask(run) and said is not None and said.layer != "default":
        other = f"is {said.value}, and use_dask is true: leave one of them out, or add --set use_dask=false"
        yield run.config.problem_at(_KIND, other)
    ours = chosen.distribution == run.kernel.plugins.services["executor"].default
    if _DASK not in chosen.names and not (ours and asks_for_dask(run)):
        yield run.config.problem_at(
            (_KEY,),
            f"is true, and {chosen.label} was chosen to run the steps (by --executor, by prefer.executor in"
            " .pamola.toml, or because it is installed): leave that out, or add --set use_dask=false",
        )
