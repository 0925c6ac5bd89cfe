"""Data groups: those that were read are those that were signed, octet by octet."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from forge import DATA_GROUPS, State, appended, edited, entry, lds_version, security_object
from forge_keys import NULL
from inspection import Inspection, case, inspection

from pki import der


def read_as(state: State, **changes: bytes) -> Inspection:
    """The honest document, but these groups (``dg2``, …) were read otherwise."""
    return inspection(state, data_groups=DATA_GROUPS | {int(name_[2:]): value for name_, value in changes.items()})


@case(clause="Doc 9303-11 §5.1: hashes", expect="Rejected/DATA_GROUP_HASH_MISMATCH", over=(1, 2))
def data_group_changed(state, number):
    """One bit of the content."""
    group = DATA_GROUPS[number]
    return read_as(state, **{f"dg{number}": group[:-1] + bytes((group[-1] ^ 1,))})


@case(clause="Doc 9303-11 §5.1: hashes", expect="Rejected/DATA_GROUP_HASH_MISMATCH")
def portrait_of_somebody_else(state):
    """Signed by the same signer, for another document."""
    return read_as(state, dg2=der.encode(0x75, b"another portrait"))


@case(clause="Doc 9303-11 §5.1: each hash belongs to its number", expect="Rejected/DATA_GROUP_HASH_MISMATCH")
def data_groups_swapped(state):
    """The content of DG1 read as DG2 and the other way round: all hashes are in the list, none in its place."""
    return read_as(state, dg1=DATA_GROUPS[2], dg2=DATA_GROUPS[1])


@case(
    clause="Doc 9303-11 §5.1: hashes over the whole file",
    expect="Rejected/DATA_GROUP_HASH_MISMATCH",
    over=("header", "tail", "empty", "cut", "length", "doubled"),
)
def data_group_read_otherwise(state, what):
    """Without its header, with an octet after it, empty, cut short, its length written in another way, twice."""
    group = DATA_GROUPS[2]
    content = der.read(group).content
    other = {
        "header": content,
        "tail": group + b"\0",
        "empty": b"",
        "cut": group[:100],
        "length": b"\x75\x84" + len(content).to_bytes(4, "big") + content,
        "doubled": group * 2,
    }[what]
    return read_as(state, dg2=other)


@case(clause="Doc 9303-11 §5.1", expect="Rejected/DATA_GROUP_NOT_SIGNED", over=(3, 11, 12, 14, 15, 16))
def data_group_that_is_not_in_the_sod(state, number):
    """Read from the chip, listed in EF.COM perhaps, signed by nobody."""
    return inspection(state, data_groups=DATA_GROUPS | {number: der.encode(0x6D, b"whatever")})


@case(clause="Doc 9303-11 §5.1", expect="Rejected/DATA_GROUP_NOT_SIGNED", over=(0, 17, -1))
def data_group_of_a_number_that_cannot_be(state, number):
    """There are sixteen."""
    return inspection(state, data_groups=DATA_GROUPS | {number: b"whatever"})


@case(clause="Doc 9303-10 §4.6.2.2")
def listed_groups_that_were_not_read(state):
    """Fingerprints need more rights than a gate has: listed, unread, and no fault."""
    groups = DATA_GROUPS | {3: b"fingerprints", 4: b"irises", 16: b"persons to notify"}
    return inspection(state, state.sod(security_object(groups)))


@case(clause="Doc 9303-10 §4.6.2.2")
def all_sixteen_groups(state):
    """Every number there is."""
    groups = DATA_GROUPS | {number: bytes((number,)) for number in range(3, 17)}
    return inspection(state, state.sod(security_object(groups)), data_groups=groups)


@case(clause="Doc 9303-10 §4.6.2.2: SEQUENCE OF DataGroupHash")
def hashes_in_any_order(state):
    """The numbers say which is which."""
    entries = der.read(security_object()).children()[2].children()
    content = security_object(entries=[each.encoded for each in reversed(entries)])
    return inspection(state, state.sod(content))


@case(clause="Doc 9303-10 §4.6.2.2: version 1 with LDSVersionInfo", over=(("0107", "040000"), ("0108", "040000")))
def security_object_of_version_1(state, versions):
    """Later documents sign the version of their data structure."""
    return inspection(state, state.sod(security_object(version=1, after=lds_version(*versions))))


@case(clause="Doc 9303-10 §4.6.2.2: ldsVersionInfo is optional")
def security_object_of_version_1_without_its_info(state):
    """The syntax asks for version 1 where the info is present, not for the info where the version is 1."""
    return inspection(state, state.sod(security_object(version=1)))


@case(clause="Doc 9303-10 §4.6.2.2: if present, version 1", expect="Undetermined/MALFORMED")
def security_object_of_version_0_with_info(state):
    """Version 0 has no such part."""
    return inspection(state, state.sod(security_object(after=lds_version())))


@case(clause="Doc 9303-10 §4.6.2.2: versions 0 and 1", expect="Undetermined/MALFORMED", over=(2, 255, -1))
def security_object_of_an_unknown_version(state, version):
    """What it would mean is not known."""
    return inspection(state, state.sod(security_object(version=version)))


@case(clause="Doc 9303-10 §4.6.2.2: INTEGER 1 to 16", expect="Undetermined/MALFORMED", over=(0, 17, -1, 1 << 64))
def hash_of_a_number_that_cannot_be(state, number):
    """A data group that does not exist."""
    entries = [*(each.encoded for each in der.read(security_object()).children()[2].children()), entry(number, bytes(32))]
    return inspection(state, state.sod(security_object(entries=entries)))


@case(clause="Doc 9303-10 §4.6.2.2", expect="Undetermined/MALFORMED", over=("same", "other"))
def hash_of_one_number_twice(state, what):
    """Which of two portraits is the true one would be the reader's choice."""
    entries = [each.encoded for each in der.read(security_object()).children()[2].children()]
    return inspection(
        state, state.sod(security_object(entries=[*entries, entries[1] if what == "same" else entry(2, bytes(32))]))
    )


@case(clause="Doc 9303-10 §4.6.2.2", expect="Undetermined/MALFORMED", over=(0, 20, 31, 33, 64))
def hash_of_another_length_than_its_algorithm(state, size):
    """A comparison of what is there would compare less, or nothing."""
    entries = [entry(1, hashlib.sha256(DATA_GROUPS[1]).digest()), entry(2, hashlib.sha512(DATA_GROUPS[2]).digest()[:size])]
    return inspection(state, state.sod(security_object(entries=entries)))


@case(
    clause="Doc 9303-10 §4.6.2.2: SIZE (2..16)",
    expect="Undetermined/MALFORMED",
    over=(0, 1),
)
def hashes_of_fewer_groups_than_a_document_has(state, count):
    """DG1 and DG2 are mandatory: a security object without them is none of a passport."""
    entries = [entry(1, hashlib.sha256(DATA_GROUPS[1]).digest())][:count]
    groups = {} if count == 0 else {1: DATA_GROUPS[1]}
    return inspection(state, state.sod(security_object(entries=entries)), data_groups=groups, issuing_state="UTO")


@case(clause="Doc 9303-10 §4.6.2.2", expect="Undetermined/MALFORMED", over=("object", "entry", "list"))
def something_after_the_security_object(state, where):
    """Signed, and in no place of the syntax."""
    content = security_object()
    first = der.read(content).children()[2].children()[0].encoded
    changed = {
        "object": content + b"\0\0",
        "entry": security_object(entries=[appended(first, NULL)]),
        "list": security_object(after=NULL),
    }[where]
    return inspection(state, state.sod(changed))


@case(clause="Doc 9303-11 §5.1", expect="Rejected/MESSAGE_DIGEST_MISMATCH")
def security_object_with_a_group_added(state):
    """The hash of a DG15 of the forger's own, put into the signed list."""
    content = security_object(DATA_GROUPS | {15: b"a key of my own"})
    return inspection(state, replace(state.signer.sod(), content=content).built())


@case(clause="Doc 9303-11 §5.1", expect="Rejected/MESSAGE_DIGEST_MISMATCH", over=("hash", "algorithm", "removed"))
def security_object_changed_in_place(state, what):
    """One bit of a hash, all hashes by another algorithm, a group taken out: the digest covers them all."""
    groups = DATA_GROUPS | {15: b"a key of the State's"}
    made = state.signer.sod(security_object(groups))
    content = made.content
    changed = {
        "hash": content[:-1] + bytes((content[-1] ^ 1,)),
        "algorithm": security_object(groups, hash_="sha512"),
        "removed": edited(content, 2, edited(der.read(content).children()[2].encoded, 2)),
    }[what]
    return inspection(state, replace(made, content=changed).built())


@case(clause="Doc 9303-11 §5.1", expect="Rejected/DATA_GROUP_HASH_MISMATCH")
def file_that_another_chip_went_on_with(state):
    """The field was lost in the middle of DG2; after it another chip sent the rest."""
    group = DATA_GROUPS[2]
    other = der.encode(0x75, b"the portrait of the impostor. " * 8)[: len(group)]
    return read_as(state, dg2=group[:90] + other[90:])
