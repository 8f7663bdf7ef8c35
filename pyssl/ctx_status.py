"""The part of SSL_CTX that is about OCSP responses (contract 6.15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from pyssl.ctx_session import SessionCalls
from pyssl.proofs import ProofSettings

if TYPE_CHECKING:
    from pyssl.conn import SSL

# cb(ssl, arg); see `set_tlsext_status_cb`.
StatusCallback = Callable[["SSL", Any], int]


class StatusCalls(SessionCalls, ProofSettings):
    """Who is asked about OCSP responses."""

    __slots__ = ("_status", "_status_arg")

    def __init__(self) -> None:
        """Begin without a callback."""
        super().__init__()
        self._status: StatusCallback | None = None
        self._status_arg: Any = None

    def set_tlsext_status_cb(self, cb: StatusCallback | None) -> int:
        """Set who gives, or judges, the OCSP response.

        Args:
            cb: `cb(ssl, arg)`. On a server that a client asked for a
                response: SSL_TLSEXT_ERR_OK to staple what
                SSL.set_tlsext_status_ocsp_resp was given,
                SSL_TLSEXT_ERR_NOACK for none, anything else to fail. On a
                client that asked, once a full handshake, also if nothing
                came: positive to accept, 0 to refuse, negative to fail.
                None: nothing is stapled, anything is accepted.

        Returns:
            1.

        Source: SSL_CTX_set_tlsext_status_cb(3); contract OCSP-2, OCSP-3.
        """
        self._snapshot()
        if cb is not None and not callable(cb):
            raise TypeError(f"a callable or None is needed, not {cb!r}")
        with self._lock:
            self._status = cb
            self._update_asks()
        return 1

    def get_tlsext_status_cb(self) -> StatusCallback | None:
        """Give who is asked about OCSP responses."""
        self._snapshot()
        return self._status

    def set_tlsext_status_arg(self, arg: Any) -> int:
        """Set what the callback gets as its arg; 1."""
        self._snapshot()
        self._status_arg = arg
        return 1

    def get_tlsext_status_arg(self) -> Any:
        """Give what the callback gets as its arg."""
        self._snapshot()
        return self._status_arg
