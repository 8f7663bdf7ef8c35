"""A ClientHello, read: every field, every extension, in the order sent.

    hello = ClientHello.parse(body)
    hello.server_name, hello.alpn, hello.groups

The octets may come from anywhere. What breaks the form of RFC 8446 4.1.2 is
a ValueError when the hello is read; what breaks the form of one extension,
when that extension is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

_CLIENT_HELLO = 1
_RANDOM = 32
_SESSION_ID_MAX = 32
_HOST_NAME = 0

# Numbers of extensions (IANA, TLS ExtensionType Values).
_SERVER_NAME = 0
_MAX_FRAGMENT_LENGTH = 1
_STATUS_REQUEST = 5
_GROUPS = 10
_POINT_FORMATS = 11
_SCHEMES = 13
_ALPN = 16
_SCT = 18
_PADDING = 21
_EXTENDED_MASTER_SECRET = 23
_COMPRESS_CERTIFICATE = 27
_RECORD_SIZE_LIMIT = 28
_DELEGATED = 34
_SESSION_TICKET = 35
_PRE_SHARED_KEY = 41
_EARLY_DATA = 42
_VERSIONS = 43
_COOKIE = 44
_PSK_MODES = 45
_AUTHORITIES = 47
_POST_HANDSHAKE_AUTH = 49
_SCHEMES_CERT = 50
_KEY_SHARE = 51
_RENEGOTIATION = 0xFF01


def is_grease(number: int) -> bool:
    """Tell whether a 16-bit number is one that stands for nothing.

    Source: RFC 8701 2.
    """
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


class _Reader:
    """Takes items from the front of octets."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def fault(self, why: str) -> ValueError:
        return ValueError(f"{self._what}: {why}")

    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, n: int, name: str) -> bytes:
        if n > self.left():
            raise self.fault(
                f"{name} ends early: {n} octets wanted, {self.left()} left"
            )
        self._at += n
        return self._data[self._at - n : self._at]

    def number(self, n: int, name: str) -> int:
        return int.from_bytes(self.take(n, name), "big")

    def vector(self, n: int, name: str, least: int = 0) -> bytes:
        """Take what stands behind its length of n octets."""
        size = self.number(n, f"length of {name}")
        if size < least:
            raise self.fault(f"{name} of {size} octets, at least {least}")
        return self.take(size, name)

    def numbers(self, n: int, each: int, name: str) -> tuple[int, ...]:
        """Take a vector of at least one number."""
        data = self.vector(n, name, each)
        if len(data) % each:
            raise self.fault(f"{name} of {len(data)} octets, not even")
        return tuple(
            int.from_bytes(data[i : i + each], "big")
            for i in range(0, len(data), each)
        )

    def items(self, n: int, name: str, least: int = 1) -> tuple[bytes, ...]:
        """Take the rest as vectors, each of at least so many octets."""
        found = []
        while self.left():
            found.append(self.vector(n, name, least))
        return tuple(found)

    def end(self) -> None:
        if self.left():
            raise self.fault(f"{self.left()} octets left over")


@dataclass(frozen=True)
class ClientHello:
    """What a client says first (RFC 8446 4.1.2, RFC 5246 7.4.1.2).

    Lists are as sent, with values that stand for nothing (`is_grease`). What
    a property reads from an extension is None or empty without it.

    Attributes:
        legacy_version: 0x0303 for anything newer than TLS 1.1.
        random: 32 octets.
        session_id: At most 32 octets.
        cipher_suites: Code points, best first.
        compression_methods: An octet each.
        extensions: Type and content of each, in the order sent.
        raw: The whole body that was read.
    """

    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    compression_methods: bytes
    extensions: tuple[tuple[int, bytes], ...]
    raw: bytes

    @classmethod
    def parse(cls, body: bytes) -> ClientHello:
        """Read the body of the message, without the header of 4 octets.

        Errors:
            ValueError: it is malformed; the text says where.
        """
        raw = memoryview(body).tobytes()
        r = _Reader(raw, "ClientHello")
        version = r.number(2, "legacy_version")
        random = r.take(_RANDOM, "random")
        session_id = r.vector(1, "session_id")
        if len(session_id) > _SESSION_ID_MAX:
            raise r.fault(f"session_id of {len(session_id)} octets")
        suites = r.numbers(2, 2, "cipher_suites")
        compression = r.vector(1, "compression_methods", 1)
        # RFC 5246 7.4.1.2: there may be no block at all.
        block = r.vector(2, "extensions") if r.left() else b""
        r.end()
        return cls(
            version,
            random,
            session_id,
            suites,
            compression,
            _extensions(block),
            raw,
        )

    @classmethod
    def parse_message(cls, message: bytes) -> ClientHello:
        """Read the whole message, with its header.

        Errors:
            ValueError: it is malformed, or another message.
        """
        r = _Reader(memoryview(message).tobytes(), "handshake message")
        kind = r.number(1, "type")
        if kind != _CLIENT_HELLO:
            raise r.fault(f"type {kind} is no ClientHello")
        body = r.vector(3, "body")
        r.end()
        return cls.parse(body)

    # ---- extensions as they are --------------------------------------------

    @property
    def extension_types(self) -> tuple[int, ...]:
        """The types of all extensions, in the order sent."""
        return tuple(kind for kind, _ in self.extensions)

    def extension(self, type: int) -> bytes | None:
        """Give the content of one, or None."""
        for kind, content in self.extensions:
            if kind == type:
                return content
        return None

    def _open(self, type: int, name: str) -> _Reader | None:
        content = self.extension(type)
        return None if content is None else _Reader(content, name)

    def _numbers(
        self, type: int, size: int, each: int, name: str
    ) -> tuple[int, ...]:
        """Read an extension that is one list of numbers."""
        r = self._open(type, name)
        if r is None:
            return ()
        found = r.numbers(size, each, "list")
        r.end()
        return found

    def _items(self, type: int, size: int, name: str) -> tuple[bytes, ...]:
        """Read an extension that is one list of vectors."""
        r = self._open(type, name)
        if r is None:
            return ()
        inner = _Reader(r.vector(2, "list", 1), name)
        r.end()
        return inner.items(size, "item")

    def _flag(self, type: int, name: str) -> bool:
        """Tell whether an extension without content is there."""
        r = self._open(type, name)
        if r is not None:
            r.end()
        return r is not None

    # ---- extensions read ---------------------------------------------------

    @property
    def server_name(self) -> str | None:
        """The host name (RFC 6066 3); octets beyond ASCII as backslashes."""
        r = self._open(_SERVER_NAME, "server_name")
        if r is None:
            return None
        inner = _Reader(r.vector(2, "list", 1), "server_name")
        r.end()
        found = None
        while inner.left():
            kind = inner.number(1, "type of name")
            name = inner.vector(2, "name", 1)
            if kind == _HOST_NAME and found is None:
                found = name.decode("ascii", "backslashreplace")
        return found

    @property
    def alpn(self) -> tuple[bytes, ...]:
        """The protocols, best first (RFC 7301 3.1)."""
        return self._items(_ALPN, 1, "ALPN")

    @property
    def groups(self) -> tuple[int, ...]:
        """The groups, best first (RFC 8446 4.2.7)."""
        return self._numbers(_GROUPS, 2, 2, "supported_groups")

    @property
    def ec_point_formats(self) -> tuple[int, ...]:
        """The forms of points (RFC 8422 5.1.2)."""
        return self._numbers(_POINT_FORMATS, 1, 1, "ec_point_formats")

    @property
    def signature_algorithms(self) -> tuple[int, ...]:
        """The signature schemes, best first (RFC 8446 4.2.3)."""
        return self._numbers(_SCHEMES, 2, 2, "signature_algorithms")

    @property
    def signature_algorithms_cert(self) -> tuple[int, ...]:
        """Those for certificates, if they differ (RFC 8446 4.2.3)."""
        return self._numbers(_SCHEMES_CERT, 2, 2, "signature_algorithms_cert")

    @property
    def supported_versions(self) -> tuple[int, ...]:
        """The versions, best first (RFC 8446 4.2.1); see `versions`."""
        return self._numbers(_VERSIONS, 1, 2, "supported_versions")

    @property
    def versions(self) -> tuple[int, ...]:
        """`supported_versions`, or else the old field alone."""
        return self.supported_versions or (self.legacy_version,)

    @property
    def key_shares(self) -> tuple[tuple[int, bytes], ...]:
        """Group and key of each share (RFC 8446 4.2.8)."""
        r = self._open(_KEY_SHARE, "key_share")
        if r is None:
            return ()
        inner = _Reader(r.vector(2, "list"), "key_share")
        r.end()
        found = []
        while inner.left():
            group = inner.number(2, "group")
            found.append((group, inner.vector(2, "key", 1)))
        return tuple(found)

    @property
    def key_share_groups(self) -> tuple[int, ...]:
        """The groups of the shares."""
        return tuple(group for group, _ in self.key_shares)

    @property
    def psk_modes(self) -> tuple[int, ...]:
        """0 for psk_ke, 1 for psk_dhe_ke (RFC 8446 4.2.9)."""
        return self._numbers(_PSK_MODES, 1, 1, "psk_key_exchange_modes")

    @property
    def psk_identities(self) -> tuple[tuple[bytes, int], ...]:
        """Identity and obfuscated age of each PSK (RFC 8446 4.2.11)."""
        return self._psks()[0]

    @property
    def psk_binders(self) -> tuple[bytes, ...]:
        """The binder of each PSK (RFC 8446 4.2.11.2)."""
        return self._psks()[1]

    def _psks(
        self,
    ) -> tuple[tuple[tuple[bytes, int], ...], tuple[bytes, ...]]:
        name = "pre_shared_key"
        r = self._open(_PRE_SHARED_KEY, name)
        if r is None:
            return (), ()
        inner = _Reader(r.vector(2, "identities", 7), name)
        binders = _Reader(r.vector(2, "binders", 33), name)
        r.end()
        found = []
        while inner.left():
            identity = inner.vector(2, "identity", 1)
            found.append((identity, inner.number(4, "age")))
        proofs = binders.items(1, "binder", 32)
        if len(proofs) != len(found):
            raise r.fault(f"{len(proofs)} binders for {len(found)} identities")
        return tuple(found), proofs

    @property
    def early_data(self) -> bool:
        """Whether early data follows (RFC 8446 4.2.10)."""
        return self._flag(_EARLY_DATA, "early_data")

    @property
    def cookie(self) -> bytes | None:
        """What a HelloRetryRequest gave along (RFC 8446 4.2.2)."""
        r = self._open(_COOKIE, "cookie")
        if r is None:
            return None
        found = r.vector(2, "cookie", 1)
        r.end()
        return found

    @property
    def session_ticket(self) -> bytes | None:
        """The ticket of TLS 1.2, b"" to ask for one (RFC 5077 3.2)."""
        return self.extension(_SESSION_TICKET)

    @property
    def extended_master_secret(self) -> bool:
        """Whether RFC 7627 is spoken."""
        return self._flag(_EXTENDED_MASTER_SECRET, "extended_master_secret")

    @property
    def renegotiation_info(self) -> bytes | None:
        """What RFC 5746 3.2 binds to: b"" in a first handshake."""
        r = self._open(_RENEGOTIATION, "renegotiation_info")
        if r is None:
            return None
        found = r.vector(1, "renegotiated_connection")
        r.end()
        return found

    @property
    def record_size_limit(self) -> int | None:
        """The longest record that the client takes (RFC 8449 4)."""
        return self._number(_RECORD_SIZE_LIMIT, 2, "record_size_limit")

    @property
    def max_fragment_length(self) -> int | None:
        """The code of the longest record, 1 to 4 (RFC 6066 4)."""
        return self._number(_MAX_FRAGMENT_LENGTH, 1, "max_fragment_length")

    def _number(self, type: int, size: int, name: str) -> int | None:
        r = self._open(type, name)
        if r is None:
            return None
        found = r.number(size, "number")
        r.end()
        return found

    @property
    def status_request(self) -> int | None:
        """The kind of status that is asked for: 1 is OCSP (RFC 6066 8)."""
        r = self._open(_STATUS_REQUEST, "status_request")
        return None if r is None else r.number(1, "type")

    @property
    def asks_sct(self) -> bool:
        """Whether timestamps are asked for (RFC 6962 3.3.1)."""
        return self._flag(_SCT, "signed_certificate_timestamp")

    @property
    def post_handshake_auth(self) -> bool:
        """Whether the client may be asked later (RFC 8446 4.2.6)."""
        return self._flag(_POST_HANDSHAKE_AUTH, "post_handshake_auth")

    @property
    def certificate_authorities(self) -> tuple[bytes, ...]:
        """Names of CAs that the client knows, DER (RFC 8446 4.2.4)."""
        return self._items(_AUTHORITIES, 2, "certificate_authorities")

    @property
    def compress_certificate(self) -> tuple[int, ...]:
        """The ways to compress certificates, best first (RFC 8879 3)."""
        return self._numbers(
            _COMPRESS_CERTIFICATE, 1, 2, "compress_certificate"
        )

    @property
    def delegated_credentials(self) -> tuple[int, ...]:
        """The schemes of delegated credentials (RFC 9345 4.1.1)."""
        return self._numbers(_DELEGATED, 2, 2, "delegated_credential")

    @property
    def padding(self) -> int | None:
        """The octets of padding (RFC 7685 3)."""
        content = self.extension(_PADDING)
        return None if content is None else len(content)


def _extensions(block: bytes) -> tuple[tuple[int, bytes], ...]:
    """Read the block of extensions."""
    r = _Reader(block, "ClientHello")
    found: dict[int, bytes] = {}
    while r.left():
        kind = r.number(2, "type of extension")
        content = r.vector(2, f"extension {kind}")
        if kind in found:  # RFC 8446 4.2
            raise r.fault(f"extension {kind} comes twice")
        found[kind] = content
    return tuple(found.items())
