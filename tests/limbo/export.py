"""Write every case as a folder of files, for other implementations: ``python tests/limbo/export.py DIR``."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

from catalogue import CASES
from inspection import Case, Inspection


def export(folder: Path) -> int:
    """Write ``folder/THEME/CASE/`` for all cases and ``folder/index.json``; return how many there are."""
    index = []
    for each in CASES.values():
        place = Path(each.theme) / re.sub(r"[^0-9A-Za-z_.-]+", "-", each.id).strip("-")
        _write(folder / place, each, each.build())
        index.append({"id": each.id, "folder": place.as_posix()})
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return len(index)


def _write(folder: Path, each: Case, made: Inspection) -> None:
    folder.mkdir(parents=True)
    (folder / "case.json").write_text(json.dumps(_case(each, made), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path, content in _files(made).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)


def _files(made: Inspection) -> dict[str, bytes]:
    files = {"sod.bin": made.sod}
    files |= {f"dg{number:02}.bin": content for number, content in made.data_groups.items()}
    files |= {f"anchors/{number:02}.cer": content for number, content in enumerate(made.anchors)}
    files |= {f"crls/{number:02}.crl": content for number, content in enumerate(made.crls)}
    optional = {"card_access.bin": made.card_access, "card_security.bin": made.card_security}
    return files | {path: content for path, content in optional.items() if content is not None}


def _case(each: Case, made: Inspection) -> dict[str, object]:
    notes = {"active": made.active, "chip": made.chip, "cam": made.cam}
    return {
        "id": each.id,
        "theme": each.theme,
        "clause": each.clause,
        "words": each.words,
        "at": made.at.isoformat(),
        "issuing_state": made.issuing_state,
        "data_groups": {str(number): f"dg{number:02}.bin" for number in made.data_groups},
        **{name: _hexed(asdict(note)) if note else None for name, note in notes.items()},
        "expect": {part: value for part, value in asdict(each.expect).items() if value},
    }


def _hexed(values: dict[str, object]) -> dict[str, object]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python tests/limbo/export.py DIR", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    if folder.exists():
        print(f"{folder} is already there", file=sys.stderr)
        return 1
    print(f"{export(folder)} cases in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
