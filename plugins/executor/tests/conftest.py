from __future__ import annotations

import sys
from pathlib import Path

# Processes that perform steps import the operations by name, from where this process does.
sys.path.insert(0, str(Path(__file__).parent / "importable"))
