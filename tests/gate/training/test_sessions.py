"""What lasts of exercises: files of their own, reviews that say what they are, and a class in a table."""

import html
import json
import re

import msgspec
import pytest

from gate.__main__ import main
from gate.training.review import class_table, class_text, page, text
from gate.training.session import FOLDER, SessionError, read_session, sessions, write_session
from gate.ui.exercise import EXERCISE


def test_a_session_comes_back_from_its_own_file_in_a_folder_for_the_user_alone(maker, tmp_path):
    path = write_session(maker.session(), tmp_path)
    assert read_session(path) == maker.session()
    assert path.parent == tmp_path / FOLDER
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.name == "20261123T030000-Sari-dinas-without-permit.json"


def test_sessions_that_began_within_a_second_come_in_their_order(maker, tmp_path):
    first = maker.session()
    begun = first.started.replace(microsecond=0)
    held = [
        msgspec.structs.replace(first, case=case, started=begun.replace(microsecond=at))
        for at, case in enumerate(("dead-chip", "child"))
    ]
    for session in held:
        write_session(session, tmp_path)
    assert sessions(tmp_path) == held


def test_a_session_says_that_it_is_an_exercise_and_holds_no_traveller(maker, tmp_path):
    raw = write_session(maker.session(), tmp_path).read_text(encoding="utf-8")
    assert json.loads(raw)["exercise"] is True
    document = maker.cases["dinas-without-permit"].traveller.document
    for secret in (document.number, document.primary, document.secondary, document.birth):
        assert secret not in raw


@pytest.mark.parametrize("raw", ["", "{", "{}", '{"exercise": false}', "\ud800", "[" * 5000])
def test_a_file_that_is_no_session_is_named(raw, tmp_path):
    path = tmp_path / FOLDER / "x.json"
    path.parent.mkdir()
    path.write_bytes(raw.encode(errors="surrogatepass"))
    with pytest.raises(SessionError, match=r"x\.json"):
        list(sessions(tmp_path))


def test_an_exercise_that_claims_to_be_none_is_no_session(maker, tmp_path):
    path = write_session(maker.session(), tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace('"exercise": true', '"exercise": false'), encoding="utf-8")
    with pytest.raises(SessionError):
        read_session(path)


@pytest.mark.parametrize("whole", [True, False])
def test_a_review_tells_rule_law_evidence_act_and_expectation_in_both_languages(maker, whole):
    session, case = maker.session(), maker.cases["dinas-without-permit"]
    told = html.unescape(page(session, case, whole=whole))
    for word in EXERCISE:
        assert word in told
    assert "PER-001" in told
    assert "without it the book may not be used" in told
    for basis in case.basis:
        assert basis.law in told
    for pair in (case.title, *(each.why for each in (*case.expected, *case.wrong)), *(look.words for look in case.look)):
        assert pair[0] in told
        assert pair[1] in told
    assert "Exit permit" in told
    assert "100" in told
    assert ("<style>" in told) is whole


def test_nothing_that_a_registry_said_is_markup_in_a_review(maker):
    told = page(maker.session(), maker.cases["dinas-without-permit"], whole=True)
    assert "&lt;b&gt;none&lt;/b&gt;" in told
    assert "<b>" not in told
    assert not re.search(r"\son\w+=|<script|javascript:", told)


def test_a_review_of_what_the_gate_did_not_play_says_so(maker):
    session = maker.session(rules=())
    assert "nothing is scored" in page(session, maker.cases[session.case], whole=True)
    assert "VOID" in text(session, maker.cases[session.case])


def test_the_terminal_tells_points_and_why(maker):
    session = maker.session(done=())
    told = text(session, maker.cases[session.case])
    assert EXERCISE[0] in told
    assert EXERCISE[1] in told
    assert "NOT PASSED" in told
    assert "Did nothing" in told


def test_a_class_is_told_by_officer_and_case_and_what_was_void_counts_for_nothing(maker):
    held = [
        maker.session(done=()),
        maker.session(minutes=5),
        maker.session("child", officer="Made", minutes=6),
        maker.session("child", officer="Made", minutes=9, rules=()),
    ]
    table = class_table(held)
    assert table["Sari"]["dinas-without-permit"] == {"tries": 2, "best": 100, "last": 100, "passed": True}
    assert table["Made"]["child"]["tries"] == 1
    assert re.search(r"Sari +dinas-without-permit +2 +100 +100 +yes", class_text(table))


def test_the_trainer_s_command_tells_one_officer_or_all(maker, tmp_path, capsys):
    for each in (maker.session(), maker.session("child", officer="Made", minutes=6)):
        write_session(each, tmp_path)
    assert main(["train", "report", "--state", str(tmp_path), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"Sari", "Made"}
    assert main(["train", "report", "--state", str(tmp_path), "--officer", "Made"]) == 0
    told = capsys.readouterr().out
    assert "Made" in told
    assert "Sari" not in told
    (tmp_path / FOLDER / "broken.json").write_text("{}")
    assert main(["train", "report", "--state", str(tmp_path)]) == 2
    assert "broken.json" in capsys.readouterr().err


def test_the_command_lists_cases_and_refuses_what_it_cannot_do_before_anything_starts(tmp_path, capsys):
    assert main(["train", "--list"]) == 0
    assert "dinas-without-permit" in capsys.readouterr().out
    assert main(["train", "--case", "dragon", "--officer", "Sari", "--state", str(tmp_path)]) == 2
    assert "no case dragon: one of" in capsys.readouterr().err
    for name in ("", "../Sari", "S" * 33):
        assert main(["train", "--officer", name, "--state", str(tmp_path)]) == 2
        assert "--officer NAME" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
