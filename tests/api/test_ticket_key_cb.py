"""Tickets under the application's keys: contract TKT-2."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any, Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import pyssl as p
from tests.api.links import MemLink, outcome, reasons, ssl_reasons
from tests.api.sessions import (
    TLS12,
    TLS13,
    VERSIONS,
    contexts,
    link_of,
    reads_nothing,
    visit,
)
from tests.clauses import clause

BOTH = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
Pair = tuple[p.SSL_CTX, p.SSL_CTX]


class Keys:
    """A ticket key callback that answers as told, and counts."""

    def __init__(self, size: int = 32, md: str = "SHA256") -> None:
        self.size, self.md = size, md
        self.name = b"a name of a key."
        self.key, self.mac = os.urandom(size), os.urandom(32)
        self.seal = self.open = 1
        self.calls: list[int] = []

    def __call__(
        self, ssl: p.SSL, name: Any, iv: Any, cipher: Any, mac: Any, enc: int
    ) -> int:
        assert isinstance(ssl, p.SSL)
        self.calls.append(enc)
        if enc:
            name[:] = self.name
            iv[:] = os.urandom(16)
        elif name != self.name:
            return 0
        assert cipher.init(f"AES-{self.size * 8}-CBC", self.key, iv) == 1
        assert mac.init(self.mac, self.md) == 1
        return self.seal if enc else self.open

    def drain(self) -> list[int]:
        """Give the calls since last asked."""
        found, self.calls = self.calls, []
        return found


def pair_of(version: int, keys: Any, **wishes: Any) -> Pair:
    """Make contexts whose server has the callback."""
    pair = contexts(version, **wishes)
    assert p.SSL_CTX_set_tlsext_ticket_key_cb(pair[1], keys) == 1
    return pair


def sealed(version: int, tickets: int = 2) -> list[int]:
    """The calls for the tickets of a full handshake."""
    return [1] * (tickets if version == TLS13 else 1)


@BOTH
@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("md", ["SHA256", "SHA384"])
@clause("TKT-2", "RFC 5077 4")
def test_ticket_is_sealed_and_opened_with_keys_of_the_callback(
    version: int, size: int, md: str
) -> None:
    keys = Keys(size, md)
    pair = pair_of(version, keys)
    session, _ = visit(pair)
    assert keys.drain() == sealed(version)
    ticket = p.SSL_SESSION_get0_ticket(session)

    # RFC 5077 4: name, IV, AES-CBC, and HMAC over all of it.
    n = hashlib.new(md).digest_size
    assert ticket[:16] == keys.name
    assert ticket[-n:] == hmac.new(keys.mac, ticket[:-n], md).digest()
    opener = Cipher(
        algorithms.AES(keys.key), modes.CBC(ticket[16:32])
    ).decryptor()
    plain = opener.update(ticket[32:-n]) + opener.finalize()
    assert plain.endswith(bytes([plain[-1]]) * plain[-1])
    secret = p.SSL_SESSION_get_master_key(session)
    assert secret in plain
    assert secret not in ticket

    assert visit(pair, session)[1]
    assert keys.drain() == [0]
    assert reasons() == []


@BOTH
@clause("TKT-2", "SESS-11")
def test_ticket_that_was_opened_is_not_replaced(version: int) -> None:
    keys = Keys()
    pair = pair_of(version, keys)
    session, _ = visit(pair)
    keys.drain()
    link = link_of(pair, session)
    link.established()
    reads_nothing(link.client)
    assert p.SSL_session_reused(link.server) == 1
    assert keys.drain() == [0]
    if version == TLS12:
        assert p.SSL_get_session(link.client) == session


@BOTH
@clause("TKT-2")
def test_ticket_that_is_to_be_renewed_is(version: int) -> None:
    keys = Keys()
    pair = pair_of(version, keys)
    session, _ = visit(pair)
    keys.drain()
    keys.open = 2
    again, reused = visit(pair, session)
    assert reused
    assert keys.drain() == [0, 1]
    assert p.SSL_SESSION_get0_ticket(again) != p.SSL_SESSION_get0_ticket(
        session
    )
    assert visit(pair, again)[1]


@BOTH
@clause("TKT-2", "SESS-3")
def test_ticket_that_is_not_usable_is_a_full_handshake(version: int) -> None:
    keys = Keys()
    pair = pair_of(version, keys)
    session, _ = visit(pair)
    keys.drain()
    keys.open = 0
    assert not visit(pair, session)[1]
    assert keys.drain() == [0, *sealed(version)]


@BOTH
@pytest.mark.parametrize("tickets", [1, 3])
@clause("TKT-2", "RFC 5077 3.3")
def test_no_ticket_is_sent_without_a_key(version: int, tickets: int) -> None:
    keys = Keys()
    keys.seal = 0
    pair = pair_of(version, keys, tickets=tickets)
    link = link_of(pair)
    link.established()
    reads_nothing(link.client)
    assert keys.drain() == sealed(version, tickets)
    for ssl in (link.client, link.server):
        session = p.SSL_get_session(ssl)
        assert session is not None
        assert p.SSL_SESSION_has_ticket(session) == 0
    offered = p.SSL_get_session(link.client)
    assert offered is not None
    assert p.SSL_SESSION_is_resumable(offered) == 0


def fatal(link: MemLink) -> tuple[int, list[int]]:
    """Let the server fail: its last code, then the client's reasons."""
    code, told = 0, []
    for _ in range(3):
        p.SSL_do_handshake(link.client)
        p.SSL_read(link.client, bytearray(1))
        told = ssl_reasons() or told
        link.move()
        if outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1):
            code = p.ERR_peek_last_error() or code
        p.ERR_clear_error()
        link.move()
    return code, told


@BOTH
@clause("TKT-2", "HS-18")
def test_callback_that_fails_to_seal_is_fatal(version: int) -> None:
    keys = Keys()
    keys.seal = -1
    link = link_of(pair_of(version, keys))
    code, told = fatal(link)
    assert p.ERR_GET_REASON(code) == p.SSL_R_CALLBACK_FAILED
    assert told == [1080]


@BOTH
@clause("TKT-2", "HS-18")
def test_callback_that_fails_to_open_is_fatal(version: int) -> None:
    keys = Keys()
    pair = pair_of(version, keys)
    session, _ = visit(pair)
    keys.open = -1
    code, told = fatal(link_of(pair, session))
    assert p.ERR_GET_REASON(code) == p.ERR_R_INTERNAL_ERROR
    assert told == [1080]


@BOTH
@pytest.mark.parametrize("at", [0, 16, 40, -40, -1])
@clause("TKT-2", "RFC 5077 4", "SESS-3")
def test_ticket_that_is_not_authentic_is_passed_over(
    version: int, at: int
) -> None:
    keys = Keys()
    pair = pair_of(version, keys)
    session, _ = visit(pair)
    ticket = p.SSL_SESSION_get0_ticket(session)
    whole = bytearray(p.i2d_SSL_SESSION(session))
    where = whole.index(ticket)
    whole[where + (at if at >= 0 else len(ticket) + at)] ^= 1
    bad = p.d2i_SSL_SESSION(bytes(whole))
    assert bad is not None
    assert not visit(pair, bad)[1]
    assert visit(pair, session)[1]
    assert reasons() == []


@BOTH
@clause("TKT-2", "SESS-3")
def test_servers_with_the_same_keys_share_tickets(version: int) -> None:
    keys = Keys()
    first, second = pair_of(version, keys), pair_of(version, keys)
    session, _ = visit(first)
    assert visit((first[0], second[1]), session)[1]
    # With other keys under the same name, or the built-in ones, not.
    other = Keys()
    assert not visit((first[0], pair_of(version, other)[1]), session)[1]
    assert not visit((first[0], contexts(version)[1]), session)[1]
    p.SSL_CTX_set_tlsext_ticket_key_cb(second[1], None)
    assert not visit((first[0], second[1]), session)[1]


@BOTH
@clause("TKT-2", "SESS-12")
def test_callback_is_not_asked_without_tickets(version: int) -> None:
    keys = Keys()
    pair = pair_of(version, keys)
    p.SSL_CTX_set_options(pair[1], p.SSL_OP_NO_TICKET)
    session, _ = visit(pair)
    assert visit(pair, session)[1]
    assert keys.calls == []


def badly(change: Callable[[Any, Any, Any, Any, int], Any]) -> Any:
    """Make a callback that sets up everything well, then this."""
    keys = Keys()

    def callback(
        ssl: p.SSL, name: Any, iv: Any, cipher: Any, mac: Any, enc: int
    ) -> Any:
        result = keys(ssl, name, iv, cipher, mac, enc)
        changed = change(name, iv, cipher, mac, enc)
        return result if changed is None else changed

    return callback


@BOTH
@pytest.mark.parametrize(
    "change",
    [
        lambda name, *_: name.append(1),
        lambda _, iv, *__: iv.clear(),
        lambda _, iv, *__: iv.__setitem__(0, iv[0] ^ 1),
        lambda *_: "1",
        lambda *_: None.nothing,  # type: ignore[attr-defined]
        lambda _, iv, c, *__: c.init("AES-192-CBC", bytes(24), iv),
        lambda _, iv, c, *__: c.init("AES-128-CBC", bytes(15), iv),
        lambda _, iv, c, *__: c.init("AES-128-CBC", bytes(16), bytes(15)),
        lambda _, iv, c, *__: c.init(128, bytes(16), iv),
        lambda _, __, ___, mac, *____: mac.init(b""),
        lambda _, __, ___, mac, *____: mac.init(bytes(65)),
        lambda _, __, ___, mac, *____: mac.init(bytes(9), "MD5"),
    ],
)
@clause("TKT-2", "CV-7")
def test_callback_that_sets_up_nonsense_is_raised(
    version: int, change: Any
) -> None:
    link = link_of(pair_of(version, badly(change)))
    with pytest.raises((TypeError, ValueError, AttributeError)):
        link.handshake()
    assert outcome(link.server, p.SSL_do_handshake(link.server))[0] == -1


@BOTH
@clause("TKT-2", "CV-7")
def test_callback_that_sets_up_nothing_is_raised(version: int) -> None:
    link = link_of(pair_of(version, lambda *_: 1))
    with pytest.raises(ValueError, match="set up"):
        link.handshake()


@clause("TKT-2", "CV-2")
def test_callback_of_another_type_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        p.SSL_CTX_set_tlsext_ticket_key_cb(p.SSL_CTX(p.TLS_method()), 3)


@clause("TKT-2", "PSK-2", "RFC 8446 4.2.11")
@pytest.mark.parametrize("known", [False, True])
def test_callback_comes_behind_those_for_external_keys(known: bool) -> None:
    keys = Keys()
    pair = pair_of(TLS13, keys)
    session, _ = visit(pair)
    keys.drain()
    asked: list[bytes] = []

    def server(_: p.SSL, name: bytes, __: int) -> bytes:
        asked.append(name)
        return b""

    keys.open = int(known)
    p.SSL_CTX_set_psk_server_callback(pair[1], server)
    p.SSL_CTX_set_psk_client_callback(pair[0], lambda *_: (b"me", b"key"))
    assert visit(pair, session)[1] is known
    ticket = p.SSL_SESSION_get0_ticket(session)
    assert asked == ([ticket] if known else [ticket, b"me"])
    assert keys.drain()[:1] == [0]
