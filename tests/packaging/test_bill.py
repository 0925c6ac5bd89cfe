"""The bill of materials: what the tool's list lacks is added, bound to its carrier, and said no more of than the library says itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bill import with_carried
from carried import carried

TEXT = b"\x7fELF.. OpenSSL 1.1.1k  25 Mar 2021\0 more"


@pytest.fixture
def packages(tmp_path) -> Path:
    """An environment's folder with two distributions."""
    (tmp_path / "images.libs").mkdir()
    (tmp_path / "images.libs/libavcodec-9aae324f.so.59.37.100").write_bytes(b"\x7fELF nothing")
    (tmp_path / "images.libs/libcrypto-337f3d14.so.1.1").write_bytes(TEXT)
    (tmp_path / "images.libs/libmystery-00112233.so").write_bytes(b"\x7fELF nothing")
    (tmp_path / "ciphers").mkdir()
    (tmp_path / "ciphers/_rust.abi3.so").write_bytes(b"\x7fELF OpenSSL 3.5.4 30 Sep 2025\0 inflate 1.3.1 Copyright 1995")
    (tmp_path / "ciphers/_plain.so").write_bytes(b"\x7fELF nothing")
    (tmp_path / "ciphers_package-9.dist-info").mkdir()
    (tmp_path / "ciphers_package-9.dist-info/RECORD").write_text("ciphers/_rust.abi3.so,sha256=x,1\n", encoding="ascii")
    return tmp_path


def test_a_copied_library_has_the_version_that_it_says_before_that_of_its_name(packages):
    found = {(one.name, one.version, one.said_by) for one in carried(packages) if one.distribution == "images"}
    assert found == {("avcodec", "59.37.100", "file name"), ("openssl", "1.1.1k", "text"), ("mystery", "", "")}


def test_a_linked_library_is_found_in_the_module_and_belongs_to_whoever_brought_that(packages):
    found = {(one.name, one.version, one.distribution) for one in carried(packages) if one.file.startswith("ciphers/")}
    assert found == {("openssl", "3.5.4", "ciphers_package"), ("zlib", "1.3.1", "ciphers_package")}


def test_the_bill_names_each_once_and_its_carrier_depends_on_it(packages):
    bill = {
        "bomFormat": "CycloneDX",
        "components": [{"type": "library", "name": "ciphers-package", "bom-ref": "ciphers-package==9"}],
        "dependencies": [{"ref": "ciphers-package==9"}, {"ref": "root-component", "dependsOn": ["ciphers-package==9"]}],
    }
    whole = with_carried(bill, carried(packages))
    references = [one["bom-ref"] for one in whole["components"]]
    assert len(references) == len(set(references)) == 6
    needs = {one["ref"]: one.get("dependsOn", []) for one in whole["dependencies"]}
    assert needs["ciphers-package==9"] == ["carried:ciphers/_rust.abi3.so:openssl", "carried:ciphers/_rust.abi3.so:zlib"]
    assert needs["root-component"] == ["ciphers-package==9"]
    assert needs.keys() == {*references, "root-component"}
    unknown = next(one for one in whole["components"] if one["name"] == "mystery")
    assert not {"version", "purl"} & unknown.keys(), "a version that nobody said"


def test_the_bill_is_the_same_text_whatever_order_things_were_found_in(packages):
    found = carried(packages)
    one, other = with_carried({}, found), with_carried({}, list(reversed(found)))
    assert json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
