"""Steps one after the other; what they leave is remembered in one file; what other tasks left is in their folder."""

import pickle
import traceback

import attrs

from pamola_tasks import OperationResult
from pamola_tasks.errors import DependencyFailedError, DependencyMissingError
from pamola_tasks.record import SavedOutput, SavedStep, now, rfc3339
from pamola_tasks.storage.staging import NoCheckpoints, StepStaging, offer


class Executor:
    def run_plan(self, plan, driver):
        for step in plan:
            if driver.stopped:
                return
            if driver.prepare(step):
                try:
                    result = driver.attempt(step)
                except Exception as error:
                    result = OperationResult.failure(error, traceback.format_exc())
                driver.complete(step, result)


class Checkpoints(NoCheckpoints):
    """Staging as ever; a step is skipped while parameters and inputs are what they were."""

    enabled = True

    def __init__(self, run):
        super().__init__(run)
        self.run, self.claims = run, {}
        self.path = f"{run.places.of(run.record.task_id).state}/steps.toy"

    def fingerprint(self, step):
        read = {f"input {name}": self.run.data_source.describe(name).sha256 for name in step.reads}
        return {"parameters": repr(step.operation.parameters()), **read}

    def stands(self, step):
        saved = self.load().get(step.id)
        if saved is None:
            return ""
        if saved.fingerprint != self.fingerprint(step):
            return "it was another step"
        for output in saved.outputs:
            if not self.run.files.exists(output.path) or self.run.files.sha256(output.path) != output.sha256:
                return f"{output.path} changed"
        for output in saved.outputs:
            if output.kind != "artifact":
                offer(self.run, output)
        return saved

    def stage(self, step):
        return StepStaging(self.run, step, keeps=True, claims=self.claims)

    def publish(self, step, staged, record):
        fingerprint = self.fingerprint(step)
        datasets, artifacts = staged.publish() if staged is not None else ([], [])
        names = [field.name for field in attrs.fields(SavedOutput) if field.name != "artifact"]
        outputs = [SavedOutput(**{name: getattr(dataset, name) for name in names}) for dataset in datasets]
        for made in artifacts:
            known = {"name": made.name, "path": made.path, "sha256": made.sha256, "bytes": made.bytes}
            outputs.append(SavedOutput(kind="artifact", **known, artifact=attrs.asdict(made)))
        saved = SavedStep(
            step_id=step.id,
            run_id=self.run.id,
            time=rfc3339(now()),
            fingerprint=fingerprint,
            outputs=tuple(outputs),
            metrics=record.metrics,
            warnings=tuple(record.warnings),
            run_seed=self.run.record.seed,
        )
        self.run.files.write(self.path, pickle.dumps({**self.load(), step.id: saved}), "state")
        return datasets, artifacts

    def seed(self):
        return next((saved.run_seed for saved in self.load().values()), None)

    def load(self):
        files = self.run.files
        return pickle.loads(files.read(self.path, "state")) if files.exists(self.path) else {}

    def clear(self):
        self.run.files.unlink(self.path, missing_ok=True)


class Dependencies:
    def __init__(self, run):
        self.run = run

    def assert_dependencies_completed(self):
        problems = [problem for task_id in self.run.config.dependencies if (problem := self.problem(task_id))]
        for problem in problems:
            if not self.run.config.continue_on_error:
                raise problem
            self.run.warn(str(problem))
        return not problems

    def problem(self, task_id):
        found = self.run.history.find_latest_execution(task_id, success_only=False)
        if found is None:
            return DependencyMissingError(f"task {task_id} was never run")
        return None if found["success"] else DependencyFailedError(f"task {task_id} did not succeed")

    def get_dependency_output(self, dependency_id, file_pattern=None):
        folder = self.run.files.root / self.run.places.of(dependency_id).directories["output"]
        return folder if file_pattern is None else sorted(folder.glob(file_pattern))
