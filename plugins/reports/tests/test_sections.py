"""Sections and formats of the report that plugins add, through the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

OPERATION = """
from pamola_tasks import Operation, OperationResult, hookimpl

class Note(Operation):
    def execute(self, ctx):
        open(ctx.run.project.root / "step-ran", "w").close()
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Note": Note}
"""
SECTION = """
from pamola_tasks import hookimpl
from pamola_tasks.protocols import ReportSection

@hookimpl
def pamola_add_report_sections(run):
    return ReportSection(key=KEY, title="Retention", text=TEXT)
"""
TABLE = """\
Kept **120** days, see [the policy](https://example.org/policy).

| rule | kept | removed |
|------|-----:|:-------:|
| age > 90 | 120 | 3 |
| `zip` | 99 | 24 |

- one
  - nested

```
def rule(x): return x < 5
```
"""


class Project:
    """A project with one task and plugins in files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plugins: list[str] = []
        (root / "configs").mkdir()
        (root / ".pamola.toml").touch()
        (root / "configs/t.yaml").write_text("task_id: t\noperations: [{Note: {}}]\n")
        self.add("note", OPERATION)

    def add(self, name: str, text: str) -> None:
        (self.root / f"{name}.py").write_text(text)
        self.plugins += ["--plugin", f"{name}.py"]

    def section(self, name: str, text: str = "", key: str = "retention") -> None:
        self.add(name, SECTION.replace("KEY", repr(key)).replace("TEXT", repr(text)))

    def __call__(self, *arguments: str, code: int = 0, env: dict[str, str] | None = None) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "pamola_tasks", *self.plugins, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, **(env or {})},
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done

    def page(self, extension: str) -> str:
        return (self.root / f"DATA/reports/t_report.{extension}").read_text()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_two_sections_of_one_key(project: Project) -> None:
    """An error names both plugins, the run has failed, and the report is written without either section."""
    project.section("first", "of the first")
    project.section("second", "of the second")
    done = json.loads(project("run", "t", "--json", code=1).stdout)
    assert re.search("(first and second|second and first) both add the report section 'retention'", json.dumps(done))
    report = json.loads(project.page("json"))
    assert report["status"] == "failed"
    assert "both add the report section" in report["error"]["message"]
    assert [entry["status"] for entry in report["operations"]] == ["success"]
    assert report["sections"] == {}


def test_a_section_named_like_a_part_of_the_report(project: Project) -> None:
    project.section("mine", key="operations")
    done = json.loads(project("run", "t", "--json", code=1).stdout)
    assert "mine adds the report section 'operations', which is a part of every report" in done["error"]["message"]


def test_a_section_that_is_none(project: Project) -> None:
    project.add("mine", SECTION.replace('ReportSection(key=KEY, title="Retention", text=TEXT)', "{'retention': 1}"))
    done = json.loads(project("run", "t", "--json", code=1).stdout)
    assert "plugin mine: pamola_add_report_sections returns sections, not a dict" in done["error"]["message"]
    assert json.loads(project.page("json"))["status"] == "failed"


def test_a_table_in_the_text_of_a_section(project: Project) -> None:
    """Tables, lists, code and links are rendered in HTML, and stand in Markdown as they were written."""
    project.section("mine", TABLE)
    project("run", "t")
    page = project.page("html")
    assert '<th>rule</th><th class="right">kept</th>' in page
    assert '<td>age &gt; 90</td><td class="right">120</td>' in page
    assert "<td><code>zip</code></td>" in page
    assert "<li>one\n<ul><li>nested</li></ul></li>" in page
    assert "<pre><code>def rule(x): return x &lt; 5\n</code></pre>" in page
    assert '<a href="https://example.org/policy">the policy</a>' in page
    assert TABLE in project.page("md")


RETENTION = """\
from pamola_tasks import hookimpl
from pamola_tasks.protocols import ReportSection

@hookimpl
def pamola_add_report_sections(run):
    return ReportSection(key="retention", title="Retention", text="| copy | days |\\n|---|--:|\\n| archive | 90 |")
"""


def test_a_section_of_a_distribution(project: Project, tmp_path: Path) -> None:
    """Six lines, one entry point."""
    folder = tmp_path / "site"
    (folder / "retention-1.0.dist-info").mkdir(parents=True)
    (folder / "retention.py").write_text(RETENTION)
    (folder / "retention-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: retention\nVersion: 1.0\n")
    (folder / "retention-1.0.dist-info/entry_points.txt").write_text("[pamola_tasks]\nretention = retention\n")
    project("run", "t", env={"PYTHONPATH": str(folder)})
    assert '<td>archive</td><td class="right">90</td>' in project.page("html")


HOSTILE = """\
<script>alert(1)</script> <img src=x onerror=alert(1)> `<script>` \\`<b>\\`

[run](javascript:alert(1)) [data](data:text/html,x) [file](file:///etc/passwd) [mail](mailto:a@example.org)
![picture](https://example.org/x.png) <https://example.org> &lt;b&gt; \x1b[2J\u202e

```" onclick="x
never closed"""


def test_hostile_text_in_a_section(project: Project) -> None:
    """No HTML of the text reaches the page, links lead to the web and to mail only, nothing is loaded."""
    project.section("mine", HOSTILE)
    project("run", "t")
    page, text = project.page("html"), project.page("md")
    section = page.partition("<h2>Retention</h2>")[2].partition("</section>")[0]
    for tag in ("<script", "<img", "<b>", 'onclick="', 'javascript:alert(1)"', 'href="data', 'href="file'):
        assert tag not in section, tag
    assert section.count("<a ") == 3
    assert 'href="mailto:a@example.org"' in section
    assert not {"\x1b", "\u202e"} & set(page + text)
    assert "<script>alert" not in text
    assert "## Configuration" in text.split("never closed\n```\n")[1]


def test_a_format_whose_module_is_missing(project: Project) -> None:
    """The run is refused before any step, naming plugin and target; and the report commands go on working."""
    project("run", "t")
    (project.root / "step-ran").unlink()
    project.add(
        "broken",
        "from pamola_tasks import hookimpl\n"
        "@hookimpl\n"
        "def pamola_add_report_writers(): return {'spss': 'not_installed_lib.writer:SPSS'}\n",
    )
    done = json.loads(project("run", "t", "--restart", "--json", code=2).stdout)
    assert "broken" in done["error"]["message"]
    assert "not_installed_lib.writer:SPSS" in done["error"]["message"]
    assert not (project.root / "step-ran").exists()
    assert json.loads(project.page("json"))["status"] == "failed"
    project("report", "t")


def test_a_format_of_another_plugin(project: Project) -> None:
    project.add(
        "lines",
        "from pamola_tasks import hookimpl\n"
        "def write(report): return b'status: ' + report['status'].encode()\n"
        "@hookimpl\n"
        "def pamola_add_report_writers(): return {'txt': write}\n",
    )
    project("run", "t")
    assert project.page("txt") == "status: completed"


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_a_format_that_replaces_the_json_report_is_refused(project: Project, name: str) -> None:
    """What programs read is always ours; a replacement would have been accepted and not used."""
    project.add(
        "other",
        "from pamola_tasks import Contribution, hookimpl\n"
        "def write(report): return b'{}'\n"
        "@hookimpl\n"
        f"def pamola_add_report_writers(): return {{{name!r}: Contribution(write, replaces='json')}}\n",
    )
    done = json.loads(project("run", "t", "--json", code=2).stdout)
    assert "the report format 'json' is replaced" in done["error"]["message"]
    assert not (project.root / "step-ran").exists()


@pytest.mark.parametrize("name", ["md", "txt"])
def test_a_format_may_replace_the_markdown_report(project: Project, name: str) -> None:
    project.add(
        "other",
        "from pamola_tasks import Contribution, hookimpl\n"
        "def write(report): return b'short'\n"
        "@hookimpl\n"
        f"def pamola_add_report_writers(): return {{{name!r}: Contribution(write, replaces='md')}}\n",
    )
    project("run", "t")
    assert project.page(name) == "short"
