"""``localhost`` is two addresses. The pages whose name it is hold both of them, or do not serve."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

import pytest

from gate.ui import serve

FOUR, SIX = "127.0.0.1", "::1"


def listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if host == SIX else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
            pytest.skip("this machine has no ::1")
        raise


@pytest.fixture(params=[FOUR, SIX])
def stranger(request) -> Iterator[int]:
    """The port of somebody who listens at one of the two addresses alone."""
    with listening(request.param, 0) as other:
        yield other.getsockname()[1]


def test_a_page_on_localhost_answers_wherever_a_browser_asks_for_it():
    listening(SIX, 0).close()
    with contextlib.ExitStack() as open_:
        listeners = [open_.enter_context(each) for each in serve.listen_on_localhost(0)]
        port = listeners[0].getsockname()[1]
        for host in (FOUR, SIX):
            open_.enter_context(socket.create_connection((host, port), 5))


def test_a_page_does_not_share_localhost_with_a_stranger(stranger):
    with pytest.raises(OSError, match="in use") as refused:
        serve.listen_on_localhost(stranger)
    assert refused.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_without_ipv6_the_one_address_is_all_there_is(monkeypatch, number):
    listen = serve.listen

    def without_six(port: int, host: str = FOUR) -> socket.socket:
        if host == SIX:
            raise OSError(number, "as a machine without IPv6 says")
        return listen(port, host)

    monkeypatch.setattr(serve, "listen", without_six)
    (listener,) = serve.listen_on_localhost(0)
    with listener:
        assert listener.family is socket.AF_INET
