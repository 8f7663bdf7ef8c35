"""What an SSL's last call ended with (SSL_get_error(3))."""

from __future__ import annotations

from pyssl import err
from pyssl._ffi import lib
from pyssl.conn_base import ConnBase
from pyssl.const import (
    BIO_FLAGS_IO_SPECIAL,
    BIO_FLAGS_READ,
    BIO_FLAGS_WRITE,
    BIO_RR_ACCEPT,
    BIO_RR_CONNECT,
    ERR_LIB_SYS,
    SSL_ERROR_NONE,
    SSL_ERROR_SSL,
    SSL_ERROR_SYSCALL,
    SSL_ERROR_WANT_ACCEPT,
    SSL_ERROR_WANT_ASYNC,
    SSL_ERROR_WANT_CLIENT_HELLO_CB,
    SSL_ERROR_WANT_CONNECT,
    SSL_ERROR_WANT_READ,
    SSL_ERROR_WANT_RETRY_VERIFY,
    SSL_ERROR_WANT_WRITE,
    SSL_ERROR_WANT_X509_LOOKUP,
    SSL_ERROR_ZERO_RETURN,
)

_phase = lib.pys_conn_phase
_bio_retry = lib.pys_bio_retry
_DEAD = lib.PYS_DEAD
_WRITING = lib.PYS_WRITING
_READING = lib.PYS_READING
_RECEIVED = 2  # SSL_RECEIVED_SHUTDOWN

# SSL_get_error(3), line f, and lines d and e.
_WAITS = {
    lib.PYS_X509_LOOKUP: SSL_ERROR_WANT_X509_LOOKUP,
    lib.PYS_CLIENT_HELLO_CB: SSL_ERROR_WANT_CLIENT_HELLO_CB,
    lib.PYS_RETRY_VERIFY: SSL_ERROR_WANT_RETRY_VERIFY,
    lib.PYS_ASYNC_PAUSED: SSL_ERROR_WANT_ASYNC,
}
_SPECIAL = {
    BIO_RR_CONNECT: SSL_ERROR_WANT_CONNECT,
    BIO_RR_ACCEPT: SSL_ERROR_WANT_ACCEPT,
}


class Outcomes(ConnBase):
    """Why a call gave what it gave."""

    __slots__ = ()

    def _get_error(self, ret: int) -> int:
        """As `get_error`, in all its cases."""
        conn = self._conn
        if conn is None:
            conn = self._alive()
        if ret > 0:
            return SSL_ERROR_NONE
        queue = err.local.state.queue
        if queue:
            from_system = err.ERR_GET_LIB(queue[0].code) == ERR_LIB_SYS
            return SSL_ERROR_SYSCALL if from_system else SSL_ERROR_SSL
        want = self._wanted()
        if want == _READING:  # the usual case in short
            bio = self._rbio
            if (
                bio is not None
                and bio._mirror is None
                and bio._c is not None
                and _bio_retry(bio._c, 0) & BIO_FLAGS_READ
            ):
                return SSL_ERROR_WANT_READ
        if want in (_READING, _WRITING):
            found = self._retry_of(int(want == _WRITING))
            if found != SSL_ERROR_NONE:
                return found
        elif want in _WAITS:
            return _WAITS[want]
        closed = lib.pys_conn_get_shutdown(conn) & _RECEIVED
        if closed and _phase(conn) != _DEAD:
            return SSL_ERROR_ZERO_RETURN
        return SSL_ERROR_SYSCALL

    def _retry_of(self, writing: int) -> int:
        """Read a BIO's flags as an SSL_ERROR_; SSL_ERROR_NONE for none."""
        bio = self._wbio if writing else self._rbio
        if bio is None:
            return SSL_ERROR_NONE
        native = bio._native()
        flags = _bio_retry(native, writing)
        if writing and flags & BIO_FLAGS_WRITE:
            return SSL_ERROR_WANT_WRITE
        if flags & BIO_FLAGS_READ:
            return SSL_ERROR_WANT_READ
        if flags & BIO_FLAGS_WRITE:
            return SSL_ERROR_WANT_WRITE
        if flags & BIO_FLAGS_IO_SPECIAL:
            reason = lib.pys_bio_reason(native, writing)
            return _SPECIAL.get(reason, SSL_ERROR_SYSCALL)
        return SSL_ERROR_NONE
