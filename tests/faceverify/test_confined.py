"""Hostile images meet only the confined process: the caller gets pixels or an ImageError, and the next image is served."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceverify import confined, seccomp
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


def status(pid, name):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())[name].strip()


def workers(decoder):
    """Processes whose parent is the keeper, and that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == decoder.pid and state != "Z":
                found.append(int(entry.name))
    return found


def ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
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


def test_a_decoder_for_small_pictures_decodes_them():
    small = cv2.imencode(".jpg", PICTURE[:20, :20])[1].tobytes()
    with ConfinedDecoder(max_pixels=400) as decoder:
        decoder.start()
        np.testing.assert_array_equal(decoder.decode(small), decode(small))
        assert fault(decoder, JPEG) == ImageFault.TOO_MANY_PIXELS


def test_a_huge_claim_never_reaches_the_child(decoder):
    at = JP2.index(b"\xff\x4f\xff\x51") + 8
    huge = JP2[:at] + (10_000).to_bytes(4) * 2 + JP2[at + 8 :]
    assert fault(decoder, huge) == ImageFault.TOO_MANY_PIXELS


def test_an_image_that_takes_too_long_is_given_up_and_the_next_is_decoded():
    with ConfinedDecoder(timeout_s=0.0) as hasty:
        hasty.start()
        keeper = hasty.pid
        assert fault(hasty, JP2) == ImageFault.TIME_LIMIT
        assert fault(hasty, JP2) == ImageFault.TIME_LIMIT
        assert hasty.pid == keeper, "the worker was ended, not the keeper"


def test_each_image_has_a_process_of_its_own_that_ends_with_it(decoder):
    decoder.start()
    seen = []
    for image in (JPEG, JP2[:5000], JPEG):
        assert wait_until(lambda: workers(decoder))
        seen += workers(decoder)
        with contextlib.suppress(ImageError):
            decoder.decode(image)
        assert wait_until(partial(ended, seen[-1]))
    assert len(set(seen)) == 3


def test_a_worker_that_dies_with_its_image_is_a_result_and_the_next_image_is_decoded(decoder):
    decoder.start()
    keeper = decoder.pid
    (worker,) = workers(decoder)
    os.kill(worker, signal.SIGKILL)
    assert wait_until(lambda: ended(worker))
    assert fault(decoder, JP2) == ImageFault.DECODER_DIED
    np.testing.assert_array_equal(decoder.decode(JP2), decode(JP2))
    assert decoder.pid == keeper


def test_a_worker_that_hangs_is_a_result_and_is_ended():
    with ConfinedDecoder(timeout_s=0.1) as decoder:
        decoder.start()
        (worker,) = workers(decoder)
        os.kill(worker, signal.SIGSTOP)
        assert fault(decoder, JPEG) == ImageFault.TIME_LIMIT
        assert wait_until(lambda: ended(worker))


def test_processes_can_be_started_without_waiting_for_them():
    with ConfinedDecoder() as decoder:
        decoder.begin()
        keeper = decoder.pid
        assert decoder.decode(JPEG).shape == PICTURE.shape
        assert decoder.pid == keeper


def test_a_keeper_that_died_is_replaced(decoder):
    decoder.start()
    first = decoder.pid
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: ended(first))
    np.testing.assert_array_equal(decoder.decode(JP2), decode(JP2))
    assert decoder.pid != first


def test_a_keeper_that_hangs_is_ended_and_replaced(monkeypatch):
    monkeypatch.setattr(confined, "_FORK_S", 0.1)
    with ConfinedDecoder() as decoder:
        decoder.start()
        hung = decoder.pid
        os.kill(hung, signal.SIGSTOP)
        assert decoder.decode(JPEG).shape == PICTURE.shape, "the worker that was offered works without it"
        assert fault(decoder, JPEG) == ImageFault.DECODER_DIED
        assert ended(hung)
        monkeypatch.undo()
        assert decoder.decode(JPEG).shape == PICTURE.shape


def test_closing_ends_the_child_and_decoding_again_starts_one():
    decoder = ConfinedDecoder()
    decoder.start()
    first = decoder.pid
    decoder.close()
    assert decoder.pid is None
    assert ended(first)
    with decoder:
        assert decoder.decode(JPEG).shape == PICTURE.shape


def limits(pid):
    found = {}
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]:
        found[line[:26].strip()] = int(hard) if (hard := line[26:].split()[1]).isdigit() else hard
    return found


def test_keeper_and_worker_have_hard_limits(decoder):
    decoder.start()
    (worker,) = workers(decoder)
    for pid in (decoder.pid, worker):
        assert limits(pid)["Max core file size"] == 0
        assert limits(pid)["Max open files"] <= 16
        assert limits(pid)["Max address space"] < 4 << 30
    assert wait_until(lambda: status(worker, "Seccomp") == "2"), "the filter is in force"
    assert status(worker, "NoNewPrivs") == "1"
    assert [limits(worker)[name] for name in ("Max open files", "Max file size", "Max processes")] == [0, 0, 0]
    assert limits(worker)["Max cpu time"] <= 5


def test_a_worker_keeps_its_socket_alone(decoder):
    decoder.start()
    (worker,) = workers(decoder)
    assert wait_until(lambda: status(worker, "Seccomp") == "2")
    assert [path.readlink().name.partition(":")[0] for path in Path(f"/proc/{worker}/fd").iterdir()] == ["socket"]


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


def under(confinement, *actions):
    """Run each of ``actions`` in one process under that confinement; their outcomes, line by line."""
    tried = "".join(
        f"\ntry:\n    {action}\n    print('done')\nexcept BaseException as e:\n    print(type(e).__name__)" for action in actions
    )
    code = f"import os, socket, signal\n{confinement}{tried}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False).stdout.strip()


def test_the_keepers_limits_stop_a_decoder_that_eats_memory():
    keeper = "from faceverify.confined_child import harden; harden(1000)"
    assert under(keeper, "x = bytearray(200 << 20)") == "MemoryError"
    assert under(keeper, "x = bytearray(1 << 20)") == "done"


FORBIDDEN = (
    "open('/etc/hostname')",
    "open('/dev/null', 'w')",
    "os.fork()",
    "os.execv('/bin/true', ['true'])",
    "socket.socket()",
    "os.kill(os.getppid(), 0)",
    "os.memfd_create('x')",
    "os.listdir('/')",
    "os.pidfd_open(os.getppid())",
)


def test_a_worker_reaches_neither_files_nor_network_nor_others():
    filtered = "from faceverify.seccomp import only_compute; only_compute()"
    assert under(filtered, *FORBIDDEN).split() == ["PermissionError"] * len(FORBIDDEN)


def test_a_worker_may_compute():
    filtered = "from faceverify.seccomp import only_compute; only_compute()"
    assert under(filtered, "x = [bytearray(n << 10) for n in range(500)]; del x") == "done"


def test_a_machine_without_a_filter_decodes_nothing(monkeypatch):
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "vax")
    with pytest.raises(OSError, match="vax"):
        seccomp.only_compute()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_allows_as_many_calls_on_every_machine(machine):
    architecture, calls = seccomp._CALLS[machine]
    assert len(set(calls)) == len(calls) == 15
    rules = seccomp._rules(architecture, calls)
    assert {verdict(rules, architecture, call) for call in calls} == {seccomp._ALLOW}
    assert {verdict(rules, architecture, call) for call in set(range(600)) - set(calls)} == {seccomp._REFUSE}
    assert verdict(rules, architecture ^ 1, calls[0]) == seccomp._KILL


def verdict(rules, architecture, call):
    """What the filter says: a machine for classic BPF, as far as the filter uses it."""
    program, at, value = list(struct.iter_unpack("=HBBI", rules)), 0, None
    while True:
        code, then, other, k = program[at]
        match code:
            case 0x20:
                value = {0: call, 4: architecture}[k]
                at += 1
            case 0x15:
                at += 1 + (then if value == k else other)
            case 0x06:
                return k
            case _:
                raise AssertionError(code)
