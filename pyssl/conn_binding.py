"""The part of SSL that ties other protocols to a connection."""

from __future__ import annotations

from typing import Any, Callable

from pyssl._ffi import bytes_of, ffi, lib, number, own, room
from pyssl.conn_notices import Notices
from pyssl.const import TLS1_2_VERSION

_RECEIVED, _SENT = 0, 1
_EXPORTER_LABEL = b"EXPORTER-Channel-Binding"  # RFC 9266 2
_EXPORTER_LEN = 32


def _finished(conn: Any, sent: int) -> bytes:
    n = ffi.new("size_t *")
    return bytes_of(lib.pys_conn_finished(conn, sent, n), n[0])


def _exporter(conn: Any) -> bytes | None:
    """RFC 9266; RFC 7627 5.4 for what TLS 1.2 must have."""
    if not lib.pys_conn_extended(conn):
        return None
    label, out = _EXPORTER_LABEL, ffi.new("uint8_t[]", _EXPORTER_LEN)
    if not lib.pys_conn_export(conn, out, len(out), label, len(label), b"", 0):
        return None
    return bytes(ffi.buffer(out))


def _unique(conn: Any) -> bytes | None:
    """RFC 5929 3: the first Finished message of the handshake."""
    if lib.pys_conn_version(conn) != TLS1_2_VERSION:
        return None
    if not lib.pys_conn_extended(conn):
        return None
    client = lib.pys_conn_role(conn) == lib.PYS_CLIENT
    first_is_ours = client != bool(lib.pys_conn_resumed(conn))
    return _finished(conn, _SENT if first_is_ours else _RECEIVED)


def _end_point(conn: Any) -> bytes | None:
    """RFC 5929 4: the server's certificate, hashed as it was signed."""
    if lib.pys_conn_role(conn) == lib.PYS_SERVER:
        found = lib.pys_conn_own_cert(conn)
    else:
        found = lib.pys_conn_peer_cert(conn, 0)
    if found == ffi.NULL:
        return None
    certificate = own(found, lib.pys_cert_free)
    out = ffi.new("uint8_t[]", lib.PYS_END_POINT_MAX)
    n = lib.pys_cert_end_point(certificate, out)
    return bytes(ffi.buffer(out, n)) or None


_KINDS: dict[str, Callable[[Any], bytes | None]] = {
    "tls-exporter": _exporter,
    "tls-unique": _unique,
    "tls-server-end-point": _end_point,
}


class Bindings(Notices):
    """What both ends of one connection, and nobody else, can know."""

    __slots__ = ()

    def get_channel_binding(self, kind: str = "tls-exporter") -> bytes | None:
        """Give a channel binding, for SCRAM and the like.

        Args:
            kind: "tls-exporter" (RFC 9266), "tls-unique" (RFC 5929 3) or
                "tls-server-end-point" (RFC 5929 4).

        Returns:
            The bytes; None if there is none: before the handshake is
            complete; "tls-unique" in TLS 1.3; that and "tls-exporter" in
            TLS 1.2 without extended master secret (RFC 7627 5.4), where it
            binds nothing; "tls-server-end-point" without a certificate, or
            with one whose signature has no hash of its own (Ed25519,
            Ed448).

        Errors:
            ValueError: another kind.
        """
        get = _KINDS.get(kind)
        self._alive()
        if get is None:
            raise ValueError(f"no kind of channel binding: {kind!r}")
        if not self.is_init_finished():
            return None
        return self._facts(get)

    def get_finished(self, buf: Any, count: int | None = None) -> int:
        """Copy the Finished message that we sent (its verify_data).

        Args:
            buf: Writable, contiguous, bytes-like.
            count: Bytes to copy at most; all of buf if left out.

        Returns:
            The length of the message, also if less was copied; 0 while none
            was sent.

        Source: SSL_get_finished(3).
        """
        return self._copy_finished(buf, count, _SENT)

    def get_peer_finished(self, buf: Any, count: int | None = None) -> int:
        """As `get_finished`, the one that came from the peer.

        Source: SSL_get_peer_finished(3).
        """
        return self._copy_finished(buf, count, _RECEIVED)

    def _copy_finished(self, buf: Any, count: int | None, sent: int) -> int:
        into = room(buf)
        size = len(into) if count is None else number(count, "count")
        if not 0 <= size <= len(into):
            raise ValueError(f"{size} bytes into a buffer of {len(into)}")
        data = self._facts(lambda conn: _finished(conn, sent))
        ffi.memmove(into, data[:size], len(data[:size]))
        return len(data)
