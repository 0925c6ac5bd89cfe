"""What ``autogate fleet demo`` rolls out: rule sets that two people signed, in a repository of which two people sign what it allows.

With version 1 the real gates begin. Version 2 is good. Version 3 is allowed likewise, and brought into force by two signatures, one of which is of
somebody who may not sign for rules: whoever has the repository's keys and the director's can assign it, and no gate takes it. All three say
the same under other names: nobody is to be judged otherwise because somebody looks at a demonstration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.config_sections import Rules
from gate.fleet.demo_keys import APPROVE, DemoKeys
from gate.fleet.updates.health import Conditions
from gate.fleet.updates.packing import pack_folder
from gate.fleet.updates.repository import Repository
from gate.fleet.updates.rollout import Plan, Stage, check_plan
from gate.policy.schema import FILES, PACKAGED, load_rules
from gate.policy.sets import RulesVersions
from gate.signer_key import private_key
from pki.durable import write_file
from pki.signed_statement import parse_signers
from pki.signed_versions import Version

SOAK_S, MOST_S = 3.0, 600.0
GOOD_WITHIN_S, BAD_WITHIN_S = 90.0, 15.0
"""In which every gate of a stage reports the version: on a busy machine a good one takes its time, and a bad one never comes."""
BACK = "the roll-out failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan, both of whose targets are allowed. ``rules``: what whoever goes by its target judges by (:attr:`gate.policy.schema.RuleSet.version`)."""

    plan: Plan
    rules: str


class DemoUpdates:
    """The people's rule sets and the repository, in ``folder``."""

    def __init__(self, folder: Path, keys: DemoKeys) -> None:
        self._keys, self._known = keys, parse_signers(keys.signers)
        self._rules, self.repository = RulesVersions(folder / "rules"), Repository(folder / "repository")

    def make(self) -> None:
        """Version 1 in force, and a repository that allows nothing yet. Raises PkiError, UpdateError, OSError."""
        self._bring(self._imported(1)[0], self._keys.two)
        self.repository.add_root((self._keys.folder / "root.json").read_bytes())

    def equip(self, folder: Path) -> tuple[Rules, Path]:
        """A gate's own copy of the rules in force, and its folder of updates; before :meth:`allow`. Raises PkiError, OSError."""
        rules, updates, signed = RulesVersions(folder / "rules"), folder / "updates", self._rules.in_force()
        assert signed is not None  # since make
        rules.copy(self._rules, [(signed, self._rules.version(signed.statement.version, signed.statement.store))])
        updates.mkdir()
        write_file(updates / "root.json", (self._keys.folder / "root.json").read_bytes())
        return Rules(store=rules.folder, signers=self._keys.signers[:APPROVE]), updates

    def allow(self, stages: Mapping[str, Sequence[str]]) -> list[Prepared]:
        """Sign for versions 2 and 3 and for the way back from each, and allow all four. ``stages``: name → gates. Raises as :meth:`make`."""
        one, (two, good), (three, bad) = self._rules.find("1"), self._imported(2), self._imported(3)
        forth, back = self._bring(two, self._keys.two), self._bring(one, self._keys.two, BACK)
        wrong, again = self._bring(three, self._keys.strangers), self._bring(two, self._keys.two, BACK)
        now = datetime.now(UTC)
        self.repository.draft(now, add=dict([forth, back, wrong, again]))
        for key in self._keys.two:
            self.repository.sign(key)
        self.repository.publish(private_key(self._keys.folder / "online.key", None), now)
        prepared = [
            Prepared(plan=_plan("rules-2", forth[0], back[0], stages, GOOD_WITHIN_S), rules=good),
            Prepared(plan=_plan("rules-3", wrong[0], again[0], stages, BAD_WITHIN_S), rules=bad),
        ]
        for each in prepared:
            check_plan(each.plan, self.repository.allowed())
        return prepared

    def _imported(self, number: int) -> tuple[Version, str]:
        """A version of the packaged rules under another name, and what a gate calls it."""
        files = {file: (PACKAGED / file).read_bytes() for file in FILES if (PACKAGED / file).exists()}
        name = load_rules().version.partition("@")[0]
        files["rule_set.toml"] = files["rule_set.toml"].replace(f'"{name}"'.encode(), f'"demonstration-{number}"'.encode())
        with TemporaryDirectory() as scratch:
            for file, content in files.items():
                Path(scratch, file).write_bytes(content)
            rules = load_rules(Path(scratch)).version
        return self._rules.add(files, rules), rules

    def _bring(self, version: Version, people: Iterable[Ed25519PrivateKey], because: str = "") -> tuple[str, bytes]:
        """Into force in the people's folder. Returns path and octets of what may be allowed."""
        now = datetime.now(UTC)
        for key in people:
            signed = self._rules.sign(version, key, now=now, because=because)
        self._rules.activate(version, signed.statement.action, self._known)
        return pack_folder("rules", self._rules.folder)


def _plan(name: str, target: str, back: str, stages: Mapping[str, Sequence[str]], within_s: float) -> Plan:
    """With margins so wide that the crossings of a demonstration, a dozen at most, never hold it up: its gates' reports decide."""
    made = [Stage(name=each, gates=tuple(gates), soak_s=SOAK_S, most_s=MOST_S) for each, gates in stages.items()]
    conditions = Conditions(report_within_s=within_s, fewest=0, referral_margin=1 - 1e-9, slow_margin=0.95)
    return Plan(name=name, target=target, back=back, stages=tuple(made), conditions=conditions)
