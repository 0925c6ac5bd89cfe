"""``python packaging/build_deb.py --out DIR``: the packages of a release, its bill of materials, and the installer for a machine that has none.

What is committed is what is packaged. The same commit gives the same octets. Run by ``make package``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipapp
from collections.abc import Iterable
from pathlib import Path

import debian_package
from bill import bill_of_materials
from debian_package import put
from environment import HOME, PYTHON, Builder
from parts import files, split

REPOSITORY = Path(__file__).resolve().parents[1]
UNITS = {
    "autogate": ("autogate@.service", "autogate-refresh@.service", "autogate-refresh@.timer", "autogate-witness.service"),
    "autogate-centre": (
        "autogate-authority.service",
        "autogate-broker.service",
        "autogate-broker.timer",
        "autogate-collect.service",
        "autogate-director.service",
        "autogate-page.service",
        "autogate-publish.service",
        "autogate-publish.timer",
        "autogate-renew@.service",
        "autogate-renew@.timer",
    ),
}
INSTALLER = ("gate/__init__.py", "gate/release", "pki/__init__.py", "pki/errors.py", "pki/durable.py", "pki/signed_statement.py")
"""What the installer for a first installation consists of: `python3 autogate-install.pyz`, with Debian's python3-cryptography."""
BILL = "autogate.cdx.json"


def export(commit: str, folder: Path) -> int:
    """The files of ``commit`` into ``folder``. Returns its moment, in seconds."""
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=REPOSITORY, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    moment = subprocess.run(
        ["git", "log", "-1", "--format=%ct", commit], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    return int(moment.stdout)


def version_of(source: Path) -> str:
    """As ``pyproject.toml`` says."""
    version: str = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def build(
    source: Path, out: Path, epoch: int, python: Path = PYTHON, tool: Path | None = None, *, bill_alone: bool = False
) -> list[Path]:
    """The packages of ``source`` in ``out``, with the installer beside them, and the bill of materials where its ``tool`` is there.

    Raises OSError, ValueError, subprocess.CalledProcessError.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="autogate-package-") as scratch:
        root = Path(scratch) / "root"
        builder = Builder(source, root, Path(scratch), epoch, python)
        after = builder.fill()
        if tool:
            (out / BILL).write_text(bill_of_materials(builder.tree, tool), encoding="utf-8")
        if bill_alone:
            return []
        builder.finish()
        shares = split(after, files(builder.tree))
        installer(source, out / "autogate-install.pyz", epoch)
        words = _words(version_of(source), builder.version)
        packages = []
        for name, share in shares.items():
            own = _moved(share, root, Path(scratch) / name)
            _add_the_rest(name, source, own, out / BILL)
            packages.append(debian_package.build(own, out, name, words, epoch))
        return packages


def installer(source: Path, target: Path, epoch: int) -> None:
    """One file that Python runs, with no more in it than examining and installing take."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in INSTALLER:
            here, there = source / name, Path(scratch) / name
            there.parent.mkdir(parents=True, exist_ok=True)
            if here.is_dir():
                shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(here, there)
        start = "import sys\n\nfrom gate.release.install import main\n\nsys.exit(main())\n"
        (Path(scratch) / "__main__.py").write_text(start, encoding="ascii")
        for path in Path(scratch).rglob("*"):
            os.utime(path, (epoch, epoch))
        zipapp.create_archive(scratch, target, interpreter="/usr/bin/python3")


def _moved(share: Iterable[str], root: Path, own: Path) -> Path:
    """What belongs to one package, in a root of its own."""
    for each in share:
        target = own / HOME / each
        target.parent.mkdir(parents=True, exist_ok=True)
        (root / HOME / each).rename(target)
    return own


def _add_the_rest(name: str, source: Path, own: Path, bill: Path) -> None:
    """What is not Python's: units, commands, settings, documents."""
    packaging, documents = source / "packaging", f"usr/share/doc/{name}/"
    put(source / "LICENSE", own, documents + "copyright")
    for unit in UNITS.get(name, ()):
        put(packaging / "systemd" / unit, own, "usr/lib/systemd/system/")
    for settings in (packaging / "debian" / name).glob("*.conf"):
        put(settings, own, "etc/autogate/")
    if name == "autogate":
        put(packaging / "bin/autogate", own, "usr/bin/", mode=0o755)
        put(packaging / "bin/autogate-install", own, "usr/sbin/", mode=0o755)
        put(packaging / "polkit/50-autogate.rules", own, "usr/share/polkit-1/rules.d/")
        listed = [bill] if bill.exists() else []
        for document in [source / "CHANGELOG.md", *(source / "docs").glob("*.md"), source / "docs/gate.example.toml", *listed]:
            put(document, own, documents)


def _words(version: str, python: str) -> dict[str, str]:
    major, minor = map(int, python.split("."))
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    return {"VERSION": version, "ARCHITECTURE": architecture, "PYTHON": python, "NEXT_PYTHON": f"{major}.{minor + 1}"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--commit", default="HEAD", help="what to package")
    parser.add_argument(
        "--python", type=Path, default=PYTHON, help="the interpreter that the gate will have, of the same version"
    )
    parser.add_argument(
        "--bill-tool", type=Path, metavar="PYTHON", help="of the environment that has cyclonedx-bom (make setup-sbom)"
    )
    parser.add_argument("--bill-alone", action="store_true", help="of what would be packaged, and no packages")
    options = parser.parse_args()
    if missing := [name for name in ("dpkg-deb", "git", "tar") if shutil.which(name) is None]:
        print(f"these are missing: {', '.join(missing)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="autogate-source-") as scratch:
        source = Path(scratch) / "source"
        epoch = export(options.commit, source)
        for package in build(source, options.out, epoch, options.python, options.bill_tool, bill_alone=options.bill_alone):
            print(f"{package}  {package.stat().st_size / (1 << 20):.1f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
