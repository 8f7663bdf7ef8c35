"""Loading certificates and keys: the tables of contract section 6.4.

Rows follow what the system's own library leaves in its queue for the same
calls, where the contract names it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Union

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
SSL, BIO, SYS, X509 = (
    p.ERR_LIB_SSL,
    p.ERR_LIB_BIO,
    p.ERR_LIB_SYS,
    p.ERR_LIB_X509,
)
NO_START_LINE = (p.ERR_LIB_PEM, 108)
BAD_PASSWORD_READ = (p.ERR_LIB_PEM, 104)
ENOENT, EISDIR = 2, 21

LEAF, OTHER = ca.leaf(), ca.leaf(key_label="other")
RSA, P384, ED = ca.leaf("rsa"), ca.leaf("p384"), ca.leaf("ed25519")
MIDDLE = ca.intermediate()
DEEP = ca.leaf(issuer=MIDDLE)


@pytest.fixture(name="kind", params=["CTX_", ""], ids=["ctx", "ssl"])
def make_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Holder:
    """A context or a connection, used through the C-named functions."""

    def __init__(self, kind: str) -> None:
        ctx = p.SSL_CTX(p.TLS_server_method())
        self.it: Any = ctx if kind else p.SSL(ctx)
        self.kind = kind

    def __call__(self, name: str, *arguments: Any) -> int:
        """Call the function of that name for this kind of holder."""
        call = getattr(p, f"SSL_{self.kind}{name}")
        if name == "use_PrivateKey_ASN1":
            return int(call(0, self.it, *arguments))
        return int(call(self.it, *arguments))


@pytest.fixture(name="holder")
def make_holder(kind: str) -> Holder:
    return Holder(kind)


def cert(identity: ca.Identity) -> p.X509:
    return p.X509.from_der(identity.cert_der)


# ---- CERT-1: arguments ----------------------------------------------------


@clause("CERT-1", "CV-2")
@pytest.mark.parametrize(
    "name", ["use_certificate", "use_PrivateKey", "add1_chain_cert"]
)
def test_no_object_is_refused_with_its_entry(
    holder: Holder, name: str
) -> None:
    assert holder(name, None) == 0
    assert reasons() == [(SSL, p.ERR_R_PASSED_NULL_PARAMETER)]


@clause("CERT-1")
@pytest.mark.parametrize("name", ["use_certificate", "use_PrivateKey"])
@pytest.mark.parametrize("type", [-1, 0, 3, 4, 1 << 31])
def test_other_type_of_file_is_refused(
    holder: Holder, tmp_path: Path, name: str, type: int
) -> None:
    path = tmp_path / "both.pem"
    path.write_bytes(LEAF.cert_pem + LEAF.key_pem)

    assert holder(f"{name}_file", path, type) == 0
    assert reasons() == [(SSL, 124)]
    assert holder("check_private_key") == 0
    assert reasons() == [(SSL, 177)]


@clause("CERT-1", "CERT-5")
@pytest.mark.parametrize("identity", [LEAF, RSA, P384, ED, ca.leaf("p521")])
def test_pair_of_every_type_loads_in_both_formats(
    holder: Holder, tmp_path: Path, identity: ca.Identity
) -> None:
    for type, certificate, key in (
        (PEM, identity.cert_pem, identity.key_pem),
        (DER, identity.cert_der, identity.key_der),
    ):
        (tmp_path / "cert").write_bytes(certificate)
        (tmp_path / "key").write_bytes(key)
        assert holder("use_certificate_file", tmp_path / "cert", type) == 1
        assert holder("use_PrivateKey_file", tmp_path / "key", type) == 1
        assert holder("check_private_key") == 1
    assert reasons() == []


# ---- CERT-2: entries, oldest first ----------------------------------------

FILES = {
    "empty": b"",
    "junk": b"nothing of the kind\n",
    "cert.pem": LEAF.cert_pem,
    "key.pem": LEAF.key_pem,
    "crl.pem": ca.revocations(ca.authority(), [1]),
    "cut.pem": LEAF.cert_pem[:200],
    "base64.pem": LEAF.cert_pem.replace(b"MII", b"!!!", 1),
    "der.pem": ca.pem("CERTIFICATE", LEAF.cert_der[:50]),
    "keyder.pem": ca.pem("PRIVATE KEY", LEAF.key_der[:20]),
    "cut.der": LEAF.cert_der[:50],
}
MISSING = [(SYS, ENOENT), (BIO, p.ERR_R_SYS_LIB), (SSL, p.ERR_R_SYS_LIB)]


@clause("CERT-2")
@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("use_certificate_file", (PEM,)),
        ("use_certificate_file", (DER,)),
        ("use_certificate_file", (9,)),
        ("use_PrivateKey_file", (PEM,)),
        ("use_PrivateKey_file", (DER,)),
        ("use_PrivateKey_file", (9,)),
        ("use_certificate_chain_file", ()),
    ],
)
def test_missing_file_leaves_just_these_entries(
    holder: Holder, tmp_path: Path, name: str, types: tuple[int, ...]
) -> None:
    assert holder(name, tmp_path / "none", *types) == 0
    assert reasons() == MISSING
    assert holder(name, tmp_path / "no" / "such" / "folder", *types) == 0
    assert reasons() == MISSING


@clause("CERT-2", "ERR-6")
@pytest.mark.parametrize(
    ("name", "file", "oldest"),
    [
        ("use_certificate_file", "empty", NO_START_LINE),
        ("use_certificate_file", "junk", NO_START_LINE),
        ("use_certificate_file", "key.pem", NO_START_LINE),
        ("use_certificate_file", "crl.pem", NO_START_LINE),
        ("use_certificate_file", "cut.pem", (p.ERR_LIB_PEM, 102)),
        ("use_certificate_file", "base64.pem", (p.ERR_LIB_PEM, 100)),
        ("use_certificate_file", "der.pem", (p.ERR_LIB_ASN1, 155)),
        ("use_certificate_chain_file", "empty", NO_START_LINE),
        ("use_certificate_chain_file", "junk", NO_START_LINE),
        ("use_certificate_chain_file", "key.pem", NO_START_LINE),
        ("use_certificate_chain_file", "cut.pem", (p.ERR_LIB_PEM, 102)),
        ("use_certificate_chain_file", "base64.pem", (p.ERR_LIB_PEM, 100)),
        ("use_PrivateKey_file", "empty", NO_START_LINE),
        ("use_PrivateKey_file", "junk", NO_START_LINE),
        ("use_PrivateKey_file", "cert.pem", NO_START_LINE),
        ("use_PrivateKey_file", "keyder.pem", None),
    ],
)
def test_wrong_pem_names_the_cause_first_and_the_format_last(
    holder: Holder,
    tmp_path: Path,
    name: str,
    file: str,
    oldest: Optional[tuple[int, int]],
) -> None:
    path = tmp_path / file
    path.write_bytes(FILES[file])
    types = () if "chain" in name else (PEM,)

    assert holder(name, path, *types) == 0

    found = reasons()
    assert len(found) >= 2
    assert found[-1] == (SSL, p.ERR_R_PEM_LIB)
    if oldest is not None:
        assert found[0] == oldest


@clause("CERT-2", "ERR-6")
@pytest.mark.parametrize("name", ["use_certificate", "use_PrivateKey"])
@pytest.mark.parametrize("file", ["empty", "junk", "cut.der", "cert.pem"])
def test_wrong_der_leaves_asn1_entries(
    holder: Holder, tmp_path: Path, name: str, file: str
) -> None:
    path = tmp_path / file
    path.write_bytes(FILES[file])

    assert holder(f"{name}_file", path, DER) == 0
    found = reasons()
    assert p.ERR_LIB_ASN1 in [lib for lib, _ in found]
    assert found[-1] == (SSL, p.ERR_R_ASN1_LIB)

    assert holder(f"{name}_ASN1", FILES[file]) == 0
    found = reasons()
    assert p.ERR_LIB_ASN1 in [lib for lib, _ in found]
    assert found[-1] == (SSL, p.ERR_R_ASN1_LIB)


@clause("CERT-2")
def test_folder_in_place_of_a_file_leaves_entries(
    holder: Holder, tmp_path: Path
) -> None:
    assert holder("use_certificate_chain_file", tmp_path) == 0
    found = reasons()
    assert found[0] == (SYS, EISDIR)
    assert found[-1][0] == SSL


# ---- CERT-3 to CERT-5: slots ----------------------------------------------

CHECK = "check"
NO_CERT, NO_KEY = [(SSL, 177)], [(SSL, 190)]
MISMATCH = [(X509, 116)]
Step = tuple[str, Optional[ca.Identity], int, list[tuple[int, int]]]


def good(what: str, identity: Optional[ca.Identity] = None) -> Step:
    return what, identity, 1, []


def bad(
    entries: list[tuple[int, int]],
    what: str,
    identity: Optional[ca.Identity] = None,
) -> Step:
    return what, identity, 0, entries


SLOTS: list[tuple[str, list[Step]]] = [
    ("nothing", [bad(NO_CERT, CHECK)]),
    ("cert alone", [good("cert", LEAF), bad(NO_KEY, CHECK)]),
    ("key alone", [good("key", LEAF), bad(NO_CERT, CHECK)]),
    ("both", [good("cert", LEAF), good("key", LEAF), good(CHECK)]),
    ("key first", [good("key", LEAF), good("cert", LEAF), good(CHECK)]),
    (
        "wrong key, no key before",
        [
            good("cert", LEAF),
            bad(MISMATCH, "key", OTHER),
            bad(NO_KEY, CHECK),
            good("key", LEAF),
            good(CHECK),
        ],
    ),
    (
        "wrong key, the old one stays",
        [
            good("cert", LEAF),
            good("key", LEAF),
            bad(MISMATCH, "key", OTHER),
            good(CHECK),
        ],
    ),
    (
        "wrong certificate drops the key",
        [
            good("cert", LEAF),
            good("key", LEAF),
            good("cert", OTHER),
            bad(NO_KEY, CHECK),
            good("key", OTHER),
            good(CHECK),
        ],
    ),
    (
        "wrong certificate after a key alone",
        [
            good("key", LEAF),
            good("cert", OTHER),
            bad(NO_KEY, CHECK),
        ],
    ),
    (
        "key replaced while no certificate is there",
        [
            good("key", LEAF),
            good("key", OTHER),
            bad(NO_CERT, CHECK),
            good("cert", OTHER),
            good(CHECK),
        ],
    ),
    (
        "key of another type has a slot of its own",
        [
            good("cert", LEAF),
            good("key", LEAF),
            good("key", RSA),
            bad(NO_CERT, CHECK),
            good("cert", RSA),
            good(CHECK),
            good("key", LEAF),
            good(CHECK),
        ],
    ),
    (
        "certificate of another type leaves the first pair",
        [
            good("cert", LEAF),
            good("key", LEAF),
            good("cert", RSA),
            bad(NO_KEY, CHECK),
            good("cert", ED),
            bad(NO_KEY, CHECK),
            good("key", ED),
            good(CHECK),
            good("cert", LEAF),
            good(CHECK),
        ],
    ),
    (
        "one slot for ECDSA, whatever the curve",
        [
            good("cert", LEAF),
            good("key", LEAF),
            bad(MISMATCH, "key", P384),
            good(CHECK),
            good("cert", P384),
            bad(NO_KEY, CHECK),
            bad(MISMATCH, "key", LEAF),
            good("key", P384),
            good(CHECK),
        ],
    ),
]


@clause("CERT-3", "CERT-4", "CERT-5")
@pytest.mark.parametrize("form", ["object", "ASN1", "file"])
@pytest.mark.parametrize(
    "steps", [steps for _, steps in SLOTS], ids=[name for name, _ in SLOTS]
)
def test_slots_hold_pairs_that_fit(
    holder: Holder, tmp_path: Path, form: str, steps: list[Step]
) -> None:
    for what, identity, ret, entries in steps:
        if identity is None:
            assert holder("check_private_key") == ret
        else:
            assert load(holder, tmp_path, form, what, identity) == ret
        assert reasons() == entries


def load(
    holder: Holder,
    folder: Path,
    form: str,
    what: str,
    identity: ca.Identity,
) -> int:
    """Load a certificate or a key in one of the forms."""
    name = "use_certificate" if what == "cert" else "use_PrivateKey"
    if form == "ASN1":
        der = identity.cert_der if what == "cert" else identity.key_der
        return holder(f"{name}_ASN1", der)
    if form == "file":
        path = folder / "it.pem"
        path.write_bytes(
            identity.cert_pem if what == "cert" else identity.key_pem
        )
        return holder(f"{name}_file", path, PEM)
    made: Union[p.X509, p.EVP_PKEY] = (
        cert(identity)
        if what == "cert"
        else p.EVP_PKEY.from_der(identity.key_der)
    )
    return holder(name, made)


# ---- CERT-6 to CERT-12: chains --------------------------------------------


def sent(server: p.SSL) -> list[bytes]:
    """Shake hands with a client that trusts nobody: what it was sent."""
    client = p.SSL(p.SSL_CTX(p.TLS_client_method()))
    p.SSL_set_connect_state(client)
    p.SSL_set_accept_state(server)
    MemLink(client, server).established()
    return [x.der for x in p.SSL_get_peer_cert_chain(client) or []]


def served(holder: Holder) -> list[bytes]:
    """Give the chain that a connection of the holder sends."""
    return sent(p.SSL(holder.it) if holder.kind else holder.it)


@clause("CERT-6")
def test_chain_file_gives_the_leaf_then_its_chain_in_order(
    holder: Holder, tmp_path: Path
) -> None:
    path = tmp_path / "chain.pem"
    root, extra = ca.authority(), ca.authority(name="another root")
    order = [DEEP, MIDDLE, extra, root]
    path.write_bytes(
        b"comment\n" + b"\nmore\n".join(one.cert_pem for one in order)
    )
    assert holder("use_certificate_chain_file", path) == 1
    assert holder("use_PrivateKey_ASN1", DEEP.key_der) == 1
    assert holder("check_private_key") == 1
    assert reasons() == []

    assert served(holder) == [one.cert_der for one in order]


@clause("CERT-6")
@pytest.mark.parametrize("second", [DEEP.cert_pem, DEEP.chain_pem * 2])
def test_later_chain_replaces_the_older_one(
    holder: Holder, second: bytes
) -> None:
    assert holder("use_certificate_chain_mem", DEEP.chain_pem) == 1
    assert holder("use_PrivateKey_ASN1", DEEP.key_der) == 1
    assert holder("use_certificate_chain_mem", second) == 1

    found = served(holder)
    assert found[0] == DEEP.cert_der
    assert len(found) == second.count(b"BEGIN")


@clause("CERT-6", "CERT-3")
def test_chain_belongs_to_the_slot_of_its_leaf() -> None:
    holder = Holder("CTX_")
    assert holder("use_certificate_chain_mem", DEEP.chain_pem) == 1
    assert holder("use_PrivateKey_ASN1", DEEP.key_der) == 1
    use_identity(holder.it, RSA)
    assert holder("add1_chain_cert", cert(ca.authority())) == 1

    for scheme, wanted in (
        ("ecdsa_secp256r1_sha256", [DEEP.cert_der, MIDDLE.cert_der]),
        (
            "rsa_pss_rsae_sha256:ECDSA+SHA512",
            [RSA.cert_der, ca.authority().cert_der],
        ),
    ):
        client = p.SSL(p.SSL_CTX(p.TLS_client_method()))
        p.SSL_set_connect_state(client)
        server = p.SSL(holder.it)
        p.SSL_set_accept_state(server)
        assert p.SSL_set1_sigalgs_list(client, scheme) == 1
        MemLink(client, server).established()
        chain = p.SSL_get_peer_cert_chain(client) or []
        assert [x.der for x in chain] == wanted


@clause("CERT-10", "CERT-12")
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("auto", [False, True])
def test_chain_comes_from_the_leaf_then_the_extras_then_the_store(
    own: bool, extra: bool, stored: bool, auto: bool
) -> None:
    ctx = p.SSL_CTX(p.TLS_server_method())
    other = ca.authority(name="another root")
    assert p.SSL_CTX_use_certificate(ctx, cert(DEEP)) == 1
    assert p.SSL_CTX_use_PrivateKey_ASN1(0, ctx, DEEP.key_der) == 1
    if own:
        assert p.SSL_CTX_add1_chain_cert(ctx, cert(MIDDLE)) == 1
    if extra:
        assert p.SSL_CTX_add_extra_chain_cert(ctx, cert(other)) == 1
    if stored:
        pem = MIDDLE.cert_pem + DEEP.ca_pem
        assert p.SSL_CTX_load_verify_mem(ctx, pem) == 1
    if not auto:
        p.SSL_CTX_set_mode(ctx, p.SSL_MODE_NO_AUTO_CHAIN)

    wanted = [DEEP.cert_der]
    if own:
        wanted += [MIDDLE.cert_der]
    elif extra:
        wanted += [other.cert_der]
    elif stored and auto:
        wanted += [MIDDLE.cert_der, DEEP.ca_der]
    assert sent(p.SSL(ctx)) == wanted


@clause("CERT-10", "CTX-3")
def test_chain_of_the_context_is_copied_and_the_copy_is_free() -> None:
    ctx = p.SSL_CTX(p.TLS_server_method())
    use_identity(ctx, DEEP)
    early, own = p.SSL(ctx), p.SSL(ctx)
    assert p.SSL_CTX_clear_chain_certs(ctx) == 1
    assert p.SSL_add1_chain_cert(own, cert(ca.authority())) == 1

    assert sent(early) == [DEEP.cert_der, MIDDLE.cert_der]
    assert sent(own) == [
        DEEP.cert_der,
        MIDDLE.cert_der,
        ca.authority().cert_der,
    ]
    assert sent(p.SSL(ctx)) == [DEEP.cert_der]


# ---- CERT-15: passphrases -------------------------------------------------

WORD = b"correct horse"
LOCKED = {
    "pkcs8": LEAF.encrypted_key_pem(WORD),
    "traditional": LEAF.encrypted_key_pem(WORD, traditional=True),
}


@clause("CERT-15")
@pytest.mark.parametrize("form", LOCKED)
@pytest.mark.parametrize(
    ("callback", "userdata", "ret", "oldest", "calls"),
    [
        (lambda *_: WORD, None, 1, None, 1),
        (lambda *_: WORD, b"ignored", 1, None, 1),
        (lambda size, rwflag, data: data, WORD, 1, None, 1),
        (None, WORD, 1, None, 0),
        (None, WORD.decode(), 1, None, 0),
        (lambda *_: b"", None, 0, "decrypt", 1),
        (lambda *_: 0, WORD, 0, "decrypt", 1),
        (lambda *_: b"wrong", None, 0, "decrypt", 1),
        (None, b"wrong", 0, "decrypt", 0),
        (lambda *_: -1, WORD, 0, BAD_PASSWORD_READ, 1),
        (lambda *_: -7, None, 0, BAD_PASSWORD_READ, 1),
        (None, None, 0, BAD_PASSWORD_READ, 0),
    ],
)
def test_passphrase_comes_from_the_callback_or_is_the_userdata(
    holder: Holder,
    tmp_path: Path,
    form: str,
    callback: Any,
    userdata: Any,
    ret: int,
    oldest: Any,
    calls: int,
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(LOCKED[form])
    asked: list[tuple[int, int, Any]] = []

    def ask(size: int, rwflag: int, data: Any) -> Any:
        asked.append((size, rwflag, data))
        return callback(size, rwflag, data)

    ctx = holder.it if holder.kind else p.SSL_get_SSL_CTX(holder.it)
    if callback is not None:
        p.SSL_CTX_set_default_passwd_cb(ctx, ask)
    p.SSL_CTX_set_default_passwd_cb_userdata(ctx, userdata)
    assert holder("use_certificate_ASN1", LEAF.cert_der) == 1

    assert holder("use_PrivateKey_file", path, PEM) == ret

    found = reasons()
    assert asked == [(1024, 0, userdata)] * calls
    assert holder("check_private_key") == ret
    if ret:
        assert found == []
        return
    assert found[-1] == (SSL, p.ERR_R_PEM_LIB)
    if oldest == "decrypt":
        assert len(found) > 1
        assert BAD_PASSWORD_READ not in found
    else:
        assert found == [oldest, (SSL, p.ERR_R_PEM_LIB)]


# ---- CERT-18, CERT-20: callbacks on both sides ----------------------------

ALERT_80 = 1080


@clause("CERT-20", "HS-18")
@pytest.mark.parametrize("on", ["ctx", "ssl"])
def test_client_whose_certificate_callback_fails_says_internal_error(
    on: str,
) -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    if on == "ctx":
        p.SSL_CTX_set_cert_cb(client_ctx, lambda ssl, arg: 0)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    if on == "ssl":
        p.SSL_set_cert_cb(link.client, lambda ssl, arg: 0)
    link.step()

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert ssl_reasons() == [377]
    link.move()
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    assert ssl_reasons() == [ALERT_80]


@clause("CERT-20")
@pytest.mark.parametrize("asked", [True, False])
def test_client_is_asked_only_if_the_server_requests_a_certificate(
    asked: bool,
) -> None:
    client_ctx, server_ctx = make_contexts(client_auth=asked)
    calls: list[p.SSL] = []

    def note(ssl: p.SSL, arg: object) -> int:
        calls.append(ssl)
        return 1

    p.SSL_CTX_set_cert_cb(client_ctx, note)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    assert calls == [link.client] * asked


@clause("CERT-20", "CERT-18")
def test_general_callback_comes_first_and_may_make_the_other_needless() -> (
    None
):
    client_ctx, server_ctx = make_contexts()
    mode = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    p.SSL_CTX_set_verify(server_ctx, mode, None)
    assert p.SSL_CTX_load_verify_mem(server_ctx, LEAF.ca_pem) == 1

    def give(ssl: p.SSL, arg: object) -> int:
        assert p.SSL_use_certificate(ssl, cert(LEAF)) == 1
        return p.SSL_use_PrivateKey_ASN1(0, ssl, LEAF.key_der)

    p.SSL_CTX_set_cert_cb(client_ctx, give)
    p.SSL_CTX_set_client_cert_cb(client_ctx, lambda _: pytest.fail("asked"))
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    assert p.SSL_get_peer_certificate(link.server) == cert(LEAF)


@clause("CERT-18", "CERT-4")
def test_client_certificate_callback_with_a_pair_that_does_not_fit_fails() -> (
    None
):
    client_ctx, server_ctx = make_contexts()
    p.SSL_CTX_set_verify(server_ctx, p.SSL_VERIFY_PEER, None)
    pair = cert(LEAF), p.EVP_PKEY.from_der(OTHER.key_der)
    p.SSL_CTX_set_client_cert_cb(client_ctx, lambda _: (1, *pair))
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.step()

    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert MISMATCH[0] in reasons()
