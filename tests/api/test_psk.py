"""External PSKs: contract section 6.17."""

from __future__ import annotations

from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    outcome,
    reasons,
    ssl_reasons,
    use_identity,
)
from tests.api.opened import hello_of
from tests.api.sessions import CONTEXT, TLS12, TLS13, VERSIONS, visit
from tests.clauses import clause
from tests.forge import messages
from tests.pki import ca

BOTH = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
NAME, KEY = b"someone", b"\x07" * 24
Pair = tuple[p.SSL_CTX, p.SSL_CTX]


class Keys:
    """Callbacks that answer from a table and say what they were asked."""

    def __init__(self, name: Any = NAME, key: Any = KEY) -> None:
        self.name, self.key = name, key
        self.hints: list[Optional[bytes]] = []
        self.names: list[bytes] = []
        self.limits: set[tuple[int, ...]] = set()
        self.known: dict[bytes, bytes] = {NAME: KEY}

    def client(
        self, ssl: p.SSL, hint: Optional[bytes], names: int, keys: int
    ) -> tuple[Any, Any]:
        assert isinstance(ssl, p.SSL)
        self.hints.append(hint)
        self.limits.add((names, keys))
        return self.name, self.key

    def server(self, ssl: p.SSL, name: bytes, keys: int) -> bytes:
        assert isinstance(ssl, p.SSL)
        self.names.append(name)
        self.limits.add((keys,))
        return self.known.get(name, b"")


def contexts(
    version: int = 0, keys: Optional[Keys] = None, cert: bool = False
) -> tuple[Pair, Keys]:
    """Make contexts of one version with callbacks on both sides."""
    keys = keys or Keys()
    pair = p.SSL_CTX(p.TLS_method()), p.SSL_CTX(p.TLS_method())
    for ctx in pair:
        p.SSL_CTX_set_min_proto_version(ctx, version)
        p.SSL_CTX_set_max_proto_version(ctx, version)
        p.SSL_CTX_set_session_id_context(ctx, CONTEXT)
    if cert:
        use_identity(pair[1], ca.leaf())
        assert p.SSL_CTX_load_verify_mem(pair[0], ca.leaf().ca_pem) == 1
    p.SSL_CTX_set_psk_client_callback(pair[0], keys.client)
    p.SSL_CTX_set_psk_server_callback(pair[1], keys.server)
    return pair, keys


def link_of(pair: Pair) -> MemLink:
    """Make a link without a server name."""
    return MemLink(*make_ends(*pair, host=None))


def fails(pair: Pair) -> tuple[list[int], list[int]]:
    """Let a handshake fail: the reasons of client and of server."""
    link = link_of(pair)
    found: dict[int, list[int]] = {0: [], 1: []}
    for _ in range(4):
        for i, ssl in enumerate((link.client, link.server)):
            p.ERR_clear_error()
            if not found[i]:
                p.SSL_do_handshake(ssl)
                found[i] = ssl_reasons()
            link.move()
    assert not p.SSL_is_init_finished(link.client)
    assert not p.SSL_is_init_finished(link.server)
    return found[0], found[1]


def session_of(
    suite: int = 0x1301, key: bytes = KEY, version: int = TLS13
) -> p.SSL_SESSION:
    """Make a session by hand."""
    session = p.SSL_SESSION_new()
    cipher = p.SSL_CIPHER.find(suite)
    assert cipher is not None
    assert p.SSL_SESSION_set_protocol_version(session, version) == 1
    assert p.SSL_SESSION_set_cipher(session, cipher) == 1
    assert p.SSL_SESSION_set1_master_key(session, key) == 1
    return session


# ---- keys of callbacks ------------------------------------------------------


@BOTH
@clause("PSK-1", "PSK-2", "PSK-3", "RFC 8446 4.2.11", "RFC 5489 2")
def test_key_that_both_have_takes_the_place_of_certificates(
    version: int,
) -> None:
    pair, keys = contexts(version)
    link = link_of(pair)
    link.established()
    link.send(link.client, b"ping")
    link.send(link.server, b"pong")

    assert keys.hints == [None]
    assert keys.names == [NAME]
    assert keys.limits == {(256, 512), (512,)}
    for ssl in (link.client, link.server):
        assert p.SSL_session_reused(ssl) == int(version == TLS13)
        assert p.SSL_get_peer_certificate(ssl) is None
        assert p.SSL_get_psk_identity(ssl) == NAME
        cipher = p.SSL_get_current_cipher(ssl)
        assert cipher is not None
        if version == TLS13:
            assert cipher.get_name().endswith("SHA256")
        else:
            assert cipher.get_name().startswith("ECDHE-PSK-")
    assert reasons() == []


@pytest.mark.parametrize(
    "suite",
    [
        "ECDHE-PSK-CHACHA20-POLY1305",
        "ECDHE-PSK-AES128-GCM-SHA256",
        "ECDHE-PSK-AES256-GCM-SHA384",
    ],
)
@pytest.mark.parametrize("extended", [True, False])
@clause("PSK-1", "PSK-2", "RFC 8442 2", "RFC 7905 2", "RFC 7627 4")
def test_each_suite_of_tls12_works_with_a_key(
    suite: str, extended: bool
) -> None:
    pair, _ = contexts(TLS12)
    assert p.SSL_CTX_set_cipher_list(pair[0], suite) == 1
    if not extended:
        p.SSL_CTX_set_options(pair[0], p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    link = link_of(pair)
    link.established()
    link.send(link.client, b"ping")
    assert p.SSL_get_cipher_name(link.server) == suite
    assert p.SSL_get_extms_support(link.client) == int(extended)


@BOTH
@pytest.mark.parametrize("size", [1, 32, 48, 49, 64, 129, 512])
@clause("PSK-1", "PSK-2")
def test_key_of_any_length_works(version: int, size: int) -> None:
    keys = Keys(key=b"k" * size)
    keys.known[NAME] = b"k" * size
    link_of(contexts(version, keys)[0]).established()


@BOTH
@pytest.mark.parametrize("name", ["text", b"\0\xff", b"n" * 256])
@clause("PSK-1", "PSK-2", "RFC 9257 5")
def test_identity_is_any_text_or_bytes(version: int, name: Any) -> None:
    raw = name.encode() if isinstance(name, str) else name
    keys = Keys(name=name)
    keys.known = {raw: KEY}
    link = link_of(contexts(version, keys)[0])
    link.established()
    assert keys.names == [raw]
    assert p.SSL_get_psk_identity(link.client) == raw


@pytest.mark.parametrize("hint", [b"which one?", "text", b"h" * 256])
@clause("PSK-1", "PSK-4", "RFC 4279 2")
def test_hint_reaches_a_client_of_tls12(hint: Any) -> None:
    pair, keys = contexts(TLS12)
    assert p.SSL_CTX_use_psk_identity_hint(pair[1], hint) == 1
    link = link_of(pair)
    link.established()
    raw = hint.encode() if isinstance(hint, str) else hint
    assert keys.hints == [raw]
    assert p.SSL_get_psk_identity_hint(link.client) == raw
    assert p.SSL_get_psk_identity_hint(link.server) == raw


@clause("PSK-1")
def test_hint_does_not_reach_a_client_of_tls13() -> None:
    pair, keys = contexts(TLS13)
    assert p.SSL_CTX_use_psk_identity_hint(pair[1], b"hint") == 1
    link = link_of(pair)
    link.established()
    assert keys.hints == [None]
    assert p.SSL_get_psk_identity_hint(link.client) is None


@pytest.mark.parametrize("holder", ["ctx", "ssl"])
@clause("PSK-4")
def test_hint_of_more_than_256_bytes_is_refused(holder: str) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    assert it.use_psk_identity_hint(b"h") == 1
    assert it.use_psk_identity_hint(b"h" * 257) == 0
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_DATA_LENGTH_TOO_LONG)]
    assert p.SSL_R_DATA_LENGTH_TOO_LONG == 146
    assert it.use_psk_identity_hint(None) == 1
    with pytest.raises(TypeError):
        it.use_psk_identity_hint(3)


@clause("PSK-1", "CTX-3")
def test_connection_copies_callbacks_and_may_have_its_own() -> None:
    pair, keys = contexts(TLS13)
    link = link_of(pair)
    p.SSL_CTX_set_psk_client_callback(pair[0], None)
    p.SSL_CTX_set_psk_server_callback(pair[1], None)
    link.established()
    assert keys.names == [NAME]

    link = link_of(pair)
    p.SSL_set_psk_client_callback(link.client, keys.client)
    p.SSL_set_psk_server_callback(link.server, keys.server)
    assert p.SSL_use_psk_identity_hint(link.server, b"unused") == 1
    link.established()
    assert keys.names == [NAME, NAME]


# ---- keys that do not fit ---------------------------------------------------


@clause("PSK-1", "HS-18")
def test_client_without_a_key_fails_in_tls12() -> None:
    pair, _ = contexts(TLS12, Keys(key=b""))
    assert fails(pair) == ([p.SSL_R_PSK_IDENTITY_NOT_FOUND], [1040])
    assert p.SSL_R_PSK_IDENTITY_NOT_FOUND == 223


@clause("PSK-1")
def test_client_without_a_key_offers_none_in_tls13() -> None:
    pair, keys = contexts(TLS13, Keys(key=b""), cert=True)
    link = link_of(pair)
    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))
    assert not hello.has(messages.PRE_SHARED_KEY)
    link.move()
    link.established()
    assert keys.names == []
    assert p.SSL_session_reused(link.client) == 0
    assert p.SSL_get_psk_identity(link.client) is None


@clause("PSK-2", "RFC 4279 2", "HS-18")
def test_server_that_does_not_know_the_identity_fails_in_tls12() -> None:
    pair, keys = contexts(TLS12, Keys(name=b"a stranger"))
    client, server = fails(pair)
    assert server == [p.SSL_R_PSK_IDENTITY_NOT_FOUND]
    assert client == [1115]
    assert keys.names == [b"a stranger"]


@clause("PSK-2", "RFC 8446 4.2.11")
def test_server_that_does_not_know_the_identity_shows_a_certificate() -> None:
    pair, keys = contexts(TLS13, Keys(name=b"a stranger"), cert=True)
    link = link_of(pair)
    link.established()
    assert keys.names == [b"a stranger"]
    for ssl in (link.client, link.server):
        assert p.SSL_session_reused(ssl) == 0
        assert p.SSL_get_psk_identity(ssl) is None
    assert p.SSL_get_peer_certificate(link.client) is not None


@clause("PSK-2", "HS-18")
def test_server_with_neither_key_nor_certificate_fails_in_tls13() -> None:
    pair, _ = contexts(TLS13, Keys(name=b"a stranger"))
    client, server = fails(pair)
    assert server[-1] in (
        p.SSL_R_NO_SHARED_CIPHER,
        p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
    )
    assert client == [1040]


@clause("PSK-2", "RFC 8446 4.2.11", "HS-18")
def test_wrong_key_is_a_decrypt_error_in_tls13() -> None:
    pair, _ = contexts(TLS13, Keys(key=b"wrong"), cert=True)
    client, server = fails(pair)
    assert server == [p.SSL_R_BINDER_DOES_NOT_VERIFY]
    assert client == [1051]


@clause("PSK-2", "RFC 4279 2", "HS-18")
def test_wrong_key_is_found_out_by_the_finished_of_tls12() -> None:
    pair, _ = contexts(TLS12, Keys(key=b"wrong"))
    client, server = fails(pair)
    assert server == [p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC]
    assert client == [1020]


@BOTH
@pytest.mark.parametrize(
    ("name", "key", "error"),
    [
        (b"n" * 257, KEY, ValueError),
        (NAME, b"k" * 513, ValueError),
        (3, KEY, TypeError),
        (NAME, "text", TypeError),
        (NAME, None, TypeError),
    ],
)
@clause("PSK-1", "CV-7")
def test_answer_of_a_client_that_does_not_fit_is_raised(
    version: int, name: Any, key: Any, error: type[Exception]
) -> None:
    pair, _ = contexts(version, Keys(name=name, key=key))
    link = link_of(pair)
    with pytest.raises(error):
        link.handshake()


@BOTH
@pytest.mark.parametrize("answer", [b"k" * 513, "text", None, 3])
@clause("PSK-2", "CV-7")
def test_answer_of_a_server_that_does_not_fit_is_raised(
    version: int, answer: Any
) -> None:
    keys = Keys()
    keys.known[NAME] = answer
    link = link_of(contexts(version, keys)[0])
    with pytest.raises((TypeError, ValueError)):
        link.handshake()


@BOTH
@pytest.mark.parametrize("side", [0, 1])
@clause("PSK-1", "PSK-2", "CV-7")
def test_callback_that_raises_has_no_key(version: int, side: int) -> None:
    pair, _ = contexts(version)

    def raises(*_: Any) -> Any:
        raise RuntimeError("mine")

    if side:
        p.SSL_CTX_set_psk_server_callback(pair[1], raises)
    else:
        p.SSL_CTX_set_psk_client_callback(pair[0], raises)
    link = link_of(pair)
    with pytest.raises(RuntimeError, match="mine"):
        link.handshake()
    assert not p.SSL_is_init_finished(link.client)


@pytest.mark.parametrize(
    "setter",
    [
        p.SSL_CTX_set_psk_client_callback,
        p.SSL_CTX_set_psk_server_callback,
        p.SSL_CTX_set_psk_use_session_callback,
        p.SSL_CTX_set_psk_find_session_callback,
    ],
)
@clause("PSK-1", "CV-2")
def test_callback_that_is_none_is_a_type_error(setter: Any) -> None:
    with pytest.raises(TypeError):
        setter(p.SSL_CTX(p.TLS_method()), 3)


# ---- suites of TLS 1.2 ------------------------------------------------------


@clause("PSK-1", "CIPH-2", "RFC 5489 2")
def test_suites_with_a_key_are_offered_by_who_has_a_callback() -> None:
    def offered(ctx: p.SSL_CTX) -> set[int]:
        link = link_of((ctx, p.SSL_CTX(p.TLS_method())))
        p.SSL_do_handshake(link.client)
        return set(hello_of(p.BIO_get_mem_data(link.client_out)).suites)

    with_key = {0xD001, 0xD002, 0xCCAC}
    pair, keys = contexts()
    assert with_key < offered(pair[0])
    # As client, the server's callback is of no use.
    assert not with_key & offered(pair[1])
    p.SSL_CTX_set_psk_client_callback(pair[0], None)
    p.SSL_CTX_set_psk_use_session_callback(pair[0], lambda *_: (1, None, None))
    assert not with_key & offered(pair[0])
    assert keys.hints == [None]


@clause("PSK-2", "CIPH-6", "HS-18")
def test_server_without_a_callback_takes_no_suite_with_a_key() -> None:
    pair, keys = contexts(TLS12)
    p.SSL_CTX_set_cipher_list(pair[0], "PSK")
    use_identity(pair[1], ca.leaf())
    p.SSL_CTX_set_psk_server_callback(pair[1], None)
    assert fails(pair) == ([1040], [p.SSL_R_NO_SHARED_CIPHER])
    assert keys.hints == []


@clause("VER-3", "CIPH-2", "HS-18")
def test_version_whose_suites_need_a_key_needs_a_callback() -> None:
    ctx, theirs = make_contexts()
    assert p.SSL_CTX_set_cipher_list(ctx, "PSK") == 1
    link = MemLink(*make_ends(ctx, theirs))
    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))
    assert hello.get(messages.SUPPORTED_VERSIONS) == b"\2\3\4"
    link.move()
    link.established()

    p.SSL_CTX_set_max_proto_version(ctx, TLS12)
    link = MemLink(*make_ends(ctx, theirs))
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons() == [p.SSL_R_NO_CIPHERS_AVAILABLE]


@clause("PSK-2", "CIPH-6")
def test_server_prefers_what_its_list_says_over_a_key() -> None:
    pair, keys = contexts(TLS12, cert=True)
    for ctx in pair:
        p.SSL_CTX_set_cipher_list(ctx, "ECDHE:PSK")
    link = link_of(pair)
    link.established()
    assert keys.names == []
    assert p.SSL_get_peer_certificate(link.client) is not None


@clause("PSK-1", "PSK-3")
def test_server_that_asks_for_certificates_does_without_if_it_has_a_key() -> (
    None
):
    for version in VERSIONS:
        pair, _ = contexts(version, cert=True)
        p.SSL_CTX_set_cipher_list(pair[1], "PSK")
        p.SSL_CTX_load_verify_mem(pair[1], ca.leaf().ca_pem)
        mode = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        p.SSL_CTX_set_verify(pair[1], mode, None)
        link = link_of(pair)
        link.established()
        assert p.SSL_get_peer_certificate(link.server) is None
        assert p.SSL_get_verify_result(link.server) == p.X509_V_OK


# ---- sessions as keys -------------------------------------------------------


def with_sessions(
    client: Optional[p.SSL_SESSION], server: Optional[p.SSL_SESSION]
) -> Pair:
    """Make contexts whose callbacks give these sessions."""
    pair, _ = contexts(TLS13, cert=True)
    p.SSL_CTX_set_psk_client_callback(pair[0], None)
    p.SSL_CTX_set_psk_server_callback(pair[1], None)
    named = None if client is None else NAME
    p.SSL_CTX_set_psk_use_session_callback(
        pair[0], lambda *_: (1, named, client)
    )
    p.SSL_CTX_set_psk_find_session_callback(pair[1], lambda *_: (1, server))
    return pair


@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303])
@pytest.mark.parametrize("size", [16, 48, 64])
@clause("PSK-4", "PSK-3", "RFC 8446 4.2.11")
def test_session_made_by_hand_is_a_key_of_its_hash(
    suite: int, size: int
) -> None:
    session = session_of(suite, b"k" * size)
    link = link_of(with_sessions(session, session.dup()))
    link.established()
    link.send(link.client, b"ping")
    for ssl in (link.client, link.server):
        assert p.SSL_session_reused(ssl) == 1
        assert p.SSL_get_psk_identity(ssl) == NAME
        cipher = p.SSL_get_current_cipher(ssl)
        assert cipher is not None
        assert cipher.get_name()[-6:] == (
            "SHA384" if suite == 0x1302 else "SHA256"
        )
    # It stays as it was, and may serve again.
    assert p.SSL_SESSION_is_resumable(session) == 1
    assert p.SSL_get_session(link.client) != session
    link_of(with_sessions(session, session)).established()


@pytest.mark.parametrize(
    ("client", "server"),
    [(None, session_of()), (session_of(), None), (None, None)],
)
@clause("PSK-4")
def test_no_session_is_a_full_handshake(
    client: Optional[p.SSL_SESSION], server: Optional[p.SSL_SESSION]
) -> None:
    link = link_of(with_sessions(client, server))
    link.established()
    assert p.SSL_session_reused(link.client) == 0
    assert p.SSL_get_peer_certificate(link.client) is not None


@clause("PSK-4", "HS-18")
def test_use_session_callback_that_fails_is_fatal() -> None:
    pair = with_sessions(session_of(), session_of())
    p.SSL_CTX_set_psk_use_session_callback(pair[0], lambda *_: 0)
    link = link_of(pair)
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons() == [p.SSL_R_CALLBACK_FAILED]
    assert p.BIO_ctrl_pending(link.client_out) == 0


@clause("PSK-4", "HS-18")
def test_find_session_callback_that_fails_is_fatal() -> None:
    pair = with_sessions(session_of(), session_of())
    p.SSL_CTX_set_psk_find_session_callback(pair[1], lambda *_: 0)
    assert fails(pair) == ([1080], [p.SSL_R_CALLBACK_FAILED])


NO_SESSIONS = [
    b"session",
    p.SSL_SESSION(),
    session_of(0xC02B, KEY * 2, TLS12),
    session_of(key=b""),
]


@pytest.mark.parametrize(
    "answer",
    [
        1,
        None,
        "0",
        (1,),
        (1, session_of()),
        ("1", NAME, session_of()),
        (1, None, session_of()),
        (1, b"", session_of()),
        (1, b"n" * 257, session_of()),
        *((1, NAME, session) for session in NO_SESSIONS),
    ],
    ids=repr,
)
@clause("PSK-4", "CV-7")
def test_answer_of_use_session_that_does_not_fit_is_raised(
    answer: Any,
) -> None:
    pair = with_sessions(session_of(), session_of())
    p.SSL_CTX_set_psk_use_session_callback(pair[0], lambda *_: answer)
    link = link_of(pair)
    with pytest.raises((TypeError, ValueError)):
        link.handshake()
    assert outcome(link.client, p.SSL_do_handshake(link.client))[0] == -1


@pytest.mark.parametrize(
    "answer",
    [
        1,
        None,
        "0",
        (1,),
        (1, NAME, session_of()),
        ("1", session_of()),
        *((1, session) for session in NO_SESSIONS),
    ],
    ids=repr,
)
@clause("PSK-4", "CV-7")
def test_answer_of_find_session_that_does_not_fit_is_raised(
    answer: Any,
) -> None:
    pair = with_sessions(session_of(), session_of())
    p.SSL_CTX_set_psk_find_session_callback(pair[1], lambda *_: answer)
    link = link_of(pair)
    with pytest.raises((TypeError, ValueError)):
        link.handshake()
    assert outcome(link.server, p.SSL_do_handshake(link.server))[0] == -1


@clause("PSK-4", "PSK-1")
def test_sessions_come_before_keys_and_in_tls13_alone() -> None:
    pair, keys = contexts(0, cert=True)
    p.SSL_CTX_set_cipher_list(pair[1], "PSK")
    seen: list[Any] = []

    def use(*args: Any) -> Any:
        seen.append(args[1])
        return 1, b"by session", session_of()

    def find(_: p.SSL, name: bytes) -> Any:
        seen.append(name)
        return 1, (session_of() if name == b"by session" else None)

    p.SSL_CTX_set_psk_use_session_callback(pair[0], use)
    p.SSL_CTX_set_psk_find_session_callback(pair[1], find)
    link = link_of(pair)
    link.established()
    assert seen == [None, b"by session"]
    assert (keys.hints, keys.names) == ([], [])
    assert p.SSL_get_psk_identity(link.server) == b"by session"

    # A server of TLS 1.2 does not hear of it.
    p.SSL_CTX_set_max_proto_version(pair[1], TLS12)
    link = link_of(pair)
    link.established()
    assert seen == [None, b"by session", None]
    assert (keys.hints, keys.names) == ([None], [NAME])
    assert p.SSL_get_psk_identity(link.client) == NAME


@clause("PSK-4", "RFC 8446 4.2.11")
def test_key_whose_hash_no_suite_has_is_not_offered() -> None:
    pair = with_sessions(session_of(0x1302), session_of(0x1302))
    p.SSL_CTX_set_ciphersuites(pair[0], "TLS_AES_128_GCM_SHA256")
    link = link_of(pair)
    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))
    assert not hello.has(messages.PRE_SHARED_KEY)
    link.move()
    link.established()


@clause("PSK-4", "RFC 8446 4.2.11")
def test_key_whose_hash_the_server_has_not_is_passed_over() -> None:
    pair = with_sessions(session_of(0x1302), session_of(0x1302))
    p.SSL_CTX_set_ciphersuites(pair[1], "TLS_AES_128_GCM_SHA256")
    link = link_of(pair)
    link.established()
    assert p.SSL_session_reused(link.client) == 0


# ---- beside tickets, retries, without (EC)DHE -------------------------------


@BOTH
@pytest.mark.parametrize("cert", [False, True])
@clause("PSK-3", "SESS-3", "RFC 8446 2.2", "RFC 5077 3.1")
def test_connection_with_a_key_can_be_resumed(
    version: int, cert: bool
) -> None:
    pair, keys = contexts(version, cert=cert)
    if version == TLS12:
        p.SSL_CTX_set_cipher_list(pair[1], "PSK")
    session, _ = visit(pair, host=None)
    assert p.SSL_SESSION_is_resumable(session) == 1
    keys.known.clear()
    link = link_of(pair)
    assert p.SSL_set_session(link.client, session) == 1
    link.established()
    for ssl in (link.client, link.server):
        assert p.SSL_session_reused(ssl) == 1
        assert p.SSL_get_psk_identity(ssl) == NAME
    copy = p.d2i_SSL_SESSION(p.i2d_SSL_SESSION(session))
    assert copy is not None
    assert p.i2d_SSL_SESSION(copy) == p.i2d_SSL_SESSION(session)


def resumable(suites: str) -> tuple[Pair, Keys, p.SSL_SESSION]:
    """Make contexts with certificate and callbacks, and a session of them."""
    pair, keys = contexts(TLS13, cert=True)
    p.SSL_CTX_set_ciphersuites(pair[0], suites)
    keys.known, known = {}, keys.known
    session, _ = visit(pair, host=None)
    keys.known = known
    keys.names.clear()
    return pair, keys, session


@clause("PSK-1", "PSK-2", "SESS-3", "RFC 8446 4.2.11")
def test_ticket_is_offered_before_the_key() -> None:
    pair, keys, session = resumable("TLS_AES_128_GCM_SHA256")
    link = link_of(pair)
    p.SSL_set_session(link.client, session)
    p.SSL_do_handshake(link.client)
    hello = hello_of(p.BIO_get_mem_data(link.client_out))
    r = messages.Reader(hello.get(messages.PRE_SHARED_KEY))
    offered = messages.Reader(r.vec(2))
    assert offered.vec(2) == p.SSL_SESSION_get0_ticket(session)
    offered.number(4)
    assert offered.vec(2) == NAME
    # RFC 8446 4.2.11: without an age.
    assert offered.number(4) == 0
    offered.end()
    binders = messages.Reader(r.vec(2))
    assert len(binders.vec(1)) == len(binders.vec(1)) == 32
    binders.end()
    link.move()
    link.established()
    assert keys.names == [p.SSL_SESSION_get0_ticket(session)]
    assert p.SSL_get_psk_identity(link.server) is None
    assert p.SSL_session_reused(link.server) == 1


@clause("PSK-1", "PSK-2", "RFC 8446 4.2.11")
@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("same", [False, True])
def test_key_serves_when_the_ticket_does_not(retry: bool, same: bool) -> None:
    mine = "TLS_AES_128_GCM_SHA256" if same else "TLS_AES_256_GCM_SHA384"
    pair, keys, session = resumable(mine)
    both = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
    p.SSL_CTX_set_ciphersuites(pair[0], both)
    p.SSL_CTX_set_ciphersuites(pair[1], "TLS_AES_128_GCM_SHA256")
    assert pair[1].set_ticket_keys([b"k" * 80]) == 1
    if retry:
        p.SSL_CTX_set1_groups_list(pair[1], "P-384")
    link = link_of(pair)
    p.SSL_set_session(link.client, session)
    link.established()
    assert len(keys.names) == 2
    for ssl in (link.client, link.server):
        assert p.SSL_get_psk_identity(ssl) == NAME
        assert p.SSL_session_reused(ssl) == 1
    link.send(link.client, b"ping")


@clause("SESS-3", "RFC 8446 4.1.4")
def test_ticket_of_another_hash_is_not_offered_after_a_retry() -> None:
    pair = make_contexts()
    p.SSL_CTX_set_ciphersuites(pair[1], "TLS_AES_256_GCM_SHA384")
    session, _ = visit(pair)
    p.SSL_CTX_set_ciphersuites(pair[1], "TLS_AES_128_GCM_SHA256")
    p.SSL_CTX_set1_groups_list(pair[1], "P-384")
    link = MemLink(*make_ends(*pair))
    p.SSL_set_session(link.client, session)
    link.established()
    assert p.SSL_session_reused(link.client) == 0
    link.send(link.client, b"ping")


@clause("PSK-3", "RFC 8446 4.2.9")
@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("server", [False, True])
def test_key_goes_with_a_group_if_both_can(client: bool, server: bool) -> None:
    pair, _ = contexts(TLS13)
    for ctx, plain in zip(pair, (client, server)):
        if plain:
            p.SSL_CTX_set_options(ctx, p.SSL_OP_ALLOW_NO_DHE_KEX)
    link = link_of(pair)
    link.established()
    assert p.SSL_get_negotiated_group(link.client) != 0


@clause("PSK-2", "SNI-9")
def test_callback_set_while_the_handshake_runs_counts() -> None:
    pair, keys = contexts(TLS13)
    p.SSL_CTX_set_psk_server_callback(pair[1], None)

    def hello(ssl: p.SSL, alert: list[int], arg: Any) -> int:
        del alert, arg
        p.SSL_set_psk_server_callback(ssl, keys.server)
        return 1

    p.SSL_CTX_set_client_hello_cb(pair[1], hello, None)
    link_of(pair).established()
    assert keys.names == [NAME]


@BOTH
@clause("PSK-1", "CLR-1")
def test_object_that_was_cleared_uses_the_key_again(version: int) -> None:
    pair, keys = contexts(version)
    link = link_of(pair)
    link.established()
    for ssl in (link.client, link.server):
        p.SSL_set_shutdown(ssl, 3)
        assert p.SSL_clear(ssl) == 1
        assert p.SSL_set_session(ssl, None) == 1
    link.attach()
    link.established()
    assert keys.names == [NAME, NAME]


@clause("PSK-1")
def test_handshake_without_a_key_has_no_identity() -> None:
    link = connected()
    for ssl in (link.client, link.server):
        assert p.SSL_get_psk_identity(ssl) is None
        assert p.SSL_get_psk_identity_hint(ssl) is None


@clause("ED-2", "PSK-1", "PSK-2", "RFC 8446 4.2.10")
def test_early_data_goes_with_the_ticket_beside_the_key() -> None:
    pair, keys = contexts(TLS13, cert=True)
    for ctx in pair:
        p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_ANTI_REPLAY)
    assert p.SSL_CTX_set_max_early_data(pair[1], 99) == 1
    keys.known, known = {}, keys.known
    session, _ = visit(pair, host=None)
    keys.known = known
    link = link_of(pair)
    p.SSL_set_session(link.client, session)
    assert p.SSL_write_early_data(link.client, b"early") == (1, 5)
    link.move()
    buf = bytearray(9)
    assert p.SSL_read_early_data(link.server, buf) == (1, 5)
    assert buf[:5] == b"early"
    link.move()
    assert p.SSL_do_handshake(link.client) == 1
    link.move()
    assert p.SSL_read_early_data(link.server, buf) == (2, 0)
    assert p.SSL_do_handshake(link.server) == 1
    assert p.SSL_get_early_data_status(link.client) == 2


@clause("ED-2", "PSK-3", "RFC 8446 4.2.10")
def test_early_data_does_not_go_with_a_key() -> None:
    pair = with_sessions(session_of(), session_of())
    link = link_of(pair)
    assert p.SSL_write_early_data(link.client, b"early")[0] == 0
    assert ssl_reasons() == [p.ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED]
    link.established()
    assert p.SSL_session_reused(link.server) == 1
