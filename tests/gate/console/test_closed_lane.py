"""What an officer closed stays closed, whatever becomes of the disk while somebody closes it again."""

from __future__ import annotations

import resource

import pytest

from gate.lane import State


async def test_a_disk_that_refuses_opens_no_lane_that_was_closed(desk):
    hand = desk.hand
    assert (await desk.act("Sari", "close")).refused == ""

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        desk.officers._remember("Made: END_OF_SHIFT")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    hand.actor.open_lane()
    await hand.plant()
    assert hand.state is State.IDLE
    desk.officers.stay_closed()
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE


@pytest.mark.parametrize("at", ["pathlib.Path.open", "os.fsync", "pathlib.Path.replace"])
async def test_whenever_the_lane_dies_as_it_remembers_the_last_word_or_the_one_before_holds(desk, monkeypatch, at):
    """Death is an exception that nobody catches; the order it came with was never answered."""
    await desk.act("Sari", "close")

    class Death(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Death

    with monkeypatch.context() as dying:
        dying.setattr(at, die)
        with pytest.raises(Death):
            desk.officers._remember("Made: END_OF_SHIFT")
    told = (desk.hand.folder / "closed").read_text()
    assert told.startswith("Sari: ")
