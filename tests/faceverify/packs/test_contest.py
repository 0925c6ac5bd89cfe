"""A pack without a reference run: what it declares has to separate faces better than every likely mistake."""

import dataclasses
import importlib

import pytest

from faceverify.description import PackError
from faceverify.examiner import Examiner
from faceverify.install import install_pack

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


BGR = 'licence = "Apache-2.0"\ncolour_order = "BGR"\nmean = [0.0, 0.0, 0.0]         # the normalisation is inside the network'
STD = "std = [1.0, 1.0, 1.0]\nsize = 128\nfeatures"


@pytest.mark.shared
@pytest.mark.parametrize("self_test", [True, False])
def test_swapping_rgb_and_bgr_in_a_pack_is_refused_at_install(copy_of, tmp_path, self_test):
    source = copy_of((BGR, BGR.replace('"BGR"', '"RGB"')), self_test=self_test)
    why = "differ from the reference vector" if self_test else "with channels swapped by"
    with pytest.raises(PackError, match=why):
        install_pack(source, tmp_path / "mine")


@pytest.mark.shared
@pytest.mark.parametrize("self_test", [True, False])
def test_doubling_the_normalisation_in_a_pack_is_refused_at_install(copy_of, tmp_path, self_test):
    source = copy_of((STD, STD.replace("1.0", "255.0")), self_test=self_test)
    why = "differ from the reference vector" if self_test else r"separates faces by 0\.00., with"
    with pytest.raises(PackError, match=why):
        install_pack(source, tmp_path / "mine")


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
