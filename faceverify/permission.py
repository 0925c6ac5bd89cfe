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
_EXERCISES = {"demo", "training"}
LARGEST_FMR = 1e-3
"""Upper bound of the false match rate with which a threshold may decide about travellers: BSI TR-03121 asks for a FAR of 0.1 %."""


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
    calibration = pack.threshold.calibration if pack.threshold else None
    if profile not in _EXERCISES and calibration is not None and calibration.fmr_upper > LARGEST_FMR:
        what = f"its threshold stands for an FMR of up to {calibration.fmr_upper:.2g}, more than {LARGEST_FMR:g}"
        return PackError(pack.id, what, "calibrate it for a smaller one")
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
    """What served (with the beginning of its sha256) and by what right, as records, screens and reports name it."""
    use = "demonstration, not for operation" if pack.demonstration else f"permitted use {pack.permitted_use}"
    waived = f"; waived by {waiver.granted_by} until {waiver.until}: {waiver.reason}" if waiver else ""
    return f"{pack.title} {pack.sha256[:16]}: {use}; licence {pack.licence}{waived}"
