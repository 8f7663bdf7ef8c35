"""SSL_CTX and SSL_METHOD: what connections are made from."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable, TypeVar, Union

from pyssl import err
from pyssl._ffi import asks_changed, ffi, lib, own
from pyssl.const import (
    ERR_LIB_SSL,
    ERR_R_PASSED_NULL_PARAMETER,
    ERR_R_PEM_LIB,
)
from pyssl.ctx_notices import NoticeCalls
from pyssl.exdata import ExCallback, Registry
from pyssl.identity import (
    PassphraseCallback,
    Path,
    SignCallback,
    handle_of,
    parse_chain,
    read_file,
)
from pyssl.notices import callback
from pyssl.padding import Padding
from pyssl.pkey import EVP_PKEY
from pyssl.psk import NO_PSK, PskCallbacks
from pyssl.settings import copy_settings, new_fault
from pyssl.trust import TrustStore
from pyssl.verify import CertVerifyCallback, VerifyCallback
from pyssl.x509 import X509

if TYPE_CHECKING:
    from pyssl.conn import SSL

T = TypeVar("T")
F = TypeVar("F")

# cb(ssl, alert, arg); alert is a list of one number, to be changed.
ServerNameCallback = Callable[["SSL", "list[int]", Any], int]
# cb(ssl, client's list, arg): the result, and with OK the protocol.
AlpnCallback = Callable[
    ["SSL", bytes, Any], Union[int, "tuple[int, bytes | None]"]
]
# cb(ssl, alert, arg).
HelloCallback = Callable[["SSL", "list[int]", Any], int]
# cb(ssl, arg).
CertCallback = Callable[["SSL", Any], int]
# cb(ssl): 0, a negative number, or (1, certificate, key).
ClientCertCallback = Callable[
    ["SSL"], Union[int, "tuple[int, X509 | None, EVP_PKEY | None]"]
]
# cb(ssl, arg): not 0 to allow.
EarlyDataCallback = Callable[["SSL", Any], int]
# cb(ssl, ticket's id, seconds since the epoch): True for a first use.
AntiReplayCallback = Callable[["SSL", bytes, int], bool]

ASK_HELLO = 1 << lib.PYS_ASK_CLIENT_HELLO
ASK_NAME = 1 << lib.PYS_ASK_SERVER_NAME
ASK_CERT = 1 << lib.PYS_ASK_CERT
ASK_ALPN = 1 << lib.PYS_ASK_ALPN
ASK_SESSION = 1 << lib.PYS_ASK_SESSION
HEAR_SESSIONS = lib.PYS_HEAR_SESSIONS
HEAR_KEYLOG = lib.PYS_HEAR_KEYLOG
ASK_TICKET = 1 << lib.PYS_ASK_TICKET_SEAL | 1 << lib.PYS_ASK_TICKET_OPEN
ASK_VERIFY = 1 << lib.PYS_ASK_VERIFY
ASK_SIGN = 1 << lib.PYS_ASK_SIGN
ASK_JUDGE = 1 << lib.PYS_ASK_JUDGE
ASK_EARLY_DATA = 1 << lib.PYS_ASK_EARLY_DATA
ASK_FIRST_USE = 1 << lib.PYS_ASK_FIRST_USE
ASK_STATUS = 1 << lib.PYS_ASK_STATUS


class SSL_METHOD:
    """Which roles the connections of a context may take (CTX-2).

    Source: TLS_method(3).
    """

    __slots__ = ("_name", "role")

    def __init__(self, name: str, role: int) -> None:
        """Use `TLS_method` and its two siblings."""
        self._name = name
        self.role = role

    def __repr__(self) -> str:
        """Show the function that gives it."""
        return f"<SSL_METHOD {self._name}>"


_GENERIC = SSL_METHOD("TLS_method", lib.PYS_NO_ROLE)
_CLIENT = SSL_METHOD("TLS_client_method", lib.PYS_CLIENT)
_SERVER = SSL_METHOD("TLS_server_method", lib.PYS_SERVER)


def TLS_method() -> SSL_METHOD:
    """Give the method for both roles."""
    return _GENERIC


def TLS_client_method() -> SSL_METHOD:
    """Give the method for clients alone."""
    return _CLIENT


def TLS_server_method() -> SSL_METHOD:
    """Give the method for servers alone."""
    return _SERVER


def paired(cb: F | None, arg: Any) -> tuple[F, Any] | None:
    """Check a callback and keep its argument with it."""
    return None if cb is None else (callback(cb), arg)


def SSL_load_client_CA_file(file: Path) -> list[bytes] | None:
    """Read names of CAs: the subjects of a PEM file's certificates.

    Returns:
        The names, DER-encoded, each once; None with entries if the file
        cannot be read or holds none.

    Source: SSL_load_client_CA_file(3); contract CCA-2.
    """
    data = read_file(file, ERR_LIB_SSL)
    if data is None:
        return None
    fault = new_fault()
    found: dict[bytes, None] = {}
    for handle in parse_chain(data, fault):
        found[X509(lib.pys_cert_up_ref(handle)).subject_der] = None
    if not found:
        err.put_fault(fault)
        err.put(ERR_LIB_SSL, ERR_R_PEM_LIB)
        return None
    return list(found)


class Copied:
    """Callbacks that a connection copies when it is made (CTX-3).

    Attributes:
        cert: the certificate callback and its argument.
        hello: the ClientHello callback and its argument.
        verify: the callback of SSL_CTX_set_verify(3).
        judge: that of SSL_CTX_set_cert_verify_callback(3), and its argument.
        early: that of SSL_CTX_set_allow_early_data_cb(3), and its argument.
        padding: who says how records are padded, and its argument.
        psk: who is asked for external PSKs.
        also: what the first context answers, once another took its place.
        only: what of the context's own questions counts, as PYS_ASKS bits.
        signers: who signs with keys that are elsewhere, by their numbers.
        asks: the questions that all of them answer, as PYS_ASKS bits.
    """

    __slots__ = (
        "also",
        "asks",
        "cert",
        "early",
        "hello",
        "judge",
        "only",
        "padding",
        "psk",
        "signers",
        "verify",
    )

    def __init__(
        self,
        cert: tuple[CertCallback, Any] | None = None,
        hello: tuple[HelloCallback, Any] | None = None,
        verify: VerifyCallback | None = None,
        judge: tuple[CertVerifyCallback, Any] | None = None,
        early: tuple[EarlyDataCallback, Any] | None = None,
        psk: PskCallbacks = NO_PSK,
        also: int = 0,
        only: int = -1,
        signers: dict[int, SignCallback] | None = None,
        padding: Padding | None = None,
    ) -> None:
        """Put callbacks together; they are never exchanged."""
        self.also = also
        self.only = only
        self.cert = cert
        self.hello = hello
        self.verify = verify
        self.judge = judge
        self.early = early
        self.signers = signers
        self.psk = psk
        self.padding = padding
        self.asks = also
        self.asks |= 0 if cert is None else ASK_CERT
        self.asks |= 0 if hello is None else ASK_HELLO
        self.asks |= 0 if verify is None else ASK_VERIFY
        self.asks |= 0 if judge is None else ASK_JUDGE
        self.asks |= 0 if early is None else ASK_EARLY_DATA
        self.asks |= ASK_SIGN if signers else 0
        self.asks |= psk.asks

    def but(self, **others: Any) -> Copied:
        """Give the same callbacks, but for those named."""
        mine = {
            "cert": self.cert,
            "hello": self.hello,
            "verify": self.verify,
            "judge": self.judge,
            "early": self.early,
            "signers": self.signers,
            "psk": self.psk,
            "padding": self.padding,
            "also": self.also,
            "only": self.only,
        }
        return Copied(**{**mine, **others})


class SSL_CTX(NoticeCalls):
    """Settings, certificates, trust and callbacks for connections.

    What is set here counts for connections made later; the callbacks for
    SNI, ALPN, key log, client certificate and passphrase are looked up when
    they are needed (CTX-3).

    Source: SSL_CTX_new(3).
    """

    __slots__ = (
        "__weakref__",
        "_alpn",
        "_anti_replay",
        "_client_cert",
        "_ex",
        "_lock",
        "_method",
        "_passwd",
        "_passwd_data",
        "_refs",
        "_sni",
        "_sni_arg",
        "_store",
    )

    _copied: Copied
    _registry = Registry()

    def __init__(self, method: SSL_METHOD | None = None) -> None:
        """Make a context with the defaults of contract 6.1.

        Args:
            method: `TLS_method()` if left out.

        Errors:
            TypeError: not a method.
        """
        if method is None:
            method = _GENERIC
        if not isinstance(method, SSL_METHOD):
            raise TypeError("an SSL_METHOD is needed")
        self._method = method
        self._for_role = method.role
        self._adopt(own(lib.pys_settings_new(), lib.pys_settings_free))
        self._lock = threading.RLock()
        self._refs = 1
        self._ca_names = ()
        self._store: TrustStore | None = None
        self._copied = Copied()
        self.live_asks = 0
        self._alpn: tuple[AlpnCallback, Any] | None = None
        self._anti_replay: AntiReplayCallback | None = None
        self._sni: ServerNameCallback | None = None
        self._sni_arg: Any = None
        self._client_cert: ClientCertCallback | None = None
        self._passwd: PassphraseCallback | None = None
        self._passwd_data: Any = None
        super().__init__()
        self._ex: dict[int, Any] | None = None
        if self._registry.watched:
            self._registry.made(self)

    def __del__(self) -> None:
        """Empty the cache, run the free callbacks of application data."""
        if not hasattr(self, "_ex"):
            return
        settings = self._settings
        self._publish(None, 0)
        self._give_up_cache(settings is not None)
        if self._registry.watched:
            self._registry.gone(self, self._ex)

    def __repr__(self) -> str:
        """Show the method."""
        return f"<SSL_CTX {self._method._name}>"

    def up_ref(self) -> int:
        """Add a reference, to be given up by one more `free`."""
        self._snapshot()
        with self._lock:
            self._refs += 1
        return 1

    def free(self) -> None:
        """Give up a reference; with the last one the object is unusable.

        Connections made from it go on (CTX-4).

        Source: SSL_CTX_free(3).
        """
        settings = self._snapshot()
        with self._lock:
            self._refs -= 1
            if self._refs != 0:
                return
            self._publish(None, 0)
        self._flush(settings, 0)

    def _change(self, change: Callable[[Any], T]) -> T:
        with self._lock:
            fresh = copy_settings(self._snapshot())
            result = change(fresh)
            if result:
                self._adopt(fresh)
            return result

    def _adopt(self, settings: Any) -> None:
        """Let new connections have these."""
        self._publish(settings, int(ffi.cast("uintptr_t", settings)))

    def _keep_ca_names(self, found: tuple[bytes, ...]) -> None:
        self._ca_names = found

    def _update_asks(self) -> None:
        """Tell the core which questions have somebody to answer them.

        And what has somebody to hear it.
        """
        live = 0
        if self._sni is not None:
            live |= ASK_NAME
        if self._alpn is not None:
            live |= ASK_ALPN
        if self._client_cert is not None:
            live |= ASK_CERT
        if self._get_session is not None:
            live |= ASK_SESSION
        if self._ticket_key is not None:
            live |= ASK_TICKET
        if self._anti_replay is not None:
            live |= ASK_FIRST_USE
        if self._status is not None:
            live |= ASK_STATUS
        if self._new_session is not None:
            live |= HEAR_SESSIONS
        if self._keylog is not None:
            live |= HEAR_KEYLOG
        self._set_number(lib.PYS_ASKS, live | self._copied.asks)
        self.live_asks = live
        asks_changed()

    # ---- certificates ------------------------------------------------------

    def add_extra_chain_cert(self, x: X509 | None) -> int:
        """Add to the chain for leaves that have none of their own.

        Returns:
            1, or 0 with an entry.

        Source: SSL_CTX_add_extra_chain_cert(3); contract CERT-10.
        """
        if x is None:
            err.put(ERR_LIB_SSL, ERR_R_PASSED_NULL_PARAMETER)
            return 0
        return self._try(lib.pys_settings_add_extra, handle_of(x))

    def set_default_passwd_cb(self, cb: PassphraseCallback | None) -> None:
        """Set who is asked for the passphrase of an encrypted key.

        Args:
            cb: `cb(size, rwflag, userdata)` gives the passphrase as bytes
                or text of at most size bytes, or a negative number for
                failure. None: the userdata is the passphrase.

        Source: SSL_CTX_set_default_passwd_cb(3); contract CERT-15.
        """
        self._snapshot()
        self._passwd = callback(cb)

    def get_default_passwd_cb(self) -> PassphraseCallback | None:
        """Give the passphrase callback."""
        self._snapshot()
        return self._passwd

    def set_default_passwd_cb_userdata(self, userdata: Any) -> None:
        """Set what the passphrase callback gets, or the passphrase."""
        self._snapshot()
        self._passwd_data = userdata

    def get_default_passwd_cb_userdata(self) -> Any:
        """Give what the passphrase callback gets."""
        self._snapshot()
        return self._passwd_data

    def _passphrase(self) -> tuple[PassphraseCallback | None, Any]:
        return self._passwd, self._passwd_data

    def _keep_signer(self, signer: int, sign: SignCallback) -> None:
        with self._lock:
            settings = self._snapshot()
            kept = {
                known: found
                for known, found in (self._copied.signers or {}).items()
                if lib.pys_settings_has_signer(settings, known)
            }
            self._copied = self._copied.but(signers={**kept, signer: sign})
            self._update_asks()

    # ---- trust -------------------------------------------------------------

    def get_cert_store(self) -> TrustStore:
        """Give the store that verifications use; made when first needed.

        Source: SSL_CTX_set_cert_store(3).
        """
        with self._lock:
            store = self._store
            if store is None:
                store = TrustStore()
                self.set_cert_store(store)
            return store

    def set_cert_store(self, store: TrustStore) -> None:
        """Use a store, which other contexts may use too.

        Source: SSL_CTX_set_cert_store(3).
        """
        if not isinstance(store, TrustStore):
            raise TypeError("a TrustStore is needed")

        def change(fresh: Any) -> bool:
            lib.pys_settings_set_trust(fresh, store._trust)
            return True

        with self._lock:
            self._change(change)
            self._store = store

    def load_verify_locations(
        self, CAfile: Path | None = None, CApath: Path | None = None
    ) -> int:
        """Trust the certificates of a PEM file, of a folder, or of both.

        Returns:
            1; 0 with entries for a file that cannot be read or holds none;
            0 without an entry if both are None.

        Source: SSL_CTX_load_verify_locations(3); contract VFY-7, VFY-9.
        """
        if CAfile is None and CApath is None:
            self._snapshot()
            return 0
        store = self.get_cert_store()
        if CAfile is not None and not store.load_file(CAfile):
            return 0
        if CApath is not None and not store.load_path(CApath):
            return 0
        return 1

    def load_verify_mem(self, data: Any) -> int:
        """As `load_verify_locations`, with the bytes of a PEM file.

        Source: SSL_CTX_load_verify_locations(3).
        """
        return self.get_cert_store().load_mem(data)

    def set_default_verify_paths(self) -> int:
        """Trust what libcrypto trusts by default; 1 also if it is nothing.

        Source: SSL_CTX_set_default_verify_paths(3); contract VFY-8.
        """
        self.get_cert_store().load_default()
        return 1

    # ---- callbacks ---------------------------------------------------------

    def _keep_verify(self, callback: VerifyCallback | None) -> None:
        with self._lock:
            self._copied = self._copied.but(verify=callback)
            self._update_asks()

    def _psk(self) -> PskCallbacks:
        return self._copied.psk

    def _keep_psk(self, psk: PskCallbacks) -> None:
        with self._lock:
            self._copied = self._copied.but(psk=psk)
            self._update_asks()
            if psk.server is not None or psk.find is not None:
                self._cache()  # without a certificate, too

    def _padding(self) -> Padding | None:
        return self._copied.padding

    def _keep_padding(self, padding: Padding) -> None:
        with self._lock:
            self._copied = self._copied.but(padding=padding)

    def get_verify_callback(self) -> VerifyCallback | None:
        """Give the callback, or None. Source: SSL_CTX_get_verify_mode(3)."""
        self._snapshot()
        return self._copied.verify

    def set_cert_verify_callback(
        self, cb: CertVerifyCallback | None, arg: Any = None
    ) -> None:
        """Set who verifies a peer's chain instead of the library.

        Args:
            cb: `cb(store_ctx, arg)` gives 1 to accept the chain, 0 to
                reject it, and sets the error code by itself; it may call
                X509_verify_cert. None: the library verifies.
            arg: Handed to the callback.

        Source: SSL_CTX_set_cert_verify_callback(3); contract VFY-15.
        """
        with self._lock:
            self._copied = self._copied.but(judge=paired(cb, arg))
            self._update_asks()

    def set_tlsext_servername_callback(
        self, cb: ServerNameCallback | None
    ) -> int:
        """Set who judges the server name that a client sends.

        Args:
            cb: `cb(ssl, alert, arg)` gives SSL_TLSEXT_ERR_OK, _ALERT_WARNING,
                _ALERT_FATAL or _NOACK; `alert[0]` is the alert of a refusal,
                112 unless changed. None: names are passed over.

        Source: SSL_CTX_set_tlsext_servername_callback(3); contract SNI-3.
        """
        with self._lock:
            self._sni = callback(cb)
            self._update_asks()
        return 1

    def set_tlsext_servername_arg(self, arg: Any) -> int:
        """Set what the server name callback gets as its arg."""
        self._snapshot()
        self._sni_arg = arg
        return 1

    def set_alpn_select_cb(
        self, cb: AlpnCallback | None, arg: Any = None
    ) -> None:
        """Set who chooses the protocol when a client offers some.

        Args:
            cb: `cb(ssl, list, arg)`, with the client's list in wire format,
                gives `(SSL_TLSEXT_ERR_OK, protocol)`, SSL_TLSEXT_ERR_NOACK
                for no protocol, or anything else to refuse.
            arg: Handed to the callback.

        Source: SSL_CTX_set_alpn_select_cb(3); contract ALPN-2.
        """
        with self._lock:
            self._alpn = paired(cb, arg)
            self._update_asks()

    def set_client_hello_cb(
        self, cb: HelloCallback | None, arg: Any = None
    ) -> None:
        """Set who is asked first when a ClientHello has come.

        Args:
            cb: `cb(ssl, alert, arg)` gives 1 to go on, 0 to fail with the
                alert in `alert[0]`, -1 to suspend the handshake.
            arg: Handed to the callback.

        Source: SSL_CTX_set_client_hello_cb(3); contract SNI-9, GE-13.
        """
        with self._lock:
            hello = paired(cb, arg)
            self._copied = self._copied.but(hello=hello)
            self._update_asks()

    def set_cert_cb(self, cb: CertCallback | None, arg: Any = None) -> None:
        """Set who is asked before an own certificate is chosen.

        Args:
            cb: `cb(ssl, arg)` gives 1 to go on, 0 to fail, a negative
                number to suspend the handshake.
            arg: Handed to the callback.

        Source: SSL_CTX_set_cert_cb(3); contract CERT-20, GE-12.
        """
        with self._lock:
            cert = paired(cb, arg)
            self._copied = self._copied.but(cert=cert)
            self._update_asks()

    def set_client_cert_cb(self, cb: ClientCertCallback | None) -> None:
        """Set who gives a client its certificate when it has none.

        Args:
            cb: `cb(ssl)` gives `(1, certificate, key)`, 0 for none, or a
                negative number to suspend the handshake.

        Source: SSL_CTX_set_client_cert_cb(3); contract CERT-18, GE-12.
        """
        with self._lock:
            self._client_cert = callback(cb)
            self._update_asks()

    def get_client_cert_cb(self) -> ClientCertCallback | None:
        """Give the client certificate callback."""
        self._snapshot()
        return self._client_cert

    def set_allow_early_data_cb(
        self, cb: EarlyDataCallback | None, arg: Any = None
    ) -> None:
        """Set who may refuse early data that could be taken.

        Args:
            cb: `cb(ssl, arg)` gives 1 to take it, 0 to refuse it; then the
                handshake goes on without. None: nobody.
            arg: Handed to the callback.

        Source: SSL_CTX_set_allow_early_data_cb(3).
        """
        with self._lock:
            self._copied = self._copied.but(early=paired(cb, arg))
            self._update_asks()

    def set_anti_replay(self, cb: AntiReplayCallback | None) -> None:
        """Set who knows whether a ticket was used for early data before.

        Without one, each process remembers the tickets that it saw. Servers
        that share ticket keys need a store that all of them ask, or a
        ticket counts once on each (RFC 8446 8).

        Args:
            cb: `cb(ssl, ticket_id, expires)` gives True if this is the
                first use of the ticket, and remembers it at that moment, so
                that of two who ask at once one alone gets True. ticket_id:
                32 bytes. expires: when it may be forgotten, in seconds since
                the epoch. False, or an exception, refuses the early data;
                the handshake goes on without. With Redis:
                `lambda _, id, end: bool(db.set(id, 1, nx=True, exat=end))`.
                None: the process remembers by itself.

        Source: RFC 8446 8.1; contract ED-7.
        """
        with self._lock:
            self._anti_replay = callback(cb)
            self._update_asks()

    # ---- application data --------------------------------------------------

    @classmethod
    def get_ex_new_index(
        cls,
        argl: int = 0,
        argp: Any = None,
        new_func: ExCallback | None = None,
        dup_func: ExCallback | None = None,
        free_func: ExCallback | None = None,
    ) -> int:
        """Give a new index for application data.

        Source: SSL_CTX_get_ex_new_index(3); contract EXD-1, EXD-2.
        """
        return cls._registry.new_index(
            argl, argp, new_func, dup_func, free_func
        )

    def set_ex_data(self, index: int, value: Any) -> int:
        """Store an object: 1, or 0 with an entry for an unknown index."""
        self._snapshot()
        if self._ex is None:
            self._ex = {}
        return self._registry.set(self._ex, index, value)

    def get_ex_data(self, index: int) -> Any:
        """Give what was stored, or None."""
        self._snapshot()
        return self._registry.get(self._ex, index)
