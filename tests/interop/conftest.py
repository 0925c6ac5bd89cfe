"""Independent implementations of the chip's protocols, and how many sessions ours plays with each of them.

``--sessions N``: sessions per protocol and set of domain parameters, shared out among its ciphers and both roles.
``--interop-report FILE``: counts, seed and versions as JSON.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# The implementations are no tests: they are imported by name, beside the worked examples.
sys.path[:0] = [str(HERE), str(HERE.parent / "vectors")]

DEFAULT_SESSIONS = 20
SLOW_SESSIONS = 8
"""Each cipher with each of our parts."""
DEFAULT_SEED = "1"
UNBOUNDED = 0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("interop")
    group.addoption("--sessions", type=int, default=DEFAULT_SESSIONS, help="sessions per protocol and domain parameters")
    group.addoption("--seed", default=DEFAULT_SEED, help="where all randomness of the sessions comes from")
    group.addoption("--interop-report", type=Path, default=None, help="write counts, seed and versions there, as JSON")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Nothing here hangs; a thousand sessions take longer than a test's usual limit."""
    if config.getoption("--sessions", DEFAULT_SESSIONS) > DEFAULT_SESSIONS:
        for item in items:
            if item.path.parent == HERE:
                item.add_marker(pytest.mark.timeout(UNBOUNDED))


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Sessions that went well, by protocol, parameters, cipher and role."""
    counts: Counter[str] = Counter()
    yield counts
    path = request.config.getoption("--interop-report", None)
    if path is not None:
        failed = request.session.testsfailed
        facts = {
            "seed": seed_of(request.config),
            "failed_tests": failed,
            "sessions": sum(counts.values()),
            "counts": dict(counts),
        }
        path.write_text(json.dumps(facts | versions(), indent=1) + "\n", encoding="utf-8")


@pytest.fixture
def sessions(request: pytest.FixtureRequest, tally: Counter[str]) -> Callable:
    """``sessions(name, run, slow=False)`` plays ``--sessions`` of them; of slow ones, unless more than usual are asked for, fewer."""
    from sessions import play

    asked = request.config.getoption("--sessions", DEFAULT_SESSIONS)

    def sessions(name: str, run: Callable, *, slow: bool = False) -> None:
        count = min(asked, SLOW_SESSIONS) if slow and asked <= DEFAULT_SESSIONS else asked
        play(name, run, count=count, seed=seed_of(request.config), tally=tally)

    return sessions


@pytest.fixture(scope="session")
def openpace():
    """The binding, once the library is there."""
    import openpace

    try:
        openpace.library()
    except OSError as error:
        reason = f"OpenPACE is absent ({error})"
        if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1":
            pytest.fail(f"AUTOGATE_REQUIRE_ALL=1, but {reason}")
        pytest.skip(reason)
    return openpace


def seed_of(config: pytest.Config) -> str:
    return config.getoption("--seed", DEFAULT_SEED)


def versions() -> dict[str, str]:
    import cryptography
    import openpace

    try:
        counterpart = openpace.version()
    except OSError:
        counterpart = "absent"
    return {"python": platform.python_version(), "cryptography": cryptography.__version__, "openpace": counterpart}
