"""Helpers for tests of sessions: connect, take the session, come back."""

from __future__ import annotations

from typing import Any, Optional

import pyssl as p
from tests.api import links
from tests.api.links import MemLink, make_ends, outcome

TLS12, TLS13 = p.TLS1_2_VERSION, p.TLS1_3_VERSION
VERSIONS = (TLS12, TLS13)
CONTEXT = b"tests"


def contexts(version: int = 0, **wishes: Any) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """Make contexts of one version whose server may resume."""
    client_ctx, server_ctx = links.make_contexts(version=version, **wishes)
    assert p.SSL_CTX_set_session_id_context(server_ctx, CONTEXT) == 1
    return client_ctx, server_ctx


def link_of(
    pair: tuple[p.SSL_CTX, p.SSL_CTX],
    session: Optional[p.SSL_SESSION] = None,
    host: Optional[str] = links.HOST,
) -> MemLink:
    """Make a link of a pair of contexts, with a session to offer."""
    link = MemLink(*make_ends(*pair, host=host))
    if session is not None:
        assert p.SSL_set_session(link.client, session) == 1
    return link


def reads_nothing(ssl: p.SSL) -> None:
    """Let a client take the tickets that came."""
    got = outcome(ssl, p.SSL_read(ssl, bytearray(1)))
    assert got == (-1, p.SSL_ERROR_WANT_READ), (got, links.reasons())


def close(link: MemLink) -> None:
    """Close both ends in good order."""
    for ssl in (link.client, link.server):
        assert p.SSL_shutdown(ssl) >= 0
        link.move()


def visit(
    pair: tuple[p.SSL_CTX, p.SSL_CTX],
    session: Optional[p.SSL_SESSION] = None,
    **wishes: Any,
) -> tuple[p.SSL_SESSION, bool]:
    """Connect and close: the client's session then, and was it resumed?"""
    link = link_of(pair, session, **wishes)
    link.established()
    link.send(link.client, b"ping")
    link.send(link.server, b"pong")
    found = p.SSL_get1_session(link.client)
    assert found is not None
    reused = [p.SSL_session_reused(ssl) for ssl in (link.client, link.server)]
    assert reused in ([0, 0], [1, 1])
    close(link)
    return found, reused == [1, 1]
