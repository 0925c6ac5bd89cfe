"""The next certificate: for whoever is listed, signed with the listed key, now; and over the real broker."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gate.fleet.keys.authority import LIFE, is_renewal_due, new_authority, request_for
from gate.fleet.keys.directory import KeysError
from gate.fleet.keys.enrolment import asked, encoded
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.keys.names import renewal_subject
from gate.fleet.keys.renewal import FRESH, Renewals, Renewer, renewed

NAME = "CGK.D07"


def renewer(member):
    home = member.folder
    return Renewer(member.signer, "gate", NAME, ca=home / "authority.pem", certificate=home / "tls.pem", key=home / "tls.key")


def answer(fleet, raw, now=None):
    return renewed(raw, fleet.folder.directory(), fleet.folder.authority(), now or datetime.now(UTC))


def request(member, name=NAME, at=None, signer=None):
    return encoded(
        asked(signer or member.signer, "gate", name, at or datetime.now(UTC), certificate=request_for(member.tls, name))
    )


def test_a_certificate_that_ends_is_followed_by_another_of_the_same_name_and_key(fleet):
    member = fleet.admit(NAME, life=LIFE / 4)
    now, before = datetime.now(UTC), x509.load_pem_x509_certificate((member.folder / "tls.pem").read_bytes())
    mine = renewer(member)
    mine.take(answer(fleet, mine.request(now)), now)
    after = x509.load_pem_x509_certificate((member.folder / "tls.pem").read_bytes())
    assert after.not_valid_after_utc > before.not_valid_after_utc
    assert after.public_key() == before.public_key()
    assert not is_renewal_due((member.folder / "tls.pem").read_bytes(), now)
    assert mine.request(now) == b""
    member.context()  # key and certificate still fit


def test_only_the_listed_key_asks_for_itself_and_now(fleet):
    member, other = fleet.admit(NAME), fleet.admit("CGK.D08")
    unlisted = fleet.request(NAME)[0]
    late = datetime.now(UTC) - FRESH - timedelta(seconds=2)
    for raw in (
        request(member, signer=unlisted),
        request(member, signer=other.signer),
        request(member, name="CGK.D08"),
        request(member, at=late),
        request(member)[:-9],
        b"",
    ):
        with pytest.raises(KeysError):
            answer(fleet, raw)
    assert answer(fleet, request(member))
    fleet.revoke(NAME)
    with pytest.raises(KeysError, match="counts"):
        answer(fleet, request(member))


def test_what_is_no_successor_is_not_taken(fleet):
    member, other = fleet.admit(NAME, life=LIFE / 4), fleet.admit("CGK.D08")
    now, mine, before = datetime.now(UTC), renewer(member), (member.folder / "tls.pem").read_bytes()
    csr = request_for(member.tls, NAME)
    hostile = [
        b"",
        b"refused",
        new_authority("Test fleet", now).issue(csr, member.entry, now),
        fleet.folder.authority().issue(csr, other.entry, now),
        fleet.folder.authority().issue(request_for(ec.generate_private_key(ec.SECP256R1()), NAME), member.entry, now),
        fleet.folder.authority().issue(csr, member.entry, now, timedelta(seconds=-1)),
        fleet.folder.authority().issue_server(csr, ["localhost"], now),
    ]
    for each in hostile:
        with pytest.raises(KeysError):
            mine.take(each, now)
    assert (member.folder / "tls.pem").read_bytes() == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(raw=st.binary(max_size=200))
def test_any_bytes_renew_nothing(fleet, raw):
    with pytest.raises(KeysError):
        answer(fleet, raw)


async def test_the_broker_carries_it_and_nobody_asks_for_another(brokered):
    keys = FileKeys(brokered.folder.keys, people=brokered.folder.people)
    service = Renewals(keys.directory, brokered.folder.authority())
    member = brokered.members[NAME]
    async with brokered.connected("office") as office, brokered.connected(NAME) as gate:
        serving = asyncio.create_task(service.serve(office))
        try:
            subject = renewal_subject("gate", NAME)
            for _ in range(100):  # until the service listens
                with suppress(Exception):
                    got = (await gate.request(subject, request(member), timeout=2)).data
                    break
                await asyncio.sleep(0.02)
            assert x509.load_pem_x509_certificate(got).public_key() == member.tls.public_key()
            assert (await gate.request(subject, request(brokered.members["CGK.D08"]), timeout=2)).data == b""
            assert service.refused == {subject: 1}
        finally:
            serving.cancel()


async def test_the_commands_serve_and_renew(brokered, tmp_path):
    """Two processes' worth of work: the authority's service, and a collector whose certificate is about to end."""
    from gate.fleet.keys.command import AUTHORITY, CERTIFICATE, EVENT_KEY, TLS_KEY, add_arguments, run

    def parsed(*arguments):
        parser = argparse.ArgumentParser()
        add_arguments("keys", parser)
        url = f"tls://127.0.0.1:{brokered.port}"
        return parser.parse_args([*arguments, "--fleet", str(brokered.folder.folder), "--url", url])

    brokered.admit("soon", "collector", life=LIFE / 4)
    for name in ("office", "soon"):
        member = brokered.members[name]
        for old, new in (("tls.key", TLS_KEY), ("tls.pem", CERTIFICATE), ("authority.pem", AUTHORITY)):
            (member.folder / old).rename(member.folder / new)
    home = brokered.members["soon"].folder
    raw = brokered.members["soon"].signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (home / EVENT_KEY).write_bytes(raw)
    before = (home / CERTIFICATE).read_bytes()

    async def served():
        from gate.fleet.keys.fleet_command import _serve

        await _serve(brokered.folder, parsed("serve", "--state", str(brokered.members["office"].folder), "--name", "office"))

    serving = asyncio.create_task(served())
    try:
        options = parsed("renew", "--state", str(home), "--name", "soon", "--purpose", "collector")
        for _ in range(20):  # until the server knows whom, and the service listens
            if await asyncio.to_thread(run, "keys", options) == 0:
                break
        assert (home / CERTIFICATE).read_bytes() != before
        assert not is_renewal_due((home / CERTIFICATE).read_bytes(), datetime.now(UTC))
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


GATE_CONFIG = """\
profile = "demo"
state_dir = "state"
[lane]
id = "D07"
checkpoint = "CGK"
direction = "departure"
[scanner]
kind = "simulator"
address = "world"
[camera]
kind = "simulator"
address = "world"
[controller]
device = "run/controller.tty"
[face]
pack = "demo"
packs_dir = "packs"
[trust]
store = "trust"
[fleet]
url = "tls://127.0.0.1:{port}"
ca = "{home}/authority.pem"
certificate = "{home}/tls.pem"
key = "{home}/tls.key"
signing_key = "{home}/events.key"
keys = "{keys}"
"""


async def test_a_gates_own_process_renews_its_certificate(brokered, tmp_path):
    from gate.audit.log import FILE_NAME, AuditLog
    from gate.config import load
    from gate.fleet.centre.broker import prepare
    from gate.processes.fleet import FleetProcess
    from gate.profiles import DEMO_MARKER

    member = brokered.admit("CGK.D07", as_="soon", life=LIFE / 4) if brokered.revoke(NAME) else None
    home, state = member.folder, tmp_path / "state"
    for folder in (state, tmp_path / "trust"):
        folder.mkdir()
    (tmp_path / "trust" / DEMO_MARKER).touch()
    (home / "events.key").write_bytes(member.signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "gate.toml").write_text(GATE_CONFIG.format(port=brokered.port, home=home, keys=brokered.folder.keys))
    log = AuditLog(state / FILE_NAME, b"k" * 32)
    log.close()
    before = (home / "tls.pem").read_bytes()
    keys = FileKeys(brokered.folder.keys, people=brokered.folder.people)
    process = FleetProcess(load(tmp_path / "gate.toml"), tmp_path / "gate.toml")
    async with brokered.connected("office") as office, brokered.connected("jakarta") as collector:
        await prepare(collector, most_bytes=32 << 20)
        works = [asyncio.create_task(Renewals(keys.directory, brokered.folder.authority()).serve(office))]
        await office.flush()
        works.append(asyncio.create_task(process.run(tmp_path / "no-lane", "0" * 64)))
        try:
            async with asyncio.timeout(20):
                while (home / "tls.pem").read_bytes() == before:
                    assert not [each.exception() for each in works if each.done()]
                    await asyncio.sleep(0.05)
        finally:
            for each in works:
                each.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            await process.close()
    assert not is_renewal_due((home / "tls.pem").read_bytes(), datetime.now(UTC))
    member.context()
