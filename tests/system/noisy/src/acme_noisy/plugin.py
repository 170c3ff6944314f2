"""An observer that raises at every step."""

from pamola_tasks import hookimpl


@hookimpl
def pamola_on_step_finished(step):
    raise RuntimeError(f"cannot stand {step.id}")
