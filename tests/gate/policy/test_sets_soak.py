"""The long suites on signed rule sets see what they are for, and turn red as soon as a check is taken out."""

from __future__ import annotations

import random

import pytest

from benchmarks.soak_rules import MUST_SEE, killed_keepers, rule_sets
from benchmarks.soak_signed import believed_unchanged

CASES, KILLED = 150, 2


def words(case) -> set[str]:
    return {case(random.Random(number)) for number in range(CASES)}


def test_no_octet_of_a_signed_rule_set_can_be_changed():
    with believed_unchanged(rule_sets)() as case:
        assert words(case) >= {"STORE_NOT_SIGNED", "MALFORMED"}


def test_without_the_check_of_signatures_a_changed_statement_is_believed(monkeypatch):
    with believed_unchanged(lambda: rule_sets()[-1:])() as case:
        monkeypatch.setattr("pki.signed_statement._good", lambda *_: True)
        with pytest.raises(AssertionError):
            words(case)


def test_a_keeper_who_is_killed_leaves_a_store_that_is_whole():
    with killed_keepers() as case:
        assert {case(random.Random(number)) for number in range(KILLED)} <= MUST_SEE
