"""Tests of the plugin import `in_a_step` from beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
