"""What the lane counts about itself, for ``/metrics``: numbers by fixed words. Never anything of a traveller, and no label of one."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from gate.outcome import Outcome
from gate.processes.messages import Histogram
from gate.records import TransactionRecord

STAGE_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
STAGES = frozenset(
    [
        "mrz",
        "chip.capabilities",
        "chip.card_access",
        "chip.card_security",
        "chip.pace",
        "chip.bac",
        "chip.resume",
        "chip.read",
        "chip.EF.COM",
        "chip.EF.SOD",
        "chip.DG1",
        "chip.DG2",
        "chip.DG14",
        "chip.DG15",
        "chip.chip_authentication",
        "chip.active_authentication",
        "chip.portrait",
        "pki.signature",
        "pki.card_security",
        "pki.verdict",
        "registry.connected_one",
        "registry.issuance",
        "registry.exit_permit",
        "registry.watchlist",
        "registry.lost_and_stolen",
        "registry.stay_permit",
        "registry.arrival_declaration",
        "decision.entry",
        "decision.exit",
        "commit.entry",
        "commit.exit",
        "controller.admit",
        "controller.eject",
        "controller.close_entry",
        "controller.open_exit",
        "controller.close_exit",
        "walk_in",
        "entry_close",
        "capture",
        "walk_out",
        "exit_close",
        "await_officer",
        "eject",
        "eject_close",
        "face.reference",
        "face.capture",
        "face.features",
        "face.comparison",
    ]
)
"""Names that become labels. A stage of any other name counts as ``other``: names come from other processes, labels must not."""
OTHER = "other"


class Durations:
    """A histogram of seconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(STAGE_BOUNDS_S) + 1)
        self._total = 0.0

    def note(self, seconds: float) -> None:
        self._counts[bisect_left(STAGE_BOUNDS_S, seconds)] += 1
        self._total += seconds

    def told(self) -> Histogram:
        return Histogram(bounds=STAGE_BOUNDS_S, counts=tuple(self._counts), total=self._total)


class Vitals:
    """Counted on the lane's loop alone."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter({outcome.value: 0 for outcome in Outcome})
        self.stages: dict[str, Durations] = {}
        self.link_losses: Counter[str] = Counter()
        self.joins: Counter[str] = Counter()

    def ended(self, record: TransactionRecord) -> None:
        """A transaction ended."""
        self.outcomes[record.outcome] += 1
        for stage in record.stages:
            name = stage.name if stage.name in STAGES else OTHER
            self.stages.setdefault(name, Durations()).note(stage.duration_ms / 1000)
