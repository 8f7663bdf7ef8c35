"""Own certificates and keys, names of CAs: contract 6.4 and 6.16."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

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

PEM, DER = p.SSL_FILETYPE_PEM, p.SSL_FILETYPE_ASN1
NO_START_LINE = (p.ERR_LIB_PEM, 108)
LEAF = ca.leaf()


@pytest.fixture(name="it", params=["ctx", "ssl"])
def make_holder(request: pytest.FixtureRequest) -> Any:
    ctx = p.SSL_CTX(p.TLS_server_method())
    return ctx if request.param == "ctx" else p.SSL(ctx)


def chain_seen(server_ctx: p.SSL_CTX, **wishes: Any) -> list[bytes]:
    """Shake hands with a client that looks at nothing; what it was sent."""
    client_ctx = p.SSL_CTX(p.TLS_client_method())
    client_ctx.set_options(0)
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None, **wishes))
    link.established()
    chain = link.client.get_peer_cert_chain()
    assert chain is not None
    return [certificate.der for certificate in chain]


@clause("CERT-1")
def test_certificate_and_key_are_taken_in_every_form(
    it: Any, tmp_path: Path
) -> None:
    files = {
        "cert.pem": LEAF.cert_pem,
        "cert.der": LEAF.cert_der,
        "key.pem": LEAF.key_pem,
        "key.der": LEAF.key_der,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    cert, key = (
        p.X509.from_der(LEAF.cert_der),
        p.EVP_PKEY.from_der(LEAF.key_der),
    )

    assert it.use_certificate(cert) == 1
    longer, size = LEAF.cert_der + b"x", len(LEAF.cert_der)
    assert it.use_certificate_ASN1(LEAF.cert_der) == 1
    assert it.use_certificate_ASN1(longer, size) == 1
    assert it.use_certificate_file(tmp_path / "cert.pem", PEM) == 1
    assert it.use_certificate_file(str(tmp_path / "cert.der"), DER) == 1
    assert it.use_certificate_mem(bytearray(LEAF.cert_pem), PEM) == 1
    for again in (
        lambda: it.use_PrivateKey(key),
        lambda: it.use_PrivateKey_ASN1(0, LEAF.key_der),
        lambda: it.use_PrivateKey_file(tmp_path / "key.pem", PEM),
        lambda: it.use_PrivateKey_file(os.fsencode(tmp_path / "key.der"), DER),
        lambda: it.use_PrivateKey_mem(LEAF.key_pem, PEM),
        lambda: it.use_PrivateKey_mem(LEAF.traditional_key_pem(), PEM),
    ):
        assert again() == 1
        assert it.check_private_key() == 1
    assert it.get_certificate() == cert
    assert reasons() == []


@clause("CERT-1")
def test_other_types_of_file_and_no_object_are_refused(
    it: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cert.pem"
    path.write_bytes(LEAF.cert_pem)
    for use in (it.use_certificate_file, it.use_PrivateKey_file):
        assert use(path, 3) == 0
        assert reasons() == [(20, 124)]
    for use in (it.use_certificate_mem, it.use_PrivateKey_mem):
        assert use(LEAF.cert_pem, 0) == 0
        assert reasons() == [(20, 124)]
    for use in (it.use_certificate, it.use_PrivateKey, it.add1_chain_cert):
        assert use(None) == 0
        assert reasons() == [(20, p.ERR_R_PASSED_NULL_PARAMETER)]


@clause("CV-2")
def test_wrong_types_raise_before_anything_happens(it: Any) -> None:
    for use in (
        lambda: it.use_certificate(LEAF.cert_der),
        lambda: it.use_PrivateKey("key"),
        lambda: it.add1_chain_cert(7),
        lambda: it.use_certificate_ASN1("text"),
        lambda: it.use_certificate_file(7, PEM),
        lambda: it.use_certificate_chain_mem("text"),
        lambda: it.use_PrivateKey_ASN1("EC", LEAF.key_der),
    ):
        with pytest.raises(TypeError):
            use()
    with pytest.raises(ValueError, match="bytes of"):
        it.use_certificate_ASN1(LEAF.cert_der, len(LEAF.cert_der) + 1)
    assert it.get_certificate() is None
    assert reasons() == []


@clause("CERT-2")
@pytest.mark.parametrize(
    "call",
    [
        lambda it, path: it.use_certificate_file(path, PEM),
        lambda it, path: it.use_certificate_chain_file(path),
        lambda it, path: it.use_PrivateKey_file(path, PEM),
        lambda it, path: it.use_PrivateKey_file(path, DER),
    ],
)
def test_missing_file_leaves_the_errno_first(
    it: Any, tmp_path: Path, call: Any
) -> None:
    assert call(it, tmp_path / "no such file") == 0
    assert p.ERR_GET_LIB(p.ERR_peek_error()) == p.ERR_LIB_SYS
    found = reasons()
    assert found[0] == (p.ERR_LIB_SYS, 2)
    assert [lib for lib, _ in found] == [2, 32, 20]
    assert found[-1] == (20, p.ERR_R_SYS_LIB)


@clause("CERT-2", "ERR-6")
@pytest.mark.parametrize("use", ["certificate", "PrivateKey"])
def test_wrong_content_names_the_format_last(it: Any, use: str) -> None:
    call = getattr(it, f"use_{use}_mem")

    assert call(b"nothing of the kind", PEM) == 0
    found = reasons()
    assert found[0] == NO_START_LINE
    assert found[-1] == (20, p.ERR_R_PEM_LIB)

    assert call(b"nothing of the kind", DER) == 0
    found = reasons()
    assert found[-1] == (20, p.ERR_R_ASN1_LIB)
    assert len(found) > 1


@clause("CERT-2", "CERT-6")
@pytest.mark.parametrize("bad", [b"", b"no start line\n", None])
def test_chain_without_a_whole_certificate_is_refused(
    it: Any, bad: bytes | None
) -> None:
    use_identity_of(it, LEAF)
    if bad is None:
        bad = LEAF.cert_pem + LEAF.cert_pem.replace(b"MII", b"!!!", 1)

    assert it.use_certificate_chain_mem(bad) == 0
    assert reasons()[-1] == (20, p.ERR_R_PEM_LIB)
    assert it.check_private_key() == 1  # what was there stays


def use_identity_of(it: Any, identity: ca.Identity) -> None:
    assert it.use_certificate_chain_mem(identity.chain_pem) == 1
    assert it.use_PrivateKey_ASN1(0, identity.key_der) == 1


@clause("CERT-3")
def test_one_slot_for_each_type_of_key() -> None:
    server_ctx = p.SSL_CTX(p.TLS_server_method())
    for kind in ("rsa", "p256", "ed25519"):
        use_identity(server_ctx, ca.leaf(kind))

    for scheme, kind in (
        ("rsa_pss_rsae_sha256:RSA+SHA256", "rsa"),
        ("ecdsa_secp256r1_sha256", "p256"),
        ("ed25519:ecdsa_secp256r1_sha256", "ed25519"),
    ):
        client_ctx = p.SSL_CTX(p.TLS_client_method())
        assert client_ctx.set1_sigalgs_list(scheme) == 1
        link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
        link.established()
        peer = link.client.get_peer_certificate()
        assert peer is not None
        assert peer.der == ca.leaf(kind).cert_der

    last = server_ctx.get_certificate()
    assert last is not None
    assert last.der == ca.leaf("ed25519").cert_der


@clause("CERT-4")
def test_key_that_does_not_fit_is_refused_and_the_old_one_stays(
    it: Any,
) -> None:
    use_identity_of(it, LEAF)
    other = ca.leaf(key_label="other")

    assert it.use_PrivateKey_ASN1(0, other.key_der) == 0
    assert reasons()[-1] == (p.ERR_LIB_X509, 116)
    assert it.check_private_key() == 1


@clause("CERT-4", "CERT-5")
def test_certificate_that_does_not_fit_drops_the_key(it: Any) -> None:
    use_identity_of(it, LEAF)
    other = ca.leaf(key_label="other")

    assert it.use_certificate_ASN1(other.cert_der) == 1
    assert reasons() == []
    assert it.check_private_key() == 0
    assert reasons() == [(20, 190)]


@clause("CERT-5")
def test_check_says_what_is_missing(it: Any) -> None:
    assert it.check_private_key() == 0
    assert reasons() == [(20, 177)]
    assert it.use_certificate_ASN1(LEAF.cert_der) == 1
    assert it.check_private_key() == 0
    assert reasons() == [(20, 190)]


@clause("CERT-6")
def test_chain_is_sent_leaf_first_and_replaces_an_older_one() -> None:
    middle = ca.intermediate()
    deep = ca.leaf(issuer=middle)
    server_ctx = p.SSL_CTX(p.TLS_server_method())
    use_identity(server_ctx, ca.leaf())
    use_identity(server_ctx, deep)
    assert chain_seen(server_ctx) == [deep.cert_der, middle.cert_der]

    assert server_ctx.use_certificate_chain_mem(deep.chain_pem) == 1
    assert server_ctx.use_PrivateKey_ASN1(0, deep.key_der) == 1
    assert chain_seen(server_ctx) == [deep.cert_der, middle.cert_der]


@clause("CERT-10")
def test_chain_certificates_are_appended_and_extra_ones_are_a_reserve(
    it: Any,
) -> None:
    middle, root = ca.intermediate(), ca.authority()
    deep = ca.leaf(issuer=middle)
    server_ctx = p.SSL_CTX(p.TLS_server_method())
    assert server_ctx.use_certificate_ASN1(deep.cert_der) == 1
    assert server_ctx.use_PrivateKey_ASN1(0, deep.key_der) == 1
    assert server_ctx.add_extra_chain_cert(p.X509.from_der(root.cert_der)) == 1
    assert chain_seen(server_ctx) == [deep.cert_der, root.cert_der]

    assert server_ctx.add1_chain_cert(p.X509.from_der(middle.cert_der)) == 1
    assert chain_seen(server_ctx) == [deep.cert_der, middle.cert_der]

    assert server_ctx.clear_chain_certs() == 1
    assert chain_seen(server_ctx) == [deep.cert_der, root.cert_der]
    assert server_ctx.add_extra_chain_cert(None) == 0
    assert reasons() == [(20, p.ERR_R_PASSED_NULL_PARAMETER)]

    # There is nothing to append to.
    assert it.add1_chain_cert(p.X509.from_der(middle.cert_der)) == 0
    assert len(reasons()) >= 1


@clause("CERT-10")
def test_chain_of_a_connection_is_its_own() -> None:
    middle = ca.intermediate()
    deep = ca.leaf(issuer=middle)
    server_ctx = p.SSL_CTX(p.TLS_server_method())
    assert server_ctx.use_certificate_ASN1(deep.cert_der) == 1
    assert server_ctx.use_PrivateKey_ASN1(0, deep.key_der) == 1
    client_ctx = p.SSL_CTX(p.TLS_client_method())
    link = MemLink(*make_ends(client_ctx, server_ctx, host=None))
    assert link.server.add1_chain_cert(p.X509.from_der(middle.cert_der)) == 1
    link.established()

    assert len(link.client.get_peer_cert_chain() or []) == 2
    assert chain_seen(server_ctx) == [deep.cert_der]


@clause("CERT-12", "OPT-4")
def test_missing_issuers_come_from_the_store_unless_switched_off() -> None:
    server_ctx = p.SSL_CTX(p.TLS_server_method())
    assert server_ctx.use_certificate_ASN1(LEAF.cert_der) == 1
    assert server_ctx.use_PrivateKey_ASN1(0, LEAF.key_der) == 1
    assert server_ctx.load_verify_mem(LEAF.ca_pem) == 1
    assert chain_seen(server_ctx) == [LEAF.cert_der, LEAF.ca_der]

    server_ctx.set_mode(p.SSL_MODE_NO_AUTO_CHAIN)
    assert chain_seen(server_ctx) == [LEAF.cert_der]


# ---- passphrases ----------------------------------------------------------

WORD = b"correct horse"
LOCKED = LEAF.encrypted_key_pem(WORD)


@pytest.fixture(name="ctx")
def make_ctx() -> p.SSL_CTX:
    ctx = p.SSL_CTX(p.TLS_server_method())
    assert ctx.use_certificate_ASN1(LEAF.cert_der) == 1
    return ctx


@clause("CERT-15")
@pytest.mark.parametrize("pem", [LOCKED, LEAF.encrypted_key_pem(WORD, True)])
@pytest.mark.parametrize("word", [WORD, WORD.decode(), bytearray(WORD)])
def test_passphrase_callback_opens_an_encrypted_key(
    ctx: p.SSL_CTX, pem: bytes, word: Any
) -> None:
    calls: list[Any] = []

    def give(size: int, rwflag: int, userdata: object) -> Any:
        calls.append((size, rwflag, userdata))
        return word

    ctx.set_default_passwd_cb(give)
    ctx.set_default_passwd_cb_userdata("data")
    assert ctx.get_default_passwd_cb() is give
    assert ctx.get_default_passwd_cb_userdata() == "data"

    assert ctx.use_PrivateKey_mem(pem, PEM) == 1
    assert ctx.check_private_key() == 1
    assert p.SSL(ctx).use_PrivateKey_mem(pem, PEM) == 1
    assert calls == [(1024, 0, "data")] * 2


@clause("CERT-15")
@pytest.mark.parametrize("word", [b"wrong", b"", 0])
def test_wrong_or_empty_passphrase_fails_to_decrypt(
    ctx: p.SSL_CTX, word: Any
) -> None:
    ctx.set_default_passwd_cb(lambda *_: word)

    assert ctx.use_PrivateKey_mem(LOCKED, PEM) == 0
    found = reasons()
    assert found[-1] == (20, p.ERR_R_PEM_LIB)
    assert len(found) > 1
    assert (p.ERR_LIB_PEM, 104) not in found


@clause("CERT-15")
def test_refused_passphrase_is_a_bad_password_read(ctx: p.SSL_CTX) -> None:
    ctx.set_default_passwd_cb(lambda *_: -1)

    assert ctx.use_PrivateKey_mem(LOCKED, PEM) == 0
    assert reasons() == [(p.ERR_LIB_PEM, 104), (20, p.ERR_R_PEM_LIB)]


@clause("CERT-15")
def test_userdata_alone_is_the_passphrase(ctx: p.SSL_CTX) -> None:
    assert ctx.use_PrivateKey_mem(LOCKED, PEM) == 0
    assert reasons()[-1] == (20, p.ERR_R_PEM_LIB)

    ctx.set_default_passwd_cb_userdata(WORD)
    assert ctx.use_PrivateKey_mem(LOCKED, PEM) == 1


@clause("CERT-15")
def test_plain_keys_ask_nobody(ctx: p.SSL_CTX) -> None:
    ctx.set_default_passwd_cb(lambda *_: pytest.fail("asked"))
    assert ctx.use_PrivateKey_mem(LEAF.key_pem, PEM) == 1


@clause("CERT-15", "CV-7")
@pytest.mark.parametrize(
    ("word", "error"),
    [
        (ZeroDivisionError(), ZeroDivisionError),
        (None, TypeError),
        (1.5, TypeError),
        (3, TypeError),
        (b"x" * 1025, ValueError),
    ],
)
def test_failing_passphrase_callback_is_raised_and_queued(
    ctx: p.SSL_CTX, word: Any, error: type[Exception]
) -> None:
    def give(*_: Any) -> Any:
        if isinstance(word, Exception):
            raise word
        return word

    ctx.set_default_passwd_cb(give)
    with pytest.raises(error):
        ctx.use_PrivateKey_mem(LOCKED, PEM)
    assert reasons() == [(p.ERR_LIB_PEM, 104), (20, p.ERR_R_PEM_LIB)]


# ---- certificate callbacks ------------------------------------------------


@clause("CERT-20", "GE-12", "HS-25", "WANT-2")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("on", ["ctx", "ssl"])
def test_certificate_callback_suspends_and_is_called_again(
    side: str, on: str
) -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    calls: list[Any] = []

    def callback(ssl: p.SSL, arg: object) -> int:
        calls.append((ssl, arg))
        return -1 if len(calls) < 3 else 1

    ctx = client_ctx if side == "client" else server_ctx
    if on == "ctx":
        ctx.set_cert_cb(callback, "arg")
    link = MemLink(*make_ends(client_ctx, server_ctx))
    ssl = link.client if side == "client" else link.server
    if on == "ssl":
        ssl.set_cert_cb(callback, "arg")
    link.client.do_handshake()
    link.move()
    if side == "client":
        link.server.do_handshake()
        link.move()

    for _ in range(2):
        assert outcome(ssl, ssl.do_handshake()) == (-1, 4)
        assert ssl.want() == p.SSL_X509_LOOKUP
        assert ssl.want_x509_lookup() == 1
        assert reasons() == []
    link.established()
    assert calls == [(ssl, "arg")] * 3


@clause("CERT-20")
def test_certificate_callback_that_fails_ends_the_handshake() -> None:
    client_ctx, server_ctx = make_contexts()
    server_ctx.set_cert_cb(lambda ssl, arg: 0)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.client.do_handshake()
    link.move()

    assert outcome(link.server, link.server.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [377]
    link.move()
    assert outcome(link.client, link.client.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [1080]


@clause("CERT-20", "CV-7")
@pytest.mark.parametrize("wrong", [None, "1", ZeroDivisionError()])
def test_certificate_callback_that_raises_is_a_failure_and_raised(
    wrong: Any,
) -> None:
    def callback(ssl: p.SSL, arg: object) -> Any:
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    client_ctx, server_ctx = make_contexts()
    server_ctx.set_cert_cb(callback)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.client.do_handshake()
    link.move()

    with pytest.raises((TypeError, ZeroDivisionError)):
        link.server.do_handshake()
    assert link.server.get_error(-1) == 1
    assert ssl_reasons() == [377]
    assert outcome(link.server, link.server.do_handshake()) == (-1, 5)


@clause("CERT-20")
def test_certificate_callback_may_load_the_certificate() -> None:
    client_ctx, _ = make_contexts()
    bare = p.SSL_CTX(p.TLS_server_method())

    def callback(ssl: p.SSL, arg: object) -> int:
        use_identity_of(ssl, LEAF)
        return 1

    bare.set_cert_cb(callback)
    link = MemLink(*make_ends(client_ctx, bare))
    link.established()
    assert bare.get_certificate() is None


def client_asked() -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """Give contexts whose server demands a certificate the client lacks."""
    client_ctx, server_ctx = make_contexts()
    server_ctx.load_verify_mem(LEAF.ca_pem)
    mode = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    server_ctx.set_verify(mode)
    return client_ctx, server_ctx


@clause("CERT-18", "GE-12")
def test_client_certificate_callback_suspends_then_gives_one() -> None:
    client_ctx, server_ctx = client_asked()
    answers: list[Any] = [
        -1,
        (
            1,
            p.X509.from_der(LEAF.cert_der),
            p.EVP_PKEY.from_der(LEAF.key_der),
        ),
    ]

    def give(ssl: p.SSL) -> Any:
        return answers.pop(0)

    client_ctx.set_client_cert_cb(give)
    assert client_ctx.get_client_cert_cb() is give
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()

    assert outcome(link.client, link.client.do_handshake()) == (-1, 4)
    assert link.client.want() == 4
    link.established()

    peer = link.server.get_peer_certificate()
    assert peer is not None
    assert peer.der == LEAF.cert_der
    assert link.client.get_certificate() == peer  # installed for good
    assert client_ctx.get_certificate() is None
    assert answers == []


@clause("CERT-18", "VFY-1")
def test_client_certificate_callback_may_have_none() -> None:
    client_ctx, server_ctx = client_asked()
    client_ctx.set_client_cert_cb(lambda ssl: 0)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()

    assert outcome(link.client, link.client.do_handshake()) == (1, 0)
    link.move()
    assert outcome(link.server, link.server.do_handshake()) == (-1, 1)
    assert ssl_reasons() == [199]
    assert link.server.report().alert_sent == 116


@clause("CERT-18", "CV-7")
@pytest.mark.parametrize(
    "wrong", [None, 1, (1,), (1, None, None), (1, "cert", "key"), "x"]
)
def test_client_certificate_callback_with_a_wrong_answer_is_raised(
    wrong: Any,
) -> None:
    client_ctx, server_ctx = client_asked()
    client_ctx.set_client_cert_cb(lambda ssl: wrong)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()

    with pytest.raises(TypeError):
        link.client.do_handshake()
    assert link.client.get_error(-1) == 1
    assert ssl_reasons() != []


@clause("CERT-18")
def test_client_certificate_callback_is_not_for_those_who_have_one() -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    for ctx in (client_ctx, server_ctx):
        ctx.set_client_cert_cb(lambda ssl: pytest.fail("asked"))
    MemLink(*make_ends(client_ctx, server_ctx)).established()


# ---- names of CAs ---------------------------------------------------------


@clause("CCA-1", "CCA-2")
def test_client_learns_the_names_that_the_server_asks_with() -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    root, other = (
        p.X509.from_der(ca.authority(name=name).cert_der)
        for name in ("pyssl test root", "another root")
    )
    assert server_ctx.get_client_CA_list() == []
    assert server_ctx.add_client_CA(root) == 1
    assert server_ctx.add_client_CA(other) == 1
    wanted = [root.subject_der, other.subject_der]
    assert server_ctx.get_client_CA_list() == wanted

    link = MemLink(*make_ends(client_ctx, server_ctx))
    assert link.client.get_client_CA_list() == []
    link.established()

    assert link.client.get_client_CA_list() == wanted
    assert link.server.get_client_CA_list() == wanted


@clause("CCA-1", "CCA-2")
def test_list_of_the_connection_overrides_the_context() -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    root = p.X509.from_der(ca.authority().cert_der)
    other = p.X509.from_der(ca.authority(name="another root").cert_der)
    server_ctx.set_client_CA_list([root])
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.server.set_client_CA_list([other.subject_der])
    link.established()

    assert link.client.get_client_CA_list() == [other.subject_der]
    assert server_ctx.get_client_CA_list() == [root.subject_der]


@clause("CCA-1", "CV-2")
def test_names_that_cannot_be_sent_are_refused(it: Any) -> None:
    assert it.add_client_CA(None) == 0
    assert len(reasons()) == 1
    for wrong in ("text", 7):
        with pytest.raises(TypeError):
            it.add_client_CA(wrong)
    with pytest.raises(ValueError, match="names"):
        it.set_client_CA_list([b"x" * 70000])
    assert it.get_client_CA_list() == []
    assert reasons() == []


@clause("VFY-9")
def test_trust_does_not_change_the_names_asked_with() -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert link.client.get_client_CA_list() == []


@clause("CCA-2")
def test_names_are_loaded_from_a_file_once_each(tmp_path: Path) -> None:
    path = tmp_path / "cas.pem"
    root, other = ca.authority(), ca.authority(name="another root")
    path.write_bytes(
        b"text\n" + root.cert_pem + other.cert_pem + root.cert_pem
    )

    found = p.SSL_load_client_CA_file(path)

    assert found == [
        p.X509.from_der(one.cert_der).subject_der for one in (root, other)
    ]
    assert p.SSL_load_client_CA_file(tmp_path / "none") is None
    assert reasons()[0] == (p.ERR_LIB_SYS, 2)
    path.write_bytes(b"nothing")
    assert p.SSL_load_client_CA_file(path) is None
    assert reasons()[0] == NO_START_LINE
