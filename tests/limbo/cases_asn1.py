"""ASN.1: DER read within bounds; bombs, indefinite lengths and leftovers end in a word, not in memory or time."""

from __future__ import annotations

from dataclasses import replace

from forge import Signer, State, appended, edited, entry, extension, issuer_and_serial, octet_string, security_object
from forge_keys import NULL, sequence
from inspection import case, inspection

from pki import der


def long_form(element: bytes, octets_: int = 4) -> bytes:
    """The element with its length in more octets than needed."""
    parsed = der.read(element)
    return element[:1] + bytes((0x80 | octets_,)) + len(parsed.content).to_bytes(octets_, "big") + parsed.content


@case(clause="X.690 §8.1", expect="Undetermined/MALFORMED", over=("", "77", "7700", "770100", "77820004", "00", "ff" * 64))
def file_that_is_hardly_there(state, text):
    """Nothing, a tag, an empty file, a length beyond the end, zeros, ones."""
    return inspection(state, bytes.fromhex(text))


@case(clause="X.690 §8.1", expect="Undetermined/MALFORMED", over=(1, 100, 500))
def file_cut_short(state, missing):
    """Its last octets did not arrive."""
    return inspection(state, state.sod()[:-missing])


@case(clause="Doc 9303-10 §4.6.2", expect="Undetermined/MALFORMED", over=("00", "9000", "3000"))
def octets_after_the_file(state, text):
    """Padding of the chip, a status word, another element."""
    return inspection(state, state.sod() + bytes.fromhex(text))


@case(clause="X.690 §10.1: definite lengths", expect="Undetermined/MALFORMED", over=("file", "signed data"))
def indefinite_length(state, where):
    """The end is where two zeros are; allowed in BER, where readers differ about what is inside."""
    content_info = der.read(state.sod()).content
    open_ = b"\x30\x80" + der.read(content_info).content + b"\0\0"
    return inspection(state, b"\x77\x80" + content_info + b"\0\0" if where == "file" else der.encode(0x77, open_))


@case(clause="X.690 §10.1: shortest lengths; genuine files keep it badly", over=(2, 3, 4))
def length_in_more_octets_than_needed(state, octets_):
    """Unsigned wrapping written by careless software; what is signed is hashed as sent."""
    content_info = der.read(state.sod()).content
    return inspection(state, long_form(der.encode(0x77, content_info), octets_))


@case(clause="X.690 §8.1.3.5", expect="Undetermined/MALFORMED", over=("7785" + "00" * 5, "77ff" + "00" * 127, "7784ffffffff30"))
def length_of_a_length(state, text):
    """Five octets, 127 octets and four gigabytes."""
    return inspection(state, bytes.fromhex(text))


@case(clause="X.690", expect="Undetermined/MALFORMED", over=(0x30, 0xA0, 0x77))
def nested_ten_thousand_deep(state, tag):
    """Each level is legal."""
    return inspection(state, nested(20_000, tag))


def nested(size: int, tag: int) -> bytes:
    """Levels of ``tag`` around nothing, at most ``size`` octets in all."""
    levels, lengths = [b""], 0
    while lengths < size:
        length = der.encode(tag, bytes(lengths))[: -lengths or None]
        levels.append(length)
        lengths += len(length)
    return der.encode(0x77, b"".join(reversed(levels)))


@case(
    clause="RFC 5652 §5.1",
    expect="Undetermined/MALFORMED",
    over=("certificates", "signers", "attributes", "data groups", "extensions", "names"),
)
def thousands_of_elements(state, where):
    """As many as fit into the file, each of two octets."""
    many, made = sequence() * 5_000, state.signer.sod()
    if where == "certificates":
        return inspection(state, replace(made, certificates=(many,)).built())
    if where == "signers":
        return inspection(state, replace(made, signers=(many,)).built())
    if where == "attributes":
        return inspection(state, replace(made, signers=(state.signer.info([many]),)).built())
    if where == "data groups":
        return inspection(state, state.sod(security_object(entries=[many])))
    parts = state.parts.having(extension("1.3.6.1.4.1.99999.1", NULL))
    parts = (
        parts.but(subject=sequence(der.encode(der.SET) * 5_000)) if where == "names" else replace(parts, extensions={"": many})
    )
    return inspection(state, state.issue(parts).sod().built())


@case(clause="Doc 9303-10 §4.6.2", expect="Undetermined/MALFORMED", over=(1, 4))
def file_of_megabytes(state, megabytes):
    """No document security object is longer than a few kilobytes."""
    certificates = (state.signer.certificate, der.encode(der.OCTET_STRING, bytes(megabytes << 20)))
    return inspection(state, replace(state.signer.sod(), certificates=certificates).built())


@case(clause="X.690 §8.3: INTEGER")
def serial_number_of_thousands_of_digits(state):
    """It is compared, and shown within bounds."""
    return inspection(state, state.issue(state.parts.but(serial=der.encode_integer(1 << 40_000))).sod().built())


@case(
    clause="Doc 9303-10 §4.6.2.2: INTEGERs of one digit or two",
    expect="Undetermined/MALFORMED",
    over=("data group", "version"),
)
def integer_of_thousands_of_digits(state, where):
    """Four kilobytes for a number: refused like any other that cannot be."""
    huge = 1 << 32_000
    entries = [entry(huge, bytes(32))] if where == "data group" else None
    return inspection(state, state.sod(security_object(entries=entries, version=0 if entries else huge)))


@case(clause="X.690 §8.3", over=("signed data", "signer info"))
def version_of_thousands_of_digits(state, where):
    """Versions of the wrapping are not signed and not used."""
    if where == "signer info":
        return inspection(state, state.sod(version=1 << 32_000))
    return inspection(state, replace(state.signer.sod(), version=der.encode_integer(1 << 32_000)).built())


@case(
    clause="X.690 §8.3.2: the shortest form, in BER too",
    expect="Undetermined/MALFORMED",
)
def data_group_number_in_two_octets(state):
    """Some readers take 0001 for 1, others for nothing: the one list of hashes is then two."""
    entries = [each.encoded for each in der.read(security_object()).children()[2].children()]
    wide = sequence(b"\x02\x02\x00\x02", der.read(entries[1]).children()[1].encoded)
    return inspection(state, state.sod(security_object(entries=[entries[0], wide])))


@case(clause="X.690 §8.3.1: at least one octet", expect="Undetermined/MALFORMED", over=("data group", "serial"))
def integer_of_no_octets(state, where):
    """It has no value."""
    if where == "serial":
        return inspection(state, state.issue(state.parts.but(serial=b"\x02\0")).sod(sid=state_sid(state)).built())
    return inspection(state, state.sod(security_object(entries=[sequence(b"\x02\0", octet_string(bytes(32)))])))


def state_sid(state: State) -> bytes:
    return issuer_and_serial(state.signer.certificate)


@case(clause="X.690 §8.19", expect="Undetermined/MALFORMED", over=("0600", "060188", "0621" + "88" * 32 + "01"))
def object_identifier_that_is_none(state, text):
    """Empty, ending in the middle of an arc, longer than any."""
    made = state.signer.sod()
    encapsulated = sequence(bytes.fromhex(text), der.encode(0xA0, octet_string(made.content)))
    return inspection(state, made.built(encapsulated=encapsulated))


@case(clause="X.690 §8.6: BIT STRING", expect="Undetermined/MALFORMED", over=("0300", "030107", "03020800"))
def signature_bits_that_are_no_octets(state, text):
    """The certificate's signature is empty, or does not end on an octet."""
    certificate = edited(state.signer.certificate, 2, bytes.fromhex(text))
    return inspection(state, Signer(key=state.signer.key, certificate=certificate).sod().built())


@case(clause="X.690 §8.1.2: tags", expect="Undetermined/MALFORMED", over=("1f", "1f81", "1f818001", "3f"))
def tag_of_many_octets(state, text):
    """High tag numbers, cut short or endless, in the place of the SignedData."""
    return inspection(state, der.encode(0x77, bytes.fromhex(text) + b"\x02\0\0"))


@case(
    clause="RFC 5280 §4.1: nothing follows the signature",
    expect="Undetermined/MALFORMED",
    over=("element", "octets"),
)
def something_after_the_certificate(state, what):
    """Outside the CSCA's signature."""
    certificate = appended(state.signer.certificate, NULL) if what == "element" else state.signer.certificate + b"\0"
    return inspection(state, Signer(key=state.signer.key, certificate=certificate).sod(sid=state_sid(state)).built())


@case(clause="RFC 5652 §10.2.3: a SET has no order and may repeat a certificate")
def certificate_twice(state):
    """The signer's own, two times."""
    return inspection(state, replace(state.signer.sod(), certificates=(state.signer.certificate,) * 2).built())


@case(
    clause="RFC 5652 §10.2.2: CertificateChoices",
    expect="Undetermined/MALFORMED",
    over=(0xA0, 0xA1, 0xA2, 0xA3, 0x02),
)
def certificate_of_another_kind(state, tag):
    """Extended and attribute certificates, other formats, a number: none is the signer's X.509 certificate."""
    other = der.encode(tag, der.read(state.signer.certificate).content)
    return inspection(state, replace(state.signer.sod(), certificates=(other,)).built())
