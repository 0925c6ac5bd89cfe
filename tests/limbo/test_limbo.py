"""Every case of the suite is answered as its clause says."""

from __future__ import annotations

import pytest
from catalogue import CASES
from inspection import Case, answer, fits


def _marked(each: Case):
    return pytest.param(
        each,
        id=each.id,
        marks=[pytest.mark.xfail(reason=each.pending, raises=AssertionError, strict=True)] if each.pending else [],
    )


@pytest.mark.parametrize("each", [_marked(each) for each in CASES.values()])
def test_inspection_is_answered_as_the_clause_says(each: Case):
    made = each.build()
    try:
        found = answer(made)
    except Exception as error:
        raise AssertionError(f"{each.id} raised {type(error).__name__}: {error}") from error
    assert fits(each.expect, found), f"{found} instead of {each.expect}: {each.clause}: {each.words}"
