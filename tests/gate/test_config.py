"""A broken configuration is told in full: every error, with its line, and no value of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.config import MAX_BYTES, Config, ConfigError, check_command, load
from gate.evidence import Direction
from gate.profiles import DEMO_MARKER, PROFILES, REFUSALS

GOOD = """\
profile = "demo"
state_dir = "state"

[lane]
id = "CGK-T3-07"
checkpoint = "CGK"
direction = "departure"

[scanner]
kind = "simulator"
address = "world/scanner.sock"

[camera]
kind = "simulator"
address = "world/camera.sock"

[controller]
device = "run/controller.tty"

[face]
pack = "demo"
packs_dir = "packs"

[trust]
store = "trust"

[registries.tls]
ca = "tls/ca.pem"
certificate = "tls/gate.pem"
key = "tls/gate.key"

[registries.watchlist]
url = "http://127.0.0.1:8500"
key = "watchlist.pem"

[timeouts]
registry_ms = 900
"""


PANEL = '\n[panel]\nkind = "osdp"\nport = "run/panel.tty"\nkey_file = "panel.key"\n'


@pytest.fixture
def write(tmp_path):
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / DEMO_MARKER).touch()

    def write(text: str | bytes = GOOD) -> Path:
        path = tmp_path / "gate.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


SERIAL = 'kind = "serial"\nprofile = "rte"\nmrz = "device"'


def broken(path: Path) -> list[tuple[int, str]]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [(finding.line, finding.key) for finding in caught.value.findings]


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_a_good_file_gives_a_frozen_config_with_defaults_and_paths_beside_the_file(write, tmp_path):
    config = load(write())
    assert (config.profile, config.lane.direction, config.lane.kind) == ("demo", Direction.DEPARTURE, "mantrap")
    assert (config.state_dir, config.trust.store, config.controller.key_file) == (tmp_path / "state", tmp_path / "trust", None)
    assert (config.timeouts.document_s, config.timeouts.registry_ms, config.controller.baud) == (20.0, 900, 115200)
    assert (config.screens.traveller_port, config.screens.officer_port) == (8410, 8411)
    assert config.registries.issuance is None
    assert config.registries.watchlist is not None
    assert config.registries.watchlist.deadline_ms == 800
    with pytest.raises(AttributeError):
        config.profile = "trial"


def test_a_panel_wants_a_port_and_a_key_of_its_own(write, tmp_path):
    (tmp_path / "panel.key").write_text("5b1e9c02d7f4438a60b93e77c1250fae")
    (tmp_path / "panel.key").chmod(0o600)
    assert load(write()).panel.kind == "none"
    assert load(write(GOOD + PANEL)).panel.key_file == tmp_path / "panel.key"
    for text in (PANEL.replace('port = "run/panel.tty"\n', ""), '[panel]\nkind = "simulator"\n'):
        assert [key for _, key in broken(write(GOOD + text))] == ["panel.port"]
    assert [key for _, key in broken(write(GOOD + PANEL.replace('key_file = "panel.key"\n', "")))] == ["panel.key_file"]
    assert [key for _, key in broken(write(GOOD + PANEL.replace("run/panel.tty", "/dev/tty0")))] == ["panel.port"]
    assert [key for _, key in broken(write(GOOD + PANEL + "address = 127\n"))] == ["panel.address"]
    (tmp_path / "panel.key").unlink()  # a file may be checked elsewhere than on the gate
    assert load(write(GOOD + PANEL)).panel.kind == "osdp"


@pytest.mark.parametrize(
    ("key", "mode"), [("303132333435363738393a3b3c3d3e3f", 0o600), ("0" * 32, 0o600), ("5b1e9c02d7f4438a60b93e77c1250fae", 0o644)]
)
def test_the_default_key_of_panels_and_one_that_others_read_are_refused_under_every_profile(write, tmp_path, key, mode):
    (tmp_path / "panel.key").write_text(key)
    (tmp_path / "panel.key").chmod(mode)
    for text in (GOOD, TRIAL):
        assert "panel.key_file" in [each for _, each in broken(write(text + PANEL))]


def test_a_key_that_cannot_be_looked_at_from_here_is_no_finding_and_no_trace(write):
    """Who checks a file may not be who runs the gate."""
    assert load(write(GOOD + PANEL.replace("panel.key", "k" * 300))).panel.kind == "osdp"


def test_a_trial_refuses_a_panel_that_is_a_simulator(write):
    for panel in (PANEL, '\n[panel]\nkind = "simulator"\nport = "world"\n'):
        assert "panel.port" in [each for _, each in broken(write(TRIAL + panel))]


def test_all_errors_come_at_once_each_with_its_line(write):
    text = (
        GOOD.replace('checkpoint = "CGK"', 'checkpoint = "XYZ"')
        .replace('direction = "departure"', 'directoin = "departure"')
        .replace('kind = "simulator"\naddress = "world/scanner.sock"', 'kind = "twain"\naddress = 7')
        .replace("registry_ms = 900", "registry_ms = 20000\nexit_s = true")
        .replace('[trust]\nstore = "trust"\n', "")
    )
    path = write(text)
    assert broken(path) == [
        (1, "trust.store"),
        (line_of(text, "[lane]"), "lane.direction"),
        (line_of(text, 'checkpoint = "XYZ"'), "lane.checkpoint"),
        (line_of(text, "directoin"), "lane.directoin"),
        (line_of(text, 'kind = "twain"'), "scanner.kind"),
        (line_of(text, "address = 7"), "scanner.address"),
        (line_of(text, "registry_ms"), "timeouts.registry_ms"),
        (line_of(text, "exit_s"), "timeouts.exit_s"),
    ]


def test_an_unknown_key_names_its_nearest_neighbour(write):
    with pytest.raises(ConfigError, match=r"lane\.directoin: unknown key \(did you mean direction\?\)"):
        load(write(GOOD.replace("direction", "directoin")))


def test_a_finding_is_one_line_whatever_the_key(write):
    with pytest.raises(ConfigError) as caught:
        load(write('"a\\nb\\u001b[31m" = 1\n' + GOOD))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('profile = "demo"', 'profile = "production"', "profile"),
        ('profile = "demo"', "profile = 1", "profile"),
        ('state_dir = "state"', 'state_dir = ""', "state_dir"),
        ('state_dir = "state"', 'state_dir = "a\\u0000b"', "state_dir"),
        ('id = "CGK-T3-07"', 'id = "../x"', "lane.id"),
        ('direction = "departure"', 'direction = "up"', "lane.direction"),
        ("registry_ms = 900", "registry_ms = 900.5", "timeouts.registry_ms"),
        ("registry_ms = 900", "exit_s = nan", "timeouts.exit_s"),
        ("registry_ms = 900", "exit_s = inf", "timeouts.exit_s"),
        ("registry_ms = 900", "exit_s = -1", "timeouts.exit_s"),
        ("registry_ms = 900", "exit_s = 0", "timeouts.exit_s"),
        ("[timeouts]\nregistry_ms = 900", "[screens]\nofficer_port = 80", "screens.officer_port"),
        ("[timeouts]\nregistry_ms = 900", "[screens]\nofficer_port = 8410", "screens.officer_port"),
        ("[timeouts]\nregistry_ms = 900", "[rules]\nfolder = 3", "rules.folder"),
        ("[timeouts]\nregistry_ms = 900", '[chip]\nlink = "pcsc"', "chip.reader"),
        ("[timeouts]\nregistry_ms = 900", '[chip]\nlink = "nfc"', "chip.link"),
        ("[timeouts]\nregistry_ms = 900", '[chip]\nlink = "scanner"\nreader = "Reader 0 0"', "chip.reader"),
        ("[timeouts]\nregistry_ms = 900", '[chip]\nreader = "Reader 0 0"', "chip.reader"),
        ("[timeouts]\nregistry_ms = 900", '[chip]\ntolerate = ["no_access_control"]', "chip.tolerate"),
        ('[trust]\nstore = "trust"', "[[trust]]", "trust"),
        ('device = "run/controller.tty"', 'device = "run/controller.tty"\nbaud = 115201', "controller.baud"),
        ('device = "run/controller.tty"', 'device = "run\\u0000"', "controller.device"),
        ("[registries.watchlist]", "[registries.watchlits]", "registries.watchlits"),
        ('key = "watchlist.pem"', "", "registries.watchlist.key"),
        ('ca = "tls/ca.pem"', "", "registries.tls.ca"),
        ('url = "http://127.0.0.1:8500"', 'url = "ftp://127.0.0.1"', "registries.watchlist.url"),
        ('[lane]\nid = "CGK-T3-07"', '[lane]\nid = "CGK-T3-07"\nlid = 1', "lane.lid"),
    ],
)
def test_one_wrong_value_is_one_finding_at_its_key(write, old, new, key):
    assert old in GOOD
    assert [found for _, found in broken(write(GOOD.replace(old, new)))] == [key]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD.replace('id = "CGK-T3-07"', 'id = "CGK-T3-07'), 5),
        (GOOD.replace("[scanner]", "[scanner"), 9),
        ("[a]\nx = [1,\n", 3),
        (b"profile = 'demo'\n# \xff\n", 2),
        ("x = " + "[" * 20_000, 1),
        ("x = " + "9" * 5_000, 1),
    ],
)
def test_what_is_no_toml_is_one_finding_with_its_line(write, text, line):
    assert broken(write(text)) == [(line, "file")]


def test_a_missing_file_and_a_huge_one_are_findings(write, tmp_path):
    assert broken(tmp_path / "absent.toml") == [(0, "file")]
    assert broken(tmp_path) == [(0, "file")]
    assert broken(write("#" * (MAX_BYTES + 1))) == [(0, "file")]


@pytest.mark.parametrize(
    "value",
    [
        '\n"kind" = 5',
        "\n  kind  =  5",
    ],
)
def test_lines_are_found_however_the_key_is_written(write, value):
    text = GOOD.replace('\nkind = "simulator"\naddress = "world/camera.sock"', f'{value}\naddress = "world/camera.sock"')
    assert broken(write(text)) == [(line_of(text, "[camera]") + 1, "camera.kind")]


def test_a_key_like_line_within_a_string_is_no_key(write):
    text = GOOD.replace('kind = "simulator"\naddress = "world/camera.sock"', 'kind = """\naddress = 1\n"""\naddress = 7')
    line = line_of(text, "[camera]") + 1
    assert broken(write(text)) == [(line, "camera.kind"), (line + 3, "camera.address")]


def test_dotted_keys_and_inline_tables_give_the_nearest_line(write):
    text = GOOD.replace('[trust]\nstore = "trust"\n', "").replace("state_dir", "trust.store = 4\nstate_dir")
    assert broken(write(text)) == [(2, "trust.store")]
    text = GOOD.replace('[trust]\nstore = "trust"\n', "").replace("state_dir", "trust = { store = 4 }\nstate_dir")
    assert broken(write(text)) == [(2, "trust.store")]


def test_no_value_of_the_file_is_ever_shown(write, capsys):
    secret = "hunter2hunter2"
    text = GOOD.replace('url = "http://127.0.0.1:8500"', f'url = "https://me:{secret}@127.0.0.1/"').replace(
        '"CGK"', f'"{secret}"'
    )
    assert check_command(write(text + f'key = "{secret}"\n')) == 2
    assert check_command(write(text + f'key = "{secret}\n')) == 2
    captured = capsys.readouterr()
    assert captured.err.count("gate.toml:") == 4
    assert secret not in captured.err + captured.out


def test_the_command_says_file_line_key_and_remedy(write, capsys):
    path = write(GOOD.replace('"departure"', '"up"'))
    assert check_command(path) == 2
    assert capsys.readouterr().err == (
        f'{path}:7: lane.direction: not one of "arrival", "departure" (write one of "arrival", "departure")\n'
    )
    assert check_command(write()) == 0
    assert "good for profile demo" in capsys.readouterr().out


# --- profiles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["demo", "training"])
@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (
            'kind = "simulator"\naddress = "world/scanner.sock"',
            f'{SERIAL}\naddress = "/dev/ttyUSB1"\n[chip]\nlink = "pcsc"\nreader = "Virtual PCD 00 00"',
            "scanner.address",
        ),
        ('kind = "simulator"\naddress = "world/camera.sock"', 'kind = "opencv"\naddress = "/dev/video0"', "camera.address"),
        ('device = "run/controller.tty"', 'device = "/dev/ttyUSB0"', "controller.device"),
        ('device = "run/controller.tty"', 'device = "/dev/serial/by-id/usb-gate"', "controller.device"),
        ('store = "trust"', 'store = "."', "trust.store"),
        ('url = "http://127.0.0.1:8500"', 'url = "https://registry.example"', "registries.watchlist.url"),
        ('url = "http://127.0.0.1:8500"', 'url = "http://127.0.0.1.example"', "registries.watchlist.url"),
    ],
)
def test_a_demonstration_refuses_everything_real(write, profile, old, new, key):
    text = GOOD.replace('profile = "demo"', f'profile = "{profile}"')
    assert load(write(text)).profile == profile
    assert [found for _, found in broken(write(text.replace(old, new)))] == [key]


@pytest.mark.parametrize(
    ("scanner", "keys"),
    [
        (SERIAL, []),
        (SERIAL.replace('profile = "rte"\n', ""), ["scanner.profile"]),
        (SERIAL.replace("rte", "morse"), ["scanner.profile"]),
        (SERIAL.replace("device", "images"), ["scanner.mrz"]),
        (SERIAL.replace("serial", "simulator"), ["scanner.profile"]),
    ],
)
def test_a_serial_reader_says_how_it_speaks_and_hands_over_no_pictures(write, scanner, keys):
    text = GOOD.replace('kind = "simulator"\naddress = "world/scanner.sock"', f'{scanner}\naddress = "run/reader.tty"')
    text = text.replace("[timeouts]", '[chip]\nlink = "pcsc"\nreader = "Virtual PCD 00 00"\n\n[timeouts]')
    path = write(text)
    assert ([key for _, key in broken(path)] if keys else []) == keys
    if not keys:
        assert load(path).scanner.profile == "rte"


def test_a_serial_reader_reads_no_chips(write):
    text = GOOD.replace('kind = "simulator"\naddress = "world/scanner.sock"', f'{SERIAL}\naddress = "run/reader.tty"')
    assert [key for _, key in broken(write(text))] == ["chip.link"]


def test_a_real_device_behind_a_link_is_still_refused(write, tmp_path):
    (tmp_path / "controller.tty").symlink_to("/dev/null")
    text = GOOD.replace("run/controller.tty", str(tmp_path / "controller.tty"))
    assert [key for _, key in broken(write(text))] == ["controller.device"]


def test_a_link_to_a_pseudo_terminal_is_a_simulator_wherever_it_lies(write, tmp_path):
    master, slave = os.openpty()
    (tmp_path / "controller.tty").symlink_to(os.ttyname(slave))
    assert load(write(GOOD.replace("run/controller.tty", str(tmp_path / "controller.tty")))).profile == "demo"
    text = TRIAL.replace("/dev/ttyUSB0", str(tmp_path / "controller.tty"))
    assert [key for _, key in broken(write(text))] == ["controller.device"]
    os.close(master)
    os.close(slave)


def test_a_registry_over_https_wants_certificates_and_one_of_crossings_a_sealed_outbox(write):
    bare = TRIAL[: TRIAL.index("[registries.tls]")] + TRIAL[TRIAL.index("[registries.watchlist]") :]
    assert [key for _, key in broken(write(bare))] == ["registries.watchlist.url"]
    crossing = TRIAL + '\n[registries.crossing]\nurl = "https://registry.example"\nkey = "crossing.pem"\n'
    assert [key for _, key in broken(write(crossing))] == ["registries.crossing"]
    path = write(crossing + '\n[registries.snapshots]\nfolder = "snapshots"\nkey_file = "snapshot.key"\n')
    assert list(load(path).registries.named) == ["watchlist", "crossing"]


TOKEN = "pkcs11:token=gate;object=audit?module-path=/usr/lib/x.so&pin-source=/etc/pin"
WITNESS_KEY = f"witness.example/w1+00c0ffee+{'A' * 44}"
CONSOLE = f'\n[console]\nport = 8412\nroster = "roster"\nsigners = ["ratna:{"05" * 32}", "yusuf:{"06" * 32}"]\n'
TRIAL = (
    GOOD.replace('"demo"\nstate_dir', '"trial"\nstate_dir')
    .replace('kind = "simulator"\naddress = "world/scanner.sock"', f'{SERIAL}\naddress = "/dev/ttyUSB1"')
    .replace('kind = "simulator"\naddress = "world/camera.sock"', 'kind = "opencv"\naddress = "/dev/v4l/by-id/gate"')
    .replace('device = "run/controller.tty"', 'device = "/dev/ttyUSB0"\nkey_file = "key"')
    .replace('pack = "demo"', 'pack = "operator-2026"')
    .replace('store = "trust"', f'store = "operator-trust"\nsigners = ["first:{"01" * 32}", "second:{"02" * 32}"]')
    .replace("http://127.0.0.1:8500", "https://registry.example/v1")
    .replace("[timeouts]", '[chip]\nlink = "pcsc"\nreader = "Reader 0 0"\n\n[timeouts]')
    + f'\n[rules]\nstore = "operator-rules"\nsigners = ["siti:{"03" * 32}", "budi:{"04" * 32}"]\n'
    + f'\n[audit]\nkey = "{TOKEN}"\nsealing_key = "sealing.key"\nwitness = "https://witness.example/"\nwitness_key = "{WITNESS_KEY}"\n'
    + CONSOLE
)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (f"{SERIAL}\n", 'kind = "simulator"\n', "scanner.kind"),
        ("/dev/ttyUSB1", "/dev/pts/4", "scanner.address"),
        ("/dev/ttyUSB1", "scanner.tty", "scanner.address"),
        ('"opencv"', '"simulator"', "camera.kind"),
        ("/dev/v4l/by-id/gate", "recordings/film.avi", "camera.address"),
        ("/dev/ttyUSB0", "/dev/pts/3", "controller.device"),
        ("/dev/ttyUSB0", "somewhere.tty", "controller.device"),
        ('key_file = "key"', "", "controller.key_file"),
        ("Reader 0 0", "Virtual PCD 00 00", "chip.reader"),
        ('link = "pcsc"', 'link = "pcsc"\ntolerate = ["bac_where_pace_failed"]', "chip.tolerate"),
        ("operator-2026", "demo", "face.pack"),
        ('witness = "https://witness.example/"\n', "", "audit.witness"),
        ("https://witness.example/", "witness.jsonl", "audit.witness"),
        (f'witness_key = "{WITNESS_KEY}"\n', "", "audit.witness_key"),
        ("+00c0ffee", "", "audit.witness_key"),
        ('sealing_key = "sealing.key"\n', "", "audit.sealing_key"),
        (TOKEN, "audit.key", "audit.key"),
        (CONSOLE, "", "console.roster"),
        ('roster = "roster"\n', 'roster = "roster"\nsupervision = "page"\n', "console.supervision"),
        ("operator-trust", "trust", "trust.store"),
        (f', "second:{"02" * 32}"', "", "trust.signers"),
        ("second:", "first:", "trust.signers"),
        ("02" * 32, "01" * 32, "trust.signers"),
        ("02" * 32, "02" * 31, "trust.signers"),
        ("https://registry.example/v1", "http://registry.example/v1", "registries.watchlist.url"),
    ],
)
def test_a_trial_refuses_every_stand_in(write, old, new, key):
    assert load(write(TRIAL)).profile == "trial"
    assert [found for _, found in broken(write(TRIAL.replace(old, new)))] == [key]


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ('store = "operator-rules"', "", ["rules.store"]),
        ('store = "operator-rules"', 'folder = "rules"', ["rules.folder", "rules.store"]),
        ('store = "operator-rules"', 'store = "operator-rules"\nfolder = "rules"', ["rules.folder", "rules.folder"]),
        (f', "budi:{"04" * 32}"', "", ["rules.signers"]),
        ("budi:", "siti:", ["rules.signers"]),
        ("04" * 32, "03" * 32, ["rules.signers"]),
    ],
)
def test_a_trial_goes_by_no_rules_but_those_that_two_people_signed(write, old, new, keys):
    assert load(write(TRIAL)).rules.signers[0].startswith("siti:")
    assert sorted(found for _, found in broken(write(TRIAL.replace(old, new)))) == keys


def test_a_log_is_witnessed_only_where_the_gate_signs_for_it(write, tmp_path):
    without = TRIAL.replace(f'key = "{TOKEN}"\n', "")
    assert load(write(TRIAL)).audit.key == Path(TOKEN)
    assert sorted(found for _, found in broken(write(without))) == ["audit.key", "audit.sealing_key", "audit.witness"]
    assert load(write()).audit.key is None
    kept = load(write(GOOD + '\n[audit]\nkey = "audit.key"\nwitness = "/mnt/seen"\n')).audit
    assert (kept.key, kept.remote, kept.witness_file) == (tmp_path / "audit.key", False, Path("/mnt/seen"))


def test_a_demonstration_may_go_by_a_folder_or_by_a_signed_store_but_not_by_both(write, tmp_path):
    assert load(write(GOOD + '\n[rules]\nfolder = "mine"\n')).rules.folder == tmp_path / "mine"
    signed = GOOD + TRIAL[TRIAL.index("\n[rules]") : TRIAL.index("\n[audit]")]
    assert load(write(signed)).rules.store == tmp_path / "operator-rules"
    assert broken(write(signed + 'folder = "mine"\n'))[0][1] == "rules.folder"


def test_every_profile_has_its_rules_and_every_rule_names_a_key_of_the_configuration(write):
    assert PROFILES.keys() == REFUSALS.keys()
    assert not PROFILES["trial"].demonstration
    assert [name for name, profile in PROFILES.items() if profile.allows_unsafe] == ["demo"]
    for refusals in REFUSALS.values():
        for refusal in refusals:
            kind: object = Config
            for part in refusal.key.split("."):
                assert part in getattr(kind, "__struct_fields__", ()), refusal.key
                annotated = getattr(kind, "__annotations__", {})[part].removesuffix(" | None")
                kind = getattr(__import__("gate.config", fromlist=[annotated]), annotated, None)


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode), st.data()))
@settings(deadline=None)
def test_any_bytes_give_a_config_or_findings(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "any.toml"
    if not isinstance(data, bytes):
        start, length = data.draw(st.integers(0, len(GOOD))), data.draw(st.integers(0, 9))
        data = (GOOD[:start] + data.draw(st.text(max_size=9)) + GOOD[start + length :]).encode()
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        assert isinstance(load(path), Config)


def test_a_demonstration_may_look_at_a_recording(write):
    film = GOOD.replace('kind = "simulator"\naddress = "world/camera.sock"', 'kind = "opencv"\naddress = "film.avi"')
    assert load(write(film)).camera.kind == "opencv"


def test_health_has_a_port_of_its_own(write):
    assert load(write(GOOD)).health.port is None
    assert load(write(GOOD + "\n[health]\nport = 8412\n")).health.port == 8412
    assert [key for _, key in broken(write(GOOD + "\n[health]\nport = 8411\n"))] == ["health.port"]


def test_fields_are_sealed_and_kept_for_a_while_only_where_a_process_does_it(write, tmp_path):
    kept = load(write(GOOD + '\n[audit]\nkey = "audit.key"\nsealing_key = "sealing.key"\nretention = "periods.toml"\n')).audit
    assert (kept.sealing_key, kept.retention) == (tmp_path / "sealing.key", tmp_path / "periods.toml")
    assert [key for _, key in broken(write(GOOD + '\n[audit]\nsealing_key = "sealing.key"\n'))] == ["audit.sealing_key"]
    assert [key for _, key in broken(write(GOOD + '\n[audit]\nkey = "k"\nretention = "periods.toml"\n'))] == ["audit.retention"]


FLEET = '\n[fleet]\nurl = "nats://127.0.0.1:4222"\nsigning_key = "fleet.key"\nkeys = "keys.json"\n'
FLEET_IN_TRIAL = (
    f'\n[fleet]\nurl = "tls://broker.example:4222"\nca = "ca.pem"\ncertificate = "gate.pem"\nkey = "gate.key"\n'
    f'signing_key = "{TOKEN}"\nkeys = "keys.json"\nsigners = ["siti:{"03" * 32}", "budi:{"04" * 32}"]\n'
)


def test_a_gate_stands_alone_unless_it_names_a_centre(write, tmp_path):
    assert load(write()).fleet is None
    fleet = load(write(GOOD + FLEET)).fleet
    assert (fleet.signing_key, fleet.keys, fleet.rows_per_s, fleet.updates) == (
        tmp_path / "fleet.key",
        tmp_path / "keys.json",
        200.0,
        None,
    )


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("nats://127.0.0.1:4222", "nats://broker.example:4222", ["fleet.url"]),
        ("nats://127.0.0.1:4222", "nats://gate:secret@127.0.0.1:4222", ["fleet.url"]),
        ("nats://127.0.0.1:4222", "ws://127.0.0.1:4222", ["fleet.url"]),
        ("nats://127.0.0.1:4222", "tls://127.0.0.1:4222", ["fleet.url"]),
        ('keys = "keys.json"', 'keys = "keys.json"\nca = "ca.pem"', ["fleet.url"]),
        ('keys = "keys.json"', "", ["fleet.keys"]),
        ('keys = "keys.json"', 'keys = "keys.json"\nrows_per_s = 0', ["fleet.rows_per_s"]),
        ('keys = "keys.json"', 'keys = "keys.json"\nupdates_every_s = 0', ["fleet.updates_every_s"]),
        ('id = "CGK-T3-07"', 'id = "CGK.T3.07"', ["lane.id"]),
        ('profile = "demo"', 'profile = "training"', ["fleet.url"]),
    ],
)
def test_a_demonstration_tells_a_centre_on_its_own_machine_alone_and_an_exercise_none(write, old, new, keys):
    assert old in GOOD + FLEET
    assert [found for _, found in broken(write((GOOD + FLEET).replace(old, new)))] == keys


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("tls://broker.example", "nats://broker.example", ["fleet.url", "fleet.url"]),
        ('ca = "ca.pem"\ncertificate = "gate.pem"', 'certificate = "gate.pem"', ["fleet.url"]),
        (f'signing_key = "{TOKEN}"', 'signing_key = "fleet.key"', ["fleet.signing_key"]),
        (f', "budi:{"04" * 32}"]\n', "]\n", ["fleet.signers"]),
    ],
)
def test_a_trial_tells_a_centre_that_proves_itself_with_a_key_that_nobody_copies(write, old, new, keys):
    assert load(write(TRIAL + FLEET_IN_TRIAL)).fleet.url.startswith("tls:")
    at = len(TRIAL)
    text = TRIAL + FLEET_IN_TRIAL
    assert [found for _, found in broken(write(text[:at] + text[at:].replace(old, new)))] == keys
