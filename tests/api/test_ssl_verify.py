"""Verifying the peer: contract section 6.5."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pyssl as p
from pyssl import trust
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    make_link,
    outcome,
    reasons,
    ssl_reasons,
)
from tests.clauses import clause
from tests.pki import ca

NONE, PEER = p.SSL_VERIFY_NONE, p.SSL_VERIFY_PEER
DEMAND = PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT


def client_sees(
    server: ca.Identity,
    mode: int = PEER,
    trust: bytes | None = None,
    host: str | None = None,
) -> MemLink:
    """Shake hands as far as it goes."""
    client_ctx, server_ctx = make_contexts(server=server, verify=False)
    client_ctx.set_verify(mode)
    if trust is None:
        trust = server.ca_pem
    if trust:
        assert client_ctx.load_verify_mem(trust) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx, host=host))
    link.client.do_handshake()
    link.move()
    link.server.do_handshake()
    link.move()
    return link


BAD_SERVERS = [
    (ca.leaf(expired=True), None, 10, 45, 0),
    (ca.leaf(not_yet_valid=True), None, 9, 42, 0),
    (ca.leaf(self_signed=True, key_label="own"), b"", 18, 48, 0),
    (ca.leaf(), b"", 20, 48, 0),
    (ca.leaf(eku=("client",)), None, 26, 43, 0),
    (ca.leaf(bad_signature=True), None, 7, 51, 0),
]


@clause("VFY-1", "VFY-16", "HS-18")
@pytest.mark.parametrize(
    ("server", "trust", "result", "alert", "depth"), BAD_SERVERS
)
def test_bad_server_ends_the_handshake_with_its_alert(
    server: ca.Identity,
    trust: bytes | None,
    result: int,
    alert: int,
    depth: int,
) -> None:
    link = client_sees(server, PEER, trust)

    assert outcome(link.client, link.client.do_handshake()) == (-1, 1)
    assert ssl_reasons()[-1] == 134
    assert link.client.get_verify_result() == result
    link.move()
    assert outcome(link.server, link.server.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [1000 + alert]

    report = link.client.report()
    assert report.alert_sent == alert
    assert report.verify_result == result
    assert report.failing_depth == depth
    assert report.failing_cert is not None
    assert report.failing_cert.der == server.cert_der
    assert link.server.report().alert_received == alert


@clause("VFY-1", "VFY-5", "VFY-13")
@pytest.mark.parametrize(
    ("server", "trust", "result", "alert", "depth"), BAD_SERVERS
)
def test_mode_none_records_the_result_and_goes_on(
    server: ca.Identity,
    trust: bytes | None,
    result: int,
    alert: int,
    depth: int,
) -> None:
    link = client_sees(server, NONE, trust)

    assert outcome(link.client, link.client.do_handshake()) == (1, 0)
    assert link.client.get_verify_result() == result
    assert reasons() == []


@clause("VFY-1")
@pytest.mark.parametrize("mode", [NONE, PEER, DEMAND])
@pytest.mark.parametrize("has", [False, True])
def test_server_asks_for_a_certificate_as_its_mode_says(
    mode: int, has: bool
) -> None:
    leaf = ca.leaf(key_label="client")
    client_ctx, server_ctx = make_contexts()
    assert server_ctx.load_verify_mem(leaf.ca_pem) == 1
    server_ctx.set_verify(mode)
    if has:
        assert client_ctx.use_certificate_ASN1(leaf.cert_der) == 1
        assert client_ctx.use_PrivateKey_ASN1(0, leaf.key_der) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()
    # The client is through before it hears the verdict (HS-13).
    assert outcome(link.client, link.client.do_handshake()) == (1, 0)
    link.move()

    got = outcome(link.server, link.server.do_handshake())
    peer = link.server.get_peer_certificate()

    assert got == ((-1, 1) if mode == DEMAND and not has else (1, 0))
    assert (peer is not None) == (has and mode != NONE)
    if got == (1, 0):
        assert link.server.get_verify_result() == p.X509_V_OK
        return
    assert ssl_reasons() == [199]
    link.move()
    buf = bytearray(10)
    assert outcome(link.client, link.client.read(buf)) == (-1, 1)
    assert ssl_reasons() == [1116]


@clause("VFY-1", "VFY-16")
@pytest.mark.parametrize("mode", [PEER, DEMAND])
def test_bad_client_ends_the_handshake(mode: int) -> None:
    bad = ca.leaf(expired=True, key_label="client")
    client_ctx, server_ctx = make_contexts(client_auth=True, client=bad)
    server_ctx.set_verify(mode)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()
    assert link.client.do_handshake() == 1
    link.move()

    assert outcome(link.server, link.server.do_handshake()) == (-1, 1)
    assert ssl_reasons()[-1] == 134
    assert link.server.get_verify_result() == 10
    link.move()
    assert outcome(link.client, link.client.read(bytearray(9))) == (-1, 1)
    assert ssl_reasons() == [1045]


@clause("VFY-2")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
def test_mode_and_depth_are_reported(holder: str) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    it.set_verify(DEMAND, None)
    it.set_verify_depth(3)

    assert it.get_verify_mode() == DEMAND
    assert it.get_verify_depth() == 3
    assert it.get_verify_callback() is None
    with pytest.raises(TypeError):
        it.set_verify("peer")


@clause("VFY-6")
def test_depth_limits_the_intermediates() -> None:
    middle = ca.intermediate()
    deep = ca.leaf(issuer=middle)
    for server, depth, result in (
        (ca.leaf(), 0, 0),
        (deep, 0, 22),
        (deep, 1, 0),
        (deep, -1, 0),
    ):
        client_ctx, server_ctx = make_contexts(server=server)
        client_ctx.set_verify_depth(depth)
        link = MemLink(*make_ends(client_ctx, server_ctx))
        link.step()
        assert link.client.do_handshake() == (-1 if result else 1)
        assert link.client.get_verify_result() == result
        reasons()


# ---- trust ----------------------------------------------------------------


@pytest.fixture(name="ctx")
def make_ctx() -> p.SSL_CTX:
    return p.SSL_CTX(p.TLS_method())


@clause("VFY-7")
def test_locations_are_read_or_refused(ctx: p.SSL_CTX, tmp_path: Path) -> None:
    good, empty = tmp_path / "ca.pem", tmp_path / "empty.pem"
    good.write_bytes(b"some words\n" + ca.authority().cert_pem)
    empty.write_bytes(b"no certificate here\n")
    load = ctx.load_verify_locations

    assert load(good) == 1
    assert load(str(good), None) == 1
    assert load(None, tmp_path / "no such folder") == 1
    assert load(CAfile=good, CApath=str(tmp_path)) == 1
    assert reasons() == []
    assert len(ctx.get_cert_store()) == 1

    assert load(None, None) == 0
    assert reasons() == []
    assert load(tmp_path / "no such file") == 0
    found = reasons()
    assert found[0] == (p.ERR_LIB_SYS, 2)
    assert found[-1][0] == p.ERR_LIB_X509
    assert load(empty) == 0
    assert reasons()[-1] == (p.ERR_LIB_X509, 136)


@clause("VFY-9")
def test_text_between_certificates_is_ignored(ctx: p.SSL_CTX) -> None:
    one, two = ca.authority(), ca.authority(name="another root")
    data = b"a\n" + one.cert_pem + b"\nb\n\n" + two.cert_pem + b"c"

    assert ctx.load_verify_mem(memoryview(data)) == 1
    assert len(ctx.get_cert_store()) == 2


@clause("VFY-7")
def test_folder_is_looked_at_when_a_name_is_needed(tmp_path: Path) -> None:
    import subprocess

    folder = tmp_path / "certs"
    client_ctx, server_ctx = make_contexts(verify=False)
    client_ctx.set_verify(PEER)
    assert client_ctx.load_verify_locations(None, folder) == 1
    folder.mkdir()
    (folder / "ca.pem").write_bytes(ca.authority().cert_pem)
    done = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", folder / "ca.pem"],
        check=True,
        capture_output=True,
        text=True,
    )
    (folder / "ca.pem").rename(folder / f"{done.stdout.strip()}.0")

    MemLink(*make_ends(client_ctx, server_ctx)).established()


@clause("VFY-8")
def test_default_paths_follow_the_environment(
    ctx: p.SSL_CTX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(ca.authority().cert_pem)
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{tmp_path / 'none'}")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    assert ctx.set_default_verify_paths() == 1
    assert len(ctx.get_cert_store()) == 0

    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    assert ctx.set_default_verify_paths() == 1
    assert len(ctx.get_cert_store()) == 1
    assert reasons() == []


@clause("VFY-8")
def test_default_paths_are_libcryptos_without_the_environment(
    ctx: p.SSL_CTX, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    assert ctx.set_default_verify_paths() == 1
    assert reasons() == []


def test_store_is_shared_and_grows_for_all_its_contexts() -> None:
    store = p.TrustStore()
    links = []
    for _ in range(2):
        client_ctx, server_ctx = make_contexts(verify=False)
        client_ctx.set_verify(PEER)
        client_ctx.set_cert_store(store)
        assert client_ctx.get_cert_store() is store
        links.append(MemLink(*make_ends(client_ctx, server_ctx)))
    assert store.add_cert(p.X509.from_der(ca.authority().cert_der)) == 1
    assert len(store) == 1

    for link in links:
        link.established()

    with pytest.raises(TypeError):
        client_ctx.set_cert_store("store")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.add_cert("certificate")  # type: ignore[arg-type]


@clause("VFY-16")
def test_revoked_certificate_is_refused_if_lists_are_checked() -> None:
    leaf = ca.leaf(serial=4711)
    client_ctx, server_ctx = make_contexts(server=leaf)
    store = client_ctx.get_cert_store()
    assert store.load_mem(ca.revocations(ca.authority(), [4711])) == 1
    assert store.set_flags(p.X509_V_FLAG_CRL_CHECK) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()

    assert link.client.do_handshake() == -1
    assert link.client.get_verify_result() == 23
    assert link.client.report().alert_sent == 44


# ---- names ----------------------------------------------------------------

NAMED = ca.leaf(names=("*.example.org", "other.test"), ips=("192.0.2.7",))


@clause("VFY-10", "VFY-11", "VFY-12")
@pytest.mark.parametrize(
    ("hosts", "peername", "result"),
    [
        (["a.example.org"], "*.example.org", 0),
        (["other.test"], "other.test", 0),
        (["192.0.2.7"], None, 0),
        (["a.b.example.org"], None, 62),
        (["example.org"], None, 62),
        (["192.0.2.8"], None, 64),
        (["nobody.test", "other.test"], "other.test", 0),
        (["nobody.test", "no.one.test"], None, 62),
        ([], None, 0),
    ],
)
def test_leaf_must_match_one_of_the_names(
    hosts: list[str], peername: str | None, result: int
) -> None:
    client_ctx, server_ctx = make_contexts(server=NAMED)
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    for place, host in enumerate(hosts):
        add = link.client.add1_host if place else link.client.set1_host
        assert add(host) == 1
    link.step()

    assert link.client.do_handshake() == (-1 if result else 1)
    assert link.client.get_verify_result() == result
    if peername is not None:
        assert link.client.get0_peername() == peername
    if not hosts or result:
        assert link.client.get0_peername() is None


@clause("VFY-10")
@pytest.mark.parametrize("nothing", [None, "", b""])
def test_no_name_clears_and_a_new_one_replaces(nothing: Any) -> None:
    link = make_link(host="wrong.test")
    assert link.client.set1_host(nothing) == 1
    link.established()
    assert link.client.get0_peername() is None

    link = make_link(host="wrong.test")
    assert link.client.set1_host(b"localhost") == 1
    link.established()
    assert link.client.get0_peername() == "localhost"

    link = make_link(host="localhost")
    assert link.client.add1_host(nothing) == 1
    assert link.client.set1_host("x" * 1000) == 0
    with pytest.raises(ValueError, match="NUL"):
        link.client.set1_host("local\0host")
    with pytest.raises(TypeError):
        link.client.set1_host(7)  # type: ignore[arg-type]


@clause("VFY-11")
def test_wildcards_can_be_forbidden() -> None:
    client_ctx, server_ctx = make_contexts(server=NAMED)
    link = MemLink(*make_ends(client_ctx, server_ctx, host="a.example.org"))
    link.client.set_hostflags(2)
    link.step()

    assert link.client.do_handshake() == -1
    assert link.client.get_verify_result() == 62


@clause("VFY-11")
def test_wrong_name_under_mode_none_is_only_recorded() -> None:
    client_ctx, server_ctx = make_contexts()
    client_ctx.set_verify(NONE)
    link = MemLink(*make_ends(client_ctx, server_ctx, host="wrong.test"))
    link.established()
    assert link.client.get_verify_result() == 62


# ---- results --------------------------------------------------------------


@clause("VFY-13")
def test_result_is_ok_without_a_certificate_and_can_be_set() -> None:
    link = connected()
    for ssl in (link.client, link.server):
        assert ssl.get_verify_result() == p.X509_V_OK
    link.client.set_verify_result(50)
    assert link.client.get_verify_result() == 50


@clause("VFY-14")
def test_chain_is_given_as_sent_with_the_leaf_on_clients_only() -> None:
    middle = ca.intermediate()
    deep = ca.leaf(issuer=middle)
    client_ctx, server_ctx = make_contexts(
        server=deep, client_auth=True, client=deep
    )
    link = MemLink(*make_ends(client_ctx, server_ctx))
    for ssl in (link.client, link.server):
        assert ssl.get_peer_certificate() is None
        assert ssl.get_peer_cert_chain() is None
    link.established()

    def ders(ssl: p.SSL) -> list[bytes]:
        return [x.der for x in ssl.get_peer_cert_chain() or []]

    assert ders(link.client) == [deep.cert_der, middle.cert_der]
    assert ders(link.server) == [middle.cert_der]
    for ssl in (link.client, link.server):
        leaf = ssl.get_peer_certificate()
        assert leaf is not None
        assert leaf.der == deep.cert_der


@clause("VFY-17")
def test_words_for_results_are_libcryptos() -> None:
    words = p.X509_verify_cert_error_string
    assert words(p.X509_V_OK) == "ok"
    assert words(p.X509_V_ERR_CERT_HAS_EXPIRED) == "certificate has expired"
    assert p.X509_V_ERR_INVALID_CA == 79
    assert "CA" in words(79)


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A system without certificates, and a libcrypto without files."""
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(trust, "_BUNDLES", (str(tmp_path / "bundle.pem"),))
    monkeypatch.setattr(trust, "find_spec", lambda _name: None)
    monkeypatch.setattr(trust, "text_of", lambda _text: str(tmp_path / "no"))
    return tmp_path


@clause("VFY-8")
def test_default_trust_is_the_systems_bundle(
    ctx: p.SSL_CTX, bare_system: Path
) -> None:
    path = bare_system / "bundle.pem"
    path.write_bytes(ca.authority().cert_pem)

    assert ctx.set_default_verify_paths() == 1
    assert len(ctx.get_cert_store()) == 1


@clause("VFY-8")
def test_default_trust_is_certifis_where_the_system_has_none(
    ctx: p.SSL_CTX, bare_system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bare_system / "certifi.pem"
    path.write_bytes(ca.authority().cert_pem)
    certifi = SimpleNamespace(where=lambda: str(path))
    monkeypatch.setattr(trust, "find_spec", lambda name: name)
    monkeypatch.setattr(trust, "import_module", lambda _name: certifi)

    assert ctx.set_default_verify_paths() == 1
    assert len(ctx.get_cert_store()) == 1


@clause("VFY-8")
def test_default_trust_that_is_nowhere_says_what_to_do(
    ctx: p.SSL_CTX, bare_system: Path
) -> None:
    with pytest.warns(RuntimeWarning, match="SSL_CERT_FILE"):
        assert ctx.set_default_verify_paths() == 1
    assert len(ctx.get_cert_store()) == 0
