"""A gate's end of what comes down: asks what is allowed, what is assigned, and takes it; for ever, and never in anybody's way."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from nats.js import JetStreamContext

from gate.clock import WALL_FLOOR_FILE, SystemClock, WallFloor
from gate.config import Config
from gate.fleet.keys.directory import (
    MOST_BYTES,
    Directory,
    KeyDirectory,
    KeysError,
    parse_directory,
    read_directory,
    write_directory,
)
from gate.fleet.messages import gate_id
from gate.fleet.updates.apply import Shelves
from gate.fleet.updates.assignment import Assignments
from gate.fleet.updates.broker import Broker
from gate.fleet.updates.client import MOST_METADATA, Allowed, Client
from gate.fleet.updates.configuration import digest_of
from gate.fleet.updates.sources import Source
from gate.fleet.updates.standing import standing
from gate.fleet.updates.targets import KEYS, Target, UpdateError
from pki.durable import read_file
from pki.errors import PkiError
from pki.signed_statement import parse_signers

AGAIN = timedelta(hours=1)
"""After which a target that was found wrong is fetched again."""
ROOT_FILE = "root.json"


class Updater:
    """Of one gate. ``refused`` counts by word what was not taken; ``trouble`` says why the last look took less than it was told, empty where it took all."""

    def __init__(
        self,
        config: Config,
        js: JetStreamContext | None,
        *,
        config_path: Path,
        now: Callable[[], datetime] | None = None,
        every_s: float | None = None,
    ) -> None:
        """``js``: None where only :meth:`look` is asked; ``config_path``: the file that this gate started with; ``every_s``: None where the configuration says it. Raises UpdateError where the root of trust that it was given cannot be read."""
        assert config.fleet is not None
        assert config.fleet.updates is not None
        self._config, self._js, self._every_s = config, js, every_s or config.fleet.updates_every_s
        self._now = now or SystemClock(WallFloor(config.state_dir / WALL_FLOOR_FILE)).wall
        self._gate, folder = gate_id(config.lane.checkpoint, config.lane.id), config.fleet.updates
        self._folder, self._keys = folder, config.fleet.keys
        try:
            self._people = parse_signers(config.fleet.signers) or None
            self._root, self._config_digest = read_file(folder / ROOT_FILE, MOST_METADATA), digest_of(config_path)
        except PkiError as error:
            raise UpdateError("disk", error.detail) from None
        self._assignments = Assignments(folder, self._gate, self._now)
        self._shelves = Shelves(config, config_path, self._now)
        self._wrong: dict[str, tuple[datetime, UpdateError]] = {}
        self.refused: Counter[str] = Counter()
        self.trouble = ""

    @property
    def versions(self) -> Mapping[str, str]:
        """What this gate works with, for its status (:func:`gate.fleet.updates.standing.standing`)."""
        return standing(self._config, self._config_digest)

    async def run(self) -> None:
        """Look for ever, until cancelled."""
        assert self._js is not None
        broker = Broker(self._js, asyncio.get_running_loop())
        try:
            while True:
                await asyncio.to_thread(self.look, broker, broker.assignment)
                await asyncio.sleep(self._every_s * random.uniform(0.75, 1.25))  # gates that start together ask apart
        finally:
            broker.close()

    def look(self, source: Source, assigned: Callable[[str], bytes | None]) -> None:
        """One look; blocks. Whatever cannot be taken is counted and told, and everything else is taken all the same."""
        troubles: list[str] = []
        try:
            with self._alone(), Client(self._folder, self._root, source, self._now).session() as allowed:
                with self._counted(troubles):
                    self._take_keys(allowed)
                for kind, path in self._assigned(assigned).items():
                    with self._counted(troubles):
                        self._take(allowed, kind, path)
        except (UpdateError, OSError) as error:
            self._count(troubles, error)
        self._tell("; ".join(troubles))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One look at a time: that of a connection that has ended may still go on, or somebody may feed this gate by hand. Raises UpdateError, OSError."""
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise UpdateError("disk", "another look for updates goes on") from None
        finally:
            os.close(descriptor)

    def _take_keys(self, allowed: Allowed) -> None:
        """The newest directory of keys: nobody is assigned an old one, and a key that was revoked stays so."""
        if allowed.find(KEYS) is None or allowed.is_newest(KEYS, self._keys):
            return
        try:
            fresh = parse_directory(read_file(allowed.fetch(KEYS), MOST_BYTES))
            self._directory(fresh).check_follows(self._directory(read_directory(self._keys)))
            write_directory(self._keys, fresh)
        except KeysError as error:
            raise UpdateError("refused", str(error)) from None
        except PkiError as error:
            raise UpdateError("malformed", error.detail) from None

    def _assigned(self, ask: Callable[[str], bytes | None]) -> Mapping[str, str]:
        """Kind → path, as the director has it now. Raises UpdateError, OSError."""
        raw = ask(self._gate)
        if raw is None:
            self._assignments.check_none()
            return {}
        try:
            keys = self._directory(read_directory(self._keys))
        except KeysError as error:
            raise UpdateError("disk", str(error)) from None
        return self._assignments.take(raw, keys).targets

    def _directory(self, directory: Directory) -> KeyDirectory:
        return KeyDirectory(directory, people=self._people, now=self._now)

    def _take(self, allowed: Allowed, kind: str, path: str) -> None:
        target = Target.parse(path)
        if target.kind != kind:
            raise UpdateError("malformed", f"{path[:200]!r} is assigned as {kind[:40]!r}")
        if target.gate not in {"", self._gate}:
            raise UpdateError("other_gate", f"{path}: of another gate")
        if allowed.find(path) is None:  # asked also of what is here already: a version may have been taken back
            raise UpdateError("not_allowed", f"{path}: assigned, and not allowed, or no more")
        if not self._shelves.has(target):
            self._put(target, allowed)
            print(f"fleet: {kind}: {target.label} laid down", file=sys.stderr, flush=True)

    def _put(self, target: Target, allowed: Allowed) -> None:
        """What was found wrong is not fetched again at every look: 3,000 gates may have been assigned it."""
        last = self._wrong.get(target.path)
        if last and self._now() < last[0] + AGAIN:
            raise last[1]
        try:
            self._shelves.put(target, allowed.fetch(target.path))
        except UpdateError as error:
            if error.code not in {"disk", "unreachable"}:
                self._wrong[target.path] = self._now(), error
            raise
        self._wrong.clear()

    @contextmanager
    def _counted(self, troubles: list[str]) -> Iterator[None]:
        try:
            yield
        except (UpdateError, OSError) as error:
            self._count(troubles, error)

    def _count(self, troubles: list[str], error: UpdateError | OSError) -> None:
        self.refused[error.code if isinstance(error, UpdateError) else "unreachable"] += 1
        troubles.append(str(error))

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            print(f"fleet: updates: {trouble or 'all taken'}", file=sys.stderr, flush=True)
