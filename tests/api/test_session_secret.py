"""A session of TLS 1.2 whose secret was used already, and is used again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import pyssl as p
from tests.api.links import reasons
from tests.api.sessions import CONTEXT, TLS12, close, contexts, link_of, visit
from tests.clauses import clause

WAYS = pytest.mark.parametrize("ticket", [True, False], ids=["ticket", "id"])

AES_256, AES_128 = 0xC02C, 0xC02B


def pair_of(ticket: bool) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    made = contexts(TLS12)
    if not ticket:
        p.SSL_CTX_set_options(made[1], p.SSL_OP_NO_TICKET)
    return made


def by_der(session: p.SSL_SESSION) -> p.SSL_SESSION:
    der = p.i2d_SSL_SESSION(session)
    made = p.d2i_SSL_SESSION(der)
    assert made is not None
    return made


def copied(session: p.SSL_SESSION) -> p.SSL_SESSION:
    made = p.SSL_SESSION_dup(session)
    assert made is not None
    return made


def secret_again(session: p.SSL_SESSION) -> p.SSL_SESSION:
    key = p.SSL_SESSION_get_master_key(session)
    made = copied(session)
    assert p.SSL_SESSION_set1_master_key(made, bytes(48)) == 1
    assert p.SSL_SESSION_set1_master_key(made, key) == 1
    return made


@WAYS
@pytest.mark.parametrize("change", [by_der, copied, secret_again])
@clause("SESS-2", "SESS-10", "RFC 5246 8.1")
def test_session_is_resumed_in_whatever_form_it_comes_back(
    ticket: bool, change: Callable[[p.SSL_SESSION], p.SSL_SESSION]
) -> None:
    pair = pair_of(ticket)
    session, _ = visit(pair)
    for _ in range(2):
        session, reused = visit(pair, change(session))
        assert reused
    assert visit(pair, session)[1]
    assert reasons() == []


@WAYS
@clause("RFC 5246 8.1", "RFC 5246 7.4.9")
def test_session_with_another_secret_is_not_finished(ticket: bool) -> None:
    pair = pair_of(ticket)
    session, _ = visit(pair)
    assert visit(pair, session)[1]
    changed = copied(session)
    assert p.SSL_SESSION_set1_master_key(changed, b"x" * 48) == 1
    link = link_of(pair, changed)

    results = link.handshake()

    # The two have other keys, so nobody reads the server's Finished.
    assert (-1, p.SSL_ERROR_SSL) in results
    assert (1, 0) not in results
    assert reasons() != []


@clause("RFC 5246 8.1", "RFC 5246 5")
def test_session_with_another_suite_is_used_with_that_ones_hash() -> None:
    pair = pair_of(ticket=False)
    first, _ = visit(pair)
    session = copied(first)
    cipher = p.SSL_CIPHER.find(AES_128)
    assert cipher is not None
    before = p.SSL_SESSION_get0_cipher(session)
    assert before is not None
    assert p.SSL_CIPHER_get_id(before) & 0xFFFF == AES_256
    assert p.SSL_SESSION_set_cipher(session, cipher) == 1
    # The server's comes from outside, so that it has the secret alone.
    theirs = by_der(session)
    assert p.SSL_SESSION_set1_id_context(theirs, CONTEXT) == 1
    p.SSL_CTX_set_session_cache_mode(
        pair[1], p.SSL_SESS_CACHE_SERVER | p.SSL_SESS_CACHE_NO_INTERNAL
    )
    p.SSL_CTX_sess_set_get_cb(pair[1], lambda *_: theirs)

    link = link_of(pair, session)
    link.established()

    assert p.SSL_session_reused(link.client) == 1
    used = p.SSL_get_current_cipher(link.server)
    assert used is not None
    assert p.SSL_CIPHER_get_id(used) & 0xFFFF == AES_128
    link.send(link.client, b"ping")
    close(link)
