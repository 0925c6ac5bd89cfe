"""The inventory of data agrees with the code: what is not in it is not held, or somebody has to look at it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from gate import records
from gate.__main__ import main
from gate.audit.fields import kinds
from gate.audit.fields import table as personal
from gate.console.roster import Officer, Viewer
from gate.evidence import VOCABULARY, Evidence, Fact
from gate.fleet.keys.directory import Entry, Revoked
from gate.fleet.messages import AnySigned, Envelope, Row
from gate.outcome import PolicyDecision
from gate.privacy.inventory import inventory, table
from gate.processes.messages import AnyMessage, Histogram
from gate.registries.answers import Answers
from gate.registries.contracts import CONTRACTS
from gate.registries.crossing_record import Crossing
from gate.registries.issuance import IssuanceStage
from gate.registries.names import ListedDocument, ListedPerson, PersonQuery

REPOSITORY = Path(__file__).resolve().parents[3]


def structs() -> set[type[msgspec.Struct]]:
    """Every type that goes into the log, between processes, to registries, into the outbox, to the centre or onto the disk."""
    own = {each for each in vars(records).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)}
    own = {each for each in own if each.__module__ == records.__name__}
    asked = {each for contract in CONTRACTS.values() for each in (contract.question, contract.reply, contract.record) if each}
    asked |= {ListedPerson, ListedDocument, PersonQuery, IssuanceStage, Officer, Viewer}
    told = {*get_args(AnySigned), Envelope, Row, Entry, Revoked}
    return own | told | {*get_args(AnyMessage), Histogram, Evidence, Fact, PolicyDecision, Answers, Crossing} | asked


FIELDS = sorted(f"{struct.__name__}.{field}" for struct in structs() for field in struct.__struct_fields__)


@pytest.mark.conforms("UU 27/2022 art. 16", "positive")
def test_every_field_that_is_recorded_sent_or_kept_is_in_the_inventory_once():
    wrong = {field: places for field in FIELDS if len(places := inventory().places(field)) != 1}
    assert not wrong, "say in gate/privacy/inventory.toml what these fields hold of whom, in one place each"


RECORDS = {
    "permit": records.DecisionRecord,
    "decision": records.DecisionRecord,
    "transaction": records.TransactionRecord,
    "officer": records.OfficerActed,
    "watch": records.OfficerWatched,
    "viewed": records.CaseViewed,
}


def held_by(struct: type, path: list[str]) -> str:
    """The ``Struct.field`` that a path of ``personal.toml`` ends at."""
    for name in path[:-1]:
        kind = struct if name == "*" else get_type_hints(struct)[name]
        struct = next((each for each in get_args(kind) if isinstance(each, type) and each not in {str, type(None)}), kind)
    return f"{struct.__name__}.{path[-1]}"


def test_what_the_log_seals_is_personal_here_and_ends_with_the_same_period():
    items = {item.id: item for store in inventory().store for item in store.item}
    sealed = {
        (held_by(RECORDS[kind], row.path.split(".")), row.kind) for row in personal() for kind in row.records if kind in RECORDS
    }
    assert len(sealed) > 15
    for field, kind in sealed:
        (place,) = inventory().places(field)
        assert (items[place].sealed, items[place].category != "none") == (kind, True), field
    assert {item.sealed for item in items.values()} - {""} == set(kinds())


def test_no_specific_data_of_a_traveller_lie_open_on_the_disk():
    for store in (store for store in inventory().store if store.files and store.id != "outbox"):  # which is sealed as a whole
        for item in store.item:
            assert item.sealed or item.category != "specific" or item.whose != "traveller", item.id


def test_every_fact_is_in_the_inventory_once():
    assert sorted(inventory().facts()) == sorted(VOCABULARY)


def test_the_inventory_names_nothing_that_is_not_there():
    named = {field for store in inventory().store for item in store.item for field in item.fields}
    named |= set(inventory().nothing_personal.fields)
    types = {struct.__name__ for struct in structs()}
    for field in named:
        struct, _, name = field.partition(".")
        assert struct in types, field
        assert name == "*" or field in FIELDS, field


@pytest.mark.conforms("UU 27/2022 art. 16", "defect")
def test_a_new_field_that_no_entry_names_turns_it_red(monkeypatch):
    monkeypatch.setitem(globals(), "FIELDS", [*FIELDS, "Unheard.of"])
    with pytest.raises(AssertionError):
        test_every_field_that_is_recorded_sent_or_kept_is_in_the_inventory_once()


def test_a_field_that_nobody_looked_at_is_missed():
    assert inventory().places("MrzRead.religion") == ("zone",)  # as all of the printed zone
    assert inventory().places("Unheard.of") == ()


@pytest.mark.parametrize("word", ["portrait", "sha256", "frame", "features"])
@pytest.mark.conforms("UU 27/2022 art. 16", "negative")
def test_no_picture_and_no_features_go_into_anything_that_lasts(word):
    lasting = {item.id for store in inventory().store for item in store.item if store.files}
    held = {field for field in FIELDS if word in field.lower() and set(inventory().places(field)) & lasting}
    assert not held


def test_every_store_and_item_has_words_in_both_languages():
    for store in inventory().store:
        for indonesian, english in (store.name, store.until, store.behind, *(item.what for item in store.item)):
            assert indonesian
            assert english
            assert indonesian != english
    ids = [each.id for store in inventory().store for each in (store, *store.item)]
    assert len(ids) == len(set(ids))


def test_the_assessments_table_is_the_inventory(capsys):
    text = (REPOSITORY / "docs/dpia.md").read_text(encoding="utf-8")
    shown = text.split("<!-- inventory -->\n")[1].split("\n<!-- /inventory -->")[0]
    assert shown == table(), "autogate privacy inventory prints it"
    assert main(["privacy", "inventory"]) == 0
    assert capsys.readouterr().out == f"{table()}\n"
