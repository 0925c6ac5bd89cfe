"""Headers are read before any decoder runs: what they claim decides."""

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
