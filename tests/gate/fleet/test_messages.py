"""Envelopes: what was signed comes back; anything else is refused by name."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gate.audit.note import FileSigner
from gate.fleet.messages import (
    MOST_MESSAGE,
    Envelope,
    EnvelopeError,
    Parcel,
    Receipt,
    Row,
    believed,
    gate_id,
    gate_of,
    key_id,
    message_id,
    sealed,
    subject,
)

SIGNER = FileSigner(name="collector", key=Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
RECEIPT = Receipt(gate="CGK.D07", log="0" * 16, through=7, hash=b"\x02" * 32, at="2026-11-23T10:00:00+00:00")


class OneKey:
    def public(self, key, gate, purpose):
        if key != key_id(SIGNER.public):
            raise EnvelopeError("unknown_key", key.hex())
        return SIGNER.public


def refusal(raw, kind=Receipt):
    with pytest.raises(EnvelopeError) as caught:
        believed(raw, kind, OneKey(), "collector")
    return caught.value.code


def test_what_was_signed_is_believed():
    assert believed(sealed(SIGNER, RECEIPT), Receipt, OneKey(), "collector") == RECEIPT


def test_every_changed_byte_is_refused():
    raw = sealed(SIGNER, RECEIPT)
    for at in range(len(raw)):
        assert refusal(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]) in {"malformed", "unknown_key", "forged", "other_format"}


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_by_name(raw):
    assert refusal(raw) == "malformed"


def test_a_receipt_is_no_parcel():
    assert refusal(sealed(SIGNER, RECEIPT), Parcel) == "malformed"


def test_another_format_is_refused():
    assert refusal(sealed(SIGNER, msgspec.structs.replace(RECEIPT, format=2))) == "other_format"


def test_an_oversized_message_is_refused_unread():
    assert refusal(bytes(MOST_MESSAGE + 1)) == "oversized"


def test_another_signer_is_unknown():
    other = FileSigner(name="x", key=Ed25519PrivateKey.from_private_bytes(b"\x03" * 32))
    assert refusal(sealed(other, RECEIPT)) == "unknown_key"
    told = msgspec.msgpack.decode(sealed(other, RECEIPT), type=Envelope)
    assert refusal(msgspec.msgpack.encode(msgspec.structs.replace(told, key=key_id(SIGNER.public)))) == "forged"


def test_subjects_name_a_gate_in_two_tokens():
    assert gate_of(subject(gate_id("CGK", "D-07"), "crossing")) == "CGK.D-07"
    for hostile in ("autogate.*.>.record", "autogate.CGK", "autogate.cgk.D07.record", "autogate.CGK.D 7.record", ""):
        assert gate_of(hostile) == ""
    with pytest.raises(ValueError, match="letters"):
        gate_id("CGK", "D.07")


def test_a_parcel_sent_again_has_its_first_id():
    row = Row(3, b"a", 0.0, b"t", b"event", b"{}", b"\0" * 32, b"\1" * 32)
    parcel = Parcel(gate="CGK.D07", log="0" * 16, start=b"\0" * 32, rows=(row,))
    assert message_id(parcel) == message_id(msgspec.structs.replace(parcel))
    assert message_id(parcel) != message_id(msgspec.structs.replace(parcel, log="1" * 16))
