"""Independent implementations of the chip's protocols, and how many sessions ours plays with each of them.

``--sessions N``: sessions per protocol and set of domain parameters, shared out among its ciphers and both roles; once more are asked
for than usual, N per cipher as well, and for PACE with generic mapping over curves N for each cipher over each curve.
``--interop-report FILE``: counts, seed and versions as JSON.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# The implementations are no tests: they are imported by name, beside the worked examples.
sys.path[:0] = [str(HERE), str(HERE.parent / "vectors")]

DEFAULT_SESSIONS = 16
"""Each cipher with each of our parts and, in chip authentication, with each version."""
SLOW_SESSIONS = 8
"""Each cipher with each of our parts."""
ASIDE = "aside"
"""First word of sessions that cannot agree, for a reason that was checked."""
DEFAULT_SEED = "1"
UNBOUNDED = 0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("interop")
    group.addoption("--sessions", type=int, default=DEFAULT_SESSIONS, help="sessions per protocol and domain parameters")
    group.addoption("--seed", default=DEFAULT_SEED, help="where all randomness of the sessions comes from")
    group.addoption("--interop-report", type=Path, default=None, help="write counts, seed and versions there, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    if many(config):
        config.option.verbose = max(config.option.verbose, 1)  # a line for each variant


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Nothing here hangs; a thousand sessions take longer than a test's usual limit."""
    if many(config):
        for item in items:
            if item.path.parent == HERE:
                item.add_marker(pytest.mark.timeout(UNBOUNDED))


TALLY = pytest.StashKey[Counter]()


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Counter[str]:
    """Sessions that went well, by protocol, parameters, cipher and role."""
    return request.config.stash.setdefault(TALLY, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash.get(TALLY, Counter())
    if not many(config) or not counts:
        return
    failed = len(terminalreporter.stats.get("failed", ()))
    sums = summed(counts)
    agreed = sum(sums["by_parameters"].values())
    report = {"seed": seed_of(config), "failed_tests": failed, "sessions": agreed, **versions(), **sums}
    terminalreporter.write_line(json.dumps(report, indent=1))
    path = config.getoption("--interop-report", None)
    if path is not None:
        path.write_text(json.dumps(report | {"counts": dict(counts)}, indent=1) + "\n", encoding="utf-8")


def summed(counts: Counter[str]) -> dict[str, dict[str, int]]:
    """By protocol and domain parameters; and by protocol and cipher over all of them."""
    by_parameters, by_cipher, aside = Counter(), Counter(), Counter()
    for label, count in counts.items():
        name, _, word = label.partition(": ")
        if word.startswith(ASIDE):
            aside[label] += count
            continue
        by_parameters[name] += count
        by_cipher[f"{name.partition('/')[0]} {word}"] += count
    return {"by_parameters": dict(by_parameters), "by_cipher_and_role": dict(by_cipher), "aside": dict(aside)}


@pytest.fixture
def sessions(request: pytest.FixtureRequest, tally: Counter[str]) -> Callable:
    """``sessions(name, run, slow=…, share=…)`` plays ``--sessions`` of them.

    Of slow ones fewer, unless more than usual are asked for; then ``share`` multiplies, so that each cipher gets its number.
    """
    from sessions import play

    asked = request.config.getoption("--sessions", DEFAULT_SESSIONS)

    def sessions(name: str, run: Callable, *, slow: bool = False, share: Fraction | int = 1) -> None:
        count = ceil(asked * share) if many(request.config) else min(asked, SLOW_SESSIONS) if slow else asked
        play(name, run, count=count, seed=seed_of(request.config), tally=tally)

    return sessions


def many(config: pytest.Config) -> bool:
    return config.getoption("--sessions", DEFAULT_SESSIONS) > DEFAULT_SESSIONS


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
