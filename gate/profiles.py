"""The three profiles, and what each refuses to start with.

``demo`` and ``training`` work with simulators alone, so that no demonstration ever moves a real door or reads a real registry;
``trial`` works with none of them. These checks read the configuration. Afterwards the scanner, the camera and the gate controller must still
prove the secret that their simulators were given. A chip in a PC/SC reader only shows a mark of the run, a serial reader of zones
only that it is a pseudo-terminal, and a registry only that it is on this machine: that guards against accidents, not against somebody who wants to deceive.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

NOT_TWO_PEOPLE = "not two people or more, each with a name and a key of his own"
TOKEN_KEY = "pkcs11:"  # noqa: S105 - the name of a scheme
"""How the name of a key begins that lies in a token (RFC 7512), and in no file."""
DEMO_MARKER = "DEMO"
"""A trust store with a file of this name holds pretend States (``pki.trust``)."""
REGISTRIES = (
    "connected_one",
    "issuance",
    "exit_permit",
    "watchlist",
    "lost_and_stolen",
    "stay_permit",
    "arrival_declaration",
    "crossing",
)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """``demonstration``: nothing it decides counts. ``allows_unsafe``: tolerances called ``Unsafe…`` may be used, visibly."""

    name: str
    demonstration: bool
    allows_unsafe: bool


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(name="demo", demonstration=True, allows_unsafe=True),
        Profile(name="training", demonstration=True, allows_unsafe=False),
        Profile(name="trial", demonstration=False, allows_unsafe=False),
    )
}


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a profile does not start with: ``refuses`` gets the checked value of the configuration key ``key``."""

    key: str
    refuses: Callable[..., bool]
    what: str
    remedy: str


def is_real_device(path: str) -> bool:
    """Whether ``path`` is a device node that is no pseudo-terminal. Links are followed, for stable names are links."""
    real = os.path.realpath(path)
    return real.startswith("/dev/") and not real.startswith("/dev/pts/")


def _is_simulated_device(path: str) -> bool:
    return not is_real_device(path)


def _is_remote(url: str) -> bool:
    return urlsplit(url).hostname not in {"127.0.0.1", "::1", "localhost"}


def are_not_two_people(signers: tuple[str, ...]) -> bool:
    names, keys = {signer.partition(":")[0] for signer in signers}, {signer.partition(":")[2] for signer in signers}
    return len(signers) < 2 or len(names) < len(signers) or len(keys) < len(signers)


def _has_marker(store: Path) -> bool:
    return (store / DEMO_MARKER).exists()


_SIMULATORS_ONLY = (
    Refusal(key="controller.device", refuses=is_real_device, what="a real device", remedy="name the simulator's pseudo-terminal"),
    Refusal(
        key="panel.port",
        refuses=lambda port: port is not None and is_real_device(port),
        what="a real device",
        remedy="name the simulator's pseudo-terminal",
    ),
    Refusal(
        key="trust.store",
        refuses=lambda store: not _has_marker(store),
        what="not marked as a demonstration's trust store",
        remedy=f"use a store that holds the file {DEMO_MARKER}",
    ),
    *(
        Refusal(key=f"registries.{name}.url", refuses=_is_remote, what="not on this machine", remedy="use the reference server")
        for name in REGISTRIES
    ),
    Refusal(key="fleet.url", refuses=_is_remote, what="not on this machine", remedy="start a broker here: autogate fleet demo"),
)

_EXERCISES_ONLY = (
    *_SIMULATORS_ONLY,
    Refusal(
        key="fleet.url",
        refuses=bool,
        what="a centre, which would take exercises for crossings",
        remedy="leave the section out",
    ),
    Refusal(
        key="chip.reader",
        refuses=lambda reader: reader is not None and not reader.startswith("Virtual PCD"),
        what="a real reader",
        remedy="leave it out: chips lie in the simulated scanner",
    ),
    Refusal(
        key="console.lanes",
        refuses=bool,
        what="lanes that are no part of the exercise",
        remedy="leave it out: a trainee's console shows one lane, the simulated one",
    ),
    Refusal(
        key="audit.witness",
        refuses=lambda witness: witness is not None and not witness.startswith("/") and _is_remote(witness),
        what="not on this machine",
        remedy="leave it out: nobody remembers exercises off the gate",
    ),
)

_NO_STAND_INS = (
    Refusal(key="scanner.kind", refuses=lambda kind: kind == "simulator", what="a simulator", remedy="name a real scanner"),
    Refusal(key="camera.kind", refuses=lambda kind: kind == "simulator", what="a simulator", remedy="name a real camera"),
    Refusal(
        key="chip.reader",
        refuses=lambda reader: reader is not None and reader.startswith("Virtual PCD"),
        what="a virtual reader",
        remedy="name a real one",
    ),
    Refusal(
        key="chip.tolerate",
        refuses=bool,
        what="a way of reading chips that nobody vouches for",
        remedy="leave it out: a chip whose PACE fails goes to the counter",
    ),
    Refusal(
        key="controller.device",
        refuses=_is_simulated_device,
        what="not a serial device that is plugged in",
        remedy="name it below /dev/serial/by-id",
    ),
    Refusal(
        key="controller.key_file",
        refuses=lambda path: path is None,
        what="missing: an unauthenticated link",
        remedy="name the file with the key of the gate controller",
    ),
    Refusal(
        key="panel.port",
        refuses=lambda port: port is not None and _is_simulated_device(port),
        what="not a serial device that is plugged in",
        remedy='name it below /dev/serial/by-id, or write kind = "none"',
    ),
    Refusal(
        key="face.pack", refuses=lambda pack: pack == "demo", what="the demonstration pack", remedy="install a pack for operation"
    ),
    Refusal(
        key="trust.store", refuses=_has_marker, what="a demonstration's trust store", remedy="install the operator's trust store"
    ),
    Refusal(
        key="trust.signers",
        refuses=are_not_two_people,
        what=NOT_TWO_PEOPLE,
        remedy='name those who sign for the trust store; "autogate trust keygen" makes a key',
    ),
    Refusal(
        key="rules.folder",
        refuses=lambda folder: folder is not None,
        what="nobody signed for it",
        remedy="autogate policy import makes a store of it: name that as store, and its signers",
    ),
    Refusal(
        key="rules.store",
        refuses=lambda store: store is None,
        what="missing: nobody signed for the rules",
        remedy="name the folder that autogate policy import made, and the signers",
    ),
    Refusal(
        key="audit.key",
        refuses=lambda path: path is None,
        what="missing: whoever cuts off the end of the log would not be found",
        remedy="autogate audit keygen makes one",
    ),
    Refusal(
        key="audit.key",
        refuses=lambda path: path is not None and not str(path).startswith(TOKEN_KEY),
        what="a file: whoever copies it signs for the gate",
        remedy="name a key in a token, pkcs11:… (docs/audit.md)",
    ),
    Refusal(
        key="audit.witness",
        refuses=lambda witness: witness is None,
        what="missing: whoever has this gate's keys could write the log anew",
        remedy="name who remembers its checkpoints: an https address, or a file on another mount",
    ),
    Refusal(
        key="audit.sealing_key",
        refuses=lambda path: path is None,
        what="missing: what was found out about travellers would lie open on the disk, and could not be destroyed",
        remedy="name a file with 64 hexadecimal digits, best a credential that is not on this disk",
    ),
    Refusal(
        key="console.roster",
        refuses=lambda roster: roster is None,
        what="missing: no officer could supervise",
        remedy="autogate officers import makes one",
    ),
    Refusal(
        key="console.supervision",
        refuses=lambda told: told == "page",
        what="a page that runs is no officer",
        remedy='write "officers", or leave it out',
    ),
    *(
        Refusal(
            key=f"registries.{name}.url",
            refuses=lambda url: not url.startswith("https://"),
            what="not authenticated",
            remedy="use https",
        )
        for name in REGISTRIES
    ),
    Refusal(
        key="fleet.url",
        refuses=lambda url: not url.startswith("tls://"),
        what="not authenticated",
        remedy="begin it with tls://, and name ca, certificate and key",
    ),
    Refusal(
        key="fleet.signing_key",
        refuses=lambda path: not str(path).startswith(TOKEN_KEY),
        what="a file: whoever copies it speaks for the gate",
        remedy="name a key in a token, pkcs11:… (autogate fleet enrol)",
    ),
    Refusal(
        key="fleet.signers", refuses=are_not_two_people, what=NOT_TWO_PEOPLE, remedy="name those who approve the fleet's keys"
    ),
)

REFUSALS: dict[str, tuple[Refusal, ...]] = {"demo": _SIMULATORS_ONLY, "training": _EXERCISES_ONLY, "trial": _NO_STAND_INS}
