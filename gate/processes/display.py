"""What the lane shows to whom: each kind of peer gets its own view, when it changed and no more than it may see."""

from __future__ import annotations

from collections.abc import Callable

from gate.config import Config
from gate.console.acts import offered
from gate.lane import State, View
from gate.processes.casework import Casework
from gate.processes.messages import (
    AnyMessage,
    EndedTransaction,
    LaneReady,
    OfficerView,
    PanelReport,
    PanelView,
    Role,
    TravellerView,
)
from gate.processes.officer_messages import (
    ConsoleView,
)
from gate.processes.panel_watch import PanelWatch
from gate.processes.pictures_lane import PictureDesk
from gate.profiles import PROFILES
from gate.records import TransactionRecord
from gate.views import traveller_screen

WAIVED = "; waived by "
"""How :func:`faceverify.permission.label` goes on where a waiver lets the weights run."""
FLEET_AWAY = "its process is not running: the centre hears nothing of this gate"
WORKERS = frozenset[Role]({"reader", "vision"})


class Display:
    """Remembers what each role was shown last. ``tell`` sends to all peers of a role without waiting."""

    def __init__(
        self,
        config: Config,
        tell: Callable[[Role, AnyMessage], None],
        panel: PanelWatch | None = None,
        pictures: PictureDesk | None = None,
    ) -> None:
        """``panel``: what is known of the reader's; ``pictures``: what officers may look at. None where there is none."""
        self._config, self._tell, self._panel, self._pictures = config, tell, panel, pictures
        self._single_door = config.lane.kind == "single_door"
        asks = frozenset[Role]({"registries"} if config.registries.named else ())
        signs = frozenset[Role]({"audit"} if config.audit.witness or config.audit.sealing_key else ())
        self.workers = WORKERS | asks | signs
        """Whom the lane begins with nobody without."""
        self._shown: dict[Role, AnyMessage] = {}
        self._joined: set[Role] = set()
        self.rules_problem = ""
        """Why the newest rule set is not gone by, for the officer; empty where it is."""
        self.trust_problem = ""
        """Why the newest trust store is not gone by, for the officer; empty where it is."""
        self.audit_problem = ""
        """Why the log is not signed or witnessed up to now, for the officer; empty where it is."""
        self.fleet_problem = FLEET_AWAY if config.fleet else ""
        """What the centre of the fleet lacks of this gate, for the officer; it keeps nobody."""
        self.troubles: tuple[str, ...] = ()
        """Why the lane takes nobody, for the officer."""
        self.watching: dict[str, float] = {}
        """Officers on watch, and when each one's watch ends (boot seconds)."""
        self._listed: tuple[TransactionRecord, ...] = ()

    def peer(self, role: Role, *, joined: bool) -> None:
        """A peer of ``role`` came (show it everything again) or the last one went."""
        self._shown.pop(role, None)
        if role == "officer_screen":
            self._listed = ()
        (self._joined.add if joined else self._joined.discard)(role)
        if role == "panel" and self._panel:
            self._panel.peer(joined=joined)
        if role == "pictures" and self._pictures:
            self._pictures.gone()
        if role == "reader":
            self.trust_problem = ""  # whoever comes opened what is in force
        if role == "fleet":
            self.fleet_problem = "" if joined else FLEET_AWAY

    def panel_says(self, told: PanelReport) -> None:
        """The reader's panel reports; officers see it, and nothing else comes of it."""
        if self._panel:
            self._panel.report(told)

    def pictures_say(self, told: AnyMessage) -> None:
        """The process that shows pictures to officers reports."""
        if self._pictures:
            self._pictures.hear(told)

    @property
    def pictures_address(self) -> str:
        """Where whoever waits for an officer can be seen; empty: nowhere."""
        return self._pictures.address if self._pictures else ""

    def joined(self, role: str) -> bool:
        """Whether a peer of ``role`` is there."""
        return role in self._joined

    def show(
        self, state: State, view: View, controller: str, case: Casework, *, since: float = 0.0, patient: bool = False
    ) -> None:
        """Tell every role what changed for it. ``since``: boot seconds in which the lane came into ``state``; ``patient``: it waits longer
        for whoever stands there.
        """
        if self._pictures:
            self._pictures.follow(case.running.id if case.running and state is State.HOLD else "")
        screen = traveller_screen(
            state,
            document_there=case.document_there,
            referral=case.referral_screen,
            single_door=self._single_door,
        )
        progress = case.progress if screen == "reading" else 0.0
        guidance = case.guidance if state is State.CAPTURE else ""
        shown = TravellerView(screen=screen, progress=progress, guidance=guidance, more_time=patient)
        self._show("traveller_screen", shown)
        self._show("panel", PanelView(screen=screen))
        if self._listed is not case.ended:
            for record in reversed([record for record in case.ended if record not in self._listed]):
                self._tell("officer_screen", EndedTransaction(record=record))
            self._listed = case.ended
        self._show("officer_screen", self._officer_view(state, view, controller, case))
        if self.joined("console"):
            self._show("console", self._console_view(state, view, case, since))
        if state is State.IDLE and self._joined >= self.workers:
            self._show("director", LaneReady(state=state))
        else:
            self._shown.pop("director", None)

    def _show(self, role: Role, message: AnyMessage) -> None:
        if self._shown.get(role) != message:
            self._shown[role] = message
            self._tell(role, message)

    def _officer_view(self, state: State, view: View, controller: str, case: Casework) -> OfficerView:
        running = case.running
        last = running.last_decision if running else None
        return OfficerView(
            lane=self._config.lane.id,
            checkpoint=self._config.lane.checkpoint,
            direction=self._config.lane.direction,
            profile=self._config.profile,
            state=state,
            controller=controller,
            entry=self._entry(view),
            exit=view.exit.name.lower() if view.linked else "unknown",
            occupancy="unknown" if view.occupancy is None else str(view.occupancy),
            transaction=running.id if running else "",
            stages=running.stages if running else (),
            outcome=last.outcome if last else None,
            reasons=(*last.reasons, *last.annotations) if last else (),
            warnings=(*self.troubles, *self._notices(), *self._warnings(case.backends)),
            panel=self._panel.word if self._panel else "",
            assistance=bool(self._panel and self._panel.called),
        )

    def _console_view(self, state: State, view: View, case: Casework, since: float) -> ConsoleView:
        running, lane = case.running, self._config.lane
        last = running.last_decision if running else None
        return ConsoleView(
            lane=lane.id,
            checkpoint=lane.checkpoint,
            direction=lane.direction,
            profile=self._config.profile,
            state=state,
            since=since,
            troubles=self.troubles,
            transaction=running.id if running else "",
            document_class=running.value("document_class") if running else "",
            exit_permit=running.value("exit_permit") if running else "",
            occupancy="unknown" if view.occupancy is None else str(view.occupancy),
            outcome=last.outcome if last else None,
            reasons=(*last.reasons, *last.annotations) if last else (),
            offers=offered(state),
            first_pass=case.first_pass,
            first_emergency=case.first_emergency,
            watching=self.watching,
            supervised=view.supervised,
            viewers=case.viewers,
        )

    def _entry(self, view: View) -> str:
        if self._single_door:
            return "none"  # gate.ui.words.NO_LEAF
        return view.entry.name.lower() if view.linked else "unknown"

    def _notices(self) -> tuple[str, ...]:
        notices = {
            "rules": self.rules_problem,
            "trust": self.trust_problem,
            "audit": self.audit_problem,
            "fleet": self.fleet_problem,
        }
        return tuple(f"{what}: {problem}" for what, problem in notices.items() if problem)

    def _warnings(self, backends: dict[str, str]) -> tuple[str, ...]:
        waived = (
            ("face weights for research alone, waived",)
            if self._config.face.waiver and WAIVED in backends.get("face", "")
            else ()
        )
        if self._panel and self._panel.fault:
            waived = (*waived, f"reader panel: {self._panel.fault}")
        if not PROFILES[self._config.profile].demonstration:
            return waived
        warnings = [*waived, f"profile {self._config.profile}: an exercise, nobody crosses a border"]
        if backends.get("pad") == "PAD not available":
            warnings.append("UnsafeNoPad: presentation attack detection is not available")
        if "demonstration" in backends.get("face", ""):
            warnings.append("demonstration recogniser, not for operation")
        return tuple(warnings)
