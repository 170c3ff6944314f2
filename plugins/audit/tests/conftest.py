"""The fixtures of `tests/installed.py`: an empty home, and the installed command line."""

from __future__ import annotations

import sys
from pathlib import Path

from installed import cli as cli
from installed import home as home
from installed import place as place
from installed import project as project
from installed import start as start

sys.path.insert(0, str(Path(__file__).parent))
