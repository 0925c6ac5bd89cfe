"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

# Before anything imports onnxruntime: a border gate phones nobody (facts: importing alone would write an identity file).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pytest
from hypothesis import HealthCheck, settings

# Two cores are shared with the gate's processes: how long one example takes says nothing.
settings.register_profile("autogate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("autogate")

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIRE_ALL = os.environ.get("AUTOGATE_REQUIRE_ALL") == "1"


FIRST = ("demo", "processes", "pcsc", "browser", "controller")
"""Folders whose tests mostly wait for doors and pages: they start first, so that the others fill the gaps."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow folders go first. (`make test` gives each worker whole files, so that costly fixtures are made once.)"""
    items.sort(key=lambda item: FIRST.index(item.path.parent.name) if item.path.parent.name in FIRST else len(FIRST))


def absent(what: str) -> None:
    """Skip with the reason, or fail where every real component is required (CI)."""
    if REQUIRE_ALL:
        pytest.fail(f"AUTOGATE_REQUIRE_ALL=1, but {what}")
    pytest.skip(what)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder ../shared with models, certificates and vectors."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        absent("the folder ../shared is absent")
    return folder
