"""What a registry signs, and every way in which an answer may be somebody else's, somewhen else's, or nobody's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from gate.clock import WallFloor
from gate.registries import issuance
from gate.registries.base import Found, NotListed
from gate.registries.envelope import AnswerReader, EnvelopeError, private_key, public_key, signed, verified

SECRET = Ed25519PrivateKey.generate()
RAW = SECRET.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
KEY = OKPKey.import_key(SECRET.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
STRANGER = OKPKey.generate_key("Ed25519")
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
GATE, NONCE, BODY = "cgk-d07", "0f" * 16, b'{"question": 1}'
ACTIVE = {"answer": "found", "record": {"status": "active", "document_class": "ordinary"}}
HEADER = {"alg": "Ed25519", "typ": "registry-answer"}


def moment(seconds: float = 0.0) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


def claims(**changed: Any) -> dict[str, Any]:
    bound = {"registry": "issuance", "gate": GATE, "nonce": NONCE, "question": hashlib.sha256(BODY).hexdigest()}
    times = {"signed_at": moment(), "expires": moment(60), "as_of": moment(-5)}
    whole = bound | times | {"reply": ACTIVE} | changed
    return {name: value for name, value in whole.items() if value is not ...}


def segment(value: object) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def token(payload: object, header: object = HEADER, secret: Ed25519PrivateKey = SECRET) -> bytes:
    """A JWS that is signed, whatever its header says."""
    signing_input = segment(header) + b"." + segment(payload)
    return signing_input + b"." + segment(secret.sign(signing_input))


def reader(**options: Any) -> AnswerReader[Any]:
    return AnswerReader(issuance.CONTRACT, GATE, KEY, **{"wall": lambda: NOW, **options})


def read(raw: bytes, **options: Any) -> Any:
    return reader(**options).read(raw, BODY, NONCE, 1.0)


def why(raw: bytes, **options: Any) -> str:
    with pytest.raises(EnvelopeError) as refused:
        read(raw, **options)
    return refused.value.why


@pytest.mark.parametrize(("age_s", "copied"), [(0, False), (3_600, False), (3_601, True), (86_400, True)])
def test_a_registry_that_answers_from_an_old_copy_says_no_more_than_a_snapshot(age_s: int, *, copied: bool):
    for reply in (ACTIVE, {"answer": "not_listed"}):
        answer = read(token(claims(as_of=moment(-age_s), reply=reply)))
        assert answer.from_snapshot is copied
    known = issuance.issuance_fact(read(token(claims(as_of=moment(-age_s)))), "ordinary")
    assert (known.value, known.as_of) == ("active_in_snapshot" if copied else "active", NOW - timedelta(seconds=age_s))
    assert issuance.issuance_fact(answer, "ordinary").value == "not_found", "what speaks against somebody is as bad from there"


def test_a_clean_answer_is_read_with_its_age():
    answer = read(token(claims()))
    assert isinstance(answer, Found)
    assert (answer.source, answer.freshness_s, answer.reply.record.status) == ("issuance", 5.0, "active")
    assert isinstance(read(token(claims(reply={"answer": "not_listed"}))), NotListed)
    assert isinstance(read(signed(json.dumps(claims()).encode(), KEY, "answer").encode()), Found)


def test_a_forged_answer_is_forged():
    honest = token(claims())
    header, payload, signature = honest.split(b".")
    other = segment(claims(reply={"answer": "not_listed"}))
    by_hash = segment({"alg": "HS256", "typ": "registry-answer"}) + b"." + payload
    forgeries = [
        signed(json.dumps(claims()).encode(), STRANGER, "answer").encode(),
        header + b"." + other + b"." + signature,
        header + b"." + payload + b".",
        header + b"." + payload + b"." + signature[:-4],
        token(claims(), {"alg": "none"}),
        segment({"alg": "none"}) + b"." + payload + b".",
        by_hash + b"." + segment(hmac.digest(RAW, by_hash, "sha256")),  # the public key taken for a shared one
        token(claims(), {"alg": "EdDSA", "typ": "registry-answer"}),
        token(claims(), HEADER | {"jwk": STRANGER.as_dict(private=False)}),
        token(claims(), HEADER | {"kid": "1"}),
        token(claims(), HEADER | {"crit": ["exp"], "exp": 1}),
        token(claims(), {"alg": "Ed25519"}),
        token(claims(), {"alg": "Ed25519", "typ": "registry-snapshot"}),
    ]
    assert [why(forgery) for forgery in forgeries] == ["forged"] * len(forgeries)


def test_an_unencoded_payload_is_refused():
    header = segment(HEADER | {"b64": False, "crit": ["b64"]})
    signing_input = header + b"." + json.dumps(claims()).encode()
    assert why(signing_input + b"." + segment(SECRET.sign(signing_input))) in {"forged", "malformed"}


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"gate": "dps-d01"}, "misaddressed"),
        ({"registry": "connected_one"}, "misaddressed"),
        ({"nonce": "1f" * 16}, "replayed"),
        ({"question": "00" * 32}, "replayed"),
        ({"signed_at": moment(-61)}, "clock"),
        ({"signed_at": moment(61), "expires": moment(120)}, "clock"),
        ({"as_of": moment(61)}, "clock"),
        ({"signed_at": moment(-59), "expires": moment(-61), "as_of": moment(-59)}, "expired"),
        ({"expires": moment(-1)}, "expired"),  # it ended before it began
        ({"as_of": moment(-86_401)}, "stale"),
        ({"reply": {"answer": "perhaps"}}, "malformed"),
        ({"reply": ACTIVE | {"name": "x"}}, "malformed"),
        ({"reply": ...}, "malformed"),
        ({"nonce": ...}, "malformed"),
        ({"extra": 1}, "malformed"),
        ({"as_of": "2026-03-02T03:00:00"}, "malformed"),
        ({"gate": "cgk-d07\n"}, "malformed"),
    ],
)
def test_an_answer_that_is_not_exactly_right_is_refused_by_name(changed, refusal):
    assert why(token(claims(**changed))) == refusal


@pytest.mark.parametrize(
    "changed", [{"signed_at": moment(-60), "as_of": moment(-60)}, {"signed_at": moment(60), "expires": moment(90)}]
)
def test_clocks_may_differ_by_a_minute(changed):
    assert isinstance(read(token(claims(**changed))), Found)


def test_half_an_answer_is_malformed():
    honest = token(claims())
    assert {why(honest[:length]) for length in range(len(honest) - 90)} <= {"malformed", "forged"}
    assert why(honest[: len(honest) // 2]) == "malformed"


def test_data_that_were_rolled_back_are_refused_even_after_a_restart(tmp_path: Path):
    path = tmp_path / "issuance.newest"
    reading = reader(floor=WallFloor(path))
    assert isinstance(reading.read(token(claims()), BODY, NONCE, 1.0), Found)
    earlier = token(claims(as_of=moment(-3600)))
    with pytest.raises(EnvelopeError, match="rolled_back"):
        reading.read(earlier, BODY, NONCE, 1.0)
    assert why(earlier, floor=WallFloor(path)) == "rolled_back"
    assert isinstance(read(token(claims(as_of=moment(-60))), floor=WallFloor(path)), Found), "copies may lie a minute apart"
    assert isinstance(read(earlier), Found), "and nobody else remembers"


def test_whoever_lost_the_newest_state_believes_nobody(tmp_path: Path):
    (tmp_path / "newest").write_text("no time")
    assert why(token(claims()), floor=WallFloor(tmp_path / "newest")) == "rolled_back"


def test_a_forgery_moves_neither_the_newest_state_nor_the_clock():
    seen: list[datetime] = []
    reading = reader(saw=seen.append)
    for raw in (
        token(claims(as_of=moment(50)), secret=Ed25519PrivateKey.generate()),
        token(claims(gate="another", as_of=moment(50))),
    ):
        with pytest.raises(EnvelopeError):
            reading.read(raw, BODY, NONCE, 1.0)
    assert seen == []
    assert isinstance(reading.read(token(claims(as_of=moment(-30))), BODY, NONCE, 1.0), Found)
    assert seen == [NOW]


def test_a_clock_that_is_wrong_is_heard_of():
    seen: list[datetime] = []
    assert why(token(claims(signed_at=moment(7200), expires=moment(7260))), saw=seen.append) == "clock"
    assert seen == [NOW + timedelta(hours=2)]


# --- any bytes -------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*claims(), "alg", "typ", "b64", "crit"]), inner),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=80).map(lambda raw: b".".join([segment(raw)] * 3)))
def test_any_bytes_are_refused(raw):
    assert why(raw) in {"malformed", "forged"}


@settings(max_examples=100, deadline=None)
@given(JSON, JSON)
def test_any_signed_json_but_an_answer_is_refused(header, payload):
    assert why(token(payload, header)) in {"malformed", "forged"}
    assert why(token(payload)) == "malformed"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["answer", "snapshot"]))
def test_what_was_signed_comes_back(payload, kind):
    raw = signed(payload, KEY, kind).encode()
    assert verified(raw, KEY, kind) == payload
    other = "snapshot" if kind == "answer" else "answer"
    with pytest.raises(EnvelopeError, match="forged"):
        verified(raw, KEY, other)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_answer_with_a_byte_changed_counts(data):
    raw = bytearray(token(claims()))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    assert why(bytes(raw)) in {"malformed", "forged"}


# --- keys --------------------------------------------------------------------------------------------------------------------


def test_a_key_is_read_from_pem_and_anything_else_is_said(tmp_path: Path):
    secret = SECRET.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = SECRET.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    wrong_curve = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, content in {"secret": secret, "public": public, "p256": wrong_curve, "text": b"no key"}.items():
        (tmp_path / name).write_bytes(content)
    assert (
        verified(signed(b"x", private_key(tmp_path / "secret"), "answer").encode(), public_key(tmp_path / "public"), "answer")
        == b"x"
    )
    for name in ("secret", "p256", "text"):
        with pytest.raises(ValueError, match="Ed25519"):
            public_key(tmp_path / name)
    with pytest.raises(ValueError, match="private"):
        private_key(tmp_path / "public")
    with pytest.raises(OSError):
        public_key(tmp_path / "absent")


def test_what_is_asked_is_in_no_trace():
    question = issuance.IssuanceQuestion(issuing_state="IDN", document_number="X1234567")
    assert "X1234567" not in repr(question)
    assert "X1234567" in msgspec.json.encode(question).decode()
