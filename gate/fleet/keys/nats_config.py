"""The configuration of nats-server, out of the key directory: who may come, and what each may send and hear.

Whoever comes shows a certificate (``verify_and_map``); the URI in it is the user (:func:`gate.fleet.keys.authority.user_of`). There is a user for each
key that counts, so that a certificate whose key was revoked, or has ended, is nobody's, however long it would still be valid. nats-server knows no
revocation lists: after a change the configuration is written again and the server told (SIGHUP), which also cuts connections of users that are gone.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

import msgspec

from gate.fleet.centre.broker import EVENTS, RECEIPTS, STATUS
from gate.fleet.keys.authority import user_of
from gate.fleet.keys.directory import Entry, KeyDirectory, KeysError
from gate.fleet.keys.names import RENEW_SUBJECT, inbox, renewal_subject
from gate.fleet.messages import MOST_MESSAGE, RECEIPT_SUBJECT, SUBJECT, gate_may_hear, gate_may_tell
from gate.fleet.updates.broker import ASSIGNMENTS, OBJECTS, UPDATES, VALUES, gate_may_ask
from pki.durable import write_file

MOST_CONNECTIONS, MOST_SUBSCRIPTIONS = 8192, 256
"""Of the whole server; of one connection. 3,000 gates have one each, and a second for a moment when they reconnect."""
MOST_STORAGE = 100 << 30
"""Bytes on the broker's disk where nobody says otherwise: 64 GiB of updates, 4 GiB of events on their way, and room."""
MOST_MEMORY = 64 << 20
"""Bytes of streams in memory, of which there are none but what reading takes."""
_PLAIN = re.compile(r"[A-Za-z0-9 ._:/@+,=>*$-]{1,400}")
"""What can stand between quotes without meaning anything to the server."""
Brokered = Literal["gate", "collector", "director", "authority", "page"]
BROKERED: tuple[Brokered, ...] = ("gate", "collector", "director", "authority", "page")


class Broker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a broker's files are (paths), and where it listens."""

    certificate: str
    key: str
    authority: str
    """The certificate of whoever issues clients' ones."""
    store: str
    """Where JetStream keeps what it holds. Not on the server's command line: then nats-server would take no new configuration."""
    pid_file: str
    host: str = "0.0.0.0"  # noqa: S104 - gates are on other machines, and none comes in without a certificate
    port: int = 4222
    most_storage: int = MOST_STORAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """Subjects to send to and to hear. ``answers``: may also send to whoever asked it something."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False


def configuration(broker: Broker, directory: KeyDirectory) -> str:
    """The whole file. Raises KeysError where a path or name cannot stand in it."""
    users = [f"    {_user(entry)}" for purpose in BROKERED for entry in directory.live(purpose)]
    return "\n".join(
        [
            "# Made by autogate fleet out of the key directory, and made anew with it: change it there.",
            f"host: {_quoted(broker.host)}",
            f"port: {broker.port}",
            f"pid_file: {_quoted(broker.pid_file)}",
            f"max_payload: {MOST_MESSAGE}",
            f"max_connections: {MOST_CONNECTIONS}",
            f"max_subscriptions: {MOST_SUBSCRIPTIONS}",
            "jetstream {",
            f"  store_dir: {_quoted(broker.store)}",
            f"  max_file_store: {broker.most_storage}",
            f"  max_memory_store: {MOST_MEMORY}",
            "}",
            "tls {",
            f"  cert_file: {_quoted(broker.certificate)}",
            f"  key_file: {_quoted(broker.key)}",
            f"  ca_file: {_quoted(broker.authority)}",
            "  verify_and_map: true",
            "  timeout: 5",
            "}",
            "authorization {",
            "  users: [",
            *users,
            "  ]",
            "}",
            "",
        ]
    )


def permissions(entry: Entry) -> Permissions:
    """What the holder of a key may say and hear. Raises KeysError where it has no business at the broker."""
    own, name = f"{inbox(entry.purpose, entry.name)}.>", entry.name
    renews = renewal_subject(entry.purpose, name)
    match entry.purpose:
        case "gate":
            return Permissions(publish=(*gate_may_tell(name), *gate_may_ask(name), renews), subscribe=gate_may_hear(name))
        case "collector":
            made = _each("$JS.API.STREAM.{verb}.{stream}", ("INFO", "CREATE", "UPDATE"), (EVENTS, STATUS, RECEIPTS))
            return Permissions(
                publish=(f"{RECEIPT_SUBJECT}.*.*", renews, *made, *_consumes(EVENTS), *_consumes(STATUS)),
                subscribe=(f"{SUBJECT}.*.*.status", own),
            )
        case "director":
            verbs = ("STREAM.INFO", "STREAM.CREATE", "STREAM.UPDATE", "STREAM.PURGE", "STREAM.MSG.GET", "DIRECT.GET")
            laid = _each("$JS.API.{verb}.{stream}", verbs, (OBJECTS, VALUES))
            return Permissions(publish=(f"$O.{UPDATES}.>", f"$KV.{ASSIGNMENTS}.>", renews, *laid), subscribe=(own,))
        case "authority":  # answers those who ask it, and says nothing else
            return Permissions(publish=(), subscribe=(f"{RENEW_SUBJECT}.>", own), answers=True)
        case "page":
            return Permissions(publish=(renews,), subscribe=(f"{SUBJECT}.*.*.status", own))
        case "rules" | "trust" | "roster" | "registry" | "snapshot" | "witness":
            raise KeysError(f"{name}: a key of {entry.purpose} has no business at the broker")
        case _:
            assert_never(entry.purpose)


def write_configuration(path: Path, broker: Broker, directory: KeyDirectory) -> None:
    """Replace it as a whole. Raises OSError, KeysError."""
    write_file(path, configuration(broker, directory).encode("ascii"))


def tell_server(pid_file: Path) -> bool:
    """Have the server that runs read its configuration again. Returns whether there was one."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() != "nats-server":
            return False  # the file outlived its server, and the number is somebody else's now
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def _consumes(stream: str) -> tuple[str, ...]:
    """What sharing durable pull consumers of a stream takes."""
    below = _each("$JS.API.CONSUMER.{verb}.{stream}.>", ("CREATE", "DURABLE.CREATE", "INFO", "MSG.NEXT"), (stream,))
    return f"$JS.API.CONSUMER.CREATE.{stream}", *below, f"$JS.ACK.{stream}.>"


def _each(form: str, verbs: Iterable[str], streams: Iterable[str]) -> tuple[str, ...]:
    return tuple(form.format(verb=verb, stream=stream) for stream in streams for verb in verbs)


def _user(entry: Entry) -> str:
    may = permissions(entry)
    publish = f"allow: {_listed(may.publish)}" if may.publish else 'deny: [">"]'
    if may.answers:
        publish = "allow: []"  # and then answers alone
    rights = f"publish: {{{publish}}}, subscribe: {{allow: {_listed(may.subscribe)}}}"
    answers = ', allow_responses: {max: 1, expires: "1m"}' if may.answers else ""
    return f"{{user: {_quoted(user_of(entry))}, permissions: {{{rights}{answers}}}}}"


def _listed(subjects: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, subjects))}]"


def _quoted(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        raise KeysError(f"{text!r}: cannot stand in the broker's configuration: letters, digits and ./_- alone")
    return json.dumps(text)
