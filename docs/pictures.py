"""Makes the pictures of the manual and the whole outputs in its pages anew, from real runs. By hand:

    python docs/pictures.py

It needs the kernel with all plugins, rich, pyte, Pillow, Playwright, and a Chromium of the machine. A block of commands
behind `<!-- whole output -->` gets what the commands print, with `…` for what differs from run to run; tests run them.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import pyte
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs/pictures"
PAGES = (ROOT / "README.md", ROOT / "docs/tutorial/first-task.md")
COLUMNS = 110
MARK = "<!-- whole output -->\n"
BLOCK = re.compile(rf"({re.escape(MARK)}\n?)?^```(\S[^\n]*)\n(.*?)^```$", re.M | re.S)
CAPTION = re.compile(r'title="([^"]+)"|:caption: (\S+)')
VARYING = (  # what differs from run to run
    (r"\bin \d[\d.]* s\b", "in … s"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?( UTC)?", "…"),
    (r"\b\d[\d.]* (B|kB|MB)\b", "…"),
)


# ---------------------------------------------------------------- places and commands


@contextlib.contextmanager
def workplace() -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty folder, and an environment with `pamola-task` and `python` of this one, and a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("bin", "home", "work"):
            (Path(folder) / name).mkdir()
        for name, arguments in (("pamola-task", "-m pamola_tasks"), ("python", "")):
            shim = Path(folder) / "bin" / name
            shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
            shim.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAMOLA_", "XDG_"))}
        path = f"{folder}/bin{os.pathsep}{kept['PATH']}"
        yield Path(folder) / "work", {**kept, "HOME": f"{folder}/home", "PATH": path, "COLUMNS": str(COLUMNS)}


def printed(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a command prints to a pipe."""
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def on_terminal(command: str, folder: Path, environment: Mapping[str, str]) -> Text:
    """What a terminal shows of a command when it has ended."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = {**environment, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        ["sh", "-c", command], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while piece := os.read(ours, 1 << 16):
            shown += piece
    process.wait()
    os.close(ours)
    screen = pyte.Screen(COLUMNS, 60)
    pyte.Stream(screen).feed(shown.decode())
    text = Text()
    for number in range(60):
        cells = [screen.buffer[number][column] for column in range(COLUMNS)]
        for (name, bold), alike in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
            colour = None if name == "default" else name.replace("brown", "yellow")
            text.append("".join(cell.data for cell in alike), Style(color=colour, bold=bold))
        text.rstrip()
        text.append("\n")
    text.rstrip()
    return text


# ---------------------------------------------------------------- outputs in pages


def with_outputs(text: str, folder: Path, environment: Mapping[str, str]) -> str:
    """A page whose blocks are run one after the other, with the outputs of those that are marked made anew."""

    def renewed(found: re.Match[str]) -> str:
        nonlocal folder
        mark, language, body = found[1], found[2], found[3]
        if caption := CAPTION.search(language + body.partition("\n")[0]):
            target = folder / (caption[1] or caption[2])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body.partition("\n\n")[2] if caption[2] else body, encoding="utf-8")
        if language != "console":
            return found[0]
        made = ""
        for command in re.findall(r"^\$ (.*)$", body, re.M):
            output = printed(command, folder, environment).replace(str(folder), "…")
            folder = folder / command.removeprefix("cd ") if command.startswith("cd ") else folder
            made += f"$ {command}\n{''.join(f'{line}{chr(10)}' for line in steady(output).splitlines())}"
        return f"{mark}```console\n{made}```" if mark else found[0]

    return BLOCK.sub(renewed, text)


def steady(output: str) -> str:
    """An output with `…` for what differs from run to run."""
    for pattern, instead in VARYING:
        output = re.sub(pattern, instead, output)
    return re.sub(r"[ \t]+$", "", output.strip("\n"), flags=re.M)


# ---------------------------------------------------------------- pictures


def terminal_picture(name: str, command: str, folder: Path, environment: Mapping[str, str]) -> None:
    """What a terminal shows of a command, as SVG that loads no font from anywhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}\n"), on_terminal(command, folder, environment), sep="")
    form = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.S)
    svg = console.export_svg(title="", code_format=form, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(re.sub(r"[ \t]+$", "", svg, flags=re.M) + "\n", encoding="utf-8")


def screenshot(name: str, page: Page) -> None:
    """A page of the browser as PNG with few colours."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        few = picture.convert("RGB").quantize(96, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(PICTURES / f"{name}.png", optimize=True)


def pictures(folder: Path, environment: Mapping[str, str]) -> None:
    """All pictures, of the example that `init` makes."""
    printed("pamola-task init clinic", folder, environment)
    project = folder / "clinic"
    terminal_picture("run", "pamola-task run example", project, environment)
    with sync_playwright() as play, dashboard(project, environment) as address:
        browser = play.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"))
        page = browser.new_page(viewport={"width": 1000, "height": 840}, device_scale_factor=1.5)
        page.goto((project / "DATA/reports/example_report.html").as_uri())
        screenshot("report", page)
        page.goto(address)
        page.get_by_text("example").first.click()
        page.wait_for_timeout(2000)
        screenshot("dashboard", page)
        browser.close()


@contextlib.contextmanager
def dashboard(project: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The dashboard of a project while it runs; its address."""
    command, quiet = ["pamola-task", "dashboard", "--no-open", "--port", "0"], subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=quiet, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Make all of it anew."""
    PICTURES.mkdir(exist_ok=True)
    for page in PAGES:
        with workplace() as (folder, environment):
            page.write_text(with_outputs(page.read_text(encoding="utf-8"), folder, environment), encoding="utf-8")
    with workplace() as (folder, environment):
        pictures(folder, environment)


if __name__ == "__main__":
    main()
