"""An import in the lane while a door stands open holds up the renewal of its lease: what a question needs is loaded beforehand."""

from __future__ import annotations

import subprocess
import sys

ASK = """
import sys
import gate.registries.round
from http.client import HTTPConnection
before = set(sys.modules)
try:
    HTTPConnection("127.0.0.1", 1, timeout=0.1).connect()
except OSError:
    pass
print(sorted(set(sys.modules) - before))
"""


def test_the_first_connection_to_a_registry_imports_nothing():
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout.strip() == "[]"
