"""Layers one over the other: the first value of a key counts."""

import copy
import json

from pamola_tasks.protocols import Origin, RawValue, RetrySettings

DEFAULTS = {
    "task_type": "", "description": "", "version": "1.0.0", "dependencies": [], "input_datasets": {},
    "auxiliary_datasets": {}, "data_types": {}, "operations": [], "outputs": [], "output_format": "csv",
    "continue_on_error": False, "use_encryption": False, "encryption_mode": "none", "encryption_key_path": None,
    "use_vectorization": False, "parallel_processes": 1, "use_dask": False, "npartitions": 4, "chunk_size": 100_000,
    "memory_limit_mb": 1000, "seed": None, "log_level": "INFO", "timeout": None, "allow_external": False,
    "allowed_external_paths": [], "data_repository": "", "enable_checkpoints": True, "clean_temp_on_exit": True,
    "check_free_space": True, "default_encoding": "utf-8", "default_delimiter": ",", "default_quotechar": '"',
}  # fmt: skip


class Config:
    def __init__(self, task, layers, settings):
        self._settings = settings
        self._origins = {}
        ranked = [("toy", "defaults", {"task_id": getattr(task, "task_id", "") or "", **copy.deepcopy(DEFAULTS)})]
        ranked = [(layer.name, layer.origin, layer.values) for layer in layers] + ranked
        for name, place, values in reversed(ranked):
            for key, value in values.items():
                under = self._origins.get(key)
                lower = (under, *under.overridden) if under else ()
                self._origins[key] = Origin(value=plain(value), layer=name, place=place, overridden=lower)
        if self.use_encryption and self.encryption_mode == "none":
            self._origins["encryption_mode"] = Origin(value="simple", layer="toy", place="defaults")

    def __getattr__(self, name):
        if name.startswith("_") or name not in self._origins:
            raise AttributeError(f"the configuration has no {name!r}")
        return self._origins[name].value

    @property
    def retry(self):
        return RetrySettings(max_retries=0)

    def get(self, key, default=None):
        value = self.to_dict()
        for part in key.split("."):
            value = value.get(part, default) if hasattr(value, "get") else default
        return value

    def plugin(self, name):
        return self._settings[name](**self.get(name, {}))

    def problem_at(self, path, message, *, at_key=False):
        return f"{'.'.join(map(str, path))}: {message}"

    def origins(self):
        return self._origins

    def to_dict(self):
        return {key: origin.value for key, origin in self._origins.items()}


def plain(value):
    if not isinstance(value, RawValue):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return str(value)
