"""A pack without a reference run: what it declares has to separate faces better than every likely mistake."""

import dataclasses
import importlib

import pytest

from faceverify.description import PackError
from faceverify.examiner import Examiner

contest = importlib.import_module("faceverify.contest")


@pytest.fixture(scope="module")
def net(demo):
    return demo.recogniser.net


def examiner(pack, **changes):
    return Examiner(dataclasses.replace(pack, recogniser=dataclasses.replace(pack.recogniser, **changes)))


def test_what_is_right_beats_every_mistake(demo):
    result = contest.contest(Examiner(demo))
    assert result.alternatives.keys() == {
        "channels swapped",
        "values to 0…1",
        "values to -1…1",
        "the template of ArcFace",
        "the template of reid-0095",
    }
    assert all(value < result.declared for value in result.alternatives.values())
    assert result.decidability > contest.LEAST_DECIDABILITY


@pytest.mark.parametrize("pack", ["demo", pytest.param("open_pack", marks=pytest.mark.shared)])
def test_a_pack_that_swaps_red_and_blue_is_refused(request, pack):
    pack = request.getfixturevalue(pack)
    swapped = "RGB" if pack.recogniser.net.colour_order == "BGR" else "BGR"
    with pytest.raises(PackError, match="with channels swapped by"):
        contest.contest(examiner(pack, net=dataclasses.replace(pack.recogniser.net, colour_order=swapped)))


def test_a_pack_that_normalises_what_the_network_normalises_is_refused(demo, net):
    with pytest.raises(PackError, match=r"with (raw values|channels swapped) by"):
        contest.contest(examiner(demo, net=dataclasses.replace(net, mean=(127.5,) * 3, std=(127.5,) * 3)))


def test_a_pack_with_another_networks_template_is_refused(demo):
    points = contest._TEMPLATES["the template of ArcFace"][1]
    with pytest.raises(PackError, match=r"with the template of (dlib|reid-0095) by"):
        contest.contest(examiner(demo, template=tuple((x * 150 / 112, y * 150 / 112) for x, y in points)))


def test_alternatives_are_those_that_differ(net):
    assert [name for name, _ in contest._preparations(net)] == ["channels swapped", "values to 0…1", "values to -1…1"]
    arcface = dataclasses.replace(net, mean=(127.5,) * 3, std=(128.0,) * 3)
    mistakes = dict(contest._preparations(arcface))
    assert list(mistakes) == ["channels swapped", "raw values", "values to 0…1", "normalisation done twice"]
    once = (200.0 - 127.5) / 128.0
    twice = mistakes["normalisation done twice"]
    assert (200.0 - twice.mean[0]) / twice.std[0] == pytest.approx((once - 127.5) / 128.0)
