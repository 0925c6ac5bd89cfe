"""The lane asks registries without loading what a stranger could reach over the network, or what it takes to believe one."""

from __future__ import annotations

import subprocess
import sys

LANE = """
import sys
import gate.processes.lane
print(sorted({"http.client", "joserfc", "cryptography", "rapidfuzz"} & set(sys.modules)))
"""


def test_the_lane_loads_no_http_no_signature_and_no_name():
    told = subprocess.run([sys.executable, "-c", LANE], capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout.strip() == "[]"
