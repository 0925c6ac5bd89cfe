"""The profile ``training``: nothing real can be named in its configuration, and every page says that it is an exercise."""

import asyncio

import pytest
from starlette.applications import Starlette

from gate.config import ConfigError, load
from gate.processes.messages import OfficerView, TravellerView
from gate.profiles import REGISTRIES
from gate.service import commands
from gate.ui.exercise import EXERCISE, as_exercise, banded
from gate.ui.feed import NewestView
from gate.ui.officer.app import create_app as officer_app
from gate.ui.traveller.app import create_app as traveller_app
from gate.ui.words import warning

SIGNERS = ", ".join(f'"{name}:{index:064x}"' for index, name in enumerate(("a", "b"), 3))
GOOD = f"""\
profile = "training"
state_dir = "state"

[lane]
id = "exercise"
checkpoint = "CGK"
direction = "departure"

[scanner]
kind = "simulator"
address = "world"

[chip]
link = "scanner"

[camera]
kind = "simulator"
address = "world"

[controller]
device = "run/controller.tty"

[panel]
kind = "none"

[face]
pack = "demo"
packs_dir = "packs"

[trust]
store = "trust"

[registries.tls]
ca = "ca.pem"
certificate = "gate.pem"
key = "gate.key"

[registries.snapshots]
folder = "snapshots"
key_file = "snapshot.key"

[audit]
key = "audit.key"

[console]
port = 8423
roster = "roster"
signers = [{SIGNERS}]
"""
REGISTRY = '\n[registries.{name}]\nurl = "{url}"\nkey = "key.pem"\n'
SERIAL = 'kind = "serial"\nprofile = "rte"\nmrz = "device"\naddress = "{address}"'
PCSC = '[chip]\nlink = "pcsc"\nreader = "{reader}"'


@pytest.fixture
def write(tmp_path):
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "DEMO").touch()

    def write(text):
        path = tmp_path / "gate.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path):
    """(key, what) of every finding."""
    with pytest.raises(ConfigError) as raised:
        load(path)
    return [(finding.key, finding.what) for finding in raised.value.findings]


def test_simulators_alone_make_a_configuration(write):
    assert load(write(GOOD)).profile == "training"


REAL = [
    ("controller.device", 'device = "run/controller.tty"', 'device = "/dev/serial/by-id/usb-gate"', "a real device"),
    (
        "camera.address",
        'kind = "simulator"\naddress = "world"\n\n[con',
        'kind = "opencv"\naddress = "/dev/video0"\n\n[con',
        "a real device",
    ),
    ("panel.port", 'kind = "none"', 'kind = "osdp"\nport = "/dev/ttyUSB0"\nkey_file = "k"', "a real device"),
    ("trust.store", 'store = "trust"', 'store = "."', "not marked as a demonstration's trust store"),
    ("chip.reader", '[chip]\nlink = "scanner"', PCSC.format(reader="ACS ACR1252 00 00"), "a real reader"),
    ("console.lanes", "[console]", '[console]\nlanes = ["/var/lib/autogate"]', "lanes that are no part of the exercise"),
    (
        "audit.witness",
        'key = "audit.key"',
        f'key = "audit.key"\nwitness = "https://witness.example/"\nwitness_key = "w/1+00c0ffee+{"A" * 44}"',
        "not on this machine",
    ),
]


@pytest.mark.parametrize(("key", "old", "new", "why"), REAL, ids=[row[0] for row in REAL])
def test_a_real_device_trust_store_or_lane_is_refused_with_the_reason(write, key, old, new, why):
    assert old in GOOD
    assert refused(write(GOOD.replace(old, new, 1))) == [(key, f"profile training refuses it: {why}")]


def test_a_real_reader_of_zones_is_refused_with_the_reason(write):
    text = GOOD.replace('[chip]\nlink = "scanner"', PCSC.format(reader="Virtual PCD 00 00"))
    text = text.replace('kind = "simulator"\naddress = "world"', SERIAL.format(address="/dev/ttyUSB1"), 1)
    assert refused(write(text)) == [("scanner.address", "profile training refuses it: a real device")]


@pytest.mark.parametrize("name", REGISTRIES)
@pytest.mark.parametrize("url", ["https://registry.example", "https://10.0.0.7:8443", "https://127.0.0.1.example"])
def test_each_registry_off_this_machine_is_refused_with_the_reason(write, name, url):
    text = GOOD + REGISTRY.format(name=name, url=url)
    assert refused(write(text)) == [(f"registries.{name}.url", "profile training refuses it: not on this machine")]
    load(write(GOOD + REGISTRY.format(name=name, url="https://127.0.0.1:8500")))


# --- every page says so -----------------------------------------------------------------------------------------------------------


async def body(app: Starlette, path: str = "/") -> tuple[int, str, str]:
    """Status, body and content type."""
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    scope |= {"headers": [(b"host", b"127.0.0.1:8000")], "server": ("127.0.0.1", 8000), "scheme": "http", "http_version": "1.1"}
    sent = []

    async def receive():
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert headers["content-security-policy"].startswith("default-src 'self'")
    told = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], told.decode(), headers["content-type"]


def traveller() -> Starlette:
    feed = NewestView()
    feed.show(TravellerView(screen="closed"))
    return traveller_app(feed)


def officer() -> Starlette:
    feed: NewestView[OfficerView] = NewestView()
    return officer_app(feed)


@pytest.mark.parametrize("make", [traveller, officer])
async def test_a_page_of_an_exercise_says_so_in_both_languages_and_another_does_not(make):
    plain = (await body(make()))[1]
    assert EXERCISE[0] not in plain
    status, told, kind = await body(as_exercise(make()))
    assert (status, kind.partition(";")[0]) == (200, "text/html")
    assert EXERCISE[0] in told
    assert EXERCISE[1] in told
    assert told.replace("\n", "").endswith("</html>")
    status, _, kind = await body(as_exercise(make()), "/static/exercise.css")
    assert (status, kind.partition(";")[0]) == (200, "text/css")


@pytest.mark.parametrize("page", ["", "<html><body></body></html>", "<html><head></head></html>"])
def test_a_page_that_cannot_say_so_is_not_shown_at_all(page):
    with pytest.raises(ValueError, match="exercise"):
        banded(page)


def test_the_service_tells_the_screens_of_a_training_lane_and_of_no_other(write, tmp_path):
    from gate.runtime import Runtime

    runtime = Runtime(tmp_path)
    runtime.secret_file.write_text("0" * 64)
    for profile, told in (("training", True), ("demo", False)):
        config = load(path := write(GOOD.replace('"training"', f'"{profile}"')))
        started = commands(path, config, runtime)
        assert [("--exercise" in started[f"{who}_screen"]) for who in ("traveller", "officer")] == [told, told]


def test_the_officer_s_page_warns_of_it_too_in_both_languages():
    indonesian, english = warning("profile training: an exercise, nobody crosses a border")
    assert "latihan" in indonesian
    assert "exercise" in english
