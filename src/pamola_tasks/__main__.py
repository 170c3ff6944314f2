"""`python -m pamola_tasks`: the command that an installed distribution offers as `pamola-task`."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points


def main() -> None:
    """Run the command line and exit; plugins in the current folder are not loaded."""
    if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    for script in entry_points(group="console_scripts", name="pamola-task"):
        script.load()()
    sys.exit("the command line is not installed: pip install 'pamola-tasks[standard]'")


if __name__ == "__main__":
    main()
