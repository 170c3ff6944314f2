"""The step that uploads an output."""

from __future__ import annotations

from pamola_tasks import Operation, OperationContext, OperationResult, reads
from pamola_tasks_objects.address import Address


class WriteObjectOperation(Operation):
    """Upload the file of an output to an object store or SFTP server, whole or not at all, and read it back.

    Attributes:
        input_dataset: The output. Its file is uploaded as it is on the disk: what is encrypted stays encrypted.
        target: `s3://BUCKET/FOLDER/FILE`, or `gs://`, `az://`, `sftp://HOST:PORT/`: in a folder under `objects.roots`
            of the project file that says `write: true`. A file that is there is replaced.
    """

    category = "data"
    input_dataset: str = reads()
    target: str

    @property
    def address(self) -> Address:
        """Where it is written."""
        return Address.of(self.target)

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Upload the file, and compare what is there then."""
        from pamola_tasks_objects.settings import root_of
        from pamola_tasks_objects.uploading import upload

        address, run = self.address, ctx.run
        where = root_of(ctx.config, address, write=True)
        ctx.stage("uploading")
        path = ctx.data.path(self.input_dataset)
        with ctx.data.open_raw(self.input_dataset):  # as recorded, and so the fingerprint's
            pass
        with run.files.open_raw(path) as file:
            total = 2 * file.seek(0, 2)
            made = upload(file, address, where, replace=True, progress=lambda done: ctx.progress(done, total, "bytes"))
        return OperationResult.success(
            metrics={
                "target": str(address),
                "bytes": made.state.size,
                "sha256": made.sha256,
                "version": made.state.version,
                "etag": made.state.etag,
                "modified": made.state.modified,
                "changes_seen_by": made.state.seen_by,
            }
        )
