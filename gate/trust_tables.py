"""What ``autogate trust`` tells: each command's findings as values for machines, and the same as lines for people."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pki.errors import PkiError
from pki.inventory import is_usable, key_kind, outlook, signature_kind, take_inventory
from pki.oddities import anchor_oddities
from pki.trust import Csca, TrustStore
from pki.trust_statement import QUORUM, SignedStatement, Statement
from pki.trust_versions import TrustVersions, Version
from pki.union import UNCONFIRMED

Told = dict[str, Any]
SHORT = 16
"""Digits of a digest that are shown to people."""


def fingerprint(anchor: Csca) -> str:
    return hashlib.sha256(anchor.certificate).hexdigest()


def overview(versions: TrustVersions, signers: Mapping[str, str]) -> Told:
    """All versions and statements."""
    signed = versions.in_force()
    active = signed.statement.store if signed else ""
    return {
        "store": str(versions.folder),
        "demo": versions.demo,
        "versions": [_row(versions, one, one.digest == active) for one in versions.versions()],
        "in_force": statement(signed, signers) if signed else None,
        "pending": [statement(one, signers) for one in versions.pending()],
    }


def _row(versions: TrustVersions, version: Version, active: bool) -> Told:
    try:
        store = versions.read(version)
    except PkiError as error:
        return {"version": version.number, "digest": version.digest, "in_force": active, "unusable": error.detail}
    states = len({anchor.country for anchor in store.anchors})
    counted = {"certificates": len(store.anchors), "states": states, "crls": len(store.crls)}
    return {"version": version.number, "digest": version.digest, "in_force": active} | counted


def statement(signed: SignedStatement[Statement], signers: Mapping[str, str]) -> Told:
    """A statement, and whose signatures under it are good (known only where the signers are)."""
    people = signed.people(signers)
    return {"statement": asdict(signed.statement), "people": people, "keys": sorted(signed.signatures)}


def version_details(version: Version, store: TrustStore) -> Told:
    inventory = asdict(take_inventory(store.anchors))
    sources = Counter(source for anchor in store.anchors for source in anchor.provenance.split("; "))
    return {"version": version.number, "digest": version.digest, **inventory, "crls": len(store.crls), "sources": dict(sources)}


def certificate_details(version: Version, store: TrustStore, wanted: str, confirmed: frozenset[str]) -> Told:
    """Certificates by country, by how their fingerprint begins, or by a part of their name. Raises ValueError for none."""
    found = [one for one in store.anchors if _is_meant(one, wanted)]
    if not found:
        raise ValueError(f"version {version.number} has no certificate {wanted!r}")
    return {"version": version.number, "certificates": [_certificate(one, confirmed) for one in found]}


def _is_meant(anchor: Csca, wanted: str) -> bool:
    if len(wanted) == 2:
        return anchor.country == wanted.upper()
    return (len(wanted) >= 8 and fingerprint(anchor).startswith(wanted.lower())) or wanted.lower() in str(
        anchor.parsed.subject
    ).lower()


def _certificate(anchor: Csca, confirmed: frozenset[str]) -> Told:
    parsed, usable = anchor.parsed, is_usable(anchor.parsed)
    pinned = UNCONFIRMED in anchor.provenance
    return {
        "label": parsed.label,
        "fingerprint": fingerprint(anchor),
        "country": anchor.country,
        "issuer": str(parsed.issuer),
        "not_before": parsed.not_before,
        "not_after": parsed.not_after,
        "signs_until": parsed.extensions.key_period_end,
        "key": key_kind(parsed) if usable else "not supported",
        "signature": signature_kind(parsed) if usable else "not supported",
        "oddities": sorted(oddity.value for oddity in anchor_oddities(parsed)),
        "pinned": "" if not pinned else "confirmed" if fingerprint(anchor) in confirmed else UNCONFIRMED,
        "provenance": anchor.provenance.split("; "),
    }


def check_confirmable(store: TrustStore, fingerprints: Iterable[str]) -> None:
    """Raises ValueError for a fingerprint that is none of a pinned certificate in ``store``."""
    pinned = {fingerprint(anchor) for anchor in store.anchors if UNCONFIRMED in anchor.provenance}
    if strange := sorted(set(fingerprints) - pinned):
        raise ValueError(f"{', '.join(strange)}: not the SHA-256 of a pinned certificate: autogate trust show COUNTRY lists them")


def findings(version: Version, store: TrustStore, now: datetime, days: int, confirmed: frozenset[str]) -> Told:
    """What somebody should look after, ``days`` ahead of ``now``."""
    end = now + timedelta(days=days)
    states = outlook(store.anchors)
    without = [one.country for one in states if one.valid_until is None or one.valid_until < now]
    expiring = {one.country: one.valid_until for one in states if one.valid_until and now <= one.valid_until < end}
    silent = {one.country: one.signs_until for one in states if one.signs_until and one.signs_until < end}
    unconfirmed = [one for one in store.anchors if UNCONFIRMED in one.provenance and fingerprint(one) not in confirmed]
    inventory = take_inventory(store.anchors)
    told = {
        "without_usable_anchor": without,
        "expiring": expiring,
        "signing_key_ends": silent,
        "orphans": inventory.orphans,
        "unusable": inventory.unusable,
        "unconfirmed": [one.parsed.label for one in unconfirmed],
    }
    return {"version": version.number, "at": now, "days": days, "states": len(states)} | told | {"found": any(told.values())}


def differences(first: TrustStore, second: TrustStore) -> Told:
    ours, theirs = ({one.certificate: one for one in store.anchors} for store in (first, second))
    return {
        "added": [theirs[key].parsed.label for key in theirs if key not in ours],
        "removed": [ours[key].parsed.label for key in ours if key not in theirs],
        "crls_added": len(set(second.crls) - set(first.crls)),
        "crls_removed": len(set(first.crls) - set(second.crls)),
        "other_provenance": sum(ours[key].provenance != theirs[key].provenance for key in ours.keys() & theirs.keys()),
    }


# --- as lines


def _inventory_lines(told: Told) -> Iterator[str]:
    usable = told["certificates"] - len(told["unusable"])
    chained = told["self_signed"] + told["chained"]
    yield f"{told['certificates']} certificates of {told['countries']} States, {usable} keys usable, {told['crls']} revocation lists"
    yield f"{chained} chained ({told['self_signed']} self-signed, {told['chained']} under another), {len(told['orphans'])} without issuer"
    for title, counts in (("key", told["keys"]), ("signature", told["signatures"]), ("oddity", told["oddities"])):
        yield f"  {title:<24}  certificates"
        yield from (
            f"    {name:<22}  {count:>12}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        )
    yield from _named("without issuer", told["orphans"])
    yield from _named("not usable", told["unusable"])


def _named(title: str, names: Iterable[str] | Mapping[str, Any]) -> Iterator[str]:
    if isinstance(names, Mapping):
        names = [f"{name}  {value:%Y-%m-%d}" for name, value in names.items()]
    yield from [f"{title}:", *(f"  {name}" for name in names)] if names else []


def _import_lines(told: Told) -> Iterator[str]:
    yield from _inventory_lines(told)
    yield from _named("pinned, unconfirmed copies", told["unconfirmed"])
    yield from _named("refused, as their State is pinned and they are not", told["refused"])
    yield from _named("left out, as they cannot be read", told["unreadable"])
    if told["bare_left_out"]:
        yield f"left out: {told['bare_left_out']} certificates of directory files, which nobody signed for (--demo takes them)"
    kept = "made" if told["new"] else "holds the same already:"
    yield f"{kept} version {told['version']}{' (demonstration)' if told['demo'] else ''}, sha256 {told['digest']}"
    yield (
        f"next: {QUORUM} people sign it (autogate trust sign {told['version']}), then autogate trust activate {told['version']}"
        if (not told["demo"])
        else f"next: autogate trust activate {told['version']}"
    )


def _list_lines(told: Told) -> Iterator[str]:
    yield f"{told['store']}{' (demonstration)' if told['demo'] else ''}"
    for row in told["versions"]:
        what = (
            row.get("unusable") or f"{row['certificates']} certificates, {row['states']} States, {row['crls']} revocation lists"
        )
        yield f"{'*' if row['in_force'] else ' '} {row['version']:>4}  {row['digest'][:SHORT]}  {what}"
    if told["in_force"]:
        yield from _statement_lines(told["in_force"], "in force")
    for one in told["pending"]:
        yield from _statement_lines(one, "pending")


def _statement_lines(told: Told, title: str) -> Iterator[str]:
    one = told["statement"]
    because = f", because {one['because']}" if one["because"] else ""
    yield f"{title}: statement {one['sequence']} of {one['date']}, to {one['action']} version {one['version']}{because}"
    people = f" by {', '.join(told['people'])}" if told["people"] else ""
    yield f"  {len(told['keys'])} signatures{people}"
    yield from (f"  confirmed: {name}" for name in one["confirmed"])


def _show_lines(told: Told) -> Iterator[str]:
    if isinstance(told["certificates"], int):
        yield f"version {told['version']}, sha256 {told['digest']}"
        yield from _inventory_lines(told)
        yield from _named("sources", [f"{count:>5}  {name}" for name, count in told["sources"].items()])
        return
    for one in told["certificates"]:
        yield one["label"]
        yield from (f"  {name:<12} {value}" for name, value in one.items() if value and name not in {"label", "provenance"})
        yield from (f"  {'from':<12} {source}" for source in one["provenance"])


def _check_lines(told: Told) -> Iterator[str]:
    yield f"version {told['version']}: {told['states']} States, looking {told['days']} days ahead of {told['at']:%Y-%m-%d}"
    yield from _named("without a usable anchor", told["without_usable_anchor"])
    yield from _named(f"last anchor expires within {told['days']} days", told["expiring"])
    yield from _named("last known signing key ends or ended: new documents will find no anchor", told["signing_key_ends"])
    yield from _named("certificates without issuer", told["orphans"])
    yield from _named("not usable", told["unusable"])
    yield from _named("pinned, not confirmed by their State", told["unconfirmed"])


def _difference_lines(told: Told) -> Iterator[str]:
    yield from (f"+ {name}" for name in told["added"])
    yield from (f"- {name}" for name in told["removed"])
    lists = f"revocation lists +{told['crls_added']} -{told['crls_removed']}"
    yield f"{len(told['added'])} added, {len(told['removed'])} removed, {lists}, {told['other_provenance']} of other provenance"


def _sign_lines(told: Told) -> Iterator[str]:
    yield from _difference_lines(told) if "added" in told else ()
    yield from _statement_lines(told, "signed")
    yield f"  as {told['signed_as']}"


def _keygen_lines(told: Told) -> Iterator[str]:
    yield f'signers = ["{told["signer"]}", …]   # in [trust], or [rules], of every gate\'s configuration'
    yield f"{told['key_file']} holds the private key, {'' if told['encrypted'] else 'not '}encrypted: it belongs to one person"


TABLES: Mapping[str, Callable[[Told], Iterator[str]]] = {
    "import": _import_lines,
    "list": _list_lines,
    "show": _show_lines,
    "check": _check_lines,
    "diff": _difference_lines,
    "sign": _sign_lines,
    "activate": lambda told: _statement_lines(told, "in force now"),
    "rollback": lambda told: _statement_lines(told, "in force now"),
    "keygen": _keygen_lines,
}
