"""Each format of the plugin passes the contract of formats."""

from pamola_tasks_data.testing import DatasetFormatContract


class TestCsv(DatasetFormatContract):
    format = "csv"


class TestParquet(DatasetFormatContract):
    format = "parquet"


class TestJson(DatasetFormatContract):
    format = "json"


class TestJsonLines(DatasetFormatContract):
    format = "jsonl"


class TestExcel(DatasetFormatContract):
    format = "xlsx"
