"""The report of a real run in a browser: what axe-core finds on it, how wide it is, and how many pages it prints."""

from __future__ import annotations

import csv
import html
import importlib.util
import json
import random
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

QUASI = ["age", "city"]
WIDTHS = (1280, 390)
AXE = importlib.util.find_spec("axe_playwright_python")  # which has axe-core with it
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

# The page in a frame of each width, all of it unfolded, without its policy so that axe-core can run in it.
OUTER = """<!DOCTYPE html><title>t</title><body>%s<script>
addEventListener("message", e => {
  const told = document.createElement("pre"); told.textContent = e.data; document.body.append(told) })
</script>"""
FRAME = '<iframe src="inner.html?%d" style="width:%dpx;height:900px;border:0"></iframe>'
AUDIT = """<script>%s</script><script>
document.querySelectorAll("details").forEach(d => d.open = true)
const wide = [...document.querySelectorAll("body *")].filter(e => !e.closest("svg, thead")
  && getComputedStyle(e).overflowX != "visible" && e.scrollWidth > e.clientWidth + 1).map(e => e.className)
axe.run(document, {resultTypes: ["violations"]}).then(r => parent.postMessage(JSON.stringify({
  width: innerWidth, page: document.documentElement.scrollWidth, wide,
  found: r.violations.map(v => [v.id, v.nodes.map(n => n.html)])}), "*"))
</script></body>"""


def made(cli: Any, folder: Path) -> Path:
    """The demo of a table of 600 people."""
    source = random.Random(3)
    rows = [(source.randint(20, 70), source.choice("abcde"), source.choice(["flu", "none"])) for _ in range(600)]
    with (folder / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*QUASI, "illness"], *rows])
    cli("demo", "people.csv", "--quasi-identifiers", ",".join(QUASI), "--keep", "made", cwd=folder, code=0)
    return folder


def browse(folder: Path, *options: str) -> str:
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}"]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=True, timeout=120).stdout


def test_risk_before_and_after(cli: Any, tmp_path: Path) -> None:
    """The figures on the first page are those of a count of both tables."""
    place = made(cli, tmp_path)
    report = json.loads((place / "made/DATA/reports/demo_report.json").read_text())
    metrics = next(step["metrics"] for step in report["operations"] if step["step"] == "anonymize")
    assert metrics["risk"]["columns"] == QUASI
    released = place / "made" / report["outputs"][0]["path"]
    for side, path in (("before", place / "people.csv"), ("after", released)):
        with path.open(newline="") as file:
            sizes = Counter(tuple(row[name] for name in QUASI) for row in csv.DictReader(file))
        counted = {name: figures[side] for name, figures in metrics["risk"]["measures"].items()}
        assert counted == pytest.approx(
            {
                "highest (prosecutor)": 1 / min(sizes.values()),
                "average (marketer)": len(sizes) / 600,
                "unique records": sum(size == 1 for size in sizes.values()) / 600,
            }
        )


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to show the page")
@pytest.mark.skipif(AXE is None, reason="axe-playwright-python is not installed")
def test_pages_on_screens_and_paper(cli: Any, tmp_path: Path) -> None:
    """axe-core finds nothing at 1280 and 390 pixels, only pictures scroll sideways, and paper takes three pages."""
    assert AXE is not None
    assert AXE.origin is not None
    axe = (Path(AXE.origin).parent / "axe.min.js").read_text("utf-8")
    file = made(cli, tmp_path) / "made/DATA/reports/demo_report.html"
    page = re.sub(r"<meta http-equiv=[^>]*>", "", file.read_text("utf-8")).replace("</body>", AUDIT % axe)
    (tmp_path / "inner.html").write_text(page, "utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text(OUTER % "".join(FRAME % (width, width) for width in WIDTHS))
    shown = browse(tmp_path, "--virtual-time-budget=30000", "--dump-dom", outer.as_uri())
    told = [json.loads(html.unescape(text)) for text in re.findall(r"<pre>(\{.*?\})</pre>", shown, re.S)]
    assert sorted(each["width"] for each in told) == sorted(WIDTHS)
    for each in told:
        assert each["found"] == []
        assert each["page"] <= each["width"]
        assert set(each["wide"]) <= {"drawn", "lineage"}
    printed = tmp_path / "printed.pdf"
    browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={printed}", file.as_uri())
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", printed.read_bytes())) <= 3
