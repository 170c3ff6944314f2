"""Forty planted secrets, a failing and a succeeding run at DEBUG, and a search of everything that was written."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

import pytest
from secret_forms import forms

# Those that a file of the configuration holds, by key; with characters that are written differently in each format.
CONFIGURED = {
    "api_token": "Cfg01-kolibri/9+x",
    "db_password": "Cfg02 pass'wörd\"7",
    "clientSecret": "Cfg03=semi;colon&8",
    "Authorization": "Bearer Cfg04.lantern_77",
    "encryption_signing_key": "Cfg05\\back\\slash88",
    "service.password": "Cfg06-nested-ocelot",
    "service.inner.access_key": "Cfg07-deeper-ocelot",
    "service.accounts.0.token": "Cfg08-in-a-list",
    "passphrase": "Cfg09 correct horse battery",
    "session_cookie": "Cfg10%41%42percent",
    "smtp_credentials": "Cfg11<b>&amp;html",
    "private_key": "Cfg12{brace}[bracket]",
}
FROM_ENVIRONMENT = {
    "PLANTED_ONE": "Env01-through-a-reference",
    "PLANTED_TWO": "Env02/through:a@reference",
    "DB_PASSWORD": "Env03-nobody-configured-it",
    "VENDOR_API_KEY": "Env04-nobody-configured-it",
    "PAMOLA_TASK_T_1_WEB_TOKEN": "Env05-by-the-cascade",
    "PAMOLA_PASSPHRASE": "Env06-reserved-name",
}
FROM_VAULT = {"first": "Vlt01-übergabe-wort", "second": "Vlt02-zweites-wort"}
IN_ADDRESSES = [
    "Url01-pass",
    "Url02-p@ss",
    "Url03-p%40ss",
    "Url04-pass+plus",
    "Url05-quer",
    "Url06-quer",
]
SHAPES = [
    "ghp_" + "Shp01" + "a" * 33,
    "AKIA" + "SHP02ABCDEFGHIJK",
    "sk-" + "Shp03abcdefghijklmnopqrst",
    "xoxb-" + "Shp04-1234567890-abcdef",
    "eyJTaHAwNQabcdef.eyJTaHAwNQghijkl.Shp05mnopqrstu",
]
IN_EXCEPTIONS = ["Exc01-in-the-message", "Exc02-in-the-cause", "Exc03-in-a-dict", "Exc04 in json with blanks"]
NESTED = ["Nst01-metric", "Nst02-detail", "Nst03-bytes", "Nst04-in-a-list", "Nst05-state"]

PLANTED = [
    *[value.removeprefix("Bearer ") for value in CONFIGURED.values()],
    *FROM_ENVIRONMENT.values(),
    *FROM_VAULT.values(),
    *IN_ADDRESSES,
    *SHAPES,
    *IN_EXCEPTIONS,
    *NESTED,
]

LOOK_ALIKES = [
    *[hashlib.sha256(bytes([n])).hexdigest() for n in range(10)],
    *[hashlib.md5(bytes([n])).hexdigest() for n in range(5)],
    *[str(uuid.UUID(int=n * 7919 + (4 << 76) + (2 << 62))) for n in range(1, 9)],
    *[hashlib.sha1(bytes([n])).hexdigest() for n in range(4)],
    "sort_key=surname",
    "primary_key: person_id",
    "foreign_key=order_id",
    "partition_keys: region",
    "key_path=/etc/keys/one.pem",
    "password_file=/run/secrets/db",
    "token_count=512",
    "secret_names: alpha",
    "keyboard: qwertz",
    "passenger=Miller",
    "tokenizer=whitespace",
    "monkey: capuchin",
    "author: Knuth",
    "secretary=Jones",
    "passed=41",
    "compass: north",
    "encryption_mode=simple",
    "encryption_key_path=keys/default.key",
    "key_fingerprint=ab:cd:ef",
    "DATA/processed/t_1/output/people.csv",
    "/home/someone/project/configs/t_1.yaml",
    "C:\\Users\\someone\\project",
    "https://example.org/path?page=2&sort=name",
    "https://example.org:8443/a/b@v2",
    "postgres://reader@db.example.org/table",
    "someone@example.org",
    "2026-11-23T04:05:06.789Z",
    "12:30:05",
    "urn:isbn:9780131103627",
    "sha256:9f86d081884c7d65",
    "k=5",
    "age: [17,24]",
    "1.2.3+build.4",
]

SCRIPT = '''
import base64, json, os, sys
from urllib.parse import quote
from pamola_tasks import BaseTask, Operation, OperationResult

PLAN = json.loads(open(os.environ["PLAN_FILE"], encoding="utf-8").read())


class Talks(Operation):
    """Tells everything, in every way that it can."""

    fails: bool = False
    address: str = ""
    vault_token: object = None

    def execute(self, ctx):
        config, log = ctx.config, ctx.logger
        known = [getattr(value, "reveal", lambda value=value: value)() for value in (
            config.api_token, config.db_password, config.clientSecret, config.Authorization,
            config.encryption_signing_key, config.passphrase, config.session_cookie, config.smtp_credentials,
            config.private_key, config.one_password, config.two_token, config.vault_first, config.vault_second)]
        known += [os.environ["DB_PASSWORD"], os.environ["VENDOR_API_KEY"]]
        log.debug("configuration %r and %s", config.get("service"), config.to_dict())
        log.info("address %s of %r", self.address, self)
        for secret in known:
            raw = secret.encode()
            log.debug("plain %s repr %r bytes %r quoted %s", secret, secret, raw, quote(secret, safe=""))
            log.debug("json %s base64 %s hex %s", json.dumps({"x": secret}), base64.b64encode(raw).decode(), raw.hex())
            log.debug("basic %s", base64.b64encode(b"someone:" + raw).decode())
            log.debug("%s", {"x": [secret, (raw,)]})
        for address in PLAN["addresses"]:
            log.warning("cannot reach %s", address)
        for shape in PLAN["shapes"]:
            log.info("header said %s today", shape)
        for text in PLAN["look_alikes"]:
            log.info("seen <%s>", text)
        exc, nst = PLAN["exceptions"], PLAN["nested"]
        metrics = {"service": {"password": nst[0], "n": 5}, "list": [{"api_key": nst[3]}], "raw": known[0].encode(),
                   "blob": base64.b64encode(known[1].encode()).decode(), "looks": PLAN["look_alikes"][:5]}
        ctx.reporter.add_operation("talk", "success", {"client_secret": nst[1], "note": f"with {known[2]}"})
        ctx.run.warn(f"a warning with {known[3]} and db_password={nst[4]}")
        ctx.run.reporter.add_metric("token", nst[2].encode())
        print(f"printed {known[0]}", file=open(os.devnull, "w"))
        ctx.progress(1, 2, "row")
        if self.fails:
            try:
                try:
                    raise OSError(f"password={exc[0]} refused for {known[4]}")
                except OSError as error:
                    raise ConnectionError(f"no way to {self.address}: {{'api_key': '{exc[1]}'}}") from error
            except ConnectionError as error:
                log.exception("failed with %s", known[5])
                raise RuntimeError(f"{known[6]} {dict(secret=exc[2])} " + json.dumps({"auth_token": exc[3]})) from error
        return OperationResult.success(metrics)


class T(BaseTask):
    def __init__(self):
        super().__init__("t_1")

    def configure_operations(self):
        self.add_operation(Talks, fails=self.config.fails, address=PLAN["addresses"][0])
'''

VAULT = """
import json
from pamola_tasks import hookimpl
PAMOLA_HOOK_API = 1
@hookimpl
def pamola_find_secret(name, project):
    return {vault}.get(name)
"""


def addresses() -> list[str]:
    one, two, three, four, five, six = IN_ADDRESSES
    return [
        f"https://someone:{one}@example.org/x",
        f"postgres://someone:{two}@example.org:5432/x",
        f"https://someone:{three}@example.org/x?y=1",
        f"amqp://someone:{four}@example.org",
        f"https://example.org/x?access_token={five}&page=2",
        f"https://example.org/x?page=2&api_key={six}",
    ]


@pytest.fixture
def planted(project: Path, tmp_path: Path) -> Path:
    """A project with all of them planted; what plants them lies beside it."""
    beside = tmp_path / "beside"
    beside.mkdir()
    plan = {
        "addresses": addresses(),
        "shapes": SHAPES,
        "look_alikes": LOOK_ALIKES,
        "exceptions": IN_EXCEPTIONS,
        "nested": NESTED,
    }
    (beside / "plan.json").write_text(json.dumps(plan))
    (beside / "talks.py").write_text(SCRIPT)
    (beside / "vault.py").write_text(VAULT.replace("{vault}", repr(FROM_VAULT)))
    config: dict[str, object] = {key: value for key, value in CONFIGURED.items() if "." not in key}
    config |= {
        "service": {
            "password": CONFIGURED["service.password"],
            "inner": {"access_key": CONFIGURED["service.inner.access_key"]},
            "accounts": [{"token": CONFIGURED["service.accounts.0.token"]}],
        },
        "task_id": "t_1",
        "log_level": "DEBUG",
        "retry": {"max_retries": 0},
        "fails": False,
        "web_token": None,
        "custom_address": addresses()[1],
        "one_password": "${env:PLANTED_ONE}",
        "two_token": "${env:PLANTED_TWO}",
        "vault_first": "${secret:first}",
        "vault_second": "${secret:second}",
    }
    (project / "configs/t_1.json").write_text(json.dumps(config))
    return project


def test_forty_planted_secrets_are_found_in_nothing_that_two_runs_write(cli, planted: Path, tmp_path: Path) -> None:
    assert len(PLANTED) == len(set(PLANTED)) == 40
    beside = tmp_path / "beside"
    env = {**FROM_ENVIRONMENT, "PLAN_FILE": str(beside / "plan.json")}
    common = ["--plugin", str(beside / "vault.py")]
    script = f"{beside / 'talks.py'}:T"
    streams = []
    for arguments, code in [
        (["-vv", *common, "run", script, "--set", "fails=true"], 1),
        (["-vv", *common, "run", script, "--set", "fails=true", "--restart", "--json", "--log-format", "json"], 1),
        (["-vv", *common, "run", script, "--restart"], 0),
        ([*common, "config", "show", script, "--origin"], 0),
        ([*common, "config", "show", script, "--json"], 0),
        ([*common, "show", script, "--json"], 0),
        ([*common, "report", "t_1"], 0),
        ([*common, "report", "t_1", "--format", "html"], 0),
        ([*common, "history", "t_1", "--json"], 0),
        ([*common, "status", "--json"], 0),
        ([*common, "doctor", "--data"], None),
        (["--traceback", *common, "run", script, "--set", "service.password=[1", "--set", "seed=Cfg99"], None),
    ]:
        done = cli(*arguments, cwd=planted, env=env, code=code)
        streams.append((" ".join(arguments), (done.stdout + done.stderr).encode()))
    files = [
        (str(path.relative_to(planted)), path.read_bytes())
        for path in planted.rglob("*")
        if path.is_file() and path != planted / "configs/t_1.json"
    ]
    assert {"logs/t_1.log", "DATA/reports/t_1_report.html", "configs/execution_log.jsonl"} <= {
        name for name, _ in files
    }
    places = [*files, *streams]
    leaks = [
        f"{secret} as {form!r} in {name}: …{content[max(0, content.find(form) - 60) : content.find(form) + 60]!r}"
        for secret in PLANTED
        for form in forms(secret)
        for name, content in places
        if form in content
    ]
    assert leaks == []
    log = (planted / "logs/t_1.log").read_text()
    missing = [text for text in LOOK_ALIKES if f"seen <{text}>" not in log]
    assert len(LOOK_ALIKES) >= 60
    assert len(missing) <= 0.05 * len(LOOK_ALIKES), missing
