"""Whether a pack may serve at a gate: what its makers permit, what its licence grants, and what an operator waived for a trial."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from faceverify.description import Pack, PackError

_USES = {
    "demo": {"demonstration", "test", "trial", "operation"},
    "training": {"demonstration", "test", "trial", "operation"},
    "trial": {"trial", "operation"},
}
"""Permitted uses by profile. A profile that is not listed here takes packs for operation alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An operator takes it upon himself to run weights whose licence permits research alone: which pack (the sha256 of its
    ``pack.toml``), who says so, why, and the last day. Whoever runs the pack under it records it.
    """

    pack_sha256: str
    granted_by: str
    reason: str
    until: date


def may_run(pack: Pack, profile: str, waiver: Waiver | None, today: date) -> PackError | None:
    """None where the pack may serve under this profile today, else why not."""
    if pack.permitted_use not in _USES.get(profile, {"operation"}):
        return PackError(pack.id, f"its permitted use is {pack.permitted_use}", f"put a pack for {profile} in place")
    if pack.licensed_until is not None and today > pack.licensed_until:
        return PackError(pack.id, f"its licence ended on {pack.licensed_until}", "renew the licence and install the pack again")
    if pack.grant != "non_commercial":
        return None
    if waiver is None:
        return PackError(pack.id, "its licence permits research alone", "buy a licence, or record a waiver for a trial")
    return _fault(pack, waiver, today)


def _fault(pack: Pack, waiver: Waiver, today: date) -> PackError | None:
    if waiver.pack_sha256 != pack.sha256:
        return PackError(pack.id, "the waiver is for another pack", f"waive pack_sha256 = {pack.sha256}")
    if not (waiver.granted_by.strip() and waiver.reason.strip()):
        return PackError(pack.id, "the waiver does not say who granted it and why", "complete it")
    if today > waiver.until:
        return PackError(pack.id, f"the waiver ended on {waiver.until}", "decide anew")
    return None


def label(pack: Pack, waiver: Waiver | None = None) -> str:
    """What served and by what right, as records, screens and reports name it."""
    use = "demonstration, not for operation" if pack.demonstration else f"permitted use {pack.permitted_use}"
    waived = f"; waived by {waiver.granted_by} until {waiver.until}: {waiver.reason}" if waiver else ""
    return f"{pack.title}: {use}; licence {pack.licence}{waived}"
