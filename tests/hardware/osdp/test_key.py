"""A panel's key: its own, for the gate's eyes only, and none that is in a book."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.osdp_key import read_key
from hardware.ports import DeviceError

SCBK_D = bytes(range(0x30, 0x40))
"""The default key of the standard, by which every panel is delivered."""
DRAWN = bytes.fromhex("5b1e9c02d7f4438a60b93e77c1250fae")


@pytest.fixture
def key_file(tmp_path):
    def write(text: str, mode: int = 0o600):
        path = tmp_path / "panel.key"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def test_a_drawn_key_of_the_owner_alone_is_read(key_file):
    assert read_key(key_file(DRAWN.hex() + "\n")) == DRAWN


@pytest.mark.parametrize("key", [SCBK_D, bytes(16), b"\xff" * 16, bytes(range(16)), b"12345678" * 2, b"\xaa\x55" * 8])
def test_the_default_key_and_keys_as_easily_guessed_are_refused(key_file, key):
    with pytest.raises(DeviceError, match="SCBK-D"):
        read_key(key_file(key.hex()))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o602])
def test_a_key_that_others_may_read_or_change_is_refused(key_file, mode):
    with pytest.raises(DeviceError, match="chmod 600"):
        read_key(key_file(DRAWN.hex(), mode))


def test_a_key_that_is_not_there_is_a_device_error(tmp_path):
    with pytest.raises(DeviceError, match="cannot be read"):
        read_key(tmp_path / "none")


@settings(max_examples=60)
@given(st.binary(max_size=80))
def test_any_file_gives_sixteen_bytes_or_a_device_error_that_does_not_show_them(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("key") / "panel.key"
    path.write_bytes(data)
    path.chmod(0o600)
    said = ""
    try:
        key = read_key(path)
    except DeviceError as error:
        said = str(error)
    assert said or len(key) == 16
    assert len(data) < 4 or data.decode(errors="replace") not in said
