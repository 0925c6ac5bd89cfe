"""Headers are read before any decoder runs: what they claim decides."""

import contextlib
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceverify.image import MAX_IMAGE_BYTES, ImageError, ImageFault, ImageHeader, decode, read_header

PICTURE = cv2.GaussianBlur(np.random.default_rng(5).integers(0, 256, (97, 61, 3), np.uint8), (0, 0), 3)
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
JP2 = cv2.imencode(".jp2", PICTURE)[1].tobytes()
J2K = JP2[JP2.index(b"\xff\x4f\xff\x51") :]


def fault(image, **limits):
    with pytest.raises(ImageError) as caught:
        decode(image, **limits)
    return caught.value.code


def siz(width, height, *, tile=None, components=3):
    """A JPEG 2000 codestream that ends after its SIZ marker (ISO/IEC 15444-1 A.5.1)."""
    tile = tile or (width, height)
    head = struct.pack(">H8IH", 0, width, height, 0, 0, *tile, 0, 0, components)
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(head) + 2 + 3 * components) + head + b"\x07\x01\x01" * components


def sof(width, height):
    """A JPEG that ends after its frame header (ISO/IEC 10918-1 B.2.2)."""
    return b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\1\x11\0\2\x11\0\3\x11\0"


@pytest.mark.parametrize(("image", "name"), [(JPEG, "jpeg"), (JP2, "jp2"), (J2K, "j2k")])
def test_the_three_formats_of_a_portrait_are_read(image, name):
    assert read_header(image) == ImageHeader(format=name, width=61, height=97)
    pixels = decode(image)
    assert pixels.shape == (97, 61, 3)
    assert np.abs(pixels.astype(int) - PICTURE).mean() < 8


def test_a_progressive_jpeg_and_a_grey_one_are_read():
    progressive = cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    grey = cv2.imencode(".jpg", PICTURE[:, :, 0])[1].tobytes()
    assert decode(progressive).shape == decode(grey).shape == (97, 61, 3)


@pytest.mark.parametrize("make", [siz, sof, lambda w, h: JP2[: JP2.index(b"\xff\x4f\xff\x51")] + siz(w, h)])
def test_a_small_file_that_claims_a_huge_picture_is_stopped_at_its_header(make, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("the decoder saw it"))
    assert fault(make(20_000, 20_000)) == ImageFault.TOO_MANY_PIXELS
    assert fault(make(101, 100), max_pixels=10_000) == ImageFault.TOO_MANY_PIXELS


def test_a_file_larger_than_any_portrait_is_not_even_looked_at():
    assert fault(JPEG + bytes(MAX_IMAGE_BYTES)) == ImageFault.TOO_MANY_BYTES


@pytest.mark.parametrize(
    "image",
    [
        sof(0, 10),
        sof(10, 0),
        siz(0, 10),
        siz(100, 100, tile=(1, 1)),
        siz(100, 100, components=200),
        b"\xff\xd8\xff\xda" + bytes(20),
        b"\xff\xd8\xff\xe0\0\0" + bytes(20),
        JPEG[:4],
        JP2[:20],
        J2K[:30],
        b"\x00\x00\x00\x0cjP  \x0d\x0a\x87\x0a" + struct.pack(">I4s", 0, b"free"),
    ],
    ids=lambda image: image[:6].hex(),
)
def test_an_impossible_header_is_a_bad_header(image):
    assert fault(image) == ImageFault.BAD_HEADER


@pytest.mark.parametrize("image", [b"", b"\x89PNG\r\n\x1a\n", b"II*\0", bytes(50), b"<svg/>"])
def test_formats_that_no_passport_holds_are_unknown(image):
    assert fault(image) == ImageFault.UNKNOWN_FORMAT


def test_a_picture_smaller_than_its_header_claims_is_refused():
    at = JP2.index(b"\xff\x4f\xff\x51") + 8
    shrunk = JP2[:at] + struct.pack(">I", 30) + JP2[at + 4 :]
    assert fault(shrunk) in {ImageFault.UNDECODABLE, ImageFault.BAD_HEADER}


@given(st.binary(max_size=300), st.sampled_from([b"", JPEG[:2], JPEG[:20], JP2[:12], JP2[:60], J2K[:4], J2K[:20]]))
def test_any_bytes_give_a_header_or_an_image_error(data, prefix):
    try:
        header = read_header(prefix + data)
    except ImageError:
        return
    assert 0 < header.width * header.height <= 4_000_000


COLOURED = np.full((64, 48, 3), (200, 100, 20), np.uint8)
IN_ORDER, BLUE_FIRST = (1, 2, 3), (3, 2, 1)


def with_channels(jp2, order, types=(0, 0, 0), number=None):
    """The file with a channel definition box at the end of its header box (ISO/IEC 15444-1 I.5.3.6)."""
    entries = b"".join(struct.pack(">3H", channel, *pair) for channel, pair in enumerate(zip(types, order, strict=True)))
    box = struct.pack(">I4sH", 10 + len(entries), b"cdef", len(order) if number is None else number) + entries
    at = jp2.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", jp2, at)
    return jp2[:at] + struct.pack(">I", length + len(box)) + jp2[at + 4 : at + length] + box + jp2[at + length :]


def with_transform(bgr):
    """A JPEG 2000 file whose components are transformed reversibly (ISO/IEC 15444-1 G.2): OpenCV transforms none, so we do."""
    blue, green, red = (bgr[:, :, channel].astype(int) - 128 for channel in range(3))
    planes = (red + 2 * green + blue) // 4, blue - green, red - green
    stored = np.dstack([plane + 128 for plane in planes[::-1]])
    assert stored.min() >= 0
    assert stored.max() <= 255
    encoded = bytearray(cv2.imencode(".jp2", stored.astype(np.uint8))[1].tobytes())
    at = encoded.index(b"\xff\x52") + 8  # COD: marker, length, style, progression, layers
    assert encoded[at] == 0
    encoded[at] = 1
    return bytes(encoded)


PLAIN, TRANSFORMED = cv2.imencode(".jp2", COLOURED)[1].tobytes(), with_transform(COLOURED)


def test_colours_that_a_false_channel_definition_swaps_are_those_of_the_codestream():
    """As Belgian passports are reported to do (uclouvain/openjpeg issue 1382): the transform puts red first, the definition blue."""
    np.testing.assert_array_equal(decode(TRANSFORMED), COLOURED)
    belgian = with_channels(TRANSFORMED, BLUE_FIRST)
    misled = cv2.imdecode(np.frombuffer(belgian, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(misled, COLOURED[:, :, ::-1])
    assert read_header(belgian).false_channels is not None
    np.testing.assert_array_equal(decode(belgian), COLOURED)


@pytest.mark.parametrize("jp2", [PLAIN, TRANSFORMED])
def test_a_true_channel_definition_stays(jp2):
    assert read_header(with_channels(jp2, IN_ORDER)).false_channels is None
    np.testing.assert_array_equal(decode(with_channels(jp2, IN_ORDER)), COLOURED)


def test_a_channel_definition_counts_where_no_transform_says_which_channel_is_red():
    blue_first = with_channels(PLAIN, BLUE_FIRST)
    assert read_header(blue_first).false_channels is None
    np.testing.assert_array_equal(decode(blue_first), COLOURED[:, :, ::-1])


@pytest.mark.parametrize("number", [0, 2, 4, 0xFFFF])
def test_a_channel_definition_with_a_wrong_count_gives_pixels_or_an_image_error(number):
    with contextlib.suppress(ImageError):
        assert decode(with_channels(TRANSFORMED, BLUE_FIRST, number=number)).shape == COLOURED.shape


def test_grey_and_alpha_give_three_channels():
    grey, alpha = PICTURE[:, :, 0], np.dstack([PICTURE, np.full((97, 61), 9, np.uint8)])
    for kind in (".jpg", ".jp2"):
        pixels = decode(cv2.imencode(kind, grey)[1].tobytes())
        assert (pixels == pixels[:, :, :1]).all()
    np.testing.assert_allclose(decode(cv2.imencode(".jp2", alpha)[1].tobytes()).astype(int), decode(JP2), atol=1)


def frame(kind=0xC0, precision=8, components=3):
    return b"\xff\xd8\xff" + bytes([kind]) + struct.pack(">HBHHB", 8 + 3 * components, precision, 10, 10, components) + bytes(99)


@pytest.mark.parametrize(
    "image",
    [
        frame(components=4),  # CMYK
        frame(components=2),
        frame(kind=0xC1, precision=12),
        frame(kind=0xC3),  # lossless
        frame(kind=0xC9),  # arithmetic
        cv2.imencode(".jp2", PICTURE.astype(np.uint16) * 256)[1].tobytes(),
    ],
    ids=["cmyk", "two components", "12 bits", "lossless", "arithmetic", "16 bits"],
)
def test_pictures_that_no_portrait_standard_knows_are_unsupported(image, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("the decoder saw it"))
    assert fault(image) == ImageFault.UNSUPPORTED


def test_animations_and_other_formats_are_unknown():
    frames = [PICTURE[:20, :20], PICTURE[20:40, :20]]
    animation = cv2.Animation()
    animation.frames, animation.durations = frames, [50, 50]
    for kind in (".gif", ".png", ".webp"):
        made, encoded = cv2.imencodeanimation(kind, animation)
        assert made
        assert fault(encoded.tobytes()) == ImageFault.UNKNOWN_FORMAT


def test_of_several_pictures_in_a_file_the_first_is_decoded():
    np.testing.assert_array_equal(decode(JPEG + cv2.imencode(".jpg", 255 - PICTURE)[1].tobytes()), decode(JPEG))


def test_a_single_pixel_is_a_picture():
    assert decode(cv2.imencode(".jpg", np.full((1, 1, 3), 7, np.uint8))[1].tobytes()).shape == (1, 1, 3)
    assert fault(siz(1, 1)) == ImageFault.UNDECODABLE


@given(st.data())
def test_a_damaged_header_gives_a_header_or_an_image_error(data):
    image = bytearray(with_channels(TRANSFORMED, BLUE_FIRST))
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        header = read_header(bytes(image[: data.draw(st.integers(0, len(image)))]))
        assert 0 < header.width * header.height <= 4_000_000
        assert header.false_channels is None or image[header.false_channels - 4 : header.false_channels] == b"cdef"
