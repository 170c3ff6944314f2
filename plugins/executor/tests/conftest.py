from __future__ import annotations

import signal
import sys
from pathlib import Path

from installed import cli as cli
from installed import home as home
from installed import place as place
from installed import start as start

# Processes that perform steps import the operations by name, from where this process does.
sys.path.insert(0, str(Path(__file__).parent / "importable"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell has started in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
