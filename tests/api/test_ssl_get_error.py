"""SSL_get_error(3): contract section 2.1."""

from __future__ import annotations

import errno
import os
from typing import Any, Callable

import pytest

import pyssl as p
from tests.api.links import (
    Answer,
    MemLink,
    PairLink,
    PyLink,
    SockLink,
    connected,
    in_thread,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    put,
    py_end,
    raw_client,
    raw_server,
    read,
    reasons,
)
from tests.clauses import clause
from tests.forge import ForgeServer
from tests.forge.victim import client as forged_client
from tests.pki import ca

FOREIGN = (77, 5)
READ, WRITE, SPECIAL, RETRY = 1, 2, 4, 8

CODES = [
    ("NONE", 0),
    ("SSL", 1),
    ("WANT_READ", 2),
    ("WANT_WRITE", 3),
    ("WANT_X509_LOOKUP", 4),
    ("SYSCALL", 5),
    ("ZERO_RETURN", 6),
    ("WANT_CONNECT", 7),
    ("WANT_ACCEPT", 8),
    ("WANT_ASYNC", 9),
    ("WANT_ASYNC_JOB", 10),
    ("WANT_CLIENT_HELLO_CB", 11),
    ("WANT_RETRY_VERIFY", 12),
]


def established() -> PyLink:
    """Give a connection on Python BIOs."""
    link = PyLink(*make_ends())
    link.established()
    return link


@clause("GE-5")
@pytest.mark.parametrize(("name", "value"), CODES)
def test_codes_have_the_numbers_of_the_page(name: str, value: int) -> None:
    assert getattr(p, f"SSL_ERROR_{name}") == value


# ---- the decision, lines a to h -------------------------------------------

# (return, flags, reason of a special retry) of the BIO operation, then the
# code and SSL_want's value. Reading is line d, writing line e.
READING = [
    (-1, RETRY | READ, 0, 2),
    (-1, RETRY | WRITE, 0, 3),
    (0, RETRY | READ, 0, 2),
    (0, RETRY | WRITE, 0, 3),
    (-1, RETRY | READ | WRITE, 0, 2),
    (-1, RETRY | READ | SPECIAL, 2, 2),
    (-1, RETRY | SPECIAL, 2, 7),
    (-1, RETRY | SPECIAL, 3, 8),
    (-1, RETRY | SPECIAL, 1, 5),
    (-1, RETRY | SPECIAL, 0, 5),
    (-1, RETRY | SPECIAL, 99, 5),
    (-1, 0, 0, 5),
    (0, 0, 0, 5),
]

WRITING = [
    (-1, RETRY | WRITE, 0, 3),
    (-1, RETRY | READ, 0, 2),
    (0, RETRY | WRITE, 0, 3),
    (0, RETRY | READ, 0, 2),
    (-1, RETRY | READ | WRITE, 0, 3),
    (-1, RETRY | WRITE | SPECIAL, 3, 3),
    (-1, RETRY | SPECIAL, 2, 7),
    (-1, RETRY | SPECIAL, 3, 8),
    (-1, RETRY | SPECIAL, 1, 5),
    (-1, RETRY | SPECIAL, 0, 5),
    (-1, RETRY | SPECIAL, 99, 5),
    (-1, 0, 0, 5),
    (0, 0, 0, 5),
]

# Queue before the call, and what it makes of a failure and of a success.
QUEUES = [
    ([], None),
    ([(2, 5)], 5),
    ([(77, 5)], 1),
    ([(20, 100)], 1),
    ([(2, 5), (20, 100)], 5),
    ([(20, 100), (2, 5)], 1),
]

CALLS: dict[str, tuple[str, Callable[[p.SSL], int]]] = {
    "read": ("read", lambda ssl: p.SSL_read(ssl, bytearray(9))),
    "peek": ("read", lambda ssl: p.SSL_peek(ssl, bytearray(9))),
    "read_ex": ("read", lambda ssl: p.SSL_read_ex(ssl, bytearray(9))[0]),
    "peek_ex": ("read", lambda ssl: p.SSL_peek_ex(ssl, bytearray(9))[0]),
    "write": ("write", lambda ssl: p.SSL_write(ssl, b"data")),
    "write_ex": ("write", lambda ssl: p.SSL_write_ex(ssl, b"data")[0]),
}


def rows_for(operation: str) -> list[tuple[int, int, int, int]]:
    """Give the rows of line d or e."""
    return READING if operation == "read" else WRITING


@pytest.mark.parametrize("queue", QUEUES, ids=lambda row: str(row[0]))
@pytest.mark.parametrize("name", CALLS)
@clause("GE-1", "GE-2", "GE-3", "GE-7", "GE-8", "GE-10", "GE-11", "WANT-1")
def test_code_of_a_failed_transfer_by_the_table(name: str, queue: Any) -> None:
    operation, call = CALLS[name]
    before, forced = queue
    link = established()
    ssl, py = link.client, link.client_py
    for ret, flags, reason, code in rows_for(operation):
        py.tell(operation, Answer(ret, flags=flags, reason=reason))
        for entry in before:
            p.ERR_raise(*entry)

        got = call(ssl)

        expected = code if forced is None else forced
        assert got == (0 if name.endswith("_ex") else -1)
        for _ in range(3):  # a pure query
            assert p.SSL_get_error(ssl, got) == expected, (ret, flags, reason)
            assert p.SSL_get_error(ssl, -1) == expected
            assert p.SSL_get_error(ssl, 0) == expected
        assert p.SSL_get_error(ssl, 1) == 0
        assert p.SSL_want(ssl) == (3 if operation == "read" else 2)
        assert len(reasons()) == len(before)
        if operation == "write":
            p.SSL_set_mode(ssl, p.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
            call(ssl)
    assert p.SSL_state_string(ssl) == "SSLOK"


@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
@clause("GE-7", "GE-8", "GE-10", "GE-11", "HS-6", "HS-17", "WANT-2")
def test_code_of_a_handshake_that_reads_by_the_table(server: bool) -> None:
    ssl, py = py_end(server)
    for ret, flags, reason, code in READING:
        py.tell("read", Answer(ret, flags=flags, reason=reason))

        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, code)
        assert p.SSL_want(ssl) == p.SSL_READING
        assert reasons() == []
    assert py.count("read") == len(READING)


@clause("GE-7", "GE-8", "GE-10", "GE-11", "HS-6", "HS-17", "WANT-2")
def test_code_of_a_handshake_that_writes_by_the_table() -> None:
    ssl, py = py_end(False)
    for ret, flags, reason, code in WRITING:
        py.tell("write", Answer(ret, flags=flags, reason=reason))

        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, code)
        assert p.SSL_want(ssl) == p.SSL_WRITING
        assert reasons() == []
    assert py.count("write") == len(WRITING)


@clause("GE-5", "GE-2")
@pytest.mark.parametrize("entry", [None, (2, 5), (77, 5), (20, 244)])
def test_positive_value_is_0_whatever_is_queued(entry: Any) -> None:
    link = connected()
    if entry:
        p.ERR_raise(*entry)

    n = p.SSL_write(link.client, b"data")
    link.move()
    assert outcome(link.client, n) == (4, 0)
    buf = bytearray(4)
    assert outcome(link.server, p.SSL_peek(link.server, buf)) == (4, 0)
    assert outcome(link.server, p.SSL_read(link.server, buf)) == (4, 0)
    assert len(reasons()) == int(entry is not None)
    ssl = link.client
    assert [p.SSL_get_error(ssl, ret) for ret in (1, 2, 99999)] == [0, 0, 0]
    assert all(p.SSL_get_error(ssl, ret) for ret in (0, -1, -2))


@clause("GE-2", "GE-3")
@pytest.mark.parametrize(("entry", "code"), [((77, 5), 1), ((2, 5), 5)])
def test_stale_entry_disguises_a_read_and_stays(entry: Any, code: int) -> None:
    link = connected()
    p.ERR_raise(*entry)

    for call in (p.SSL_read, p.SSL_peek):
        got = call(link.client, bytearray(4))
        assert outcome(link.client, got) == (-1, code)
    assert p.SSL_write(link.client, b"x") == 1
    assert p.SSL_shutdown(link.client) == 0
    assert reasons() == [entry]
    assert outcome(link.client, p.SSL_read(link.client, bytearray(4))) == (
        -1,
        2,
    )


@clause("GE-4")
def test_feeding_the_bio_first_takes_the_answer_away() -> None:
    peer = raw_client()
    ret = p.SSL_do_handshake(peer.ssl)
    assert p.SSL_get_error(peer.ssl, ret) == 2
    put(peer.bio_in, b"\x16")

    assert p.SSL_get_error(peer.ssl, ret) == 5


@clause("GE-4")
def test_queue_of_another_thread_does_not_count() -> None:
    link = connected()
    ret = p.SSL_read(link.client, bytearray(1))
    thread, found = in_thread(lambda: p.ERR_raise(*FOREIGN))
    thread.join(10)

    assert found == [None]
    assert outcome(link.client, ret) == (-1, 2)


@clause("GE-3")
@pytest.mark.parametrize(("lib", "code"), [(2, 5), (77, 1), (20, 1)])
@pytest.mark.parametrize("name", ["read", "write"])
def test_entry_of_a_bio_counts_like_any_other(
    name: str, lib: int, code: int
) -> None:
    operation, call = CALLS[name]
    link = established()

    def fail(b: p.BIO, _: Any) -> int:
        p.BIO_clear_retry_flags(b)
        p.BIO_set_retry_read(b)
        p.ERR_raise(lib, 11)
        p.ERR_raise(2, 12)
        return -1

    getattr(p, f"BIO_meth_set_{operation}")(link.client_py.method, fail)

    assert outcome(link.client, call(link.client)) == (-1, code)
    assert reasons() == [(lib, 11), (2, 12)]


# ---- 1 --------------------------------------------------------------------


@clause("GE-6")
@pytest.mark.parametrize(
    ("misuse", "reason"),
    [
        (lambda ssl: p.SSL_read(ssl, bytearray(1), -1), 271),
        (lambda ssl: p.SSL_peek(ssl, bytearray(1), -1), 271),
        (lambda ssl: p.SSL_write(ssl, b"x", -1), 271),
    ],
    ids=["read", "peek", "write"],
)
def test_misuse_leaves_a_connection_usable(misuse: Any, reason: int) -> None:
    link = connected()

    assert outcome(link.client, misuse(link.client)) == (-1, 1)
    assert reasons() == [(20, reason)]
    link.send(link.client, b"still there")
    link.send(link.server, b"both ways")


@clause("GE-6")
@pytest.mark.parametrize("n", [4, 60000], ids=["fewer", "other"])
def test_wrong_retry_of_a_write_leaves_it_usable(n: int) -> None:
    link = PairLink(*make_ends(), size=2000)
    link.handshake()
    ssl, data = link.client, bytes(60000)
    assert outcome(ssl, p.SSL_write(ssl, data)) == (-1, 3)
    other = data[:n] if n < len(data) else bytes(bytearray(data))

    assert outcome(ssl, p.SSL_write(ssl, other)) == (-1, 1)
    assert len(reasons()) == 1
    got = 0
    sent = -1
    while got < len(data):
        if sent < 0:
            sent, code = outcome(ssl, p.SSL_write(ssl, data))
            assert code in (0, 3)
        n_read = p.SSL_read(link.server, bytearray(20000))
        got += max(n_read, 0)
    assert (sent, got) == (60000, 60000)


@clause("GE-6", "SD-9")
def test_shutdown_in_a_handshake_leaves_it_usable() -> None:
    link = make_link()
    link.step()
    assert outcome(link.client, p.SSL_shutdown(link.client)) == (-1, 1)
    assert reasons() == [(20, 407)]
    link.established()


@clause("GE-6")
def test_write_after_our_close_notify_leaves_reading_usable() -> None:
    link = connected()
    p.SSL_shutdown(link.client)
    assert outcome(link.client, p.SSL_write(link.client, b"x")) == (-1, 1)
    assert reasons() == [(20, 207)]
    p.SSL_write(link.server, b"late")
    link.move()
    assert read(link.client) == b"late"


@clause("GE-6")
def test_fatal_error_has_its_ssl_reason_last() -> None:
    # A point that is not on the curve: libcrypto finds it.
    forge = ForgeServer(ca.leaf(), group=0x0017)
    victim = forged_client(
        forge, prepare=lambda ssl: p.SSL_set1_groups_list(ssl, "P-256")
    )
    forge.on(
        "server_hello",
        lambda _peer, hello: hello.put(
            51, b"\x00\x17\x00\x41\x04" + b"\x01" * 64
        ),
    )

    assert victim.handshake() == (-1, 1)
    queue = reasons()
    assert queue[-1][0] == p.ERR_LIB_SSL
    assert all(lib != p.ERR_LIB_SYS for lib, _ in queue)
    assert p.SSL_get_error(victim.ssl, -1) == 5


# ---- 2, 3 -----------------------------------------------------------------


@clause("GE-7")
def test_read_may_want_to_write_and_write_to_read() -> None:
    link = PairLink(*make_ends(), size=50)
    ssl = link.client

    assert outcome(ssl, p.SSL_read(ssl, bytearray(1))) == (-1, 3)
    assert p.SSL_want(ssl) == p.SSL_WRITING
    server = link.server
    assert outcome(server, p.SSL_write(server, b"x")) == (-1, 2)
    assert p.SSL_want(server) == p.SSL_READING


@clause("GE-7")
@pytest.mark.parametrize("size", [1, 7, 64])
def test_any_number_of_rounds_ends(size: int) -> None:
    # A client that is done reads no tickets.
    link = PairLink(*make_ends(tickets=0), size=size)
    results = link.handshake()
    assert results[-1] == (1, 0)
    assert set(results) == {(-1, 2), (-1, 3), (1, 0)}
    assert len(results) > 1000 // size


# ---- 5 --------------------------------------------------------------------


@clause("GE-8", "HS-17", "CV-9")
@pytest.mark.parametrize("name", ["read", "write"])
def test_failed_transport_is_5_with_errno(name: str) -> None:
    with SockLink(*make_ends()) as link:
        link.handshake()
        p.SSL_set_fd(link.client, -1)

        got = CALLS[name][1](link.client)

        with pytest.raises(OSError):
            os.close(-1)
        assert outcome(link.client, got) == (-1, 5)
        assert link.client.last_errno() == errno.EBADF
        assert reasons() == []


@clause("GE-8", "SD-4", "RW-9", "RW-16")
def test_zero_with_code_5_only_where_nothing_failed() -> None:
    link = connected()
    ssl = link.client

    assert outcome(ssl, p.SSL_write(ssl, b"")) == (0, 5)
    p.SSL_write(link.server, b"data")
    link.move()
    assert read(ssl, 1) == b"d"
    assert outcome(ssl, p.SSL_read(ssl, bytearray(0))) == (0, 5)
    assert outcome(ssl, p.SSL_shutdown(ssl)) == (0, 5)
    assert reasons() == []


@clause("GE-8", "GE-9", "RW-8")
@pytest.mark.parametrize("ignored", [False, True])
def test_bare_end_is_1_unless_it_is_to_be_ignored(ignored: bool) -> None:
    link = connected()
    if ignored:
        p.SSL_set_options(link.client, p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    link.end(link.client)

    got = p.SSL_read(link.client, bytearray(1))

    assert outcome(link.client, got) == (0, 6 if ignored else 1)
    assert reasons() == ([] if ignored else [(20, 294)])


# ---- 6 --------------------------------------------------------------------


@clause("GE-9")
def test_clean_close_is_6_and_the_transport_may_still_be_open() -> None:
    link = connected()
    p.SSL_shutdown(link.server)
    link.move()

    for call in (p.SSL_read, p.SSL_peek, p.SSL_read):
        got = call(link.client, bytearray(1))
        assert outcome(link.client, got) == (0, 6)
    assert p.SSL_write(link.client, b"towards you") == 11
    link.move()
    assert read(link.server) == b"towards you"


@clause("GE-9", "HS-23", "RW-10", "ERR-20")
@pytest.mark.parametrize("established_first", [False, True])
def test_fatal_alert_is_never_6(established_first: bool) -> None:
    if established_first:
        link = connected()
        ssl = link.client
        p.BIO_write(link.server_in, b"\x17\x03\x03\x00\x20" + bytes(32))
        p.SSL_read(link.server, bytearray(1))
        reasons()
        link.move()
        got = p.SSL_read(ssl, bytearray(1))
        reason = 1020
    else:
        peer = raw_server()
        ssl = peer.ssl
        peer.feed(b"\x15\x03\x03\x00\x02\x02\x28")
        got = p.SSL_do_handshake(ssl)
        reason = 1040

    assert outcome(ssl, got) == (-1, 1)
    assert p.SSL_get_shutdown(ssl) == 2
    assert reasons() == [(20, reason)]
    assert p.SSL_get_error(ssl, -1) == 5
    assert outcome(ssl, p.SSL_read(ssl, bytearray(1))) == (-1, 5)
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)


# ---- 4, 11 ----------------------------------------------------------------


@clause("GE-12", "GE-13", "WANT-1", "WANT-2")
@pytest.mark.parametrize(
    ("which", "code", "want"),
    [("certificate", 4, 4), ("hello", 11, 7)],
)
@pytest.mark.parametrize("entry", [None, (77, 5), (2, 5)])
def test_suspended_handshake_has_its_code_unless_an_entry_is_queued(
    which: str, code: int, want: int, entry: Any
) -> None:
    client_ctx, server_ctx = make_contexts()
    if which == "hello":
        p.SSL_CTX_set_client_hello_cb(server_ctx, lambda *_: -1, None)
    else:
        p.SSL_CTX_set_cert_cb(server_ctx, lambda *_: -1, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    ret = link.step()[1][0]
    if entry:
        p.ERR_raise(*entry)
        code = 5 if entry[0] == p.ERR_LIB_SYS else 1

    for _ in range(2):
        assert p.SSL_get_error(link.server, ret) == code
        assert p.SSL_want(link.server) == want
