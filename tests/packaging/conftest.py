"""``packaging/`` holds programs, no package: here its modules are importable by their names."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packaging"))


def _needs(program: str, package: str) -> None:
    if shutil.which(program) is None:
        what = f"{program} is absent (Debian: {package})"
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)(what)


@pytest.fixture(scope="session")
def systemd_analyze() -> None:
    """Units can be examined here."""
    _needs("systemd-analyze", "systemd")


@pytest.fixture(scope="session")
def dpkg_deb() -> None:
    """Packages can be made here."""
    _needs("dpkg-deb", "dpkg")
