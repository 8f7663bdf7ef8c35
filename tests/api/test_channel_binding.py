"""Channel bindings: RFC 5929, RFC 9266; SSL_get_finished(3)."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ssl
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.api.links import MemLink, make_contexts, make_ends, new_ssl
from tests.api.opened import log_of
from tests.api.sessions import TLS12, TLS13, VERSIONS, contexts, link_of, visit
from tests.clauses import clause
from tests.pki import ca

BOTH = pytest.mark.parametrize("version", VERSIONS)
KINDS = ("tls-exporter", "tls-unique", "tls-server-end-point")


def ends(link: Any) -> tuple[p.SSL, p.SSL]:
    """Give both ends of a link."""
    return link.client, link.server


def shared(link: Any, kind: str) -> Optional[bytes]:
    """Give the binding that both ends must have in common."""
    ours, theirs = (end.get_channel_binding(kind) for end in ends(link))
    assert ours == theirs
    return ours


def finished(end: p.SSL, own: bool) -> bytes:
    """Give one of an end's two Finished messages."""
    buf = bytearray(64)
    get = p.SSL_get_finished if own else p.SSL_get_peer_finished
    n = get(end, buf)
    assert buf[n:] == bytes(64 - n)
    return bytes(buf[:n])


# ---- tls-exporter -----------------------------------------------------------


@clause("RFC 9266 2", "RFC 8446 7.5")
@BOTH
def test_exporter_is_what_the_rfc_says_to_export(version: int) -> None:
    link = link_of(contexts(version))
    for end in ends(link):
        assert end.get_channel_binding() is None
    link.established()
    binding = shared(link, "tls-exporter")
    out = bytearray(32)
    label = "EXPORTER-Channel-Binding"
    assert p.SSL_export_keying_material(link.client, out, label, b"", 1) == 1
    assert binding == bytes(out)
    assert link.client.get_channel_binding() == binding
    again = link_of(contexts(version)).established()
    assert shared(again, "tls-exporter") != binding


@clause("RFC 9266 4.2", "RFC 7627 5.4")
def test_without_extended_master_secret_nothing_is_bound() -> None:
    pair = contexts(TLS12)
    p.SSL_CTX_set_options(pair[0], p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    link = link_of(pair).established()
    assert p.SSL_get_extms_support(link.client) == 0
    assert shared(link, "tls-exporter") is None
    assert shared(link, "tls-unique") is None
    assert shared(link, "tls-server-end-point") is not None


@clause("RFC 5705 4", "RFC 9266 2")
def test_exporter_of_12_follows_the_formula() -> None:
    pair = contexts(TLS12)
    p.SSL_CTX_set_cipher_list(pair[0], "ECDHE-ECDSA-AES128-GCM-SHA256")
    lines = log_of(pair[0])
    link = link_of(pair)
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    theirs = bytes(p.BIO_get_mem_data(link.server_out))[11:43]
    link.move()
    link.established()
    _, ours, master = lines[0].split(" ")
    seed = b"EXPORTER-Channel-Binding" + bytes.fromhex(ours) + theirs
    seed += b"\0\0"  # an empty context is there, and empty
    key = bytes.fromhex(master)
    first = hmac.new(key, seed, hashlib.sha256).digest()
    expected = hmac.new(key, first + seed, hashlib.sha256).digest()
    assert shared(link, "tls-exporter") == expected


# ---- tls-unique -------------------------------------------------------------


@clause("RFC 5929 3.1")
def test_unique_is_the_clients_finished_after_a_full_handshake() -> None:
    link = link_of(contexts(TLS12)).established()
    binding = shared(link, "tls-unique")
    assert binding == finished(link.client, own=True)
    assert binding == finished(link.server, own=False)
    assert binding != finished(link.server, own=True)
    assert len(binding or b"") == 12
    p.SSL_shutdown(link.client)
    assert shared(link, "tls-unique") == binding


@clause("RFC 5929 3.1")
def test_unique_is_the_servers_finished_after_a_resumption() -> None:
    pair = contexts(TLS12)
    session, _ = visit(pair)
    link = link_of(pair, session).established()
    assert p.SSL_session_reused(link.client)
    binding = shared(link, "tls-unique")
    assert binding == finished(link.server, own=True)
    assert binding == finished(link.client, own=False)
    assert binding != finished(link.client, own=True)


@clause("RFC 9266 3", "RFC 8446 4.4.4")
def test_version_13_has_no_unique_but_finished_messages() -> None:
    link = link_of(contexts(TLS13)).established()
    assert shared(link, "tls-unique") is None
    assert finished(link.client, own=True) == finished(link.server, own=False)
    assert finished(link.server, own=True) == finished(link.client, own=False)
    used = p.SSL_get_cipher_name(link.client)
    size = 48 if used.endswith("384") else 32
    assert len(finished(link.client, own=True)) == size


@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_unique_is_the_standard_librarys(server: bool) -> None:
    identity = ca.leaf("p256", names=("localhost",))
    ctx = p.SSL_CTX_new(p.TLS_method())
    assert ctx is not None
    p.SSL_CTX_set_max_proto_version(ctx, TLS12)
    if server:
        links.use_identity(ctx, identity)
    saved: Any = None
    session = None
    peer_ctx = stdlib_context(identity, server=not server)
    for resumed in (False, True):
        end = new_ssl(ctx)
        (p.SSL_set_accept_state if server else p.SSL_set_connect_state)(end)
        raw = links.RawPeer(end)
        if session is not None:
            p.SSL_set_session(end, session)
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        peer = peer_ctx.wrap_bio(
            there,
            back,
            not server,
            "localhost" if server else None,
            session=saved,
        )
        for _ in range(4):
            p.SSL_do_handshake(end)
            there.write(raw.sent())
            with contextlib.suppress(ssl.SSLWantReadError):
                peer.do_handshake()
            raw.feed(back.read())
        assert p.SSL_is_init_finished(end)
        assert p.SSL_session_reused(end) == peer.session_reused == resumed
        theirs = peer.get_channel_binding("tls-unique")
        assert end.get_channel_binding("tls-unique") == theirs != b""
        assert theirs is not None
        saved, session = peer.session, p.SSL_get1_session(end)
        if server:
            session = None
        else:
            saved = None
        p.SSL_shutdown(end)


def stdlib_context(identity: ca.Identity, *, server: bool) -> ssl.SSLContext:
    """Make a context of the standard library for TLS 1.2."""
    import tempfile

    kind = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
    ctx = ssl.SSLContext(kind)
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    if not server:
        ctx.load_verify_locations(cadata=identity.ca_pem.decode())
        return ctx
    with tempfile.NamedTemporaryFile() as file:
        file.write(identity.chain_pem + identity.key_pem)
        file.flush()
        ctx.load_cert_chain(file.name)
    return ctx


# ---- tls-server-end-point ---------------------------------------------------


@clause("RFC 5929 4.1")
@BOTH
@pytest.mark.parametrize(
    ("made", "digest"),
    [
        ({"hash": "sha256"}, "sha256"),
        ({"hash": "sha384"}, "sha384"),
        ({"hash": "sha512"}, "sha512"),
        ({"hash": "sha1", "self_signed": True}, "sha256"),
    ],
)
@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_end_point_is_the_certificate_hashed_as_it_was_signed(
    version: int, made: dict[str, Any], digest: str, kind: str
) -> None:
    identity = ca.leaf(kind, **made)
    pair = make_contexts(
        server=identity, verify=False, version=version, level=0
    )
    p.SSL_CTX_set_security_level(pair[0], 0)
    link = link_of(pair).established()
    expected = hashlib.new(digest, identity.cert_der).digest()
    assert shared(link, "tls-server-end-point") == expected


@clause("RFC 5929 4.1", "the hash of RSASSA-PSS is in its parameters")
def test_end_point_of_a_pss_signature_uses_its_hash() -> None:
    identity = ca.leaf("rsa", issuer=ca.authority("rsa"), pss=True)
    pair = make_contexts(server=identity, verify=False)
    link = link_of(pair).established()
    expected = hashlib.sha256(identity.cert_der).digest()
    assert shared(link, "tls-server-end-point") == expected


@clause("RFC 5929 4.1", "a signature without a hash leaves it undefined")
@pytest.mark.parametrize("kind", ["ed25519", "ed448"])
def test_end_point_of_a_signature_without_hash_is_none(kind: str) -> None:
    identity = ca.leaf("p256", issuer=ca.authority(kind))
    pair = make_contexts(server=identity, verify=False)
    link = link_of(pair).established()
    assert shared(link, "tls-server-end-point") is None


@clause("RFC 5929 4")
@BOTH
def test_end_point_stays_when_a_session_is_resumed(version: int) -> None:
    pair = contexts(version)
    expected = hashlib.sha256(ca.leaf("p256").cert_der).digest()
    session, _ = visit(pair)
    link = link_of(pair, session).established()
    assert p.SSL_session_reused(link.client)
    assert shared(link, "tls-server-end-point") == expected

    # Of two certificates the server cannot tell which it was.
    session, _ = visit(pair)
    links.use_identity(pair[1], ca.leaf("rsa"))
    link = link_of(pair, session).established()
    assert p.SSL_session_reused(link.client)
    kind = "tls-server-end-point"
    assert link.client.get_channel_binding(kind) == expected
    assert link.server.get_channel_binding(kind) is None


@clause("RFC 5929 4")
@BOTH
@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_end_point_is_of_the_certificate_that_was_chosen(
    version: int, kind: str
) -> None:
    pair = contexts(version, verify=False)
    links.use_identity(pair[1], ca.leaf("rsa"))
    schemes = {"p256": "ECDSA+SHA256", "rsa": "RSA-PSS+SHA256"}[kind]
    p.SSL_CTX_set1_sigalgs_list(pair[0], schemes)
    link = link_of(pair).established()
    p.SSL_use_certificate(link.server, p.SSL_get_peer_certificate(link.client))
    expected = hashlib.sha256(ca.leaf(kind).cert_der).digest()
    assert shared(link, "tls-server-end-point") == expected


# ---- use --------------------------------------------------------------------


@BOTH
def test_finished_is_there_from_when_it_passed(version: int) -> None:
    link = link_of(contexts(version))
    got: list[tuple[int, ...]] = []

    def look(end: p.SSL) -> tuple[int, ...]:
        buf = bytearray(1)
        return (
            p.SSL_get_finished(end, buf),
            p.SSL_get_peer_finished(end, buf),
        )

    assert look(link.client) == look(link.server) == (0, 0)
    for end in (link.client, link.server, link.client, link.server):
        p.SSL_do_handshake(end)
        link.move()
        got.append(look(end))
    if version == TLS12:
        assert got == [(0, 0), (0, 0), (12, 0), (12, 12)]
    else:
        assert got == [(0, 0), (48, 0), (48, 48), (48, 48)]
    p.SSL_clear(link.client)
    assert look(link.client) == (0, 0)


def test_finished_copies_no_more_than_it_is_told() -> None:
    link = link_of(contexts(TLS12)).established()
    whole = finished(link.client, own=True)
    buf = bytearray(b"x" * 20)
    assert p.SSL_get_finished(link.client, buf, 5) == 12
    assert buf == whole[:5] + b"x" * 15
    assert p.SSL_get_peer_finished(link.server, buf, 0) == 12
    assert buf == whole[:5] + b"x" * 15
    with pytest.raises(ValueError, match="21 bytes"):
        p.SSL_get_finished(link.client, buf, 21)
    with pytest.raises(ValueError, match="-1 bytes"):
        p.SSL_get_finished(link.client, buf, -1)
    wrong: Any = b"read only"
    with pytest.raises(TypeError):
        p.SSL_get_finished(link.client, wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_binding_of_a_connection_that_is_not_open_is_none(kind: str) -> None:
    end = new_ssl(make_contexts()[0])
    assert end.get_channel_binding(kind) is None
    dead = MemLink(*make_ends(*make_contexts()))
    dead.established()
    links.put(dead.client_in, b"\x17\x03\x03\x00\x20" + bytes(32))
    assert p.SSL_read(dead.client, bytearray(1)) == -1
    links.reasons()
    assert dead.client.get_channel_binding(kind) is None
    end.free()
    with pytest.raises(ValueError, match="freed"):
        end.get_channel_binding(kind)


def test_unknown_kind_is_a_value_error() -> None:
    end = new_ssl(make_contexts()[0])
    for kind in ("tls-unique-for-telnet", "", "TLS-UNIQUE"):
        with pytest.raises(ValueError, match="channel binding"):
            end.get_channel_binding(kind)
