"""What an SSL wishes, where it stands, and what was agreed."""

from __future__ import annotations

from _thread import get_ident
from typing import Any

from pyssl import err, names
from pyssl._ffi import (
    bytes_of,
    ffi,
    lib,
    number,
    number64,
    room,
    source,
    text_of,
)
from pyssl.cipher import SSL_CIPHER
from pyssl.conn_base import ConnBase
from pyssl.const import (
    ERR_LIB_SSL,
    SSL_R_SSL3_EXT_INVALID_SERVERNAME,
    SSL_R_TLS_ILLEGAL_EXPORTER_LABEL,
    SSL_ST_OK,
    TLS1_2_VERSION,
    TLS1_3_VERSION,
)
from pyssl.ctx import SSL_CTX, CertCallback, paired
from pyssl.identity import SignCallback
from pyssl.padding import Padding
from pyssl.psk import PskCallbacks
from pyssl.report import Report, make_report
from pyssl.verify import VerifyCallback
from pyssl.x509 import X509

_set_server_name = lib.pys_conn_set_server_name
_set_host = lib.pys_conn_set_host
_add_host = lib.pys_conn_add_host

_CLIENT = lib.PYS_CLIENT
_SERVER = lib.PYS_SERVER
_BEFORE = lib.PYS_BEFORE
_OPEN = lib.PYS_OPEN

_VERSIONS = {TLS1_2_VERSION: "TLSv1.2", TLS1_3_VERSION: "TLSv1.3"}
_NAME_MAX = 255
# What the key schedule of TLS 1.2 says itself (RFC 5246 8.1, RFC 7627 4).
_LABELS_OF_12 = (
    b"client finished",
    b"server finished",
    b"master secret",
    b"extended master secret",
    b"key expansion",
)


def _host(name: str | bytes) -> bytes:
    """Check a host name or address."""
    if isinstance(name, str):
        raw = name.encode("ascii")
    elif isinstance(name, bytes):
        raw = name
    else:
        raise TypeError("a name is text or bytes")
    if 0 in raw:
        raise ValueError("a name holds no NUL")
    return raw


class Info(ConnBase):
    """Wishes before the handshake, and questions that change nothing."""

    __slots__ = ()

    # ---- wishes ------------------------------------------------------------

    def get_SSL_CTX(self) -> SSL_CTX:
        """Give the context. Source: SSL_get_SSL_CTX(3)."""
        self._alive()
        return self._ctx

    def _set_name(self, name: str | bytes | None) -> int:
        """As `set_tlsext_host_name`, whatever the name is."""
        raw = b"" if name is None else _host(name)
        n = len(raw)
        if name is not None and not 1 <= n <= _NAME_MAX:
            self._alive()
            err.put(ERR_LIB_SSL, SSL_R_SSL3_EXT_INVALID_SERVERNAME)
            return 0
        return int(self._exclusive(_set_server_name, raw, n))

    def get_servername(self, type: int = 0) -> str | None:
        """Give the server name: the client's, or on a client the one set.

        Args:
            type: TLSEXT_NAMETYPE_host_name; there is no other.

        Source: SSL_get_servername(3); contract SNI-2.
        """
        if number(type, "type") != 0:
            self._alive()
            return None

        def get(conn: Any) -> str | None:
            n = ffi.new("size_t *")
            name = lib.pys_conn_server_name(conn, n)
            if name == ffi.NULL:
                return None
            return bytes_of(name, n[0]).decode("ascii", "backslashreplace")

        return self._facts(get)

    def get_servername_type(self) -> int:
        """Give 0 if there is a server name, else -1."""
        return -1 if self.get_servername() is None else 0

    def _set_host(self, name: str | bytes | None) -> int:
        """As `set1_host`, whatever the name is."""
        raw = b"" if name is None else _host(name)
        return int(self._exclusive(_set_host, raw, len(raw)))

    def add1_host(self, name: str | bytes | None) -> int:
        """Add a name that the certificate may match instead.

        Source: SSL_set1_host(3); contract VFY-10.
        """
        raw = b"" if name is None else _host(name)
        return int(self._exclusive(_add_host, raw, len(raw)))

    def set_hostflags(self, flags: int) -> None:
        """Set X509_CHECK_FLAG_ bits for the comparison of names.

        Source: SSL_set1_host(3); contract VFY-11.
        """
        self._set_number(lib.PYS_HOST_FLAGS, flags)

    def get0_peername(self) -> str | None:
        """Give the name in the peer's certificate that matched, or None.

        Source: SSL_set1_host(3); contract VFY-12.
        """
        return self._facts(lambda c: text_of(lib.pys_conn_peername(c)))

    def set_cert_cb(self, cb: CertCallback | None, arg: Any = None) -> None:
        """Set who is asked before an own certificate is chosen.

        Source: SSL_CTX_set_cert_cb(3); contract CERT-20.
        """
        self._keep_copied(cert=paired(cb, arg))

    def _keep_verify(self, callback: VerifyCallback | None) -> None:
        """Take a callback, also while the handshake runs (VFY-2)."""
        if callback is not None:
            self._keep_copied(verify=callback)

    def _keep_signer(self, signer: int, sign: SignCallback) -> None:
        """Take who signs; others are kept, their keys may be in use."""
        known = self._copied.signers or {}
        self._keep_copied(signers={**known, signer: sign})

    def _psk(self) -> PskCallbacks:
        return self._copied.psk

    def _keep_psk(self, psk: PskCallbacks) -> None:
        self._keep_copied(psk=psk)

    def _padding(self) -> Padding | None:
        return self._copied.padding

    def _keep_padding(self, padding: Padding) -> None:
        self._keep_copied(padding=padding)

    def _keep_copied(self, **others: Any) -> None:
        """Exchange callbacks, also while the handshake runs."""

        def do(conn: Any) -> None:
            del conn
            self._copied = self._copied.but(**others)
            copied = self._copied
            wanted = self._ctx.live_asks & copied.only | copied.asks
            self._set_number(lib.PYS_ASKS, wanted)
            self._asks = wanted

        self._exclusive(do)

    def get_verify_callback(self) -> VerifyCallback | None:
        """Give the callback, or None. Source: SSL_CTX_get_verify_mode(3)."""
        self._alive()
        return self._copied.verify

    def set_retry_verify(self) -> int:
        """Suspend the handshake, from a verification callback that accepts.

        The call then ends with SSL_ERROR_WANT_RETRY_VERIFY, and the next one
        asks the callback again.

        Returns:
            1; 0 if no verification is under way.

        Source: SSL_set_retry_verify(3); contract VFY-20, GE-14.
        """
        return int(self._exclusive(lib.pys_conn_retry_verify))

    # ---- where it stands ---------------------------------------------------

    def is_server(self) -> int:
        """Tell whether this is a server: by role, else by method.

        Source: SSL_is_server(3); contract HS-55.
        """
        self._alive()
        if self._role in (_CLIENT, _SERVER):
            return int(self._role == _SERVER)
        return int(self._session_ctx._method.role != _CLIENT)

    def in_init(self) -> int:
        """Tell whether the handshake is not complete.

        Source: SSL_in_init(3); contract 1.5.
        """
        return int(not self.is_init_finished())

    def in_before(self) -> int:
        """Tell whether the handshake has not begun."""
        return int(lib.pys_conn_phase(self._alive()) == _BEFORE)

    def is_init_finished(self) -> int:
        """Tell whether the handshake is complete."""
        conn = self._alive()
        told = self._told
        state = None if told is None else told.state_for(self)
        if state is not None:  # as it was when this happened
            return int(state == SSL_ST_OK)
        return int(lib.pys_conn_phase(conn) == _OPEN)

    def in_connect_init(self) -> int:
        """Tell whether a client's handshake is not complete."""
        return int(self.in_init() and self._role == _CLIENT)

    def in_accept_init(self) -> int:
        """Tell whether a server's handshake is not complete."""
        return int(self.in_init() and self._role == _SERVER)

    def get_state(self) -> int:
        """Give the state: 0 before, 1 established, others unspecified.

        Inside an info or message callback: what it is told about.

        Source: SSL_get_state(3); contract HS-48.
        """
        conn = self._alive()
        told = self._told
        state = None if told is None else told.state_for(self)
        return int(lib.pys_conn_state(conn) if state is None else state)

    def state_string(self) -> str:
        """Give the state as at most six letters.

        Source: SSL_state_string(3); contract HS-51.
        """
        return text_of(lib.pys_state_text(self.get_state(), False)) or ""

    def state_string_long(self) -> str:
        """Give the state in words. Source: SSL_state_string(3)."""
        return text_of(lib.pys_state_text(self.get_state(), True)) or ""

    def want_nothing(self) -> int:
        """Tell whether nothing is waited for. Source: SSL_want(3)."""
        return int(self.want() == lib.PYS_NOTHING)

    def want_read(self) -> int:
        """Tell whether the read BIO is waited for."""
        return int(self.want() == lib.PYS_READING)

    def want_write(self) -> int:
        """Tell whether the write BIO is waited for."""
        return int(self.want() == lib.PYS_WRITING)

    def want_x509_lookup(self) -> int:
        """Tell whether a certificate callback suspended the handshake."""
        return int(self.want() == lib.PYS_X509_LOOKUP)

    def want_async(self) -> int:
        """Tell whether a signature is waited for. Source: SSL_want(3)."""
        return int(self.want() == lib.PYS_ASYNC_PAUSED)

    def want_client_hello_cb(self) -> int:
        """Tell whether the ClientHello callback suspended the handshake."""
        return int(self.want() == lib.PYS_CLIENT_HELLO_CB)

    def want_retry_verify(self) -> int:
        """Tell whether a verification suspended the handshake."""
        return int(self.want() == lib.PYS_RETRY_VERIFY)

    def pending(self) -> int:
        """Give the bytes that a read would get without the BIO.

        Source: SSL_pending(3); contract RW-30.
        """
        return int(lib.pys_conn_pending(self._alive()))

    def has_pending(self) -> int:
        """Tell whether received bytes are buffered, in any form.

        While another thread is reading, only decrypted bytes count.

        Source: SSL_has_pending(3); contract RW-31.
        """
        conn = self._alive()
        if lib.pys_conn_pending(conn):
            return 1
        if self._reader == get_ident():
            return int(lib.pys_conn_has_pending(conn))
        if not self._try_take(0):
            return 0
        try:
            self._shut_quick(writing=False)
            return int(lib.pys_conn_has_pending(conn))
        finally:
            self._give(0)

    def get_shutdown(self) -> int:
        """Give SSL_SENT_SHUTDOWN and SSL_RECEIVED_SHUTDOWN, ORed.

        Source: SSL_get_shutdown(3); contract SD-12.
        """
        return int(lib.pys_conn_get_shutdown(self._alive()))

    def _set_shutdown(self, mode: int) -> None:
        """As `set_shutdown`, whatever the mode is."""
        lib.pys_conn_put_shutdown(self._alive(), mode & 3)

    # ---- what was agreed ---------------------------------------------------

    def version(self) -> int:
        """Give the protocol version: 0x0304 for TLS 1.3.

        Source: SSL_get_version(3); contract VER-4.
        """
        return int(self._facts(lib.pys_conn_version)) or TLS1_3_VERSION

    def get_version(self) -> str:
        """Give the protocol version as "TLSv1.3"."""
        return _VERSIONS.get(self.version(), "unknown")

    def get_current_cipher(self) -> SSL_CIPHER | None:
        """Give the cipher suite, None while there is none.

        Source: SSL_get_current_cipher(3).
        """
        return SSL_CIPHER.find(self._facts(lib.pys_conn_suite))

    def get_cipher_name(self) -> str:
        """Give the cipher suite's name, "(NONE)" while there is none."""
        cipher = self.get_current_cipher()
        return "(NONE)" if cipher is None else cipher.get_name()

    def get_cipher_bits(self) -> tuple[int, int]:
        """Give the secret bits, and the bits of the algorithm."""
        cipher = self.get_current_cipher()
        return (0, 0) if cipher is None else cipher.get_bits()

    def get_cipher_version(self) -> str:
        """Give the cipher suite's protocol, "(NONE)" while there is none."""
        cipher = self.get_current_cipher()
        return "(NONE)" if cipher is None else cipher.get_version()

    def get_cipher_list(self, priority: int) -> str | None:
        """Give the name of the suite at a place of our list, or None.

        Source: SSL_get_ciphers(3).
        """
        ciphers = self.get_ciphers()
        if not 0 <= priority < len(ciphers):
            return None
        return ciphers[priority].get_name()

    def get0_group_name(self) -> str | None:
        """Give the name of the group of the key exchange, or None.

        Source: SSL_get0_group_name(3).
        """
        id = self._facts(lib.pys_conn_group)
        return names.name_of(lib.PYS_KIND_GROUP, id) if id else None

    def get_negotiated_group(self) -> int:
        """Give libcrypto's number of the group; 0 while there is none.

        A group without such a number gives 0x1000000 + its code point.

        Source: SSL_get_negotiated_group(3).
        """
        id = self._facts(lib.pys_conn_group)
        return names.nid_of_group(id) if id else 0

    def get0_signature_name(self) -> str | None:
        """Give the name of the scheme that we signed with, or None.

        Source: SSL_get_signature_nid(3).
        """
        return self._scheme(lib.pys_conn_own_scheme)

    def get0_peer_signature_name(self) -> str | None:
        """Give the name of the scheme that the peer signed with, or None.

        Source: SSL_get_signature_nid(3).
        """
        return self._scheme(lib.pys_conn_peer_scheme)

    def _scheme(self, get: Any) -> str | None:
        id = self._facts(get)
        return names.name_of(lib.PYS_KIND_SCHEME, id) if id else None

    def hello_retried(self) -> bool:
        """Tell whether a HelloRetryRequest was used (RFC 8446 4.1.4)."""
        return bool(self._facts(lib.pys_conn_retried))

    def get0_alpn_selected(self) -> bytes:
        """Give the protocol chosen, b"" if there is none.

        Source: SSL_get0_alpn_selected(3); contract ALPN-5.
        """

        def get(conn: Any) -> bytes:
            n = ffi.new("size_t *")
            return bytes_of(lib.pys_conn_alpn(conn, n), n[0])

        return self._facts(get)

    def get_peer_certificate(self) -> X509 | None:
        """Give the peer's certificate, None if it sent none.

        Source: SSL_get_peer_certificate(3); contract VFY-14.
        """

        def get(conn: Any) -> Any:
            return lib.pys_conn_peer_cert(conn, 0)

        handle = self._facts(get)
        return None if handle == ffi.NULL else X509(handle)

    def get_peer_cert_chain(self) -> list[X509] | None:
        """Give the certificates that the peer sent, in its order.

        Returns:
            On a client with the leaf, on a server without it; None if there
            are none.

        Source: SSL_get_peer_cert_chain(3); contract VFY-14.
        """
        chain = self._peer_chain()
        if not chain:
            return None
        return chain[1:] if self._role == _SERVER else chain

    def _peer_chain(self) -> list[X509]:
        def get(conn: Any) -> list[Any]:
            n = lib.pys_conn_n_peer_certs(conn)
            return [X509(lib.pys_conn_peer_cert(conn, i)) for i in range(n)]

        return self._facts(get)

    def get_verify_result(self) -> int:
        """Give the X509_V_ code of the verification.

        Source: SSL_get_verify_result(3); contract VFY-13.
        """
        return int(self._facts(lib.pys_conn_verify_result))

    def set_verify_result(self, result: int) -> None:
        """Overwrite the X509_V_ code. Source: SSL_set_verify_result(3)."""
        code = number64(result, "result")
        self._exclusive(lib.pys_conn_set_verify_result, code)

    def get_client_CA_list(self) -> list[bytes]:
        """Give names of CAs, DER-encoded.

        Returns:
            On a client those that the server sent with its request, on a
            server those set.

        Source: SSL_get_client_CA_list(3); contract CCA-2.
        """
        if self.is_server():
            return super().get_client_CA_list()

        def get(conn: Any) -> bytes:
            n = ffi.new("size_t *")
            return bytes_of(lib.pys_conn_peer_ca_names(conn, n), n[0])

        return names.split_ca_names(self._facts(get))

    def export_keying_material(
        self,
        out: Any,
        label: str | bytes,
        context: Any = None,
        use_context: int | None = None,
    ) -> int:
        """Fill a buffer with bytes that both sides can derive.

        Args:
            out: Writable, contiguous, bytes-like; its size is how much.
            label: Who the bytes are for (RFC 5705 4), ASCII.
            context: Bytes-like, or None.
            use_context: Whether context counts; if left out, unless it is
                None.

        Returns:
            1; 0 for more bytes than there can be, or with
            SSL_R_TLS_ILLEGAL_EXPORTER_LABEL; -1 before the handshake is
            complete.

        Source: SSL_export_keying_material(3); contract EKM-1, EKM-2.
        """
        into = room(out)
        name = label.encode("ascii") if isinstance(label, str) else label
        if not isinstance(name, bytes):
            raise TypeError("a label is text or bytes")
        if use_context is None:
            use_context = context is not None
        number(use_context, "use_context")
        about, n_about = ffi.NULL, 0  # TLS 1.2: an empty one is another
        if use_context:
            about = b"" if context is None else source(context)
            n_about = len(about)
            about = about if n_about else b""
        if not self.is_init_finished():
            return -1
        if name in _LABELS_OF_12 and self.version() == TLS1_2_VERSION:
            err.put(ERR_LIB_SSL, SSL_R_TLS_ILLEGAL_EXPORTER_LABEL)
            return 0
        return self._facts(
            lambda conn: int(
                lib.pys_conn_export(
                    conn, into, len(into), name, len(name), about, n_about
                )
            )
        )

    def report(self) -> Report:
        """Say what is known about the handshake, above all a failed one."""
        return make_report(self)
