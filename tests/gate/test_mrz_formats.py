"""Only passports pass: a card or a visa is read, and goes to a person."""

from __future__ import annotations

import random
from datetime import date

import pytest

import mrz
from gate.evidence import CheckResult
from gate.inspection import inspect_mrz
from mrz.sim import pretend_fields


@pytest.mark.parametrize("name", ["TD1", "TD2", "MRV-A", "MRV-B"])
def test_a_document_that_is_no_passport_is_not_read_on(name):
    record, facts = inspect_mrz(mrz.compose(name, **pretend_fields(random.Random(5), name)), date(2026, 11, 23))
    assert record is None
    assert (facts["mrz"].value, facts["mrz"].result, facts["mrz"].code) == ("malformed", CheckResult.FAILED, f"FORMAT_{name}")


def test_a_passport_is():
    record, facts = inspect_mrz(mrz.compose("TD3", **pretend_fields(random.Random(5), "TD3")), date(2026, 11, 23))
    assert record is not None
    assert facts["mrz"].value == "read"
