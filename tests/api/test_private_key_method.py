"""Keys behind a function: contract CERT-21."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    make_contexts,
    make_ends,
    outcome,
    reasons,
    ssl_reasons,
    use_identity,
)
from tests.clauses import clause
from tests.forge import keys
from tests.pki import ca

CALLBACK_FAILED, MISMATCH, INTERNAL = 234, 288, 80
VERSIONS = pytest.mark.parametrize(
    "version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION], ids=["1.2", "1.3"]
)
SIDES = pytest.mark.parametrize("side", ["server", "client"])


class Token:
    """A key that only signs, as an HSM does.

    Args:
        identity: Whose key it is.
        delays: How often it answers "not yet" first.
        change: What becomes of a signature.
    """

    def __init__(
        self,
        identity: ca.Identity,
        delays: int = 0,
        change: Callable[[bytes], Any] = lambda signature: signature,
    ) -> None:
        self.identity, self.delays, self.change = identity, delays, change
        self.asked: list[tuple[p.SSL, int, bytes]] = []

    def __call__(self, ssl: p.SSL, scheme: int, data: bytes) -> Any:
        self.asked.append((ssl, scheme, data))
        if len(self.asked) <= self.delays:
            return None
        return self.change(keys.sign(self.identity.key, scheme, data))


def linked(
    token: Token,
    side: str = "server",
    version: int = 0,
    holder: str = "ctx",
) -> MemLink:
    """Make a link one end of which has its key in a token."""
    own = token.identity
    if side == "server":
        client_ctx, server_ctx = make_contexts(server=own, version=version)
        server_ctx = p.SSL_CTX(p.TLS_method())
        for set_version in (
            p.SSL_CTX_set_min_proto_version,
            p.SSL_CTX_set_max_proto_version,
        ):
            assert set_version(server_ctx, version) == 1
    else:
        client_ctx, server_ctx = make_contexts(version=version)
        assert p.SSL_CTX_load_verify_mem(server_ctx, own.ca_pem) == 1
        mode = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        p.SSL_CTX_set_verify(server_ctx, mode, None)
    ctx = server_ctx if side == "server" else client_ctx
    if holder == "ctx":
        assert ctx.use_private_key_method(own.chain_pem, token) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    if holder == "ssl":
        ssl = getattr(link, side)
        assert ssl.use_private_key_method(own.chain_pem, token) == 1
    return link


def until_stopped(link: MemLink, side: str) -> tuple[int, int]:
    """Shake hands until that end has something else to say than 2."""
    for _ in range(8):
        for name in ("client", "server"):
            ssl = getattr(link, name)
            got = outcome(ssl, p.SSL_do_handshake(ssl))
            if name == side and got[1] != p.SSL_ERROR_WANT_READ:
                return got
            link.move()
    raise AssertionError("nothing happens")


@VERSIONS
@SIDES
@clause("CERT-21", "RFC 8446 4.4.3", "RFC 5246 7.4.3", "RFC 5246 7.4.8")
@pytest.mark.parametrize("kind", ca.KINDS)
def test_token_signs_for_either_side(
    kind: str, side: str, version: int
) -> None:
    token = Token(ca.leaf(kind, key_label="token"))
    link = linked(token, side, version)
    link.established()

    ((ssl, scheme, data),) = token.asked
    assert ssl is getattr(link, side)
    peer = link.client if side == "server" else link.server
    seen = p.SSL_get_peer_certificate(peer)
    assert seen is not None
    assert seen.der == token.identity.cert_der
    assert scheme == keys.scheme_for(token.identity.key) or kind in (
        "rsa",
        "rsapss",
        "p384",
        "p521",
    )
    if version == p.TLS1_3_VERSION:
        assert data.startswith(b" " * 64 + b"TLS 1.3, " + side.encode())
    elif side == "server":
        assert 64 < len(data) < 300
    else:
        assert data[0] == 1  # the messages from the ClientHello on
    assert reasons() == []
    link.send(link.client, b"and data")


@VERSIONS
@SIDES
@clause("CERT-21", "HS-25", "GE-1", "WANT-3")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
def test_signature_that_is_not_ready_suspends(
    holder: str, side: str, version: int
) -> None:
    token = Token(ca.leaf(key_label="token"), delays=3)
    link = linked(token, side, version, holder)
    ssl = getattr(link, side)

    assert until_stopped(link, side) == (-1, p.SSL_ERROR_WANT_ASYNC)
    assert p.SSL_want(ssl) == p.SSL_ASYNC_PAUSED == 5
    assert p.SSL_want_async(ssl) == 1
    assert reasons() == []
    link.move()
    for _ in range(2):
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 9)
        assert link.move() == (0, 0)
    link.established()

    assert len(token.asked) == 4
    # Asked for the same thing each time.
    assert len({(scheme, data) for _, scheme, data in token.asked}) == 1


BAD: list[tuple[str, Callable[[bytes], Any]]] = [
    ("empty", lambda s: b""),
    ("cut", lambda s: s[:-1]),
    ("longer", lambda s: s + b"\0"),
    ("wrong", lambda s: s[:-1] + bytes([s[-1] ^ 1])),
    ("too long for any", lambda s: s * 100),
]


@VERSIONS
@SIDES
@clause("CERT-21", "HS-18")
@pytest.mark.parametrize("kind", ["p256", "rsa"])
@pytest.mark.parametrize(
    "change", [row[1] for row in BAD], ids=[row[0] for row in BAD]
)
def test_bad_signature_is_not_sent(
    change: Callable[[bytes], Any], kind: str, side: str, version: int
) -> None:
    token = Token(ca.leaf(kind, key_label="token"), change=change)
    link = linked(token, side, version)

    assert until_stopped(link, side) == (-1, 1)
    assert ssl_reasons() == [MISMATCH]
    link.move()
    assert getattr(link, side).report().alert_sent == INTERNAL
    other = link.client if side == "server" else link.server
    assert outcome(other, p.SSL_do_handshake(other)) == (-1, 1)
    assert ssl_reasons() == [1000 + INTERNAL]


@VERSIONS
@SIDES
@clause("CERT-21")
def test_key_of_another_certificate_is_found_out(
    side: str, version: int
) -> None:
    own, other = ca.leaf(key_label="token"), ca.leaf(key_label="another")
    token = Token(own)
    token.change = lambda _: keys.sign(other.key, *token.asked[-1][1:])
    link = linked(token, side, version)

    assert until_stopped(link, side) == (-1, 1)
    assert ssl_reasons() == [MISMATCH]


@VERSIONS
@SIDES
@clause("CERT-21", "CV-7")
@pytest.mark.parametrize("how", ["raise", "type"])
def test_token_that_fails_is_internal_error_and_raises(
    how: str, side: str, version: int
) -> None:
    class Gone(Exception):
        pass

    def fail(_: bytes) -> Any:
        if how == "raise":
            raise Gone
        return "text"

    link = linked(
        Token(ca.leaf(key_label="token"), change=fail), side, version
    )
    with pytest.raises(Gone if how == "raise" else TypeError):
        until_stopped(link, side)
    assert ssl_reasons() == [CALLBACK_FAILED]
    assert getattr(link, side).report().alert_sent == INTERNAL


@clause("CERT-21", "CERT-3")
def test_schemes_are_chosen_by_the_certificates_key() -> None:
    """Two tokens, two certificates; the client's list decides."""
    rsa = Token(ca.leaf("rsa", key_label="token"))
    ecdsa = Token(ca.leaf("p256", key_label="token"))
    client_ctx, _ = make_contexts(server=rsa.identity)
    assert p.SSL_CTX_load_verify_mem(client_ctx, ecdsa.identity.ca_pem) == 1
    server_ctx = p.SSL_CTX(p.TLS_method())
    for token in (rsa, ecdsa):
        chain = token.identity.chain_pem
        assert server_ctx.use_private_key_method(chain, token) == 1
    for names, chosen, other in (
        ("rsa_pss_rsae_sha384", rsa, ecdsa),
        ("ecdsa_secp256r1_sha256", ecdsa, rsa),
    ):
        del rsa.asked[:], ecdsa.asked[:]
        client, server = make_ends(client_ctx, server_ctx)
        schemes = f"{names}:ed25519"
        assert p.SSL_set1_sigalgs_list(client, schemes) == 1
        MemLink(client, server).established()
        assert len(chosen.asked) == 1
        assert other.asked == []
    assert rsa.asked == []
    assert ecdsa.asked[0][1] == 0x0403


@clause("CERT-21")
def test_no_scheme_of_the_peer_fits_the_token() -> None:
    token = Token(ca.leaf("ed25519", key_label="token"))
    link = linked(token)
    schemes = "ecdsa_secp256r1_sha256"
    assert p.SSL_set1_sigalgs_list(link.client, schemes) == 1

    assert until_stopped(link, "server") == (-1, 1)
    assert token.asked == []
    assert ssl_reasons() == [118]


@clause("CERT-21", "CERT-4", "CERT-5")
def test_key_and_token_take_each_others_place() -> None:
    own = ca.leaf(key_label="token")
    client_ctx, server_ctx = make_contexts(server=own)
    token = Token(own)
    leaf = p.X509.from_der(own.cert_der)
    assert server_ctx.use_private_key_method(leaf, token) == 1
    assert p.SSL_CTX_check_private_key(server_ctx) == 1
    MemLink(*make_ends(client_ctx, server_ctx)).established()
    assert len(token.asked) == 1

    assert p.SSL_CTX_use_PrivateKey_ASN1(0, server_ctx, own.key_der) == 1
    MemLink(*make_ends(client_ctx, server_ctx)).established()
    assert len(token.asked) == 1

    assert server_ctx.use_private_key_method([leaf], token) == 1
    other = ca.leaf(key_label="another")
    assert p.SSL_CTX_use_certificate_ASN1(server_ctx, other.cert_der) == 1
    assert p.SSL_CTX_check_private_key(server_ctx) == 0
    assert ssl_reasons() == [190]
    use_identity(server_ctx, other)
    MemLink(*make_ends(client_ctx, server_ctx)).established()
    assert len(token.asked) == 1


@clause("CERT-21", "CTX-3")
def test_connection_keeps_the_tokens_it_was_made_with() -> None:
    own = ca.leaf(key_label="token")
    first, second = Token(own), Token(own)
    client_ctx, server_ctx = make_contexts(server=own)
    assert server_ctx.use_private_key_method(own.chain_pem, first) == 1
    early = make_ends(client_ctx, server_ctx)
    for _ in range(5):
        assert server_ctx.use_private_key_method(own.chain_pem, second) == 1
    late = make_ends(client_ctx, server_ctx)
    MemLink(*early).established()
    MemLink(*late).established()

    assert (len(first.asked), len(second.asked)) == (1, 1)


@clause("CERT-21", "CERT-20")
@VERSIONS
def test_certificate_callback_may_bring_a_token(version: int) -> None:
    token = Token(ca.leaf(key_label="token"), delays=1)
    client_ctx, server_ctx = make_contexts(
        server=token.identity, version=version
    )

    def bring(ssl: p.SSL, arg: object) -> int:
        chain = token.identity.chain_pem
        return ssl.use_private_key_method(chain, token)

    p.SSL_CTX_set_cert_cb(server_ctx, bring, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))

    assert until_stopped(link, "server") == (-1, 9)
    link.established()
    assert len(token.asked) == 2


@clause("CERT-21", "CTX-5", "SNI-3")
def test_token_comes_along_with_another_context() -> None:
    token = Token(ca.leaf(key_label="token"))
    client_ctx, first = make_contexts(server=token.identity)
    second = p.SSL_CTX(p.TLS_method())
    chain = token.identity.chain_pem
    assert second.use_private_key_method(chain, token) == 1

    def name(ssl: p.SSL, alert: list[int], arg: Any) -> int:
        p.SSL_set_SSL_CTX(ssl, second)
        return p.SSL_TLSEXT_ERR_OK

    p.SSL_CTX_set_tlsext_servername_callback(first, name)
    MemLink(*make_ends(client_ctx, first)).established()

    assert len(token.asked) == 1


@clause("CERT-21", "VFY-21", "RFC 8446 4.6.2")
def test_token_signs_after_the_handshake() -> None:
    token = Token(ca.leaf(key_label="token"), delays=1)
    client_ctx, server_ctx = make_contexts()
    assert p.SSL_CTX_load_verify_mem(server_ctx, token.identity.ca_pem) == 1
    mode = p.SSL_VERIFY_PEER | p.SSL_VERIFY_POST_HANDSHAKE
    p.SSL_CTX_set_verify(server_ctx, mode, None)
    p.SSL_CTX_set_post_handshake_auth(client_ctx, 1)
    chain = token.identity.chain_pem
    assert client_ctx.use_private_key_method(chain, token) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert p.SSL_do_handshake(link.server) == 1
    link.move()
    buf = bytearray(9)
    assert outcome(link.client, p.SSL_read(link.client, buf)) == (-1, 9)
    assert outcome(link.client, p.SSL_read(link.client, buf)) == (-1, 2)
    link.move()
    assert outcome(link.server, p.SSL_read(link.server, buf)) == (-1, 2)
    seen = p.SSL_get_peer_certificate(link.server)
    assert seen is not None
    assert seen.der == token.identity.cert_der


@clause("CERT-21", "CV-2")
def test_bad_arguments_are_refused() -> None:
    own = ca.leaf()
    ctx = p.SSL_CTX(p.TLS_method())

    def sign(ssl: p.SSL, scheme: int, data: bytes) -> Optional[bytes]:
        raise AssertionError("never asked")

    assert ctx.use_private_key_method(b"no PEM", sign) == 0
    assert reasons()[-1] == (p.ERR_LIB_SSL, p.ERR_R_PEM_LIB)
    with pytest.raises(TypeError):
        ctx.use_private_key_method(own.chain_pem, None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ctx.use_private_key_method([own.cert_der], sign)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="leaf"):
        ctx.use_private_key_method([], sign)
    p.SSL_CTX_free(ctx)
    with pytest.raises(ValueError, match="freed"):
        ctx.use_private_key_method(own.chain_pem, sign)
