"""Every column of a CSV file as text."""

import pandas as pd

from pamola_tasks.protocols import DatasetFormat


def read(file, columns, options):
    """The whole table, or some columns of it."""
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    return frame if columns is None else frame[list(columns)]


def write(frames, file, options):
    """Write frames one after the other under one header; gives the number of rows."""
    rows = 0
    for number, frame in enumerate(frames):
        file.write(frame.to_csv(index=False, header=number == 0, lineterminator="\n").encode())
        rows += len(frame)
    return rows


FORMAT = DatasetFormat(extension="csv", read=read, write=write)
