"""Secrets in worker processes, in errors of plugins, in a file of variables, and in what is exported: none is found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from secret_forms import forms

FROM_FILE = {"SHOP_PASSWORD": "Fil01-in-the-env-file", "MAIL_TOKEN": "Fil02 with blanks/and#signs"}
FROM_ENVIRONMENT = {"DB_PASSWORD": "Env01-of-the-process", "VENDOR_API_KEY": "Env02-of-the-process"}
SHAPES = ["glpat-" + "Shp01a2B3c4D5e6F7g8h9i0", "rk_live_" + "Shp02a2B3c4D5e6F7g8"]
ARGUMENTS = {"password": "Arg01-of-an-operation", "url": "https://me:Arg02-of-an-operation@example.org/x"}
PLUGIN = ["Plg01-while-loading", "Plg02-of-an-observer", "Plg03-of-a-check", "Plg04-of-a-section"]
REGISTERED = [*FROM_FILE.values(), *FROM_ENVIRONMENT.values()]
PLANTED = [*REGISTERED, *SHAPES, "Arg01-of-an-operation", "Arg02-of-an-operation", *PLUGIN]

TALKS = """
import base64, os
from pamola_tasks import BaseTask, Operation, OperationResult

class Talks(Operation):
    password: str
    url: str
    fails: bool = False

    def execute(self, ctx):
        known = [self.password, self.url, os.environ["DB_PASSWORD"], os.environ["VENDOR_API_KEY"], ctx.config.shop,
                 getattr(ctx.config.mail_token, "reveal", lambda: ctx.config.mail_token)(), *SHAPES]
        for text in known:
            ctx.logger.debug("%s %r %s %s", text, text.encode(), base64.b64encode(text.encode()), {"x": [text]})
            ctx.run.warn(f"with {text}")
        ctx.reporter.add_operation("talk", "success", {"said": known})
        with ctx.artifact(f"said_{ctx.seed}", "json", f"what was said of {known[0]}") as file:
            file.write(b"{}")
        if self.fails:
            raise RuntimeError(f"not with {known}")
        return OperationResult.success({"said": known[2]})

class T(BaseTask):
    def __init__(self):
        super().__init__("t_1")
    def configure_operations(self):
        for name in ("one", "two"):
            self.add_operation(Talks, **ARGUMENTS, fails=self.config.fails, step={"id": name})
"""
WATCHES = """
import os
from pamola_tasks import hookimpl
PAMOLA_HOOK_API = 1
@hookimpl
def pamola_on_step_started(run, step):
    raise RuntimeError(f"password={PLUGIN[1]} and {os.environ['DB_PASSWORD']} in {dict(api_key=PLUGIN[1])}")
@hookimpl
def pamola_add_report_sections(run):
    from pamola_tasks.protocols import ReportSection
    text = f"secret: '{PLUGIN[3]}' {os.environ['VENDOR_API_KEY']}"
    return [ReportSection(key="watched", title=f"token={PLUGIN[3]}", text=text, facts={"password": PLUGIN[3]})]
"""
BROKEN = """
raise ImportError(f"cannot reach https://me:{PLUGIN[0]}@example.org with token={PLUGIN[0]}")
"""
OBJECTS = """
from pamola_tasks import hookimpl
PAMOLA_HOOK_API = 1
@hookimpl
def pamola_check_plan(run, plan):
    return [f"not allowed with password={PLUGIN[2]}"]
"""


def test_secrets_are_hidden_in_worker_processes_in_plugins_errors_and_in_exports(cli, project: Path, tmp_path: Path):
    beside = tmp_path / "beside"
    beside.mkdir()
    head = f"SHAPES, ARGUMENTS, PLUGIN = {SHAPES!r}, {ARGUMENTS!r}, {PLUGIN!r}\n"
    for name, text in (("talks", TALKS), ("watches", WATCHES), ("broken", BROKEN), ("objecting", OBJECTS)):
        (beside / f"{name}.py").write_text(head + text)
    (project / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in FROM_FILE.items()))
    config = {"env_file": ".env", "shop": "${env:SHOP_PASSWORD}", "mail_token": "${env:MAIL_TOKEN}", "fails": False}
    (project / "configs/t_1.json").write_text(json.dumps({**config, "log_level": "DEBUG", "retry": {"max_retries": 0}}))
    script = f"{beside / 'talks.py'}:T"
    watching = ["--plugin", str(beside / "watches.py")]
    processes = ["--executor", "processes", "--jobs", "2"]
    streams = []
    for arguments, code in [
        (["-v", *watching, "run", script, *processes, "--json"], 0),
        (["-v", *watching, "--traceback", "run", script, *processes, "--restart", "--set", "fails=true"], 1),
        (["--plugin", str(beside / "objecting.py"), "run", script], None),
        (["--plugin", str(beside / "broken.py"), "--traceback", "plugins"], None),
        (["--plugin", str(beside / "broken.py"), "run", script], None),
        (["config", "show", script, "--origin"], 0),
        (["ops", f"{beside / 'talks.py'}:Talks"], None),
        (["history", "t_1", "--json"], 0),
        (["report", "t_1", "--json"], 0),
        (["show", script, "--json"], 0),
    ]:
        done = cli(*arguments, cwd=project, env=FROM_ENVIRONMENT, code=code)
        streams.append((" ".join(arguments), (done.stdout + done.stderr).encode()))
    assert b"not allowed with password=***" in streams[2][1]
    exported = (
        "from pamola_tasks_compat.tasks import export_execution_log as e; e('out.json'); e('out.csv', format='csv')"
    )
    subprocess.run([sys.executable, "-c", exported], cwd=project, check=True)
    own = [project / ".env", project / "configs/t_1.json"]
    files = [(path.name, path.read_bytes()) for path in project.rglob("*") if path.is_file() and path not in own]
    leaks = [
        f"{secret} as {form!r} in {name}: …{content[max(0, content.find(form) - 80) : content.find(form) + 60]!r}"
        for secret in PLANTED
        # What nobody registered is known by its shape, or by what stands before it, alone.
        for form in (forms(secret) if secret in REGISTERED else {secret.encode()})
        for name, content in (*files, *streams)
        if form in content
    ]
    assert leaks == []
