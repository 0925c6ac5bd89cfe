"""Twelve attacks that passport readers were, or could be, taken in by; each against a document that is honest otherwise."""

from __future__ import annotations

from dataclasses import replace

from forge import DATA_GROUPS, State, attributes, octet_string, pretend, security_object
from forge_chip import (
    CA_AES_256,
    PACE_GM_AES_128,
    active_info,
    active_key,
    agreed,
    answered,
    chip_groups,
    chip_key,
    chip_sod,
    data_group_14,
    info,
    key_info,
)
from forge_keys import ec_public, explicit, sequence, uncompressed
from inspection import Inspection, case, inspection

from pki import der


def document_with_a_chip(state: State, *infos: bytes, **changes) -> Inspection:
    """A document that proves itself both ways; ``infos`` are signed in its DG14, too."""
    groups = chip_groups()
    groups |= {14: data_group_14(*infos, info(CA_AES_256, 1), key_info(chip_key().public), active_info())}
    notes = {"data_groups": groups, "active": answered(active_key()), "chip": agreed(chip_key().public)}
    return inspection(state, chip_sod(state, groups), **notes | changes)


@case(clause="Doc 9303-11 §4.2, §9.2.11", access="differs/PACE_HIDDEN", chip="genuine", failed="card access")
def attack_01_downgrade_by_a_hidden_offer(state):
    """EF.CardAccess is taken away, so that the chip is opened over basic access control; the signed copy still offers PACE."""
    return document_with_a_chip(state, info(PACE_GM_AES_128, 2, 13), card_access=None)


@case(clause="Doc 9303-11 §6", chip="not_genuine/DG14_NOT_READ", failed="chip authenticity, card access")
def attack_02_clone_by_omission(state):
    """All files copied but DG14 and DG15, which EF.COM of the copy leaves out; nothing is run."""
    return document_with_a_chip(state, data_groups=dict(DATA_GROUPS), active=None, chip=None)


@case(clause="RFC 5652 §5.4", expect="Rejected/SIGNATURE_INVALID", failed="signature, hashes")
def attack_03_signature_of_another_document(state):
    """Content and digest are the forger's; attributes' signature, signer and chain are those of a true document."""
    content = security_object(DATA_GROUPS | {2: b"the portrait of the impostor"})
    true = der.read(der.read(state.signer.sod().signers[0]).children()[5].encoded).octets()
    info_ = state.signer.info(sorted(attributes(content).values()), signature=true)
    return inspection(state, replace(state.signer.sod(content), signers=(info_,)).built())


@case(clause="CVE-2020-0601", expect="Undetermined/UNSUPPORTED_CURVE")
def attack_04_curve_of_the_forgers_own(state):
    """The signer's curve is described, and its generator chosen so that the private key is known."""
    own = state.signer.key
    forged = replace(own, curve=replace(own.curve, g=own.point, arithmetic=None), d=1)
    generator = octet_string(uncompressed(own.curve, own.point))
    public = ec_public(explicit(own.curve, g=generator), uncompressed(own.curve, own.point))
    return inspection(state, state.issue(state.parts.but(public=public), signer_key=forged).sod().built())


@case(clause="Doc 9303-12 §7.1", expect="Rejected/ISSUING_COUNTRY_MISMATCH", failed="issuing state")
def attack_05_trusted_state_signs_for_another(state):
    """A rogue State's good signature over a document that names another State."""
    rogue = pretend("XX", label="Elsewhere")
    return inspection(rogue, anchors=(rogue.csca, state.csca))


@case(clause="Doc 9303-12 §6", expect="Undetermined/NO_TRUST_ANCHOR")
def attack_06_trust_carried_along(state):
    """The forger's CSCA, a link to it that the forger signed in the State's name, and a signer, all in the bag."""
    forger = pretend("UT", role="forger", label="Pretendia, new")
    link = forger.csca_parts.but(issuer=state.csca_parts.subject).signed(forger.csca_key)
    bag = (forger.signer.certificate, link, forger.csca)
    return inspection(state, replace(forger.signer.sod(), certificates=bag).built())


@case(clause="Doc 9303-11 §5.1", expect="Rejected/DATA_GROUP_HASH_MISMATCH", failed="hashes")
def attack_07_portrait_exchanged(state):
    """A true SOD, a true DG1, and the impostor's portrait."""
    return inspection(state, data_groups=DATA_GROUPS | {2: der.encode(0x75, b"the portrait of the impostor")})


@case(clause="ISO/IEC 9796-2 §8, Doc 9303-11 §6.1", chip="not_genuine/AA_FAILED", failed="chip authenticity")
def attack_08_recorded_answer(state):
    """The true chip's answer to the challenge of another day."""
    return document_with_a_chip(state, active=answered(active_key(), signed=b"yesterdy"))


@case(clause="Doc 9303-10 §3.6.3: offsets beyond 32,767", expect="Rejected/DATA_GROUP_HASH_MISMATCH", failed="hashes")
def attack_09_file_that_starts_again(state):
    """Beyond 32,767 octets the chip answers from the beginning: as long as the portrait, and not the portrait."""
    group = der.encode(0x75, bytes(range(256)) * 160)
    groups = DATA_GROUPS | {2: group}
    read = group[:0x8000] + group[: len(group) - 0x8000]
    return inspection(state, state.sod(security_object(groups)), data_groups=groups | {2: read})


@case(clause="Doc 9303-11 §6", chip="not_genuine/AA_FAILED", failed="chip authenticity")
def attack_10_another_chip_after_a_lost_tag(state):
    """The files came from the true chip; the field was lost, and the proofs were asked of another one."""
    return document_with_a_chip(state, active=answered(active_key("impostor")))


@case(clause="X.690, RFC 5652 §5.1", expect="Undetermined/MALFORMED")
def attack_11_bomb(state):
    """Nothing is signed, everything is nested: answered within the bounds of a document, before any arithmetic."""
    bomb = sequence()
    while len(bomb) < 60_000:
        bomb = sequence(bomb)
        bomb = sequence(bomb, bomb) if len(bomb) < 30_000 else bomb
    return inspection(state, replace(state.signer.sod(), certificates=(bomb, state.signer.certificate)).built())


@case(clause="Doc 9303-11 §6.2", chip="not_genuine/CA_FAILED", failed="chip authenticity")
def attack_12_go_between_without_the_key(state):
    """The public key is the true one; no message under the keys that were agreed was ever understood."""
    return document_with_a_chip(state, chip=agreed(chip_key().public, succeeded=False))


@case(clause="Doc 9303-11 §5.1", expect="Rejected/DATA_GROUP_HASH_MISMATCH", failed="hashes")
def attack_10_another_chip_went_on_with_the_file(state):
    """The other half of it: the rest of DG2 came from a chip that answers as the first one did."""
    group = DATA_GROUPS[2]
    return inspection(state, data_groups=DATA_GROUPS | {2: group[:64] + bytes(len(group) - 64)})


@case(clause="Doc 9303-11 §6.2", chip="not_genuine/CA_KEY_NOT_SIGNED", failed="chip authenticity")
def attack_10_another_chip_agreed_on_the_keys(state):
    """And the chip authentication of the last session was with a key of the other chip."""
    return document_with_a_chip(state, chip=agreed(chip_key("impostor").public))
