"""Verification under the eyes of the application (SSL_CTX_set_verify(3)).

The core verifies a chain to its end and keeps what libcrypto said of each
certificate. What it said is then told to the callback in the same order, as
long as the callback agrees; so no Python runs inside libcrypto.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from pyssl._ffi import ffi, lib, number, number64
from pyssl.const import X509_V_ERR_UNSPECIFIED, X509_V_OK
from pyssl.exdata import Registry
from pyssl.x509 import X509

if TYPE_CHECKING:
    from pyssl.conn import SSL


class _Event(NamedTuple):
    """What libcrypto said of one certificate."""

    ok: bool
    error: int
    depth: int


class X509_STORE_CTX:
    """What a verification callback can ask about (X509_STORE_CTX_new(3)).

    Made by the package for one verification. It may be kept: the
    certificates stay, but what is set in it then has no effect.
    """

    __slots__ = (
        "_chain",
        "_conn",
        "_current",
        "_depth",
        "_error",
        "_ex",
        "_sent",
        "_ssl",
    )

    _registry = Registry()
    # Where the SSL is (EXD-3).
    ssl_index = _registry.new_index()

    def __init__(self, ssl: SSL, conn: Any) -> None:
        """Gather what is known before anything is said.

        Args:
            ssl: whose peer it is.
            conn: the core's connection, which asks now.
        """
        n = lib.pys_conn_n_peer_certs(conn)
        self._sent = [X509(lib.pys_conn_peer_cert(conn, i)) for i in range(n)]
        self._chain: list[X509] = []
        self._error = X509_V_OK
        self._depth = 0
        self._current: X509 | None = None
        self._ex: dict[int, Any] = {self.ssl_index: ssl}
        self._ssl = ssl
        self._conn: Any = conn
        self._see_path()

    def __repr__(self) -> str:
        """Show the error and where it is."""
        return f"<X509_STORE_CTX error={self._error} depth={self._depth}>"

    def _see_path(self) -> None:
        conn = self._conn
        self._chain = [
            X509(lib.pys_conn_verify_path(conn, i))
            for i in range(lib.pys_conn_n_verify_path(conn))
        ]

    def get_error(self) -> int:
        """Give the X509_V_ code: of the last error, unless it was set.

        Source: X509_STORE_CTX_get_error(3); contract VFY-3.
        """
        return self._error

    def set_error(self, s: int) -> None:
        """Set the X509_V_ code, which becomes the verification's result.

        Source: X509_STORE_CTX_get_error(3); contract VFY-4, VFY-15.
        """
        self._error = number64(s, "error")

    def get_error_depth(self) -> int:
        """Give the depth of the certificate in question; 0 is the leaf."""
        return self._depth

    def set_error_depth(self, depth: int) -> None:
        """Set the depth that a report of the failure names."""
        self._depth = number(depth, "depth")

    def get_current_cert(self) -> X509 | None:
        """Give the certificate in question, or None."""
        return self._current

    def get0_cert(self) -> X509:
        """Give the leaf, which is verified."""
        return self._sent[0]

    def get0_untrusted(self) -> list[X509]:
        """Give the certificates that the peer sent, leaf first."""
        return list(self._sent)

    def get0_chain(self) -> list[X509] | None:
        """Give the path as far as it was built, leaf first, anchor last.

        Returns:
            None before there is one.
        """
        return list(self._chain) or None

    def get1_chain(self) -> list[X509] | None:
        """As `get0_chain`; every list is the caller's own."""
        return self.get0_chain()

    @classmethod
    def get_ex_new_index(
        cls, argl: int = 0, argp: Any = None, *callbacks: Any
    ) -> int:
        """Give a new index for application data (EXD-1).

        Args:
            argl: Passed over, as are the others: there are no owners whose
                coming and going could be told.
            argp: Passed over.
            callbacks: Passed over.
        """
        return cls._registry.new_index(argl, argp, *callbacks)

    def set_ex_data(self, idx: int, data: Any) -> int:
        """Store an object: 1, or 0 with an entry for an unknown index."""
        return self._registry.set(self._ex, idx, data)

    def get_ex_data(self, idx: int) -> Any:
        """Give what was stored, or None.

        The SSL is under `SSL_get_ex_data_X509_STORE_CTX_idx`.

        Source: SSL_get_ex_data_X509_STORE_CTX_idx(3); contract EXD-3.
        """
        return self._registry.get(self._ex, idx)

    def verify_cert(self) -> int:
        """Verify as if there were no SSL_CTX_set_cert_verify_callback.

        For that callback. The verify callback, if there is one, hears of
        each step.

        Returns:
            1 for a good chain, 0 for a bad one (`get_error` tells why), -1
            if this verification is over or memory is short.

        Source: X509_verify_cert(3).
        """
        if self._conn is None:
            return -1
        return int(self._ssl._exclusive(self._run))

    def _run(self, conn: Any) -> int:
        if self._conn is None or not lib.pys_conn_verify(conn):
            return -1
        self._see_path()
        return int(self._replay(self._ssl._copied.verify))

    def _replay(self, callback: VerifyCallback | None) -> bool:
        """Tell a callback each step; whether it agreed to the end (VFY-4).

        Without one the first error decides.
        """
        events, lost = _events(self._conn)
        for event in events:
            self._depth = event.depth
            self._current = _at(self._chain or self._sent, event.depth)
            if not event.ok:
                self._error = event.error
            go_on = int(event.ok)
            if callback is not None:
                go_on = number(callback(go_on, self), "verify callback")
            if not go_on:
                self._fail()
                return False
        # libcrypto gave up by itself, or more than could be kept went wrong.
        result = lib.pys_conn_verify_result(self._conn)
        told = any(not event.ok for event in events)
        if lost or (result != X509_V_OK and not told):
            self._error = result
            self._fail()
            return False
        return True

    def _fail(self) -> None:
        """Let a failure have an error."""
        if self._error == X509_V_OK:
            self._error = X509_V_ERR_UNSPECIFIED

    def _end(self) -> None:
        """Tell the core the result; this object is history then."""
        lib.pys_conn_set_verdict(self._conn, self._error, self._depth)
        self._conn = None


# cb(preverify_ok, store_ctx): 1 to go on, 0 to stop with failure.
VerifyCallback = Callable[[int, X509_STORE_CTX], int]
# cb(store_ctx, arg): 1 to accept, 0 to reject.
CertVerifyCallback = Callable[[X509_STORE_CTX, Any], int]


def _at(path: Sequence[X509], depth: int) -> X509 | None:
    return path[depth] if 0 <= depth < len(path) else None


def _events(conn: Any) -> tuple[list[_Event], bool]:
    """Fetch what the core kept, and whether that is not all."""
    lost, ok, error = ffi.new("bool *"), ffi.new("bool *"), ffi.new("long *")
    found = []
    for i in range(lib.pys_conn_n_verify_events(conn, lost)):
        depth = lib.pys_conn_verify_event(conn, i, ok, error)
        found.append(_Event(bool(ok[0]), int(error[0]), int(depth)))
    return found, bool(lost[0])


def judge(ssl: SSL, conn: Any) -> bool | None:
    """Put the peer's chain before the application's callbacks.

    Returns:
        Whether it passed; None to ask again at the next call (VFY-20).

    Errors:
        Whatever a callback raises, with the core told of the failure.
    """
    lib.pys_conn_retry_wanted(conn)  # what is left of an earlier attempt
    copied = ssl._copied
    ctx = X509_STORE_CTX(ssl, conn)
    passed = False
    try:
        if copied.judge is None:
            passed = ctx._replay(copied.verify)
        else:
            callback, arg = copied.judge
            passed = number(callback(ctx, arg), "verify callback") > 0
    except BaseException:
        ctx._fail()  # whatever the mode: this is no good result
        raise
    finally:
        if not passed and copied.judge is None:
            ctx._fail()
        ctx._end()
    if passed and lib.pys_conn_retry_wanted(conn):
        return None
    return passed
