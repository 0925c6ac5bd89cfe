"""Says what this machine lacks to build pyscard, or ``missing.py libosdp``. Run by ``make setup-pcsc`` and ``make setup-osdp``."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

HEADERS = ("/usr/include/PCSC", "/usr/local/include/PCSC")
"""Where pcsc-lite's headers lie."""


def missing(package: str) -> list[str]:
    """What is missing, each with Debian's package."""
    compilers = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
    python_h = Path(sysconfig.get_path("include")) / "Python.h"
    found: dict[str, object] = {
        "a C compiler (Debian: gcc)": compilers,
        "the headers of Python (Debian: python3-dev)": python_h.exists(),
    }
    if package == "pyscard":
        headers = any((Path(folder) / "winscard.h").exists() for folder in HEADERS)
        found |= {"swig (Debian: swig)": shutil.which("swig"), "the headers of PC/SC (Debian: libpcsclite-dev)": headers}
    return [what for what, there in found.items() if not there]


def main() -> int:
    if not sys.platform.startswith("linux"):
        return 0  # there are ready-made wheels, or the system brings PC/SC along
    package = sys.argv[1] if len(sys.argv) > 1 else "pyscard"
    lacking = missing(package)
    if lacking:
        print(f"{package} is built here, and this is missing:", *lacking, sep="\n  ", file=sys.stderr)
    return bool(lacking)


if __name__ == "__main__":
    raise SystemExit(main())
