"""Writes the registries' contracts as OpenAPI 3.1, out of the types that client and reference server decode with.

``python -m gate.registries.openapi docs/registries/openapi.json``; the committed file is what this writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from gate.registries.base import Contract
from gate.registries.contracts import CONTRACTS, CROSSING
from gate.registries.envelope import Asked, Claims, Gate
from gate.registries.snapshot import Head

VERSION = "1.0.0"
REF = "#/components/schemas/{name}"
SUMMARIES = {
    "connected_one": "What Immigration and the Foreign Ministry hold together of a service or diplomatic passport",
    "issuance": "Whether a passport is on record, in force, of which class, with a chip, and by which steps it was issued",
    "exit_permit": "Whether a service or diplomatic passport may be used for leaving, today, here",
    "watchlist": "Whether a person is on one list: barred from leaving, barred from entering, or wanted",
    "lost_and_stolen": "Whether a travel document was reported lost or stolen",
    "stay_permit": "Whether a foreigner may enter or leave on what was granted for this document",
    "arrival_declaration": "Whether the declaration for this arrival was made",
    "crossing": "Tell of a crossing. Append-only; the same crossing told again is recorded again",
}
REFUSALS = {
    "400": "Not a question of this registry, or not of this shape",
    "403": "The certificate is another gate's",
    "413": "Longer than 16,384 bytes",
    "503": "Not now",
}


class Error(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wrong, for people. No answer of a registry is ever an error."""

    error: str


def document() -> dict[str, Any]:
    """The whole interface."""
    asked = {name: Asked[contract.question] for name, contract in CONTRACTS.items()}  # type: ignore[name-defined] # a type at run time
    replies = [contract.reply for contract in CONTRACTS.values()]
    (gate, *_), components = msgspec.json.schema_components(
        [Gate, Error, Claims, Head, *asked.values(), *replies], ref_template=REF
    )
    names = dict(zip(asked, components_of(asked), strict=True))
    paths = {contract.path: {"post": _operation(contract, names[name])} for name, contract in CONTRACTS.items()}
    claims = components.pop("Claims")
    for contract in CONTRACTS.values():
        reply = {"$ref": REF.format(name=contract.reply.__name__)}
        components[_claims(contract)] = claims | {
            "title": _claims(contract),
            "properties": claims["properties"] | {"reply": reply},
        }
    whole: dict[str, Any] = _ecmascript(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Registries of an automated border control gate",
                "version": VERSION,
                "description": "How answers are signed and what they are bound to stands in docs/registries/README.md.",
            },
            "security": [{"gate": []}],
            "paths": paths | {"/snapshots/{registry}": {"get": _snapshots(gate)}},
            "components": {
                "schemas": dict(sorted(components.items())),
                "securitySchemes": {
                    "gate": {"type": "mutualTLS", "description": "The certificate's common name is the name of the gate."}
                },
            },
        }
    )
    return whole


def components_of(asked: dict[str, Any]) -> list[str]:
    """The names by which the types of the requests stand among the components."""
    schemas, _ = msgspec.json.schema_components(list(asked.values()), ref_template=REF)
    return [schema["$ref"] for schema in schemas]


def _operation(contract: Contract[Any], asked: str) -> dict[str, Any]:
    refusals = REFUSALS | ({"409": "Another crossing stands under this transaction"} if contract.name == CROSSING else {})
    answer = {
        "type": "string",
        "contentMediaType": "application/jose",
        "contentSchema": {"$ref": REF.format(name=_claims(contract))},
    }
    return {
        "operationId": contract.name,
        "summary": SUMMARIES[contract.name],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": asked}}}},
        "responses": {
            "200": {"description": "A compact JWS over the claims", "content": {"application/jose": {"schema": answer}}}
        }
        | _refused(refusals),
    }


def _snapshots(gate: dict[str, Any]) -> dict[str, Any]:
    listed = [name for name in CONTRACTS if name != CROSSING]
    refusals = {code: what for code, what in REFUSALS.items() if code != "413"} | {
        "404": "No registry of this name gives snapshots"
    }
    lines = {"type": "string", "contentSchema": {"$ref": REF.format(name="Head")}}
    return {
        "operationId": "snapshot",
        "summary": "All that a registry holds, for one gate: a JWS over the head, then an entry a line",
        "parameters": [
            {"name": "registry", "in": "path", "required": True, "schema": {"enum": listed, "type": "string"}},
            {"name": "gate", "in": "query", "required": True, "schema": gate},
        ],
        "responses": {"200": {"description": "The snapshot", "content": {"application/jsonl": {"schema": lines}}}}
        | _refused(refusals),
    }


def _refused(refusals: dict[str, str]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": REF.format(name="Error")}}}
    return {code: {"description": what, "content": content} for code, what in sorted(refusals.items())}


def _claims(contract: Contract[Any]) -> str:
    return f"{contract.reply.__name__.removesuffix('Reply')}Claims"


def _ecmascript(schema: Any) -> Any:
    """Patterns as JSON Schema writes them (ECMA-262), where ``$`` alone is the end of the text."""
    if isinstance(schema, dict):
        return {key: _ecmascript(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_ecmascript(value) for value in schema]
    return schema.replace("\\Z", "$") if isinstance(schema, str) else schema


def text() -> str:
    """The file's contents."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
