"""Explicit curve parameters: believed only where all six are those of a named curve (CVE-2020-0601, CVE-2022-0778)."""

from __future__ import annotations

from dataclasses import replace

from forge import Signer, State, octet_string, pretend
from forge_keys import CURVE, NULL, PRIME_FIELD, ec_public, explicit, identifier, multiplied, octets, uncompressed
from inspection import Inspection, case, inspection

from pki import der

P256 = CURVE["secp256r1"]
EXPLICIT = ("secp256r1", "secp384r1", "secp521r1", "brainpoolP224r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")


def on_curve(state: State, parameters: bytes, point: bytes | None = None) -> Inspection:
    """A document whose signer's certificate describes its curve with ``parameters``."""
    own = state.signer.key
    public = ec_public(parameters, uncompressed(own.curve, own.point) if point is None else point)
    return inspection(state, state.issue(state.parts.but(public=public)).sod().built())


def integer(value: int) -> bytes:
    return der.encode_integer(value)


@case(clause="Doc 9303-12 §4.1.6.3: explicit parameters", over=EXPLICIT)
def explicit_parameters_of_a_named_curve(_state, name_):
    """What the standard asks for, in the CSCA and in the signer."""
    chosen = pretend("UT", f"ec:{name_}")
    root_key, own = chosen.csca_key, chosen.signer.key
    publics = [ec_public(explicit(CURVE[name_]), uncompressed(CURVE[name_], each.point)) for each in (root_key, own)]
    signer = chosen.issue(chosen.parts.but(public=publics[1]))
    return inspection(chosen, signer.sod().built(), anchors=(chosen.csca_parts.but(public=publics[0]).signed(root_key),))


@case(clause="SEC 1 C.2: seed is optional", over=("none", "a seed", "another seed"))
def seed_of_the_curve_does_not_matter(state, what):
    """It tells how a and b were found, and nobody computes with it."""
    seed = {"none": b"", "a seed": bytes.fromhex("c49d360886e704936a6678e1139d26b7819f7e90"), "another seed": b"whatever"}[what]
    return on_curve(state, explicit(P256, seed=seed))


@case(clause="SEC 1 C.2: field elements in octets", over=("65 octets", "67 octets"))
def coefficient_in_another_number_of_octets(_state, what):
    """P-521 with b in 65 octets is met in genuine certificates: the number is the same."""
    chosen, curve = pretend("UT", "ec:secp521r1"), CURVE["secp521r1"]
    return on_curve(chosen, explicit(curve, b=octet_string(curve.b.to_bytes(int(what[:2]), "big"))))


@case(
    clause="CVE-2020-0601: all of p, a, b, G, n, h must be those of the curve",
    expect="Undetermined/UNSUPPORTED_CURVE",
    over=("p", "a", "b", "G", "n", "h"),
)
def one_parameter_that_is_not_the_curves(state, what):
    """Five of six are right; computing with a stranger's sixth is how signatures were forged."""
    double = multiplied(P256, 2, P256.g)
    changes = {
        "p": {"field": identifier(PRIME_FIELD, integer(P256.p + 2))},
        "a": {"a": octet_string(octets(P256, P256.a - 1))},
        "b": {"b": octet_string(octets(P256, P256.b + 1))},
        "G": {"g": octet_string(uncompressed(P256, double))},
        "n": {"n": integer(P256.n + 2)},
        "h": {"h": integer(2)},
    }[what]
    return on_curve(state, explicit(P256, **changes))


@case(clause="CVE-2020-0601", expect="Undetermined/UNSUPPORTED_CURVE")
def generator_chosen_so_that_the_key_is_known(state):
    """The generator is the public key itself, the private key then 1: everybody signs under the State's key."""
    own = state.signer.key
    forged = replace(own, curve=replace(P256, g=own.point, arithmetic=None), d=1)
    parameters = explicit(P256, g=octet_string(uncompressed(P256, own.point)))
    parts = state.parts.but(public=ec_public(parameters, uncompressed(P256, own.point)))
    signer = Signer(key=forged, certificate=parts.signed(state.csca_key))
    return inspection(state, signer.sod().built())


@case(clause="CVE-2020-0601", expect="Rejected/SIGNER_CERTIFICATE_FORGED")
def csca_with_the_true_key_on_a_generator_of_the_forgers(state):
    """The forger's CSCA in the bag has the State's name and public key, and a generator that makes its private key 1."""
    true = state.csca_key
    forged = replace(true, curve=replace(P256, g=true.point, arithmetic=None), d=1)
    parameters = explicit(P256, g=octet_string(uncompressed(P256, true.point)))
    root = state.csca_parts.but(public=ec_public(parameters, uncompressed(P256, true.point))).signed(forged)
    signer = Signer(key=state.signer.key, certificate=state.parts.signed(forged))
    return inspection(state, replace(signer.sod(), certificates=(signer.certificate, root)).built())


@case(
    clause="CVE-2022-0778: a square root modulo a composite may not end",
    expect="Undetermined/UNSUPPORTED_CURVE",
    over=(697, (1 << 255) + 1, 1 << 256, 0, -7),
)
def modulus_that_is_no_prime(state, p):
    """Composite, even, zero and negative, with a compressed generator that asks for the square root."""
    changes = {
        "field": identifier(PRIME_FIELD, integer(p)),
        "b": octet_string(octets(P256, 3)),
        "g": octet_string(b"\x02" + octets(P256, 8)),
    }
    return on_curve(state, explicit(P256, **changes))


@case(clause="CVE-2022-0778", expect="Undetermined/UNSUPPORTED_CURVE")
def generator_compressed(state):
    """The same point in the form that needs a square root."""
    sign = 2 + (P256.g[1] & 1)
    return on_curve(state, explicit(P256, g=octet_string(bytes((sign,)) + octets(P256, P256.g[0]))))


@case(clause="Doc 9303-12 §4.1.6.3: the cofactor is part of the parameters", expect="Undetermined/UNSUPPORTED_CURVE")
def cofactor_left_out(state):
    """Optional elsewhere; without it five parameters are compared, not six."""
    return on_curve(state, explicit(P256, h=None))


@case(clause="RFC 5480 §2.1.1: implicitCurve must not be used", expect="Undetermined/MALFORMED")
def parameters_inherited_from_the_issuer(state):
    """NULL means the curve of whoever issued the certificate."""
    return on_curve(state, NULL)


@case(clause="RFC 5480 §2.1.1: parameters are mandatory", expect="Undetermined/MALFORMED")
def no_parameters_at_all(state):
    """A point on no curve."""
    return on_curve(state, b"")


@case(
    clause="Doc 9303-12 §4.1.6.3",
    expect="Undetermined/UNSUPPORTED_CURVE",
    over=("1.3.132.0.10", "1.3.132.0.27", "1.3.36.3.3.2.8.1.1.8"),
)
def named_curve_outside_the_list(state, oid):
    """secp256k1, sect233r1 (of characteristic two) and the twist of brainpoolP256."""
    return on_curve(state, der.encode_oid(oid))


@case(clause="Doc 9303-12 §4.1.6.3: prime fields", expect="Undetermined/UNSUPPORTED_CURVE")
def explicit_field_of_characteristic_two(state):
    """Binary fields are not in use."""
    return on_curve(state, explicit(P256, field=identifier("1.2.840.10045.1.2", integer(233))))


@case(clause="SEC 1 C.2", expect="Undetermined/UNSUPPORTED_CURVE")
def modulus_of_sixty_thousand_bits(state):
    """Compared, never computed with."""
    return on_curve(state, explicit(P256, field=identifier(PRIME_FIELD, integer((1 << 60000) + 1))))


@case(
    clause="BSI TR-03111 §4.1.1: a public key is a point on the curve, and not infinity",
    expect="Undetermined/MALFORMED",
    over=("infinity", "off the curve", "beyond p", "short", "hybrid", "empty", "of another curve"),
)
def point_that_is_no_public_key(state, what):
    """Computing with any of these reveals or proves something else."""
    own = state.signer.key
    x, y = own.point
    plain = uncompressed(P256, own.point)
    point = {
        "infinity": b"\0",
        "off the curve": uncompressed(P256, (x, y ^ 1)),
        "beyond p": b"\x04" + b"\xff" * 64,
        "short": plain[:-1],
        "hybrid": bytes((6 + (y & 1),)) + plain[1:],
        "empty": b"",
        "of another curve": uncompressed(CURVE["brainpoolP256r1"], CURVE["brainpoolP256r1"].g),
    }[what]
    return on_curve(state, der.encode_oid(P256.oid), point)


@case(
    clause="BSI TR-03111 §4.1.1",
    expect="Undetermined/MALFORMED",
    over=("infinity", "off the curve", "beyond p"),
)
def point_that_is_no_public_key_on_a_rare_curve(_state, what):
    """The same on a curve that few libraries have."""
    chosen, curve = pretend("UT", "ec:brainpoolP224r1"), CURVE["brainpoolP224r1"]
    x, y = chosen.signer.key.point
    off = uncompressed(curve, (x, y ^ 1))
    point = {"infinity": b"\0", "off the curve": off, "beyond p": b"\x04" + b"\xff" * 56}[what]
    return on_curve(chosen, der.encode_oid(curve.oid), point)
