"""The suite guards each check: with the check taken out, a case of its theme turns red."""

from __future__ import annotations

import pytest
from catalogue import CASES
from inspection import answer, fits

from pki.revocation import Revocation

NOTHING, TRUE = (lambda *_: None), (lambda *_: True)
DEFECTS = {
    "pki.cms_signature.signed_by": (TRUE, "algorithms"),
    "pki.proof.check_attributes": (NOTHING, "attributes"),
    "pki.proof.check_signature": (NOTHING, "pss"),
    "pki.signatures._serves": (TRUE, "algorithms"),
    "pki.certificates.Certificate.may_issue": (True, "path"),
    "pki.path._problem": (NOTHING, "path"),
    "pki.proof._check_entitled": (NOTHING, "certificates"),
    "pki.proof.check_valid": (NOTHING, "validity"),
    "pki.proof.country_of": (lambda certificate, _csca: certificate.subject.country, "countries"),
    "pki.proof.check_not_revoked": (lambda *_: Revocation.GOOD, "revocation"),
    "pki.passive_authentication._check_hashes": (NOTHING, "data_groups"),
    "pki.passive_authentication._check_issuing_state": (lambda *_: "UTO", "countries"),
    "pki.passive_authentication._check_document_type": (lambda *_: "P", "document_types"),
    "pki.chip_authenticity._bound": (TRUE, "chip"),
    "pki.chip_authenticity.answers": (TRUE, "attacks"),
    "pki.chip_authenticity._maps": (TRUE, "access"),
}


@pytest.mark.parametrize("check", DEFECTS)
@pytest.mark.conforms("Doc 9303-11 §4.4.3.3", "defect", case="pki.chip_authenticity._maps")
@pytest.mark.conforms("Doc 9303-11 §5.1", "defect", case="pki.passive_authentication._check_hashes")
@pytest.mark.conforms("Doc 9303-11 §5.1", "defect", case="pki.proof.check_attributes")
@pytest.mark.conforms("Doc 9303-11 §5.1", "defect", case="pki.proof.check_signature")
@pytest.mark.conforms("Doc 9303-11 §6.1", "defect", case="pki.chip_authenticity.answers")
@pytest.mark.conforms("Doc 9303-11 §6.2", "defect", case="pki.chip_authenticity._bound")
@pytest.mark.conforms("Doc 9303-12 §7.1, chain", "defect", case="pki.path._problem")
@pytest.mark.conforms("Doc 9303-12 §7.1, chain", "defect", case="pki.certificates.Certificate.may_issue")
@pytest.mark.conforms("Doc 9303-12 §7.1, validity", "defect", case="pki.proof.check_valid")
@pytest.mark.conforms("Doc 9303-12 §7.1.1, profile", "defect", case="pki.proof._check_entitled")
@pytest.mark.conforms("Doc 9303-12 §7.1.1, country", "defect", case="pki.proof.country_of")
@pytest.mark.conforms("Doc 9303-12 §7.1.1, country", "defect", case="pki.passive_authentication._check_issuing_state")
@pytest.mark.conforms("Doc 9303-12 §7.1.1, document types", "defect", case="pki.passive_authentication._check_document_type")
@pytest.mark.conforms("Doc 9303-12 §7.1.4", "defect", case="pki.proof.check_not_revoked")
@pytest.mark.conforms("TR-03135-1 §5.6.4.5", "defect", case="pki.passive_authentication._check_issuing_state")
def test_without_the_check_a_case_of_its_theme_turns_red(check: str, monkeypatch: pytest.MonkeyPatch):
    replacement, theme = DEFECTS[check]
    cases = [each for each in CASES.values() if each.theme == theme and not each.pending]
    assert all(fits(each.expect, answer(each.build())) for each in cases)
    monkeypatch.setattr(check, replacement)
    assert not all(fits(each.expect, answer(each.build())) for each in cases)
