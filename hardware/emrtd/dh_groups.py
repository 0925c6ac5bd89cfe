"""Diffie-Hellman in a prime-order subgroup of the integers modulo a prime (Doc 9303-11 §9.6; RFC 5114 §2.1 to §2.3).

Exponentiation is Python's: not constant in time, fit for ephemeral keys and simulators alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hardware.emrtd.errors import ChipError
from hardware.emrtd.groups import Element, Random

PUBLIC_VALUE = 0x84
LONG_ORDER = 1 << 256
"""Private keys stay below this where the order is unknown or beyond it: twice the bits of 3072-bit groups' security, at a known cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DhGroup:
    """Powers of ``g`` modulo the prime ``p``. ``q`` is the prime order of ``g``, None where nobody states it (or it is beyond
    :data:`LONG_ORDER`): then elements can be checked for their range only. A :class:`~hardware.emrtd.groups.KeyAgreementGroup`.
    """

    name: str
    p: int = field(repr=False)
    g: int = field(repr=False)
    q: int | None = field(repr=False)

    @property
    def order(self) -> int:
        return self.q or min(self.p - 1, LONG_ORDER)

    @property
    def public_key_tag(self) -> int:
        return PUBLIC_VALUE

    @property
    def size(self) -> int:
        """Bytes of ``p``."""
        return (self.p.bit_length() + 7) // 8

    def decode(self, element: bytes) -> int:
        """Parse an unsigned integer other than 0, 1 and p-1. Raises ChipError."""
        value = int.from_bytes(element) if len(element) <= self.size else 0
        if not 1 < value < self.p - 1:
            raise ChipError("DH_ELEMENT", f"no element of {self.name}")
        return value

    def encode(self, value: int) -> Element:
        """The fewest octets (§9.4.1)."""
        return Element(value.to_bytes((value.bit_length() + 7) // 8))

    def key(self, scalar: int) -> DhKey:
        return DhKey(group=self, scalar=scalar)

    def random_key(self, random: Random) -> DhKey:
        """Asks once for as many octets as p has; only their remainder modulo the order counts, which changes no result."""
        return self.key(int.from_bytes(random(self.size)) % self.order or 1)

    def check(self, octets: bytes) -> Element:
        """RFC 2631 §2.1.5: in range, and in the subgroup where that is known."""
        value = self.decode(octets)
        if self.q is not None and pow(value, self.q, self.p) != 1:
            raise ChipError("DH_ELEMENT", f"no element of {self.name}'s subgroup")
        return self.encode(value)

    def combine(self, left: Element, right: Element) -> Element:
        return self._proper(self.decode(left) * self.decode(right))

    def element_of(self, number: int) -> Element:
        """§4.4.3.3.2: the cofactor's power; needs the order."""
        if self.q is None:
            raise ChipError("DH_ELEMENT", f"{self.name} does not state its order")
        return self._proper(pow(number, (self.p - 1) // self.q, self.p))

    def _proper(self, value: int) -> Element:
        if value % self.p <= 1:
            raise ChipError("DH_ELEMENT", f"the neutral element of {self.name}")
        return self.encode(value % self.p)


@dataclass(frozen=True, slots=True, kw_only=True)
class DhKey:
    """A private exponent, 0 < ``scalar`` < order (ValueError). A :class:`~hardware.emrtd.groups.PrivateKey`."""

    group: DhGroup
    scalar: int = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.scalar < self.group.order:
            raise ValueError(f"no private key of {self.group.name}")

    @property
    def public(self) -> Element:
        return self.group.encode(pow(self.group.g, self.scalar, self.group.p))

    def multiply(self, element: Element) -> Element:
        return self.group.encode(self._power(element))

    def agree(self, element: Element) -> bytes:
        return self._power(element).to_bytes(self.group.size)

    def _power(self, element: Element) -> int:
        value = pow(self.group.decode(element), self.scalar, self.group.p)
        if value in {0, 1, self.group.p - 1}:  # cannot be in a group of known prime order
            raise ChipError("DH_ELEMENT", "key agreement ends in a secret that everybody knows")
        return value


def _group(name: str, p: str, g: str, q: str) -> DhGroup:
    return DhGroup(name=name, p=int(p, 16), g=int(g, 16), q=int(q, 16))


# RFC 5114 §2.1, §2.2, §2.3: 1024 bits with an order of 160, 2048 with 224, 2048 with 256.
DH_GROUPS = (
    _group(
        "modp1024_160",
        "B10B8F96A080E01DDE92DE5EAE5D54EC52C99FBCFB06A3C69A6A9DCA52D23B616073E28675A23D189838EF1E2EE652C013ECB4AEA90611232497"
        "5C3CD49B83BFACCBDD7D90C4BD7098488E9C219A73724EFFD6FAE5644738FAA31A4FF55BCCC0A151AF5F0DC8B4BD45BF37DF365C1A65E68CFDA7"
        "6D4DA708DF1FB2BC2E4A4371",
        "A4D1CBD5C3FD34126765A442EFB99905F8104DD258AC507FD6406CFF14266D31266FEA1E5C41564B777E690F5504F213160217B4B01B886A5E91"
        "547F9E2749F4D7FBD7D3B9A92EE1909D0D2263F80A76A6A24C087A091F531DBF0A0169B6A28AD662A4D18E73AFA32D779D5918D08BC8858F4DCE"
        "F97C2A24855E6EEB22B3B2E5",
        "F518AA8781A8DF278ABA4E7D64B7CB9D49462353",
    ),
    _group(
        "modp2048_224",
        "AD107E1E9123A9D0D660FAA79559C51FA20D64E5683B9FD1B54B1597B61D0A75E6FA141DF95A56DBAF9A3C407BA1DF15EB3D688A309C180E1DE6"
        "B85A1274A0A66D3F8152AD6AC2129037C9EDEFDA4DF8D91E8FEF55B7394B7AD5B7D0B6C12207C9F98D11ED34DBF6C6BA0B2C8BBC27BE6A00E0A0"
        "B9C49708B3BF8A317091883681286130BC8985DB1602E714415D9330278273C7DE31EFDC7310F7121FD5A07415987D9ADC0A486DCDF93ACC4432"
        "8387315D75E198C641A480CD86A1B9E587E8BE60E69CC928B2B9C52172E413042E9B23F10B0E16E79763C9B53DCF4BA80A29E3FB73C16B8E75B9"
        "7EF363E2FFA31F71CF9DE5384E71B81C0AC4DFFE0C10E64F",
        "AC4032EF4F2D9AE39DF30B5C8FFDAC506CDEBE7B89998CAF74866A08CFE4FFE3A6824A4E10B9A6F0DD921F01A70C4AFAAB739D7700C29F52C57D"
        "B17C620A8652BE5E9001A8D66AD7C17669101999024AF4D027275AC1348BB8A762D0521BC98AE247150422EA1ED409939D54DA7460CDB5F6C6B2"
        "50717CBEF180EB34118E98D119529A45D6F834566E3025E316A330EFBB77A86F0C1AB15B051AE3D428C8F8ACB70A8137150B8EEB10E183EDD199"
        "63DDD9E263E4770589EF6AA21E7F5F2FF381B539CCE3409D13CD566AFBB48D6C019181E1BCFE94B30269EDFE72FE9B6AA4BD7B5A0F1C71CFFF4C"
        "19C418E1F6EC017981BC087F2A7065B384B890D3191F2BFA",
        "801C0D34C58D93FE997177101F80535A4738CEBCBF389A99B36371EB",
    ),
    _group(
        "modp2048_256",
        "87A8E61DB4B6663CFFBBD19C651959998CEEF608660DD0F25D2CEED4435E3B00E00DF8F1D61957D4FAF7DF4561B2AA3016C3D91134096FAA3BF4"
        "296D830E9A7C209E0C6497517ABD5A8A9D306BCF67ED91F9E6725B4758C022E0B1EF4275BF7B6C5BFC11D45F9088B941F54EB1E59BB8BC39A0BF"
        "12307F5C4FDB70C581B23F76B63ACAE1CAA6B7902D52526735488A0EF13C6D9A51BFA4AB3AD8347796524D8EF6A167B5A41825D967E144E51405"
        "64251CCACB83E6B486F6B3CA3F7971506026C0B857F689962856DED4010ABD0BE621C3A3960A54E710C375F26375D7014103A4B54330C198AF12"
        "6116D2276E11715F693877FAD7EF09CADB094AE91E1A1597",
        "3FB32C9B73134D0B2E77506660EDBD484CA7B18F21EF205407F4793A1A0BA12510DBC15077BE463FFF4FED4AAC0BB555BE3A6C1B0C6B47B1BC37"
        "73BF7E8C6F62901228F8C28CBB18A55AE31341000A650196F931C77A57F2DDF463E5E9EC144B777DE62AAAB8A8628AC376D282D6ED3864E67982"
        "428EBC831D14348F6F2F9193B5045AF2767164E1DFC967C1FB3F2E55A4BD1BFFE83B9C80D052B985D182EA0ADB2A3B7313D3FE14C8484B1E0525"
        "88B9B7D2BBD2DF016199ECD06E1557CD0915B3353BBB64E0EC377FD028370DF92B52C7891428CDC67EB6184B523D1DB246C32F63078490F00EF8"
        "D647D148D47954515E2327CFEF98C582664B4C0F6CC41659",
        "8CF83642A709A097B447997640129DA299B1A47D1EB3750BA308B0FE64F5FBD3",
    ),
)
