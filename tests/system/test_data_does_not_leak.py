"""What libraries say of a cell reaches no log, report, history or terminal, wherever the step runs."""

from __future__ import annotations

import pytest

CELL = "Zaphodine"
SCRIPT = """
import pandas
from pamola_tasks import BaseTask, Operation, OperationResult, reads

class Converts(Operation):
    input_dataset: str = reads()
    how: str = "astype"

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        try:
            if self.how == "astype":
                frame["name"].astype(float)
            elif self.how == "numbers":
                pandas.to_numeric(frame["name"])
            elif self.how == "dates":
                pandas.to_datetime(frame["name"], format="%Y")
            elif self.how == "lookup":
                frame["name"].map(lambda name: {"a": 1}[name])
            elif self.how == "own":
                raise ValueError(f"the value {frame['name'].iloc[0]!r} of column name is not allowed")
            elif self.how == "transient":
                raise ConnectionError(f"no place for {frame['name'].iloc[0]} today")
            elif self.how == "said":
                try:
                    float(frame["name"].iloc[0])
                except ValueError as error:
                    return OperationResult.failure(f"cannot go on: {error}")
        except Exception:
            ctx.logger.exception("it failed")
            raise
        return OperationResult.success()

class T(BaseTask):
    def __init__(self):
        super().__init__("t_1", input_datasets={"people": "DATA/raw/people.csv"})
    def configure_operations(self):
        self.add_operation(Converts, input_dataset="people", how=self.config.how)
"""
HOW = ["astype", "numbers", "dates", "lookup", "own", "transient", "said"]


def leaks(project, done):
    found = [
        str(path.relative_to(project))
        for path in project.rglob("*")
        if path.is_file() and "raw" not in path.parts and CELL.encode() in path.read_bytes()
    ]
    return found + [text for text in (done.stdout, done.stderr) if CELL in text]


@pytest.fixture
def people(project):
    (project / "DATA/raw/people.csv").write_text(f"name,n\n{CELL}001,1\n{CELL}002,2\n")
    (project / "converts.py").write_text(SCRIPT)
    (project / "configs/prj_config.yaml").write_text(
        "log_level: DEBUG\nretry: {max_retries: 1, backoff: 1, max_wait: 0.01}\n"
    )
    return project


@pytest.mark.parametrize("how", HOW)
def test_a_cell_that_an_error_quotes_is_found_nowhere(cli, people, how):
    done = cli("-vv", "run", "converts.py:T", "--set", f"how={how}", cwd=people, code=1)
    assert leaks(people, done) == []
    assert "Converts" in done.stdout
    assert "StepData" not in done.stdout
    assert (people / "DATA/reports/t_1_report.json").exists()


@pytest.mark.parametrize("how", ["astype", "own", "said"])
def test_nor_when_the_step_runs_in_a_process_of_its_own(cli, people, how):
    done = cli("-vv", "run", "converts.py:T", "--set", f"how={how}", "--timeout", "100", cwd=people, code=1)
    assert leaks(people, done) == []


def test_show_data_shows_it(cli, people):
    done = cli("run", "converts.py:T", "--set", "how=own", "--show-data", cwd=people, code=1)
    assert f"the value '{CELL}001' of column name is not allowed" in done.stdout
    done = cli("run", "converts.py:T", "--set", "how=own", cwd=people, code=1)
    assert "the value '***' of column name is not allowed [*** may be data: --show-data shows it]" in done.stdout


LIBRARIES = """
import pandas as pd
from pamola_tasks import BaseTask, Operation, OperationResult, reads

class Column(Operation):
    people: str = reads()

    def execute(self, ctx):
        frame = ctx.data.frame("people")
        for column in frame.columns:
            value = frame[column].iloc[0]
            ACT
        return OperationResult.success()

class T(BaseTask):
    def __init__(self):
        super().__init__("t_1", input_datasets={"people": "DATA/raw/people.csv"})
    def configure_operations(self):
        self.add_operation(Column, people="people")
"""


@pytest.mark.parametrize(
    ("act", "kind", "about"),
    [
        ("(value + chr(246)).encode('ascii')", "UnicodeEncodeError *** at library.py", "column 'name'"),
        ("{'x': 1}[value]", "KeyError *** at library.py", "column 'name'"),
        ("pd.to_datetime(frame[column], format='%Y')", "ValueError *** at strptime", "column 'name'"),
        ("pd.Timestamp(value)", "DateParseError", "column 'name'"),
        ("frame[column].astype(float)", "ValueError: could not convert", "column 'name'"),
        ("frame.loc[value]", "KeyError", "column 'name'"),
    ],
)
def test_an_error_of_a_library_keeps_its_class_and_column(cli, people, act, kind, about):
    """What was left of some was `'***'t ***`."""
    (people / "library.py").write_text(LIBRARIES.replace("ACT", act))
    done = cli("run", "library.py:T", cwd=people, code=1)
    assert leaks(people, done) == []
    error = next(line for line in done.stdout.splitlines() if "error " in line)
    assert kind in error, error
    assert about in error, error
