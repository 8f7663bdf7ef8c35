"""How a handshake fails: contract section 1.1, HS-14 to HS-18."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, Callable

import pytest

import pyssl as p
from tests.api.links import (
    Answer,
    RawPeer,
    SockLink,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    py_end,
    raw_client,
    raw_server,
    reasons,
)
from tests.clauses import clause
from tests.forge import ForgeClient, bend, messages as m
from tests.forge.victim import (
    APPLICATION,
    CLEAR,
    Case,
    Victim,
    check,
    dead,
    make,
    server as victim_server,
)
from tests.pki import ca

WANT_READ = (-1, 2)
CLOSED = (0, 6)
FAILED = (-1, 1)
CLOSE_NOTIFY = bytes.fromhex("15030300020100")

SIDES = pytest.mark.parametrize(
    "server", [False, True], ids=["client", "server"]
)
STARTED = pytest.mark.parametrize(
    "started", [False, True], ids=["at_once", "after_a_call"]
)


def raw(server: bool, **wishes: Any) -> RawPeer:
    """Give one end whose peer is the test."""
    return raw_server(**wishes) if server else raw_client(**wishes)


def alert(number: int, level: int = 2) -> bytes:
    """Give an alert record in the clear."""
    return b"\x15\x03\x03\x00\x02" + bytes([level, number])


# ---- HS-14: closed in good order ------------------------------------------


@SIDES
@STARTED
@clause("HS-14", "GE-9", "GE-1")
def test_close_notify_before_completion_is_0(
    server: bool, started: bool
) -> None:
    peer = raw(server)
    if started:
        assert peer.handshake() == WANT_READ
        peer.sent()
    peer.feed(CLOSE_NOTIFY)

    assert peer.handshake() == CLOSED
    assert p.SSL_get_shutdown(peer.ssl) == p.SSL_RECEIVED_SHUTDOWN
    peer.sent()
    peer.feed(b"not looked at")
    for call in (p.SSL_do_handshake, p.SSL_connect, p.SSL_accept):
        assert outcome(peer.ssl, call(peer.ssl)) == CLOSED
    assert p.BIO_ctrl_pending(peer.bio_in) == 13
    assert peer.sent() == b""
    assert reasons() == []


@SIDES
@clause("HS-14")
def test_protected_close_notify_before_completion_is_0(server: bool) -> None:
    name = "finished" if server else "certificate"

    def close(forge: Any) -> None:
        forge.before(name, lambda peer: (peer.alert(0, 1), peer.mute()))

    victim = make(Case("6.1", "closes", close), as_server=server)

    assert victim.handshake() == CLOSED
    assert p.SSL_get_shutdown(victim.ssl) == 2
    assert victim.peer.handshake() == CLOSED
    assert reasons() == []


@clause("HS-14", "HS-4")
def test_call_after_close_notify_leaves_the_queue_alone() -> None:
    peer = raw_server()
    peer.feed(CLOSE_NOTIFY)
    assert peer.handshake() == CLOSED
    p.ERR_raise(77, 5)

    assert p.SSL_do_handshake(peer.ssl) == 0
    assert reasons() == [(77, 5)]


# ---- HS-15: alerts --------------------------------------------------------


@SIDES
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("number", [10, 20, 40, 47, 70, 86, 112, 120, 200])
@clause("HS-15", "HS-22", "HS-23", "HS-24", "CV-6", "ERR-20", "GE-6")
def test_received_alert_is_fatal_whatever_its_level(
    server: bool, level: int, number: int
) -> None:
    peer = raw(server, version=p.TLS1_3_VERSION)
    assert peer.handshake() == WANT_READ
    peer.sent()
    peer.feed(alert(number, level))

    assert peer.handshake() == FAILED
    assert p.SSL_get_error(peer.ssl, -1) == 1
    assert reasons() == [(p.ERR_LIB_SSL, 1000 + number)]
    assert p.SSL_get_shutdown(peer.ssl) == p.SSL_RECEIVED_SHUTDOWN
    dead(peer)


@SIDES
@clause("HS-15", "HS-24")
def test_protected_alert_is_fatal_too(server: bool) -> None:
    name = "finished" if server else "certificate"
    victim = make(
        Case(
            "6.2",
            "gives up",
            lambda f: f.before(name, lambda peer: peer.alert(80)),
        ),
        as_server=server,
    )

    assert victim.handshake() == FAILED
    assert reasons() == [(20, 1080)]
    assert victim.forge.alerts == []
    dead(victim.peer)


@clause("HS-15")
@pytest.mark.parametrize("count", [1, 4, 5])
def test_user_canceled_is_passed_over_four_times(count: int) -> None:
    peer = raw_server()
    peer.feed(alert(90, 1) * count)

    got = peer.handshake()

    if count < 5:
        assert got == WANT_READ
        peer.feed(CLOSE_NOTIFY)
        assert peer.handshake() == CLOSED
        return
    assert got == FAILED
    assert reasons() == [(20, 409)]
    assert peer.sent() == alert(10)
    dead(peer)


# ---- HS-16, HS-17: the transport ------------------------------------------


FLIGHTS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda whole: b"",
    "part of a header": lambda whole: whole[:3],
    "a header": lambda whole: whole[:5],
    "part of a record": lambda whole: whole[:20],
}


def flight_for(server: bool) -> tuple[RawPeer, bytes]:
    """Give an end, and the flight that its peer answers with."""
    link = make_link()
    p.SSL_do_handshake(link.client)
    if server:
        whole = bytearray(4096)
        n = p.BIO_read(link.client_out, whole)
        other = RawPeer(link.server)
        return other, bytes(whole[:n])
    link.move()
    p.SSL_do_handshake(link.server)
    whole = bytearray(8192)
    n = p.BIO_read(link.server_out, whole)
    peer = RawPeer(link.client)
    return peer, bytes(whole[:n])


@SIDES
@pytest.mark.parametrize("part", FLIGHTS)
@clause("HS-16", "HS-22", "HS-23", "HS-24", "CV-6", "GE-8")
def test_end_of_the_transport_is_294_and_dead(server: bool, part: str) -> None:
    peer, whole = flight_for(server)
    peer.feed(FLIGHTS[part](whole))
    assert peer.handshake() == WANT_READ
    peer.end()

    assert peer.handshake() == FAILED
    assert reasons() == [(20, 294)]
    assert peer.sent() == b""
    p.BIO_set_mem_eof_return(peer.bio_in, -1)
    dead(peer)


@SIDES
@pytest.mark.parametrize("ret", [0, -1])
@clause("HS-16", "METH-6")
def test_python_bio_at_its_end_is_asked_for_eof(
    server: bool, ret: int
) -> None:
    ssl, py = py_end(server)
    py.ended = True
    py.tell("read", Answer(ret))

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == FAILED
    assert reasons() == [(20, 294)]
    assert py.count("ctrl", p.BIO_CTRL_EOF) == 1


@SIDES
@pytest.mark.parametrize("part", FLIGHTS)
@clause("HS-16", "HS-14", "GE-9", "OPT-1")
def test_end_that_is_to_be_ignored_counts_as_close_notify(
    server: bool, part: str
) -> None:
    peer, whole = flight_for(server)
    p.SSL_set_options(peer.ssl, p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    peer.feed(FLIGHTS[part](whole))
    peer.end()

    assert peer.handshake() == CLOSED
    assert p.SSL_get_shutdown(peer.ssl) == 2
    assert peer.handshake() == CLOSED
    assert p.SSL_state_string(peer.ssl) != "SSLERR"
    assert reasons() == []


@SIDES
@pytest.mark.parametrize("ret", [0, -1])
@clause("HS-17", "WANT-4", "METH-6", "GE-8")
def test_read_that_fails_is_syscall_and_may_be_repeated(
    server: bool, ret: int
) -> None:
    ssl, py = py_end(server)
    py.tell("read", Answer(ret), Answer(ret))

    for _ in range(2):
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)
        assert p.SSL_want(ssl) == p.SSL_READING
        assert p.SSL_state_string(ssl) != "SSLERR"
        assert reasons() == []
    assert py.count("read") == 2
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ


@pytest.mark.parametrize("ret", [0, -1])
@clause("HS-17", "WANT-4", "GE-8")
def test_write_that_fails_is_syscall_and_may_be_repeated(ret: int) -> None:
    ssl, py = py_end(False)
    py.tell("write", Answer(ret), Answer(ret))

    for _ in range(2):
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)
        assert p.SSL_want(ssl) == p.SSL_WRITING
        assert reasons() == []
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == WANT_READ
    assert py.outgoing[5] == 1


@clause("HS-17", "CV-9", "GE-8")
def test_broken_pipe_keeps_its_errno() -> None:
    with SockLink(*make_ends()) as link:
        link.server_sock.close()
        assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 5)
        assert reasons() == []
        with pytest.raises(OSError):
            os.stat("/nowhere/at/all")  # another errno in between
        assert link.client.last_errno() == errno.EPIPE
        # Not dead: a repeat tries the descriptor again.
        assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 5)
        assert p.SSL_state_string(link.client) == "TWCH"


@clause("HS-17", "CV-9")
def test_reset_connection_keeps_its_errno() -> None:
    ends = make_ends()
    with SockLink(*ends, blocking=False, family=socket.AF_INET) as link:
        assert p.SSL_do_handshake(link.client) == -1
        linger = socket.SO_LINGER
        link.server_sock.setsockopt(
            socket.SOL_SOCKET, linger, b"\1\0\0\0\0\0\0\0"
        )
        link.server_sock.close()
        link.wait(link.client, 2)

        assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 5)
        assert link.client.last_errno() == errno.ECONNRESET
        assert reasons() == []


@SIDES
@clause("HS-17", "FDS-3", "CV-9")
def test_descriptor_that_is_none_is_syscall_with_ebadf(server: bool) -> None:
    ssl = make_ends()[server]
    assert p.SSL_set_fd(ssl, -1) == 1

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)
    assert ssl.last_errno() == errno.EBADF
    assert reasons() == []


@SIDES
@pytest.mark.parametrize(("lib", "code"), [(2, 5), (20, 1), (77, 1)])
@clause("HS-17", "GE-3", "GE-8")
def test_entry_that_a_failing_bio_pushes_decides(
    server: bool, lib: int, code: int
) -> None:
    ssl, py = py_end(server)

    def fail(b: p.BIO, n: int) -> int:
        p.BIO_clear_retry_flags(b)
        p.ERR_raise(lib, 42)
        p.ERR_raise(77, 43)
        return -1

    p.BIO_meth_set_read(py.method, fail)
    p.ERR_raise(77, 41)  # forgotten: the call clears the queue (HS-4)

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, code)
    assert reasons() == [(lib, 42), (77, 43)]


# ---- HS-18: what we refuse, in the clear ----------------------------------


RAW = [
    # cause, server's end, client's end, reason, alert
    ("GET", True, False, b"GET / HTTP/1.0\r\n\r\n", 156, None),
    ("POST", True, False, b"POST /x HTTP/1.0\r\n", 156, None),
    ("HEAD", True, False, b"HEAD / HTTP/1.0\r\n", 156, None),
    ("PUT", True, False, b"PUT / HTTP/1.0\r\n\r\n", 156, None),
    ("CONNECT", True, False, b"CONNECT a:443 HTTP/1.0", 155, None),
    ("verb", False, True, b"GET / HTTP/1.0\r\n\r\n", 267, None),
    ("SMTP", True, True, b"220 mail.test ESMTP\r\n", 267, None),
    ("zeros", True, True, bytes(20), 267, None),
    ("SSLv2", True, False, b"\x80\x2e\x01\x00\x02\x00\x15\x00", 267, None),
    ("long", True, True, b"\x16\x03\x03\x40\x01" + bytes(30), 198, 22),
    ("data", True, True, b"\x17\x03\x03\x00\x01x", 244, 10),
    ("level", True, True, b"\x15\x03\x03\x00\x02\x03\x28", 246, 47),
    ("short", True, True, b"\x15\x03\x03\x00\x01\x02", 205, (10, 50)),
    ("alert", True, True, b"\x15\x03\x03\x00\x03\x02\x28\0", 205, (10, 50)),
    ("hello", True, False, b"\x16\x03\x03\x00\x04\x01\0\0\0", (159, 160), 50),
    ("finished", True, True, b"\x16\x03\x03\x00\x04\x14\0\0\0", 244, 10),
    ("type", True, True, b"\x63\x03\x03\x00\x01x", 244, 10),
]


@pytest.mark.parametrize(
    ("server", "data", "reason", "sent"),
    [
        pytest.param(side, data, reason, sent, id=f"{name}-{end}")
        for name, for_server, for_client, data, reason, sent in RAW
        for side, end, wanted in (
            (True, "server", for_server),
            (False, "client", for_client),
        )
        if wanted
    ],
)
@clause("HS-18", "HS-22", "HS-23", "HS-24", "CV-6", "GE-6")
def test_first_bytes_that_are_no_good_are_refused(
    server: bool, data: bytes, reason: Any, sent: Any
) -> None:
    peer = raw(server)
    assert peer.handshake() == WANT_READ
    peer.sent()
    peer.feed(data)
    p.ERR_raise(77, 41)  # forgotten (HS-4)

    got = peer.handshake()

    queue = reasons()
    assert got == FAILED
    assert len(queue) == 1
    assert queue[0][0] == p.ERR_LIB_SSL
    assert queue[0][1] in (reason if isinstance(reason, tuple) else (reason,))
    alerts = sent if isinstance(sent, tuple) else (sent,)
    assert peer.sent() in [b"" if n is None else alert(n) for n in alerts]
    assert p.SSL_want(peer.ssl) == p.SSL_NOTHING
    dead(peer)


@SIDES
@pytest.mark.parametrize("how", ["range", "options"])
@clause("HS-18", "HS-22", "VER-1", "WANT-4")
def test_no_version_enabled_is_191_and_nothing_is_sent(
    server: bool, how: str
) -> None:
    peer = raw(server)
    if how == "range":
        assert p.SSL_set_min_proto_version(peer.ssl, p.TLS1_3_VERSION) == 1
        assert p.SSL_set_max_proto_version(peer.ssl, p.TLS1_2_VERSION) == 1
    else:
        p.SSL_set_options(peer.ssl, p.SSL_OP_NO_TLSv1_2 | p.SSL_OP_NO_TLSv1_3)

    assert peer.handshake() == FAILED
    assert p.SSL_want(peer.ssl) == p.SSL_NOTHING
    assert reasons() == [(20, 191)]
    assert peer.sent() == b""
    dead(peer)


# ---- HS-18: what we refuse of a peer that speaks TLS ----------------------


def bad_verify_data(body: bytes) -> bytes:
    """Change the last bit."""
    return body[:-1] + bytes([body[-1] ^ 1])


def bad_mac(name: str) -> Callable[[Any], None]:
    """Send a record that does not authenticate before a message."""
    return lambda forge: forge.before(
        name,
        lambda peer: peer.raw(bad_verify_data(peer.sealer.seal(b"\x08\x16"))),
    )


def too_long(name: str) -> Callable[[Any], None]:
    """Send a protected record of more than 2^14 + 256 bytes."""
    return lambda forge: forge.before(
        name, lambda peer: peer.raw(b"\x17\x03\x03\x41\x01" + bytes(0x4101))
    )


def data_first(name: str) -> Callable[[Any], None]:
    """Send application data under the handshake keys."""
    return bend.then_record(name, 23, b"too early")


CLIENT_ROWS = [
    Case("5.2", "no MAC", bad_mac("certificate"), 20, 281),
    Case("5.2", "long", too_long("certificate"), 22, 150),
    Case("4.4.4", "early data", data_first("certificate"), 10, 244),
    Case("4", "order", bend.swap("certificate", 20, bytes(32)), 10, 244),
    Case("4.4.4", "finished", bend.body("finished", bad_verify_data), 51, 149),
    Case(
        "4.4.3",
        "signature",
        bend.body("certificate_verify", bad_verify_data),
        51,
        123,
    ),
    Case(
        "4.1.3",
        "suite not offered",
        bend.fields("server_hello", suite=0x1304),
        47,
        261,
        CLEAR,
    ),
    Case(
        "4.1.3",
        "downgrade",
        bend.both(
            bend.fields(
                "server_hello", random=bytes(24) + b"DOWNGRD\x01", version=771
            ),
            bend.drop("server_hello", m.SUPPORTED_VERSIONS),
        ),
        47,
        373,
        CLEAR,
    ),
    Case("4.4.2", "cut", bend.cut("certificate", 9), 50, (159, 160)),
    Case("4.4.2", "behind", bend.trailing("certificate"), 50, 159),
    Case(
        "4.4.2.4",
        "stranger",
        None,
        48,
        134,
        wishes={"server": ca.leaf(self_signed=True, key_label="who")},
        forge={"identity": ca.leaf()},
    ),
]

SERVER_ROWS = [
    Case("5.2", "no MAC", bad_mac("finished"), 20, 281, APPLICATION),
    Case("5.2", "long", too_long("finished"), 22, 150, APPLICATION),
    Case("4.4.4", "early data", data_first("finished"), 10, 244, APPLICATION),
    Case(
        "4.4.4",
        "finished",
        bend.body("finished", bad_verify_data),
        51,
        149,
        APPLICATION,
    ),
    Case(
        "4.4.3",
        "signature",
        bend.body("certificate_verify", bad_verify_data),
        51,
        123,
        APPLICATION,
        forge={"identity": ca.leaf(key_label="client")},
        wishes={
            "client_auth": True,
            "client": ca.leaf(key_label="client"),
        },
    ),
    Case(
        "4.4.2.4",
        "no certificate",
        None,
        116,
        199,
        APPLICATION,
        wishes={"client_auth": True, "client": ca.leaf(key_label="client")},
    ),
    Case(
        "4.1.1",
        "suites",
        None,
        40,
        193,
        CLEAR,
        forge={"suites": [0x1304, 0xC02F]},
    ),
    Case(
        "4.1.1",
        "groups",
        None,
        40,
        101,
        CLEAR,
        forge={"groups": [0x0018]},
        prepare=lambda ssl: p.SSL_set1_groups_list(ssl, "X25519:P-256"),
    ),
    Case(
        "4.2.3", "schemes", None, 40, 118, CLEAR, forge={"schemes": [0x0807]}
    ),
    Case(
        "4.2.1",
        "old version",
        bend.drop("client_hello", m.SUPPORTED_VERSIONS, m.KEY_SHARE),
        70,
        258,
        CLEAR,
        wishes={"version": p.TLS1_3_VERSION},
    ),
]


def ids(case: Case) -> str:
    """Name a row."""
    return case.name.replace(" ", "_")


@pytest.mark.parametrize("case", CLIENT_ROWS, ids=ids)
@clause("HS-18", "HS-22", "HS-23", "HS-24", "CV-6", "GE-6")
def test_client_refuses_its_server_with_reason_and_alert(case: Case) -> None:
    check(case, as_server=False)


@pytest.mark.parametrize("case", SERVER_ROWS, ids=ids)
@clause("HS-18", "HS-22", "HS-23", "HS-24", "CV-6", "GE-6")
def test_server_refuses_its_client_with_reason_and_alert(case: Case) -> None:
    check(case, as_server=True)


@clause("HS-18", "HS-37", "HS-22")
def test_server_without_certificate_fails_with_the_hello() -> None:
    ssl = p.SSL(p.SSL_CTX(p.TLS_server_method()))
    p.SSL_set_accept_state(ssl)
    forge = ForgeClient()
    victim = Victim(ssl, forge)
    for _ in range(2):
        assert victim.peer.handshake() == WANT_READ
        assert victim.peer.sent() == b""
    forge.start()
    victim.deliver()

    assert victim.handshake() == FAILED
    assert reasons() == [(20, 193)]
    assert [(a.description, a.epoch) for a in forge.alerts] == [(40, CLEAR)]
    dead(victim.peer)


@clause("HS-18", "SNI-9", "CERT-20")
@pytest.mark.parametrize("which", ["hello", "certificate"])
def test_callback_that_demands_failure_fails_the_handshake(which: str) -> None:
    _, server_ctx = make_contexts()
    if which == "hello":
        p.SSL_CTX_set_client_hello_cb(server_ctx, lambda *_: 0, None)
    else:
        p.SSL_CTX_set_cert_cb(server_ctx, lambda *_: 0, None)
    forge = ForgeClient()
    victim = victim_server(forge, server_ctx=server_ctx)
    forge.start()
    victim.deliver()

    assert victim.handshake() == FAILED
    assert reasons()[-1] == (20, 234 if which == "hello" else 377)
    assert [a.description for a in forge.alerts] == [80]
    dead(victim.peer)
