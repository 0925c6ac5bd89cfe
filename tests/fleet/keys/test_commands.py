"""The ceremony by its commands, from nothing to a gate that is listed, and to one that is not any more."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from gate.__main__ import main
from gate.fleet.keys.command import CERTIFICATE, EVENT_KEY, TLS_KEY
from gate.fleet.keys.directory import KeyDirectory, read_directory
from gate.fleet.keys.folder import FleetFolder
from gate.trust_command import add_arguments as add_trust_arguments
from gate.trust_command import trust_command

NAME = "CGK.D07"


@pytest.fixture
def do(capsys):
    def done(word, *arguments, code=0):
        assert main(["fleet", word, *(str(each) for each in arguments)]) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    return done


@pytest.fixture
def people(tmp_path, capsys):
    """Name → key file, and the lines that name them."""
    lines = []
    for name in ("ani", "budi", "citra"):
        parser = argparse.ArgumentParser()
        add_trust_arguments(parser)
        assert trust_command(parser.parse_args(["keygen", "--json", "--name", name, "--key", str(tmp_path / name)])) == 0
        lines += [line.split('"')[3] for line in capsys.readouterr().out.splitlines() if '"signer"' in line]
    return {line.partition(":")[0]: (tmp_path / line.partition(":")[0], line) for line in lines}


@pytest.fixture
def fleet_dir(tmp_path, do, people):
    folder = tmp_path / "fleet"
    signers = [each for _, line in people.values() for each in ("--signer", line)]
    do("keys", "init", "--fleet", folder, "--name", "Test fleet", *signers)
    for name in ("ani", "budi"):
        do("keys", "sign", folder / "root.json", "--key", people[name][0])
    return folder


def enrolled(do, people, tmp_path, name=NAME, *, state="gate", approve=("ani", "budi"), more=()):
    request = tmp_path / f"{state}.json"
    told = do("enrol", name, "--state", tmp_path / state, "--out", request, *more)
    fingerprint = next(line for line in told.splitlines() if line.startswith("fingerprint")).partition(": ")[2]
    for who in approve:
        do("approve", request, "--name", who, "--key", people[who][0], "--fingerprint", fingerprint)
    return request


def live(folder):
    return [entry.name for entry in FleetFolder(folder).directory().live()]


def test_enrol_approve_admit_then_revoke(do, people, fleet_dir, tmp_path):
    request = enrolled(do, people, tmp_path, approve=("ani",))
    assert "1 of 2 people (ani)" in do("admit", request, "--fleet", fleet_dir, "--out", tmp_path / "gate", code=2)
    fingerprint = do("approve", request, "--name", "budi", "--key", people["budi"][0], "--fingerprint", "beef", code=2)
    assert "fingerprint is" in fingerprint
    told = fingerprint.partition("fingerprint is ")[2].partition(",")[0]
    do("approve", request, "--name", "budi", "--key", people["budi"][0], "--fingerprint", told)
    do("admit", request, "--fleet", fleet_dir, "--out", tmp_path / "gate")
    assert live(fleet_dir) == [NAME]
    for secret in (EVENT_KEY, TLS_KEY):
        assert (tmp_path / "gate" / secret).stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=str(tmp_path / "gate" / "authority.pem"))
    context.load_cert_chain(tmp_path / "gate" / CERTIFICATE, tmp_path / "gate" / TLS_KEY)
    assert "no key comes back" in do("admit", request, "--fleet", fleet_dir, "--out", tmp_path / "gate", code=2)

    assert "stolen" in do("revoke", NAME, "--because", "stolen", "--fleet", fleet_dir)
    assert live(fleet_dir) == []
    assert "revoked" in do("keys", "list", "--fleet", fleet_dir)
    assert "no key of that name" in do("revoke", NAME, "--because", "stolen", "--fleet", fleet_dir, code=2)

    again = enrolled(do, people, tmp_path, state="gate2")
    do("admit", again, "--fleet", fleet_dir, "--out", tmp_path / "gate2")
    assert live(fleet_dir) == [NAME]


def test_a_rotated_key_takes_the_place_of_the_one_before(do, people, fleet_dir, tmp_path):
    do("admit", enrolled(do, people, tmp_path), "--fleet", fleet_dir, "--out", tmp_path / "gate")
    before = FleetFolder(fleet_dir).directory().live()[0].public
    second = enrolled(do, people, tmp_path, state="second")
    assert "rotate" in do("admit", second, "--fleet", fleet_dir, "--out", tmp_path / "second", code=2)
    do("rotate", second, "--fleet", fleet_dir, "--out", tmp_path / "second")
    (after,) = FleetFolder(fleet_dir).directory().live()
    assert (after.name, after.public == before) == (NAME, False)


def test_keys_are_made_once(do, people, fleet_dir, tmp_path):
    enrolled(do, people, tmp_path)
    assert "exists" in do("enrol", NAME, "--state", tmp_path / "gate", "--out", tmp_path / "x.json", code=2)


def test_an_unsigned_root_lets_nobody_approve(do, people, tmp_path):
    signers = [each for _, line in people.values() for each in ("--signer", line)]
    do("keys", "init", "--fleet", tmp_path / "f", "--name", "Test fleet", *signers)
    request = enrolled(do, people, tmp_path)
    assert "to be signed" in do("admit", request, "--fleet", tmp_path / "f", "--out", tmp_path, code=2)


def test_who_leaves_approves_no_more_and_who_lost_a_key_never_did(do, people, fleet_dir, tmp_path, capsys):
    do("admit", enrolled(do, people, tmp_path), "--fleet", fleet_dir, "--out", tmp_path / "gate")
    parser = argparse.ArgumentParser()
    add_trust_arguments(parser)
    trust_command(parser.parse_args(["keygen", "--json", "--name", "dewi", "--key", str(tmp_path / "dewi")]))
    dewi = next(line.split('"')[3] for line in capsys.readouterr().out.splitlines() if '"signer"' in line)

    do("keys", "rotate", "--fleet", fleet_dir, "--remove", "ani", "--add", dewi)
    assert "one root after another" in do("keys", "rotate", "--fleet", fleet_dir, "--online", code=2)
    for key in ("budi", "citra"):
        do("keys", "sign", fleet_dir / "root.json", "--key", tmp_path / key)
    assert "in force, signed by budi, citra" in do("keys", "list", "--fleet", fleet_dir)
    assert live(fleet_dir) == [NAME]
    late = enrolled(do, people, tmp_path, "CGK.D08", state="late")
    assert "1 of 2 people (budi)" in do("admit", late, "--fleet", fleet_dir, "--out", tmp_path / "late", code=2)

    told = do("keys", "rotate", "--fleet", fleet_dir, "--remove", "budi", "--add", people["ani"][1], "--lost", "--online")
    assert f"counts no more, for whoever approved it is gone: gate {NAME}" in told
    assert live(fleet_dir) == []


def test_the_broker_is_configured_from_the_folder(do, people, fleet_dir, tmp_path):
    do("keys", "broker", "--fleet", fleet_dir, "--host", "127.0.0.1", "--store", tmp_path / "store", "--port", "41222")
    assert "{user:" not in (fleet_dir / "nats.conf").read_text()
    told = do("admit", enrolled(do, people, tmp_path), "--fleet", fleet_dir, "--out", tmp_path / "gate")
    assert "carry it there" in told
    assert "autogate:gate:CGK.D07:" in (fleet_dir / "nats.conf").read_text()
    do("revoke", NAME, "--because", "stolen", "--fleet", fleet_dir)
    assert "{user:" not in (fleet_dir / "nats.conf").read_text()
    if shutil.which("nats-server"):
        assert (
            subprocess.run(["nats-server", "-t", "-c", fleet_dir / "nats.conf"], check=False, capture_output=True).returncode == 0
        )


SOFTHSM = next(
    (path for folder in ("softhsm", "x86_64-linux-gnu/softhsm") if (path := Path("/usr/lib", folder, "libsofthsm2.so")).exists()),
    None,
)


def test_an_event_key_in_a_token_never_leaves_it(do, people, fleet_dir, tmp_path, monkeypatch):
    missing = "" if shutil.which("softhsm2-util") and SOFTHSM else "softhsm2 is absent"
    try:
        importlib.import_module("pkcs11")
    except ImportError:
        missing = "python-pkcs11 is absent (make setup-pkcs11)"
    if missing and os.environ.get("AUTOGATE_REQUIRE_ALL") == "1":
        pytest.fail(f"AUTOGATE_REQUIRE_ALL=1, but {missing}")
    if missing:
        pytest.skip(missing)
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "fleet", "--so-pin", "4815", "--pin", "1623"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "pin").write_text("1623\n")
    uri = f"pkcs11:token=fleet;object=events?module-path={SOFTHSM}&pin-source={tmp_path / 'pin'}"

    def apart(word, *arguments):
        """In a process of its own: a token's library reads its settings once a process, and other tests have other tokens."""
        command = [sys.executable, "-m", "gate", "fleet", word, *(str(each) for each in arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    do("admit", enrolled(apart, people, tmp_path, more=("--token", uri)), "--fleet", fleet_dir, "--out", tmp_path / "gate")
    assert not (tmp_path / "gate" / EVENT_KEY).exists()
    assert [one.name for one in KeyDirectory(read_directory(fleet_dir / "keys.json")).live("gate")] == [NAME]
