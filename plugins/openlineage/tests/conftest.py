"""The fixtures of `tests/installed.py`: an empty home, and the installed command line."""

from __future__ import annotations

from installed import cli as cli
from installed import home as home
from installed import place as place
