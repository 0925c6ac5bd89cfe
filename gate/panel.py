"""What the reader's lamp and buzzer tell a traveller: a table from the screen's word, and nothing else, to a signal.

The screen's word knows no reason, so the lamp knows none: whatever a referral was for, a list or a face among it, it looks the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from gate.processes.messages import TravellerScreen
from hardware.ports import PanelSignal

_TO_AN_OFFICER = PanelSignal(lamp="amber", blink=True, beeps=2)

SIGNALS: Mapping[TravellerScreen, PanelSignal] = {
    "closed": PanelSignal(lamp="red"),
    "scan": PanelSignal(lamp="white", blink=True),
    "reading": PanelSignal(lamp="blue"),
    "lift": PanelSignal(lamp="green", blink=True, beeps=1),
    "enter": PanelSignal(lamp="green"),
    "face": PanelSignal(lamp="blue", blink=True),
    "wait": PanelSignal(lamp="off"),
    "open": PanelSignal(lamp="green"),
    "retry": _TO_AN_OFFICER,
    "counter": _TO_AN_OFFICER,
    "emergency": PanelSignal(lamp="red", blink=True),
}
