"""Subjects that the broker's permissions are about, beside those of :mod:`gate.fleet.messages`."""

from __future__ import annotations

from gate.fleet import messages
from gate.fleet.keys.directory import Purpose

RENEW_SUBJECT = "autogate-renew"


def inbox(purpose: Purpose, name: str) -> str:
    """Where answers to this one arrive (``inbox_prefix`` of a connection): nobody else may listen there."""
    return messages.inbox(name if purpose == "gate" else f"{purpose}.{name}")


def renewal_subject(purpose: Purpose, name: str) -> str:
    """Where it asks for its next certificate (:mod:`gate.fleet.keys.renewal`)."""
    return f"{RENEW_SUBJECT}.{purpose}.{name}"
