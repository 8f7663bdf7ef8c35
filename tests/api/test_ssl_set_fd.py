"""SSL_set_fd(3): descriptors under an SSL (contract 4.2)."""

from __future__ import annotations

import errno
import gc
import os
import socket
from collections.abc import Iterator
from typing import Callable

import pytest

import pyssl as p
from tests.api import links
from tests.api.bios import FILTER, SOURCE
from tests.clauses import clause

DESCRIPTOR = 0x100

Socks = tuple[socket.socket, socket.socket]

SETTERS: dict[str, Callable[[p.SSL, int], int]] = {
    "set_fd": p.SSL_set_fd,
    "set_rfd": p.SSL_set_rfd,
    "set_wfd": p.SSL_set_wfd,
}


@pytest.fixture
def socks() -> Iterator[Socks]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def _new() -> p.SSL:
    return links.make_ends()[0]


def _fds(ssl: p.SSL) -> tuple[int, int, int]:
    """Give the answers of the three getters; the queue must stay empty."""
    found = p.SSL_get_fd(ssl), p.SSL_get_rfd(ssl), p.SSL_get_wfd(ssl)
    assert links.reasons() == []
    return found


@clause("FDS-1")
def test_set_fd_sets_one_socket_bio_for_both_directions(socks: Socks) -> None:
    ssl, fd = _new(), socks[0].fileno()
    assert p.SSL_set_fd(ssl, fd) == 1
    bio = p.SSL_get_rbio(ssl)
    assert bio is not None
    assert p.SSL_get_wbio(ssl) is bio
    assert p.BIO_method_type(bio) == p.BIO_TYPE_SOCKET
    assert p.BIO_get_close(bio) == p.BIO_NOCLOSE
    assert p.BIO_get_fd(bio) == fd
    assert _fds(ssl) == (fd, fd, fd)


@clause("FDS-1", "OWN-2")
def test_set_fd_releases_the_bios_held_before(socks: Socks) -> None:
    ssl, rbio, wbio = _new(), links.PyBio(), links.PyBio()
    p.SSL_set_bio(ssl, rbio.bio, wbio.bio)
    p.BIO_free(rbio.bio)
    p.BIO_free(wbio.bio)
    assert p.SSL_set_fd(ssl, socks[0].fileno()) == 1
    assert (rbio.n_destroyed, wbio.n_destroyed) == (1, 1)


@clause("FDS-1")
@pytest.mark.parametrize("setter", SETTERS)
def test_descriptor_stays_open_when_the_ssl_goes(
    setter: str, socks: Socks
) -> None:
    near, far = socks
    ssl = _new()
    assert SETTERS[setter](ssl, near.fileno()) == 1
    # Also when it is replaced.
    p.SSL_set_bio(ssl, None, None)
    os.fstat(near.fileno())
    assert SETTERS[setter](ssl, near.fileno()) == 1
    p.SSL_free(ssl)
    del ssl
    gc.collect()
    os.fstat(near.fileno())
    near.send(b"open")
    assert far.recv(9) == b"open"


@clause("FDS-1")
@pytest.mark.parametrize("setter", SETTERS)
def test_set_fd_when_memory_is_short_is_0_with_an_entry(
    setter: str, socks: Socks
) -> None:
    from pyssl._ffi import lib

    ssl = _new()
    lib.pys_test_fail_alloc(1)
    try:
        assert SETTERS[setter](ssl, socks[0].fileno()) == 0
    finally:
        lib.pys_test_fail_alloc(0)
    assert links.reasons() == [(p.ERR_LIB_BIO, p.ERR_R_MALLOC_FAILURE)]
    assert p.SSL_get_rbio(ssl) is None
    assert p.SSL_get_wbio(ssl) is None
    assert SETTERS[setter](ssl, socks[0].fileno()) == 1


@clause("FDS-1", "OWN-1")
def test_set_fd_carries_a_whole_connection() -> None:
    with links.SockLink(*links.make_ends()) as link:
        assert link.handshake() == [(1, 0), (1, 0)]
        link.send(link.client, b"ping")
        link.send(link.server, b"pong")


@clause("FDS-2")
def test_set_rfd_and_set_wfd_set_one_direction_only(socks: Socks) -> None:
    near, far = (sock.fileno() for sock in socks)
    ssl, other = _new(), links.mem()

    p.SSL_set_bio(ssl, other, other)
    assert p.SSL_set_rfd(ssl, near) == 1
    assert p.SSL_get_wbio(ssl) is other
    assert _fds(ssl) == (near, near, -1)

    p.SSL_set_bio(ssl, other, other)
    assert p.SSL_set_wfd(ssl, far) == 1
    assert p.SSL_get_rbio(ssl) is other
    assert _fds(ssl) == (-1, -1, far)

    assert p.SSL_set_rfd(ssl, near) == 1
    assert _fds(ssl) == (near, near, far)
    assert p.SSL_get_rbio(ssl) is not p.SSL_get_wbio(ssl)
    for bio in (p.SSL_get_rbio(ssl), p.SSL_get_wbio(ssl)):
        assert bio is not None
        assert p.BIO_get_close(bio) == p.BIO_NOCLOSE


@clause("FDS-2")
@pytest.mark.parametrize("first", ["set_rfd", "set_wfd"])
def test_set_rfd_and_set_wfd_of_one_descriptor_share_a_bio(
    first: str, socks: Socks
) -> None:
    second = "set_wfd" if first == "set_rfd" else "set_rfd"
    ssl, fd = _new(), socks[0].fileno()
    assert SETTERS[first](ssl, fd) == 1
    one = p.SSL_get_rbio(ssl) or p.SSL_get_wbio(ssl)
    assert SETTERS[second](ssl, fd) == 1
    assert p.SSL_get_rbio(ssl) is one
    assert p.SSL_get_wbio(ssl) is one


@clause("FDS-2")
def test_set_rfd_shares_no_bio_that_is_no_socket(socks: Socks) -> None:
    ssl, fd = _new(), socks[0].fileno()
    plain = p.BIO_new_fd(fd, p.BIO_NOCLOSE)
    p.SSL_set0_wbio(ssl, plain)
    assert p.SSL_set_rfd(ssl, fd) == 1
    made = p.SSL_get_rbio(ssl)
    assert made is not None
    assert made is not plain
    assert p.BIO_method_type(made) == p.BIO_TYPE_SOCKET
    assert p.SSL_get_wbio(ssl) is plain


@clause("FDS-2")
def test_set_wfd_when_the_shared_bio_was_given_up_still_shares(
    socks: Socks,
) -> None:
    ssl, fd = _new(), socks[0].fileno()
    sock_bio = p.BIO_new_socket(fd, p.BIO_NOCLOSE)
    p.SSL_set0_rbio(ssl, sock_bio)
    assert p.BIO_free(sock_bio) == 1
    assert p.SSL_set_wfd(ssl, fd) == 1
    assert p.SSL_get_wbio(ssl) is sock_bio


@clause("FDS-2")
def test_set_rfd_and_set_wfd_of_two_pipes_carry_a_connection() -> None:
    ends = links.make_ends()
    there, back = os.pipe(), os.pipe()
    # Pipes are no sockets: fd BIOs below, and the getters see them.
    for ssl, rfd, wfd in (
        (ends[0], back[0], there[1]),
        (ends[1], there[0], back[1]),
    ):
        p.SSL_set_bio(
            ssl,
            p.BIO_new_fd(rfd, p.BIO_CLOSE),
            p.BIO_new_fd(wfd, p.BIO_CLOSE),
        )
        assert _fds(ssl) == (rfd, rfd, wfd)
    server, found = links.in_thread(lambda: p.SSL_do_handshake(ends[1]))
    assert p.SSL_do_handshake(ends[0]) == 1
    server.join(10)
    assert found == [1]


@clause("FDS-2")
def test_set_rfd_and_set_wfd_of_two_sockets_carry_a_connection() -> None:
    ends = links.make_ends()
    there, back = socket.socketpair(), socket.socketpair()
    with there[0], there[1], back[0], back[1]:
        for ssl, rsock, wsock in (
            (ends[0], back[0], there[1]),
            (ends[1], there[0], back[1]),
        ):
            assert p.SSL_set_rfd(ssl, rsock.fileno()) == 1
            assert p.SSL_set_wfd(ssl, wsock.fileno()) == 1
        server, found = links.in_thread(lambda: p.SSL_do_handshake(ends[1]))
        assert p.SSL_do_handshake(ends[0]) == 1
        server.join(10)
        assert found == [1]


@clause("FDS-3", "CV-9", "HS-17")
@pytest.mark.parametrize("setter", SETTERS)
@pytest.mark.parametrize("fd", [-1, 1 << 20])
def test_set_fd_takes_any_number_and_io_fails_with_ebadf(
    setter: str, fd: int
) -> None:
    ssl = _new()
    mem = links.mem()
    p.SSL_set_bio(ssl, mem, mem)
    assert SETTERS[setter](ssl, fd) == 1
    assert links.reasons() == []
    if setter == "set_rfd":  # the ClientHello goes out, then it reads
        p.SSL_set_fd(ssl, fd)
    for _ in range(2):
        ret = p.SSL_do_handshake(ssl)
        assert links.outcome(ssl, ret) == (-1, p.SSL_ERROR_SYSCALL)
        assert ssl.last_errno() == errno.EBADF
        assert links.reasons() == []


@clause("FDS-3", "CV-9")
def test_read_of_a_bad_descriptor_fails_with_ebadf() -> None:
    link = links.connected()
    assert p.SSL_set_rfd(link.client, 1 << 20) == 1
    got = p.SSL_read(link.client, bytearray(9))
    assert links.outcome(link.client, got) == (-1, p.SSL_ERROR_SYSCALL)
    assert link.client.last_errno() == errno.EBADF
    # A transport failure is not the end (HS-17).
    p.SSL_set0_rbio(link.client, link.client_in)
    link.send(link.server, b"back again")


@clause("FDS-1", "CV-9", "HS-17", "RW-8")
def test_read_of_a_reset_socket_is_syscall_once_and_then_the_end() -> None:
    with links.SockLink(*links.make_ends()) as link:
        link.handshake()
        # What the peer has not read makes its close a reset.
        assert p.SSL_write(link.client, b"never read") == 10
        link.server_sock.close()
        got = p.SSL_read(link.client, bytearray(9))
        assert links.outcome(link.client, got) == (-1, p.SSL_ERROR_SYSCALL)
        assert link.client.last_errno() == errno.ECONNRESET
        assert links.reasons() == []
        got = p.SSL_read(link.client, bytearray(9))
        assert links.outcome(link.client, got) == (0, p.SSL_ERROR_SSL)
        unexpected = p.SSL_R_UNEXPECTED_EOF_WHILE_READING
        assert links.reasons() == [(p.ERR_LIB_SSL, unexpected)]


@clause("FDS-3", "CV-2")
@pytest.mark.parametrize("setter", SETTERS)
def test_set_fd_of_what_is_no_number_changes_nothing(
    setter: str, socks: Socks
) -> None:
    ssl = _new()
    fd = socks[0].fileno()
    assert p.SSL_set_fd(ssl, fd) == 1
    for bad in (None, "3", 3.0, socks[1]):
        with pytest.raises(TypeError):
            SETTERS[setter](ssl, bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        SETTERS[setter](ssl, 1 << 40)
    assert _fds(ssl) == (fd, fd, fd)


@clause("FDS-4")
def test_get_fd_without_descriptor_is_minus_1() -> None:
    ssl = _new()
    assert _fds(ssl) == (-1, -1, -1)
    mem = links.mem()
    p.SSL_set_bio(ssl, mem, mem)
    assert _fds(ssl) == (-1, -1, -1)
    half, _ = links.bio_pair()
    p.SSL_set_bio(ssl, half, links.PyBio().bio)
    assert _fds(ssl) == (-1, -1, -1)


@clause("FDS-4")
def test_get_fd_of_a_socket_bio_without_descriptor_is_minus_1() -> None:
    ssl = _new()
    bio = links.new_bio(p.BIO_s_socket())
    p.SSL_set_bio(ssl, bio, bio)
    assert _fds(ssl) == (-1, -1, -1)


@clause("FDS-4")
def test_get_fd_on_a_half_set_object_leaves_no_entry(socks: Socks) -> None:
    ssl, fd = _new(), socks[0].fileno()
    assert p.SSL_set_wfd(ssl, fd) == 1
    assert links.reasons() == []
    assert _fds(ssl) == (-1, -1, fd)


@clause("FDS-4")
def test_get_fd_looks_behind_the_filters_of_a_chain(socks: Socks) -> None:
    near, far = (sock.fileno() for sock in socks)
    ssl = _new()

    def chain(fd: int) -> p.BIO:
        head = links.new_bio(p.BIO_meth_new(FILTER, "filter"))
        sock_bio = p.BIO_new_socket(fd, p.BIO_NOCLOSE)
        assert p.BIO_push(head, sock_bio) is head
        return head

    p.SSL_set_bio(ssl, chain(near), chain(far))
    assert _fds(ssl) == (near, near, far)


@clause("FDS-4")
def test_get_fd_asks_a_descriptor_bio_in_python() -> None:
    asked = []

    def ctrl(b: p.BIO, cmd: int, larg: int, parg: object) -> int:
        asked.append(cmd)
        return 77 if cmd == p.BIO_C_GET_FD else 0

    ssl, method = _new(), p.BIO_meth_new(SOURCE | DESCRIPTOR, "test")
    p.BIO_meth_set_ctrl(method, ctrl)
    bio = links.new_bio(method)
    p.SSL_set_bio(ssl, bio, bio)
    assert _fds(ssl) == (77, 77, 77)
    assert p.BIO_C_GET_FD in asked


@clause("FDS-4")
def test_get_fd_of_a_descriptor_bio_that_cannot_tell_leaves_no_entry() -> None:
    ssl = _new()
    bio = links.new_bio(p.BIO_meth_new(SOURCE | DESCRIPTOR, "test"))
    p.SSL_set_bio(ssl, bio, bio)
    assert _fds(ssl) == (-1, -1, -1)


@clause("FDS-4")
def test_get_fd_leaves_older_entries_in_the_queue() -> None:
    ssl = _new()
    assert p.BIO_write(links.new_bio(p.BIO_s_bio()), b"x") == -1
    before = p.ERR_peek_error()
    assert p.SSL_get_fd(ssl) == p.SSL_get_wfd(ssl) == -1
    assert p.ERR_peek_error() == before
    assert links.reasons() == [(32, 120)]
