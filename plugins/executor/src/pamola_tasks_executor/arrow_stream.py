"""Data frames of pandas as streams of Arrow IPC, and back; what comes back is checked before it is used."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def stream_of(frame: Any) -> bytes:
    """The rows of a data frame, without its index."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def frame_of(stream: bytes) -> Any:
    """The data frame of a stream; `pyarrow.ArrowInvalid` where its buffers do not fit its schema."""
    table = pa.ipc.open_stream(stream).read_all()
    table.validate(full=True)
    return table.to_pandas()
