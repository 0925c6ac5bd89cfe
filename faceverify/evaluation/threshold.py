"""Writes a threshold, and what it rests on, into a copy of a pack."""

from __future__ import annotations

import json
import re
from pathlib import Path

from faceverify.description import DESCRIPTION, Pack, read_file
from faceverify.description_reader import parse_pack
from faceverify.evaluation.calibrate import Setting
from faceverify.evaluation.errors import EvaluationError
from faceverify.evaluation.record import Recorded
from faceverify.packs import load_pack, place

_TABLE = re.compile(r"^[ \t]*\[threshold\][^\n]*\n(?:(?![ \t]*\[)[^\n]*\n?)*", re.MULTILINE)


def calibrated_copy(pack: Pack, setting: Setting, recorded: Recorded, cross: list[str], target: Path) -> Pack:
    """The pack with this threshold, in the new folder ``target``; nothing else changes. Raises EvaluationError, PackError."""
    if recorded.pack_sha256 != pack.sha256:
        raise EvaluationError(f"{pack.folder} is not the pack that was evaluated: {recorded.pack_sha256[:16]}… is wanted")
    if target.exists():
        raise EvaluationError(f"{target} exists; a pack is never changed in place")
    text = with_threshold(read_file(pack.folder / DESCRIPTION).decode(), setting, recorded, cross).encode()
    parse_pack(text, pack.folder)
    place(target, {DESCRIPTION: text, **{name: read_file(pack.folder / name) for name in pack.files}})
    return load_pack(target)


def with_threshold(text: str, setting: Setting, recorded: Recorded, cross: list[str]) -> str:
    """The description with its table ``threshold`` replaced, or added at its end."""
    sorted_by = [*recorded.comparisons.columns, *([" × ".join(cross)] if cross else [])]
    provenance = (
        f"calibrated on {recorded.date} for an FMR of {setting.target:g} at the upper 95 % bound; {setting.false_matches} false matches"
        f" in {setting.comparisons} comparisons, worth {setting.effective:.0f} independent ones; hardest of the pool and the strata by"
        f" {', '.join(sorted_by) or 'nothing'}; {recorded.fused} of {recorded.probes} probes fused of several frames; evaluated pack {recorded.pack_sha256}"
    )
    values = {
        "score": setting.score,
        "fmr": setting.fmr,
        "fmr_upper": setting.fmr_upper,
        "dataset": recorded.dataset,
        "dataset_sha256": recorded.data_sha256,
        "comparisons": setting.comparisons,
        "stratum": setting.stratum,
        "provenance": provenance,
    }
    # What JSON writes of texts, integers and decimal numbers is TOML as well.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([_TABLE.sub("", text).rstrip("\n"), "", "[threshold]", *lines, ""])
