"""SSL_want(3): contract section 2.2."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    RETRY_READ,
    RETRY_WRITE,
    Answer,
    MemLink,
    PyLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    py_end,
    raw_server,
    reasons,
    take,
)
from tests.clauses import clause

PREDICATES = {
    1: p.SSL_want_nothing,
    2: p.SSL_want_write,
    3: p.SSL_want_read,
    4: p.SSL_want_x509_lookup,
    7: p.SSL_want_client_hello_cb,
    8: p.SSL_want_retry_verify,
}


def want(ssl: p.SSL) -> int:
    """Ask SSL_want, and check that the predicates agree (WANT-3)."""
    value = p.SSL_want(ssl)
    for number, predicate in PREDICATES.items():
        assert predicate(ssl) == int(number == value)
    return value


@clause("WANT-1")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTHING", 1),
        ("WRITING", 2),
        ("READING", 3),
        ("X509_LOOKUP", 4),
        ("CLIENT_HELLO_CB", 7),
        ("RETRY_VERIFY", 8),
    ],
)
def test_values_are_those_of_the_page(name: str, value: int) -> None:
    assert getattr(p, f"SSL_{name}") == value


@clause("WANT-2", "WANT-3")
@pytest.mark.parametrize(
    "method", [p.TLS_method, p.TLS_client_method, p.TLS_server_method]
)
def test_new_object_wants_nothing(method: Any) -> None:
    ssl = p.SSL(p.SSL_CTX(method()))

    assert want(ssl) == 1
    p.SSL_set_connect_state(ssl)
    assert want(ssl) == 1


@clause("WANT-2", "WANT-3", "HS-26", "HS-13")
def test_want_after_each_step_of_a_handshake() -> None:
    link = make_link()
    seen = []
    for ssl in (link.client, link.server) * 2:
        got = outcome(ssl, p.SSL_do_handshake(ssl))
        seen.append((got, want(ssl)))
        link.move()

    assert seen == [((-1, 2), 3)] * 2 + [((1, 0), 1)] * 2


@clause("WANT-2", "WANT-3", "HS-6")
def test_want_names_the_direction_and_is_forgotten_on_success() -> None:
    link = PyLink(*make_ends())
    link.established()
    ssl, py = link.client, link.client_py

    p.SSL_read(ssl, bytearray(1))
    assert want(ssl) == 3
    py.tell("write", Answer(-1, flags=RETRY_WRITE))
    data = b"data"
    assert p.SSL_write(ssl, data) == -1
    assert want(ssl) == 2
    assert p.SSL_write(ssl, data) == 4
    assert want(ssl) == 1
    p.SSL_write(link.server, b"back")
    link.move()
    assert p.SSL_peek(ssl, bytearray(1)) == 1
    assert want(ssl) == 1
    assert p.SSL_read(ssl, bytearray(4)) == 4
    assert want(ssl) == 1
    assert p.SSL_read(ssl, bytearray(4)) == -1
    assert want(ssl) == 3
    assert p.SSL_do_handshake(ssl) == 1
    assert want(ssl) == 1
    assert p.SSL_shutdown(ssl) == 0
    assert want(ssl) == 1
    assert p.SSL_shutdown(ssl) == -1
    assert want(ssl) == 3


@clause("WANT-2")
@pytest.mark.parametrize("steps", [1, 2])
def test_setting_a_role_and_clear_want_nothing(steps: int) -> None:
    ssl, _ = py_end(False)
    assert p.SSL_do_handshake(ssl) == -1
    assert want(ssl) == 3
    if steps == 1:
        p.SSL_set_accept_state(ssl)
    else:
        assert p.SSL_clear(ssl) == 1
    assert want(ssl) == 1


@clause("WANT-1")
def test_queue_and_bio_flags_are_not_consulted() -> None:
    link = connected()
    ssl = link.client
    assert p.SSL_read(ssl, bytearray(1)) == -1
    p.ERR_raise(77, 5)
    assert want(ssl) == 3
    p.BIO_clear_retry_flags(link.client_in)
    assert want(ssl) == 3
    p.BIO_set_flags(link.client_in, RETRY_WRITE)
    assert want(ssl) == 3
    assert reasons() == [(77, 5)]


@clause("WANT-1", "GE-7")
def test_want_is_the_direction_though_the_flags_say_the_other() -> None:
    ssl, py = py_end(False)
    py.tell("write", Answer(-1, flags=RETRY_READ))
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 2)
    assert want(ssl) == 2
    py.tell("read", Answer(-1, flags=RETRY_WRITE))
    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 3)
    assert want(ssl) == 3


@clause("WANT-3", "GE-12", "GE-13")
@pytest.mark.parametrize(("which", "value"), [("cert", 4), ("hello", 7)])
def test_predicates_of_a_suspended_handshake(which: str, value: int) -> None:
    client_ctx, server_ctx = make_contexts()
    answers = [-1, 1]

    def answer(*_: object) -> int:
        return answers.pop(0)

    if which == "cert":
        p.SSL_CTX_set_cert_cb(server_ctx, answer, None)
    else:
        p.SSL_CTX_set_client_hello_cb(server_ctx, answer, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()

    assert want(link.server) == value
    p.SSL_do_handshake(link.server)
    assert want(link.server) == 3
    assert take(link.server_out)


@clause("WANT-4", "HS-17", "HS-12")
@pytest.mark.parametrize(
    ("operation", "value"), [("read", 3), ("write", 2), ("flush", 2)]
)
def test_transport_failure_keeps_its_direction(
    operation: str, value: int
) -> None:
    ssl, py = py_end(False)
    py.tell(operation, Answer(-1))

    assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 5)
    assert want(ssl) == value


@clause("WANT-4", "HS-18")
@pytest.mark.parametrize(
    "data",
    [
        b"\x17\x03\x03\x00\x01x",
        b"GET / HTTP/1.0\r\n",
        b"\x16\x03\x03\x00\x04\x01\0\0\0",
    ],
    ids=["unexpected", "HTTP", "malformed"],
)
def test_local_fatal_error_wants_nothing(data: bytes) -> None:
    peer = raw_server()
    assert peer.handshake() == (-1, 2)
    assert want(peer.ssl) == 3
    peer.feed(data)

    assert peer.handshake() == (-1, 1)
    assert want(peer.ssl) == 1
