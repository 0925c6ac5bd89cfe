"""Chip authenticity: what the signed document lists must have been done, with the key that it lists."""

from __future__ import annotations

from forge import State, bit_string
from forge_chip import (
    CA_3DES,
    CA_AES_128,
    CA_AES_256,
    CA_DH_AES_256,
    CHALLENGE,
    PACE_GM_AES_128,
    TRAILERS,
    active_info,
    active_key,
    agreed,
    answered,
    chip_groups,
    chip_key,
    chip_sod,
    data_group_14,
    data_group_15,
    groups_with,
    info,
    key_info,
    recovered,
)
from forge_keys import NULL, RSA, RsaKey, ec_public, ecdsa, identifier, key, sequence, uncompressed
from inspection import Inspection, case, inspection

from pki import der
from pki.active_authentication import ActiveAuthenticationEvidence


def chip_document(
    state: State, groups: dict[int, bytes] | None = None, *, read: dict[int, bytes] | None = None, **more
) -> Inspection:
    """A document that signs ``groups``, of which ``read`` (all) came from the chip."""
    groups = chip_groups() if groups is None else groups
    return inspection(state, chip_sod(state, groups), data_groups=groups if read is None else read, **more)


def both(**changes) -> dict:
    """The notes of a terminal that ran both protocols with the true chip."""
    return {"active": answered(active_key()), "chip": agreed(chip_key().public)} | changes


def unread(*numbers: int) -> dict[int, bytes]:
    return {number: group for number, group in chip_groups().items() if number not in numbers}


def rsa_document(state: State, evidence, *, bits: int = 1024) -> Inspection:
    """A document whose DG15 holds an RSA key, as most do."""
    groups = groups_with(dg15=data_group_15(aa_rsa(bits).public))
    return chip_document(state, groups, active=evidence)


def aa_rsa(bits: int = 1024) -> RsaKey:
    made = key(f"rsa:{bits}", "active authentication")
    assert isinstance(made, RsaKey)
    return made


# --- the true chip


@case(clause="Doc 9303-11 §6", chip="genuine")
def chip_that_passes_both_protocols(state):
    """Chip authentication under the key of DG14, active authentication under that of DG15."""
    return chip_document(state, **both())


@case(clause="Doc 9303-11 §6.2", chip="genuine")
def chip_authentication_alone(state):
    """The document lists DG14 and no DG15."""
    return chip_document(state, groups_with(dg14=data_group_14(info(CA_AES_256, 1), key_info(chip_key().public))),
                         chip=agreed(chip_key().public))  # fmt: skip


@case(clause="ISO/IEC 9796-2 §8, Doc 9303-11 §6.1", chip="genuine", over=tuple(TRAILERS))
def active_authentication_with_rsa(state, trailer):
    """Partial recovery with each trailer; DG14 is not needed, as the trailer names the hash."""
    return rsa_document(state, recovered(aa_rsa(), trailer))


@case(clause="Doc 9303-11 §6.1", chip="genuine")
def active_authentication_with_rsa_2048(state):
    """A longer key."""
    return rsa_document(state, recovered(aa_rsa(2048)), bits=2048)


@case(clause="Doc 9303-11 §6.1", chip="genuine")
def active_authentication_with_a_modulus_without_its_leading_zero(state):
    """As in a specimen: the INTEGER reads as negative, and the number is the modulus."""
    signer = aa_rsa()
    numbers = sequence(der.encode(der.INTEGER, signer.number(signer.n)), der.encode_integer(signer.e))
    group = data_group_15(sequence(identifier(RSA, NULL), bit_string(numbers)))
    return chip_document(state, groups_with(dg15=group), active=recovered(signer))


@case(clause="BSI TR-03111 §5.2.1, Doc 9303-11 §6.1", chip="genuine", over=("sha1", "sha224", "sha256", "sha384", "sha512"))
def active_authentication_with_ecdsa(state, hash_):
    """Plain r and s, the hash as DG14 names it."""
    groups = groups_with(dg14=data_group_14(active_info(hash_)), dg15=data_group_15(active_key().public))
    return chip_document(state, groups, active=answered(active_key(), hash_))


@case(clause="Doc 9303-11 §6.1", chip="genuine")
def active_authentication_in_der(state):
    """Some chips send the signature in DER; the key proved itself all the same."""
    signature = active_key().sign(CHALLENGE, ecdsa())
    return chip_document(state, **both(active=ActiveAuthenticationEvidence(challenge=CHALLENGE, response=signature)))


@case(clause="Doc 9303-11 §9.2.5: keyId", chip="genuine", over=(1, 2))
def one_of_two_keys(state, key_id):
    """Each key has its protocol, joined by their number."""
    return chip_document(
        state, two_keys(), chip=agreed(chip_key(f"key {key_id}").public, (CA_AES_128, CA_AES_256)[key_id - 1], key_id)
    )


def two_keys() -> dict[int, bytes]:
    infos = [info(CA_AES_128, 1, 1), info(CA_AES_256, 1, 2)]
    infos += [key_info(chip_key(f"key {number}").public, number) for number in (1, 2)]
    return groups_with(dg14=data_group_14(*infos))


@case(clause="Doc 9303-11 §9.2.5", chip="genuine")
def key_without_its_protocol_means_3des(state):
    """Older chips state the key alone."""
    groups = groups_with(dg14=data_group_14(key_info(chip_key().public)))
    return chip_document(state, groups, chip=agreed(chip_key().public, CA_3DES))


# --- clone by omission


@case(clause="Doc 9303-11 §6", chip="not_supported")
def document_that_offers_no_proof(state):
    """The signed list has neither DG14 nor DG15: the State issued it without."""
    return inspection(state)


@case(clause="Doc 9303-11 §6", chip="not_supported")
def proof_under_a_key_that_nobody_signed(state):
    """A chip runs active authentication with a DG15 that the SOD does not list: a specimen does, and every clone can."""
    return inspection(state, active=answered(active_key()), chip=agreed(chip_key().public))


@case(clause="Doc 9303-11 §5.1", expect="Rejected/DATA_GROUP_NOT_SIGNED")
def key_that_nobody_signed_taken_for_a_data_group(state):
    """The same, its DG15 handed in with the others."""
    return inspection(state, data_groups=groups_with(dg15=data_group_15(active_key().public)), active=answered(active_key()))


@case(
    clause="Doc 9303-10 §4.6.1: EF.COM is not signed; Doc 9303-11 §6",
    chip="not_genuine/DG14_NOT_READ",
    over=("DG14 hidden", "both hidden"),
)
def clone_that_hides_data_group_14(state, what):
    """A copy leaves out of EF.COM what it has no private key for; the signed list still has it."""
    more = {"active": answered(active_key())} if what == "DG14 hidden" else {}
    return chip_document(state, read=unread(14) if more else unread(14, 15), **more)


@case(clause="Doc 9303-10 §4.6.1: EF.COM is not signed; Doc 9303-11 §6", chip="not_genuine/DG15_NOT_READ")
def clone_that_hides_data_group_15(state):
    """The other half."""
    return chip_document(state, read=unread(15), chip=agreed(chip_key().public))


@case(clause="Doc 9303-11 §6.1", chip="not_genuine/AA_NOT_RUN")
def active_authentication_that_was_not_run(state):
    """DG15 is there, the challenge was never put."""
    return chip_document(state, **both(active=None))


@case(clause="Doc 9303-11 §6.2", chip="not_genuine/CA_NOT_RUN")
def chip_authentication_that_was_not_run(state):
    """DG14 is there, no key was agreed."""
    return chip_document(state, **both(chip=None))


@case(clause="Doc 9303-11 §6", chip="not_genuine/CA_NOT_RUN")
def nothing_was_run(state):
    """Both groups are there."""
    return chip_document(state)


@case(clause="Doc 9303-11 §6.1", chip="not_genuine/AA_FAILED")
def chip_that_refuses_the_challenge(state):
    """An error instead of an answer."""
    return chip_document(state, **both(active=ActiveAuthenticationEvidence(challenge=CHALLENGE, response=b"")))


# --- active authentication by another


@case(clause="Doc 9303-11 §6.1", chip="not_genuine/AA_FAILED")
def answer_of_another_key(state):
    """The clone's own key."""
    return chip_document(state, **both(active=answered(active_key("clone"))))


@case(clause="Doc 9303-11 §6.1", chip="not_genuine/AA_FAILED", over=("ecdsa", "rsa"))
def answer_to_an_earlier_challenge(state, kind):
    """Recorded from the true chip and played back."""
    if kind == "rsa":
        return rsa_document(state, recovered(aa_rsa(), signed=b"earlier!"))
    return chip_document(state, **both(active=answered(active_key(), signed=b"earlier!")))


@case(clause="Doc 9303-11 §6.1: RND.IFD has 8 octets", chip="not_genuine/AA_FAILED", over=(0, 4, 7, 9, 16))
def challenge_of_another_length(state, size):
    """A challenge that is too short, or structured, could be one that the chip signed for something else."""
    return chip_document(state, **both(active=answered(active_key(), challenge=bytes(size))))


@case(clause="BSI TR-03111 §5.2.1", chip="not_genuine/AA_FAILED", over=("zeros", "order", "cut", "long"))
def ecdsa_answer_that_cannot_be(state, what):
    """Numbers outside the range, and other lengths."""
    n, good = active_key().curve.n, answered(active_key()).response
    response = {"zeros": bytes(64), "order": n.to_bytes(32, "big") * 2, "cut": good[:-1], "long": good + b"\0"}[what]
    return chip_document(state, **both(active=ActiveAuthenticationEvidence(challenge=CHALLENGE, response=response)))


@case(clause="Doc 9303-11 §9.2.4", chip="not_genuine/AA_FAILED")
def answer_with_another_hash_than_data_group_14_names(state):
    """DG14 names SHA-256, the answer is by SHA-1."""
    return chip_document(state, **both(active=answered(active_key(), "sha1")))


@case(clause="Doc 9303-11 §9.2.4: ActiveAuthenticationInfo is required for ECDSA", chip="undetermined/UNSUPPORTED_ALGORITHM")
def ecdsa_key_whose_hash_nobody_names(state):
    """DG14 is not there: which hash it is would be guessed at, or chosen by the chip."""
    return chip_document(state, groups_with(dg15=data_group_15(active_key().public)), active=answered(active_key()))


@case(
    clause="ISO/IEC 9796-2 §8",
    chip="not_genuine/AA_FAILED",
    over=(
        "trailer 00",
        "trailer of an unknown hash",
        "header of total recovery",
        "header",
        "another key",
        "one bit",
        "plus n",
        "all zero",
        "one",
    ),
)
def rsa_answer_that_cannot_be(state, what):
    """With a small exponent a clone chooses some octets of the block: each must be the one it has to be."""
    signer = aa_rsa()
    good = recovered(signer).response
    response = {
        "trailer 00": recovered(signer, end=b"\0").response,
        "trailer of an unknown hash": recovered(signer, end=b"\x39\xcc").response,
        "header of total recovery": recovered(signer, header=0x4A).response,
        "header": recovered(signer, header=0x7A).response,
        "another key": recovered(key("rsa:1024", "clone")).response,
        "one bit": good[:-1] + bytes((good[-1] ^ 1,)),
        "plus n": (int.from_bytes(good, "big") + signer.n).to_bytes(129, "big"),
        "all zero": bytes(128),
        "one": bytes(127) + b"\1",
    }[what]
    return rsa_document(state, ActiveAuthenticationEvidence(challenge=CHALLENGE, response=response))


# --- chip authentication by another


@case(clause="Doc 9303-11 §6.2: the key is that of DG14", chip="not_genuine/CA_KEY_NOT_SIGNED")
def agreement_with_a_key_that_nobody_signed(state):
    """The clone's own key, with a good exchange after it."""
    return chip_document(state, **both(chip=agreed(chip_key("clone").public)))


@case(clause="Doc 9303-11 §6.2: the chip proves itself by the first good exchange", chip="not_genuine/CA_FAILED")
def agreement_without_an_exchange_under_the_new_keys(state):
    """Anybody can name the public key of DG14; to go on talking takes the private one."""
    return chip_document(state, **both(chip=agreed(chip_key().public, succeeded=False)))


@case(
    clause="Doc 9303-11 §9.2.5",
    chip="not_genuine/CA_KEY_NOT_SIGNED",
    over=(CA_3DES, CA_AES_128, CA_DH_AES_256, PACE_GM_AES_128, ""),
)
def agreement_by_a_protocol_that_is_not_offered(state, oid):
    """The right key with a weaker cipher, another kind of agreement, or none."""
    return chip_document(state, **both(chip=agreed(chip_key().public, oid)))


@case(clause="Doc 9303-11 §9.2.5: keyId", chip="not_genuine/CA_KEY_NOT_SIGNED", over=((1, 2), (2, 1), (1, 3), (1, None)))
def agreement_under_the_number_of_another_key(state, numbers):
    """The key of one number under another, or under none."""
    of, said = numbers
    return chip_document(state, two_keys(), chip=agreed(chip_key(f"key {of}").public, (CA_AES_128, CA_AES_256)[of - 1], said))


@case(clause="Doc 9303-11 §9.2.5: keyId", chip="not_genuine/CA_KEY_NOT_SIGNED")
def agreement_by_the_protocol_of_another_key(state):
    """Key 1 with the cipher that is offered for key 2."""
    return chip_document(state, two_keys(), chip=agreed(chip_key("key 1").public, CA_AES_256, 1))


# --- groups that say nothing


@case(clause="Doc 9303-11 §9.2", chip="undetermined/NO_PROTOCOL_OFFERED", over=("empty", "PACE alone", "terminal authentication"))
def data_group_14_without_a_proof(state, what):
    """Signed, and nothing in it by which a chip proves itself: not a word on whether this is the chip."""
    infos = {
        "empty": [],
        "PACE alone": [info(PACE_GM_AES_128, 2, 13)],
        "terminal authentication": [info("0.4.0.127.0.7.2.2.2", 1)],
    }[what]
    return chip_document(state, groups_with(dg14=data_group_14(*infos)))


@case(clause="Doc 9303-11 §9.2", chip="undetermined/MALFORMED", over=(14, 15))
def group_that_cannot_be_read(state, number):
    """Signed by the State, and broken."""
    groups = chip_groups() | {number: b"\x6e\x03odd"}
    return chip_document(state, groups, **both())


@case(clause="Doc 9303-11 §6", chip="not_genuine/CA_NOT_RUN")
def failure_weighs_more_than_doubt(state):
    """DG15 cannot be read, and chip authentication was not run."""
    return chip_document(state, chip_groups() | {15: b"\x6f\x03odd"}, active=answered(active_key()))


@case(clause="RFC 5480 §2.1.1", chip="undetermined/UNSUPPORTED_CURVE")
def active_authentication_key_on_a_strange_curve(state):
    """A curve that is not in the list."""
    public = ec_public(der.encode_oid("1.3.132.0.10"), uncompressed(active_key().curve, active_key().point))
    groups = groups_with(dg14=data_group_14(active_info()), dg15=data_group_15(public))
    return chip_document(state, groups, active=answered(active_key()))
