"""Verification: failures by modes by sides, and what the peer hears of it.

Contract section 6.5: VFY-1, VFY-5, VFY-13 and VFY-16 as one matrix; then
names, flags and trust.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Optional

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
from tests.pki import ca

NONE, PEER, DEMAND = 0, 1, 3
ONCE, POST = p.SSL_VERIFY_CLIENT_ONCE, p.SSL_VERIFY_POST_HANDSHAKE
FAILED, NO_CERTIFICATE = 134, 199

ROOT = ca.authority()
RSA_ROOT = ca.authority("rsa", name="rsa root")
WEAK_ROOT = ca.authority("rsa1024", name="weak root")
OTHER_ROOT = ca.authority(name="another root")
MIDDLE = ca.intermediate()
OLD_MIDDLE = ca.intermediate(name="old", expired=True)
NO_CA = ca.intermediate(name="no ca", ca=False)
SHORT = ca.intermediate(name="short", path_length=0)
BELOW = ca.intermediate(name="below", issuer=SHORT)


class Flaw(NamedTuple):
    """What is wrong, and what comes of it.

    sent: certificates besides the leaf's own chain. trust: PEM, or the root
    that ends the chain. setup: what to do to the store of trust.
    """

    name: str
    leaf: ca.Identity
    result: int
    alert: int
    depth: int
    trust: Optional[bytes] = None
    sent: tuple[ca.Identity, ...] = ()
    setup: Optional[str] = None

    def prepare(self, ctx: p.SSL_CTX) -> None:
        """Set up the trust of the side that verifies."""
        trust = self.leaf.ca_pem if self.trust is None else self.trust
        if trust:
            assert p.SSL_CTX_load_verify_mem(ctx, trust) == 1
        if self.setup is None:
            return
        store = p.SSL_CTX_get_cert_store(ctx)
        assert store.set_flags(p.X509_V_FLAG_CRL_CHECK) == 1
        if self.setup == "revoked":
            serial = self.leaf.cert.serial_number
            crl = ca.revocations(ROOT, [serial])
        elif self.setup == "old list":
            crl = ca.revocations(ROOT, [], expired=True)
        else:
            return
        assert store.load_mem(crl) == 1

    def dress(self, ctx: p.SSL_CTX) -> None:
        """Give the other side the certificate."""
        use_identity(ctx, self.leaf)
        for one in self.sent:
            made = p.X509.from_der(one.cert_der)
            assert p.SSL_CTX_add1_chain_cert(ctx, made) == 1


OWN = ca.leaf(self_signed=True, key_label="own")

FLAWS = [
    Flaw("expired", ca.leaf(expired=True), 10, 45, 0),
    Flaw("not yet valid", ca.leaf(not_yet_valid=True), 9, 42, 0),
    Flaw("self-signed", OWN, 18, 48, 0, trust=b""),
    Flaw("no trust", ca.leaf(), 20, 48, 0, trust=b""),
    Flaw("other trust", ca.leaf(), 20, 48, 0, trust=OTHER_ROOT.cert_pem),
    Flaw("root sent", ca.leaf(), 19, 48, 1, trust=b"", sent=(ROOT,)),
    Flaw(
        "issuer of the issuer missing",
        ca.leaf(issuer=MIDDLE),
        20,
        48,
        1,
        trust=OTHER_ROOT.cert_pem,
    ),
    Flaw("bad signature", ca.leaf(bad_signature=True), 7, 51, 0),
    Flaw("code signing", ca.leaf(eku=("code",)), 26, 43, 0),
    Flaw("issuer expired", ca.leaf(issuer=OLD_MIDDLE), 10, 45, 1),
    Flaw("issuer no CA", ca.leaf(issuer=NO_CA), 79, 48, 1),
    Flaw("path too long", ca.leaf(issuer=BELOW), 25, 48, 2),
    Flaw("weak issuer", ca.leaf(issuer=WEAK_ROOT), 67, 42, 1),
    Flaw("weak key", ca.leaf("rsa1024", issuer=RSA_ROOT), 66, 42, 0),
    Flaw("revoked", ca.leaf(serial=4711), 23, 44, 0, setup="revoked"),
    Flaw("no list", ca.leaf(serial=4712), 3, 48, 0, setup="no list"),
    Flaw("old list", ca.leaf(serial=4713), 12, 45, 0, setup="old list"),
]


@pytest.fixture(name="flaw", params=FLAWS, ids=lambda flaw: flaw.name)
def make_flaw(request: pytest.FixtureRequest) -> Flaw:
    found: Flaw = request.param
    return found


def told(link: MemLink, ssl: p.SSL) -> list[int]:
    """Carry over, and read at one end: the entries of a failure."""
    link.move()
    if p.SSL_is_init_finished(ssl):
        got = outcome(ssl, p.SSL_read(ssl, bytearray(10)))
    else:
        got = outcome(ssl, p.SSL_do_handshake(ssl))
    assert got == (-1, 1)
    return ssl_reasons()


def relaxed(ctx: p.SSL_CTX, flaw: Flaw) -> None:
    """Let the side with a weak key use it."""
    if "weak" in flaw.name:
        p.SSL_CTX_set_security_level(ctx, 0)


# ---- a server's certificate -----------------------------------------------


def to_client(flaw: Flaw, mode: int) -> MemLink:
    """Let a client meet a server with a flaw, as far as it goes."""
    client_ctx = p.SSL_CTX(p.TLS_client_method())
    server_ctx = p.SSL_CTX(p.TLS_server_method())
    relaxed(server_ctx, flaw)
    flaw.dress(server_ctx)
    flaw.prepare(client_ctx)
    p.SSL_CTX_set_verify(client_ctx, mode, None)
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    link.move()
    return link


@clause("VFY-1", "VFY-13", "VFY-16", "HS-18")
@pytest.mark.parametrize("mode", [PEER, DEMAND, PEER | ONCE, PEER | POST])
def test_client_that_verifies_ends_the_handshake_with_the_alert(
    flaw: Flaw, mode: int
) -> None:
    link = to_client(flaw, mode)

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons()[-1] == FAILED
    assert p.SSL_get_verify_result(link.client) == flaw.result
    assert told(link, link.server) == [1000 + flaw.alert]

    report = link.client.report()
    assert report.failing_depth == flaw.depth
    assert report.alert_sent == flaw.alert


@clause("VFY-1", "VFY-5", "VFY-13")
@pytest.mark.parametrize("mode", [NONE, 2, ONCE])
def test_client_that_does_not_verify_goes_on_and_records(
    flaw: Flaw, mode: int
) -> None:
    link = to_client(flaw, mode)

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (1, 0)
    assert p.SSL_get_verify_result(link.client) == flaw.result
    link.established()
    link.send(link.server, b"all the same")
    assert reasons() == []


# ---- a client's certificate -----------------------------------------------


def to_server(flaw: Flaw, mode: int) -> MemLink:
    """Let a server meet a client with a flaw, until the client is done."""
    client_ctx, server_ctx = make_contexts(verify=False)
    relaxed(client_ctx, flaw)
    flaw.dress(client_ctx)
    flaw.prepare(server_ctx)
    p.SSL_CTX_set_verify(server_ctx, mode, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (1, 0)
    link.move()
    return link


@clause("VFY-1", "VFY-13", "VFY-16", "HS-13", "HS-18")
@pytest.mark.parametrize("mode", [PEER, DEMAND, PEER | ONCE, DEMAND | ONCE])
def test_server_that_asks_ends_the_handshake_of_a_bad_client(
    flaw: Flaw, mode: int
) -> None:
    link = to_server(flaw, mode)

    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    assert ssl_reasons()[-1] == FAILED
    assert p.SSL_get_verify_result(link.server) == flaw.result
    assert told(link, link.client) == [1000 + flaw.alert]
    assert link.server.report().failing_depth == flaw.depth


@clause("VFY-1")
@pytest.mark.parametrize("mode", [NONE, 2, ONCE, POST, DEMAND | POST])
def test_server_without_peer_bit_or_for_later_asks_nothing(mode: int) -> None:
    link = to_server(FLAWS[0], mode)

    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (1, 0)
    assert p.SSL_get_peer_certificate(link.server) is None
    assert p.SSL_get_peer_cert_chain(link.server) is None
    assert p.SSL_get_verify_result(link.server) == p.X509_V_OK


@clause("VFY-1", "VFY-13", "HS-13", "HS-18")
@pytest.mark.parametrize("mode", [PEER, PEER | ONCE, DEMAND, DEMAND | ONCE])
def test_missing_client_certificate_is_fatal_only_if_demanded(
    mode: int,
) -> None:
    client_ctx, server_ctx = make_contexts()
    p.SSL_CTX_set_verify(server_ctx, mode, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (1, 0)
    link.move()

    got = outcome(link.server, p.SSL_do_handshake(link.server))

    assert p.SSL_get_verify_result(link.server) == p.X509_V_OK
    assert p.SSL_get_peer_certificate(link.server) is None
    if mode & 2:
        assert got == (-1, 1)
        assert ssl_reasons() == [NO_CERTIFICATE]
        assert told(link, link.client) == [1116]
    else:
        assert got == (1, 0)
        link.move()
        link.send(link.client, b"welcome")


@clause("VFY-16", "VFY-17")
def test_purpose_depends_on_the_side_that_verifies() -> None:
    for eku, by_client, by_server in (
        (("server",), 0, 26),
        (("client",), 26, 0),
        (("server", "client"), 0, 0),
        ((), 0, 0),
        (("any",), 26, 26),
    ):
        flaw = Flaw("purpose", ca.leaf(eku=eku), 0, 0, 0)
        link = to_client(flaw, PEER)
        p.SSL_do_handshake(link.client)
        assert p.SSL_get_verify_result(link.client) == by_client, eku
        link = to_server(flaw, PEER)
        p.SSL_do_handshake(link.server)
        assert p.SSL_get_verify_result(link.server) == by_server, eku
        reasons()


@clause("VFY-16")
@pytest.mark.parametrize("level", [0, 1, 2])
def test_weak_keys_are_judged_by_the_level_of_the_verifier(
    level: int,
) -> None:
    flaw = Flaw("weak", ca.leaf("rsa1024", issuer=RSA_ROOT), 0, 0, 0)
    client_ctx = p.SSL_CTX(p.TLS_client_method())
    server_ctx = p.SSL_CTX(p.TLS_server_method())
    p.SSL_CTX_set_security_level(server_ctx, 0)
    flaw.dress(server_ctx)
    flaw.prepare(client_ctx)
    p.SSL_CTX_set_verify(client_ctx, PEER, None)
    p.SSL_CTX_set_security_level(client_ctx, level)
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    link.step()

    assert p.SSL_do_handshake(link.client) == (-1 if level == 2 else 1)
    expected = p.X509_V_ERR_EE_KEY_TOO_SMALL if level == 2 else 0
    assert p.SSL_get_verify_result(link.client) == expected


# ---- VFY-2, VFY-6 ---------------------------------------------------------


@clause("VFY-2")
@pytest.mark.parametrize("mode", [0, 1, 2, 3, 4, 5, 7, 8, 15])
def test_mode_is_given_back_as_set_and_copied(mode: int) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    p.SSL_CTX_set_verify(ctx, mode, None)
    ssl = p.SSL(ctx)

    assert p.SSL_CTX_get_verify_mode(ctx) == mode
    assert p.SSL_get_verify_mode(ssl) == mode
    assert p.SSL_get_verify_callback(ssl) is None
    assert p.SSL_get_verify_depth(ssl) == -1


TWO = ca.intermediate(name="second", issuer=MIDDLE)
DEPTHS = [
    (ca.leaf(), 0, 0),
    (ca.leaf(issuer=MIDDLE), 0, 22),
    (ca.leaf(issuer=MIDDLE), 1, 0),
    (ca.leaf(issuer=TWO), 0, 22),
    (ca.leaf(issuer=TWO), 1, 22),
    (ca.leaf(issuer=TWO), 2, 0),
    (ca.leaf(issuer=TWO), 100, 0),
    (ca.leaf(issuer=TWO), -1, 0),
]


@clause("VFY-6")
@pytest.mark.parametrize(("leaf", "depth", "result"), DEPTHS)
@pytest.mark.parametrize("on", ["ctx", "ssl"])
def test_depth_counts_what_is_between_leaf_and_root(
    leaf: ca.Identity, depth: int, result: int, on: str
) -> None:
    client_ctx, server_ctx = make_contexts(server=leaf)
    if on == "ctx":
        p.SSL_CTX_set_verify_depth(client_ctx, depth)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    if on == "ssl":
        p.SSL_set_verify_depth(link.client, depth)
    link.step()

    assert p.SSL_do_handshake(link.client) == (-1 if result else 1)
    assert p.SSL_get_verify_result(link.client) == result
    if result:
        assert ssl_reasons()[-1] == FAILED
        assert told(link, link.server) == [1048]


# ---- VFY-7 to VFY-9: where trust comes from -------------------------------


@clause("VFY-7", "ERR-6")
@pytest.mark.parametrize(
    ("content", "oldest", "newest"),
    [
        (None, (p.ERR_LIB_SYS, 2), None),
        (b"", None, (p.ERR_LIB_X509, 136)),
        (b"words\n", None, (p.ERR_LIB_X509, 136)),
        (ca.leaf().key_pem, None, (p.ERR_LIB_X509, 136)),
        (ROOT.cert_pem[:150], (p.ERR_LIB_PEM, 102), None),
        (
            ROOT.cert_pem.replace(b"MII", b"!!!", 1),
            (p.ERR_LIB_PEM, 100),
            None,
        ),
    ],
)
def test_file_that_is_no_trust_is_refused_and_changes_nothing(
    tmp_path: Path,
    content: Optional[bytes],
    oldest: Optional[tuple[int, int]],
    newest: Optional[tuple[int, int]],
) -> None:
    ctx = p.SSL_CTX(p.TLS_client_method())
    assert p.SSL_CTX_load_verify_mem(ctx, ROOT.cert_pem) == 1
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    assert p.SSL_CTX_load_verify_locations(ctx, path, None) == 0

    found = reasons()
    assert found
    if oldest is not None:
        assert found[0] == oldest
    if newest is not None:
        assert found[-1] == newest
    assert len(p.SSL_CTX_get_cert_store(ctx)) == 1


@clause("VFY-7")
@pytest.mark.parametrize("file", [True, False])
@pytest.mark.parametrize("folder", ["there", "missing", None])
def test_file_and_folder_are_taken_together(
    tmp_path: Path, file: bool, folder: Optional[str]
) -> None:
    ctx = p.SSL_CTX(p.TLS_client_method())
    path = tmp_path / "ca.pem"
    path.write_bytes(ROOT.cert_pem)
    where = {"there": tmp_path, "missing": tmp_path / "none", None: None}
    given = path if file else None

    ret = p.SSL_CTX_load_verify_locations(ctx, given, where[folder])

    assert ret == int(file or folder is not None)
    assert reasons() == []


@clause("VFY-9", "CCA-1")
def test_trust_is_not_announced_and_text_between_is_skipped() -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    pem = b"# one\n" + OTHER_ROOT.cert_pem + b"subject=x\n\n" + ROOT.cert_pem
    assert p.SSL_CTX_load_verify_mem(server_ctx, pem + b"tail") == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    assert p.SSL_CTX_get_client_CA_list(server_ctx) == []
    assert p.SSL_get_client_CA_list(link.client) == []


# ---- VFY-10 to VFY-12: names ----------------------------------------------

NAMED = ca.leaf(
    names=("*.example.org", "fo*.example.net", "plain.test"),
    ips=("192.0.2.7", "2001:db8::7"),
)
ONLY_CN = ca.leaf(names=(), ips=(), common_name="cn.test")


def meets(
    leaf: ca.Identity, host: Any, flags: int = 0, mode: int = PEER
) -> p.SSL:
    """Verify a server under a name; the client, after its verdict."""
    client_ctx, server_ctx = make_contexts(server=leaf)
    p.SSL_CTX_set_verify(client_ctx, mode, None)
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    p.SSL_set_hostflags(link.client, flags)
    assert p.SSL_set1_host(link.client, host) == 1
    link.step()
    result = p.SSL_do_handshake(link.client)
    bad = p.SSL_get_verify_result(link.client) != 0
    assert result == (-1 if bad and mode else 1)
    if bad and mode:
        assert ssl_reasons()[-1] == FAILED
        assert told(link, link.server) == [1042]
    return link.client


@clause("VFY-10", "VFY-11", "VFY-12")
@pytest.mark.parametrize(
    ("leaf", "host", "flags", "result", "peername"),
    [
        (NAMED, "a.example.org", 0, 0, "*.example.org"),
        (NAMED, b"a.example.org", 0, 0, "*.example.org"),
        (NAMED, "A.EXAMPLE.ORG", 0, 0, "*.example.org"),
        (NAMED, "a.example.org", 2, 62, None),
        (NAMED, "plain.test", 2, 0, "plain.test"),
        (NAMED, "foo.example.net", 0, 0, "fo*.example.net"),
        (NAMED, "foo.example.net", 4, 62, None),
        (NAMED, "a.example.org", 4, 0, "*.example.org"),
        (NAMED, "a.b.example.org", 0, 62, None),
        (NAMED, "a.b.example.org", 8, 0, "*.example.org"),
        (NAMED, ".example.org", 0, 0, "*.example.org"),
        (NAMED, "example.org", 0, 62, None),
        (NAMED, "192.0.2.7", 0, 0, None),
        (NAMED, "192.0.2.70", 0, 64, None),
        (NAMED, "2001:db8::7", 0, 0, None),
        (NAMED, "2001:db8:0:0:0:0:0:7", 0, 0, None),
        (NAMED, "2001:db8::8", 0, 64, None),
        (ONLY_CN, "cn.test", 0, 0, "cn.test"),
        (ONLY_CN, "cn.test", 0x20, 62, None),
        (ca.leaf(names=("san.test",)), "san.test", 0, 0, "san.test"),
        (
            ca.leaf(names=("san.test",), common_name="cn.test"),
            "cn.test",
            0,
            62,
            None,
        ),
        (
            ca.leaf(names=("san.test",), common_name="cn.test"),
            "cn.test",
            1,
            0,
            "cn.test",
        ),
    ],
)
def test_name_and_flags_decide_what_matches(
    leaf: ca.Identity,
    host: Any,
    flags: int,
    result: int,
    peername: Optional[str],
) -> None:
    ssl = meets(leaf, host, flags)
    assert p.SSL_get_verify_result(ssl) == result
    assert p.SSL_get0_peername(ssl) == peername


@clause("VFY-10", "VFY-12")
@pytest.mark.parametrize(
    ("first", "added", "result", "peername"),
    [
        ("no.test", ["plain.test"], 0, "plain.test"),
        ("no.test", ["nor.test", "b.example.org"], 0, "*.example.org"),
        ("no.test", ["nor.test"], 62, None),
        ("plain.test", ["no.test"], 0, "plain.test"),
        (None, ["plain.test"], 0, "plain.test"),
        (None, ["no.test"], 62, None),
    ],
)
def test_added_names_are_alternatives(
    first: Optional[str],
    added: list[str],
    result: int,
    peername: Optional[str],
) -> None:
    client_ctx, server_ctx = make_contexts(server=NAMED)
    link = MemLink(*make_ends(client_ctx, server_ctx, host="old.test"))
    assert p.SSL_set1_host(link.client, first) == 1
    for name in added:
        assert p.SSL_add1_host(link.client, name) == 1
    link.step()

    assert p.SSL_do_handshake(link.client) == (-1 if result else 1)
    assert p.SSL_get_verify_result(link.client) == result
    assert p.SSL_get0_peername(link.client) == peername


@clause("VFY-5", "VFY-11", "VFY-13")
@pytest.mark.parametrize(
    ("host", "result"), [("wrong.test", 62), ("192.0.2.9", 64)]
)
def test_wrong_name_without_peer_bit_is_recorded_only(
    host: str, result: int
) -> None:
    ssl = meets(NAMED, host, mode=NONE)
    assert p.SSL_get_verify_result(ssl) == result
    assert p.SSL_get0_peername(ssl) is None


@clause("SNI-1", "VFY-10")
def test_name_sent_and_name_verified_are_two_things() -> None:
    client_ctx, server_ctx = make_contexts(server=NAMED)
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    assert p.SSL_set_tlsext_host_name(link.client, "front.test") == 1
    assert p.SSL_set1_host(link.client, "plain.test") == 1
    link.established()

    assert p.SSL_get_servername(link.server, 0) == "front.test"
    assert p.SSL_get0_peername(link.client) == "plain.test"


# ---- VFY-13, VFY-14: afterwards -------------------------------------------


@clause("VFY-14")
@pytest.mark.parametrize("mode", [NONE, PEER])
def test_chain_as_sent_is_kept_even_if_it_is_refused(mode: int) -> None:
    leaf = ca.leaf(issuer=MIDDLE)
    flaw = Flaw("", leaf, 20, 48, 1, OTHER_ROOT.cert_pem, (ROOT, OTHER_ROOT))
    link = to_client(flaw, mode)
    p.SSL_do_handshake(link.client)

    got = p.SSL_get_peer_certificate(link.client)
    chain = p.SSL_get_peer_cert_chain(link.client)

    assert got == p.X509.from_der(leaf.cert_der)
    assert chain is not None
    assert [one.der for one in chain] == [
        one.cert_der for one in (leaf, MIDDLE, ROOT, OTHER_ROOT)
    ]
    assert got is not p.SSL_get_peer_certificate(link.client)


@clause("VFY-13")
def test_result_of_an_earlier_connection_is_forgotten() -> None:
    link = to_client(FLAWS[0], NONE)
    assert p.SSL_do_handshake(link.client) == 1
    assert p.SSL_get_verify_result(link.client) == 10

    assert p.SSL_clear(link.client) == 1

    assert p.SSL_get_verify_result(link.client) == p.X509_V_OK
    assert p.SSL_get_peer_certificate(link.client) is None
