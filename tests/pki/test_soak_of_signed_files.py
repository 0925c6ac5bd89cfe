"""The long suites on signed files turn red as soon as a check is taken out."""

from __future__ import annotations

import random

import pytest

from benchmarks import soak_signed
from benchmarks.soak_cases import Case
from benchmarks.soak_signed import BELIEVED, believed_unchanged

CASES = 1500
"""With these defects, all but the rarest dice find a false accept within a hundred."""
DEFECTS = (
    ("documents", "pki.proof.check_attributes"),
    ("card_securities", "pki.cms_signature.signed_by"),
    ("master_lists", "pki.signed_list.check_attributes"),
    ("trust_files", "pki.signed_statement._good"),
    ("trust_files", "pki.trust_versions._has_digest"),
    ("certificates", "pki.certificates.signed_by"),
    ("revocation_lists", "pki.revocation._signed"),
)


def words(case: Case) -> set[str]:
    return {case(random.Random(number)) for number in range(CASES)}


@pytest.mark.parametrize(("what", "defect"), DEFECTS)
def test_without_the_check_a_changed_file_is_believed(what: str, defect: str, monkeypatch: pytest.MonkeyPatch):
    with believed_unchanged(getattr(soak_signed, what))() as case:
        monkeypatch.setattr(defect, lambda *_: True)
        with pytest.raises(AssertionError):
            words(case)


def test_what_is_not_signed_may_change():
    """Version numbers and announced algorithms, say: else the suites would only show that nothing is ever believed."""
    with believed_unchanged(soak_signed.card_securities)() as case:
        assert BELIEVED in words(case)
