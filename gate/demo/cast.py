"""The cast file: who comes, with which document and face, and how they walk. Never what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from gate.processes.messages import TravellerScreen
from hardware.sim.occupancy import Company

DEFAULT_CAST = Path(__file__).with_name("cast.toml")
NOBODY = "nobody"
"""``keys_of`` of a cloned chip: keys that no State ever signed."""


RegistryName = Literal[
    "connected_one",
    "issuance",
    "exit_permit",
    "watchlist",
    "lost_and_stolen",
    "stay_permit",
    "arrival_declaration",
    "crossing",
]


class CastError(Exception):
    """The cast file is wrong: says where and what."""


class CastState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pretend State that signs documents."""

    id: str
    issuing_state: str
    country: str
    name: str
    in_trust_store: bool


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is printed and signed. ``portrait`` is the face in DG2, the presenter's own where empty. Dates as YYMMDD. ``access`` is how
    the chip is opened: a mapping of PACE, or basic access control alone, as in books of before.
    """

    state: str
    code: str
    number: str
    primary: str
    secondary: str = ""
    birth: str
    sex: Literal["M", "F", "<"]
    expiry: str
    portrait: str = ""
    access: Literal["pace-gm", "pace-im", "pace-cam", "bac"] = "pace-gm"


class Chip(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was done to the chip after it was signed. ``dead``: nothing answers."""

    dead: bool = False
    portrait_after_signing: str = ""
    keys_of: str = ""
    """Id of the traveller whose chip keys are in this chip; ``nobody`` for a clone; empty for its own."""


class Issuance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"document_class": "class"}):
    """The issuer's record of the document. ``chip``: whether the book was made with one; ``portrait``: whose face the issuer recorded, the
    one that was signed where empty.
    """

    document_class: Literal["ordinary", "service", "diplomatic"]
    status: Literal["active", "revoked", "lost", "replaced"] = "active"
    chip: bool = True
    biometric_recorded: bool = True
    portrait: str = ""
    office: str = "KANIM JAKARTA PUSAT"


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How they walk, and what happens meanwhile."""

    people: int = 1
    walk_s: float = 0.8
    company: Company = ""
    """Whom or what they bring along; how they then stand under the sensor that counts is a matter of chance."""
    unplug_at: TravellerScreen | Literal[""] = ""
    """The gate controller is unplugged when the screen shows this."""
    mains_off_at: TravellerScreen | Literal[""] = ""
    """The mains fail when the screen shows this."""
    blind_at: TravellerScreen | Literal[""] = ""
    """The sensor that counts people is unsure from when the screen shows this until it shows something else."""
    silent: tuple[RegistryName, ...] = ()
    """Registries that do not answer while they are there."""


class Traveller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    title: str
    face: str
    document: Document
    page: tuple[dict[str, bool | float | tuple[float, float]], ...] = ()
    """What the first pictures of the page meet, one after another, the last one for all further (``hardware.sim.glass.Conditions``)."""
    chip: Chip = Chip()
    issuance: Issuance | None = None
    exit_permit: Literal["", "valid", "none", "expired", "used", "mismatch"] = ""
    watchlist: Literal["clear", "possible", "hit"] = "clear"
    """What the list that bars their way holds of them: Pencegahan of those who leave, Penangkalan of those who arrive."""
    wanted: bool = False
    lost_or_stolen: bool = False
    stay_permit: Literal["valid", "none", "no_reentry", "overstay", "abtc"] = "valid"
    """Of a foreigner."""
    declared: bool = True
    """Whether they made the arrival declaration."""
    behaviour: Behaviour = Behaviour()


class Cast(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: tuple[CastState, ...]
    traveller: tuple[Traveller, ...]


def load_cast(path: Path = DEFAULT_CAST) -> Cast:
    """Read a cast file. Raises CastError; a key that the cast may not hold (an outcome, say) is one."""
    try:
        cast = msgspec.toml.decode(path.read_bytes(), type=Cast)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise CastError(f"{path}: {error}") from error
    states, travellers = {state.id for state in cast.state}, [traveller.id for traveller in cast.traveller]
    for traveller in cast.traveller:
        if traveller.document.state not in states:
            raise CastError(f"{path}: traveller {traveller.id}: no [[state]] has the id {traveller.document.state!r}")
        if traveller.chip.keys_of not in {"", NOBODY, *travellers}:
            raise CastError(f"{path}: traveller {traveller.id}: keys_of names nobody in the cast: {traveller.chip.keys_of!r}")
    if len(set(travellers)) != len(travellers):
        raise CastError(f"{path}: two travellers share an id")
    return cast
