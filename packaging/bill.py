"""``python packaging/bill.py ENVIRONMENT --tool PYTHON``: the bill of materials of an environment, CycloneDX 1.6 JSON. Run by ``make sbom``.

cyclonedx-bom lists the distributions and misses the libraries inside their wheels, such as OpenCV's FFmpeg and each copy of OpenSSL. So
:mod:`carried` reads those, and they are added here, each bound to the distribution that carries it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from carried import Carried, carried

SPECIFICATION = "1.6"
VALIDATE = (
    "import sys; from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import JsonStrictValidator;"
    f"wrong = JsonStrictValidator(SchemaVersion.V{SPECIFICATION.replace('.', '_')}).validate_str(sys.stdin.read());"
    "sys.exit(repr(wrong)[:2000] if wrong else 0)"
)


def bill_of_materials(environment: Path, tool: Path) -> str:
    """``tool``: the interpreter of an environment with cyclonedx-bom. Raises subprocess.CalledProcessError, OSError; ValueError where it is no valid bill."""
    asked = [
        "-m",
        "cyclonedx_py",
        "environment",
        "--output-reproducible",
        "--spec-version",
        SPECIFICATION,
        "--of",
        "JSON",
        "--output-file",
        "-",
    ]
    said = subprocess.run([tool, *asked, environment / "bin/python"], check=True, capture_output=True, text=True).stdout
    (packages,) = environment.glob("lib/python3.*/site-packages")
    text = json.dumps(with_carried(json.loads(said), carried(packages)), indent=1, sort_keys=True) + "\n"
    examined = subprocess.run([tool, "-c", VALIDATE], input=text, check=False, capture_output=True, text=True)
    if examined.returncode:
        raise ValueError(f"no valid CycloneDX {SPECIFICATION}: {examined.stderr.strip()}")
    return text


def with_carried(bill: dict[str, Any], found: Sequence[Carried]) -> dict[str, Any]:
    """``bill``, with a component for each library in ``found``, on which the distribution that carries it depends."""
    components, dependencies = list(bill.get("components", ())), list(bill.get("dependencies", ()))
    owners = {_plain(one["name"]): one["bom-ref"] for one in components}
    needs = {one["ref"]: set(one.get("dependsOn", ())) for one in dependencies}
    for one in found:
        reference = f"carried:{one.file}:{one.name}"
        components.append(_component(one, reference))
        needs[reference] = set()
        if owner := owners.get(_plain(one.distribution)):
            needs.setdefault(owner, set()).add(reference)
    known = [{"ref": ref, "dependsOn": sorted(on)} if on else {"ref": ref} for ref, on in sorted(needs.items())]
    return {**bill, "components": sorted(components, key=lambda one: str(one["bom-ref"])), "dependencies": known}


def _component(one: Carried, reference: str) -> dict[str, Any]:
    notes = {"carried-by": one.distribution, "file": one.file} | ({"version-said-by": one.said_by} if one.said_by else {})
    versioned = {"version": one.version, "purl": f"pkg:generic/{one.name}@{one.version}"} if one.version else {}
    return {
        "type": "library",
        "name": one.name,
        "bom-ref": reference,
        "hashes": [{"alg": "SHA-256", "content": one.sha256}],
        "properties": [{"name": f"autogate:{name}", "value": value} for name, value in sorted(notes.items())],
        **versioned,
    }


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", type=Path)
    parser.add_argument("--tool", type=Path, required=True, metavar="PYTHON")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = bill_of_materials(options.environment, options.tool)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
