"""Another layout in `directories` alone: what it says is not what `places` says."""

from pamola_tasks import hookimpl


class Layout:
    def __init__(self, run):
        self.files = run.files
        root = run.files.root / "DATA"
        home = root / "tasks" / run.record.task_id
        kinds = ("input", "output", "dictionaries", "temp", "logs")
        self.directories = {"task": home, "state": home / "kept", **{kind: home / kind for kind in kinds}}
        self.directories |= {kind: root / kind for kind in ("raw", "processed", "reports", "configs", "project_logs")}

    def ensure_directories(self):
        for path in self.directories.values():
            self.files.mkdirs(path)
        return dict(self.directories)

    def get_directory(self, dir_type):
        return self.directories[dir_type]

    def get_artifact_path(self, artifact_name, artifact_type="json", subdir="output", include_timestamp=True):
        return self.directories[subdir] / f"{artifact_name}.{artifact_type}"

    def clean_temp_directory(self):
        return True


@hookimpl
def pamola_provide_directories(run):
    return Layout(run)
