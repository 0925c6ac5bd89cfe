"""Long suites on what States sign: however it is changed, it is believed only where not one signed octet is another.

Signed are the content, the attributes and what the signer's certificate says. These octets are looked for in the changed file as they
are, without parsing it: what reads the file judges it, and cannot be its own witness.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.soak_cases import NOW, Case, spoil
from pki import der, sim, sim_lists
from pki.card_security import CardSecurity, authenticate_card_security
from pki.certificates import parse_certificate
from pki.cms import parse_signed_data
from pki.deviations import open_deviation_list
from pki.errors import DerError, PkiError
from pki.masterlist import open_master_list
from pki.passive_authentication import authenticate_sod
from pki.results import SignedHashes
from pki.revocation import Revocation, parse_crl, revocation_of
from pki.trust_file import trust_body
from pki.trust_statement import SignedStatement, Statement
from pki.trust_versions import ActiveStore, open_active

BELIEVED = "believed: nothing signed was changed"
KINDS = ("ec:P-256", "ec:brainpoolP256r1", "rsa:2048")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A genuine ``file``, what of it is ``signed``, and who judges it: a code, None where it is believed."""

    file: bytes = field(repr=False)
    signed: tuple[bytes, ...] = field(repr=False)
    judge: Callable[[bytes], str | None]


def believed_unchanged(make: Callable[[], Sequence[Signed]]) -> Callable[[], AbstractContextManager[Case]]:
    """The suite that spoils what ``make`` gives."""

    @contextmanager
    def prepare() -> Iterator[Case]:
        genuine = make()
        assert all(one.judge(one.file) is None for one in genuine)

        def case(dice: random.Random) -> str:
            one = dice.choice(genuine)
            spoilt = dice.choice((spoil, restructured))(one.file, dice)
            code = one.judge(spoilt)
            if code is None:
                assert all(part in spoilt for part in one.signed), spoilt.hex()
            return code or BELIEVED

        yield case

    return prepare


def restructured(data: bytes, dice: random.Random) -> bytes:
    """One element left out, doubled, put elsewhere or replaced, and all lengths right again; other files than DER are reworded."""
    try:
        return _changed(der.read(data), dice)
    except DerError:
        return reworded(data, dice)


def reworded(data: bytes, dice: random.Random) -> bytes:
    """One to three octets replaced by others of the file: a text stays one, and most of its digits digits."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        changed[dice.randrange(len(data))] = dice.choice(data)
    return bytes(changed)


def _changed(element: der.Element, dice: random.Random) -> bytes:
    inside = _inside(element)
    if not inside or dice.random() < 0.1:
        return dice.choice(REPLACEMENTS)(element)
    parts = [part.encoded for part in inside]
    at = dice.randrange(len(parts))
    match dice.randrange(8):
        case 0:
            del parts[at]
        case 1:
            parts.insert(at, parts[at])
        case 2:
            dice.shuffle(parts)
        case _:
            parts[at] = _changed(inside[at], dice)
    return der.encode(element.tag, *parts)


def _inside(element: der.Element) -> list[der.Element]:
    """Also what stands in an OCTET STRING, as contents and extensions do."""
    if element.tag & 0x20:
        return element.children()
    try:
        return [der.read(element.content)] if element.tag == der.OCTET_STRING else []
    except DerError:
        return []


NEST = b"".join(bytes((0x30, 2 * left)) for left in range(60, -1, -1))
REPLACEMENTS: tuple[Callable[[der.Element], bytes], ...] = (
    lambda element: der.encode(element.tag),
    lambda element: der.encode(element.tag, element.content, b"\0"),
    lambda element: der.encode(element.tag ^ 1, element.content),
    lambda _: der.encode(der.INTEGER, b"\x7f" * 2000),
    lambda _: der.encode(der.INTEGER, b"\xff\xff"),
    lambda _: der.encode(der.OID, b"\x80" * 40 + b"\x01"),
    lambda _: der.encode(der.NULL),
    lambda _: NEST,
)
"""What breaks readers: nothing, too much, another kind, numbers without end, nests."""


def documents() -> list[Signed]:
    """EF.SOD."""
    return [_sod(state) for state in _states()]


def _sod(state: sim.PretendState) -> Signed:
    sod, trust = state.sign_sod({1: b"data group 1", 2: bytes(500)}), state.trust_store(crls=[state.crl()])

    def judge(file: bytes) -> str | None:
        verdict = authenticate_sod(file, trust, NOW)
        return None if isinstance(verdict, SignedHashes) else verdict.code

    return Signed(file=sod, signed=_signed_parts(der.read(sod).content), judge=judge)


def card_securities() -> list[Signed]:
    """EF.CardSecurity."""
    return [_card_security(state) for state in _states()]


def _card_security(state: sim.PretendState) -> Signed:
    infos = [sim.pace_info(sim.PACE_ECDH_CAM_AES_128), sim.chip_key_info(sim.new_key("ec:brainpoolP256r1"), 13)]
    file, trust = state.signer.sign_card_security(infos), state.trust_store(crls=[state.crl()])

    def judge(changed: bytes) -> str | None:
        verdict = authenticate_card_security(changed, trust, NOW)
        return None if isinstance(verdict, CardSecurity) else verdict.code

    return Signed(file=file, signed=_signed_parts(file), judge=judge)


def master_lists() -> list[Signed]:
    states = _states()
    certificates = [state.csca for state in states]
    return [_list(sim_lists.signed_master_list(state, certificates), state, open_master_list) for state in states]


def deviation_lists() -> list[Signed]:
    numbers = sim_lists.document_numbers(f"X{number:08d}" for number in range(40))
    entry = sim_lists.deviation([numbers], sim_lists.defect("2.2", data_group=2, description="made up"))
    content, kind = sim_lists.deviation_list([entry]), sim_lists.DEVIATION_LIST
    files = [(state, sim_lists.signed_list(sim_lists.list_signer(state, kind), kind, content)) for state in _states()]
    return [_list(file, state, open_deviation_list) for state, file in files]


def _list(file: bytes, state: sim.PretendState, opened: Callable[..., object]) -> Signed:
    trust = state.trust_store()
    return Signed(file=file, signed=_signed_parts(file), judge=_code(lambda changed: opened(changed, trust, NOW)))


def trust_files() -> list[Signed]:
    """A version, and the statement that it is in force: signed by three people, two of whom are asked for."""
    store = replace(_states()[0].trust_store(), demo=False)  # whose stores need no signatures
    body = trust_body(store, 7)
    digest, before, date = hashlib.sha256(body).hexdigest(), "ab" * 32, NOW.isoformat()
    statement = Statement(action="activate", version=7, store=digest, sequence=9, replaces=before, date=date, because="made up")
    signed, people = SignedStatement(statement=statement), [Ed25519PrivateKey.generate() for _ in range(3)]
    for person in people:
        signed = signed.signed_with(person)
    signers = {key: f"person {number}" for number, key in enumerate(signed.signatures)}
    files = {"active": signed.encoded, f"versions/{7:06}-{digest}.store": body}

    def opened(changed: Mapping[str, bytes]) -> None:
        found = _opened(files | changed, signers)
        assert (found.statement, found.store) == (statement, store), changed

    texts = tuple(f'"{text}"'.encode() for text in ("activate", digest, before, date, "made up"))
    return [
        Signed(file=files[name], signed=parts, judge=_code(lambda changed, name=name: opened({name: changed})))
        for name, parts in zip(files, (texts, (body,)), strict=True)
    ]


def _opened(files: Mapping[str, bytes], signers: Mapping[str, str]) -> ActiveStore:
    """From a folder of versions, as a gate does."""
    with TemporaryDirectory(prefix="autogate-versions-") as folder:
        (Path(folder) / "versions").mkdir()
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return open_active(Path(folder), signers, demo=False)


def certificates() -> list[Signed]:
    """Document signers', under their CSCA."""
    return [_certificate(state) for state in _states()]


def _certificate(state: sim.PretendState) -> Signed:
    csca, file = parse_certificate(state.csca), state.signer.certificate

    def judge(changed: bytes) -> str | None:
        try:
            return None if csca.issued(parse_certificate(changed)) else "not issued"
        except PkiError as error:
            return error.code

    return Signed(file=file, signed=(parse_certificate(file).signed_part,), judge=judge)


def revocation_lists() -> list[Signed]:
    """One that revokes the signer, one that clears it."""
    state = _states()[0]
    revoking = _crl(state, state.crl([state.signer]), Revocation.REVOKED)
    return [revoking, _crl(state, state.crl(), Revocation.GOOD)]


def _crl(state: sim.PretendState, file: bytes, says: Revocation) -> Signed:
    signer, csca = parse_certificate(state.signer.certificate), parse_certificate(state.csca)

    def judge(changed: bytes) -> str | None:
        try:
            parse_crl(changed)
        except PkiError as error:
            return error.code
        found = revocation_of(signer, [csca], [changed], NOW)
        assert found in (says, Revocation.NO_CRL), f"{found}: {changed.hex()}"
        return None if found is says else found.value

    return Signed(file=file, signed=(parse_crl(file).signed_part,), judge=judge)


def _states() -> list[sim.PretendState]:
    return [sim.PretendState.create(country="ID", name="Pretendia", now=NOW, key=kind) for kind in KINDS]


def _code(opened: Callable[[bytes], object]) -> Callable[[bytes], str | None]:
    def judge(file: bytes) -> str | None:
        try:
            opened(file)
        except PkiError as error:
            return error.code
        return None

    return judge


def _signed_parts(file: bytes) -> tuple[bytes, ...]:
    """Of a SignedData: the content, each attribute, and the signed part of the signer's certificate."""
    signed = parse_signed_data(der.read(file))
    attributes = der.read(signed.signers[0].signed_attributes).children()
    certificate = parse_certificate(signed.certificates[0])
    return signed.content, *(attribute.encoded for attribute in attributes), certificate.signed_part
