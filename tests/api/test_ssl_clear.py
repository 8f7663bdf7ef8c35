"""SSL_clear(3): contract 5.6."""

from __future__ import annotations

from typing import Callable

import pytest

import pyssl as p
from tests.api import links, wire
from tests.api.links import reasons
from tests.api.wire import FAILED, WANT_READ
from tests.clauses import clause


def _after_shutdown(link: links.MemLink) -> None:
    for ssl in (link.client, link.server):
        assert p.SSL_shutdown(ssl) == 0
        link.move()


def _after_fatal_alert(link: links.MemLink) -> None:
    for bio in (link.client_in, link.server_in):
        links.put(bio, bytes.fromhex("15 03 03 00 02 02 28"))
    for ssl in (link.client, link.server):
        assert wire.read(ssl) == FAILED


def _after_eof(link: links.MemLink) -> None:
    for ssl in (link.client, link.server):
        link.end(ssl)
        assert wire.read(ssl) == (0, p.SSL_ERROR_SSL)


def _with_data_inside(link: links.MemLink) -> None:
    for ssl in (link.client, link.server):
        assert p.SSL_write(ssl, b"never read") == 10
        link.move()
        assert links.read(link.peer_of(ssl), 1) == b"n"


def _with_a_write_pending(link: links.MemLink) -> None:
    for ssl in (link.client, link.server):
        half, _ = links.bio_pair(100)
        p.SSL_set0_wbio(ssl, half)
        assert wire.write(ssl, bytes(5000)) == wire.WANT_WRITE
        assert p.SSL_key_update(ssl, 1) == 1


def _as_it_is(link: links.MemLink) -> None:
    assert p.SSL_is_init_finished(link.client)


PASTS: dict[str, Callable[[links.MemLink], None]] = {
    "established": _as_it_is,
    "shutdown": _after_shutdown,
    "fatal alert": _after_fatal_alert,
    "EOF": _after_eof,
    "data inside": _with_data_inside,
    "write pending": _with_a_write_pending,
}


def check_before(ssl: p.SSL, server: int) -> None:
    """The object is as if it had just been made and given its role."""
    assert p.SSL_in_before(ssl)
    assert p.SSL_in_init(ssl)
    assert not p.SSL_is_init_finished(ssl)
    assert p.SSL_state_string(ssl) == "PINIT"
    assert p.SSL_is_server(ssl) == server
    assert p.SSL_get_shutdown(ssl) == 0
    assert p.SSL_pending(ssl) == 0
    assert p.SSL_has_pending(ssl) == 0
    assert p.SSL_want(ssl) == p.SSL_NOTHING
    assert p.SSL_get_current_cipher(ssl) is None
    assert p.SSL_get_peer_certificate(ssl) is None


@clause("CLR-1", "CV-6")
@pytest.mark.parametrize("past", PASTS)
def test_clear_makes_ready_for_another_connection(past: str) -> None:
    link = links.connected()
    PASTS[past](link)
    reasons()
    for ssl in (link.client, link.server):
        assert p.SSL_clear(ssl) == 1
        check_before(ssl, int(ssl is link.server))
    assert reasons() == []
    link.attach()
    assert link.handshake() == [WANT_READ, WANT_READ, (1, 0), (1, 0)]
    # Nothing of the old connection comes out: no data, no key update.
    for ssl, out in (
        (link.client, link.client_out),
        (link.server, link.server_out),
    ):
        assert wire.write(ssl, b"x") == (1, 0)
        octets = links.take(out)
        assert wire.records(octets) == [(wire.DATA, 18)]
        links.put(
            link.server_in if ssl is link.client else link.client_in, octets
        )
        assert links.read(link.peer_of(ssl)) == b"x"
    link.send(link.client, b"ping")
    link.send(link.server, b"pong")


@clause("CLR-1")
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_clear_during_the_handshake_begins_anew(steps: int) -> None:
    link = links.make_link()
    for turn in range(steps):
        p.SSL_do_handshake((link.client, link.server)[turn % 2])
        link.move()
    for ssl in (link.client, link.server):
        assert p.SSL_clear(ssl) == 1
        check_before(ssl, int(ssl is link.server))
    link.attach()
    link.established()


@clause("CLR-1")
def test_clear_of_a_new_object_is_1_and_gives_no_role() -> None:
    ssl = links.new_ssl(links.make_contexts()[0])
    assert p.SSL_clear(ssl) == 1
    assert p.SSL_do_handshake(ssl) == -1
    assert reasons() == [(20, p.SSL_R_CONNECTION_TYPE_NOT_SET)]


@clause("CLR-1")
def test_clear_again_and_again_serves_one_connection_after_another() -> None:
    link = links.make_link()
    for _ in range(5):
        link.established()
        link.send(link.client, b"ping")
        _after_shutdown(link)
        assert p.SSL_clear(link.client) == p.SSL_clear(link.server) == 1
        link.attach()


@clause("CLR-1")
def test_clear_keeps_the_settings() -> None:
    client_ctx, server_ctx = links.make_contexts()
    p.SSL_CTX_set_alpn_select_cb(
        server_ctx, lambda *_: (p.SSL_TLSEXT_ERR_OK, b"h2"), None
    )
    seen = []

    def name_came(ssl: p.SSL, alert: list[int], arg: object) -> int:
        seen.append(p.SSL_get_servername(ssl, 0))
        return p.SSL_TLSEXT_ERR_OK

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, name_came)
    link = links.MemLink(*links.make_ends(client_ctx, server_ctx))
    ssl = link.client
    assert p.SSL_set_alpn_protos(ssl, b"\x02h2") == 0
    index = p.SSL_get_ex_new_index()
    assert p.SSL_set_ex_data(ssl, index, "kept") == 1
    p.SSL_set_quiet_shutdown(ssl, 1)
    p.SSL_set_read_ahead(ssl, 1)
    p.SSL_set_mode(ssl, p.SSL_MODE_ENABLE_PARTIAL_WRITE)
    p.SSL_set_options(ssl, p.SSL_OP_IGNORE_UNEXPECTED_EOF)
    link.established()
    bios = p.SSL_get_rbio(ssl), p.SSL_get_wbio(ssl)
    kept = (p.SSL_get_mode(ssl), p.SSL_get_options(ssl))

    for one in (link.client, link.server):
        assert p.SSL_clear(one) == 1

    assert (p.SSL_get_rbio(ssl), p.SSL_get_wbio(ssl)) == bios
    assert (p.SSL_get_mode(ssl), p.SSL_get_options(ssl)) == kept
    assert p.SSL_get_verify_mode(ssl) == p.SSL_VERIFY_PEER
    assert p.SSL_get_quiet_shutdown(ssl) == 1
    assert p.SSL_get_read_ahead(ssl) == 1
    assert p.SSL_get_ex_data(ssl, index) == "kept"
    assert p.SSL_get0_alpn_selected(ssl) == b""
    link.attach()
    link.established()
    assert seen == [links.HOST] * 2
    assert p.SSL_get0_alpn_selected(ssl) == b"h2"
    assert p.SSL_get_verify_result(ssl) == p.X509_V_OK


@clause("CLR-1")
def test_clear_keeps_what_the_client_demands_of_the_name() -> None:
    link = links.make_link()
    assert p.SSL_set1_host(link.client, "other.test") == 1
    for _ in range(2):
        results = link.handshake()
        assert results == [WANT_READ, WANT_READ, FAILED, FAILED]
        reasons()
        mismatch = p.X509_V_ERR_HOSTNAME_MISMATCH
        assert p.SSL_get_verify_result(link.client) == mismatch
        for ssl in (link.client, link.server):
            assert p.SSL_clear(ssl) == 1
        link.attach()


@clause("CLR-1")
def test_clear_drops_the_keys() -> None:
    link = links.connected()
    octets = wire.sealed(link, b"of the old connection")
    for ssl in (link.client, link.server):
        assert p.SSL_clear(ssl) == 1
    link.attach()
    link.established()
    links.put(link.client_in, octets)
    assert wire.read(link.client) == FAILED
    assert reasons() == [(20, p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)]


@clause("CLR-1")
def test_clear_leaves_older_entries_and_does_no_io() -> None:
    link = links.PyLink(*links.make_ends())
    link.established()
    link.client_py.calls.clear()
    assert p.BIO_write(links.new_bio(p.BIO_s_bio()), b"x") == -1
    assert p.SSL_clear(link.client) == 1
    assert link.client_py.calls == []
    assert reasons() == [(32, 120)]


@clause("CLR-3")
def test_clear_leaves_unread_bytes_in_the_bios() -> None:
    link = links.connected()
    wire.deliver(link, b"of the old connection")
    assert p.SSL_write(link.client, b"unsent") == 6
    waiting = [
        p.BIO_ctrl_pending(bio) for bio in (link.client_in, link.client_out)
    ]
    assert p.SSL_clear(link.client) == 1
    assert waiting == [
        p.BIO_ctrl_pending(bio) for bio in (link.client_in, link.client_out)
    ]
    assert 0 not in waiting
    # They are no answer to the new ClientHello.
    ret = p.SSL_do_handshake(link.client)
    assert links.outcome(link.client, ret) == FAILED
    assert reasons() == [(20, p.SSL_R_UNEXPECTED_MESSAGE)]


@clause("CLR-3")
def test_clear_on_the_same_bios_works_once_they_are_empty() -> None:
    link = links.connected()
    _after_shutdown(link)
    for ssl in (link.client, link.server):
        assert wire.shutdown(ssl) == (1, 0)
        assert p.SSL_clear(ssl) == 1
    assert link.move() == (0, 0)
    link.established()
    link.send(link.client, b"on the same BIOs")
