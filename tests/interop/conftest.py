"""Independent implementations of the chip's protocols, and how many sessions ours plays with each of them."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
# The implementations are no tests: they are imported by name, beside the worked examples.
sys.path[:0] = [str(HERE), str(HERE.parent / "vectors")]
