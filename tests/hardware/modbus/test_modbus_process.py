"""The whole way: link, pyserial, a pseudo-terminal, a bad line between, the controller as a process. Safety is read from the plant's own log."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from hardware.controller.host import CommandIds
from hardware.controller.link import DownReason, LinkDown, LinkUp
from hardware.controller.messages import MessageError
from hardware.controller.modbus import UnsafeUnauthenticatedLink
from hardware.controller.protocol import (
    Close,
    CommandResult,
    Door,
    Leaf,
    LeaseLapsed,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    SetSignal,
    Signal,
    Telemetry,
)
from hardware.controller.serial_port import SerialPort
from hardware.sim.relay import FaultRelay

pytestmark = pytest.mark.processes


class BootClock:
    def boot(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class Host:
    """A lane that renews every 50 ms while ``renewing``, and keeps every event."""

    def __init__(self, tty, unit: int = 1) -> None:
        self.events: list[object] = []
        self.news = threading.Condition()
        self.renewing = True
        self.unknown = 0
        self.ids = CommandIds(BootClock())
        self.link = UnsafeUnauthenticatedLink(lambda: SerialPort(str(tty)), unit, BootClock(), self._note)
        self._closing = threading.Event()
        self._renewer = threading.Thread(target=self._renew)

    def __enter__(self):
        self.link.start()
        self._renewer.start()
        return self

    def __exit__(self, *_):
        self._closing.set()
        self._renewer.join()
        self.link.close()

    def _renew(self) -> None:
        while not self._closing.wait(0.05):
            if self.renewing:
                self.link.renew()

    def _note(self, event: object) -> None:
        with self.news:
            self.events.append(event)
            self.news.notify_all()

    def wait(self, wanted, since: int = 0, seconds: float = 10.0):
        found: list[object] = []

        def there() -> bool:
            found[:] = [event for event in self.events[since:] if wanted(event)]
            return bool(found)

        with self.news:
            assert self.news.wait_for(there, seconds), self.events[-5:]
            return found[0]

    def up(self, since: int = 0) -> LinkUp:
        return self.wait(lambda event: isinstance(event, LinkUp), since)

    def do(self, kind: type, **fields: object) -> Outcome:
        """Order it; anew where a busy machine lost the link first, and with it what became of the order (``unknown`` counts these)."""
        while True:
            number, since = self.ids.next(), len(self.events)
            self.link.send(kind(command_id=number, **fields))
            told = self.wait(
                lambda event, n=number: isinstance(event, LinkDown) or getattr(event, "command_id", None) == n, since
            )
            if isinstance(told, CommandResult):
                return told.outcome
            self.unknown += 1
            self.up(since)

    def see(self, **seen: object) -> Telemetry:
        match = lambda event: isinstance(event, Telemetry) and all(getattr(event, name) == value for name, value in seen.items())
        return self.wait(match, len(self.events))


@pytest.fixture
def host(simulated):
    with Host(simulated.tty) as host:
        host.up()
        yield host


def logged(simulated, what: str) -> list[float]:
    return [line["t"] for line in simulated.control("state")["log"] if line["what"] == what]


def moved(simulated) -> int:
    """How often the entry's leaf began or ended a movement."""
    return sum(line["what"].startswith("entry ") for line in simulated.control("state")["log"])


def test_a_traveller_passes_and_somebody_left_inside_is_let_out_without_a_host(simulated, host):
    for leaves in (True, False):
        since = len(host.events)
        simulated.control("arrive", walk_in_s=0.2, walk_out_s=0.2, react_s=0)
        while Passage(door=Door.ENTRY, inwards=True) not in host.events[since:]:  # a busy machine may let a lease lapse
            host.do(OpenEntry, purpose=Purpose.ADMIT)
            time.sleep(0.5)
        assert host.do(Close, door=Door.ENTRY) is Outcome.EXECUTED
        host.see(entry=Leaf.LOCKED, occupancy=1)
        if leaves:
            while Passage(door=Door.EXIT, inwards=False) not in host.events[since:]:
                host.do(OpenExit)
                time.sleep(0.5)
            host.see(exit=Leaf.LOCKED, occupancy=0)
    opened = len(logged(simulated, "exit opening"))
    host.renewing = False
    host.link.close()
    end = time.monotonic() + 10
    while simulated.control("state")["ejected"] == 0:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert len(logged(simulated, "exit opening")) == opened
    assert simulated.control("state")["violations"] == []


def test_a_lane_that_hangs_beside_its_link_renews_nothing(simulated, host):
    assert host.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
    since, host.renewing = len(host.events), False
    host.wait(lambda event: event == LeaseLapsed(door=Door.ENTRY), since)
    host.see(entry=Leaf.LOCKED)


def test_an_unplugged_controller_is_noticed_and_comes_back_under_another_name(simulated, host):
    since = len(host.events)
    simulated.control("unplug")
    assert host.wait(lambda event: isinstance(event, LinkDown), since).reason is DownReason.PORT
    assert host.do(SetSignal, signal=Signal.GREEN_ARROW) is Outcome.EXPIRED
    simulated.control("plug")
    host.up(since)
    assert host.do(SetSignal, signal=Signal.GREEN_ARROW) is Outcome.EXECUTED
    assert host.link.stuck() == ""


def test_noise_loses_and_doubles_no_command(simulated, tmp_path):
    with FaultRelay(tmp_path, simulated.tty, seed=5) as relay, Host(relay.tty) as host:
        host.up()
        opened, before = 0, len(logged(simulated, "entry locked"))
        relay.line(flip=1e-3, drop=0.01)
        for _ in range(20):
            still = moved(simulated)
            opened += host.do(OpenEntry, purpose=Purpose.ADMIT) is Outcome.EXECUTED
            while moved(simulated) == still:  # the leaf itself, which comes after the order
                time.sleep(0.01)
            host.do(Close, door=Door.ENTRY)
            host.see(entry=Leaf.LOCKED)
        relay.line()
        assert opened == 20
        shut_again = len(logged(simulated, "entry locked")) - before
        assert opened <= shut_again <= opened + host.unknown
        assert logged(simulated, "exit opening") == []
        assert simulated.control("state")["violations"] == []
        assert host.link.damaged_frames > 0


def test_without_a_controller_commands_expire_and_the_link_says_why_once(pymodbus, tmp_path):
    with Host(tmp_path / "nothing") as host:
        assert host.wait(lambda event: isinstance(event, LinkDown)).reason is DownReason.PORT
        assert host.do(SetSignal, signal=Signal.RED_CROSS) is Outcome.EXPIRED
        time.sleep(0.6)
        assert sum(isinstance(event, LinkDown) for event in host.events) == 1
    assert host.events[-1].reason is DownReason.CLOSED


def test_a_command_that_does_not_fit_is_refused_where_it_is_made(pymodbus, tmp_path):
    with Host(tmp_path / "nothing") as host, pytest.raises(MessageError):
        host.link.send(OpenExit(command_id=1, lease_ms=70_000))


def test_the_lane_stays_free_of_what_it_must_not_load(pymodbus):
    forbidden = ("numpy", "cv2", "onnxruntime", "cryptography", "mrz", "pki", "faceverify")
    program = (
        "import sys, gate.processes.lane\n"
        "from hardware.controller.modbus_line import load_pymodbus\n"
        "from hardware.controller.modbus import UnsafeUnauthenticatedLink\n"
        "load_pymodbus()\n"
        f"print([name for name in {forbidden} if name in sys.modules], 'pymodbus.framer' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "[] True\n"
