"""The page in Chromium: a run as it happens, a restart of the server, forged files, pages of other origins.

With PAMOLA_DASHBOARD_SECONDS=60 the run takes about as long, and how late steps and stages were shown is printed.
"""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
AXE = importlib.util.find_spec("axe_playwright_python")  # which has axe-core with it
LONG = "PAMOLA_DASHBOARD_SECONDS" in os.environ
SECONDS = float(os.environ.get("PAMOLA_DASHBOARD_SECONDS", "3"))
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to show the page"),
]

SLOW = """
import json, os, time
from pamola_tasks import BaseTask, Operation, OperationResult, reads, writes

EACH = float(os.environ["EACH"])

class Slow(Operation):
    "Takes its time in three stages."
    input_dataset: str = reads()
    output_dataset: str = writes()

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        for stage in ("reading", "measuring", "writing"):
            ctx.stage(stage + " " + self.output_dataset)
            for done in range(20):
                ctx.progress(done * 3, 60, "rows")
                time.sleep(EACH / 20)
        ctx.logger.warning("almost there with " + self.output_dataset)
        ctx.data.write(self.output_dataset, frame)
        chart = {"kind": "bars", "title": self.output_dataset, "labels": ["a"], "series": [{"name": "", "values": [1]}]}
        with ctx.artifact("chart_" + self.output_dataset, "json", tags=["charts"]) as file:
            file.write(json.dumps({"charts": [{**chart, "quotes_values": False}]}).encode())
        return OperationResult.success({"rows": len(frame)})

class Patience(BaseTask):
    def __init__(self):
        super().__init__("patience", "test", "Takes its time.", {"people": "DATA/raw/people.csv"})
    def configure_operations(self):
        self.add_operation(Slow, input_dataset="people", output_dataset="one", step={"id": "first"})
        self.add_operation(Slow, input_dataset="one", output_dataset="two", step={"id": "second"})
"""

# Notes in the browser when each stage of each step was first on the page, and what else was seen in passing.
NOTING = """
window.noted = {}
window.passing = new Set()
new MutationObserver(() => {
  for (const stage of document.querySelectorAll(".stage")) {
    const name = stage.firstChild.data
    noted[name] ??= Date.now() / 1000
    if (stage.matches(".now")) passing.add("now " + name)
  }
  for (const step of document.querySelectorAll(".step .name")) noted[step.textContent] ??= Date.now() / 1000
  for (const figure of document.querySelectorAll(".figures dt, h1 .badge, .link")) passing.add(figure.textContent)
  if (/[0-9] rows\\/s/.test(document.body && document.body.textContent)) passing.add("rows/s")
}).observe(document, {childList: true, subtree: true, characterData: true})
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(chromium: Any, dashboard: Any, **more: Any) -> Any:
    """The page in a browser of its own, with what its console says in `told`."""
    page = chromium.new_context(**more).new_page()
    page.set_default_timeout(30_000)
    page.told = []
    page.on("console", lambda message: page.told.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.told.append(str(error)))
    page.add_init_script(NOTING)
    page.goto(dashboard.address)
    page.wait_for_selector(".link.live")
    return page


def until(page: Any, expression: str) -> None:
    """Wait for an expression to be true: Playwright's own way needs `eval`, which the policy of the page forbids."""
    end = time.monotonic() + 30 + SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never: {expression}"
        page.wait_for_timeout(100)


def started(lab: Any) -> subprocess.Popen[str]:
    (lab.root / "patience.py").write_text(SLOW)
    os.environ["EACH"] = str(SECONDS / 6)
    return lab.begin("run", "patience.py:Patience", "--restart")  # type: ignore[no-any-return]


def live(lab: Any, task: str = "patience") -> Path:
    return lab.root / f"DATA/processed/{task}/.state/live.jsonl"  # type: ignore[no-any-return]


def test_a_run_is_watched_by_two_browsers_through_restarts(lab: Any, chromium: Any) -> None:
    """Steps and stages as they come, the server started again in the middle, then a second run: without a reload."""
    server = lab.serve()
    pages = [opened(chromium, server), opened(chromium, server, viewport={"width": 390, "height": 800})]
    for page in pages:
        assert page.url == f"http://127.0.0.1:{server.port}/"
        assert page.evaluate("document.cookie") == ""
    run = started(lab)
    for page in pages:
        until(page, "'measuring one' in noted")
        assert page.locator(".figures").inner_text().split("\n")[1] in ("0 of 2", "1 of 2", "2 of 2")
    before = [list(page.told) for page in pages]
    away = time.time()
    assert server.end() == 0
    for page in pages:
        until(page, "passing.has('reconnecting')")
    server = lab.serve()
    for page in pages:
        page.wait_for_selector(".link.live")
    back = time.time()
    for page in pages:
        page.wait_for_selector("h1:has-text('patience') .badge:has-text('done')", timeout=20_000 + 1000 * SECONDS)
        assert page.locator(".step .name").all_inner_texts() == ["first", "second"]
        page.wait_for_selector(".drawings section:has-text('second') svg")
        assert page.locator(".drawings figcaption").all_inner_texts() == ["one", "two"]
        assert page.locator(".log .warning").all_inner_texts()[-1].endswith("[second] almost there with two")
        expected = {"running", "Memory", "now reading one", "reconnecting", *(["rows/s"] if LONG else [])}
        assert expected <= set(page.evaluate("[...passing]"))
    assert run.wait(timeout=60) == 0
    events = [json.loads(line) for line in live(lab).read_text().splitlines()]
    began = {
        e.get("stage") or e["step"]: datetime.fromisoformat(e["at"]).timestamp()
        for e in events
        if e["event"] in ("step_stage", "step_started")
    }
    late = [{name: noted[name] - at for name, at in began.items()} for noted in (p.evaluate("noted") for p in pages)]
    if LONG:
        for each in late:
            told = {name: round(lag, 2) for name, lag in each.items() if not away - 1 < began[name] < back}
            print(f"\n{len(told)} steps and stages, on the page at most {max(told.values())} s after they began:", told)
    assert before == [[], []]
    for page in pages:  # while the server was gone, the browser itself noted that it did not answer, and nothing else
        assert [text for text in page.told if "ERR_CONNECTION_REFUSED" not in text and "INCOMPLETE" not in text] == []
    for page in pages:
        page.evaluate("noted = {}")
    again = started(lab)
    for page in pages:
        until(page, "'writing two' in noted")
        page.wait_for_selector("h1:has-text('patience') .badge:has-text('done')")
    assert again.wait(timeout=60) == 0
    assert server.end() == 0


def test_what_a_project_forges_is_shown_as_text(lab: Any, dashboard: Any, chromium: Any) -> None:
    """Names, reasons, errors and log lines that are markup run nothing, and show as they are written."""
    evil = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{{7*7}}'
    run_id = json.loads(lab.run("status", "census", "--json").stdout)["run"]
    lines = [
        {"event": "run_started", "task": evil, "pid": 1, "host": evil},
        {"event": "step_started", "step": evil, "operation": evil, "description": evil, "reason": evil, "of": 9},
        {"event": "step_stage", "step": evil, "stage": evil},
        {"event": "step_progress", "step": evil, "stage": evil, "done": 3, "total": 1e400, "unit": evil},
        {"event": "dataset_written", "step": evil, "dataset": evil, "rows": evil},
        {"event": "step_started", "step": "__proto__", "of": evil, "operation": {"a": 1}},
        {"event": "step_finished", "step": "constructor", "status": evil, "seconds": "x", "error": evil},
        [1],
        {"event": ["x"], "step": 7},
    ]
    at = {"at": "2026-11-30T10:00:00Z", "run": run_id}
    text = "".join(json.dumps({**at, **line} if isinstance(line, dict) else line) + "\n" for line in lines)
    before = live(lab, "census").read_text()
    live(lab, "census").write_text(text + "not json\n\udce4"[:-1] + '{"half": ')
    with (lab.root / "logs/census.log").open("a") as log:
        log.write(f"2026-11-30T10:00:00.000Z | WARNING | {run_id} | a | b:1 | {evil}\n")
    page = opened(chromium, dashboard)
    page.goto(f"http://127.0.0.1:{dashboard.port}/#/task/census")
    page.wait_for_selector(f".log .warning:has-text({json.dumps(evil)})")
    assert evil in page.locator(".steps").inner_text()
    assert page.locator(".steps > li .name").all_inner_texts() == [evil, "__proto__", "constructor"]
    assert page.locator("main img, main script").count() == 0
    page.goto(f"http://127.0.0.1:{dashboard.port}/#/task/{evil}")
    page.goto(f"http://127.0.0.1:{dashboard.port}/#/history")
    page.wait_for_selector("tbody tr")
    assert page.evaluate("window.hacked") is None
    assert page.told == []
    live(lab, "census").write_text(before)


SHOWN = {"#/history": "tbody tr", "#/task/census": ".drawings figure >> nth=2"}

OTHER = """<!DOCTYPE html><title>other</title><script>
window.got = {}
const from = "http://127.0.0.1:PORT"
const tries = {
  read: () => fetch(from + "/api/history", {credentials: "include"}).then(r => r.text()),
  blind: () => fetch(from + "/api/history", {credentials: "include", mode: "no-cors"}).then(r => r.text()),
  session: () => fetch(from + "/api/session", {method: "POST", mode: "no-cors", body: "{}"}).then(r => r.text()),
  stream: () => new Promise((good, bad) => {
    const stream = new EventSource(from + "/api/events", {withCredentials: true})
    stream.onmessage = stream.onopen = () => good("opened"); stream.onerror = () => bad("refused") }),
  script: () => new Promise((good, bad) => {
    const script = document.createElement("script"); script.src = from + "/dashboard.js"
    script.onload = () => good("loaded"); script.onerror = () => bad("refused"); document.head.append(script) }),
}
Promise.all(Object.entries(tries).map(([name, attempt]) =>
  attempt().then(text => { got[name] = text }, error => { got[name] = null }))).then(() => { window.over = true })
</script><iframe src="http://127.0.0.1:PORT/"></iframe>"""


@pytest.fixture
def elsewhere(tmp_path: Path, dashboard: Any) -> Iterator[int]:
    """Another server of this machine, whose page tries to read the dashboard."""
    (tmp_path / "index.html").write_text(OTHER.replace("PORT", str(dashboard.port)))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_pages_of_other_origins_get_nothing(dashboard: Any, chromium: Any, elsewhere: int) -> None:
    """Neither from another port nor from a name that leads here (DNS rebinding), in the browser that has the cookie."""
    page = opened(chromium, dashboard)
    for host in ("127.0.0.1", "localhost"):
        page.goto(f"http://{host}:{elsewhere}/")
        until(page, "window.over === true")
        assert set(page.evaluate("Object.values(got)")) <= {None, ""}, page.evaluate("got")
        frame = next(each for each in page.frames if each != page.main_frame)
        assert frame.url.startswith("chrome-error:")
    answer = page.goto(f"http://rebound.localhost:{dashboard.port}/")
    assert (answer.status, "dashboard.js" in answer.text()) == (403, False)


@pytest.mark.skipif(AXE is None, reason="axe-playwright-python is not installed")
def test_axe_finds_nothing_in_light_and_dark(lab: Any, dashboard: Any, chromium: Any) -> None:
    """Both views, after a run (and in the long test during one), on narrow and wide screens, with nothing wider."""
    assert AXE is not None
    assert AXE.origin is not None
    axe = (Path(AXE.origin).parent / "axe.min.js").read_text("utf-8")
    found = {}
    run = started(lab) if LONG else None
    pages = [
        (scheme, width, opened(chromium, dashboard, color_scheme=scheme, viewport={"width": width, "height": 900}))
        for scheme, width in (("light", 1280), ("dark", 390), ("light", 390), ("dark", 1280))[: 4 if LONG else 2]
    ]
    if run is not None:
        pages[0][2].wait_for_selector("h1:has-text('patience') .badge:has-text('running')")
    for view in ("running", "#/history", "#/task/census", ""):
        if view == "" and run is not None:
            run.wait(timeout=90)
            pages[0][2].evaluate("location.hash = ''")
            pages[0][2].wait_for_selector("h1:has-text('patience') .badge:has-text('done')")
        for scheme, width, page in pages:
            page.evaluate(f"location.hash = {view.replace('running', '')!r}")
            page.wait_for_selector(SHOWN.get(view, ".card"))
            page.evaluate(axe)
            told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            wide = page.evaluate("document.documentElement.scrollWidth") - width
            found[scheme, width, view] = [(v["id"], v["nodes"][0]["html"]) for v in told["violations"]], max(0, wide)
    assert {key: value for key, value in found.items() if value != ([], 0)} == {}


def test_with_the_keyboard(dashboard: Any, chromium: Any) -> None:
    """Skip link, views, tasks: each is reached by Tab and followed by Enter."""
    page = opened(chromium, dashboard)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.textContent") == "History":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("tbody tr")
    assert re.search(r"#/history$", page.url)
    boxes = page.locator("tbody tr:has-text('census') input[type=checkbox]")
    for number in (0, 1):
        boxes.nth(number).focus()
        page.keyboard.press("Space")
    assert "/compare/census/" in page.locator(".tools a").get_attribute("href")


def test_without_the_token_the_page_says_what_to_do(dashboard: Any, chromium: Any) -> None:
    page = chromium.new_context().new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(f"http://127.0.0.1:{dashboard.port}/")
    page.wait_for_selector("h1:has-text('needs its token')")
    assert "pamola-task dashboard" in page.inner_text("main")
    assert told == []
