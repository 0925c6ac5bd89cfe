"""Secure messaging alone, at length and from any counter, against OpenPACE's encryption and MAC."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ours import OurChannel
from second.chip_authentication import ECDH, protocol_oid
from second.suite import SUITES
from sessions import Session

from hardware.emrtd.secure_messaging import SecureMessaging, session


@pytest.mark.interop
@pytest.mark.parametrize("cipher", SUITES, ids=lambda each: SUITES[each].name)
def test_secure_messaging_agrees_with_openpace(cipher: int, sessions: Callable, openpace) -> None:
    suite = SUITES[cipher]

    def run(case: Session, number: int) -> str:
        counter = case.choice.choice((0, 2**32 - 2, 2**64 - 100, case.choice.randrange(2**63)))
        with openpace.randomness(case.random("openpace")):
            one, other = (openpace.OpenChipAuthentication(suite, protocol_oid(ECDH, cipher), 12) for _ in range(2))
            one.agree(other.public)
            theirs = one.first_version()
        theirs.start_at(counter)
        ours = OurChannel(our_session(one.secret, cipher, counter))
        terminal, chip = (ours, theirs) if number % 2 else (theirs, ours)
        case.converse(terminal, chip, exchanges=10)
        return f"{suite.name} ours={('chip', 'terminal')[number % 2]}"

    sessions("secure messaging", run)


def our_session(secret: bytes, cipher: int, counter: int) -> SecureMessaging:
    return session(secret, cipher="3DES" if cipher == 1 else "AES", key_length=SUITES[cipher].key_length, ssc=counter)
