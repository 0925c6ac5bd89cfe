"""What two people sign about a package: nothing but that, and by two."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gate.release.command import drafted
from gate.release.statement import Release, ReleaseRefused, is_version, order, people, read_signers, read_statement
from gate.signer_key import public_hex
from pki.errors import PkiError
from pki.signed_statement import SignedStatement, parse_signed

VERSIONS = st.lists(st.integers(0, 99_999), min_size=2, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))
ANA, BUDI = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
SIGNERS = {public_hex(ANA): "ana", public_hex(BUDI): "budi"}


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "autogate_1.2_amd64.deb"
    path.write_bytes(b"what is in it")
    return path


@pytest.fixture
def one(package) -> Release:
    return drafted(package, "autogate", "1.2", minimum="1.1")


def test_two_people_are_enough_and_one_with_two_keys_is_not(one):
    signed = SignedStatement(statement=one).signed_with(ANA)
    with pytest.raises(ReleaseRefused) as refused:
        people(signed, SIGNERS)
    assert refused.value.code == "unsigned"
    other = Ed25519PrivateKey.generate()
    with pytest.raises(ReleaseRefused):
        people(signed.signed_with(other), SIGNERS | {public_hex(other): "ana"})
    assert people(signed.signed_with(BUDI), SIGNERS) == ("ana", "budi")


def test_a_signature_counts_for_the_very_statement_alone(one):
    signed = SignedStatement(statement=one).signed_with(ANA).signed_with(BUDI)
    for change in ({"minimum": "1.0"}, {"release": "1.3"}, {"store": "0" * 64}, {"package": "autogate-demo"}):
        with pytest.raises(ReleaseRefused):
            people(replace(signed, statement=replace(one, **change)), SIGNERS)


def test_a_signature_for_rules_or_trust_stores_is_none_for_a_package(one):
    class Other(Release):
        CONTEXT = b"autogate trust statement 1\n"

    elsewhere = SignedStatement(statement=Other(**asdict(one))).signed_with(ANA).signed_with(BUDI)
    with pytest.raises(ReleaseRefused):
        people(replace(elsewhere, statement=one), SIGNERS)


@pytest.mark.parametrize(
    "change",
    [
        {"release": "1.2-1"},
        {"release": "01.2"},
        {"release": "1"},
        {"minimum": "1.3"},
        {"package": "autogate; rm"},
        {"action": "rollback"},
        {"sequence": 2},
        {"store": "x"},
        {"release": 12},
    ],
)
def test_a_statement_that_says_something_else_is_none(one, change):
    with pytest.raises(PkiError):
        parse_signed(SignedStatement(statement=replace(one, **change)).encoded, Release)


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f'{{"statement": {text}, "signatures": {{}}}}'.encode()))
def test_any_octets_are_a_statement_or_refused(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("statement") / "x.release"
    path.write_bytes(raw)
    with pytest.raises(ReleaseRefused) as refused:
        read_statement(path)
    assert refused.value.code == "malformed"


def test_no_statement_is_no_signature(tmp_path):
    with pytest.raises(ReleaseRefused) as refused:
        read_statement(tmp_path / "absent.release")
    assert refused.value.code == "unsigned"


@given(VERSIONS, VERSIONS)
def test_versions_have_an_order_and_equal_ones_are_equal_texts(one, other):
    assert (order(one) == order(other)) == (one == other)
    assert (order(one) < order(other)) != (order(other) <= order(one))


@given(st.text(max_size=20))
def test_whatever_is_no_version_has_no_place_in_the_order(text):
    if not is_version(text):
        with pytest.raises(ReleaseRefused):
            order(text)


def test_ten_comes_after_nine():
    assert order("0.10.0") > order("0.9.9") > order("0.9")


def test_a_release_follows_the_one_before_and_its_minimum_never_falls(package, one):
    after = drafted(package, "autogate", "1.3", one)
    assert (after.version, after.replaces, after.minimum) == (2, one.digest, "1.1")
    for version, minimum, code in (("1.2", "", "not_newer"), ("1.1", "", "not_newer"), ("1.3", "1.0", "below_minimum")):
        with pytest.raises(ReleaseRefused) as refused:
            drafted(package, "autogate", version, one, minimum=minimum)
        assert refused.value.code == code
    with pytest.raises(ReleaseRefused):
        drafted(package, "autogate-demo", "1.3", one)


def test_the_first_release_lets_nothing_older_run(package):
    assert drafted(package, "autogate", "1.2").minimum == "1.2"


@pytest.mark.parametrize(
    "text",
    ["", "# nobody\n", f"ana:{public_hex(ANA)}\n", "ana:xyz\nbudi:xyz\n", f"ana:{public_hex(ANA)}\nana:{public_hex(BUDI)}\n"],
    ids=["nobody", "a comment alone", "one person", "no keys", "one person twice"],
)
def test_signers_that_are_not_two_people_are_refused(tmp_path, text):
    (tmp_path / "signers").write_text(text, encoding="ascii")
    with pytest.raises(ReleaseRefused):
        read_signers(tmp_path / "signers")


def test_signers_may_have_comments(tmp_path):
    lines = "".join(f"{name}:{key}   # of the release office\n\n" for key, name in SIGNERS.items())
    (tmp_path / "signers").write_text(f"# who signs\n{lines}", encoding="ascii")
    assert read_signers(tmp_path / "signers") == SIGNERS
