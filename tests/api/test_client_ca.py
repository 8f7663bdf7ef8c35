"""Names of CAs in certificate requests: contract section 6.16."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import MemLink, make_contexts, make_ends, reasons
from tests.api.opened import Capture
from tests.clauses import clause
from tests.forge import messages
from tests.pki import ca

ROOT = ca.authority()
MANY = [ca.authority(name=f"root {n}") for n in range(5)]
NO_START_LINE = (p.ERR_LIB_PEM, 108)


def cert(identity: ca.Identity) -> p.X509:
    return p.X509.from_der(identity.cert_der)


def name(identity: ca.Identity) -> bytes:
    """Give the subject, DER-encoded by another implementation."""
    return identity.cert.subject.public_bytes()


def names(identities: list[ca.Identity]) -> list[bytes]:
    return [name(one) for one in identities]


# ---- CCA-1: what the server says ------------------------------------------


@clause("CCA-1", "CCA-2", "RFC 8446 4.2.4")
@pytest.mark.parametrize(
    ("on_ctx", "on_ssl", "sent"),
    [
        (None, None, []),
        ([], None, []),
        (MANY, None, MANY),
        (MANY[::-1], None, MANY[::-1]),
        (None, [ROOT], [ROOT]),
        (MANY, [ROOT], [ROOT]),
        (MANY, [], []),
        ([ROOT, ROOT], None, [ROOT, ROOT]),
    ],
)
def test_list_of_the_connection_wins_and_is_sent_in_order(
    on_ctx: Optional[list[ca.Identity]],
    on_ssl: Optional[list[ca.Identity]],
    sent: list[ca.Identity],
) -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    if on_ctx is not None:
        p.SSL_CTX_set_client_CA_list(server_ctx, names(on_ctx))
    capture = Capture(client_ctx, server_ctx)
    if on_ssl is not None:
        certs = [cert(one) for one in on_ssl]
        p.SSL_set_client_CA_list(capture.link.server, certs)
    assert p.SSL_get_client_CA_list(capture.link.client) == []
    capture.run()

    found = p.SSL_get_client_CA_list(capture.link.client)
    assert found == names(sent)
    assert p.SSL_get_client_CA_list(capture.link.server) == names(sent)
    assert p.SSL_CTX_get_client_CA_list(server_ctx) == names(on_ctx or [])

    body = capture.message("server", messages.CERTIFICATE_REQUEST)
    request = messages.CertificateRequest.parse(body)
    if sent:
        wire = b"".join(messages.vec(2, one) for one in names(sent))
        got = request.get(messages.CERTIFICATE_AUTHORITIES)
        assert got == messages.vec(2, wire)
    else:
        assert not request.has(messages.CERTIFICATE_AUTHORITIES)


@clause("CCA-1", "CTX-3")
@pytest.mark.parametrize("kind", ["ctx", "ssl"])
def test_added_names_are_appended(kind: str) -> None:
    ctx = p.SSL_CTX(p.TLS_server_method())
    assert p.SSL_CTX_add_client_CA(ctx, cert(ROOT)) == 1
    it: Any = ctx if kind == "ctx" else p.SSL(ctx)
    add = p.SSL_CTX_add_client_CA if kind == "ctx" else p.SSL_add_client_CA
    for one in MANY:
        assert add(it, cert(one)) == 1

    assert it.get_client_CA_list() == names([ROOT, *MANY])
    added = MANY if kind == "ctx" else []
    assert ctx.get_client_CA_list() == names([ROOT, *added])
    assert reasons() == []


@clause("CCA-1")
@pytest.mark.parametrize("kind", ["ctx", "ssl"])
def test_nothing_to_add_is_refused_with_an_entry(kind: str) -> None:
    ctx = p.SSL_CTX(p.TLS_server_method())
    it: Any = ctx if kind == "ctx" else p.SSL(ctx)
    assert it.add_client_CA(cert(ROOT)) == 1

    assert it.add_client_CA(None) == 0

    assert len(reasons()) == 1
    assert it.get_client_CA_list() == [name(ROOT)]


@clause("CCA-1")
def test_name_that_no_longer_fits_is_refused_with_an_entry() -> None:
    ctx = p.SSL_CTX(p.TLS_server_method())
    big = [b"x" * 60000]
    p.SSL_CTX_set_client_CA_list(ctx, big)

    added = 0
    while p.SSL_CTX_add_client_CA(ctx, cert(ROOT)):
        added += 1
        assert added < 1000

    assert len(reasons()) == 1
    found = p.SSL_CTX_get_client_CA_list(ctx)
    assert found == big + [name(ROOT)] * added
    assert sum(2 + len(one) for one in found) <= 0xFFFF


@clause("CCA-1")
def test_list_given_back_is_a_copy() -> None:
    ctx = p.SSL_CTX(p.TLS_server_method())
    given = names(MANY)
    p.SSL_CTX_set_client_CA_list(ctx, given)
    given.clear()
    p.SSL_CTX_get_client_CA_list(ctx).clear()

    assert p.SSL_CTX_get_client_CA_list(ctx) == names(MANY)


# ---- CCA-2: what the client sees ------------------------------------------


@clause("CCA-2")
def test_client_that_is_not_asked_has_an_empty_list() -> None:
    client_ctx, server_ctx = make_contexts()
    p.SSL_CTX_set_client_CA_list(server_ctx, names(MANY))
    p.SSL_CTX_set_client_CA_list(client_ctx, [name(ROOT)])
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    assert p.SSL_get_client_CA_list(link.client) == []


@clause("CCA-2", "CERT-18", "CERT-20")
@pytest.mark.parametrize("hook", ["cert", "client cert"])
def test_callback_of_the_client_sees_the_names(hook: str) -> None:
    client_ctx, server_ctx = make_contexts()
    p.SSL_CTX_set_verify(server_ctx, p.SSL_VERIFY_PEER, None)
    p.SSL_CTX_set_client_CA_list(server_ctx, names(MANY))
    seen: list[list[bytes]] = []

    def look(ssl: p.SSL, *_: Any) -> int:
        seen.append(p.SSL_get_client_CA_list(ssl))
        return 1 if hook == "cert" else 0

    if hook == "cert":
        p.SSL_CTX_set_cert_cb(client_ctx, look)
    else:
        p.SSL_CTX_set_client_cert_cb(client_ctx, look)
    MemLink(*make_ends(client_ctx, server_ctx)).established()

    assert seen == [names(MANY)]


@clause("CCA-2")
def test_names_of_one_handshake_do_not_reach_the_next() -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)
    p.SSL_CTX_set_client_CA_list(server_ctx, names(MANY))
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert p.SSL_get_client_CA_list(link.client) == names(MANY)

    assert p.SSL_clear(link.client) == 1

    assert p.SSL_get_client_CA_list(link.client) == []


# ---- CCA-2: files ---------------------------------------------------------


@clause("CCA-1", "CCA-2")
def test_names_of_a_file_reach_the_client(tmp_path: Path) -> None:
    path = tmp_path / "cas.pem"
    path.write_bytes(b"# roots\n" + b"\n".join(one.cert_pem for one in MANY))
    client_ctx, server_ctx = make_contexts(client_auth=True)

    found = p.SSL_load_client_CA_file(path)
    assert found is not None
    p.SSL_CTX_set_client_CA_list(server_ctx, found)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    assert p.SSL_get_client_CA_list(link.client) == names(MANY)


@clause("CCA-2")
@pytest.mark.parametrize(
    ("content", "oldest"),
    [
        (None, (p.ERR_LIB_SYS, 2)),
        (b"", NO_START_LINE),
        (b"no certificate\n", NO_START_LINE),
        (ca.leaf().key_pem, NO_START_LINE),
        (ROOT.cert_pem[:150], (p.ERR_LIB_PEM, 102)),
    ],
)
def test_file_without_names_gives_none_and_the_cause_first(
    tmp_path: Path, content: Optional[bytes], oldest: tuple[int, int]
) -> None:
    path = tmp_path / "cas.pem"
    if content is not None:
        path.write_bytes(content)

    assert p.SSL_load_client_CA_file(path) is None
    assert reasons()[0] == oldest


@clause("CCA-2")
def test_file_names_each_subject_once(tmp_path: Path) -> None:
    path = tmp_path / "cas.pem"
    again = ca.authority("rsa", name="root 0")
    path.write_bytes(
        b"".join(one.cert_pem for one in (MANY[0], MANY[1], again, MANY[0]))
    )
    assert p.SSL_load_client_CA_file(path) == names(MANY[:2])
