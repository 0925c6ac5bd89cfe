"""Certificates of the fleet: what stands in them, and whose they can never be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from hypothesis import given
from hypothesis import strategies as st

from gate.fleet.keys.authority import (
    LIFE,
    RENEW,
    is_renewal_due,
    load_authority,
    new_authority,
    request_for,
    requested_key,
    user_of,
)
from gate.fleet.keys.directory import Entry, KeysError, Revoked

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
AUTHORITY = new_authority("Test fleet", NOW)
KEY = ec.generate_private_key(ec.SECP256R1())
ENTRY = Entry(purpose="gate", name="CGK.D07", public="ab" * 32, since=NOW, until=NOW + timedelta(days=400))


def issued(entry=ENTRY, **more):
    return x509.load_pem_x509_certificate(AUTHORITY.issue(request_for(KEY, "CGK.D07"), entry, NOW, **more))


def test_a_gates_certificate_names_gate_and_key_and_serves_clients_alone():
    found = issued()
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [user_of(ENTRY)] == [f"autogate:gate:CGK.D07:{ENTRY.id.hex()}"]
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert found.public_key() == KEY.public_key()
    verifier = PolicyBuilder().store(Store([AUTHORITY.certificate])).time(NOW).build_client_verifier()
    assert verifier.verify(found, [])


def test_two_keys_under_one_name_are_two_users():
    other = Entry(purpose="gate", name="CGK.D07", public="cd" * 32, since=NOW, until=ENTRY.until)
    assert user_of(other) != user_of(ENTRY)


def test_a_certificate_ends_with_its_entry_or_after_ninety_days():
    assert issued().not_valid_after_utc == NOW + LIFE
    short = Entry(purpose="gate", name="CGK.D07", public="ab" * 32, since=NOW, until=NOW + timedelta(days=3))
    assert issued(short).not_valid_after_utc == short.until


def test_nobody_gets_a_certificate_for_a_key_that_does_not_count():
    for entry in (
        Entry(purpose="gate", name="CGK.D07", public="ab" * 32, since=NOW, until=NOW),
        Entry(
            purpose="gate",
            name="CGK.D07",
            public="ab" * 32,
            since=NOW,
            until=ENTRY.until,
            revoked=Revoked(at=NOW, because="stolen"),
        ),
    ):
        with pytest.raises(KeysError, match="does not count"):
            issued(entry)


def test_what_a_request_wishes_for_besides_its_key_is_not_granted():
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CGK.D08")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("broker.example")]), critical=False)
        .sign(KEY, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    found = x509.load_pem_x509_certificate(AUTHORITY.issue(greedy, ENTRY, NOW))
    assert found.subject == issued().subject
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [user_of(ENTRY)]


def test_a_request_is_of_a_key_that_is_allowed_and_that_signed_it():
    def request(key, algorithm):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CGK.D07")])
        return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm)

    assert requested_key(request(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM))
    for weak in (rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP384R1())):
        with pytest.raises(KeysError):
            requested_key(request(weak, hashes.SHA256()).public_bytes(Encoding.PEM))
    der = bytearray(request(KEY, hashes.SHA256()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    with pytest.raises(KeysError):
        requested_key(x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM))


@given(st.binary(max_size=300))
def test_any_bytes_are_no_request(raw):
    with pytest.raises(KeysError):
        requested_key(raw)


DER = x509.load_pem_x509_csr(request_for(KEY, "CGK.D07")).public_bytes(Encoding.DER)


@given(st.integers(0, len(DER) - 1), st.integers(1, 255))
def test_a_changed_request_is_refused(at, change):
    import base64

    altered = bytearray(DER)
    altered[at] ^= change
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(bytes(altered)) + b"-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(KeysError):
        requested_key(pem)


def test_a_server_is_a_server_alone():
    found = x509.load_pem_x509_certificate(
        AUTHORITY.issue_server(request_for(KEY, "broker"), ["broker.example", "10.0.0.1"], NOW)
    )
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    verifier = (
        PolicyBuilder().store(Store([AUTHORITY.certificate])).time(NOW).build_server_verifier(x509.DNSName("broker.example"))
    )
    assert verifier.verify(found, [])
    with pytest.raises(KeysError):
        AUTHORITY.issue_server(request_for(KEY, "broker"), [], NOW)


def test_a_certificate_is_renewed_in_its_last_third():
    pem = AUTHORITY.issue(request_for(KEY, "CGK.D07"), ENTRY, NOW)
    assert not is_renewal_due(pem, NOW + LIFE - RENEW - timedelta(hours=1))
    assert is_renewal_due(pem, NOW + LIFE - RENEW + timedelta(hours=1))
    with pytest.raises(KeysError):
        is_renewal_due(b"", NOW)


def test_an_authority_is_kept_once_and_with_its_own_key(tmp_path):
    AUTHORITY.save(tmp_path)
    assert load_authority(tmp_path).pem == AUTHORITY.pem
    assert (tmp_path / "authority.key").stat().st_mode & 0o077 == 0
    with pytest.raises(OSError, match="exists"):
        AUTHORITY.save(tmp_path)
    (tmp_path / "authority.pem").write_bytes(new_authority("Another", NOW).pem)
    with pytest.raises(KeysError, match="not the key"):
        load_authority(tmp_path)
