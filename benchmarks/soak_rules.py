"""Long suites on signed rule sets: no octet of them can be changed, and whoever dies while changing the store leaves one that is whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.soak_cases import NOW, Case
from benchmarks.soak_signed import Signed
from gate.policy.examiner import Proven, open_sets
from gate.policy.schema import FILES, PACKAGED, load_rules
from gate.policy.sets import RulesVersions
from pki.errors import PkiError

TURNS = 2
"""A keeper is killed within the time that it takes to bring so many sets into force."""
MUST_SEE = frozenset({"left", "right"})


def rule_sets() -> list[Signed]:
    """A version, file by file, and the statement that it judges: signed by three people, two of whom are asked for."""
    people = [Ed25519PrivateKey.generate() for _ in range(3)]
    signers = {person.public_key().public_bytes_raw().hex(): f"person {number}" for number, person in enumerate(people)}
    with TemporaryDirectory(prefix="autogate-rules-") as folder:
        versions = RulesVersions(Path(folder))
        version = versions.add(_packaged(), load_rules().version)
        for person in people:
            signed = versions.sign(version, person, now=NOW, because="made up")
        versions.activate(version, "activate", signers)
        _, files = versions.read(version)
    place = f"versions/{version.path.name}"
    whole = {f"{place}/{name}": content for name, content in files.items()} | {"active": signed.encoded}
    one, told = signed.statement, load_rules().version

    def judge(name: str, changed: bytes) -> str | None:
        try:
            found = _opened(whole | {name: changed}, place, signers)
        except PkiError as error:
            return error.code
        assert (found.signed.statement, found.rules.version) == (one, told), changed
        return None

    texts = tuple(f'"{text}"'.encode() for text in (one.action, one.store, one.date, one.because, one.begins))
    return [
        Signed(
            file=content, signed=texts if name == "active" else (content,), judge=lambda changed, name=name: judge(name, changed)
        )
        for name, content in whole.items()
    ]


def _packaged() -> dict[str, bytes]:
    return {name: (PACKAGED / name).read_bytes() for name in FILES}


def _opened(files: Mapping[str, bytes], place: str, signers: Mapping[str, str]) -> Proven:
    """From a folder of versions, as a gate does."""
    with TemporaryDirectory(prefix="autogate-rules-") as folder:
        (Path(folder) / place).mkdir(parents=True)
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return open_sets(RulesVersions(Path(folder)), signers, at=NOW, profile="trial", worked_under=None)[-1]


@contextmanager
def killed_keepers() -> Iterator[Case]:
    """A keeper brings two sets into force in turn, and is killed: what judges then is one of the two, signed and whole."""
    with TemporaryDirectory(prefix="autogate-keepers-") as folder:
        place, keys = Path(folder), [Ed25519PrivateKey.generate() for _ in range(2)]
        signers = {key.public_key().public_bytes_raw().hex(): str(number) for number, key in enumerate(keys)}
        command = [sys.executable, "-m", "benchmarks.soak_rules", folder, *(key.private_bytes_raw().hex() for key in keys)]

        def case(dice: random.Random) -> str:
            with subprocess.Popen(command, stdout=subprocess.PIPE) as keeper:
                assert keeper.stdout is not None
                one_turn_s = float(keeper.stdout.readline())
                time.sleep(dice.uniform(0.0, TURNS * one_turn_s))
                keeper.send_signal(signal.SIGKILL)
            versions = RulesVersions(place / "store")
            found = open_sets(versions, signers, at=NOW, profile="trial", worked_under=None)[-1]
            return found.rules.version.partition("@")[0]

        yield case


def keep(place: Path, keys: list[Ed25519PrivateKey]) -> None:
    """Be the keeper, until killed. Says how many seconds the first turn took."""
    signers = {key.public_key().public_bytes_raw().hex(): str(number) for number, key in enumerate(keys)}
    versions, sets = RulesVersions(place / "store"), [_named(place, name) for name in ("left", "right")]
    begun: float | None = time.monotonic()
    for files, told in cycle(sets):
        version = versions.add(files, told)
        for key in keys:
            versions.sign(version, key, now=NOW)
        versions.activate(version, "activate", signers)
        if begun is not None:
            print(time.monotonic() - begun, flush=True)
            begun = None


def _named(place: Path, name: str) -> tuple[dict[str, bytes], str]:
    """The packaged rules under another name, and their version."""
    files, folder = _packaged(), place / name
    told = load_rules().version.partition("@")[0]
    files["rule_set.toml"] = files["rule_set.toml"].replace(f'"{told}"'.encode(), f'"{name}"'.encode())
    folder.mkdir(exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return files, load_rules(folder).version


if __name__ == "__main__":
    keep(Path(sys.argv[1]), [Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)) for key in sys.argv[2:4]])
