"""Making, copying and freeing contexts: contract 6.1, setting by setting."""

from __future__ import annotations

import gc
import weakref
from typing import Any, Callable, NamedTuple

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    reasons,
    ssl_reasons,
    use_identity,
)
from tests.clauses import clause
from tests.pki import ca

METHODS = [p.TLS_method, p.TLS_client_method, p.TLS_server_method]
LEAF = ca.leaf()
ROOT = p.X509.from_der(ca.authority().cert_der)
OTHER_ROOT = p.X509.from_der(ca.authority(name="another root").cert_der)


def new(method: Any = p.TLS_method) -> p.SSL_CTX:
    """Make a context, which cannot fail."""
    ctx = p.SSL_CTX_new(method())
    assert ctx is not None
    return ctx


def new_ssl(ctx: p.SSL_CTX) -> p.SSL:
    """Make a connection, which cannot fail."""
    ssl = p.SSL_new(ctx)
    assert ssl is not None
    return ssl


def names_of(it: Any) -> list[str]:
    """Give the names of the suites of a context or connection."""
    return [
        p.SSL_CIPHER_get_name(c)
        for c in it.get_ciphers()
        if c.get_id() >> 8 & 0xFF == 0x13
    ]


# ---- making and counting --------------------------------------------------

DEFAULTS = [
    ("get_min_proto_version", 0),
    ("get_max_proto_version", 0),
    ("get_verify_mode", 0),
    ("get_verify_depth", -1),
    ("get_verify_callback", None),
    ("get_mode", 4),
    ("get_options", 0x120000),
    ("get_read_ahead", 0),
    ("get_quiet_shutdown", 0),
    ("get_security_level", 2),
]


@clause("CTX-1")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "value"), DEFAULTS)
def test_default_is_the_same_for_every_method_and_reaches_connections(
    method: Any, name: str, value: Any
) -> None:
    ctx = new(method)
    assert getattr(p, f"SSL_CTX_{name}")(ctx) == value
    assert getattr(p, f"SSL_{name}")(new_ssl(ctx)) == value


@clause("CTX-1", "CV-3")
@pytest.mark.parametrize("extra", [0, 1, 3])
def test_connection_lives_for_as_many_frees_as_references(extra: int) -> None:
    ssl = new_ssl(new())
    for _ in range(extra):
        assert p.SSL_up_ref(ssl) == 1
    for _ in range(extra):
        p.SSL_free(ssl)
        assert p.SSL_get_mode(ssl) == 4

    p.SSL_free(ssl)

    with pytest.raises(ValueError, match="freed"):
        p.SSL_get_mode(ssl)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_up_ref(ssl)


@clause("CTX-1", "CV-2")
@pytest.mark.parametrize("wrong", [0, "TLS", p.TLS_method])
def test_what_is_no_method_or_context_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError):
        p.SSL_CTX_new(wrong)
    with pytest.raises(TypeError):
        p.SSL_new(wrong)
    assert reasons() == []


@clause("CTX-1")
def test_freeing_nothing_does_nothing() -> None:
    p.SSL_CTX_free(None)
    p.SSL_free(None)
    assert reasons() == []


@clause("CTX-2")
def test_methods_are_three_and_none_is_fixed_to_a_version() -> None:
    assert len({id(method()) for method in METHODS}) == 3
    fixed = [
        name
        for name in dir(p)
        if name.endswith("_method")
        and name.startswith(("TLSv1", "SSLv3", "DTLS"))
    ]
    assert fixed == []


# ---- what SSL_new copies --------------------------------------------------


class Setting(NamedTuple):
    """How to set one thing on a context or connection, and to see it."""

    name: str
    put: Callable[[Any, Any], Any]
    get: Callable[[Any], Any]
    before: Any
    after: Any


def plain(name: str, before: Any, after: Any, get: str = "") -> Setting:
    """Make a setting of a setter and a getter."""
    return Setting(
        name,
        lambda it, value: getattr(it, f"set_{name}")(value),
        lambda it: getattr(it, get or f"get_{name}")(),
        before,
        after,
    )


def mask(name: str, before: int, after: int) -> Setting:
    """Make a setting of bits, set to just the value."""

    def put(it: Any, value: int) -> None:
        getattr(it, f"clear_{name}")(-1)
        getattr(it, f"set_{name}")(value)

    return Setting(
        name, put, lambda it: getattr(it, f"get_{name}")(), before, after
    )


SETTINGS = [
    mask("options", p.SSL_OP_NO_TICKET, p.SSL_OP_NO_COMPRESSION),
    mask("mode", p.SSL_MODE_AUTO_RETRY, p.SSL_MODE_ENABLE_PARTIAL_WRITE),
    plain("min_proto_version", 0x0303, 0x0304),
    plain("max_proto_version", 0x0304, 0x0303),
    plain("verify", p.SSL_VERIFY_PEER, 0, "get_verify_mode"),
    plain("verify_depth", 3, 7),
    plain("read_ahead", 1, 0),
    plain("quiet_shutdown", 1, 0),
    plain("security_level", 1, 3),
    plain("alpn_protos", b"\x02h2", b"\x02h3"),
    plain("client_CA_list", [ROOT.subject_der], [OTHER_ROOT.subject_der]),
    Setting(
        "ciphersuites",
        lambda it, value: it.set_ciphersuites(":".join(value)),
        names_of,
        ["TLS_AES_128_GCM_SHA256"],
        ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
    ),
    Setting(
        "groups",
        lambda it, value: it.set1_groups_list(":".join(value)),
        lambda it: it.get_groups(),
        ["P-256"],
        ["X25519", "P-521"],
    ),
    Setting(
        "sigalgs",
        lambda it, value: it.set1_sigalgs_list(":".join(value)),
        lambda it: it.get_sigalgs(),
        ["ed25519"],
        ["ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"],
    ),
    Setting(
        "certificate",
        lambda it, value: it.use_certificate(value),
        lambda it: it.get_certificate(),
        p.X509.from_der(LEAF.cert_der),
        p.X509.from_der(ca.leaf("p384").cert_der),
    ),
]


@clause("CTX-3")
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_setting_is_copied_when_the_connection_is_made(
    setting: Setting,
) -> None:
    server = new(p.TLS_server_method)
    setting.put(server, setting.before)
    early = new_ssl(server)
    setting.put(server, setting.after)
    late = new_ssl(server)
    for ssl in (early, late):
        p.SSL_set_accept_state(ssl)

    assert setting.get(early) == setting.before
    assert setting.get(late) == setting.after
    assert setting.get(server) == setting.after

    setting.put(early, setting.after)
    setting.put(late, setting.before)

    assert setting.get(early) == setting.after
    assert setting.get(late) == setting.before
    assert setting.get(server) == setting.after
    assert reasons() == []


@clause("CTX-3")
def test_trust_set_later_reaches_no_older_connection_unless_it_is_shared() -> (
    None
):
    client_ctx, server_ctx = make_contexts(verify=False)
    p.SSL_CTX_set_verify(client_ctx, p.SSL_VERIFY_PEER, None)
    client, server = make_ends(client_ctx, server_ctx)
    p.SSL_CTX_set_cert_store(client_ctx, p.TrustStore())
    assert p.SSL_CTX_load_verify_mem(client_ctx, LEAF.ca_pem) == 1

    link = MemLink(client, server)
    link.step()
    assert p.SSL_do_handshake(client) == -1
    assert ssl_reasons()[-1] == 134

    MemLink(*make_ends(client_ctx, server_ctx)).established()


@clause("CTX-3", "CERT-18")
def test_client_certificate_callback_is_looked_up_when_it_is_needed() -> None:
    client_ctx, server_ctx = make_contexts()
    mode = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    p.SSL_CTX_set_verify(server_ctx, mode, None)
    assert p.SSL_CTX_load_verify_mem(server_ctx, LEAF.ca_pem) == 1
    p.SSL_CTX_set_client_cert_cb(client_ctx, lambda ssl: pytest.fail("old"))
    link = MemLink(*make_ends(client_ctx, server_ctx))
    cert = p.X509.from_der(LEAF.cert_der)
    key = p.EVP_PKEY.from_der(LEAF.key_der)
    p.SSL_CTX_set_client_cert_cb(client_ctx, lambda ssl: (1, cert, key))

    link.established()

    assert p.SSL_get_peer_certificate(link.server) == cert


@clause("CTX-3", "CERT-15")
def test_passphrase_callback_is_looked_up_when_it_is_needed() -> None:
    ctx = new(p.TLS_server_method)
    ssl = new_ssl(ctx)
    locked = LEAF.encrypted_key_pem(b"word")
    assert p.SSL_use_PrivateKey_mem(ssl, locked, p.SSL_FILETYPE_PEM) == 0
    reasons()

    p.SSL_CTX_set_default_passwd_cb(ctx, lambda *_: b"word")
    assert p.SSL_use_PrivateKey_mem(ssl, locked, p.SSL_FILETYPE_PEM) == 1


@clause("CTX-3")
def test_looked_up_callbacks_removed_later_are_not_called() -> None:
    client_ctx, server_ctx = make_contexts()
    p.SSL_CTX_set_alpn_protos(client_ctx, b"\x02h2")

    def never(*_: Any) -> Any:
        pytest.fail("called")

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, never)
    p.SSL_CTX_set_alpn_select_cb(server_ctx, never)
    p.SSL_CTX_set_keylog_callback(server_ctx, never)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, None)
    p.SSL_CTX_set_alpn_select_cb(server_ctx, None)
    p.SSL_CTX_set_keylog_callback(server_ctx, None)

    link.established()

    assert p.SSL_get0_alpn_selected(link.client) == b""


# ---- life -----------------------------------------------------------------


@clause("CTX-4")
def test_context_takes_its_trust_and_callbacks_with_it() -> None:
    ctx = new(p.TLS_server_method)
    use_identity(ctx, LEAF)

    def callback(*_: Any) -> int:
        return 0

    p.SSL_CTX_set_cert_cb(ctx, callback)
    p.SSL_CTX_set_alpn_select_cb(ctx, callback)
    p.SSL_CTX_set_tlsext_servername_callback(ctx, callback)
    seen = [
        weakref.ref(it)
        for it in (ctx, p.SSL_CTX_get_cert_store(ctx), callback)
    ]
    del callback
    gc.collect()
    assert None not in [ref() for ref in seen]

    p.SSL_CTX_free(ctx)
    del ctx
    gc.collect()

    assert [ref() for ref in seen] == [None, None, None]


@clause("CTX-4", "OWN-2")
def test_freeing_the_connection_drops_its_bios_and_its_context() -> None:
    link = connected()
    ssl, ctx = link.client, weakref.ref(p.SSL_get_SSL_CTX(link.client))
    bios = [weakref.ref(link.client_in), weakref.ref(link.client_out)]
    p.SSL_free(ssl)
    del link, ssl
    gc.collect()

    assert [ref() for ref in bios] == [None, None]
    assert ctx() is None


@clause("CTX-4")
def test_context_with_two_connections_outlives_the_first() -> None:
    ctx = new()
    first, second = new_ssl(ctx), new_ssl(ctx)
    seen = weakref.ref(ctx)
    p.SSL_CTX_free(ctx)
    del ctx
    p.SSL_free(first)
    del first
    gc.collect()

    assert p.SSL_get_SSL_CTX(second) is seen()
    assert seen() is not None
