"""BIO_s_connect(3)."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.api.bios import UNINITIALIZED, UNSUPPORTED, read
from tests.clauses import clause

SPECIAL_RETRY, READ_RETRY = 12, 9
BIO, SYS = p.ERR_LIB_BIO, p.ERR_LIB_SYS
REFUSED = [(SYS, errno.ECONNREFUSED)]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(20)
        yield sock


def address(listener: socket.socket) -> str:
    return "{}:{}".format(*listener.getsockname()[:2])


def connect_to(name: str) -> p.BIO:
    bio = p.BIO_new_connect(name)
    assert bio is not None
    return bio


def closed_port() -> str:
    """Give an address where nobody listens, and nobody else will."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        _taken.append(sock.dup())  # bound, not listening: refused
        return address(sock)


_taken: list[socket.socket] = []


@pytest.fixture(autouse=True)
def release() -> Iterator[None]:
    yield
    while _taken:
        _taken.pop().close()


def is_open(fd: int) -> bool:
    with contextlib.suppress(OSError):
        os.fstat(fd)
        return True
    return False


# ---- names ------------------------------------------------------------------


@clause("CONN-1")
@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("example.org:443", "example.org", "443"),
        (b"example.org:https", "example.org", "https"),
        ("[::1]:7", "::1", "7"),
        ("[::1]", "::1", None),
        ("host", "host", None),
        ("host:", "host", None),
        (":7", None, "7"),
        ("*:5", None, "5"),
        ("", None, None),
    ],
)
def test_name_is_host_and_port(
    name: Any, host: str | None, port: str | None
) -> None:
    bio = p.BIO_new_connect(name)
    assert bio is not None
    assert p.BIO_get_conn_hostname(bio) == host
    assert p.BIO_get_conn_port(bio) == port
    assert (p.BIO_get_fd(bio), p.BIO_get_init(bio)) == (-1, 1)


@clause("CONN-1")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("::1:5", p.BIO_R_AMBIGUOUS_HOST_OR_SERVICE),
        ("a:b:c", p.BIO_R_AMBIGUOUS_HOST_OR_SERVICE),
        ("[::1]:1:2", p.BIO_R_AMBIGUOUS_HOST_OR_SERVICE),
        ("[::1", p.BIO_R_MALFORMED_HOST_OR_SERVICE),
        ("[::1]5", p.BIO_R_MALFORMED_HOST_OR_SERVICE),
    ],
)
def test_name_that_is_none_is_refused(name: str, reason: int) -> None:
    assert p.BIO_new_connect(name) is None
    assert links.reasons() == [(BIO, reason)]


@clause("CONN-1")
def test_port_in_the_name_replaces_the_one_set_before() -> None:
    bio = links.new_bio(p.BIO_s_connect())
    assert p.BIO_get_conn_hostname(bio) is None
    assert p.BIO_get_conn_port(bio) is None
    assert p.BIO_set_conn_port(bio, "https") == 1
    assert p.BIO_set_conn_hostname(bio, "one") == 1
    assert p.BIO_get_conn_port(bio) == "https"
    assert p.BIO_set_conn_hostname(bio, "two:99") == 1
    assert p.BIO_get_conn_port(bio) == "99"


@clause("CV-2", "CV-3")
def test_wrong_arguments_are_exceptions() -> None:
    bio = links.new_bio(p.BIO_s_connect())
    for bad in (None, 5, object()):
        with pytest.raises(TypeError):
            p.BIO_set_conn_hostname(bio, bad)
        with pytest.raises(TypeError):
            p.BIO_set_conn_port(bio, bad)
        with pytest.raises(TypeError):
            p.BIO_ctrl(bio, p.BIO_C_SET_CONNECT, 0, bad)
    with pytest.raises(ValueError, match="NUL"):
        p.BIO_set_conn_hostname(bio, "a\0b")
    with pytest.raises(TypeError):
        p.BIO_new_connect(None)
    with pytest.raises(TypeError):
        p.BIO_do_connect("no BIO")
    assert p.BIO_ctrl(bio, p.BIO_C_SET_CONNECT, 9, "x") == 0
    assert p.BIO_ctrl(bio, p.BIO_C_GET_CONNECT, 9, [None]) == 0
    assert p.BIO_ctrl(bio, p.BIO_C_GET_CONNECT, 0, None) == 0
    p.BIO_free(bio)
    with pytest.raises(ValueError, match="freed"):
        p.BIO_do_connect(bio)


# ---- connecting, blocking -----------------------------------------------


@clause("CONN-1", "CONN-2", "BIO-21")
@pytest.mark.parametrize("first", ["do_connect", "write", "puts", "read"])
def test_connection_is_made_when_asked_or_needed(
    listener: socket.socket, first: str
) -> None:
    bio = connect_to(address(listener))
    if first == "read":

        def greet() -> None:
            with listener.accept()[0] as peer:
                peer.sendall(b"hi")

        server = threading.Thread(target=greet)
        server.start()
        assert read(bio, 9) == (2, b"hi")
        server.join(20)
        return
    if first == "do_connect":
        assert p.BIO_do_connect(bio) == 1
        assert p.BIO_write(bio, b"line") == 4
    elif first == "write":
        assert p.BIO_write(bio, b"line") == 4
    else:
        assert p.BIO_puts(bio, "line") == 4
    peer, _ = listener.accept()
    with peer:
        assert peer.recv(9) == b"line"
        assert p.BIO_get_fd(bio) >= 0
        assert p.BIO_do_connect(bio) == 1  # again: nothing to do
        peer.sendall(b"answer")
        assert read(bio, 9) == (6, b"answer")
    assert read(bio, 9) == (0, b"")
    assert (p.BIO_eof(bio), p.BIO_get_retry_flags(bio)) == (1, 0)
    assert p.BIO_number_written(bio) == 4


@clause("CONN-2")
def test_refused_connection_queues_the_system_error_and_its_own() -> None:
    bio = connect_to(closed_port())
    assert p.BIO_do_connect(bio) <= 0
    assert not p.BIO_should_retry(bio)
    want = [*REFUSED, (BIO, p.BIO_R_CONNECT_ERROR)]
    assert (links.reasons(), bio.last_errno()) == (want, errno.ECONNREFUSED)
    # It stays so until it is reset.
    assert (p.BIO_do_connect(bio), read(bio, 3)[0]) == (-1, -1)
    assert links.reasons() == [(BIO, p.BIO_R_CONNECT_ERROR)] * 2
    assert p.BIO_get_fd(bio) == -1
    assert p.BIO_reset(bio) == 0
    assert p.BIO_write(bio, b"x") == -1
    assert links.reasons() == want


@clause("CONN-2")
def test_no_host_or_no_port_is_an_entry() -> None:
    bio = links.new_bio(p.BIO_s_connect())
    missing = (BIO, p.BIO_R_NO_HOSTNAME_OR_SERVICE_SPECIFIED)
    assert p.BIO_do_connect(bio) == -1
    assert links.reasons() == [missing]
    assert p.BIO_set_conn_port(bio, "1") == 1
    assert (read(bio, 2)[0], links.reasons()) == (-1, [missing])
    assert p.BIO_set_conn_hostname(bio, "localhost") == 1
    assert p.BIO_set_conn_port(bio, "") == 1
    assert p.BIO_do_connect(bio) == -1
    assert links.reasons() == [(BIO, p.BIO_R_NO_PORT_DEFINED)]
    assert p.BIO_set_conn_port(bio, "65536") == 1
    assert p.BIO_do_connect(bio) == -1
    assert links.reasons() == [(BIO, p.BIO_R_INVALID_ARGUMENT)]


@clause("BIO-18", "CONN-1")
def test_io_without_a_name_is_uninitialised() -> None:
    bio = links.new_bio(p.BIO_s_connect())
    assert (read(bio, 3)[0], p.BIO_write(bio, b"x")) == (-1, -1)
    assert [p.ERR_get_error(), p.ERR_get_error()] == [UNINITIALIZED] * 2


@clause("CONN-2")
@pytest.mark.parametrize("name", ["no such host", "x" * 70 + ".test", ".."])
def test_name_without_address_is_an_entry(name: str) -> None:
    bio = links.new_bio(p.BIO_s_connect())
    p.BIO_set_conn_hostname(bio, name)
    p.BIO_set_conn_port(bio, "1")
    assert p.BIO_do_connect(bio) == -1
    assert not p.BIO_should_retry(bio)
    assert links.reasons() == [(BIO, p.ERR_R_SYS_LIB)]


@clause("CONN-2")
@pytest.mark.parametrize("nonblocking", [0, 1])
def test_addresses_are_tried_in_order(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, nonblocking: int
) -> None:
    """A family that does not work, a refusal, and then the listener."""
    good = listener.getsockname()
    host, _, port = closed_port().rpartition(":")
    tcp = (socket.SOCK_STREAM, 0, "")
    asked: list[Any] = []

    def look_up(*names: Any, **wishes: Any) -> list[Any]:
        asked.append(names)
        return [
            (9999, *tcp, ("::1", 1, 0, 0)),
            (socket.AF_INET, *tcp, (host, int(port))),
            (socket.AF_INET, *tcp, good),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    bio = connect_to("both.test:1")
    p.BIO_set_nbio(bio, nonblocking)
    while (ret := p.BIO_do_connect(bio)) != 1:
        assert p.BIO_should_io_special(bio), (ret, links.reasons())
        select.select([], [p.BIO_get_fd(bio)], [], 20)
    assert asked == [("both.test", "1")]
    assert links.reasons() == []
    with listener.accept()[0] as peer:
        peer.sendall(b"here")
        select.select([p.BIO_get_fd(bio)], [], [], 20)
        assert read(bio, 9) == (4, b"here")


@clause("CONN-2")
def test_last_failure_is_the_one_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host, _, port = closed_port().rpartition(":")
    tcp = (socket.SOCK_STREAM, 0, "")
    found = [
        (socket.AF_INET, *tcp, (host, int(port))),
        (9999, *tcp, ("::1", 1, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: found)
    bio = connect_to("x:1")
    assert p.BIO_do_connect(bio) == -1
    want = [
        (SYS, errno.EAFNOSUPPORT),
        (BIO, p.BIO_R_UNABLE_TO_CREATE_SOCKET),
    ]
    assert links.reasons() == want


@clause("CONN-2")
def test_connection_over_ipv6() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        bio = connect_to(f"[::1]:{server.getsockname()[1]}")
        assert p.BIO_write(bio, b"six") == 3
        with server.accept()[0] as peer:
            assert peer.recv(9) == b"six"


# ---- connecting, non-blocking -----------------------------------------------


@clause("CONN-3", "BIO-31", "BIO-34")
def test_nonblocking_connection_asks_for_a_special_retry(
    listener: socket.socket,
) -> None:
    bio = connect_to(address(listener))
    assert p.BIO_set_nbio(bio, 1) == 1
    tries = 0
    while (ret := p.BIO_do_connect(bio)) <= 0:
        tries += 1
        assert (ret, p.BIO_get_retry_flags(bio)) == (-1, SPECIAL_RETRY)
        assert p.BIO_get_retry_reason(bio) == p.BIO_RR_CONNECT
        assert p.BIO_get_retry_BIO(bio) == (bio, p.BIO_RR_CONNECT)
        assert bio.last_errno() == errno.EINPROGRESS
        assert p.BIO_get_fd(bio) >= 0
        select.select([], [p.BIO_get_fd(bio)], [], 20)
        assert tries < 1000
    assert p.BIO_get_retry_flags(bio) == 0
    assert not os.get_blocking(p.BIO_get_fd(bio))
    assert read(bio, 3) == (-1, b"")
    assert p.BIO_get_retry_flags(bio) == READ_RETRY
    assert bio.last_errno() == errno.EAGAIN
    assert p.BIO_get_retry_reason(bio) == p.BIO_RR_CONNECT  # outlives
    assert links.reasons() == []


@clause("CONN-3")
@pytest.mark.parametrize("call", ["do_connect", "read", "write"])
def test_nonblocking_failure_comes_later_with_its_entries(call: str) -> None:
    bio = connect_to(closed_port())
    p.BIO_set_nbio(bio, 1)

    def again() -> int:
        if call == "do_connect":
            return p.BIO_do_connect(bio)
        return read(bio, 3)[0] if call == "read" else p.BIO_write(bio, b"x")

    tries = 0
    while (ret := again()) <= 0 and p.BIO_should_io_special(bio):
        select.select([], [p.BIO_get_fd(bio)], [], 20)
        tries += 1
        assert tries < 1000
    assert (ret, p.BIO_get_retry_flags(bio)) == (-1, 0)
    later = p.BIO_R_NBIO_CONNECT_ERROR if tries else p.BIO_R_CONNECT_ERROR
    assert links.reasons() == [*REFUSED, (BIO, later)]


class _Slow:
    """A server whose queue of connections is full: connecting waits."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.sock = stack.enter_context(
            socket.create_server(("127.0.0.1", 0), backlog=0)
        )
        self.fill = []
        for _ in range(8):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(self.sock.getsockname())
            self.fill.append(one)


@clause("CONN-3", "GE-10")
def test_connection_that_hangs_goes_on_asking() -> None:
    with contextlib.ExitStack() as stack:
        slow = _Slow(stack)
        bio = connect_to(address(slow.sock))
        p.BIO_set_nbio(bio, 1)
        ssl = links.make_ends()[0]
        p.SSL_set_bio(ssl, bio, bio)
        for _ in range(5):
            ret = p.SSL_do_handshake(ssl)
            assert links.outcome(ssl, ret) == (-1, p.SSL_ERROR_WANT_CONNECT)
            assert p.SSL_want(ssl) == p.SSL_WRITING
        assert bio.last_errno() == errno.EINPROGRESS
        assert p.BIO_do_connect(bio) == -1
        assert p.BIO_reset(bio) == 0
        assert (p.BIO_get_fd(bio), p.BIO_get_retry_flags(bio)) == (-1, 0)
    assert links.reasons() == []


@clause("CV-8", "CONN-4")
def test_reset_wakes_a_thread_that_waits_for_its_connection() -> None:
    with contextlib.ExitStack() as stack:
        slow = _Slow(stack)
        bio = connect_to(address(slow.sock))
        seen: list[Any] = []
        begun = threading.Event()

        def hear(b: p.BIO, state: int, ret: int) -> int:
            if state == p.BIO_CONN_S_CONNECT:
                begun.set()
            return ret

        p.BIO_set_info_callback(bio, hear)

        def connect() -> None:
            seen.append((p.BIO_do_connect(bio), links.reasons()))

        thread = threading.Thread(target=connect)
        thread.start()
        assert begun.wait(20)
        assert p.BIO_reset(bio) == 0
        thread.join(20)
        ((ret, reasons),) = seen
        assert ret == -1
        assert reasons[-1] == (BIO, p.BIO_R_CONNECT_ERROR)


# ---- the descriptor ---------------------------------------------------------


@clause("CONN-4")
def test_reset_disconnects_and_lets_connect_again(
    listener: socket.socket,
) -> None:
    bio = connect_to(address(listener))
    for turn in range(3):
        assert p.BIO_do_connect(bio) == 1
        fd = p.BIO_get_fd(bio)
        assert p.BIO_write(bio, b"%d" % turn) == 1
        with listener.accept()[0] as peer:
            assert peer.recv(9) == b"%d" % turn
            assert p.BIO_reset(bio) == 0
            assert peer.recv(9) == b""
        assert p.BIO_get_fd(bio) == -1
        assert not is_open(fd)


@clause("BIO-5", "CONN-1", "CV-3")
@pytest.mark.parametrize("close", [p.BIO_CLOSE, p.BIO_NOCLOSE])
@pytest.mark.parametrize("how", ["free", "collect", "connecting"])
def test_close_flag_says_what_becomes_of_the_descriptor(
    listener: socket.socket, close: int, how: str
) -> None:
    with contextlib.ExitStack() as stack:
        if how == "connecting":
            listener = _Slow(stack).sock
        bio = connect_to(address(listener))
        assert p.BIO_get_close(bio) == 1
        assert p.BIO_set_close(bio, close) == 1
        assert p.BIO_get_close(bio) == close
        p.BIO_set_nbio(bio, int(how == "connecting"))
        assert p.BIO_do_connect(bio) == (-1 if how == "connecting" else 1)
        fd = p.BIO_get_fd(bio)
        if how == "free":
            assert p.BIO_free(bio) == 1
        del bio
        gc.collect()
        assert is_open(fd) == (close == p.BIO_NOCLOSE)
        if close == p.BIO_NOCLOSE:
            os.close(fd)


@clause("BIO-13", "BIO-19", "BIO-25", "FD-5")
def test_commands_of_a_connect_bio() -> None:
    bio = links.new_bio(p.BIO_s_connect())
    assert p.BIO_method_type(bio) == p.BIO_TYPE_CONNECT == 0x50C
    assert p.BIO_method_name(bio) == "socket connect"
    assert p.BIO_find_type(bio, p.BIO_TYPE_DESCRIPTOR) is bio
    assert p.BIO_gets(bio, 9) == -2
    assert p.ERR_get_error() == UNSUPPORTED
    assert (p.BIO_flush(bio), p.BIO_eof(bio), p.BIO_reset(bio)) == (1, 0, 0)
    assert (p.BIO_pending(bio), p.BIO_wpending(bio)) == (0, 0)
    assert p.BIO_ctrl(bio, 999, 0, None) == 0
    assert (p.BIO_get_ssl(bio), p.BIO_get_init(bio)) == (None, 0)
    assert links.reasons() == []


# ---- callbacks --------------------------------------------------------------


@clause("BIO-27", "BIO-28")
def test_info_callback_hears_of_each_state(listener: socket.socket) -> None:
    bio = connect_to(address(listener))
    assert p.BIO_get_info_callback(bio) == (1, None)
    seen: list[tuple[int, int]] = []

    def hear(b: p.BIO, state: int, ret: int) -> int:
        assert b is bio
        seen.append((state, ret))
        return ret

    assert p.BIO_set_info_callback(bio, hear) == 1
    assert p.BIO_get_info_callback(bio) == (1, hear)
    assert p.BIO_do_connect(bio) == 1
    assert seen == [
        (p.BIO_CONN_S_GET_ADDR, -1),
        (p.BIO_CONN_S_CREATE_SOCKET, -1),
        (p.BIO_CONN_S_CONNECT, -1),
        (p.BIO_CONN_S_OK, -1),
        (p.BIO_CONN_S_OK, 1),
    ]
    assert p.BIO_callback_ctrl(bio, 99, hear) == -2
    assert p.ERR_get_error() == UNSUPPORTED


@clause("BIO-28")
def test_info_callback_can_stop_a_connection(listener: socket.socket) -> None:
    bio = connect_to(address(listener))
    p.BIO_set_info_callback(
        bio, lambda b, state, ret: state != p.BIO_CONN_S_CREATE_SOCKET
    )
    assert (p.BIO_do_connect(bio), p.BIO_get_fd(bio)) == (0, -1)
    p.BIO_set_info_callback(bio, None)
    assert p.BIO_do_connect(bio) == 1  # goes on from there


@clause("CV-7", "METH-8")
def test_exception_of_the_info_callback_is_raised(
    listener: socket.socket,
) -> None:
    bio = connect_to(address(listener))

    def fail(b: p.BIO, state: int, ret: int) -> int:
        if state == p.BIO_CONN_S_CONNECT:
            raise KeyError("no")
        return ret

    p.BIO_set_info_callback(bio, fail)
    with pytest.raises(KeyError):
        p.BIO_do_connect(bio)
    assert p.BIO_get_fd(bio) == -1
    ssl = links.make_ends()[0]
    p.SSL_set_bio(ssl, bio, bio)
    with pytest.raises(KeyError):
        p.SSL_do_handshake(ssl)
    p.BIO_set_info_callback(bio, lambda *a: "one")
    with pytest.raises(TypeError, match="info callback"):
        p.BIO_do_connect(bio)
    p.BIO_set_info_callback(bio, lambda b, s, r: p.BIO_do_connect(b))
    with pytest.raises(RuntimeError, match="callback"):
        p.BIO_do_connect(bio)
    p.BIO_set_info_callback(bio, None)
    assert p.BIO_do_connect(bio) == 1


@clause("BIO-37", "BIO-38")
def test_callback_stands_around_the_operations(
    listener: socket.socket,
) -> None:
    bio = connect_to(address(listener))
    seen: list[int] = []

    def callback(*a: Any) -> int:
        seen.append(a[1])
        return int(a[6])

    p.BIO_set_callback_ex(bio, callback)
    assert p.BIO_do_connect(bio) == 1
    assert p.BIO_write(bio, b"abc") == 3
    assert seen == [6, 0x86, 3, 0x83]
    assert p.BIO_free(bio) == 1
    assert seen[-1] == 1


# ---- threads, chains, TLS ---------------------------------------------------


@clause("CV-8")
def test_look_up_of_one_bio_keeps_nobody_from_another(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slow(host: Any, *rest: Any, **wishes: Any) -> Any:
        if host == "slow.test":
            asked.set()
            assert go_on.wait(20)
            host = "127.0.0.1"
        return look_up(host, *rest, **wishes)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    port = address(listener).rpartition(":")[2]
    waiting = connect_to(f"slow.test:{port}")
    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.append(p.BIO_do_connect(waiting))
    )
    thread.start()
    assert asked.wait(20)
    # The same BIO can be asked, others work.
    assert p.BIO_get_conn_hostname(waiting) == "slow.test"
    assert (p.BIO_get_fd(waiting), p.BIO_pending(waiting)) == (-1, 0)
    other = connect_to(address(listener))
    assert p.BIO_do_connect(other) == 1
    assert p.BIO_free(other) == 1
    go_on.set()
    thread.join(20)
    assert results == [1]


@clause("CV-8")
def test_threads_that_need_the_connection_share_one(
    listener: socket.socket,
) -> None:
    bio = connect_to(address(listener))
    start = threading.Barrier(4)
    results: list[int] = []

    def work() -> None:
        start.wait(20)
        results.append(p.BIO_write(bio, b"x"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert results == [1] * 4
    with listener.accept()[0] as peer:
        assert p.BIO_free(bio) == 1
        got = b""
        while data := peer.recv(9):
            got += data
        assert got == b"xxxx"
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


@clause("CV-8", "CONN-4")
def test_reset_wakes_a_thread_that_reads(listener: socket.socket) -> None:
    bio = connect_to(address(listener))
    assert p.BIO_do_connect(bio) == 1
    results: list[tuple[int, bytes]] = []
    thread = threading.Thread(target=lambda: results.append(read(bio, 9)))
    thread.start()
    with listener.accept()[0]:
        listener.close()  # should it read after the reset only
        while not bio._holds:
            assert thread.is_alive()
        assert p.BIO_reset(bio) == 0
        thread.join(20)
    assert results[0][0] <= 0


@clause("GE-10", "CONN-4")
@pytest.mark.parametrize("nonblocking", [0, 1])
@pytest.mark.parametrize("buffered", [False, True])
def test_handshake_through_a_connect_bio(
    listener: socket.socket, nonblocking: int, buffered: bool
) -> None:
    client, server = links.make_ends()
    bio = connect_to(address(listener))
    p.BIO_set_nbio(bio, nonblocking)
    top = bio
    if buffered:
        top = links.new_bio(p.BIO_f_buffer())
        assert p.BIO_push(top, bio) is top
    p.SSL_set_bio(client, top, top)
    served: list[int] = []

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            p.SSL_set_fd(server, peer.fileno())
            served.append(p.SSL_accept(server))
            served.append(p.SSL_write(server, b"welcome"))
            p.SSL_shutdown(server)

    thread = threading.Thread(target=serve)
    thread.start()
    codes = set()
    while (ret := p.SSL_connect(client)) != 1:
        code = p.SSL_get_error(client, ret)
        codes.add(code)
        fd = p.BIO_get_fd(top)
        assert fd == p.SSL_get_fd(client) >= 0
        if code == p.SSL_ERROR_WANT_READ:
            select.select([fd], [], [], 20)
        else:
            assert code == p.SSL_ERROR_WANT_CONNECT
            select.select([], [fd], [], 20)
    assert codes <= {p.SSL_ERROR_WANT_CONNECT, p.SSL_ERROR_WANT_READ}
    assert bool(codes) == bool(nonblocking)
    select.select([p.SSL_get_fd(client)], [], [], 20)
    thread.join(20)
    assert links.read(client) == b"welcome"
    assert served == [1, 7]


@clause("GE-3", "CONN-2", "CV-9")
def test_refused_connection_under_an_ssl_is_a_system_error() -> None:
    ssl = links.make_ends()[0]
    bio = connect_to(closed_port())
    p.SSL_set_bio(ssl, bio, bio)
    ret = p.SSL_connect(ssl)
    assert links.outcome(ssl, ret) == (-1, p.SSL_ERROR_SYSCALL)
    assert ssl.last_errno() == errno.ECONNREFUSED
    assert links.reasons() == [*REFUSED, (BIO, p.BIO_R_CONNECT_ERROR)]


@clause("CONN-1", "BIO-9")
def test_chain_with_a_connect_bio_comes_apart(listener: socket.socket) -> None:
    bio = connect_to(address(listener))
    top = links.new_bio(p.BIO_f_buffer())
    p.BIO_push(top, bio)
    assert p.BIO_do_connect(top) == 1  # through the head
    assert p.BIO_get_conn_hostname(top) == "127.0.0.1"
    assert p.BIO_puts(top, "line\n") == 5
    assert p.BIO_flush(top) == 1
    with listener.accept()[0] as peer:
        peer.sendall(b"one\ntwo\n")
        assert (p.BIO_gets(top, 9), p.BIO_gets(top, 9)) == (
            b"one\n",
            b"two\n",
        )
        assert p.BIO_pop(top) is bio
        assert peer.recv(9) == b"line\n"
        p.BIO_free_all(bio)
        assert peer.recv(9) == b""


@clause("BIO-1", "CONN-1")
def test_copy_of_a_chain_has_the_settings_and_no_connection(
    listener: socket.socket,
) -> None:
    bio = connect_to(address(listener))
    p.BIO_set_nbio(bio, 0)
    top = links.new_bio(p.BIO_f_buffer())
    p.BIO_push(top, bio)
    p.BIO_set_write_buffer_size(top, 5000)
    p.BIO_set_callback_arg(bio, "kept")
    assert p.BIO_do_connect(top) == 1
    copy = p.BIO_dup_chain(top)
    assert copy is not None
    end = p.BIO_next(copy)
    assert end is not None
    assert p.BIO_method_type(copy) == p.BIO_TYPE_BUFFER
    assert p.BIO_get_conn_port(end) == p.BIO_get_conn_port(bio)
    assert (p.BIO_get_fd(end), p.BIO_get_callback_arg(end)) == (-1, "kept")
    assert p.BIO_do_connect(copy) == 1
    assert p.BIO_get_fd(end) not in {-1, p.BIO_get_fd(bio)}
    assert p.BIO_write(copy, b"x" * 5000) == 5000
    assert p.BIO_wpending(copy) == 5000


@clause("BIO-25")
def test_chain_with_a_type_that_cannot_be_copied_is_refused() -> None:
    top = links.new_bio(p.BIO_f_buffer())
    p.BIO_push(top, links.new_bio(p.BIO_s_mem()))
    assert p.BIO_dup_chain(top) is None
    assert links.reasons() == [(BIO, p.BIO_R_UNSUPPORTED_METHOD)]
    assert p.BIO_dup_chain(None) is None
    with pytest.raises(TypeError):
        p.BIO_dup_chain("chain")
