"""Issues the cast's passports: pretend States sign real files, chips get real keys. Also the registries' answers about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import mrz
from gate.clock import civil_date
from gate.demo.cast import NOBODY, Cast, Issuance, Traveller
from gate.sop import SPPT_2014, STAGES
from hardware.emrtd.lds import build_com, build_dg1, build_dg2
from mrz.sim import emit_td3
from pki.sim import (
    PretendState,
    PrivateKey,
    active_authentication_key,
    card_access,
    chip_authentication_key,
    chip_key_info,
    pace_info,
)
from pki.trust import Csca, TrustStore

Portrait = Callable[[str], bytes]
"""Name of a face → its JPEG 2000 portrait as it lies in a chip."""


PACE_PROTOCOLS: Mapping[str, tuple[str, ...]] = {"bac": (), "pace-gm": ("2",), "pace-im": ("4",), "pace-cam": ("6", "2")}
"""Arcs of id-PACE-ECDH-GM, -IM and -CAM (Doc 9303-11 §9.2.3; CAM stands beside another one, §4.4.1); the last arc, 4, is AES-256."""
BRAINPOOL_P256R1 = 13
"""Its number among the standardized domain parameters (§9.5.1)."""
CHIP_KEY = BRAINPOOL_P256R1
"""Id of the chip's key for chip authentication and PACE-CAM: the latter wants the number of the parameters (§9.2.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """A book with its chip, as it comes from the printer (and from whoever tampered with it). Keys are PKCS#8 DER; no files: a dead chip."""

    mrz_lines: tuple[str, str]
    mrz_information: str
    files: Mapping[str, bytes] = field(repr=False)
    active_key: bytes = field(repr=False)
    chip_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipKeys:
    """The two keys in a chip, the data groups that vouch for them, and what the chip offers of PACE (none: basic access control)."""

    active: PrivateKey = field(repr=False)
    chip: PrivateKey = field(repr=False)
    pace: tuple[bytes, ...]
    dg14: bytes
    dg15: bytes

    @classmethod
    def create(cls, access: str) -> ChipKeys:
        pace = tuple(pace_info(f"0.4.0.127.0.7.2.2.4.{arc}.4", BRAINPOOL_P256R1) for arc in PACE_PROTOCOLS[access])
        chip, dg14 = chip_authentication_key(active_hash="sha256", pace=pace, key_id=CHIP_KEY)
        active, dg15 = active_authentication_key()
        return cls(active=active, chip=chip, pace=pace, dg14=dg14, dg15=dg15)

    def master_files(self, state: PretendState, access: str) -> dict[str, bytes]:
        """What lies outside the application: the offer of PACE, and the chip's key for its chip authentication mapping, signed."""
        files = {"EF.CardAccess": card_access(self.pace)} if self.pace else {}
        if access == "pace-cam":
            files["EF.CardSecurity"] = state.signer.sign_card_security([*self.pace, chip_key_info(self.chip, CHIP_KEY)])
        return files


def create_states(cast: Cast, now: datetime) -> dict[str, PretendState]:
    """The pretend States of the cast, by id."""
    return {state.id: PretendState.create(country=state.country, name=state.name, now=now) for state in cast.state}


def trust_store(cast: Cast, states: Mapping[str, PretendState]) -> TrustStore:
    """A trust store with the States that the cast puts into it, their CRLs, and the mark of a demonstration."""
    trusted = [states[state.id] for state in cast.state if state.in_trust_store]
    anchors = tuple(Csca.of(state.csca, provenance=f"pretend State {state.name}") for state in trusted)
    return TrustStore(anchors=anchors, crls=tuple(state.crl() for state in trusted), demo=True)


def issue_passports(cast: Cast, states: Mapping[str, PretendState], portrait: Portrait) -> dict[str, Passport]:
    """One passport for each traveller, by traveller id."""
    keys = {traveller.id: ChipKeys.create(traveller.document.access) for traveller in cast.traveller}
    issuing_states = {state.id: state.issuing_state for state in cast.state}
    return {
        traveller.id: _issue(
            traveller,
            states[traveller.document.state],
            issuing_states[traveller.document.state],
            keys,
            portrait,
        )
        for traveller in cast.traveller
    }


def _issue(
    traveller: Traveller,
    state: PretendState,
    issuing_state: str,
    keys: Mapping[str, ChipKeys],
    portrait: Portrait,
) -> Passport:
    document = traveller.document
    lines = emit_td3(
        document_code=document.code,
        issuing_state=issuing_state,
        primary_identifier=document.primary,
        secondary_identifier=document.secondary,
        document_number=document.number,
        nationality=issuing_state,
        date_of_birth=document.birth,
        sex=document.sex,
        date_of_expiry=document.expiry,
    )
    own = keys[traveller.id]
    groups = {
        1: build_dg1(lines),
        2: build_dg2(portrait(document.portrait or traveller.face), "jpeg2000"),
        14: own.dg14,
        15: own.dg15,
    }
    sod = state.sign_sod(groups)
    if traveller.chip.portrait_after_signing:
        groups[2] = build_dg2(portrait(traveller.chip.portrait_after_signing), "jpeg2000")
    held = _held_keys(traveller, keys)
    files = own.master_files(state, document.access) | {
        "EF.COM": build_com(f"DG{number}" for number in groups),
        "EF.SOD": sod,
        **{f"DG{number}": content for number, content in groups.items()},
    }
    return Passport(
        mrz_lines=lines,
        mrz_information=mrz.parse(lines).mrz_information(),
        files={} if traveller.chip.dead else files,
        active_key=_pkcs8(held.active),
        chip_key=_pkcs8(held.chip),
    )


def _held_keys(traveller: Traveller, keys: Mapping[str, ChipKeys]) -> ChipKeys:
    match traveller.chip.keys_of:
        case "":
            return keys[traveller.id]
        case name if name == NOBODY:
            return ChipKeys.create(traveller.document.access)  # fresh ones, in no signed data group
        case other:
            return keys[other]


def _pkcs8(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


_PERMITS: Mapping[str, Mapping[str, Any]] = {
    "valid": {"kind": "multiple", "valid_to": "2099-12-31"},
    "expired": {"valid_to": "2020-12-31"},
    "used": {"valid_to": "2099-12-31", "used": True},
    "mismatch": {"valid_to": "2099-12-31", "checkpoints": ["XXX"]},
}
_STAY_PERMITS: Mapping[str, dict[str, Any]] = {
    "valid": {"kind": "e_voa", "valid_to": "2099-12-31"},
    "no_reentry": {"kind": "itas", "valid_to": "2099-12-31"},
    "overstay": {"kind": "e_voa", "valid_to": "2020-12-31"},
    "abtc": {"kind": "abtc", "valid_to": "2099-12-31"},
}
_STAGES = [
    {"name": name, "at": f"2025-11-{day:02d}T10:00:00+07:00"}
    for name, day in zip(STAGES, (3, 3, 3, 3, 3, 4, 4, 4, 5, 6, 6, 7), strict=True)
]
"""Every stage of the procedure, in four working days."""
_ALWAYS = {"valid_from": "2020-01-01T00:00:00+07:00", "valid_to": "2099-12-31T00:00:00+07:00"}


def registry_data(cast: Cast, portrait: Portrait | None = None) -> dict[str, Any]:
    """What the reference server of the registries knows of the cast (``gate/registries/reference/data.py``).

    With ``portrait`` the registries also hold the digests of the portraits that were recorded for official books.
    """
    issuing_states = {state.id: state.issuing_state for state in cast.state}
    books: dict[str, list[dict[str, Any]]] = {}
    for traveller in cast.traveller:
        book = {"issuing_state": issuing_states[traveller.document.state], "document_number": traveller.document.number}
        for registry, record in _records(traveller, portrait).items():
            books.setdefault(registry, []).append({**book, "records": [record]})
    listed = [
        _listed(each, name) for each in cast.traveller for name in ("pencegahan", "penangkalan") if each.watchlist != "clear"
    ]
    return {"books": books, "watchlist": [*listed, *(_listed(each, "wanted") for each in cast.traveller if each.wanted)]}


def _records(traveller: Traveller, portrait: Portrait | None) -> dict[str, dict[str, Any]]:
    """By registry, what it holds of the traveller's book."""
    records: dict[str, dict[str, Any]] = {"lost_and_stolen": {}} if traveller.lost_or_stolen else {}
    if traveller.declared:
        records["arrival_declaration"] = {"arrival": f"{civil_date(datetime.now(UTC), 'CGK')}"}
    if traveller.stay_permit in _STAY_PERMITS:
        records["stay_permit"] = _STAY_PERMITS[traveller.stay_permit]
    record = traveller.issuance
    if record is None:
        return records
    replaced = record.status == "replaced"
    held = {"status": "active" if replaced else record.status, "replaced": replaced, "document_class": record.document_class}
    stages = [{**stage, "office": record.office} for stage in _STAGES]
    procedure = {"office": record.office, "sop_version": SPPT_2014, "stages": stages, "distinct_approver": True}
    records["issuance"] = {**held, **procedure, "chip": record.chip}
    if record.document_class != "ordinary":
        records["connected_one"] = {
            **held,
            "biometric_recorded": record.biometric_recorded,
            "dg2_sha256": _digest(traveller, record, portrait) if portrait else None,
            "capturing_office": record.office,
        }
    if traveller.exit_permit in _PERMITS:
        records["exit_permit"] = {"document_class": record.document_class, **_PERMITS[traveller.exit_permit]}
    return records


def _digest(traveller: Traveller, record: Issuance, portrait: Portrait) -> str:
    """Of the DG2 that the issuer recorded."""
    face = record.portrait or traveller.document.portrait or traveller.face
    return sha256(build_dg2(portrait(face), "jpeg2000")).hexdigest()


def _listed(traveller: Traveller, name: str) -> dict[str, Any]:
    """Their entry on the list ``name``; without a date of birth it is but somebody's of that name."""
    document, sure = traveller.document, traveller.watchlist == "hit" or name == "wanted"
    return {
        "list": name,
        "primary_identifier": document.primary,
        "secondary_identifier": document.secondary,
        "birth": document.birth if sure else "<<<<<<",
        "sex": document.sex,
        **_ALWAYS,
    }
