"""The licence file of insightface weights: signed, for this model, valid today, or an error; none is the non-commercial grant."""

import base64
import json
from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from faceverify.description import PackError
from gate.model_licence import FILE, NO_FILE, PUBLISHER_KEY, read_licence, signed_bytes

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = PRIVATE.public_key().public_bytes_raw()
SOUND = {
    "license_version": 1,
    "license_id": "L-7",
    "issuer": "InsightFace",
    "model_id": "buffalo_l",
    "grant": "commercial",
    "customer": "Bandara “Contoh”",
    "valid_from": "2026-01-01T00:00:00Z",
    "valid_until": "2027-01-01T00:00:00Z",
}


def write(folder, document):
    signature = base64.urlsafe_b64encode(PRIVATE.sign(signed_bytes(document))).rstrip(b"=").decode()
    (folder / FILE).write_text(json.dumps(document | {"signature": signature}, indent=2))


def read(folder):
    return read_licence(folder, "buffalo_l", NOW, KEY)


def without(*names):
    return {name: value for name, value in SOUND.items() if name not in names}


def test_a_commercial_licence_names_its_holder_and_its_last_day(tmp_path):
    write(tmp_path, SOUND)
    licence = read(tmp_path)
    assert (licence.grant, licence.until) == ("commercial", date(2026, 12, 31)), "midnight begins a day that it does not cover"
    assert "L-7" in licence.text
    assert "Contoh" in licence.text


def test_no_file_is_the_non_commercial_grant_and_so_is_one_that_says_so(tmp_path):
    assert read(tmp_path) is NO_FILE
    assert NO_FILE.grant == "non_commercial"
    write(tmp_path, without("customer", "valid_until") | {"grant": "non-commercial"})
    assert read(tmp_path).grant == "non_commercial"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (SOUND | {"valid_until": "2026-11-23T00:00:00Z"}, "not valid now"),
        (SOUND | {"valid_from": "2026-11-24T00:00:00Z"}, "not valid now"),
        (SOUND | {"valid_from": "2026-01-01"}, "no UTC time"),
        (SOUND | {"model_id": "buffalo_s"}, "not for buffalo_l"),
        (SOUND | {"issuer": "Somebody"}, "not for buffalo_l"),
        (SOUND | {"license_version": 2}, "not for buffalo_l"),
        (SOUND | {"license_version": True}, "fields"),
        (SOUND | {"extra": "x"}, "fields"),
        (SOUND | {"customer": 7}, "fields"),
        (without("grant"), "fields"),
        (without("customer"), "grants nothing"),
        (SOUND | {"grant": "everything"}, "grants nothing"),
    ],
)
def test_a_signed_file_that_says_something_else_is_an_error(tmp_path, document, why):
    write(tmp_path, document)
    with pytest.raises(PackError, match=why):
        read(tmp_path)


def test_a_changed_forged_or_unsigned_file_is_an_error_never_the_lesser_grant(tmp_path):
    write(tmp_path, SOUND)
    genuine = (tmp_path / FILE).read_text()
    for forged in (
        genuine.replace("2027", "2037"),
        genuine.replace('"signature": "', '"signature": "A'),
        genuine.replace("}", ""),
    ):
        assert forged != genuine
        (tmp_path / FILE).write_text(forged)
        with pytest.raises(PackError):
            read(tmp_path)
    (tmp_path / FILE).write_text(genuine)
    with pytest.raises(PackError, match="not signed by the publisher"):
        read_licence(tmp_path, "buffalo_l", NOW)


def test_a_name_twice_is_an_error(tmp_path):
    write(tmp_path, SOUND)
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace("{", '{"grant": "commercial",', 1))
    with pytest.raises(PackError, match="not JSON"):
        read(tmp_path)


def test_the_publishers_key_is_a_key():
    assert Ed25519PublicKey.from_public_bytes(PUBLISHER_KEY)


@given(
    st.one_of(
        st.binary(max_size=200), st.recursive(st.text() | st.integers(), st.lists).map(lambda value: json.dumps(value).encode())
    )
)
def test_any_bytes_are_an_error(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    (folder / FILE).write_bytes(data)
    with pytest.raises(PackError):
        read(folder)
