"""OpenPACE (``libeac.so.3``) as a counterpart: PACE with generic mapping, chip authentication, secure messaging.

The library is GPL and serves tests alone. Each object here computes as its namesake in ``second`` does; a call that the library
refuses raises :class:`second.groups.Refused`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_ubyte, c_ulong, c_void_p
from functools import cache

from second.groups import Refused
from second.messaging import Channel
from second.pace import Protocol

SONAME = "libeac.so.3"
TR_VERSION_2_01 = 1
"""The only version of TR-03110 for which OpenPACE knows an integrated mapping."""
ID_PACE, ID_CA = 0, 1
UNCOMPRESSED = 4
PACE_RAW = 5
"""A password taken as it is: OpenPACE's own MRZ password wants the text of a card of size TD1."""


class Buffer(Structure):
    _fields_ = [("length", c_size_t), ("data", c_void_p), ("max", c_size_t), ("flags", c_ulong)]


class KeyAgreement(Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("md", "md_engine", "cmac", "cipher", "cipher_engine", "iv")),
        ("mac_length", c_int),
        ("enc_length", c_int),
        *((name, c_void_p) for name in ("generate_key", "compute_key", "key")),
        *((name, POINTER(Buffer)) for name in ("shared_secret", "k_enc", "k_mac")),
    ]


class PaceContext(Structure):
    _fields_ = [
        ("protocol", c_int),
        ("version", c_ubyte),
        ("id", c_int),
        *((name, c_void_p) for name in ("map_generate_key", "map_compute_key", "static_key")),
        ("agreement", POINTER(KeyAgreement)),
    ]


class ChipAuthenticationContext(Structure):
    _fields_ = [
        ("version", c_ubyte),
        ("protocol", c_int),
        ("id", c_int),
        ("flags", c_int),
        ("agreement", POINTER(KeyAgreement)),
    ]


class Context(Structure):
    _fields_ = [
        ("tr_version", c_int),
        *((name, c_void_p) for name in ("bn", "md", "cipher")),
        ("pace", POINTER(PaceContext)),
        *((name, c_void_p) for name in ("paces", "ri", "ris", "ta")),
        ("ca", POINTER(ChipAuthenticationContext)),
        *((name, c_void_p) for name in ("cas", "key", "ssc")),
    ]


class RandomMethod(Structure):
    """OpenSSL's RAND_METHOD, of which ``bytes`` alone is used."""

    CALL = ctypes.CFUNCTYPE(c_int, POINTER(c_ubyte), c_int)
    _fields_ = [
        ("seed", c_void_p),
        ("bytes", CALL),
        *((name, c_void_p) for name in ("cleanup", "add", "pseudorand", "status")),
    ]


CONTEXT, BUFFER = POINTER(Context), POINTER(Buffer)
SIGNATURES = {
    "EAC_CTX_new": (CONTEXT,),
    "EAC_CTX_clear_free": (None, CONTEXT),
    "EAC_CTX_init_pace": (c_int, CONTEXT, c_int, c_int),
    "EAC_CTX_init_ca": (c_int, CONTEXT, c_int, c_int),
    "EAC_CTX_set_encryption_ctx": (c_int, CONTEXT, c_int),
    "EAC_OBJ_txt2nid": (c_int, c_char_p),
    "EAC_increment_ssc": (c_int, CONTEXT),
    "EAC_set_ssc": (c_int, CONTEXT, c_ulong),
    "EAC_encrypt": (BUFFER, CONTEXT, BUFFER),
    "EAC_decrypt": (BUFFER, CONTEXT, BUFFER),
    "EAC_authenticate": (BUFFER, CONTEXT, BUFFER),
    "EAC_add_iso_pad": (BUFFER, CONTEXT, BUFFER),
    "PACE_SEC_new": (c_void_p, c_char_p, c_size_t, c_int),
    "PACE_SEC_clear_free": (None, c_void_p),
    "PACE_STEP1_enc_nonce": (BUFFER, CONTEXT, c_void_p),
    "PACE_STEP2_dec_nonce": (c_int, CONTEXT, c_void_p, BUFFER),
    "PACE_STEP3A_generate_mapping_data": (BUFFER, CONTEXT),
    "PACE_STEP3A_map_generator": (c_int, CONTEXT, BUFFER),
    "PACE_STEP3B_generate_ephemeral_key": (BUFFER, CONTEXT),
    "PACE_STEP3B_compute_shared_secret": (c_int, CONTEXT, BUFFER),
    "PACE_STEP3C_derive_keys": (c_int, CONTEXT),
    "PACE_STEP3D_compute_authentication_token": (BUFFER, CONTEXT, BUFFER),
    "PACE_STEP3D_verify_authentication_token": (c_int, CONTEXT, BUFFER),
    "CA_STEP2_get_eph_pubkey": (BUFFER, CONTEXT),
    "CA_STEP4_compute_shared_secret": (c_int, CONTEXT, BUFFER),
    "CA_STEP5_derive_keys": (c_int, CONTEXT, BUFFER, POINTER(BUFFER), POINTER(BUFFER)),
    "CA_STEP6_derive_keys": (c_int, CONTEXT, BUFFER, BUFFER),
    "KA_CTX_generate_key": (BUFFER, POINTER(KeyAgreement), c_void_p),
    "KA_CTX_derive_keys": (c_int, POINTER(KeyAgreement), BUFFER, c_void_p),
    "BUF_MEM_clear_free": (None, BUFFER),
}


@cache
def library() -> ctypes.CDLL:
    """Load and start the library, once. Raises OSError where it is not installed."""
    eac = ctypes.CDLL(SONAME)
    for name, (result, *arguments) in SIGNATURES.items():
        function = getattr(eac, name)
        function.restype, function.argtypes = result, arguments
    for provider in (b"default", b"legacy"):  # single DES, for the retail MAC; loaded once here, not at each MAC
        load = crypto().OSSL_PROVIDER_load
        load.restype, load.argtypes = c_void_p, [c_void_p, c_char_p]
        load(None, provider)
    eac.EAC_init()
    return eac


@cache
def crypto() -> ctypes.CDLL:
    """The libcrypto under OpenPACE."""
    return ctypes.CDLL("libcrypto.so.3")


@contextmanager
def randomness(random: Callable[[int], bytes]) -> Iterator[None]:
    """Let OpenPACE draw from ``random``, so that a session can be repeated from its seed."""

    def fill(target, size: int) -> int:
        ctypes.memmove(target, random(size), size)
        return 1

    source = RandomMethod.CALL(fill)
    method = RandomMethod(None, source, None, None, ctypes.cast(source, c_void_p), None)
    crypto().RAND_set_rand_method(byref(method))
    try:
        yield
    finally:
        crypto().RAND_set_rand_method(None)


def version() -> str:
    """Raises OSError where the library is not installed."""
    library()
    function = crypto().OpenSSL_version
    function.restype = c_char_p
    return f"{SONAME}, {function(0).decode()}"


def given(data: bytes) -> Buffer:
    """``data`` as the library reads it. The caller keeps the result until the call has ended."""
    store = ctypes.create_string_buffer(data, max(len(data), 1))
    buffer = Buffer(len(data), ctypes.cast(store, c_void_p), len(data), 0)
    buffer.store = store  # keeps the octets alive
    return buffer


def peek(pointer) -> bytes:
    """What is in a buffer; nothing where there is none."""
    return b"" if not pointer else ctypes.string_at(pointer.contents.data, pointer.contents.length)


def call(name: str, *arguments) -> bytes:
    """Call a function; its buffer is copied and freed, a result of zero or NULL refused."""
    result = getattr(library(), name)(*arguments)
    if not result or (isinstance(result, int) and result < 0):
        raise Refused(f"OpenPACE: {name}")
    if isinstance(result, int):
        return b""
    data = peek(result)
    library().BUF_MEM_clear_free(result)
    return data


class Session:
    """One EAC_CTX, freed with this object."""

    def __init__(self) -> None:
        self.context = library().EAC_CTX_new()

    def __del__(self) -> None:
        library().EAC_CTX_clear_free(self.context)


class OpenPaceChannel(Channel):
    """Secure messaging whose cipher and MAC are OpenPACE's."""

    def __init__(self, suite, session: Session, context_id: int) -> None:
        super().__init__(suite, b"", b"")
        self.session = session
        call("EAC_CTX_set_encryption_ctx", session.context, context_id)

    def start_at(self, counter: int) -> None:
        self.counter = counter
        call("EAC_set_ssc", self.session.context, counter)

    def _count(self) -> None:
        super()._count()
        call("EAC_increment_ssc", self.session.context)

    def _encrypt(self, padded: bytes) -> bytes:
        return call("EAC_encrypt", self.session.context, byref(given(padded)))

    def _decrypt(self, cipher: bytes) -> bytes:
        return call("EAC_decrypt", self.session.context, byref(given(cipher)))

    def _mac(self, message: bytes) -> bytes:
        padded = call("EAC_add_iso_pad", self.session.context, byref(given(message)))
        return call("EAC_authenticate", self.session.context, byref(given(padded)))


class OpenPaceSide(Session):
    """PACE, terminal's or chip's part; the same methods as ``second.pace.Side``."""

    def __init__(self, protocol: Protocol, secret: bytes) -> None:
        super().__init__()
        self.protocol, self.password = protocol, None
        if protocol.integrated:
            self.context.contents.tr_version = TR_VERSION_2_01
        call("EAC_CTX_init_pace", self.context, nid(protocol.oid), protocol.parameter_id)
        self.password = library().PACE_SEC_new(secret, len(secret), PACE_RAW)

    def __del__(self) -> None:
        library().PACE_SEC_clear_free(self.password)
        super().__del__()

    @property
    def agreement(self) -> KeyAgreement:
        return self.context.contents.pace.contents.agreement.contents

    @property
    def secret(self) -> bytes:
        return peek(self.agreement.shared_secret)

    def seal_nonce(self) -> bytes:
        return call("PACE_STEP1_enc_nonce", self.context, self.password)

    def open_nonce(self, encrypted: bytes) -> None:
        call("PACE_STEP2_dec_nonce", self.context, self.password, byref(given(encrypted)))

    def mapping_data(self) -> bytes:
        return call("PACE_STEP3A_generate_mapping_data", self.context)

    def map(self, received: bytes) -> None:
        call("PACE_STEP3A_map_generator", self.context, byref(given(received)))

    def make_key(self) -> bytes:
        return call("PACE_STEP3B_generate_ephemeral_key", self.context)

    def agree(self, other: bytes) -> None:
        self.other = other
        call("PACE_STEP3B_compute_shared_secret", self.context, byref(given(other)))
        call("PACE_STEP3C_derive_keys", self.context)

    def token(self) -> bytes:
        return call("PACE_STEP3D_compute_authentication_token", self.context, byref(given(self.other)))

    def proves(self, token: bytes) -> bool:
        return library().PACE_STEP3D_verify_authentication_token(self.context, byref(given(token))) == 1

    def mapped_generator(self) -> bytes:
        """An ephemeral key has the mapped parameters: their generator, as octets."""
        return generator_of(self.agreement.key)

    def channel(self) -> OpenPaceChannel:
        return OpenPaceChannel(self.protocol.suite, self, ID_PACE)


class OpenChipAuthentication(Session):
    """Chip authentication, either side: a key pair over standardised domain parameters, and what follows from the other's key."""

    def __init__(self, suite, oid: bytes, parameter_id: int) -> None:
        super().__init__()
        self.suite = suite
        call("EAC_CTX_init_ca", self.context, nid(oid), parameter_id)
        self._agreement = self.context.contents.ca.contents.agreement
        self.public = call("KA_CTX_generate_key", self._agreement, self.context.contents.bn)

    @property
    def secret(self) -> bytes:
        return peek(self._agreement.contents.shared_secret)

    def agree(self, other: bytes) -> None:
        call("CA_STEP4_compute_shared_secret", self.context, byref(given(other)))

    def first_version(self) -> OpenPaceChannel:
        """The keys come from the shared secret alone."""
        call("KA_CTX_derive_keys", self._agreement, None, self.context.contents.md)
        return OpenPaceChannel(self.suite, self, ID_CA)

    def second_version_of_chip(self, other: bytes) -> tuple[bytes, bytes, OpenPaceChannel]:
        """Draw a nonce; returns it, the token over the terminal's key, and the channel."""
        nonce, token = BUFFER(), BUFFER()
        call("CA_STEP5_derive_keys", self.context, byref(given(other)), byref(nonce), byref(token))
        drawn = peek(nonce), peek(token)
        for each in (nonce, token):
            library().BUF_MEM_clear_free(each)
        return *drawn, OpenPaceChannel(self.suite, self, ID_CA)

    def second_version_of_terminal(self, nonce: bytes, token: bytes) -> OpenPaceChannel:
        call("CA_STEP6_derive_keys", self.context, byref(given(nonce)), byref(given(token)))
        return OpenPaceChannel(self.suite, self, ID_CA)


def generator_of(key: int) -> bytes:
    """The generator in the domain parameters of an EVP_PKEY."""
    lib, number, size = crypto(), c_void_p(), 512
    store = ctypes.create_string_buffer(size)
    for name in ("EVP_PKEY_get0_EC_KEY", "EC_KEY_get0_group", "EC_GROUP_get0_generator", "EVP_PKEY_get0_DH"):
        function = getattr(lib, name)
        function.restype, function.argtypes = c_void_p, [c_void_p]
    lib.EC_POINT_point2oct.argtypes = [c_void_p, c_void_p, c_int, c_void_p, c_size_t, c_void_p]
    lib.DH_get0_pqg.argtypes = [c_void_p, c_void_p, c_void_p, POINTER(c_void_p)]
    lib.BN_bn2bin.argtypes = [c_void_p, c_void_p]
    if curve_key := lib.EVP_PKEY_get0_EC_KEY(key):
        group = lib.EC_KEY_get0_group(curve_key)
        length = lib.EC_POINT_point2oct(group, lib.EC_GROUP_get0_generator(group), UNCOMPRESSED, store, size, None)
    else:
        lib.DH_get0_pqg(lib.EVP_PKEY_get0_DH(key), None, None, byref(number))
        length = lib.BN_bn2bin(number, store)
    return store.raw[:length]


def nid(oid: bytes) -> int:
    """OpenPACE's number for an object identifier given as its octets: here 0.4.0.127.0.7 and single octets."""
    dotted = ".".join(["0", *(str(octet) for octet in oid)])
    number = library().EAC_OBJ_txt2nid(dotted.encode())
    if not number:
        raise Refused(f"OpenPACE does not know {dotted}")
    return number
