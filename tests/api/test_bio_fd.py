"""BIO_s_socket(3), BIO_s_fd(3), BIO_s_null(3)."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from pyssl.bio import (
    BIO,
    BIO_fd_non_fatal_error,
    BIO_fd_should_retry,
    BIO_new_fd,
    BIO_new_socket,
    BIO_s_fd,
    BIO_s_null,
    BIO_s_socket,
)
from pyssl.const import BIO_CLOSE, BIO_NOCLOSE
from pyssl.err import drain
from tests.api.bios import UNINITIALIZED, UNSUPPORTED, new, read
from tests.clauses import clause

READ_RETRY, WRITE_RETRY = 9, 10
Make = Callable[[int, int], BIO]
MAKERS = [BIO_new_socket, BIO_new_fd]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    a, b = socket.socketpair()
    a.setblocking(False)
    with a, b:
        yield a, b


def is_open(fd: int) -> bool:
    with contextlib.suppress(OSError):
        os.fstat(fd)
        return True
    return False


@clause("FD-1")
@pytest.mark.parametrize("make", MAKERS)
def test_descriptor_moves_bytes(ends, make: Make) -> None:
    a, b = ends
    bio = make(a.fileno(), BIO_NOCLOSE)
    assert bio.write(b"hello") == 5
    assert b.recv(9) == b"hello"
    b.send(b"world")
    assert read(bio, 3) == (3, b"wor")
    assert read(bio, 9) == (2, b"ld")
    assert (bio.number_read(), bio.number_written()) == (5, 5)


@clause("FD-1", "CV-9")
@pytest.mark.parametrize("make", MAKERS)
def test_descriptor_without_bytes_asks_for_a_retry(ends, make: Make) -> None:
    bio = make(ends[0].fileno(), BIO_NOCLOSE)
    assert read(bio, 9) == (-1, b"")
    assert BIO_fd_should_retry(-1) == 1
    assert bio.get_retry_flags() == READ_RETRY
    with contextlib.suppress(OSError):
        os.fstat(-1)
    assert (bio.last_errno(), bio.eof(), drain()) == (errno.EAGAIN, 0, [])


@clause("FD-1")
@pytest.mark.parametrize("make", MAKERS)
def test_descriptor_that_is_full_asks_for_a_retry(ends, make: Make) -> None:
    bio = make(ends[0].fileno(), BIO_NOCLOSE)
    while bio.write(bytes(65536)) > 0:
        assert bio.get_retry_flags() == 0
    assert bio.get_retry_flags() == WRITE_RETRY
    assert bio.last_errno() == errno.EAGAIN


@clause("FD-1")
@pytest.mark.parametrize("make", MAKERS)
def test_descriptor_whose_peer_closed_is_at_its_end(ends, make: Make) -> None:
    a, b = ends
    bio = make(a.fileno(), BIO_NOCLOSE)
    b.send(b"x")
    b.close()
    assert (read(bio, 9), bio.eof()) == ((1, b"x"), 0)
    assert (read(bio, 9), bio.eof()) == ((0, b""), 1)
    assert (bio.get_retry_flags(), drain()) == (0, [])


@clause("FD-1", "CV-9")
@pytest.mark.parametrize("make", MAKERS)
def test_descriptor_reset_by_peer_fails_once_then_ends(
    ends, make: Make
) -> None:
    a, b = ends
    bio = make(a.fileno(), BIO_NOCLOSE)
    assert bio.write(b"unread") == 6
    b.close()
    assert read(bio, 9) == (-1, b"")
    assert (bio.get_retry_flags(), bio.last_errno()) == (0, errno.ECONNRESET)
    assert bio.eof() == 0
    assert read(bio, 9) == (0, b"")
    assert bio.eof() == 1


@clause("FD-1")
def test_flags_of_one_direction_survive_the_other(ends) -> None:
    from pyssl._ffi import lib

    bio = BIO_new_socket(ends[0].fileno(), BIO_NOCLOSE)
    assert read(bio, 9)[0] == -1
    assert bio.write(b"x") == 1
    assert bio.get_retry_flags() == 0
    assert lib.pys_bio_retry(bio._native(), 0) == READ_RETRY
    assert lib.pys_bio_retry(bio._native(), 1) == 0
    assert lib.pys_bio_errno(bio._native(), 0) == errno.EAGAIN


@clause("FD-2")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        ("BIO_new_socket", "socket"),
        ("BIO_new_fd", "socket"),
        ("BIO_new_fd", "pipe"),
    ],
)
def test_write_to_a_closed_peer_raises_no_signal(make: str, kind: str) -> None:
    program = f"""
import os, signal, socket, sys
sys.path[:0] = {sys.path!r}
import tests.conftest
from pyssl.bio import {make}
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
a, b = socket.socketpair()
r, w = (b.detach(), a.detach()) if {kind!r} == "socket" else os.pipe()
os.close(r)
bio = {make}(w, 0)
for _ in range(3):
    assert bio.write(b"x") == -1
    assert (bio.last_errno(), bio.get_retry_flags()) == (32, 0)
assert signal.SIGPIPE not in signal.sigpending()
print(signal.SIGPIPE in signal.pthread_sigmask(signal.SIG_BLOCK, []))
os.kill(os.getpid(), signal.SIGPIPE)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert done.returncode == -13  # the signal of the last line still kills


@clause("FD-2")
@pytest.mark.parametrize("blocking", [True, False])
def test_blocking_mode_is_left_alone(ends, blocking: bool) -> None:
    a, b = ends
    a.setblocking(blocking)
    bio = BIO_new_socket(a.fileno(), BIO_NOCLOSE)
    b.send(b"x")
    read(bio, 1)
    bio.write(b"x")
    assert os.get_blocking(a.fileno()) is blocking


@clause("FD-2", "CV-8")
@pytest.mark.threads
def test_blocking_read_lets_other_threads_run(ends) -> None:
    a, b = ends
    a.setblocking(True)
    bio = BIO_new_socket(a.fileno(), BIO_NOCLOSE)
    got: list[tuple[int, bytes]] = []
    reader = threading.Thread(target=lambda: got.append(read(bio, 9)))
    reader.start()
    assert bio.write(b"meanwhile") == 9
    assert b.recv(9) == b"meanwhile"
    b.send(b"now")
    reader.join(20)
    assert got == [(3, b"now")]


@clause("FD-3", "BIO-18", "BIO-1")
@pytest.mark.parametrize("method", [BIO_s_socket, BIO_s_fd])
def test_descriptor_that_was_not_set(method, ends) -> None:
    bio = new(method())
    assert (bio.get_fd(), bio.get_init()) == (-1, 0)
    assert read(bio, 1)[0] == -1
    assert drain() == [UNINITIALIZED]
    assert bio.write(b"x") == -1
    assert drain() == [UNINITIALIZED]
    assert bio.set_fd(ends[0].fileno(), BIO_NOCLOSE) == 1
    assert (bio.get_fd(), bio.get_init()) == (ends[0].fileno(), 1)
    assert bio.get_close() == BIO_NOCLOSE
    assert bio.write(b"x") == 1


@clause("FD-3")
@pytest.mark.parametrize("make", MAKERS)
def test_descriptor_minus_one_fails_at_io(make: Make) -> None:
    bio = make(-1, BIO_CLOSE)
    assert bio.get_fd() == -1
    assert read(bio, 1)[0] == -1
    assert (bio.get_retry_flags(), bio.last_errno()) == (0, errno.EBADF)
    assert drain() == []


@clause("FD-4", "BIO-5")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("flag", [BIO_CLOSE, BIO_NOCLOSE])
def test_free_closes_by_the_flag(make: Make, flag: int) -> None:
    a, b = socket.socketpair()
    with b:
        fd = a.detach()
        bio = make(fd, flag)
        assert bio.get_close() == flag
        assert bio.free() == 1
        assert is_open(fd) is (flag == BIO_NOCLOSE)
        if flag == BIO_NOCLOSE:
            os.close(fd)


@clause("FD-4")
def test_free_shuts_a_socket_down_for_its_copies() -> None:
    a, b = socket.socketpair()
    with a, b:
        bio = BIO_new_socket(os.dup(a.fileno()), BIO_CLOSE)
        bio.free()
        assert b.recv(1) == b""
    a, b = socket.socketpair()
    with a, b:
        b.setblocking(False)
        bio = BIO_new_fd(os.dup(a.fileno()), BIO_CLOSE)
        bio.free()
        with pytest.raises(BlockingIOError):
            b.recv(1)


@clause("FD-4")
def test_set_fd_closes_what_it_replaces(ends) -> None:
    old = os.dup(ends[0].fileno())
    bio = BIO_new_fd(old, BIO_CLOSE)
    assert bio.set_fd(old, BIO_CLOSE) == 1
    assert is_open(old)
    assert bio.set_fd(ends[0].fileno(), BIO_NOCLOSE) == 1
    assert not is_open(old)


@clause("FD-5", "BIO-19")
@pytest.mark.parametrize("make", MAKERS)
def test_other_operations_of_a_descriptor(ends, make: Make) -> None:
    a, b = ends
    bio = make(a.fileno(), BIO_NOCLOSE)
    b.send(b"line\n")
    assert (bio.pending(), bio.wpending(), bio.flush()) == (0, 0, 1)
    assert bio.puts("puts") == 4
    assert b.recv(9) == b"puts"
    assert bio.gets(9) == -2
    assert drain() == [UNSUPPORTED]


@clause("FD-5")
def test_place_in_a_socket_a_pipe_and_a_file(ends, tmp_path) -> None:
    sock = BIO_new_socket(ends[0].fileno(), BIO_NOCLOSE)
    assert (sock.reset(), sock.seek(1), sock.tell()) == (0, 0, 0)
    r, w = os.pipe()
    pipe = BIO_new_fd(r, BIO_CLOSE)
    assert (pipe.reset(), pipe.seek(1), pipe.tell()) == (-1, -1, -1)
    os.close(w)
    with (tmp_path / "file").open("w+b") as f:
        file = BIO_new_fd(f.fileno(), BIO_NOCLOSE)
        assert file.write(b"0123456789") == 10
        assert file.tell() == 10
        assert file.seek(4) == 4
        assert read(file, 2) == (2, b"45")
        assert file.tell() == 6
        assert file.reset() == 0
        assert read(file, 99) == (10, b"0123456789")
        assert read(file, 99) == (0, b"")
        assert file.eof() == 1
        assert file.reset() == 0
        assert file.eof() == 0


NON_FATAL = {
    errno.EAGAIN,
    errno.EWOULDBLOCK,
    errno.EINTR,
    errno.EINPROGRESS,
    errno.EALREADY,
    errno.ENOTCONN,
}


@clause("FD-6")
def test_non_fatal_errors_are_exactly_these() -> None:
    found = {e for e in range(200) if BIO_fd_non_fatal_error(e) == 1}
    assert found == NON_FATAL
    assert BIO_fd_non_fatal_error(0) == 0


@clause("FD-6")
def test_fd_should_retry_looks_at_errno(ends) -> None:
    bio = BIO_new_socket(ends[0].fileno(), BIO_NOCLOSE)
    assert bio.read(bytearray(1)) == -1
    assert [BIO_fd_should_retry(r) for r in (-1, 0, 1, -2)] == [1, 1, 0, 0]
    bad = BIO_new_socket(-1, BIO_NOCLOSE)
    assert bad.read(bytearray(1)) == -1
    assert [BIO_fd_should_retry(r) for r in (-1, 0)] == [0, 0]


@clause("NULLB-1")
def test_null_swallows_and_is_empty() -> None:
    null = new(BIO_s_null())
    assert null.write(b"abc") == 3
    assert null.puts("de") == 2
    assert read(null, 5) == (0, b"")
    assert null.gets(5) == 0
    assert null.get_retry_flags() == 0
    assert (null.eof(), null.pending(), null.wpending()) == (1, 0, 0)
    assert (null.flush(), null.reset()) == (1, 1)
    assert (null.number_written(), null.number_read()) == (5, 0)
    assert drain() == []
