"""Hostile images meet only the confined process: the caller gets pixels or an ImageError, and the next image is served."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceverify.confined import ConfinedDecoder
from faceverify.image import ImageError, ImageFault, decode

PICTURE = cv2.GaussianBlur(np.random.default_rng(5).integers(0, 256, (531, 413, 3), np.uint8), (0, 0), 4)
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
JP2 = cv2.imencode(".jp2", PICTURE, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 20])[1].tobytes()


@pytest.fixture(scope="module")
def decoder():
    with ConfinedDecoder() as decoder:
        yield decoder


def fault(decoder, image):
    with pytest.raises(ImageError) as caught:
        decoder.decode(image)
    return caught.value.code


def wait_until(condition):
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.02)
    return False


def ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("image", [JPEG, JP2], ids=["jpeg", "jp2"])
def test_pixels_are_those_of_the_decoder_at_home(decoder, image):
    np.testing.assert_array_equal(decoder.decode(image), decode(image))


@pytest.mark.parametrize("image", [JPEG, JP2], ids=["jpeg", "jp2"])
def test_truncated_images_end_in_a_value_and_the_child_stays(decoder, image):
    decoder.start()
    child = decoder.pid
    for length in (*range(0, 200, 40), len(image) // 4, len(image) // 2):
        with contextlib.suppress(ImageError):
            assert decoder.decode(image[:length]).shape == PICTURE.shape
    assert decoder.pid == child
    np.testing.assert_array_equal(decoder.decode(image), decode(image))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_images_give_pixels_or_an_image_error(decoder, data):
    image = bytearray(data.draw(st.sampled_from([JPEG, JP2])))
    near_the_head = st.integers(0, 250) | st.integers(0, len(image) - 1)
    for _ in range(data.draw(st.integers(1, 8))):
        image[data.draw(near_the_head)] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        pixels = decoder.decode(bytes(image))
        assert pixels.dtype == np.uint8
        assert pixels.size <= 3 * 4_000_000


def test_a_huge_claim_never_reaches_the_child(decoder):
    at = JP2.index(b"\xff\x4f\xff\x51") + 8
    huge = JP2[:at] + (10_000).to_bytes(4) * 2 + JP2[at + 8 :]
    assert fault(decoder, huge) == ImageFault.TOO_MANY_PIXELS


def test_an_image_that_takes_too_long_is_given_up_and_the_next_is_decoded():
    with ConfinedDecoder(timeout_s=0.0) as hasty:
        assert fault(hasty, JP2) == ImageFault.TIME_LIMIT
        child = hasty.pid
        assert fault(hasty, JP2) == ImageFault.TIME_LIMIT
        assert hasty.pid == child, "the grandchild was ended, not the child"


def test_a_child_that_died_is_replaced(decoder):
    decoder.start()
    first = decoder.pid
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: ended(first))
    np.testing.assert_array_equal(decoder.decode(JP2), decode(JP2))
    assert decoder.pid != first


def test_a_child_that_hangs_is_ended_and_replaced():
    with ConfinedDecoder(timeout_s=0.1) as decoder:
        decoder.start()
        hung = decoder.pid
        os.kill(hung, signal.SIGSTOP)
        assert fault(decoder, JP2) == ImageFault.TIME_LIMIT
        assert ended(hung)
        assert fault(ConfinedDecoder(timeout_s=0.0), b"") == ImageFault.UNKNOWN_FORMAT


def test_closing_ends_the_child_and_decoding_again_starts_one():
    decoder = ConfinedDecoder()
    decoder.start()
    first = decoder.pid
    decoder.close()
    assert decoder.pid is None
    assert ended(first)
    with decoder:
        assert decoder.decode(JPEG).shape == PICTURE.shape


def test_the_child_has_hard_limits(decoder):
    decoder.start()
    limits = {}
    for line in Path(f"/proc/{decoder.pid}/limits").read_text().splitlines()[1:]:
        name, soft, hard = line[:26].strip(), *line[26:].split()[:2]
        limits[name] = (soft, hard)
    assert limits["Max core file size"] == limits["Max file size"] == ("0", "0")
    assert limits["Max open files"] == ("16", "16")
    assert int(limits["Max address space"][1]) < 4 << 30


def test_the_child_does_not_outlive_a_parent_that_was_killed():
    code = "from faceverify.confined import ConfinedDecoder as D; d = D(); d.start(); print(d.pid, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child = int(parent.stdout.readline())
        assert not ended(child)
        parent.kill()
        assert wait_until(lambda: ended(child))
    finally:
        parent.kill()
        parent.communicate()


def probe_of_confinement(action):
    """Run ``action`` in a process under the child's limits; its outcome as text."""
    code = f"from faceverify.confined_child import _confine\n_confine(1000)\ntry:\n    {action}\nexcept BaseException as e:\n    print(type(e).__name__)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False).stdout.strip()


def test_confinement_stops_memory_and_files_and_lets_the_rest_work(tmp_path):
    assert probe_of_confinement("x = bytearray(200 << 20)") == "MemoryError"
    target = tmp_path / "frame"
    assert probe_of_confinement(f"f = open({str(target)!r}, 'wb', 0); f.write(b'x')") == "OSError"
    assert target.stat().st_size == 0
    assert probe_of_confinement("x = bytearray(1 << 20); print('fine')") == "fine"
