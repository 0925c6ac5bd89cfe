"""``autogate trust``: lists in, versions, two people; and what the reader process opens of it."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from gate.__main__ import main
from gate.config import Camera, Config, Controller, Face, Lane, Scanner, Trust
from gate.demo.cast import DEFAULT_CAST, load_cast
from gate.demo.issue import create_states, issue_passports, trust_store
from gate.demo.trust import write_trust
from gate.doctor import examine
from gate.evidence import Direction
from gate.processes.reader import open_trust_store
from gate.processes.worker import Misconfigured
from gate.trust_store import SEEN_FILE
from pki import sim_lists
from pki.passive_authentication import passive_authentication
from pki.results import Authentic, Undetermined
from pki.sim import PretendState
from pki.trust import TrustStore
from pki.trust_versions import TrustVersions
from pki.union import INDONESIA

NOW = datetime(2026, 11, 1, tzinfo=UTC)
WITHOUT_ISSUER = {"AE", "AT", "BG", "CY", "HU", "LB", "LV", "MA", "MD", "PH", "TR"}
GROUPS = {1: b"\x61\x02\x5f\x1f", 2: b"\x75\x01x"}


class Desk:
    """Where the trust store's keepers sit."""

    def __init__(self, folder: Path, capsys) -> None:
        self.folder, self.store, self._capsys = folder, folder / "trust", capsys
        self.signers: dict[str, str] = {}

    def run(self, *arguments: object) -> tuple[int, str, str]:
        status = main(["trust", *map(str, arguments)])
        return status, *self._capsys.readouterr()

    def ask(self, command: str, *arguments: object, status: int = 0) -> dict:
        """The command's answer for machines."""
        got, out, complaints = self.run(command, *arguments, "--store", self.store, "--at", NOW.isoformat(), "--json")
        assert (got, complaints) == (status, "")
        return json.loads(out)

    def refused(self, command: str, *arguments: object) -> str:
        status, out, complaint = self.run(command, *arguments, "--store", self.store, "--at", NOW.isoformat())
        assert (status, out) == (2, "")
        return complaint

    def hire(self, *names: str) -> None:
        for name in names:
            told = json.loads(self.run("keygen", "--name", name, "--key", self.folder / f"{name}.key", "--json")[1])
            self.signers[name] = told["signer"]

    def sign(self, version: int, *names: str, **more: str) -> None:
        for name in names:
            options = [part for key, value in more.items() for part in (f"--{key}", value)]
            self.ask("sign", version, "--key", self.folder / f"{name}.key", "--name", name, *options)

    @property
    def known(self) -> list[str]:
        return [part for signer in self.signers.values() for part in ("--signer", signer)]


@pytest.fixture
def desk(tmp_path, capsys) -> Desk:
    return Desk(tmp_path, capsys)


@pytest.fixture(scope="module")
def states() -> dict[str, PretendState]:
    return {
        country: PretendState.create(country=country, name=f"CSCA {country}", now=NOW) for country in ("XA", "XB", "XC", "ID")
    }


@pytest.fixture
def files(tmp_path, states) -> Path:
    """A list of XA that names XB, and each State's certificate."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for country, state in states.items():
        (folder / f"{country}.cer").write_bytes(state.csca)
    (folder / "XA.ml").write_bytes(sim_lists.signed_master_list(states["XA"], [states["XB"].csca]))
    return folder


@pytest.fixture
def staffed(desk, files) -> Desk:
    """Two versions, the second in force; three people."""
    desk.hire("siti", "budi", "third")
    for number, source in enumerate(("XA.ml", "XC.cer"), 1):
        assert desk.ask("import", files / source, "--anchor", files / "XA.cer")["version"] == number
        desk.sign(number, "siti", "budi")
        desk.ask("activate", number, *desk.known)
    return desk


def operating(desk: Desk, **changes) -> Config:
    (desk.folder / "state").mkdir(exist_ok=True)
    trust = Trust(store=desk.store, signers=tuple(desk.signers.values()))
    config = Config(
        profile="trial",
        state_dir=desk.folder / "state",
        lane=Lane(id="1", checkpoint="CGK", direction=Direction.DEPARTURE),
        scanner=Scanner(kind="serial", address="scanner", profile="rte", mrz="device"),
        camera=Camera(kind="opencv", address="camera"),
        controller=Controller(device="/dev/null"),
        face=Face(pack="operator", packs_dir=desk.folder),
        trust=trust,
    )
    return msgspec.structs.replace(config, **changes)


# --- import


def test_import_adds_to_what_was_there_and_says_where_each_certificate_is_from(staffed, files, states):
    (one,) = staffed.ask("show", "XB")["certificates"]
    source = (files / "XA.ml").name
    assert one["provenance"][0].startswith("master list of XA, 2026-11-01")
    assert ", signed by C=XA, O=DEMONSTRATION ONLY, CN=List Signer CSCA XA " in one["provenance"][0]
    assert f"{source} sha256 " in one["provenance"][0]
    assert staffed.ask("diff", "1", "2")["added"] == [staffed.ask("show", "XC")["certificates"][0]["label"]]
    fresh = staffed.ask("import", "--fresh", files / "XC.cer")
    assert (fresh["version"], fresh["certificates"]) == (3, 1)
    assert not staffed.ask("import", "--fresh", files / "XC.cer")["new"]


def test_a_list_is_not_believed_because_of_what_lies_in_it(desk, files, states):
    """Its signer's CSCA is listed in it, and stands beside it: neither was given out of band."""
    (files / "own.ml").write_bytes(sim_lists.signed_master_list(states["XA"], [states["XA"].csca]))
    for sources in ([files / "own.ml"], [files / "XA.cer", files / "own.ml"]):
        assert "own.ml" in desk.refused("import", *sources)
        assert "own.ml" in desk.refused("import", *sources, "--anchor", files / "XB.cer")
    assert desk.ask("import", files / "own.ml", "--anchor", files / "XA.cer")["certificates"] == 1


def test_a_foreign_list_adds_no_certificate_of_indonesia(desk, files, states):
    (files / "rogue.ml").write_bytes(sim_lists.signed_master_list(states["XA"], [states["ID"].csca, states["XB"].csca]))
    told = desk.ask("import", files / "rogue.ml", files / "ID.cer", "--anchor", files / "XA.cer")
    assert (told["certificates"], len(told["refused"])) == (1, 1)
    assert "no certificate 'ID'" in desk.refused("show", "ID")
    assert "may be believed" in desk.refused("import", files / "ID.cer", "--fresh")


def test_certificates_that_nobody_signed_for_go_into_a_demonstrations_store_alone(desk, files, states):
    (files / "pkd.ldif").write_bytes(sim_lists.ldif({"c=XB": {"cscaCertificate;binary": states["XB"].csca}}))
    told = desk.ask("import", files / "pkd.ldif", files / "XA.cer")
    assert (told["certificates"], told["bare_left_out"]) == (1, 1)
    assert "not marked" in desk.refused("import", files / "pkd.ldif", "--demo")
    desk.store = desk.folder / "demo"
    told = desk.ask("import", files / "pkd.ldif", "--demo")
    assert (told["certificates"], told["demo"]) == (1, True)
    desk.ask("activate", 1)
    with pytest.raises(Misconfigured):
        open_trust_store(operating(desk))
    assert open_trust_store(operating(desk, profile="demo")).store.demo


def test_revocation_lists_come_with_their_certificates(desk, files, states):
    (files / "XA.crl").write_bytes(states["XA"].crl())
    assert desk.ask("import", files / "XA.cer", files / "XA.crl")["crls"] == 1
    told = desk.ask("import", files / "XB.cer", files / "XA.crl")
    assert (told["certificates"], told["crls"]) == (2, 1)
    (files / "XB.crl").write_bytes(b"no list")
    assert "XB.crl" in desk.refused("import", files / "XB.crl")


@pytest.mark.parametrize("content", [b"", b"\x30\x03\x02\x01\x00", b"-----BEGIN CERTIFICATE-----\n!\n-----END"])
@pytest.mark.parametrize("name", ["a.ml", "a.cer", "a.ldif", "a.txt"])
def test_a_source_that_cannot_be_used_is_named_and_nothing_is_made(desk, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    complaint = desk.refused("import", tmp_path / name)
    assert name in complaint or "no certificate" in complaint
    assert not desk.store.exists()


def test_a_bar_is_drawn_on_a_terminal_alone_and_taken_away(desk, files, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    status, _, drawn = desk.run("import", files / "XA.cer", "--store", desk.store)
    assert status == 0
    assert "XA.cer" in drawn
    assert drawn.endswith("\r\x1b[K")


# --- two people


def test_the_reader_opens_what_two_people_signed_and_names_them_in_its_records(staffed):
    opened = open_trust_store(operating(staffed))
    digest = staffed.ask("list")["versions"][1]["digest"]
    assert opened.label == f"version 2 {digest[:32]}, signed by budi and siti, 2 certificates of 2 States, 0 CRLs"


def test_a_changed_octet_a_lost_signature_and_an_unknown_person_keep_the_reader_from_starting(staffed):
    config = operating(staffed)
    active = staffed.store / "active"
    whole = json.loads(active.read_bytes())
    (path,) = (staffed.store / "versions").glob("000002-*")
    signatures = whole["signatures"]
    for changed, words in (
        ({**whole, "signatures": dict(list(signatures.items())[:1])}, "signed by 1 of 2 people"),
        ({**whole, "statement": whole["statement"] | {"date": "2026-11-02"}}, "signed by 0 of 2 people"),
    ):
        active.write_text(json.dumps(changed))
        with pytest.raises(Misconfigured, match=words):
            open_trust_store(config)
    active.write_text(json.dumps(whole))
    strangers = Trust(store=staffed.store, signers=(staffed.signers["siti"], staffed.signers["third"]))
    with pytest.raises(Misconfigured, match="1 of 2 people \\(siti\\)"):
        open_trust_store(msgspec.structs.replace(config, trust=strangers))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match="was changed"):
        open_trust_store(config)
    (finding,) = [finding for finding in examine(config) if finding.check == "trust"]
    assert not finding.ok
    assert "was changed" in finding.what


def test_a_gate_goes_back_only_where_two_people_say_so(staffed):
    config, active = operating(staffed), staffed.store / "active"
    second = active.read_bytes()
    open_trust_store(config)
    first = next((staffed.store / "statements").glob("000001-*")).read_bytes()
    active.write_bytes(first)
    with pytest.raises(Misconfigured, match="older"):
        open_trust_store(config)
    active.write_bytes(second)
    assert "--because" in staffed.refused("sign", 1, "--key", staffed.folder / "siti.key", "--name", "siti")
    staffed.sign(1, "siti", because="list withdrawn")
    assert "signed by 1 of 2" in staffed.refused("rollback", 1, *staffed.known)
    staffed.sign(1, "third")
    assert "to rollback" in staffed.refused("activate", 1, *staffed.known)
    staffed.ask("rollback", 1, *staffed.known)
    assert open_trust_store(config).label.startswith("version 1 ")
    assert staffed.ask("list", *staffed.known)["in_force"]["statement"]["because"] == "list withdrawn"


def test_a_gate_that_cannot_read_what_it_worked_with_does_not_start(staffed):
    config = operating(staffed)
    open_trust_store(config)
    for damage in (b"", b"{}", b'{"sequence": "2"}', b"\xff"):
        (config.state_dir / SEEN_FILE).write_bytes(damage)
        with pytest.raises(Misconfigured, match=SEEN_FILE):
            open_trust_store(config)


def test_looking_at_the_machine_remembers_nothing(staffed):
    config = operating(staffed)
    assert [finding.ok for finding in examine(config) if finding.check == "trust"] == [True]
    assert not (config.state_dir / SEEN_FILE).exists()


def test_an_operating_gate_opens_no_bare_folder_and_no_store_in_force_for_nobody(desk, files):
    for store in (files, desk.folder / "absent"):
        with pytest.raises(Misconfigured):
            open_trust_store(operating(desk, trust=Trust(store=store)))
    with pytest.raises(Misconfigured):
        open_trust_store(operating(desk, profile="demo", trust=Trust(store=files)))


def test_a_key_is_its_owners_alone_and_may_be_locked_with_words(desk, files):
    desk.hire("siti")
    key, words = desk.folder / "siti.key", desk.folder / "words"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "File exists" in desk.run("keygen", "--name", "siti", "--key", key)[2]
    words.write_text("open sesame\n")
    locked = desk.folder / "locked.key"
    desk.run("keygen", "--name", "budi", "--key", locked, "--passphrase", words)
    desk.ask("import", files / "XA.cer")
    assert "passphrase" in desk.refused("sign", 1, "--key", locked, "--name", "budi")
    assert desk.ask("sign", 1, "--key", locked, "--name", "budi", "--passphrase", words)["signatures"] == 1
    assert "not the one of budi" in desk.refused("sign", 1, "--key", key, "--name", "budi", "--signer", desk.signers["siti"])
    assert "no key" in desk.refused("sign", 1, "--key", files / "XA.cer", "--name", "siti")


def test_folder_and_signers_may_come_from_the_configuration(staffed):
    path = staffed.folder / "gate.toml"
    path.write_text(f'[trust]\nstore = "trust"\nsigners = {json.dumps(list(staffed.signers.values()))}\n')
    told = json.loads(staffed.run("list", "--config", path, "--json")[1])
    assert told["in_force"]["people"] == ["budi", "siti"]
    path.write_text('[trust]\nstore = "trust"\nsigners = ["siti"]\n')
    status, _, complaint = staffed.run("list", "--config", path)
    assert status == 2
    assert f"{path}:3: trust.signers" in complaint
    assert "--store DIR" in staffed.run("list")[2]
    assert "autogate trust import" in staffed.run("list", "--store", staffed.folder / "absent")[2]


# --- looking at it


def test_check_names_what_somebody_should_look_after(staffed, states):
    told = staffed.ask("check", "--days", "1")
    assert (told["found"], told["states"]) == (False, 2)
    end = NOW + timedelta(days=40 * 365)
    status, out, _ = staffed.run("check", "--store", staffed.store, "--at", end.isoformat(), "--days", "1")
    assert status == 1
    assert {"without a usable anchor:", "  XB", "  XC"} <= set(out.splitlines())


def test_every_table_can_be_read_by_people_too(staffed):
    for command in (["list", *staffed.known], ["show", "1"], ["show", "XB"], ["check"], ["diff", "1", "2"]):
        status, out, complaints = staffed.run(*command, "--store", staffed.store, "--at", NOW.isoformat())
        assert (status, complaints) == (0, "")
        assert len(out.splitlines()) >= 1


# --- the real lists


@pytest.fixture(scope="module")
def real(shared_dir, tmp_path_factory, request) -> tuple[Path, Path]:
    """The German and the Dutch list with Indonesia's own certificates; and the two lists alone."""
    source = shared_dir / "data/pki"
    anchors = [
        part for name in ("DE_ROOT_CA_CSCA07", "NL_ROOT_CA") for part in ("--anchor", str(source / "masterlists" / f"{name}.cer"))
    ]
    lists = [str(path) for path in sorted((source / "masterlists").glob("*.ml"))]
    folders = tmp_path_factory.mktemp("real"), tmp_path_factory.mktemp("lists")
    for folder, more in zip(folders, ([str(source / "csca_id")], []), strict=True):
        assert main(["trust", "import", *lists, *more, *anchors, "--store", str(folder / "trust"), "--at", NOW.isoformat()]) == 0
    return folders[0] / "trust", folders[1] / "trust"


def only_version(folder: Path) -> TrustStore:
    versions = TrustVersions(folder)
    return versions.read(versions.find("1"))


@pytest.mark.shared
def test_all_632_keys_of_the_real_lists_are_usable_and_the_11_without_issuer_are_named(real, desk):
    """Figures of the German list of 2026-05-28, the Dutch one of 2026-07-22 and the five files of Indonesia's 2010 series."""
    desk.store = real[0]
    told = desk.ask("show", "1")
    assert (told["certificates"], sum(told["keys"].values()), told["unusable"]) == (632, 632, [])
    assert (told["self_signed"], told["chained"]) == (417, 204)
    assert {re.search(r"\bC=(\w\w)", label)[1] for label in told["orphans"]} == WITHOUT_ISSUER
    assert len(told["orphans"]) == len(WITHOUT_ISSUER)
    certificates = desk.ask("show", "ID")["certificates"]
    assert {one["fingerprint"] for one in certificates} == set(INDONESIA)
    assert {one["pinned"] for one in certificates} == {"unconfirmed copy"}


@pytest.mark.shared
def test_a_pinned_certificate_is_confirmed_by_what_two_people_sign(shared_dir, desk):
    desk.hire("siti", "budi")
    desk.ask("import", shared_dir / "data/pki/csca_id")
    confirmed = desk.ask("show", "ID")["certificates"][0]["fingerprint"]
    key = ("--key", desk.folder / "siti.key", "--name", "siti")
    assert "not the SHA-256" in desk.refused("sign", 1, *key, "--confirm", "ab" * 32)
    desk.sign(1, "siti", "budi", confirm=confirmed)
    desk.ask("activate", 1, *desk.known)
    states = {one["fingerprint"]: one["pinned"] for one in desk.ask("show", "ID")["certificates"]}
    assert [each for each, state in states.items() if state == "confirmed"] == [confirmed]
    assert len(desk.ask("check", status=1)["unconfirmed"]) == len(states) - 1 == 4


@pytest.mark.shared
@pytest.mark.parametrize("country", ["ZZ", "ID", "DE"])
def test_a_document_under_an_unknown_key_has_no_trust_anchor_and_is_not_called_forged(real, country):
    """A State in neither list; one whose newer series is in neither; one that is in both, with a key that is not."""
    store = only_version(real[1])
    assert (country == "ZZ") == (not store.of_country(country))
    state = PretendState.create(country=country, name="a CSCA that nobody listed", now=NOW)
    verdict = passive_authentication(
        state.sign_sod(GROUPS), GROUPS, store, NOW, mrz_issuing_state={"ID": "IDN"}.get(country, "D")
    )
    assert isinstance(verdict, Undetermined)
    assert verdict.code == "NO_TRUST_ANCHOR"


@pytest.mark.shared
def test_real_states_beside_the_pretend_one_change_no_verdict(real, tmp_path):
    cast = load_cast(DEFAULT_CAST)
    now = datetime.now(UTC)
    states = create_states(cast, now)
    passports = issue_passports(cast, states, str.encode)
    pretend = trust_store(cast, states)
    write_trust(pretend, tmp_path / "demo", real[0], now)
    beside = only_version(tmp_path / "demo")
    assert beside.demo
    assert len(beside.anchors) == 632 + len(pretend.anchors)
    verdicts = []
    for store in (pretend, beside):
        for passport in passports.values():
            groups = {number: passport.files[f"DG{number}"] for number in (1, 2, 14, 15)}
            verdict = passive_authentication(passport.files["EF.SOD"], groups, store, now)
            verdicts.append("authentic" if isinstance(verdict, Authentic) else str(verdict.code))
    half = len(verdicts) // 2
    assert verdicts[:half] == verdicts[half:]
    assert {"authentic", "NO_TRUST_ANCHOR", "DATA_GROUP_HASH_MISMATCH"} == set(verdicts)
