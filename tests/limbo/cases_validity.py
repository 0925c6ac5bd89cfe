"""Validity at signing: the signing time, the signer's certificate and the period of its key."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from forge import (
    DATA_GROUPS,
    DAY,
    KEY_PERIOD,
    NOW,
    SIGNER_END,
    SIGNER_KEY_END,
    SIGNER_START,
    SIGNING_TIME,
    YEAR,
    Certificate,
    State,
    attribute,
    attributes,
    extension,
    key_period,
    security_object,
)
from forge_keys import sequence
from inspection import Inspection, case, inspection

from pki import der


def signed_at(state: State, signed: datetime | None, parts: Certificate | None = None, *, at: datetime = NOW) -> Inspection:
    """A document signed at one time and inspected ``at`` another."""
    signer = state.signer if parts is None else state.issue(parts)
    return inspection(state, signer.sod(at=signed).built(), at=at)


@case(clause="Doc 9303-12 §4.1: a document outlives the validity of nobody at signing")
def signer_expired_since_signing(state):
    """Signed in time, inspected ten years on."""
    return signed_at(state, NOW, state.parts.valid(SIGNER_START, NOW + DAY), at=NOW + 10 * YEAR)


@case(clause="RFC 5280 §4.1.2.5: both ends are included", over=("first", "last"))
def signed_in_the_first_or_the_last_second(state, which):
    """Validity includes its ends."""
    parts = state.parts.lacking(KEY_PERIOD)
    return signed_at(state, NOW, parts.valid(*((NOW, SIGNER_END) if which == "first" else (SIGNER_START, NOW))))


@case(clause="Doc 9303-12 §7.1: validity", expect="Undetermined/CERTIFICATE_NOT_VALID_AT_SIGNING", over=("before", "after"))
def signed_outside_the_validity_of_the_signer(state, when):
    """A second before its beginning, a second after its end."""
    second = timedelta(seconds=1)
    dates = (NOW + second, SIGNER_END) if when == "before" else (SIGNER_START, NOW - second)
    return signed_at(state, NOW, state.parts.lacking(KEY_PERIOD).valid(*dates))


@case(
    clause="Doc 9303-12 §7.1: privateKeyUsagePeriod of the document signer",
    expect="Undetermined/CERTIFICATE_NOT_VALID_AT_SIGNING",
    over=("before", "after"),
)
def signed_outside_the_key_period_of_the_signer(state, when):
    """The certificate is valid for as long as passports live; its key was for three months of them. A stolen one signs later."""
    return signed_at(state, SIGNER_START - DAY if when == "before" else SIGNER_KEY_END + DAY,
                     state.parts.valid(SIGNER_START - 10 * DAY, SIGNER_END), at=NOW + YEAR)  # fmt: skip


@case(clause="Doc 9303-12 §7.1: privateKeyUsagePeriod is of the key, not of the document")
def key_period_that_ended_since_signing(state):
    """The usual case: signed within the three months, inspected years later."""
    return signed_at(state, NOW, at=NOW + 5 * YEAR)


@case(clause="RFC 5652 §11.3: signingTime is optional")
def no_signing_time_while_the_signer_is_valid(state):
    """Many genuine documents have none; the signer that is valid today was valid when it signed."""
    return signed_at(state, None)


@case(clause="Doc 9303-12 §7.1: privateKeyUsagePeriod")
def no_signing_time_after_the_key_period(state):
    """The key's three months are over, the certificate is valid: so it was when the document was made."""
    return signed_at(state, None, at=NOW + 5 * YEAR)


@case(clause="Doc 9303-12 §7.1: validity", expect="Undetermined/CERTIFICATE_NOT_VALID_AT_SIGNING", over=("not yet", "no longer"))
def no_signing_time_while_the_signer_is_not_valid(state, what):
    """Nothing says when it signed, and now it may not."""
    return signed_at(state, None, at=SIGNER_START - DAY if what == "not yet" else SIGNER_END + DAY)


@case(clause="Doc 9303-10 §4.7.12: DG12 holds the date of issue")
def no_signing_time_but_a_signed_date_of_issue(state):
    """The signer ran out; the date of issue in DG12, signed like the rest, lies within its validity."""
    issued = NOW.strftime("%Y%m%d").encode()
    group = der.encode(0x6C, der.encode(0x5C, b"\x5f\x26"), der.encode(0x5F26, issued))
    groups = {**DATA_GROUPS, 12: group}
    sod = state.issue(state.parts.valid(SIGNER_START, NOW + YEAR)).sod(security_object(groups), at=None).built()
    return inspection(state, sod, data_groups=groups, at=NOW + 5 * YEAR)


@case(clause="RFC 5652 §11.3", expect="Undetermined/SIGNED_IN_FUTURE", over=(2, 365))
def signed_in_the_future(state, days):
    """Either the document lies or the clock of the gate is wrong: people look."""
    return signed_at(state, NOW + days * DAY, state.parts.lacking(KEY_PERIOD))


@case(clause="RFC 5652 §11.3")
def signed_in_a_zone_ahead_of_ours(state):
    """States write local time as if it were UTC; no zone is more than fourteen hours ahead."""
    return signed_at(state, NOW + timedelta(hours=14))


@case(clause="RFC 5652 §11.3, RFC 5280 §4.1.2.5.1", expect="Undetermined/CERTIFICATE_NOT_VALID_AT_SIGNING")
def signed_in_1950(state):
    """A two-digit year from 50 is of the last century."""
    changed = attributes(security_object()) | {SIGNING_TIME: attribute(SIGNING_TIME, der.encode(der.UTC_TIME, b"500101000000Z"))}
    made = state.signer.sod()
    return inspection(state, replace(made, signers=(state.signer.info(sorted(changed.values())),)).built())


@case(clause="Doc 9303-12 §7.1: privateKeyUsagePeriod", over=("first second", "last second", "no start", "no end"))
def signed_at_an_end_of_the_key_period(state, what):
    """The ends are included, and either one may be absent."""
    period = {
        "first second": (NOW, SIGNER_KEY_END),
        "last second": (SIGNER_START, NOW),
        "no start": (None, NOW),
        "no end": (NOW, None),
    }[what]
    return signed_at(state, NOW, state.parts.having(key_period(*period)))


@case(clause="RFC 5280 §4.2.1.4, X.509: GeneralizedTime", expect="Undetermined/MALFORMED", over=("20261301000000Z", "2026", ""))
def key_period_that_is_no_time(state, text):
    """A 13th month, a bare year, nothing."""
    value = sequence(der.encode(0x81, text.encode()))
    return signed_at(state, NOW, state.parts.having(extension(KEY_PERIOD, value)))
