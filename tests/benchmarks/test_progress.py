"""The bar: what it says, and that nothing is written where nobody looks."""

from __future__ import annotations

import io
import sys

import pytest

from benchmarks import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_says_how_much_is_done_and_how_long_the_rest_takes():
    assert progress.line(1, 4, "kills", 10.0) == f"kills [{'#' * 7}{'.' * 23}] 1 of 4, about 30 s left"
    assert progress.line(0, 0, "none", 0.0).endswith("0 of 0, about 0 s left")
    assert progress.line(5, 4, "repeated", 10.0).startswith(f"repeated [{'#' * 30}] 5 of 4, about 0 s")


def test_a_terminal_sees_it_and_is_left_with_an_empty_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    assert list(progress.bar(["a", "b"], "letters")) == ["a", "b"]
    assert "1 of 2" in terminal.getvalue()
    assert "2 of 2" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_file_sees_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    assert list(progress.bar(range(3), "numbers")) == [0, 1, 2]
    assert file.getvalue() == ""


def test_an_exception_of_the_work_passes_and_the_line_is_cleared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    steps = progress.bar([1, 2], "steps")
    assert next(steps) == 1
    steps.close()
    assert terminal.getvalue() == "\r\x1b[K"
