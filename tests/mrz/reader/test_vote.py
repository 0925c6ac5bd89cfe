"""Several frames: together they are surer, and one that contradicts spoils them all."""

from __future__ import annotations

import numpy as np

from mrz import vote
from mrz.accept import ALONE, decide

LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")


def test_frames_that_agree_are_surer_than_each_alone(seen):
    frames = [seen(LINES, [(0, 7, "X", 4.0)]) for _ in range(3)]
    assert decide(*frames[0], ALONE).reason == "margin"
    together = vote.combined([block for block, _ in frames]), vote.present([present for _, present in frames])
    assert decide(*together, ALONE).record.lines == LINES
    assert np.allclose(np.exp(together[0]).sum(axis=2), 1)


def test_one_character_changed_in_one_of_three_frames_is_found_where_it_is(seen):
    other = (LINES[0].replace("ANNA", "ANNE"), LINES[1])
    frames = [seen(LINES), seen(other), seen(LINES)]
    assert vote.contradiction([block for block, _ in frames], [present for _, present in frames]) == (0, 18)


def test_a_doubtful_character_contradicts_nobody(seen):
    doubtful = seen(LINES, [(0, 18, "E", -1.0)])
    frames = [seen(LINES), doubtful]
    assert vote.contradiction([block for block, _ in frames], [present for _, present in frames]) is None


def test_frames_of_different_formats_contradict_each_other(seen, zone):
    frames = [seen(LINES), seen(zone("TD1"))]
    assert vote.contradiction([block for block, _ in frames], [present for _, present in frames]) is not None
