"""The command line: `pamola-task`. One module a command; see `app`."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit."""
    import gc

    # By default Python looks for cycles after every 700 objects: ninety times, in vain, while modules are imported.
    gc.set_threshold(50_000, 20, 20)
    from pamola_tasks_cli.app import run

    run()
