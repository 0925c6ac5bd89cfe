"""From a chip on the glass to the outcome of policy: how it was opened, and what it offered, decide as they must.

The chips are those of the demonstration, each with one thing changed; the reader, the proofs and the rules are the gate's own.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from gate.chip_facts import access_fact, passive_facts
from gate.clock import SystemClock
from gate.config import load
from gate.decision import decide_entry
from gate.demo.cast import Cast, load_cast
from gate.demo.issue import Passport, create_states, issue_passports, trust_store
from gate.evidence import VOCABULARY, Direction, Evidence, successful
from gate.inspection import ChipInspector, inspect_mrz
from gate.policy.schema import load_rules
from gate.processes.messages import ReadDocument
from gate.processes.reader import DocumentReader
from gate.profiles import DEMO_MARKER
from gate.trust_store import OpenedStore
from hardware.emrtd.lds import build_dg1
from hardware.emrtd.reader import AccessEvidence
from hardware.ports import ScannedDocument
from hardware.sim.chip import VirtualPassport
from pki.errors import ReasonCode
from pki.inspection_record import CHECKS
from pki.known_defects import Defect, DeviationList, Entry, KnownDefect, read_with
from pki.results import Rejected
from pki.sim import card_access, chip_key_info, data_group_14, new_key, pace_info
from pki.trust import TrustStore

GENERAL_AUTHENTICATE, MANAGE_SECURITY_ENVIRONMENT = 0x86, 0x22
TODAY = date(2026, 3, 2)
FOUND_IN_CHIP = ("access", "card_access", "chip", "dg1_mrz", "passive_authentication", "revocation", "chip_authenticity")


RULES = load_rules()


@dataclasses.dataclass(frozen=True)
class Book:
    passport: Passport
    trust: TrustStore

    def chip(self) -> VirtualPassport:
        active, key = (load_der_private_key(pkcs8, None) for pkcs8 in (self.passport.active_key, self.passport.chip_key))
        return VirtualPassport(self.passport.files, self.passport.mrz_information, active, key, cam_key=key)


@pytest.fixture(scope="module")
def books():
    """The same traveller's passport, opened in each of the four ways."""
    whole = load_cast()
    first = whole.traveller[0]
    ways = ("pace-gm", "pace-im", "pace-cam", "bac")
    documents = [msgspec.structs.replace(first.document, access=way) for way in ways]
    travellers = tuple(msgspec.structs.replace(first, id=way, document=each) for way, each in zip(ways, documents, strict=True))
    cast = Cast(state=whole.state, traveller=travellers)
    states = create_states(cast, datetime.now(UTC))
    passports = issue_passports(cast, states, lambda _: b"\xff\xd8\xff" + bytes(900))
    return {way: Book(passports[way], trust_store(cast, states)) for way in ways}


def inspected(book, chip, tolerances=frozenset(), deviations=()):
    record, _ = inspect_mrz(book.passport.mrz_lines, TODAY)
    document = ScannedDocument(mrz_lines=book.passport.mrz_lines, chip=chip)
    clock = SystemClock()
    return ChipInspector(book.trust, clock, tolerances, deviations).inspect(document, record, clock.boot(), lambda _: None)


def misread(book, line, column, character, doubtful):
    """What is found where one character of the zone was read as another, and the places in ``doubtful`` without much margin."""
    lines = [*book.passport.mrz_lines]
    lines[line - 1] = lines[line - 1][: column - 1] + character + lines[line - 1][column:]
    record, _ = inspect_mrz(tuple(lines), TODAY)
    clock = SystemClock()
    document = ScannedDocument(mrz_lines=tuple(lines), chip=book.chip())
    return ChipInspector(book.trust, clock).inspect(document, record, clock.boot(), lambda _: None, frozenset(doubtful))


@pytest.mark.parametrize(
    ("doubtful", "word", "outcome"),
    [({(1, 7)}, "doubtful", "COUNTER"), ({(1, 8)}, "different", "HOLD"), ((), "different", "HOLD")],
    ids=["read without margin", "another character without margin", "read for certain"],
)
def test_a_name_that_differs_from_the_chip_accuses_only_where_it_was_read_for_certain(books, doubtful, word, outcome):
    inspection = misread(books["pace-gm"], 1, 7, "Q", doubtful)
    assert inspection.facts["dg1_mrz"].value == word
    assert judged(inspection).outcome == outcome


def judged(inspection, profile="demo"):
    """Entry, everything but the chip being clean."""
    facts = {name: successful(words[0]) for name, words in VOCABULARY.items() if name not in FOUND_IN_CHIP}
    evidence = Evidence(
        transaction="t-1",
        lane="L1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        civil_date=TODAY,
        facts=facts | inspection.facts | {"profile": successful(profile), "occupancy": successful("none")},
    )
    return decide_entry(evidence, RULES, datetime(2026, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize("access", ["pace-gm", "pace-im", "pace-cam", "bac"])
def test_each_way_into_an_honest_chip_opens_and_is_named(books, access):
    inspection = inspected(books[access], books[access].chip())
    assert judged(inspection, "trial").outcome == "OPEN", inspection.facts
    assert inspection.facts["access"].value == access.partition("-")[0]
    arc = {"pace-gm": ".4.2.4 ", "pace-im": ".4.4.4 ", "pace-cam": ".4.6.4 ", "bac": ""}[access]
    assert arc in inspection.facts["access"].code
    assert inspection.facts["card_access"].value == ("not_offered" if access == "bac" else "agrees")
    assert ("pace_cam" in inspection.facts["chip_authenticity"].code) == (access == "pace-cam")


def test_a_hidden_pace_offer_is_a_downgrade_and_goes_to_an_officer(books):
    chip = books["pace-gm"].chip()
    del chip.files["EF.CardAccess"]
    decision = judged(inspected(books["pace-gm"], chip))
    assert (decision.outcome, decision.reasons) == ("SECONDARY", ("CARD_ACCESS_DIFFERS",))


def test_a_weakened_pace_offer_is_a_downgrade_even_where_the_chip_takes_it(books):
    chip = books["pace-gm"].chip()
    chip.files["EF.CardAccess"] = card_access([pace_info("0.4.0.127.0.7.2.2.4.2.2", 13)])  # AES-128 instead of AES-256
    inspection = inspected(books["pace-gm"], chip)
    assert inspection.facts["access"].value == "pace"
    assert judged(inspection).reasons == ("CARD_ACCESS_DIFFERS",)


def test_a_pace_offer_that_nothing_signed_covers_goes_to_an_officer(books):
    chip = books["bac"].chip()
    chip.files["EF.CardAccess"] = card_access([pace_info("0.4.0.127.0.7.2.2.4.2.4", 13)])
    decision = judged(inspected(books["bac"], chip))
    assert (decision.outcome, decision.reasons) == ("COUNTER", ("CARD_ACCESS_UNSIGNED",))


@pytest.mark.parametrize("instruction", [MANAGE_SECURITY_ENVIRONMENT, GENERAL_AUTHENTICATE])
def test_a_chip_that_offers_pace_and_refuses_it_is_not_read(books, instruction):
    chip = books["pace-gm"].chip()
    chip.plain_statuses[instruction] = 0x6985
    decision = judged(inspected(books["pace-gm"], chip))
    assert decision.outcome == "COUNTER"
    assert set(decision.reasons) == {"CHIP_ACCESS_FAILED", "CHIP_UNREADABLE"}


class OnlyBac:
    """A chip whose PACE is broken and whose other proofs are not: what the tolerance is for."""

    def __init__(self, chip):
        self._chip = chip

    def transceive(self, command):
        if command[1] == GENERAL_AUTHENTICATE and command[0] & 0x0C == 0:
            return b"\x69\x85"
        return self._chip.transceive(command)

    def reconnect(self, timeout):
        return self._chip.reconnect(timeout)


def test_reading_over_bac_where_pace_failed_needs_the_tolerance_twice_and_never_passes_in_a_trial(books):
    book = books["pace-gm"]
    refused = inspected(book, OnlyBac(book.chip()))
    assert "CHIP_ACCESS_FAILED" in judged(refused).reasons
    read = inspected(book, OnlyBac(book.chip()), frozenset({"bac_where_pace_failed"}))
    assert read.facts["access"].value == "bac_where_pace_failed"
    demo, trial = judged(read), judged(read, "trial")
    assert (demo.outcome, "BacWherePaceFailed" in demo.tolerances) == ("OPEN", True)
    assert (trial.outcome, trial.reasons) == ("COUNTER", ("CHIP_ACCESS_DOWNGRADED",))


CONFIG = """\
profile = "demo"
state_dir = "state"
lane = {{ id = "L1", checkpoint = "CGK", direction = "departure" }}
scanner = {{ kind = "simulator", address = "scanner.sock" }}
camera = {{ kind = "simulator", address = "camera.sock" }}
controller = {{ device = "controller.tty" }}
face = {{ pack = "demo", packs_dir = "packs" }}
trust = {{ store = "." }}
chip = {{ {chip} }}
"""


@pytest.mark.parametrize(("chip", "word"), [("", "failed"), ('tolerate = ["bac_where_pace_failed"]', "bac_where_pace_failed")])
def test_the_configuration_says_whether_a_chip_may_be_read_over_bac_where_pace_failed(books, tmp_path, chip, word):
    (tmp_path / DEMO_MARKER).touch()
    (tmp_path / "gate.toml").write_text(CONFIG.format(chip=chip))
    book, said = books["pace-gm"], []
    opened = OpenedStore(store=book.trust, label="", seen=None)
    reader = DocumentReader(load(tmp_path / "gate.toml"), None, opened, said.append)
    lying = ScannedDocument(mrz_lines=book.passport.mrz_lines, chip=OnlyBac(book.chip()))
    assert reader._check(ReadDocument(transaction="t-1", zero=SystemClock().boot()), lying).facts["access"].value == word


@pytest.mark.parametrize(("protocol", "tolerance"), [("bac", ""), ("bac", "bac_where_pace_failed"), ("pace", "")])
def test_every_word_for_access_is_in_the_vocabulary(protocol, tolerance):
    access = AccessEvidence(protocol=protocol, oid="", parameter_id=None, password="mrz", tolerance=tolerance, sessions=1)
    assert access_fact(access).value in VOCABULARY["access"]


# --- the record of the proof


def steps(inspection):
    return {check.name: check.result.value for check in inspection.inspection}


@pytest.mark.parametrize("access", ["pace-gm", "bac"])
def test_record_of_an_honest_chip_holds_every_check_and_all_are_successful(books, access):
    found = steps(inspected(books[access], books[access].chip()))
    assert list(found) == [check.name for check in CHECKS.values()]
    assert set(found.values()) == {"successful"}


def test_portrait_that_was_exchanged_is_one_failed_check_of_the_record_and_hides_none(books):
    chip = books["pace-gm"].chip()
    chip.files["DG2"] = chip.files["DG2"][:-1] + b"\x01"
    inspection = inspected(books["pace-gm"], chip)
    found = steps(inspection)
    assert [name for name, result in found.items() if result == "failed"] == ["hashes"]
    assert (found["printed mrz"], found["common data"], found["chip authenticity"]) == ("successful", "successful", "aborted")


def test_record_names_neither_the_traveller_nor_the_document(books):
    book = books["pace-gm"]
    chip = book.chip()
    chip.files["DG1"] = chip.files["DG1"].replace(b"P<", b"PX")
    record, _ = inspect_mrz(book.passport.mrz_lines, TODAY)
    for each in (chip, book.chip()):
        text = msgspec.json.encode(inspected(book, each).inspection).decode()
        for personal in (record.document_number, record.primary_identifier, record.date_of_birth.raw):
            assert personal not in text


def test_signer_under_a_revoked_csca_is_worded_like_a_revoked_signer():
    for code in (ReasonCode.SIGNER_REVOKED, ReasonCode.CSCA_REVOKED):
        facts = passive_facts(read_with(Rejected(code=code, step="", detail="", steps=()), ()))
        assert (facts["passive_authentication"].value, facts["revocation"].value) == ("signer_revoked", "revoked")
        assert all(fact.result == "failed" for fact in facts.values())


# --- what the State itself says of its documents


def deviations(kind, number="", data_group=None):
    """A list of the pretend State of the cast."""
    defect = KnownDefect(defect=kind, data_group=data_group, description="", source="deviation list of ID")
    numbers = frozenset({number}) if number else None
    entry = Entry(document_type=None, signer=None, first_issued=None, last_issued=None, numbers=numbers, defects=(defect,))
    one = DeviationList(country="ID", signer="", anchor="", signed_at=None, entries=(entry,), digest_algorithm="")
    return (one,)


def test_known_defect_stands_in_the_fact_and_in_the_record_and_opens_nothing(books):
    book, chip = books["pace-gm"], books["pace-gm"].chip()
    chip.files["DG2"] = chip.files["DG2"][:-1] + b"\x01"
    plain = inspected(book, chip)
    read = inspected(book, chip, deviations=deviations(Defect.DATA_GROUP_HASH_WRONG, data_group=2))
    assert judged(read).outcome == judged(plain).outcome != "OPEN"
    assert judged(read).reasons == judged(plain).reasons
    assert "known defects: DATA_GROUP_HASH_WRONG" in read.facts["passive_authentication"].code
    assert next(check for check in read.inspection if check.name == "hashes").detail.startswith(
        "known defect DATA_GROUP_HASH_WRONG"
    )
    assert steps(read) == steps(plain)


def test_defect_of_another_document_is_not_this_ones(books):
    book = books["pace-gm"]
    read = inspected(book, book.chip(), deviations=deviations(Defect.SOD_SIGNATURE_WRONG, number="ANOTHER1"))
    assert "known" not in read.facts["passive_authentication"].code
    assert judged(read).outcome == "OPEN"


def test_active_authentication_with_a_key_that_others_hold_proves_nothing(books):
    """Chip authentication stands for itself; a document that has the other alone goes to an officer."""
    book = books["pace-gm"]
    lists = deviations(Defect.ACTIVE_AUTHENTICATION_KEY_COMPROMISED)
    both = inspected(book, book.chip(), deviations=lists)
    assert both.facts["chip_authenticity"].value == "genuine"
    assert both.facts["chip_authenticity"].code == "chip_authentication"


def test_another_chip_laid_down_in_mid_reading_goes_to_an_officer(books):
    copy, other = books["pace-gm"].chip(), books["bac"].chip()
    copy.lost_after, copy.returns, copy.replaced_by = 500, True, other
    decision = judged(inspected(books["pace-gm"], copy))
    assert (decision.outcome, decision.reasons) == ("SECONDARY", ("CHIP_CHANGED",))


def test_a_chip_that_drips_its_files_is_given_up_when_the_lane_is(books):
    chip = books["pace-gm"].chip()
    chip.slow_s = 0.02
    record, _ = inspect_mrz(books["pace-gm"].passport.mrz_lines, TODAY)
    clock = SystemClock()
    inspector = ChipInspector(books["pace-gm"].trust, clock, patience_s=0.2)
    document = ScannedDocument(mrz_lines=books["pace-gm"].passport.mrz_lines, chip=chip)
    fact = inspector.inspect(document, record, clock.boot(), lambda _: None).facts["chip"]
    assert (fact.value, fact.code) == ("unreadable", "TOO_SLOW")


def test_somebody_elses_mapping_chip_laid_down_in_mid_reading_proves_nothing():
    """A copy of a book whose DG14 holds no key, and at each loss of the tag the thief's own passport, whose mapping is genuine."""
    whole, now = load_cast(), datetime.now(UTC)
    state, first = create_states(whole, now)["home"], whole.traveller[0]
    cast = Cast(state=whole.state, traveller=(first,))
    printed = issue_passports(cast, {"home": state}, lambda _: b"\xff\xd8\xff" + bytes(900))[first.id]
    pace = [pace_info(f"0.4.0.127.0.7.2.2.4.{arc}.4", 13) for arc in (6, 2)]
    thief = new_key("ec:brainpoolP256r1")
    groups = {1: printed.files["DG1"], 2: printed.files["DG2"], 14: data_group_14(pace)}
    files = {
        "EF.CardAccess": card_access(pace),
        "EF.CardSecurity": state.signer.sign_card_security([*pace, chip_key_info(thief, 13)]),
        "EF.COM": printed.files["EF.COM"],
        "EF.SOD": state.sign_sod(groups),
        **{f"DG{number}": content for number, content in groups.items()},
    }
    book = Book(dataclasses.replace(printed, files=files), trust_store(cast, {"home": state}))
    honest = VirtualPassport(files, printed.mrz_information, cam_key=thief)
    assert judged(inspected(book, honest)).outcome == "OPEN"  # one chip says it all, and holds the key
    theirs = {1: build_dg1(("P<IDNTHIEF<<REAL" + "<" * 28, "X9999999<3IDN8804125M3412314" + "<" * 15 + "0")), 14: groups[14]}
    own = VirtualPassport(files | {"DG1": theirs[1], "EF.SOD": state.sign_sod(theirs)}, printed.mrz_information, cam_key=thief)
    verdicts = set()
    for sent in range(1, sum(map(len, files.values())), 331):
        copy = VirtualPassport(files, printed.mrz_information)
        copy.lost_after, copy.returns, copy.replaced_by = sent, True, own
        inspection = inspected(book, copy)
        verdicts |= {inspection.facts[fact].code for fact in ("chip_authenticity", "chip") if fact in inspection.facts}
        assert judged(inspection).outcome not in {"OPEN", "RETRY"}, sent
    assert "CAM_OF_ANOTHER_SESSION" in verdicts
