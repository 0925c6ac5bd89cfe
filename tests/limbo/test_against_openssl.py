"""An independent judge of the forge: what OpenSSL says of the signature in each case, and why it differs where it does.

``openssl cms -verify -noverify`` looks at one message: digest, attributes, signature; not at chains, data groups or Doc 9303.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from catalogue import CASES
from inspection import Case

from pki import der

THEMES = frozenset({"algorithms", "attributes", "pss"})
BROKEN = ("Rejected/SIGNATURE_INVALID", "Rejected/MESSAGE_DIGEST_MISMATCH")
DIFFERS = {
    "hash_of_the_signature_may_differ_from_the_digest": "takes the digest's hash for the signature, whatever its identifier says",
    "empty_parameters_mean_sha1_and_twenty": "wants the hash of PSS to be that of the digest",
    "rsa_signature_under_an_ec_key": "takes the kind of signature from the key, whatever the SignerInfo says",
    "attributes_sent_unsorted": "verifies the attributes in the order they were sent in",
    "signature_over_the_unsorted_set": "verifies the attributes in the order they were sent in",
}
ASKED = [
    each
    for each in CASES.values()
    if each.theme in THEMES and not each.pending and each.id not in DIFFERS and each.expect.document in ("Authentic", *BROKEN)
]


@pytest.fixture(scope="module")
def openssl() -> str:
    command = shutil.which("openssl")
    if command is None:
        (pytest.fail if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip)("the openssl command is absent")
    return command


@pytest.mark.parametrize("each", ASKED, ids=lambda each: each.id)
def test_openssl_says_of_the_signature_what_the_case_says(openssl: str, each: Case, tmp_path):
    message = tmp_path / "message"
    message.write_bytes(der.read(each.build().sod).only_child().encoded)
    command = [openssl, "cms", "-verify", "-noverify", "-inform", "DER", "-in", message, "-out", os.devnull]
    verified = subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    assert verified == (each.expect.document == "Authentic")


def test_differences_are_of_cases_that_are_there():
    assert set(CASES) >= set(DIFFERS)
