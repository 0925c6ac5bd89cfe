"""Of DG1 (Doc 9303-10 §4.7.1) what passive authentication compares: the issuing State and the document code."""

from __future__ import annotations

from pki import der

DATA_GROUP_1, MRZ = 0x61, 0x5F1F
MRZ_LENGTHS = frozenset({88, 72, 90})
"""TD3, TD2, TD1. In all three, characters 3 to 5 are the issuing State or organization (Doc 9303-4, -5, -6 §4.2)."""


def issuing_state_of(data_group_1: bytes) -> str:
    """Three characters, fillers included. Raises DerError."""
    return mrz_of(data_group_1)[2:5]


def document_code_of(data_group_1: bytes) -> str:
    """One or two characters, without fillers. Raises DerError."""
    return mrz_of(data_group_1)[:2].rstrip("<")


def mrz_of(data_group_1: bytes) -> str:
    """The lines of the MRZ, one after another. Raises DerError."""
    mrz = der.read(data_group_1).expect(DATA_GROUP_1).only_child().expect(MRZ)
    if len(mrz.content) not in MRZ_LENGTHS:
        raise mrz.error(f"MRZ of {len(mrz.content)} characters")
    return mrz.content.decode("ascii", "replace")
