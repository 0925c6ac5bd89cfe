"""Fixtures that several suites share. Floors stand in the same group as what they are the floor of."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before anything imports ONNX Runtime

import pytest

from benchmarks.machine import REPOSITORY, facts
from benchmarks.passports import Book, issue
from faceverify.packs import Pack, demo_pack, install_open_pack


def pytest_report_header() -> str:
    """What the figures below were measured on."""
    told = facts()
    return (
        f"{told['cpu']}, {told['cores']} cores, load {told['load'][0]}, commit {told['commit'][:12]}, changed: {told['changed']}"
    )


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """What `make bench-report` must know of a run beside its times."""
    asked = [word for word in config.invocation_params.args if not word.startswith("--benchmark-json")]
    output_json["autogate"] = {"machine": facts(), "arguments": asked}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a benchmark has to say beside its time (APDUs, stages, shapes); the JSON holds it too."""
    session = getattr(terminalreporter.config, "_benchmarksession", None)
    for bench in session.benchmarks if session else ():
        if bench.extra_info:
            terminalreporter.write_line(
                f"{bench.name}: " + ", ".join(f"{name} {what}" for name, what in bench.extra_info.items())
            )


@pytest.fixture(scope="session")
def book() -> Book:
    """An ordinary passport of a pretend State."""
    return issue()


@pytest.fixture(scope="session", params=["demo", "open"])
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Each face pack that is at hand."""
    if request.param == "demo":
        return demo_pack(tmp_path_factory.mktemp("packs"))
    models = REPOSITORY.parent / "shared" / "models"
    if not models.is_dir():
        pytest.skip("the folder ../shared/models is absent: no open pack")
    return install_open_pack(models, tmp_path_factory.mktemp("open") / "open")


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder on the disk that the repository lies on: the temporary folder may be memory."""
    state = REPOSITORY / ".state"
    state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=state) as name:
        yield Path(name)
