"""What an SSL_CTX and an SSL have in common: settings and their setters.

The core keeps settings as a counted snapshot that many connections share.
A setter never changes a snapshot that somebody else can see: it works on a
copy, which then takes the place of the old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable, TypeVar

from pyssl import cipher_list, err, names
from pyssl._ffi import (
    Owner,
    bytes_of,
    ffi,
    lib,
    number,
    number64,
    own,
    source,
)
from pyssl.cipher import SSL_CIPHER
from pyssl.const import (
    ERR_LIB_SSL,
    ERR_R_PASSED_INVALID_ARGUMENT,
    ERR_R_PASSED_NULL_PARAMETER,
    SSL_R_NO_CIPHER_MATCH,
    SSL_R_SSL_SESSION_ID_CONTEXT_TOO_LONG,
    TLS1_1_VERSION,
    TLS1_2_VERSION,
    TLS1_3_VERSION,
    TLS1_VERSION,
)
from pyssl.verify import VerifyCallback
from pyssl.x509 import X509

T = TypeVar("T")

_ID_CONTEXT_MAX = 32


def copy_settings(old: Any) -> Any:
    """Give a snapshot of our own with the same content."""
    lib.pys_settings_up_ref(old)
    fresh = lib.pys_settings_own(old)
    if fresh == ffi.NULL:
        lib.pys_settings_free(old)
        raise MemoryError
    return own(fresh, lib.pys_settings_free)


def _suites_of(settings: Any) -> list[int]:
    ids = ffi.new("uint16_t[]", lib.PYS_LIST_MAX)
    n = lib.pys_settings_list(settings, lib.PYS_KIND_SUITE, ids)
    return list(ids[0:n])


def _set_suites(settings: Any, tls13: bool, ids: Sequence[int]) -> bool:
    """Exchange the suites of TLS 1.3, or of TLS 1.2, in the one list."""
    others = [
        id
        for id in _suites_of(settings)
        if cipher_list.is_tls13(id) is not tls13
    ]
    both = [*ids, *others] if tls13 else [*others, *ids]
    return bool(
        lib.pys_settings_set_list(
            settings, lib.PYS_KIND_SUITE, both, len(both)
        )
    )


def new_fault() -> Any:
    """Give room for the codes of one call."""
    return ffi.new("pys_fault *")


class Settings(Owner):
    """The setters and getters that SSL_CTX and SSL share.

    Setters of an SSL count for its next handshake; those of a context for
    connections made later (CTX-3).
    """

    __slots__ = ()

    # What the heirs keep: the snapshot (None: freed), and CA names.
    _settings: Any
    _ca_names: tuple[bytes, ...]

    def _snapshot(self) -> Any:
        """Give the settings as they are now.

        Errors:
            ValueError: the object was freed (CV-3).
        """
        settings = self._settings
        if settings is None:
            raise ValueError(f"this {type(self).__name__} was freed")
        return settings

    def _change(self, change: Callable[[Any], T]) -> T:
        """Run change on a copy, which becomes the snapshot if it is true.

        A change answers falsely to leave everything as it was.
        """
        raise NotImplementedError

    def _number(self, which: int) -> int:
        return int(lib.pys_settings_number(self._snapshot(), which))

    def _set_number(self, which: int, value: int) -> None:
        number64(value, "setting")
        if self._number(which) == value:
            return

        def change(fresh: Any) -> bool:
            lib.pys_settings_set_number(fresh, which, value)
            return True

        self._change(change)

    def _try(self, call: Any, *arguments: Any) -> int:
        """Change settings by a call that leaves codes when it fails."""
        fault = new_fault()

        def change(fresh: Any) -> bool:
            return bool(call(fresh, *arguments, fault))

        if self._change(change):
            return 1
        err.put_fault(fault)
        return 0

    # ---- versions ----------------------------------------------------------

    def set_min_proto_version(self, version: int) -> int:
        """Set the lowest version; 0 for the library's lowest.

        Returns:
            1; 0 for a version that is not known, with nothing changed.

        Source: SSL_CTX_set_min_proto_version(3); contract VER-1.
        """
        if version in (TLS1_VERSION, TLS1_1_VERSION):
            version = TLS1_2_VERSION
        return self._set_version(lib.PYS_MIN_VERSION, version)

    def set_max_proto_version(self, version: int) -> int:
        """Set the highest version; 0 for the library's highest.

        Returns:
            1; 0 for a version that cannot be negotiated.

        Source: SSL_CTX_set_max_proto_version(3); contract VER-1.
        """
        return self._set_version(lib.PYS_MAX_VERSION, version)

    def _set_version(self, which: int, version: int) -> int:
        if number(version, "version") not in (
            0,
            TLS1_2_VERSION,
            TLS1_3_VERSION,
        ):
            return 0
        self._set_number(which, version)
        return 1

    def get_min_proto_version(self) -> int:
        """Give what was set, 0 for automatic."""
        return self._number(lib.PYS_MIN_VERSION)

    def get_max_proto_version(self) -> int:
        """Give what was set, 0 for automatic."""
        return self._number(lib.PYS_MAX_VERSION)

    # ---- options and modes -------------------------------------------------

    def set_options(self, options: int) -> int:
        """Switch SSL_OP_ bits on and give the new mask.

        Source: SSL_CTX_set_options(3); contract OPT-1.
        """
        self._set_number(lib.PYS_OPTIONS, self.get_options() | options)
        return self.get_options()

    def clear_options(self, options: int) -> int:
        """Switch SSL_OP_ bits off and give the new mask."""
        self._set_number(lib.PYS_OPTIONS, self.get_options() & ~options)
        return self.get_options()

    def get_options(self) -> int:
        """Give the mask of SSL_OP_ bits."""
        return self._number(lib.PYS_OPTIONS)

    def set_mode(self, mode: int) -> int:
        """Switch SSL_MODE_ bits on and give the new mask.

        Source: SSL_CTX_set_mode(3); contract OPT-4.
        """
        self._set_number(lib.PYS_MODE, self.get_mode() | mode)
        return self.get_mode()

    def clear_mode(self, mode: int) -> int:
        """Switch SSL_MODE_ bits off and give the new mask."""
        self._set_number(lib.PYS_MODE, self.get_mode() & ~mode)
        return self.get_mode()

    def get_mode(self) -> int:
        """Give the mask of SSL_MODE_ bits."""
        return self._number(lib.PYS_MODE)

    def set_read_ahead(self, yes: int) -> None:
        """Read as much as the BIO has, beyond the record that is wanted.

        Source: SSL_CTX_set_read_ahead(3); contract RW-32.
        """
        self._set_number(lib.PYS_READ_AHEAD, int(number(yes, "yes") != 0))

    def get_read_ahead(self) -> int:
        """Tell whether read-ahead is on."""
        return self._number(lib.PYS_READ_AHEAD)

    def set_quiet_shutdown(self, mode: int) -> None:
        """Let SSL_shutdown send nothing.

        Source: SSL_CTX_set_quiet_shutdown(3); contract SD-15.
        """
        quiet = number(mode, "mode") != 0
        self._set_number(lib.PYS_QUIET_SHUTDOWN, int(quiet))

    def get_quiet_shutdown(self) -> int:
        """Tell whether quiet shutdown is on."""
        return self._number(lib.PYS_QUIET_SHUTDOWN)

    def set_security_level(self, level: int) -> None:
        """Set the security level, 0 to 5.

        It forbids certificates by their keys (own leaf:
        SSL_R_EE_KEY_TOO_SMALL, issuer: SSL_R_CA_KEY_TOO_SMALL) and by how
        they are signed (SSL_R_CA_MD_TOO_WEAK), and suites, groups and
        signature schemes.

        Args:
            level: 0 forbids nothing; 1 to 5 what has less than 80, 112, 128,
                192 and 256 bits of security. From 3 on, tickets hold no
                session. The default is 2.

        Source: SSL_CTX_set_security_level(3).
        """
        self._set_number(lib.PYS_SECURITY_LEVEL, level)

    def get_security_level(self) -> int:
        """Give the security level."""
        return self._number(lib.PYS_SECURITY_LEVEL)

    # ---- verification ------------------------------------------------------

    def set_verify(
        self, mode: int, callback: VerifyCallback | None = None
    ) -> None:
        """Say whether the peer's certificate is asked for and enforced.

        Args:
            mode: SSL_VERIFY_ bits.
            callback: `cb(preverify_ok, store_ctx)` hears of each step of
                the verification, from the deepest certificate to the leaf,
                and gives 1 to go on, also past an error, or 0 to stop with
                failure. None: an SSL keeps the callback it has, a context
                gives it up.

        Source: SSL_CTX_set_verify(3); contract VFY-1 to VFY-5.
        """
        if callback is not None and not callable(callback):
            raise TypeError(f"a callable or None is needed, not {callback!r}")
        self._set_number(lib.PYS_VERIFY_MODE, mode)
        self._keep_verify(callback)

    def _keep_verify(self, callback: VerifyCallback | None) -> None:
        raise NotImplementedError

    def get_verify_mode(self) -> int:
        """Give the SSL_VERIFY_ bits."""
        return self._number(lib.PYS_VERIFY_MODE)

    def get_verify_callback(self) -> VerifyCallback | None:
        """Give the callback, or None. Source: SSL_CTX_get_verify_mode(3)."""
        raise NotImplementedError

    def set_verify_depth(self, depth: int) -> None:
        """Limit the intermediate certificates of a chain.

        Source: SSL_CTX_set_verify_depth(3); contract VFY-6.
        """
        self._set_number(lib.PYS_VERIFY_DEPTH, depth)

    def get_verify_depth(self) -> int:
        """Give the depth, -1 if none was set."""
        return self._number(lib.PYS_VERIFY_DEPTH)

    def set_post_handshake_auth(self, val: int) -> None:
        """Say whether a client lets itself be asked after the handshake.

        Args:
            val: Not 0 to offer it in TLS 1.3; a server may then ask for the
                certificate at any time.

        Source: SSL_CTX_set_post_handshake_auth(3); RFC 8446 4.2.6.
        """
        self._snapshot()
        on = number(val, "val") != 0
        self._set_number(lib.PYS_POST_HANDSHAKE_AUTH, int(on))

    def set_remember_chains(self, yes: bool) -> None:
        """Say whether a good chain may be remembered, as it is by default.

        A chain that passed is then not verified again for five minutes,
        while every byte of it, the host names, all settings that count and
        the trust store are the same. Failures are never remembered; neither
        is anything while the store looks into folders or at revocation
        lists, or if a certificate ends sooner. See SECURITY.md.

        Args:
            yes: False to verify each chain from scratch and leave nothing
                behind; what others remember stays.
        """
        yes = number(yes, "yes") != 0
        self._set_number(lib.PYS_REMEMBER_CHAINS, int(yes))

    def get_remember_chains(self) -> bool:
        """Tell whether good chains may be remembered."""
        return self._number(lib.PYS_REMEMBER_CHAINS) != 0

    # ---- algorithms --------------------------------------------------------

    def _set_list(self, kind: int, ids: Sequence[int]) -> int:
        def change(fresh: Any) -> bool:
            return bool(
                lib.pys_settings_set_list(fresh, kind, list(ids), len(ids))
            )

        return int(self._change(change))

    def _list(self, kind: int) -> list[int]:
        ids = ffi.new("uint16_t[]", lib.PYS_LIST_MAX)
        n = lib.pys_settings_list(self._snapshot(), kind, ids)
        return list(ids[0:n])

    # ---- sessions ----------------------------------------------------------

    def set_session_id_context(self, sid_ctx: Any) -> int:
        """Set within what context a server's sessions may be resumed.

        Args:
            sid_ctx: At most 32 bytes, bytes-like.

        Returns:
            1; 0 with SSL_R_SSL_SESSION_ID_CONTEXT_TOO_LONG.

        Source: SSL_CTX_set_session_id_context(3); contract SESS-9.
        """
        self._snapshot()
        view = source(sid_ctx)
        if len(view) > _ID_CONTEXT_MAX:
            err.put(ERR_LIB_SSL, SSL_R_SSL_SESSION_ID_CONTEXT_TOO_LONG)
            return 0
        return int(
            self._change(
                lambda fresh: bool(
                    lib.pys_settings_set_id_context(fresh, view, len(view))
                )
            )
        )

    def set_num_tickets(self, num_tickets: int) -> int:
        """Set how many tickets a server sends after a full handshake.

        Args:
            num_tickets: 0 to 65535. After a resumption it is one at most.

        Returns:
            1.

        Source: SSL_CTX_set_num_tickets(3); contract SESS-11.
        """
        self._snapshot()
        if isinstance(num_tickets, int) and not 0 <= num_tickets <= 0xFFFF:
            raise ValueError(f"{num_tickets} tickets")
        self._set_number(lib.PYS_NUM_TICKETS, num_tickets)
        return 1

    def get_num_tickets(self) -> int:
        """Give how many tickets a server sends after a full handshake."""
        return self._number(lib.PYS_NUM_TICKETS)

    def set_max_early_data(self, max_early_data: int) -> int:
        """Set how much early data a server's tickets allow.

        Args:
            max_early_data: Bytes, 0 to 2^32 - 1; 0, the default: none, and
                none is taken.

        Returns:
            1.

        Source: SSL_CTX_set_max_early_data(3); contract ED-1.
        """
        return self._set_early(lib.PYS_MAX_EARLY_DATA, max_early_data)

    def get_max_early_data(self) -> int:
        """Give how much early data a server's tickets allow, in bytes."""
        return self._number(lib.PYS_MAX_EARLY_DATA)

    def set_recv_max_early_data(self, recv_max_early_data: int) -> int:
        """Set how much early data a server takes, whatever tickets said.

        More than this, and more than the ticket said, is fatal.

        Args:
            recv_max_early_data: Bytes, 0 to 2^32 - 1; the default is 16384.

        Returns:
            1.

        Source: SSL_CTX_set_recv_max_early_data(3); contract ED-1, ED-6.
        """
        return self._set_early(
            lib.PYS_RECV_MAX_EARLY_DATA, recv_max_early_data
        )

    def get_recv_max_early_data(self) -> int:
        """Give how much early data a server takes, in bytes."""
        return self._number(lib.PYS_RECV_MAX_EARLY_DATA)

    def _set_early(self, which: int, value: int) -> int:
        self._snapshot()
        if not 0 <= number(value, "early data") < 1 << 32:
            raise ValueError(f"{value} bytes of early data")
        self._set_number(which, value)
        return 1

    # ---- names of suites, groups and schemes -------------------------------

    def set_ciphersuites(self, text: str) -> int:
        """Set the TLS 1.3 suites: names parted by colons, best first.

        Args:
            text: Unknown names are passed over while at least one is known;
                "" leaves no suite.

        Returns:
            1; 0 with SSL_R_NO_CIPHER_MATCH if no name is known.

        Source: SSL_CTX_set_ciphersuites(3); contract CIPH-3.
        """
        ids = names.suites(text)
        if ids is None:
            err.put(ERR_LIB_SSL, SSL_R_NO_CIPHER_MATCH)
            return 0
        return int(self._change(lambda fresh: _set_suites(fresh, True, ids)))

    def set_cipher_list(self, text: str) -> int:
        """Set the TLS 1.2 suites by a control string.

        Args:
            text: Elements parted by colons, as "ECDHE+AESGCM:!aRSA".

        Returns:
            1; 0 with SSL_R_NO_CIPHER_MATCH if it leaves none, or with
            SSL_R_INVALID_COMMAND if it is malformed, and nothing changed.

        Source: SSL_CTX_set_cipher_list(3), ciphers(1); contract CIPH-1.
        """
        chosen = cipher_list.parse(text)
        if isinstance(chosen, int):
            self._snapshot()
            err.put(ERR_LIB_SSL, chosen)
            return 0
        ids, level = chosen

        def change(fresh: Any) -> bool:
            if level is not None:
                lib.pys_settings_set_number(
                    fresh, lib.PYS_SECURITY_LEVEL, level
                )
            return _set_suites(fresh, False, ids)

        return int(self._change(change))

    def get_ciphers(self) -> list[SSL_CIPHER]:
        """Give the suites in order of preference.

        Source: SSL_get_ciphers(3).
        """
        found = map(SSL_CIPHER.find, self._list(lib.PYS_KIND_SUITE))
        return [cipher for cipher in found if cipher is not None]

    def set1_groups_list(self, text: str) -> int:
        """Set the groups: names parted by colons, best first.

        Returns:
            1; 0 for an unknown or repeated name, or none at all.

        Source: SSL_CTX_set1_groups(3); contract CIPH-4.
        """
        ids = names.groups(text)
        return 0 if ids is None else self._set_list(lib.PYS_KIND_GROUP, ids)

    def set1_groups(self, nids: Sequence[int]) -> int:
        """Set the groups by libcrypto's numbers (NID), best first.

        Returns:
            1; 0 for an unknown or repeated number, or none at all.

        Source: SSL_CTX_set1_groups(3).
        """
        ids = names.groups_of_nids(nids)
        return 0 if ids is None else self._set_list(lib.PYS_KIND_GROUP, ids)

    def get_groups(self) -> list[str]:
        """Give the names of the groups in order of preference."""
        kind = lib.PYS_KIND_GROUP
        return [names.name_of(kind, id) for id in self._list(kind)]

    def set1_sigalgs_list(self, text: str) -> int:
        """Set the signature schemes: names parted by colons, best first.

        Args:
            text: Names as "ECDSA+SHA256" or "rsa_pss_rsae_sha256".

        Returns:
            1; 0 for an unknown or repeated name, or none at all.

        Source: SSL_CTX_set1_sigalgs_list(3); contract CIPH-5.
        """
        ids = names.schemes(text)
        return 0 if ids is None else self._set_list(lib.PYS_KIND_SCHEME, ids)

    def get_sigalgs(self) -> list[str]:
        """Give the names of the schemes in order of preference."""
        kind = lib.PYS_KIND_SCHEME
        return [names.name_of(kind, id) for id in self._list(kind)]

    # ---- ALPN --------------------------------------------------------------

    def set_alpn_protos(self, protos: Any = None) -> int:
        """Set the protocols a client offers, in wire format.

        Args:
            protos: Bytes-like; each item a length byte, 1 to 255, and as
                many bytes. Empty or None for no ALPN.

        Returns:
            0 for success, 1 for a malformed list.

        Source: SSL_CTX_set_alpn_protos(3); contract ALPN-1.
        """
        wire = b"" if protos is None else memoryview(protos).tobytes()
        if names.split_protos(wire) is None:
            return 1

        def change(fresh: Any) -> bool:
            return bool(lib.pys_settings_set_alpn(fresh, wire, len(wire)))

        if not self._change(change):
            raise MemoryError
        return 0

    def get_alpn_protos(self) -> bytes:
        """Give the protocols set, in wire format."""
        n = ffi.new("size_t *")
        return bytes_of(lib.pys_settings_alpn(self._snapshot(), n), n[0])

    # ---- names of CAs ------------------------------------------------------

    def add_client_CA(self, certificate: X509 | None) -> int:
        """Name a certificate's subject in certificate requests.

        Returns:
            1, or 0 with an entry.

        Source: SSL_CTX_add_client_CA(3); contract CCA-1.
        """
        if certificate is None:
            err.put(ERR_LIB_SSL, ERR_R_PASSED_NULL_PARAMETER)
            return 0
        if not self._put_names((*self._ca_names, subject_of(certificate))):
            err.put(ERR_LIB_SSL, ERR_R_PASSED_INVALID_ARGUMENT)
            return 0
        return 1

    def set_client_CA_list(self, authorities: Iterable[X509 | bytes]) -> None:
        """Set the names in certificate requests, replacing others.

        Args:
            authorities: DER-encoded names as bytes, or certificates, of
                which the subject counts.

        Errors:
            ValueError: one is no name, or together they do not fit a
                request (65535 bytes).

        Source: SSL_CTX_set_client_CA_list(3); contract CCA-1.
        """
        found = tuple(map(subject_of, authorities))
        if not self._put_names(found):
            raise ValueError("names that no certificate request can hold")

    def _put_names(self, found: tuple[bytes, ...]) -> bool:
        def change(fresh: Any) -> bool:
            lib.pys_settings_clear_ca_names(fresh)
            return all(
                lib.pys_settings_add_ca_name(fresh, name, len(name))
                for name in found
            )

        done = self._change(change)
        if done:
            self._keep_ca_names(found)
        return done

    def _keep_ca_names(self, found: tuple[bytes, ...]) -> None:
        raise NotImplementedError

    def get_client_CA_list(self) -> list[bytes]:
        """Give the names set, DER-encoded.

        Source: SSL_CTX_get_client_CA_list(3); contract CCA-2.
        """
        self._snapshot()
        return list(self._ca_names)


def subject_of(authority: X509 | bytes) -> bytes:
    """Give a DER-encoded name: itself, or a certificate's subject."""
    if isinstance(authority, bytes):
        return authority
    if not isinstance(authority, X509):
        raise TypeError(f"an X509 or bytes are needed, not {authority!r}")
    return authority.subject_der
