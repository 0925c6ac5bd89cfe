"""The gate of the edge's tests, beside a real broker."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "gate/fleet"))

from edge_gate import Gate


@pytest.fixture
def gate(tmp_path):
    (tmp_path / "state").mkdir()
    gate = Gate(tmp_path / "state")
    yield gate
    gate.close()
