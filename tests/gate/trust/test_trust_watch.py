"""What a reader that runs makes of its folder of trust stores: the next one between two documents, and nothing that is not proven."""

from __future__ import annotations

import gc
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pki.signed_versions
from gate.clock import SystemClock
from gate.config import Config, Trust
from gate.policy.schedule import store_mark
from gate.processes import trust_watch
from gate.processes.messages import TrustReport
from gate.processes.reader import open_deviations, open_trust_store
from gate.processes.trust_watch import TrustWatch
from gate.seen import last_seen
from gate.trust_store import LIST, SEEN_FILE, OpenedStore, open_configured
from pki import sim_lists
from pki.deviations import DEVIATION_LIST
from pki.durable import UNFINISHED, write_file
from pki.sim import PretendState
from pki.trust import TrustStore
from pki.trust_versions import TrustVersions

Keepers = Any
"""``conftest.py`` makes them."""


class Reader:
    """Started on what is in force. ``taken``: what it got to judge by since; ``told``: what the lane heard; of both the newest alone."""

    def __init__(self, config: Config) -> None:
        mark, opened = store_mark(config.trust.store), open_trust_store(config)
        self.opened = opened = replace(opened, deviations=open_deviations(config, opened.store))
        self.idle, self.taken, self.told = True, deque[OpenedStore](maxlen=1), deque[TrustReport](maxlen=1)
        self._watch = TrustWatch(config, opened, mark, idle=lambda: self.idle, take=self.taken.append, tell=self.told.append)

    async def look(self) -> str:
        """What officers are told; empty: nothing."""
        await self._watch.look()
        return self.told[0].problem if self.told else ""

    @property
    def judging(self) -> str:
        """The version that judges the next document; the lane was told the same."""
        label = self.taken[0].label if self.taken else self.opened.label
        assert not self.told or self.told[0].trust == label
        return label.split()[1]


@pytest.fixture
def reader(keepers: Keepers) -> Reader:
    return Reader(keepers.config())


async def test_what_two_people_bring_into_force_judges_from_the_next_document_on_and_is_remembered(reader, keepers):
    assert (await reader.look(), reader.judging, len(reader.told)) == ("", "1", 0), "nothing is opened again that has not changed"
    keepers.bring(keepers.store(keepers.state.signer))
    assert (await reader.look(), reader.judging) == ("", "2")
    assert reader.told[0].trust == open_configured(keepers.config()).label
    assert last_seen(keepers.state_dir / SEEN_FILE, LIST).version == 2


async def test_nothing_is_opened_while_a_document_lies_there(reader, keepers):
    keepers.bring(keepers.store(keepers.state.signer))
    reader.idle = False
    assert (await reader.look(), reader.judging) == ("", "1")
    assert last_seen(keepers.state_dir / SEEN_FILE, LIST).version == 1
    reader.idle = True
    assert (await reader.look(), reader.judging) == ("", "2")


async def test_what_one_person_signed_is_not_gone_by_and_officers_are_told_until_the_other_signed_too(reader, keepers):
    before, version = keepers.active.read_bytes(), keepers.versions.add(keepers.store(keepers.state.signer))
    keepers.lay(keepers.sign(version, "siti").encoded)
    assert (await reader.look(), reader.judging) == ("statement 2 is signed by 1 of 2 people (siti)", "1")
    keepers.lay(before)
    assert (await reader.look(), reader.judging) == ("", "1")
    keepers.bring(version)
    assert (await reader.look(), reader.judging) == ("", "2")


async def test_a_store_from_before_the_one_that_was_worked_under_is_refused_but_where_two_people_go_back(reader, keepers):
    first = keepers.active.read_bytes()
    keepers.bring(keepers.store(keepers.state.signer))
    await reader.look()
    second = keepers.active.read_bytes()
    keepers.lay(first)
    assert (await reader.look(), reader.judging) == ("statement 1 is older than 2, which was in force", "2")
    keepers.lay(second)
    keepers.bring(keepers.versions.find("1"), because="revoked in error")
    assert (await reader.look(), reader.judging) == ("", "1")


async def test_a_folder_that_is_gone_or_nonsense_is_told_of_and_changes_nothing(reader, keepers):
    whole = keepers.active.read_bytes()
    for nonsense in (b"", b"{}", b"\xff", whole[:-2], whole.replace(b"0", b"1")):
        keepers.lay(nonsense)
        assert await reader.look() != ""
    keepers.active.unlink()
    assert await reader.look() != ""
    keepers.active.mkdir()
    assert await reader.look() != ""
    assert reader.judging == "1"


class PowerCut(Exception):
    """Nothing is written any more."""


@pytest.mark.parametrize("written", range(4))
async def test_a_power_cut_while_a_store_is_laid_down_leaves_the_one_before_or_brings_the_new_one(
    reader, keepers, tmp_path, monkeypatch, written
):
    """As it comes down: the version, its statement, and what says that it is in force."""
    there = keepers.elsewhere(tmp_path / "there")
    version = there.bring(there.store(there.state.signer))
    signed, left = there.versions.in_force(), written

    def cut(path: Path, content: bytes) -> None:
        nonlocal left
        if not left:
            path.with_name(UNFINISHED + path.name).write_bytes(content[: len(content) // 2])
            raise PowerCut
        left -= 1
        write_file(path, content)

    monkeypatch.setattr(pki.signed_versions, "write_file", cut)
    if written < 3:
        with pytest.raises(PowerCut):
            keepers.versions.adopt(signed, version, version.path.read_bytes())
    else:
        keepers.versions.adopt(signed, version, version.path.read_bytes())
    in_force = "2" if written == 3 else "1"
    assert (await reader.look(), reader.judging) == ("", in_force)
    assert Reader(keepers.config()).judging == in_force, "a reader that starts finds the same"


async def test_a_folder_that_is_being_copied_is_gone_by_once_it_is_whole(reader, keepers, monkeypatch):
    monkeypatch.setattr(trust_watch, "AGAIN_S", 0.0)
    version = keepers.bring(keepers.store(keepers.state.signer))
    whole = version.path.read_bytes()
    version.path.unlink()
    assert (await reader.look()).startswith("versions/000002-")
    for part in (b"", whole[: len(whole) // 2], whole[:-1] + bytes((whole[-1] ^ 1,))):
        version.path.write_bytes(part)
        assert "was changed" in await reader.look()
        assert reader.judging == "1"
    version.path.write_bytes(whole)
    assert (await reader.look(), reader.judging) == ("", "2")


class Later(SystemClock):
    def boot(self) -> float:
        return super().boot() + trust_watch.AGAIN_S


async def test_what_was_refused_is_examined_again_now_and_then_and_not_at_every_look(reader, keepers, monkeypatch):
    version = keepers.bring(keepers.store(keepers.state.signer))
    whole = version.path.read_bytes()
    version.path.unlink()
    assert await reader.look() != ""
    version.path.write_bytes(whole)
    assert (await reader.look() != "", reader.judging) == (True, "1")
    monkeypatch.setattr(reader._watch, "_clock", Later())
    assert (await reader.look(), reader.judging) == ("", "2")


async def test_a_memory_that_cannot_be_kept_brings_no_store_into_force(reader, keepers, monkeypatch):
    keepers.bring(keepers.store(keepers.state.signer))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trust_watch, "remember", full)
    assert "No space left" in await reader.look()
    assert reader.judging == "1"


async def test_where_lists_of_deviations_are_not_proven_any_more_those_of_before_go_on_and_the_revocation_counts(
    keepers, tmp_path
):
    other = PretendState.create(country="XA", name="Elsewhere", now=keepers.state.now)
    content = sim_lists.deviation_list([sim_lists.deviation([], sim_lists.defect("1.4"))])
    lists = tmp_path / "deviations"
    lists.mkdir()
    (lists / "XA.dl").write_bytes(sim_lists.signed_list(sim_lists.list_signer(other, DEVIATION_LIST), DEVIATION_LIST, content))
    keepers.bring(keepers.store(also=[other.csca]))
    config = keepers.config(trust=Trust(store=keepers.folder, signers=keepers.signers, deviations=lists))
    reader = Reader(config)
    assert [one.country for one in reader.opened.deviations] == ["XA"]
    keepers.bring(keepers.store(keepers.state.signer))
    assert (await reader.look()).startswith("deviation lists: ")
    assert (reader.judging, reader.taken[0].deviations) == ("3", reader.opened.deviations)
    keepers.bring(keepers.store(keepers.state.signer, also=[other.csca]))
    assert (await reader.look(), reader.judging) == ("", "4")
    assert [one.country for one in reader.taken[0].deviations] == ["XA"]


async def test_a_thousand_replacements_leave_no_thread_no_file_and_no_store_behind(keepers, tmp_path):
    """A demonstration's, as nobody need sign for those."""
    versions = TrustVersions(tmp_path / "demo")
    made = [versions.add(keepers.store(demo=True)) for _ in range(2)]
    statements = []
    for version, action in ((made[0], "activate"), (made[1], "activate")):
        statements.append(versions.activate(version, action, {}, now=keepers.state.now).encoded)
    reader = Reader(keepers.config(profile="demo", trust=Trust(store=versions.folder)))

    async def replaced(times: int) -> None:
        for turn in range(times):
            write_file(versions.folder / "active", statements[turn % 2])
            assert await reader.look() == ""
            assert reader.judging == str(turn % 2 + 1)

    def held() -> tuple[int, int]:
        gc.collect()
        return len([*Path("/proc/self/fd").iterdir()]), sum(isinstance(each, TrustStore) for each in gc.get_objects())

    await replaced(2)
    (files, stores), threads = held(), threading.active_count()
    await replaced(1000)
    files_now, stores_now = held()
    assert (files_now, stores_now <= stores + 1) == (files, True)
    assert threading.active_count() < threads + 10  # those of the loop's own pool, which other tests have perhaps begun
