"""Logs of scripts that run no task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_a_script_without_a_task_logs_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pamola_tasks.errors import PathSecurityError
    from pamola_tasks_compat import tasks

    (tmp_path / ".pamola.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VENDOR_API_KEY", "hunter2-for-scripts")
    cell = "-".join(["a", "cell"])
    logger = tasks.configure_logging(
        "script", "DEBUG", log_file="s.log", structured=True, max_bytes=500, backup_count=1
    )
    assert tasks.configure_logging("script") is logger
    assert len(logger.handlers) == 2
    try:
        int(cell)
    except ValueError:
        logger.exception("with %s\nand\u202e more", "hunter2-for-scripts")
    for number in range(20):
        logger.info("line %d", number)
    lines = [*(tmp_path / "logs/s.log.1").read_text().splitlines(), *(tmp_path / "logs/s.log").read_text().splitlines()]
    assert all(json.loads(line)["logger"] == "script" for line in lines)
    with tasks.task_logging_context("t_9") as log:
        log.info("hello")
    assert log.handlers == []
    assert " | hello" in (tmp_path / "logs/t_9.log").read_text()
    with pytest.raises(PathSecurityError):
        tasks.configure_logging("script", log_file="../../out.log", force_reconfigure=True)
    tasks.configure_logging("script", log_file="first.log", force_reconfigure=True)
    try:
        int(cell)
    except ValueError:
        logger.exception("with %s\nand\u202e more", "hunter2-for-scripts")
    text = (tmp_path / "logs/first.log").read_text()
    assert "hunter2" not in text
    assert cell not in text
    assert "with ***\\nand\\u202e more" in text
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
