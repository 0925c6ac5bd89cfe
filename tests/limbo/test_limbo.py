"""Every case of the suite is answered as its clause says, and the suite is what it says it is."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from catalogue import CASES
from export import export
from inspection import Answer, Case, Inspection, answer, fits

from pki.active_authentication import ActiveAuthenticationEvidence
from pki.chip_authenticity import ChipAuthenticationEvidence, PaceCamEvidence

README = Path(__file__).with_name("README.md")
OMISSION_AND_RESUME = {
    "attack_02_clone_by_omission",
    "attack_10_another_chip_after_a_lost_tag",
    "attack_10_another_chip_went_on_with_the_file",
}


def _marked(each: Case):
    marks = [pytest.mark.xfail(reason=each.pending, raises=AssertionError, strict=True)] if each.pending else []
    return pytest.param(each, id=each.id, marks=marks)


@pytest.mark.parametrize("each", [_marked(each) for each in CASES.values()])
def test_inspection_is_answered_as_the_clause_says(each: Case):
    made = each.build()
    try:
        found = answer(made)
    except Exception as error:
        raise AssertionError(f"{each.id} raised {type(error).__name__}: {error}") from error
    assert fits(each.expect, found), f"{found} instead of {each.expect}: {each.clause}: {each.words}"


@pytest.mark.parametrize("theme", sorted({each.theme for each in CASES.values()}))
def test_no_theme_is_passed_by_an_inspector_that_says_the_same_of_all(theme):
    expected = {each.expect for each in CASES.values() if each.theme == theme}
    for always in expected | {Answer(document="Authentic", revocation="good", chip="genuine", access="agrees")}:
        assert not all(fits(each, always) for each in expected)


def test_twelve_attacks_the_omission_and_the_swapped_chip_are_among_them():
    attacks = {label for label in CASES if label.startswith("attack_")}
    assert {int(label.split("_")[1]) for label in attacks} == set(range(1, 13))
    assert attacks >= OMISSION_AND_RESUME
    assert not any(CASES[label].pending for label in attacks)


def test_each_case_names_a_clause():
    assert all(re.search(r"\d", each.clause) and each.words for each in CASES.values())


def test_readme_counts_the_cases():
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert {theme: int(count) for theme, count in rows} == Counter(each.theme for each in CASES.values())


def test_exported_files_alone_lead_to_the_same_answers(tmp_path):
    assert export(tmp_path) == len(CASES)
    index = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert len({each["folder"] for each in index}) == len(CASES)
    for each in index[::9]:
        if not CASES[each["id"]].pending:
            made, expected = _read(tmp_path / each["folder"])
            assert fits(expected, answer(made)), each


def _read(folder: Path) -> tuple[Inspection, Answer]:
    """A case as somebody would read it who has nothing but the files."""
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))

    def note(kind: type, name: str):
        fields = case[name]
        octets = {"challenge", "response", "public_key"}
        return fields and kind(**{part: bytes.fromhex(value) if part in octets else value for part, value in fields.items()})

    files = {name: folder / f"{name}.bin" for name in ("card_access", "card_security")}
    made = Inspection(
        sod=(folder / "sod.bin").read_bytes(),
        data_groups={int(number): (folder / name).read_bytes() for number, name in case["data_groups"].items()},
        anchors=tuple(path.read_bytes() for path in sorted(folder.glob("anchors/*.cer"))),
        crls=tuple(path.read_bytes() for path in sorted(folder.glob("crls/*.crl"))),
        at=datetime.fromisoformat(case["at"]),
        issuing_state=case["issuing_state"],
        active=note(ActiveAuthenticationEvidence, "active"),
        chip=note(ChipAuthenticationEvidence, "chip"),
        cam=note(PaceCamEvidence, "cam"),
        **{name: path.read_bytes() for name, path in files.items() if path.exists()},
    )
    return made, Answer(**case["expect"])
