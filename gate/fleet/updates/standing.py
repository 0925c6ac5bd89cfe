"""What a gate works with, by label: not what it fetched, and not what lies in its folders, but what was proven and is gone by.

The labels are those of targets (:attr:`gate.fleet.updates.targets.Target.label`), so that a director knows which of them came into force.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from gate import trust_store
from gate.config import Config
from gate.console.verifier import SEEN_FILE as ROSTER_SEEN
from gate.fleet.updates.sealing import WORD, public_half
from gate.fleet.updates.targets import CONFIG_WORD, SHORT, SIGNED, Signed, label
from gate.policy.examiner import SEEN_FILE as RULES_SEEN
from gate.registries.snapshot import SnapshotRefused
from gate.registries.sources import snapshot_store
from gate.seen import last_seen
from pki.errors import PkiError
from pki.signed_versions import Seen

FILES: dict[Signed, str] = {"rules": RULES_SEEN, "trust": trust_store.SEEN_FILE, "roster": ROSTER_SEEN}
"""Where lane, reader and verifier remember, in the state folder, the newest statement that each has worked under."""


def worked_under(kind: Signed, state: Path) -> Seen | None:
    """None where there was none yet. Raises PkiError."""
    return last_seen(state / FILES[kind], "autogate doctor")


def standing(config: Config, config_digest: str = "") -> dict[str, str]:
    """Word (:attr:`gate.fleet.updates.targets.Target.word`) → label, as far as there is one.

    ``config_digest``: of the file that this gate was started with.
    """
    told = {CONFIG_WORD: config_digest[:SHORT]} if config_digest else {}
    for kind in SIGNED:
        try:
            seen = worked_under(kind, config.state_dir)
        except PkiError:
            told[f"{kind}.statement"] = "damaged"
        else:
            if seen is not None:
                told[f"{kind}.statement"] = label(seen.sequence, seen.statement)
    return told | _snapshots(config)


def _snapshots(config: Config) -> dict[str, str]:
    """Which version of each registry's snapshot was imported, and to which key they are sealed: of a gate that takes them from its centre.

    Of another one the lane tells; its snapshot key is read by nobody who faces the network.
    """
    if config.fleet is None or config.fleet.updates is None:
        return {}
    told: dict[str, str] = {}
    with suppress(OSError, ValueError):
        store, section = snapshot_store(config), config.registries.snapshots
        if section:
            told[WORD] = public_half(section.key_file)
        for registry in config.registries.named if store else ():
            with suppress(SnapshotRefused):
                if store and (mark := store.mark(registry)) is not None:
                    told[f"snapshots/{registry}"] = f"{mark.version:06}"
    return told
