"""BIO_s_accept(3)."""

from __future__ import annotations

import errno
import gc
import os
import select
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.api.bios import UNINITIALIZED, UNSUPPORTED, custom, read
from tests.clauses import clause
from tests.pki import ca

SPECIAL_RETRY, READ_RETRY = 12, 9
BIO, SYS = p.ERR_LIB_BIO, p.ERR_LIB_SYS


def listening(name: str = "127.0.0.1:0", wait: bool = True) -> p.BIO:
    bio = p.BIO_new_accept(name)
    assert bio is not None
    assert p.BIO_set_nbio_accept(bio, int(not wait)) == 1
    assert p.BIO_do_accept(bio) == 1, links.reasons()
    return bio


def where(bio: p.BIO) -> tuple[str, int]:
    host, port = p.BIO_get_accept_name(bio), p.BIO_get_accept_port(bio)
    assert host is not None
    assert port is not None
    return host, int(port)


def call(bio: p.BIO) -> socket.socket:
    return socket.create_connection(where(bio), timeout=20)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@clause("CONN-5", "CONN-1")
def test_first_call_listens_and_the_next_accepts() -> None:
    bio = listening()
    assert p.BIO_get_fd(bio) >= 0
    assert p.BIO_next(bio) is None
    with call(bio) as peer:
        assert p.BIO_do_accept(bio) == 1
        assert p.BIO_do_accept(bio) == 1  # it is there already
        assert p.BIO_get_peer_name(bio) == "127.0.0.1"
        assert p.BIO_get_peer_port(bio) == str(peer.getsockname()[1])
        connection = p.BIO_next(bio)
        assert connection is not None
        assert p.BIO_method_type(connection) == p.BIO_TYPE_SOCKET
        assert p.BIO_pop(bio) is connection
        assert p.BIO_next(bio) is None
        peer.sendall(b"hello")
        assert read(connection, 9) == (5, b"hello")
        assert p.BIO_write(connection, b"answer") == 6
        assert peer.recv(9) == b"answer"
        p.BIO_free(connection)
        assert peer.recv(9) == b""
    with call(bio) as second:  # and the next one
        assert p.BIO_do_accept(bio) == 1
        second.sendall(b"2")
        assert read(bio, 9) == (1, b"2")


@clause("CONN-5", "BIO-31")
@pytest.mark.parametrize("io", ["do_accept", "read", "write"])
def test_nobody_there_is_a_special_retry(io: str) -> None:
    bio = listening(wait=False)

    def again() -> int:
        if io == "do_accept":
            return p.BIO_do_accept(bio)
        return read(bio, 3)[0] if io == "read" else p.BIO_write(bio, b"x")

    for _ in range(2):
        assert (again(), p.BIO_get_retry_flags(bio)) == (-1, SPECIAL_RETRY)
        assert p.BIO_get_retry_reason(bio) == p.BIO_RR_ACCEPT
        assert bio.last_errno() == errno.EAGAIN
    assert links.reasons() == []
    with call(bio) as peer:
        peer.sendall(b"abc")
        select.select([p.BIO_get_fd(bio)], [], [], 20)
        want = {"do_accept": 1, "read": 3, "write": 1}
        assert (again(), p.BIO_get_retry_flags(bio)) == (want[io], 0)


@clause("CONN-5")
def test_io_listens_accepts_and_reads_in_one() -> None:
    bio = p.BIO_new_accept("127.0.0.1:0")
    assert bio is not None
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(read(bio, 9)))
    thread.start()
    while p.BIO_get_fd(bio) == -1:
        assert thread.is_alive()
    with call(bio) as peer:
        peer.sendall(b"early")
        thread.join(20)
        assert results == [(5, b"early")]
        assert p.BIO_puts(bio, "back") == 4
        assert peer.recv(9) == b"back"
        assert (p.BIO_flush(bio), p.BIO_eof(bio)) == (1, 0)
        peer.close()
        assert (read(bio, 9)[0], p.BIO_eof(bio)) == (0, 1)


@clause("CONN-5", "FD-2")
def test_connections_block_or_not_as_asked() -> None:
    bio = listening()
    assert p.BIO_set_nbio(bio, 1) == 1
    with call(bio):
        assert p.BIO_do_accept(bio) == 1
        connection = p.BIO_pop(bio)
        assert connection is not None
        assert not os.get_blocking(p.BIO_get_fd(connection))
        assert read(connection, 3)[0] == -1
        assert p.BIO_get_retry_flags(connection) == READ_RETRY
    p.BIO_set_nbio(bio, 0)
    with call(bio):
        assert p.BIO_do_accept(bio) == 1
        connection = p.BIO_pop(bio)
        assert connection is not None
        assert os.get_blocking(p.BIO_get_fd(connection))


@clause("CONN-5", "BUF-3")
def test_each_connection_gets_a_copy_of_the_chain_in_front() -> None:
    bio = listening()
    first = links.new_bio(p.BIO_f_buffer())
    assert p.BIO_set_write_buffer_size(first, 6000) == 1
    assert p.BIO_set_accept_bios(bio, first) == 1
    got = []
    for _ in range(2):
        with call(bio) as peer:
            assert p.BIO_do_accept(bio) == 1
            chain = p.BIO_pop(bio)
            assert chain is not None
            got.append(chain)
            assert p.BIO_method_type(chain) == p.BIO_TYPE_BUFFER
            peer.sendall(b"a\nb\n")
            lines = p.BIO_gets(chain, 9), p.BIO_gets(chain, 9)
            assert lines == (b"a\n", b"b\n")
            assert p.BIO_write(chain, b"x" * 6000) == 6000
            assert p.BIO_wpending(chain) == 6000
            p.BIO_free_all(chain)
    assert got[0] is not got[1]
    assert first not in got
    assert p.BIO_set_accept_bios(bio, None) == 1
    with call(bio):
        assert p.BIO_do_accept(bio) == 1
        chain = p.BIO_pop(bio)
        assert chain is not None
        assert p.BIO_method_type(chain) == p.BIO_TYPE_SOCKET


@clause("CONN-5", "BIO-3", "CV-3")
def test_chain_for_connections_lives_as_long_as_the_accept_bio() -> None:
    gone: list[int] = []
    chain = custom(
        0x200 | 202,
        ctrl=lambda b, cmd, n, arg: 0,
        destroy=lambda b: gone.append(1) or 1,
    )
    bio = listening()
    assert p.BIO_set_accept_bios(bio, chain) == 1
    assert p.BIO_free(chain) == 1
    assert gone == []
    with call(bio) as peer:
        # It cannot be copied, so the connection is given up.
        assert p.BIO_do_accept(bio) == -1
        assert links.reasons() == [(BIO, p.BIO_R_UNSUPPORTED_METHOD)]
        assert not p.BIO_should_retry(bio)
        assert peer.recv(9) == b""
    gone.clear()  # of what was copied in vain
    assert p.BIO_free(bio) == 1
    assert gone == [1]
    with pytest.raises(TypeError):
        p.BIO_set_accept_bios(listening(), "chain")


# ---- where ------------------------------------------------------------------


@clause("CONN-5")
@pytest.mark.parametrize(
    ("name", "before", "family"),
    [
        ("127.0.0.1:0", ("127.0.0.1", "0"), socket.AF_INET),
        ("0", (None, "0"), 0),
        ("*:0", (None, "0"), 0),
        ("localhost:0", ("localhost", "0"), 0),
        ("[::1]:0", ("::1", "0"), socket.AF_INET6),
    ],
)
def test_name_says_where_to_listen(
    name: str, before: tuple[str, str], family: int
) -> None:
    bio = p.BIO_new_accept(name)
    assert bio is not None
    assert (p.BIO_get_accept_name(bio), p.BIO_get_accept_port(bio)) == before
    assert (p.BIO_get_fd(bio), p.BIO_get_peer_name(bio)) == (-1, None)
    if p.BIO_do_accept(bio) != 1 and family == socket.AF_INET6:
        pytest.skip("no IPv6 here")
    host, port = where(bio)
    assert port > 0
    assert host.count(".") == 3 or ":" in host


@clause("CONN-5")
def test_port_alone_keeps_the_host() -> None:
    bio = links.new_bio(p.BIO_s_accept())
    assert p.BIO_set_accept_name(bio, "127.0.0.1:1") == 1
    assert p.BIO_set_accept_port(bio, b"0") == 1
    assert p.BIO_get_accept_name(bio) == "127.0.0.1"
    assert p.BIO_get_accept_port(bio) == "0"
    assert p.BIO_set_accept_port(bio, "*:5") == 1
    assert p.BIO_get_accept_name(bio) is None


@clause("CONN-5", "BIO-18", "CV-2")
def test_no_port_and_no_name_are_entries() -> None:
    bio = links.new_bio(p.BIO_s_accept())
    missing = (BIO, p.BIO_R_NO_ACCEPT_ADDR_OR_SERVICE_SPECIFIED)
    assert p.BIO_do_accept(bio) == -1
    assert links.reasons() == [missing]
    assert read(bio, 3)[0] == -1
    assert p.ERR_get_error() == UNINITIALIZED
    assert p.BIO_set_accept_name(bio, "*:*") == 1
    assert (read(bio, 3)[0], links.reasons()) == (-1, [missing])
    assert p.BIO_set_accept_port(bio, "65536") == 1
    assert p.BIO_do_accept(bio) == -1
    assert links.reasons() == [(BIO, p.BIO_R_INVALID_ARGUMENT)]
    assert p.BIO_new_accept("a:b:c") is None
    assert links.reasons() == [(BIO, p.BIO_R_AMBIGUOUS_HOST_OR_SERVICE)]
    assert p.BIO_set_accept_name(bio, "no such host:1") == 1
    assert p.BIO_do_accept(bio) == -1
    assert links.reasons() == [(BIO, p.ERR_R_SYS_LIB)]
    for bad in (None, 5):
        with pytest.raises(TypeError):
            p.BIO_set_accept_name(bio, bad)


@clause("CONN-5")
def test_port_in_use_is_a_system_error() -> None:
    taken = listening()
    bio = p.BIO_new_accept("{}:{}".format(*where(taken)))
    assert bio is not None
    assert p.BIO_do_accept(bio) == -1
    assert not p.BIO_should_retry(bio)
    assert bio.last_errno() == errno.EADDRINUSE
    want = [(SYS, errno.EADDRINUSE), (BIO, p.BIO_R_UNABLE_TO_BIND_SOCKET)]
    assert links.reasons() == want
    assert p.BIO_free(taken) == 1
    assert p.BIO_do_accept(bio) == 1  # it is free now


@clause("CONN-5")
def test_bind_mode_is_kept_and_lets_a_port_be_used_again() -> None:
    bio = links.new_bio(p.BIO_s_accept())
    assert p.BIO_get_bind_mode(bio) == p.BIO_BIND_NORMAL
    assert p.BIO_set_bind_mode(bio, p.BIO_BIND_REUSEADDR) == 1
    assert p.BIO_get_bind_mode(bio) == p.BIO_BIND_REUSEADDR
    assert p.BIO_set_bind_mode(bio, 77) == 0
    assert p.BIO_get_bind_mode(bio) == p.BIO_BIND_REUSEADDR
    old = links.new_bio(p.BIO_s_accept())
    p.BIO_set_accept_name(old, "127.0.0.1:0")
    p.BIO_set_bind_mode(old, p.BIO_BIND_REUSEADDR_IF_UNUSED)
    assert p.BIO_do_accept(old) == 1
    address = where(old)
    with call(old) as peer:
        assert p.BIO_do_accept(old) == 1
        p.BIO_free_all(old)  # we close first: TIME_WAIT is ours
        assert peer.recv(9) == b""
    p.BIO_set_accept_name(bio, "{}:{}".format(*address))
    assert p.BIO_do_accept(bio) == 1, links.reasons()


# ---- life -------------------------------------------------------------------


@clause("BIO-5", "CONN-5", "CV-3")
@pytest.mark.parametrize("close", [p.BIO_CLOSE, p.BIO_NOCLOSE])
@pytest.mark.parametrize("collect", [False, True])
def test_close_flag_says_what_becomes_of_the_listener(
    close: int, collect: bool
) -> None:
    bio = listening()
    fd = p.BIO_get_fd(bio)
    assert (p.BIO_get_close(bio), p.BIO_set_close(bio, close)) == (1, 1)
    assert p.BIO_get_close(bio) == close
    if not collect:
        assert p.BIO_free(bio) == 1
    del bio
    gc.collect()
    assert is_open(fd) == (close == p.BIO_NOCLOSE)
    if close == p.BIO_NOCLOSE:
        os.close(fd)


@clause("CONN-4", "CONN-5", "CV-8")
def test_reset_stops_listening_and_wakes_who_waits() -> None:
    bio = listening()
    address = where(bio)
    results: list[Any] = []

    def wait() -> None:
        results.append((p.BIO_do_accept(bio), links.reasons()))

    thread = threading.Thread(target=wait)
    thread.start()
    while not bio._keep.busy:
        assert thread.is_alive()
    assert p.BIO_reset(bio) == 0
    thread.join(20)
    ((ret, reasons),) = results
    assert ret == -1
    assert reasons[-1] == (BIO, p.BIO_R_ACCEPT_ERROR)
    assert p.BIO_get_fd(bio) == -1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=20)
    assert p.BIO_do_accept(bio) == 1


@clause("BIO-3", "BIO-4")
def test_free_all_takes_listener_and_connection() -> None:
    bio = listening()
    with call(bio) as peer:
        assert p.BIO_do_accept(bio) == 1
        fd = p.BIO_get_fd(bio)
        p.BIO_free_all(bio)
        assert peer.recv(9) == b""
        assert not is_open(fd)
    with pytest.raises(ValueError, match="freed"):
        p.BIO_do_accept(bio)


@clause("BIO-13", "BIO-19", "BIO-25", "BIO-27")
def test_commands_of_an_accept_bio() -> None:
    bio = links.new_bio(p.BIO_s_accept())
    assert p.BIO_method_type(bio) == p.BIO_TYPE_ACCEPT == 0x50D
    assert p.BIO_method_name(bio) == "socket accept"
    assert p.BIO_gets(bio, 9) == -2
    assert p.BIO_set_info_callback(bio, print) == -2
    assert [p.ERR_get_error(), p.ERR_get_error()] == [UNSUPPORTED] * 2
    assert (p.BIO_flush(bio), p.BIO_eof(bio), p.BIO_reset(bio)) == (1, 0, 0)
    assert (p.BIO_pending(bio), p.BIO_wpending(bio)) == (0, 0)
    for cmd in (999, p.BIO_C_SET_ACCEPT, p.BIO_C_GET_ACCEPT):
        assert p.BIO_ctrl(bio, cmd, 9, None) == 0
    assert links.reasons() == []


@clause("CONN-5", "BIO-37")
def test_connection_inherits_the_callbacks() -> None:
    bio = listening()
    seen: list[tuple[int, int]] = []

    def callback(b: p.BIO, *a: Any) -> int:
        seen.append((p.BIO_method_type(b), a[0]))
        return int(a[5])

    p.BIO_set_callback_ex(bio, callback)
    with call(bio):
        assert p.BIO_do_accept(bio) == 1
        connection = p.BIO_pop(bio)
        assert connection is not None
        assert p.BIO_write(connection, b"x") == 1
    assert (p.BIO_TYPE_SOCKET, 3) in seen
    assert (p.BIO_TYPE_ACCEPT, 6) in seen


@clause("CONN-5")
def test_copy_of_an_accept_bio_listens_for_itself() -> None:
    bio = listening()
    p.BIO_set_accept_bios(bio, links.new_bio(p.BIO_f_buffer()))
    copy = p.BIO_dup_chain(bio)
    assert copy is not None
    assert (p.BIO_get_fd(copy), p.BIO_do_accept(copy)) == (-1, 1)
    assert where(copy) != where(bio)
    with call(copy):
        assert p.BIO_do_accept(copy) == 1
        front = p.BIO_pop(copy)
        assert front is not None
        assert p.BIO_method_type(front) == p.BIO_TYPE_BUFFER


# ---- TLS --------------------------------------------------------------------


@clause("GE-10", "CONN-5")
def test_ssl_over_an_accept_bio_waits_for_a_connection() -> None:
    client, server = links.make_ends(tickets=0)
    bio = listening(wait=False)
    p.BIO_set_nbio(bio, 1)
    p.SSL_set_bio(server, bio, bio)
    for _ in range(2):
        ret = p.SSL_accept(server)
        assert links.outcome(server, ret) == (-1, p.SSL_ERROR_WANT_ACCEPT)
        assert p.SSL_want(server) == p.SSL_READING
    with call(bio) as peer:
        peer.setblocking(False)
        p.SSL_set_fd(client, peer.fileno())
        done: set[int] = set()
        while len(done) < 2:
            for i, ssl in enumerate((client, server)):
                ret = p.SSL_do_handshake(ssl)
                code = p.SSL_get_error(ssl, ret)
                assert code in {0, p.SSL_ERROR_WANT_READ, 8}
                if ret == 1:
                    done.add(i)
        assert p.SSL_write(server, b"served") == 6
        select.select([peer], [], [], 20)
        assert links.read(client) == b"served"


@clause("CONN-5", "FSSL-1", "FSSL-3", "BUF-3", "BIO-8")
@pytest.mark.parametrize("version", ["-tls1_3", "-tls1_2"])
def test_openssl_client_talks_to_accept_with_ssl_and_buffer(
    version: str, tmp_path: Path
) -> None:
    """buffer -> ssl in front of each connection, as on the page."""
    identity = ca.leaf("p256")
    (tmp_path / "ca.pem").write_bytes(identity.ca_pem)
    _, ctx = links.make_contexts()
    chain = links.new_bio(p.BIO_f_buffer())
    tls = p.BIO_new_ssl(ctx, 0)
    assert tls is not None
    p.BIO_push(chain, tls)
    bio = listening()
    assert p.BIO_set_accept_bios(bio, chain) == 1
    command = [
        *("openssl", "s_client", "-quiet", "-no_ign_eof", version),
        *("-connect", "{}:{}".format(*where(bio))),
        *("-CAfile", str(tmp_path / "ca.pem"), "-verify_return_error"),
        *("-servername", links.HOST),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as peer:
        try:
            assert peer.stdin is not None
            assert peer.stdout is not None
            assert p.BIO_do_accept(bio) == 1
            connection = p.BIO_pop(bio)
            assert connection is not None
            assert p.BIO_do_handshake(connection) == 1, links.reasons()
            peer.stdin.write(b"first line\nsecond line\n")
            peer.stdin.flush()
            assert p.BIO_gets(connection, 99) == b"first line\n"
            assert p.BIO_gets(connection, 99) == b"second line\n"
            assert p.BIO_puts(connection, "and back\n") == 9
            assert p.BIO_flush(connection) == 1
            assert peer.stdout.readline() == b"and back\n"
            peer.stdin.close()
            assert p.BIO_gets(connection, 99) == 0  # close_notify
            assert p.BIO_get_retry_flags(connection) == 0
            p.BIO_free_all(connection)
            assert peer.wait(20) == 0
        finally:
            peer.kill()
    assert links.reasons() == []
