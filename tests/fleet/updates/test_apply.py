"""What is laid down where: trust stores, rosters, lists and configurations, each proven by its own code, and everything as before where it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OKPKey
from msgspec.structs import replace as changed

from gate.config import Console, Registries, Registry, Snapshots, load
from gate.console.roster import RosterVersions
from gate.console.verifier import Verifier
from gate.fleet.updates.configuration import before_path, confirm, digest_of, next_path, take_back, take_next
from gate.fleet.updates.packing import pack_config, pack_folder, pack_snapshot
from gate.fleet.updates.sealing import open_list, public_half, seal_list
from gate.fleet.updates.targets import UpdateError
from gate.policy.schedule import store_mark
from gate.processes.trust_watch import TrustWatch
from gate.registries.snapshot import published
from gate.registries.sources import snapshot_store
from gate.trust_store import open_configured, remember
from pki.sim import PretendState
from pki.trust import Csca, TrustStore
from pki.trust_versions import TrustVersions

GATE = "CGK.D07"
REGISTRY, OTHER = (OKPKey.generate_key("Ed25519", private=True) for _ in range(2))
PERSON = b'{"issuing_state":"IDN","document_number":"X1","records":[{}]}'


def bring(versions, made, centre, **more):
    """Two people sign, and it is in force. ``more``: what activating wants besides."""
    for name in ("siti", "budi"):
        signed = versions.sign(
            made, centre.people[name], now=centre.now, because="again" if made.number < 2 and versions.in_force() else ""
        )
    people = {key: name for name, _, key in (line.partition(":") for line in centre.signers)}
    return versions.activate(made, signed.statement.action, people, **more)


@pytest.fixture(scope="module")
def stores():
    states = [PretendState.create(country=code, name=code, now=datetime(2026, 1, 1, tzinfo=UTC)) for code in ("XX", "YY")]
    anchors = [Csca.of(state.csca, "a list") for state in states]
    return [TrustStore(anchors=tuple(anchors[:1])), TrustStore(anchors=tuple(anchors))]


async def test_a_trust_store_comes_down_and_judges_from_the_next_document_on(centre, gate, stores):
    here, theirs = TrustVersions(gate.config.trust.store), TrustVersions(centre.folder / "trust")
    bring(theirs, theirs.add(stores[0]), centre, now=centre.now)
    signed = theirs.in_force()
    here.add(stores[0])
    (gate.config.trust.store / "active").write_bytes(signed.encoded)
    mark, opened = store_mark(gate.config.trust.store), open_configured(gate.config)
    remember(opened, gate.config.state_dir)
    taken = []
    reader = TrustWatch(gate.config, opened, mark, idle=lambda: True, take=taken.append, tell=lambda _: None)

    bring(theirs, theirs.add(stores[1]), centre, now=centre.now)
    path, raw = pack_folder("trust", theirs.folder)
    centre.allow({path: raw})
    assert gate.look(centre.assignment({"trust": path})) == ""
    assert gate.updater.versions["trust.statement"].startswith("000001-"), "what was fetched is not in force yet"
    await reader.look()
    assert [len(each.store.anchors) for each in taken] == [2]
    assert gate.updater.versions["trust.statement"].startswith("000002-")


def test_a_store_that_was_changed_after_it_was_signed_is_refused(centre, gate, stores):
    from gate.fleet.updates.pack import packed, unpacked

    here, theirs = TrustVersions(gate.config.trust.store), TrustVersions(centre.folder / "trust")
    here.add(stores[0])
    bring(theirs, theirs.add(stores[1]), centre, now=centre.now)
    path, raw = pack_folder("trust", theirs.folder)
    files = {name: content + b" " if name.endswith(".store") else content for name, content in unpacked(raw).items()}
    centre.allow({path: packed(files)})
    gate.look(centre.assignment({"trust": path}))
    assert gate.updater.refused == {"not_signed": 1}
    assert here.in_force() is None


def test_a_roster_comes_down_and_officers_orders_are_proven_by_it(centre, gate):
    theirs = RosterVersions(centre.folder / "roster")
    bring(theirs, theirs.add(()), centre)
    path, raw = pack_folder("roster", theirs.folder)
    centre.allow({path: raw})
    told = centre.assignment({"roster": path})
    gate.look(told)
    assert gate.updater.refused == {"not_configured": 1}

    here = RosterVersions(gate.folder / "roster")
    here.add(())
    gate.config = changed(gate.config, console=Console(roster=here.folder, signers=centre.signers))
    gate.restarted()
    assert gate.look(told) == ""
    verifier = Verifier(gate.config.state_dir, here.folder, centre.signers, "http://localhost:1")
    assert verifier._roster().version == 1
    assert gate.updater.versions["roster.statement"].startswith("000001-")


# --- lists ------------------------------------------------------------------------------------------------------------------------------------------


def snapshot(centre, version, *, gate="D07", key=REGISTRY):
    times = {"as_of": centre.now, "expires": centre.now + timedelta(days=1)}
    return b"".join(published([PERSON], key, registry="lost_and_stolen", gate=gate, version=version, **times))


@pytest.fixture
def listing(centre, gate):
    """A gate that keeps snapshots, and a key that allows lists for its checkpoint."""
    pem, secret = gate.folder / "registry.pem", gate.folder / "secret"
    pem.write_bytes(REGISTRY.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    secret.write_text("5a" * 32)
    secret.chmod(0o600)
    registries = Registries(
        snapshots=Snapshots(folder=gate.folder / "snapshots", key_file=secret),
        lost_and_stolen=Registry(url="https://registry", key=pem),
    )
    gate.config = changed(gate.config, registries=registries)
    gate.restarted()
    centre.allow(lists={"CGK": centre.lists.public_key()})
    return gate


def listed(centre, *versions, gate=GATE, public=None, **more):
    public = public or public_half(centre.folder.parent / "gate" / "secret")
    path, raw = pack_snapshot(gate, "lost_and_stolen", versions[-1], snapshot(centre, versions[0], **more), public)
    centre.repository.publish_lists(gate.partition(".")[0], {path: raw}, centre.lists, centre.now)
    centre.repository.publish(centre.online, centre.now)
    return path


def test_a_registrys_list_comes_down_under_its_own_signature_and_only_ever_a_newer_one(centre, listing):
    first = listed(centre, 5)
    assert listing.look(centre.assignment({"snapshots/lost_and_stolen": first})) == ""
    assert listing.updater.versions["snapshots/lost_and_stolen"] == "000005"
    store = snapshot_store(listing.config)
    with_book = store.open_books("lost_and_stolen")
    assert with_book.head.version == 5
    with_book.close()
    second = listed(centre, 6)
    assert listing.look(centre.assignment({"snapshots/lost_and_stolen": second})) == ""
    assert store.mark("lost_and_stolen").version == 6
    third = listed(centre, 4)
    assert listing.look(centre.assignment({"snapshots/lost_and_stolen": third})) == ""
    assert store.mark("lost_and_stolen").version == 6, "an older one is not even fetched"


def test_whoever_holds_the_key_of_lists_can_forge_none_of_them_and_allow_nothing_else(centre, listing):
    path = listed(centre, 5, key=OTHER)
    listing.look(centre.assignment({"snapshots/lost_and_stolen": path}))
    assert listing.updater.refused == {"refused": 1}
    rules, raw = centre.bring_rules("two")
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Metadata, TargetFile, Targets

    forged = Targets(version=2, expires=(centre.now + timedelta(days=1)), targets={rules: TargetFile.from_data(rules, raw)})
    metadata = Metadata(forged)
    metadata.sign(CryptoSigner(centre.lists))
    (centre.repository.folder / "metadata" / "2.lists-CGK.json").write_bytes(metadata.to_bytes())
    centre.repository.publish(centre.online, centre.now)
    listing.restarted()
    listing.look(centre.assignment({"rules": rules}))
    assert listing.updater.refused == {"not_allowed": 1}


def test_a_list_for_another_gate_under_this_gates_name_is_refused(centre, listing):
    path = listed(centre, 5, gate=GATE)
    assert path
    name, raw = pack_snapshot(
        GATE, "lost_and_stolen", 7, snapshot(centre, 7, gate="D08"), listing.updater.versions["snapshots.key"]
    )
    centre.repository.publish_lists("CGK", {name: raw}, centre.lists, centre.now)
    centre.repository.publish(centre.online, centre.now)
    listing.look(centre.assignment({"snapshots/lost_and_stolen": name}))
    assert listing.updater.refused == {"refused": 1}


def test_a_list_under_another_number_than_it_has_is_refused(centre, listing):
    path = listed(centre, 5, 9)
    listing.look(centre.assignment({"snapshots/lost_and_stolen": path}))
    assert listing.updater.refused == {"altered": 1}
    assert snapshot_store(listing.config).mark("lost_and_stolen") is None


def test_nobody_on_the_way_reads_a_list_and_only_the_gate_it_is_for_opens_it(centre, listing, tmp_path):
    path = listed(centre, 5)
    (file,) = list((centre.repository.folder / "targets").rglob("*.sealed"))
    assert b"document_number" not in file.read_bytes()
    other = tmp_path / "other"
    other.write_text("a5" * 32)
    other.chmod(0o600)
    secret = listing.folder / "secret"
    assert b"document_number" in open_list(file.read_bytes(), GATE, secret)
    for gate, key in ((GATE, other), ("CGK.D08", secret)):
        with pytest.raises(UpdateError):
            open_list(file.read_bytes(), gate, key)
    assert path.endswith(".sealed")


def test_a_list_that_was_sealed_to_another_key_or_to_none_is_refused(centre, listing):
    other = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"  # RFC 7748 §6.1, Alice's
    path = listed(centre, 5, public=other)
    listing.look(centre.assignment({"snapshots/lost_and_stolen": path}))
    assert listing.updater.refused == {"other_gate": 1}
    for sealed in (b"", b"x" * 31, snapshot(centre, 5), seal_list(b"", GATE, other)[:-1]):
        with pytest.raises(UpdateError):
            open_list(sealed, GATE, listing.folder / "secret")


# --- configuration ----------------------------------------------------------------------------------------------------------------------------------

TEXT = """
profile = "demo"
state_dir = "state"
[lane]
id = "D07"
checkpoint = "CGK"
direction = "departure"
[scanner]
kind = "simulator"
address = "x"
[camera]
kind = "simulator"
address = "x"
[controller]
device = "/dev/pts/9"
[face]
pack = "demo"
packs_dir = "packs"
[trust]
store = "trust"
[fleet]
url = "nats://127.0.0.1:4222"
signing_key = "key"
keys = "keys.json"
updates = "updates"
[timeouts]
exit_s = 15.0
"""


@pytest.fixture
def configured(centre, gate):
    (gate.folder / "trust").mkdir(exist_ok=True)
    (gate.folder / "trust" / "DEMO").touch()
    gate.file.write_text(TEXT)
    gate.config = load(gate.file)
    gate.restarted()
    return gate


def sent(centre, gate, text, number=1):
    file = centre.folder / "config.toml"
    file.write_text(text)
    path, raw = pack_config(GATE, number, file)
    centre.allow({path: raw})
    return gate.look(centre.assignment({"config": path}))


def test_a_configuration_comes_into_force_at_the_next_start_and_the_status_says_when(centre, configured):
    before, text = configured.updater.versions["config.file"], TEXT.replace("15.0", "20.0")
    assert sent(centre, configured, text) == ""
    assert configured.file.read_text() == TEXT, "the gate that runs goes on as it is"
    assert configured.updater.versions["config.file"] == before
    assert "on trial" in take_next(configured.file)
    assert load(configured.file).timeouts.exit_s == 20.0
    configured.restarted()
    assert configured.updater.versions["config.file"] == digest_of(configured.file)[:16] != before
    assert sent(centre, configured, text) == ""
    assert not next_path(configured.file).exists(), "what is in force is not laid beside again"
    confirm(configured.file)
    assert not take_back(configured.file)


def test_a_configuration_with_which_the_service_cannot_go_on_is_taken_back(centre, configured):
    sent(centre, configured, TEXT.replace("15.0", "20.0"))
    take_next(configured.file)
    assert before_path(configured.file).read_text() == TEXT
    assert take_back(configured.file)
    assert configured.file.read_text() == TEXT
    assert not take_back(configured.file)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("15.0", "-1"), "timeouts.exit_s"),
        (('id = "D07"', 'id = "D08"'), "lane"),
        (('state_dir = "state"', 'state_dir = "elsewhere"'), "state_dir"),
        (('keys = "keys.json"', 'keys = "mine.json"'), "fleet"),
        (('store = "trust"', f'store = "trust"\nsigners = ["eve:{"ab" * 32}"]'), "trust.signers"),
        (("[timeouts]", f'[rules]\nsigners = ["eve:{"ab" * 32}"]\n[timeouts]'), "rules.signers"),
        (("[timeouts]", "[[[timeouts]"), "file"),
    ],
)
def test_a_configuration_that_is_wrong_or_changes_whose_signatures_count_is_refused(centre, configured, change, what):
    trouble = sent(centre, configured, TEXT.replace(*change))
    assert configured.updater.refused == {"refused": 1}
    assert what in trouble
    assert not next_path(configured.file).exists()
    assert sorted(path.name for path in configured.folder.glob(".*")) == [], "nothing is left lying about"


def test_a_configuration_that_became_wrong_while_it_waited_is_not_taken(centre, configured):
    sent(centre, configured, TEXT.replace("15.0", "20.0"))
    next_path(configured.file).write_text("profile = 1")
    assert "not taken" in take_next(configured.file)
    assert configured.file.read_text() == TEXT
    assert take_next(configured.file) == ""
