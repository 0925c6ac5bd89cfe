"""Which registries a lane cannot do without, by the rules that judge there."""

from __future__ import annotations

from datetime import datetime

from gate.config import Config
from gate.policy.schema import RuleSet
from gate.profiles import PROFILES
from gate.registries.crossing_record import CONTRACT as CROSSING

FACTS = {
    "connected_one": ("biometric_record",),
    "issuance": ("issuance",),
    "exit_permit": ("exit_permit",),
    "watchlist": ("pencegahan", "penangkalan", "wanted"),
    "lost_and_stolen": ("sltd",),
    "stay_permit": ("stay_permit",),
    "arrival_declaration": ("declaration",),
}
"""The facts whose good news come from each registry, or out of its snapshot."""


def unnamed(config: Config, rules: RuleSet, now: datetime) -> list[str]:
    """Registries without which ``rules`` open for nobody of some class that the lane serves at ``now``, and that ``config`` does not name;
    that of crossings too, for nobody may pass unrecorded. Demonstrations may do without any.
    """
    if PROFILES[config.profile].demonstration:
        return []
    lane = config.lane
    served = {
        row.document_class
        for row in rules.enablement
        if row.in_force(now)
        and row.checkpoint == lane.checkpoint
        and lane.direction in row.direction
        and (not row.lanes or lane.id in row.lanes)
    }
    facts = {
        need.fact
        for grant in rules.grants
        if grant.entry.in_force(now) and grant.entry.direction is lane.direction and grant.entry.document_class in served
        for need in grant.requirements
    }
    wanted = [name for name, told in FACTS.items() if facts & {*told}]
    return [name for name in (*wanted, CROSSING.name) if name not in config.registries.named]
