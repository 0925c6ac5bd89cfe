"""Renews the locks: hashes of every artefact, no download address. Run by ``make lock``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
COMMON = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header"]
QUIET = ["--no-emit-index-url", "--no-emit-find-links", "--quiet"]
PROJECT = str(HERE.parent / "pyproject.toml")


def _extras(*names: str) -> list[str]:
    return [part for name in names for part in ("--extra", name)]


LOCKS: dict[str, list[str]] = {
    "bootstrap.lock": [str(HERE / "bootstrap.in")],
    "core.lock": [PROJECT],
    "screens.lock": [PROJECT, *_extras("screens"), "-c", str(HERE / "core.lock")],
    "serve.lock": [PROJECT, *_extras("screens", "registries"), "-c", str(HERE / "screens.lock")],
    "fleet.lock": [PROJECT, *_extras("screens", "registries", "fleet"), "-c", str(HERE / "serve.lock")],
    "centre.lock": [PROJECT, *_extras("screens", "registries", "fleet", "centre"), "-c", str(HERE / "fleet.lock")],
    "dev.lock": [PROJECT, *_extras("screens", "registries", "fleet", "centre", "dev"), "-c", str(HERE / "centre.lock")],
    "faces.lock": ["--no-deps", str(HERE / "faces.in")],
    "insightface.lock": [
        str(HERE / "insightface.in"),
        "-c",
        str(HERE / "screens.lock"),
        "--override",
        str(HERE / "insightface-override.in"),
    ],
    "fuzz.lock": ["--no-deps", str(HERE / "fuzz.in")],
    "peers-pymrtd.lock": [str(HERE / "peers-pymrtd.in")],
    **{f"peers-mrz-{name}.lock": [str(HERE / f"peers-mrz-{name}.in")] for name in ("passporteye", "fastmrz", "rapidocr", "mrz")},
    "sbom.lock": [str(HERE / "sbom.in")],
    "modbus.lock": ["--no-deps", str(HERE / "modbus.in")],
    "pkcs11.lock": [str(HERE / "pkcs11.in")],
    "osdp.lock": ["--no-deps", str(HERE / "osdp.in")],
    "pcsc.lock": ["--no-deps", str(HERE / "pcsc.in")],
    "pcsc-build.lock": ["--no-deps", str(HERE / "pcsc-build.in")],
}
"""Name → what goes in. A later lock may not move a version that an earlier one fixed."""


def main() -> int:
    uv = Path(sys.executable).with_name("uv")
    for name, sources in LOCKS.items():
        subprocess.run([str(uv), "pip", "compile", "--upgrade", *COMMON, *QUIET, *sources, "-o", str(HERE / name)], check=True)
        if "://" in (HERE / name).read_text(encoding="utf-8"):
            print(f"{name} holds a download address: not usable", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
