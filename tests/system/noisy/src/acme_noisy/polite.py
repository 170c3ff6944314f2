"""An observer that writes down what it sees."""

from pamola_tasks import hookimpl


@hookimpl
def pamola_on_step_finished(run, step, result):
    seen = run.project.root / "seen.txt"
    with seen.open("a", encoding="utf-8") as file:
        file.write(f"{step.id} {result.status.value}\n")
