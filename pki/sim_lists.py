"""Lists of a pretend State: master lists, deviation lists, link certificates and a directory's file, for demonstration and tests only."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import der
from pki.cms import SIGNED_DATA
from pki.deviations import DEVIATION_LIST
from pki.masterlist import MASTER_LIST
from pki.signed_list import ListKind
from pki.sim import MARK, DocumentSigner, PretendState, new_key, signed_attributes

SHA256 = der.encode(der.SEQUENCE, der.encode_oid("2.16.840.1.101.3.4.2.1"))
"""AlgorithmIdentifier."""
LIST_SIGNER_LIFE, LINK_LIFE = timedelta(days=4 * 365), timedelta(days=10 * 365)


def list_signer(state: PretendState, kind: ListKind, *, key: str = "ec:P-256") -> DocumentSigner:
    """A signer of lists of this kind, with a new key, issued by the State's CSCA."""
    private_key, csca = new_key(key), x509.load_der_x509_certificate(state.csca)
    subject = _name(state.country, f"List Signer {state.name}")
    start = state.now - timedelta(days=10)
    builder = x509.CertificateBuilder(
        csca.subject, subject, private_key.public_key(), x509.random_serial_number(), start, start + LIST_SIGNER_LIFE
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(kind.purpose)]), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(private_key.public_key()), critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(state.private_key.public_key())
    certificate = builder.add_extension(authority, critical=False).sign(state.private_key, hashes.SHA256())
    return DocumentSigner(private_key=private_key, certificate=certificate.public_bytes(Encoding.DER), now=state.now)


def signed_list(
    signer: DocumentSigner,
    kind: ListKind,
    content: bytes,
    *,
    beside: Sequence[bytes] = (),
    attributes_sorted: bool = True,
    algorithms: Sequence[bytes] = (SHA256,),
) -> bytes:
    """CMS around ``content``; ``beside`` are further certificates in the bag, ``algorithms`` what it announces.

    Real signers send attributes unsorted, and announce no algorithm.
    """
    info = signer.signer_info(signed_attributes(content, "sha256", signer.now, kind.content_type), "sha256")
    if not attributes_sorted:
        info = _with_attributes_reversed(info)
    data = der.encode(
        der.SEQUENCE,
        der.encode_integer(3),
        der.encode_set(list(algorithms)),
        der.encode(der.SEQUENCE, der.encode_oid(kind.content_type), der.encode(0xA0, der.encode(der.OCTET_STRING, content))),
        der.encode(0xA0, signer.certificate, *beside),
        der.encode_set([info]),
    )
    return der.encode(der.SEQUENCE, der.encode_oid(SIGNED_DATA), der.encode(0xA0, data))


def _with_attributes_reversed(info: bytes) -> bytes:
    parts = der.read(info).children()
    turned = [
        der.encode(0xA0, *(child.encoded for child in part.children()[::-1])) if part.tag == 0xA0 else part.encoded
        for part in parts
    ]
    return der.encode(der.SEQUENCE, *turned)


def master_list(certificates: Iterable[bytes], *, version: int = 0) -> bytes:
    """CscaMasterList, the content of a master list."""
    return der.encode(der.SEQUENCE, der.encode_integer(version), der.encode_set(list(certificates)))


def signed_master_list(state: PretendState, certificates: Iterable[bytes], *, attributes_sorted: bool = False) -> bytes:
    signer = list_signer(state, MASTER_LIST)
    return signed_list(signer, MASTER_LIST, master_list(certificates), attributes_sorted=attributes_sorted)


def link_certificate(old: PretendState, new: PretendState) -> bytes:
    """The old CSCA key vouches for the new one, under the new one's name (Doc 9303-12 §7.1.1)."""
    before, after = (x509.load_der_x509_certificate(state.csca) for state in (old, new))
    start = new.now - timedelta(days=365)
    builder = x509.CertificateBuilder(
        before.subject, after.subject, after.public_key(), x509.random_serial_number(), start, start + LINK_LIFE
    )
    identifiers: tuple[x509.ExtensionType, ...] = (
        x509.AuthorityKeyIdentifier.from_issuer_public_key(old.private_key.public_key()),
        x509.SubjectKeyIdentifier.from_public_key(new.private_key.public_key()),
    )
    for extension in identifiers:
        builder = builder.add_extension(extension, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(old.private_key, hashes.SHA256()).public_bytes(Encoding.DER)


def ldif(entries: Mapping[str, Mapping[str, bytes]], *, width: int = 76) -> bytes:
    """A directory's file: entry name → attribute → value, base64, folded at ``width``."""
    lines = ["version: 1", ""]
    for name, values in entries.items():
        lines += [f"dn: {name}", "objectClass: top"]
        for attribute, value in values.items():
            first, *more = textwrap.wrap(f"{attribute}:: {base64.b64encode(value).decode()}", width, drop_whitespace=False)
            lines += [first, *(f" {part}" for part in more)]
        lines.append("")
    return "\n".join(lines).encode()


def deviation_list(entries: Iterable[bytes], *, version: int = 0, algorithm: bytes = b"") -> bytes:
    """The content of a deviation list; ``entries`` are of :func:`deviation`, ``algorithm`` an AlgorithmIdentifier or nothing."""
    return der.encode(der.SEQUENCE, der.encode_integer(version), algorithm, der.encode_set(list(entries)))


def deviation(documents: Sequence[bytes], *defects: bytes) -> bytes:
    """One entry: criteria in the order of their tags, and what is wrong (:func:`defect`)."""
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, *documents), der.encode_set(list(defects)))


def defect(arcs: str, *, data_group: int | None = None, description: str = "") -> bytes:
    """What is wrong, by the last arcs of its identifier (``2.3``: the signature of EF.SOD)."""
    text = der.encode(0x13, description.encode()) if description else b""
    parameter = b"" if data_group is None else der.encode(0xA0, der.encode_integer(data_group))
    return der.encode(der.SEQUENCE, text, der.encode_oid(f"{DEVIATION_LIST.content_type}.{arcs}"), parameter)


def document_numbers(numbers: Iterable[str]) -> bytes:
    """The criterion *one of these document numbers*."""
    return der.encode(0xA5, *sorted(der.encode(0x13, number.encode()) for number in numbers))


def long_deviation_list(state: PretendState, count: int = 169_422) -> bytes:
    """In shape and size the longest list known: one entry with so many nine-character numbers, the signature of EF.SOD wrong."""
    entry = deviation([document_numbers(f"X{number:08d}" for number in range(count))], defect("2.3"))
    return signed_list(list_signer(state, DEVIATION_LIST), DEVIATION_LIST, deviation_list([entry]), algorithms=())


def _name(country: str, common_name: str) -> x509.Name:
    values = (
        (NameOID.COUNTRY_NAME, country),
        (NameOID.ORGANIZATION_NAME, MARK),
        (NameOID.COMMON_NAME, f"{common_name} ({MARK})"[:64]),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in values])
