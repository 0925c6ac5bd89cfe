"""All cases: importing a theme registers its own."""

from __future__ import annotations

import importlib
from pathlib import Path

from inspection import CASES

for _path in sorted(Path(__file__).parent.glob("cases_*.py")):
    importlib.import_module(_path.stem)

__all__ = ["CASES"]
