"""The part of SSL that is about the ClientHello, and what it may change."""

from __future__ import annotations

from typing import Any

from pyssl._ffi import bytes_of, ffi, lib, number
from pyssl.conn_base import ConnBase
from pyssl.ctx import (
    ASK_FIRST_USE,
    ASK_NAME,
    ASK_SESSION,
    ASK_TICKET,
    HEAR_SESSIONS,
    SSL_CTX,
)
from pyssl.hello import ClientHello
from pyssl.settings import copy_settings

# What the first context alone goes on answering, and what it may.
_SESSIONS = ASK_SESSION | ASK_FIRST_USE | ASK_TICKET | HEAR_SESSIONS
_OF_FIRST = ASK_NAME | _SESSIONS


class Hellos(ConnBase):
    """What a server's callbacks ask and do."""

    __slots__ = ()

    # ---- the ClientHello ---------------------------------------------------

    def client_hello(self) -> ClientHello | None:
        """Give the ClientHello that a server is answering.

        Returns:
            It, in the callbacks of the handshake: ClientHello, server name,
            certificate, protocol. None on a client, and before and after
            the handshake. After a HelloRetryRequest the second one.

        Source: SSL_client_hello_get0_ext(3).
        """
        body = self._hello_body()
        return None if body is None else ClientHello.parse(body)

    def _hello_body(self) -> bytes | None:
        def read(conn: Any) -> bytes | None:
            n = ffi.new("size_t *")
            found = lib.pys_conn_client_hello(conn, n)
            return None if found == ffi.NULL else bytes_of(found, n[0])

        return self._facts(read)

    def client_hello_isv2(self) -> int:
        """Give 0: there are no hellos of SSL 2.0."""
        self._alive()
        return 0

    def client_hello_get0_legacy_version(self) -> int:
        """Give the old version field; 0 without a ClientHello.

        Source: SSL_client_hello_get0_legacy_version(3).
        """
        hello = self.client_hello()
        return 0 if hello is None else hello.legacy_version

    def client_hello_get0_random(self) -> bytes:
        """Give the client's random; b"" without a ClientHello."""
        hello = self.client_hello()
        return b"" if hello is None else hello.random

    def client_hello_get0_session_id(self) -> bytes:
        """Give the session id; b"" without a ClientHello."""
        hello = self.client_hello()
        return b"" if hello is None else hello.session_id

    def client_hello_get0_ciphers(self) -> bytes:
        """Give the suites, two octets each; b"" without a ClientHello."""
        hello = self.client_hello()
        if hello is None:
            return b""
        return b"".join(id.to_bytes(2, "big") for id in hello.cipher_suites)

    def client_hello_get0_compression_methods(self) -> bytes:
        """Give the compression methods; b"" without a ClientHello."""
        hello = self.client_hello()
        return b"" if hello is None else hello.compression_methods

    def client_hello_get0_ext(self, type: int) -> tuple[int, bytes | None]:
        """Give 1 and the content of an extension; 0 and None without it.

        Source: SSL_client_hello_get0_ext(3).
        """
        number(type, "type")
        hello = self.client_hello()
        content = None if hello is None else hello.extension(type)
        return (0, None) if content is None else (1, content)

    def client_hello_get1_extensions_present(
        self,
    ) -> tuple[int, list[int] | None]:
        """Give 1 and the types of all extensions, in the order sent.

        Returns:
            0 and None without a ClientHello.

        Source: SSL_client_hello_get1_extensions_present(3).
        """
        hello = self.client_hello()
        return (0, None) if hello is None else (1, [*hello.extension_types])

    # ---- another context ---------------------------------------------------

    def set_SSL_CTX(self, ctx: SSL_CTX | None) -> SSL_CTX:
        """Use certificates and callbacks of another context.

        Meant for the server name callback. With the certificates come their
        chains and timestamps, trust, signature schemes, security level and
        certificate callback; session id context and names of CAs, unless
        this SSL has its own. Sessions, options, versions and what else was
        set stay.

        Args:
            ctx: None for the context that this SSL was made from.

        Returns:
            The context that is used now.

        Source: SSL_set_SSL_CTX(3); contract CTX-5.
        """
        if ctx is not None and not isinstance(ctx, SSL_CTX):
            raise TypeError(f"an SSL_CTX is needed, not {ctx!r}")
        return self._exclusive(self._use_ctx, ctx)

    def _use_ctx(self, conn: Any, ctx: SSL_CTX | None) -> SSL_CTX:
        first, before = self._session_ctx, self._ctx
        if ctx is None:
            ctx = first
        if ctx is before:
            return ctx
        copied = self._copied.but(
            cert=ctx._copied.cert,
            judge=ctx._copied.judge,
            signers={
                **(self._copied.signers or {}),
                **(ctx._copied.signers or {}),
            },
            also=0 if ctx is first else first.live_asks & _OF_FIRST,
            only=-1 if ctx is first else ~_SESSIONS,
        )
        asks = ctx.live_asks & copied.only | copied.asks
        old = ffi.NULL if before._settings is None else before._settings
        fresh = copy_settings(self._snapshot())
        if not lib.pys_settings_adopt(fresh, ctx._snapshot(), old):
            raise MemoryError
        lib.pys_settings_set_number(fresh, lib.PYS_ASKS, asks)
        lib.pys_conn_set_settings(conn, fresh)
        self._settings = fresh
        if self._ca_names == before._ca_names:
            self._ca_names = ctx._ca_names
        self._ctx, self._copied = ctx, copied
        self._asks, self._live = asks, ctx.live_asks
        return ctx
