"""The command line: `pamola-task`. One module a command; see `app`."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit."""
    from pamola_tasks_cli.app import run

    run()
