"""Tables by name, read whole each time, in the formats that plugins bring."""

import hashlib
from pathlib import PurePath

import pandas as pd

from pamola_tasks.errors import DataError
from pamola_tasks.record import DatasetRecord


class Source:
    def __init__(self, run):
        self.run, self.files, self.frames = run, {}, {}
        for name, path in {**run.config.auxiliary_datasets, **run.config.input_datasets}.items():
            self.add_file_path(name, path)

    def has_dataset(self, name):
        return name in self.frames or (name in self.files and self.run.files.exists(self.files[name][0]))

    def names(self):
        return [*self.files, *self.frames]

    def add_file_path(self, name, path, **options):
        self.files[name] = (str(path), options)

    def add_dataframe(self, name, frame):
        self.frames[name] = frame.copy()

    def frame(self, name, columns=None):
        if name in self.frames:
            return self.frames[name][list(columns) if columns is not None else self.frames[name].columns].copy()
        path, options = self.file(name)
        format = options.get("format") or PurePath(path).suffix[1:]
        with self.open_raw(name) as file:
            try:
                return self.run.kernel.dataset_formats()[format].read(file, columns, {})
            except (KeyError, ValueError) as error:  # a column that is not there, a damaged file
                raise DataError(f"{path} cannot be read: {type(error).__name__}") from error

    def file(self, name):
        if not self.has_dataset(name):
            raise DataError(f"there is no dataset {name!r}")
        return self.files[name]

    def chunks(self, name, size, columns=None):
        frame = self.frame(name, columns)
        for start in range(0, max(len(frame), 1), size):
            yield frame.iloc[start : start + size].reset_index(drop=True)

    def columns(self, name):
        return list(self.schema(name))

    def schema(self, name):
        return {column: str(dtype) for column, dtype in self.frame(name).dtypes.items()}

    def open_raw(self, name):
        path, options = self.file(name)
        return self.run.files.open(path, options.get("role") or "data")

    def describe(self, name):
        if name in self.frames:
            frame = self.frames[name]
            digest = hashlib.sha256(pd.util.hash_pandas_object(frame).to_numpy().tobytes()).hexdigest()
            return DatasetRecord(name=name, kind="input", sha256=digest, rows=len(frame), columns=tuple(frame.columns))
        path, options = self.file(name)
        files = self.run.files
        known = files.encryption_of(path)
        return DatasetRecord(
            name=name,
            kind="input",
            path=files.name(path),
            format=options.get("format") or PurePath(path).suffix[1:],
            sha256=files.sha256(path),
            bytes=files.stat(path).size,
            encrypted=known.encrypted,
            key_id=known.key_id,
        )

    def release(self, name):
        self.frames.pop(name, None)


class Writer:
    def __init__(self, run):
        self.run = run

    def write_dataset(self, frame, path, *, name, format, role="data", step="", kind="output"):
        frame = frame if isinstance(frame, pd.DataFrame) else pd.concat(list(frame), ignore_index=True)
        path = f"{path}{name}.{format}" if path.endswith("/") else path
        with self.run.files.create(path, role) as file:
            rows = self.run.kernel.dataset_formats()[format].write([frame], file, {})
        return DatasetRecord(
            name=name,
            kind=kind,
            path=self.run.files.name(path),
            format=format,
            sha256=file.sha256,
            bytes=file.size,
            rows=rows,
            columns=tuple(map(str, frame.columns)),
            encrypted=file.encrypted,
            key_id=self.run.files.encryption_of(path).key_id,
            step=step,
        )
