"""Sealing: what lies on the disk says nothing without the key, and nothing else with it than what was put there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.registries.sealed import HASH_BYTES, LEAST_SECRET, SealBroken, SnapshotKey, new_salt

KEY = SnapshotKey.derive(b"k" * LEAST_SECRET)
OTHER = SnapshotKey.derive(b"l" * LEAST_SECRET)


@given(plain=st.binary(max_size=200), place=st.binary(max_size=40))
def test_what_was_sealed_is_opened_at_its_place(plain: bytes, place: bytes) -> None:
    assert KEY.open(KEY.seal(plain, place), place) == plain


@given(sealed=st.binary(max_size=200), place=st.binary(max_size=40))
def test_any_other_bytes_are_a_broken_seal(sealed: bytes, place: bytes) -> None:
    with pytest.raises(SealBroken):
        KEY.open(sealed, place)


@given(plain=st.binary(max_size=64), bit=st.integers(0, 8 * 20))
def test_a_flipped_bit_breaks_the_seal(plain: bytes, bit: int) -> None:
    sealed = bytearray(KEY.seal(plain, b"here"))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBroken):
        KEY.open(bytes(sealed), b"here")


def test_a_seal_holds_for_its_place_its_file_and_its_key_alone() -> None:
    sealed = KEY.seal(b"S1", b"here")
    for key, place in ((KEY, b"there"), (OTHER, b"here"), (KEY.for_file(new_salt()), b"here")):
        with pytest.raises(SealBroken):
            key.open(sealed, place)


@given(one=st.lists(st.text(), max_size=4), other=st.lists(st.text(), max_size=4))
def test_hashes_are_equal_only_for_equal_parts(one: list[str], other: list[str]) -> None:
    assert (KEY.hash(*one) == KEY.hash(*other)) is (one == other)
    assert len(KEY.hash(*one)) == HASH_BYTES


def test_parts_do_not_run_together() -> None:
    assert KEY.hash("IDN", "S1") != KEY.hash("IDNS", "1") != KEY.hash("IDNS1")


def test_two_files_share_no_hash() -> None:
    one, other = KEY.for_file(b"1" * 16), KEY.for_file(b"2" * 16)
    assert len({key.hash("IDN", "S1") for key in (KEY, OTHER, one, other)}) == 4
    assert one.hash("IDN", "S1") == KEY.for_file(b"1" * 16).hash("IDN", "S1")


def test_a_tally_tells_rows_their_order_and_their_columns_apart() -> None:
    def tally(*rows: tuple[bytes, ...]) -> bytes:
        counted = KEY.tally()
        for row in rows:
            counted.add(*row)
        assert counted.rows == len(rows)
        return counted.digest()

    rows = ((b"a", b"b"), (b"c", b"d"))
    different = (tally(*rows), tally(*rows[::-1]), tally(rows[0]), tally((b"ab", b""), rows[1]), tally())
    assert len(set(different)) == len(different)
    assert tally(*rows) == different[0]


def test_the_key_is_not_told() -> None:
    assert "k" * 8 not in repr(KEY)
    assert "6b6b" not in repr(KEY)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * (LEAST_SECRET - 1), "schlüssel"])
def test_a_file_without_a_key_is_a_value_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text, encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(ValueError, match="write 64 hexadecimal digits"):
        SnapshotKey.read(tmp_path / "key")


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text((b"k" * LEAST_SECRET).hex() + "\n", encoding="ascii")
    with pytest.raises(ValueError, match="everybody"):
        SnapshotKey.read(tmp_path / "key")
    (tmp_path / "key").chmod(0o600)
    assert SnapshotKey.read(tmp_path / "key").hash("x") == KEY.hash("x")
