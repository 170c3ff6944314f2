"""What a data source knows of its datasets without reading more of them: hashes, how they are read, their records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from pamola_tasks.record import DatasetRecord
from pamola_tasks_data.dataset import explained
from pamola_tasks_data.formats import UNUSED, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import RunServices
    from pamola_tasks_data.dataset import Dataset
    from pamola_tasks_data.reading import DataReader


class DescribesDatasets:
    """The part of a data source that describes datasets."""

    run: RunServices | None
    _datasets: Mapping[str, Dataset]
    _dataset: Callable[[str], Dataset]
    _new: Callable[[str], Dataset]
    _reader: DataReader

    def fingerprint(self, name: str) -> str:
        """The hash of what the dataset is, made once: sha256 (hex) of the bytes on disk, or of a frame's content."""
        dataset = self._dataset(name)
        if dataset.fingerprint:
            return dataset.fingerprint
        if dataset.files:
            with explained(dataset.what):
                hashes = [file.hash_for(name, self.run) for file in dataset.files]
            joined = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
            dataset.fingerprint = hashes[0] if len(hashes) == 1 else joined
        else:
            from pamola_tasks_data.arrow import frame_hash

            with dataset.lock:
                assert dataset.frame is not None
                dataset.fingerprint = frame_hash(dataset.frame)
        return dataset.fingerprint

    def reading(self, name: str) -> dict[str, str]:
        """All that decides how a dataset is read, as text: the options of its format, and the stated types."""
        dataset = self._datasets.get(name) or self._new(name)
        told = {f"type of column {column!r}": str(kind) for column, kind in sorted(dataset.kinds.items())}
        if dataset.format != "memory":
            options = self._reader.options(dataset.stated)
            unused = UNUSED.get(dataset.format, ("for_spreadsheets",))
            told |= {key: shown(options[key]) for key in sorted(options) if key not in unused}
        return {"format": shown(dataset.format)} | {key: text for key, text in told.items() if text}

    def describe(self, name: str) -> DatasetRecord:
        """What is known of a dataset without reading more of it, but for its hash.

        The first time, the hash of a large file of which no finished step was made is left out: it is made while the
        file is read, or when it is asked for again.

        Raises:
            DataError: A file is no longer the one that was hashed, and perhaps read.
        """
        dataset = self._dataset(name)
        digest = "" if self._waits(dataset) else self.fingerprint(name)
        with explained(dataset.what):
            for file in dataset.files:
                file.check()
        frame = dataset.frame  # another thread may release it meanwhile
        columns = frame.columns if dataset.complete and frame is not None else dataset.schema
        return DatasetRecord(
            name=name,
            kind="input",
            path=", ".join(dataset.shown(self._reader.files.name)),
            format=dataset.format,
            sha256=digest,
            bytes=sum(file.size_on_record for file in dataset.files) if dataset.files else None,
            rows=dataset.rows if frame is None else len(frame),
            columns=None if columns is None else tuple(str(column) for column in columns),
            encrypted=bool(dataset.files) and all(file.encryption_on_record.encrypted for file in dataset.files),
            key_id=dataset.files[0].encryption_on_record.key_id if dataset.files else "",
            version=", ".join(file.original.version for file in dataset.files if file.original is not None),
        )

    def _waits(self, dataset: Dataset) -> bool:
        """Whether the hash of a dataset that is described for the first time is left to the step that reads it."""
        first, dataset.described = not dataset.described, True
        with explained(dataset.what):
            if not first or self.run is None or not dataset.files or not all(file.waits for file in dataset.files):
                return False
        finished = self.run.checkpoints.load()
        return not any(dataset.name in step.reads and step.id in finished for step in self.run.plan)
