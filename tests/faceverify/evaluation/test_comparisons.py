"""Lists and folders of comparisons: read whole, or refused with the line."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceverify.evaluation.comparisons import Comparisons, read_comparisons
from faceverify.evaluation.errors import EvaluationError
from faceverify.evaluation.strata import strata

HEADER = "reference,probe,reference_subject,probe_subject"


@pytest.fixture
def pictures(tmp_path):
    for name in ("a1.jpg", "a2.jpg", "b1.jpg", "b2.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def listed(folder, text: str):
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = f"{HEADER},mated,reference_sex,probe_sex,light\na1.jpg,a2.jpg,a,a,1,F,F,dim\na1.jpg,b1.jpg,a,b,0,F,M,bright\nb1.jpg,b2.jpg,b,b,1,M,M,dim\n"


def test_a_list_is_read_with_its_strata(pictures):
    found = read_comparisons(listed(pictures, "\ufeff" + GOOD))
    assert len(found) == 3
    assert found.mated.tolist() == [True, False, True]
    assert found.bona_fide.all()
    sexes = found.columns["sex"]
    assert [sexes.values[code] for code in sexes.codes] == ["F", "different", "M"]
    assert {stratum.name: stratum.members.tolist() for stratum in strata(found, ["sex", "light"])} == {
        "sex = F": [True, False, False],
        "sex = M": [False, False, True],
        "sex = different": [False, True, False],
        "light = bright": [False, True, False],
        "light = dim": [True, False, True],
        "sex × light = F, dim": [True, False, False],
        "sex × light = M, dim": [False, False, True],
        "sex × light = different": [False, True, False],
    }
    assert {stratum.name for stratum in strata(found) if not stratum.alike} == {"sex = different"}


HOSTILE = {
    "no header": ("", "missing: reference, probe"),
    "no column of subjects": ("reference,probe\na1.jpg,a2.jpg\n", "missing: reference_subject"),
    "a column twice": (f"{HEADER},sex,sex\n", "names a column twice"),
    "no line": (f"{HEADER}\n", "no comparison"),
    "a cell too few": (f"{HEADER}\na1.jpg,a2.jpg,a\n", "line 2: 3 cells"),
    "a missing file": (f"{HEADER}\na1.jpg,a2.jpg,a,a\na1.jpg,zz.jpg,a,b\n", "line 3: 'zz.jpg' does not exist"),
    "a path outside": (f"{HEADER}\n../outside.jpg,a2.jpg,a,a\n", "line 2: '../outside.jpg' lies outside"),
    "an absolute path": (f"{HEADER}\n/etc/hostname,a2.jpg,a,a\n", "lies outside"),
    "a folder": (f"{HEADER}\n.,a2.jpg,a,a\n", "is no picture"),
    "a link that leads outside": (f"{HEADER}\nlink.jpg,a2.jpg,a,a\n", "'link.jpg' lies outside"),
    "the same comparison twice": (
        f"{HEADER}\na1.jpg,a2.jpg,a,a\n\n./a1.jpg,a2.jpg,a,a\n",
        "line 4: the same comparison as in line 2",
    ),
    "a picture with itself": (f"{HEADER}\na1.jpg,./a1.jpg,a,a\n", "compared with itself"),
    "a picture of two people": (
        f"{HEADER}\na1.jpg,a2.jpg,a,a\na1.jpg,b1.jpg,c,b\n",
        "line 3: 'a1.jpg' shows 'c' here and 'a' before",
    ),
    "mated against the subjects": (f"{HEADER},mated\na1.jpg,a2.jpg,a,a,0\n", "mated contradicts"),
    "mated, but how": (f"{HEADER},mated\na1.jpg,a2.jpg,a,a,maybe\n", "mated is 'maybe'"),
    "nobody's picture": (f"{HEADER}\na1.jpg,a2.jpg,,a\n", "no subject is named for 'a1.jpg'"),
    "a NUL": (f"{HEADER}\na1.jpg\0,a2.jpg,a,a\n", "pairs.csv"),
    "an open quote": (f'{HEADER}\n"a1.jpg,a2.jpg,a,a\n', "pairs.csv"),
    "attack and bona fide at once": (
        f"{HEADER},pai_species\na1.jpg,a2.jpg,a,a,print\nb1.jpg,a2.jpg,b,a,\n",
        "line 3: 'a2.jpg' is of another pai_species",
    ),
}


@pytest.mark.parametrize(("text", "why"), HOSTILE.values(), ids=HOSTILE)
def test_a_list_that_cannot_be_trusted_is_refused_with_its_line(pictures, tmp_path_factory, text, why):
    (pictures.parent / "outside.jpg").write_bytes(b"x")
    (pictures / "link.jpg").symlink_to(pictures.parent / "outside.jpg")
    with pytest.raises(EvaluationError) as caught:
        read_comparisons(listed(pictures, text))
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_measure_is_no_column_to_sort_by(tmp_path):
    lines = [f"p{number}.jpg,q.jpg,s{number},q,{number}" for number in range(51)]
    for number in range(51):
        (tmp_path / f"p{number}.jpg").touch()
    (tmp_path / "q.jpg").touch()
    with pytest.raises(EvaluationError, match="column 'age' has 51 values"):
        read_comparisons(listed(tmp_path, "\n".join([f"{HEADER},age", *lines])))


def test_a_missing_list_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="nowhere"):
        read_comparisons(tmp_path / "nowhere.csv")


@settings(max_examples=80)
@given(
    st.one_of(st.binary(max_size=200), st.text('a1.jp,\n"b2\0é ', max_size=120).map(lambda text: f"{HEADER}\n{text}".encode()))
)
def test_any_bytes_are_comparisons_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "a1.jp").touch()
    (folder / "pairs.csv").write_bytes(data)
    with contextlib.suppress(EvaluationError):
        assert isinstance(read_comparisons(folder / "pairs.csv"), Comparisons)


@pytest.fixture
def folder(tmp_path):
    for subject, count in (("anna", 3), ("budi", 2), ("citra", 1), ("nobody", 0)):
        (tmp_path / subject).mkdir()
        for number in range(count):
            (tmp_path / subject / f"{number}.jpg").write_bytes(f"{subject}{number}".encode())
    (tmp_path / "anna" / "notes.txt").write_text("no picture")
    (tmp_path / "LICENSE").write_text("none")
    return tmp_path


def test_in_a_folder_the_first_picture_is_the_reference_of_every_probe(folder):
    found = read_comparisons(folder)
    assert found.subjects == ("anna", "budi", "citra")
    pairs = {(found.pictures[a], found.pictures[b]) for a, b in zip(found.reference, found.probe, strict=True)}
    references, probes = {"anna/0.jpg", "budi/0.jpg", "citra/0.jpg"}, {"anna/1.jpg", "anna/2.jpg", "budi/1.jpg"}
    assert pairs == {(reference, probe) for reference in references for probe in probes}
    assert np.count_nonzero(found.mated) == 3


def test_what_is_said_of_subjects_sorts_their_comparisons(folder):
    (folder / "subjects.csv").write_text("subject,sex\nanna,F\nbudi,M\n")
    found = read_comparisons(folder)
    names = {stratum.name: int(stratum.members.sum()) for stratum in strata(found)}
    assert names == {"sex = F": 2, "sex = M": 1, "sex = different": 6}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("subject,sex\nanna,F\nanna,M\n", "two lines"),
        ("subject,sex\nzoe,F\n", "no pictures of zoe"),
        ("sex\nF\n", "missing: subject"),
    ],
)
def test_a_table_of_subjects_that_contradicts_the_folder_is_refused(folder, text, why):
    (folder / "subjects.csv").write_text(text)
    with pytest.raises(EvaluationError, match=why):
        read_comparisons(folder)


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.jpg"
    outside.touch()
    (folder / "anna" / "9.jpg").symlink_to(outside)
    with pytest.raises(EvaluationError, match=r"'anna/9\.jpg' lies outside"):
        read_comparisons(folder)


def test_an_unknown_column_to_cross_is_refused(folder):
    with pytest.raises(EvaluationError, match="no column shoe size; there are: none"):
        strata(read_comparisons(folder), ["shoe size"])
