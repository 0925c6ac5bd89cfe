"""The long suites beside OpenSSL and asn1crypto turn red as soon as we alone believe something."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace

import pytest

from benchmarks import soak_oracles
from pki.certificates import parse_certificate

CASES = 600


@pytest.fixture(autouse=True)
def library():
    try:
        soak_oracles.OpenSsl()
    except OSError as error:
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)(f"OpenSSL's library is absent: {error}")


def words(case) -> Counter[str]:
    return Counter(case(random.Random(number)) for number in range(CASES))


@pytest.mark.parametrize(
    ("suite", "check"),
    [
        (soak_oracles.documents, "pki.proof.check_attributes"),
        (soak_oracles.documents, "pki.cms_signature.signed_by"),
        (soak_oracles.documents, "pki.certificates.signed_by"),
        (soak_oracles.certificates, "pki.certificates.signed_by"),
    ],
)
def test_a_check_that_is_taken_out_is_missed(suite, check, monkeypatch):
    with suite() as case:
        monkeypatch.setattr(check, lambda *_: True)
        with pytest.raises(AssertionError):
            words(case)


def test_a_field_that_is_read_wrongly_is_missed(monkeypatch):
    def careless(encoded: bytes):
        found = parse_certificate(encoded)
        return replace(found, serial=abs(found.serial) + 1)

    with soak_oracles.certificates() as case:
        monkeypatch.setattr(soak_oracles, "parse_certificate", careless)
        with pytest.raises(AssertionError, match="serial"):
            words(case)


def test_both_answers_are_met_and_every_disagreement_has_its_reason():
    with soak_oracles.documents() as case:
        found = words(case)
    assert found["both accept"]
    assert found["both refuse"]
