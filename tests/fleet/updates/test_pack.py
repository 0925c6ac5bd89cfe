"""Packs: any octets in, files or a refusal out; nothing is ever written but what a folder of versions consists of."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.fleet.updates.pack import MOST_FILES, packed, unpacked, write_pack
from gate.fleet.updates.targets import Target, UpdateError

FILES = {
    "active": b"{}",
    "statements/000001-000001.json": b"{}",
    f"versions/000001-{'a' * 64}/manifest.json": b"{}",
    f"versions/000001-{'a' * 64}/grants.toml": b"x = 1",
}


def tar(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, kind, content, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, link, len(content)
            made.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def plain(name, content=b"x"):
    return name, tarfile.REGTYPE, content, ""


def test_what_is_packed_comes_out_again_and_the_same_files_make_the_same_octets():
    assert unpacked(packed(FILES)) == FILES
    assert packed(FILES) == packed(dict(reversed(FILES.items())))


@pytest.mark.parametrize(
    "name",
    [
        "../active",
        "/etc/passwd",
        "versions/../../x",
        "statements/x.json",
        "active/",
        "ACTIVE",
        "versions",
        "",
        "lock",
        "versions/a/b/c",
        "active\n",
    ],
)
def test_names_that_lead_elsewhere_are_refused(name, tmp_path):
    with pytest.raises(UpdateError):
        write_pack(unpacked(tar(plain("active"), plain(name))), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_folders_devices_and_holes_are_refused(kind):
    with pytest.raises(UpdateError):
        unpacked(tar(("active", kind, b"", "/etc/passwd")))


def test_the_same_name_twice_too_many_files_and_compression_are_refused():
    many = [plain(f"statements/{n:06}-000001.json") for n in range(MOST_FILES + 1)]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("active"))
    for raw in (tar(plain("active"), plain("active")), tar(plain("active"), *many), buffer.getvalue(), tar(plain("DEMO"))):
        with pytest.raises(UpdateError):
            unpacked(raw)


@given(st.binary(max_size=2000))
def test_any_octets_are_files_or_a_refusal(raw):
    with contextlib.suppress(UpdateError):
        unpacked(raw)


@given(st.integers(0, len(packed(FILES)) - 1), st.integers(0, 255))
def test_a_pack_with_one_octet_changed_is_files_or_a_refusal(place, octet):
    raw = bytearray(packed(FILES))
    raw[place] = octet
    with contextlib.suppress(UpdateError):
        assert "active" in unpacked(bytes(raw))


@given(st.integers(0, len(packed(FILES))))
def test_a_pack_that_ends_early_is_files_or_a_refusal(length):
    with contextlib.suppress(UpdateError):
        assert unpacked(packed(FILES)[:length]).keys() <= FILES.keys()


@settings(max_examples=40)
@given(st.text(max_size=100) | st.from_regex(r"(rules|config/CGK\.D07)/[0-9]{6}-[0-9a-f]{64}\.(tar|toml)", fullmatch=True))
def test_any_path_is_a_target_or_a_refusal(path):
    with contextlib.suppress(UpdateError):
        assert Target.parse(path).path == path
