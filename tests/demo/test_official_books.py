"""Six official books fail apart, and arrivals are judged by the law of arriving: the real processes, over HTTPS to the reference server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gate.audit.fields import parts_of
from gate.audit.log import FILE_NAME, open_readonly
from gate.outcome import Outcome
from gate.policy.schema import PACKAGED
from gate.report import trial_command

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
Run = Any
"""``tests/demo/conftest.py`` makes it."""
Perform = Callable[..., Iterator[Run]]
CASTS = Path(__file__).resolve().parents[2] / "gate" / "demo"
OFFICIAL = {
    "passes": ("OPEN", []),
    "chip-unread": ("COUNTER", ["CHIP_UNREADABLE"]),
    "no-trust-anchor": ("COUNTER", ["NO_TRUST_ANCHOR"]),
    "no-biometric-record": ("COUNTER", ["NO_BIOMETRIC_RECORD"]),
    "class-not-enabled": ("COUNTER", ["CLASS_NOT_ENABLED"]),
    "no-exit-permit": ("SECONDARY", ["EXIT_PERMIT_MISSING"]),
    "issuer-down": ("COUNTER", ["ISSUANCE_UNAVAILABLE", "CONNECTED_ONE_UNAVAILABLE"]),
}
ARRIVALS = {
    "citizen-on-the-list": ("OPEN", []),
    "service-coming-home": ("OPEN", []),
    "undeclared": ("COUNTER", ["DECLARATION_MISSING"]),
    "visitor": ("OPEN", []),
    "visitor-on-the-list": ("HOLD", ["PENANGKALAN_HIT"]),
    "visitor-without-visa": ("COUNTER", ["NO_ELECTRONIC_PERMIT"]),
    "foreign-diplomat": ("COUNTER", ["FOREIGN_OFFICIAL_BOOK", "CLASS_NOT_ENABLED"]),
    "wanted": ("HOLD", ["WANTED_PERSON"]),
}


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory, perform: Perform) -> Iterator[Run]:
    """A gate that serves no diplomatic passports."""
    rules = Path(shutil.copytree(PACKAGED, tmp_path_factory.mktemp("rules") / "rules"))
    enablement = (rules / "enablement.toml").read_text(encoding="utf-8")
    narrowed = enablement.replace('class = "diplomatic"', 'class = "diplomatic"\nlanes = ["another"]')
    (rules / "enablement.toml").write_text(narrowed, encoding="utf-8")
    cast = (CASTS / "official.toml").read_text(encoding="utf-8")
    yield from perform("official", cast, "--rules", str(rules))


@pytest.fixture(scope="module")
def arrivals(perform: Perform) -> Iterator[Run]:
    cast = (CASTS / "arrivals.toml").read_text(encoding="utf-8")
    yield from perform("arrivals", cast, "--direction", "arrival")


def test_each_of_six_official_books_fails_for_a_reason_of_its_own(official: Run) -> None:
    assert official.outcomes() == OFFICIAL, official.log()
    for each in official.result["transactions"]:
        assert "mTLS, JWS" in each["backends"]["registries"]
        assert each["rules_version"] != ""


def test_the_trial_report_tells_the_six_apart(official: Run, tmp_path: Path) -> None:
    page = tmp_path / "trial.html"
    assert trial_command([official.state], page) == 0
    text = re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))
    for reasons in (reasons for _, reasons in OFFICIAL.values()):
        assert not reasons or any(reason in text for reason in reasons), reasons


def test_the_record_keeps_how_the_book_was_issued(official: Run) -> None:
    with open_readonly(official.state / FILE_NAME) as log:
        trails = [record.trail for record in log.transactions()]
    assert [trail.issuing_office for trail in trails if trail][:1] == ["KANIM SURABAYA"]
    assert all(trail.stages and trail.sop_version for trail in trails if trail)


def test_arriving_has_rules_of_its_own(arrivals: Run) -> None:
    assert arrivals.outcomes() == ARRIVALS, arrivals.log()


def test_of_a_listed_citizen_who_comes_home_an_officer_is_told(arrivals: Run) -> None:
    with open_readonly(arrivals.state / FILE_NAME) as log:
        first = next(iter(log.transactions()))
    for made in first.decisions:
        assert made.decision.annotations == ("CITIZEN_ON_PENANGKALAN",)
        assert "CitizenComesHomeListed" in made.decision.tolerances


def test_no_open_field_and_no_length_tells_an_official_book(default_run: Run) -> None:
    """Of those who passed: whoever has all records and no key learns from none of them what kind of book it was."""
    told: dict[str, set[tuple[str, str, int]]] = {}
    classes = {}
    with open_readonly(default_run.state / FILE_NAME) as log:
        for record in log.transactions():
            if record.outcome is Outcome.OPEN:
                classes[record.transaction] = record.document_class
        for _, _, _, transaction, kind, body, *_ in log.rows(0, 1000):
            if document_class := classes.get(transaction.decode()):
                assert b"registry." not in body
                assert document_class.encode() not in body
                lengths = {(kind.decode(), name, len(part.box)) for name, part in parts_of(body).items() if part}
                told.setdefault(document_class, set()).update(lengths)
    assert told["ordinary"], "there is something to compare with"
    assert told["service"] == told["diplomatic"] == told["ordinary"]
