"""SSL_set_SSL_CTX: CTX-5, mostly from the server name callback."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    new_ssl,
    reasons,
)
from tests.api.sessions import contexts, visit
from tests.api.test_ticket_key_cb import Keys, sealed
from tests.clauses import clause
from tests.pki import ca

VERSIONS = pytest.mark.parametrize(
    "version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION], ids=["1.2", "1.3"]
)


def other_ctx(kind: str = "rsa", **wishes: Any) -> p.SSL_CTX:
    """Make a server context with another certificate."""
    return make_contexts(kind=kind, **wishes)[1]


def switching(ctx: p.SSL_CTX, other: Any) -> None:
    """Let a server context pass on to another one by the name callback."""

    def on_name(ssl: p.SSL, alert: list[int], arg: object) -> int:
        assert p.SSL_set_SSL_CTX(ssl, other) is (other or ctx)
        return p.SSL_TLSEXT_ERR_OK

    assert p.SSL_CTX_set_tlsext_servername_callback(ctx, on_name) == 1


def shown(link: MemLink) -> bytes:
    """Give the certificate that the client got."""
    found = p.SSL_get_peer_certificate(link.client)
    assert found is not None
    return found.der


@VERSIONS
@clause("CTX-5", "SNI-3")
def test_certificate_of_the_other_context_is_shown(version: int) -> None:
    client, server = make_contexts(version=version)
    switching(server, other_ctx())
    link = MemLink(*make_ends(client, server))
    link.established()

    assert shown(link) == ca.leaf("rsa").cert_der
    link.send(link.server, b"from the other")


@VERSIONS
@clause("CTX-5")
def test_context_without_a_certificate_may_pass_on(version: int) -> None:
    client, _ = make_contexts(version=version)
    server = p.SSL_CTX(p.TLS_server_method())
    switching(server, other_ctx("p384"))
    link = MemLink(*make_ends(client, server))
    link.established()

    assert shown(link) == ca.leaf("p384").cert_der


@clause("CTX-5")
def test_answers_and_the_way_back() -> None:
    first, second, third = other_ctx("p256"), other_ctx(), other_ctx("p384")
    ssl = new_ssl(first)
    assert p.SSL_set_SSL_CTX(ssl, None) is first
    assert p.SSL_set_SSL_CTX(ssl, first) is first
    assert p.SSL_set_SSL_CTX(ssl, second) is second
    assert p.SSL_get_SSL_CTX(ssl) is second
    assert p.SSL_set_SSL_CTX(ssl, second) is second
    assert p.SSL_set_SSL_CTX(ssl, third) is third
    assert ssl.get_certificate().der == ca.leaf("p384").cert_der
    assert p.SSL_set_SSL_CTX(ssl, None) is first
    assert p.SSL_get_SSL_CTX(ssl) is first
    assert ssl.get_certificate().der == ca.leaf("p256").cert_der
    assert reasons() == []


@clause("CTX-5", "CV-2", "CV-3")
def test_wrong_contexts_are_refused() -> None:
    ssl = new_ssl(other_ctx())
    for bad in (7, "ctx", ssl, object()):
        with pytest.raises(TypeError):
            p.SSL_set_SSL_CTX(ssl, bad)  # type: ignore[arg-type]
    gone = other_ctx("p384")
    p.SSL_CTX_free(gone)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_set_SSL_CTX(ssl, gone)
    assert ssl.get_certificate().der == ca.leaf("rsa").cert_der


@clause("CTX-5")
def test_same_context_is_no_action() -> None:
    ctx = other_ctx("p256")
    ssl = new_ssl(ctx)
    assert ssl.use_certificate(p.X509.from_der(ca.leaf("p521").cert_der)) == 1
    assert p.SSL_set_SSL_CTX(ssl, ctx) is ctx
    assert ssl.get_certificate().der == ca.leaf("p521").cert_der


@VERSIONS
@clause("CTX-5")
def test_callbacks_of_the_other_context_are_called(version: int) -> None:
    client, server = make_contexts(version=version)
    other = other_ctx()
    said: list[str] = []
    for name, ctx in (("first", server), ("other", other)):

        def note(what: str, result: Any, name: str = name) -> Any:
            said.append(f"{name} {what}")
            return result

        p.SSL_CTX_set_alpn_select_cb(
            ctx, lambda *_, note=note: note("alpn", (0, b"h2"))
        )
        p.SSL_CTX_set_cert_cb(ctx, lambda *_, note=note: note("cert", 1))
        p.SSL_CTX_set_tlsext_status_cb(
            ctx, lambda *_, note=note: note("status", 3)
        )
    switching(server, other)
    assert p.SSL_CTX_set_alpn_protos(client, b"\x02h2") == 0
    assert p.SSL_CTX_set_tlsext_status_type(client, 1) == 1
    MemLink(*make_ends(client, server)).established()

    assert said == ["other cert", "other status", "other alpn"]


@VERSIONS
@clause("CTX-5")
def test_callbacks_are_gone_if_the_other_context_has_none(
    version: int,
) -> None:
    client, server = make_contexts(version=version)
    p.SSL_CTX_set_alpn_select_cb(server, lambda *_: (0, b"h2"))
    p.SSL_CTX_set_cert_cb(server, lambda *_: 0)
    switching(server, other_ctx())
    assert p.SSL_CTX_set_alpn_protos(client, b"\x02h2") == 0
    link = MemLink(*make_ends(client, server))
    link.established()

    assert p.SSL_get0_alpn_selected(link.client) == b""


@VERSIONS
@clause("CTX-5", "TKT-2", "SESS-11")
@pytest.mark.parametrize("holder", ["first", "other", "both"])
def test_tickets_stay_under_the_keys_of_the_first_context(
    version: int, holder: str
) -> None:
    client, server = contexts(version)
    other = other_ctx()
    assert p.SSL_CTX_set_session_id_context(other, b"tests") == 1
    first_keys, other_keys = Keys(), Keys()
    if holder != "other":
        p.SSL_CTX_set_tlsext_ticket_key_cb(server, first_keys)
    if holder != "first":
        p.SSL_CTX_set_tlsext_ticket_key_cb(other, other_keys)
    switching(server, other)
    session, _ = visit((client, server))
    wanted = sealed(version) if holder != "other" else []
    assert first_keys.drain() == wanted
    assert visit((client, server), session)[1]
    assert first_keys.drain()[:1] == ([0] if wanted else [])
    assert other_keys.calls == []
    assert reasons() == []


@clause("SNI-4", "CTX-5")
@pytest.mark.parametrize("own", [False, True])
def test_first_context_is_asked_for_the_name_if_the_other_cannot(
    own: bool,
) -> None:
    client, server = make_contexts()
    other = other_ctx()
    assert p.SSL_CTX_set1_groups_list(client, "X25519:P-384") == 1
    assert p.SSL_CTX_set1_groups_list(server, "P-384") == 1
    said: list[tuple[str, object]] = []

    def on_name(ssl: p.SSL, alert: list[int], arg: object) -> int:
        said.append(("first", arg))
        p.SSL_set_SSL_CTX(ssl, other)
        return 0

    def on_other(ssl: p.SSL, alert: list[int], arg: object) -> int:
        said.append(("other", arg))
        return 0

    p.SSL_CTX_set_tlsext_servername_callback(server, on_name)
    p.SSL_CTX_set_tlsext_servername_arg(server, 1)
    p.SSL_CTX_set_tlsext_servername_arg(other, 2)
    if own:
        p.SSL_CTX_set_tlsext_servername_callback(other, on_other)
    link = MemLink(*make_ends(client, server))
    link.established()  # with a retry, so each is asked once more

    assert link.client.hello_retried()
    assert said == [("first", 1), ("other", 2) if own else ("first", 1)]


@clause("CTX-5")
def test_what_is_the_connections_own_stays() -> None:
    first, other = other_ctx("p256"), other_ctx()
    for ctx in (first, other):
        p.SSL_CTX_set_options(ctx, 0)
    p.SSL_CTX_set_options(other, p.SSL_OP_NO_TICKET)
    p.SSL_CTX_set_mode(other, p.SSL_MODE_ENABLE_PARTIAL_WRITE)
    p.SSL_CTX_set_verify(other, p.SSL_VERIFY_PEER, None)
    p.SSL_CTX_set_min_proto_version(other, p.TLS1_3_VERSION)
    p.SSL_CTX_set_security_level(other, 3)
    p.SSL_CTX_set1_sigalgs_list(other, "rsa_pss_rsae_sha256")
    p.SSL_CTX_set_ciphersuites(other, "TLS_AES_128_GCM_SHA256")
    ssl = new_ssl(first)
    p.SSL_set_SSL_CTX(ssl, other)

    assert not p.SSL_get_options(ssl) & p.SSL_OP_NO_TICKET
    assert not p.SSL_get_mode(ssl) & p.SSL_MODE_ENABLE_PARTIAL_WRITE
    assert p.SSL_get_verify_mode(ssl) == 0
    assert p.SSL_get_min_proto_version(ssl) == 0
    assert p.SSL_get_ciphers(ssl)[0].get_name() == "TLS_AES_256_GCM_SHA384"
    # These go with the certificates.
    assert ssl.get_security_level() == 3
    assert ssl.get_sigalgs() == ["rsa_pss_rsae_sha256"]


@clause("CTX-5", "SESS-9")
@pytest.mark.parametrize("own", [False, True])
def test_names_and_id_context_come_along_unless_they_are_its_own(
    own: bool,
) -> None:
    first, other = other_ctx("p256"), other_ctx()
    names = [ca.leaf(kind).cert.subject.public_bytes() for kind in ("rsa",)]
    p.SSL_CTX_set_client_CA_list(other, names)
    ssl = new_ssl(first)
    mine = [ca.authority().cert.subject.public_bytes()]
    if own:
        p.SSL_set_client_CA_list(ssl, mine)
    p.SSL_set_accept_state(ssl)
    p.SSL_set_SSL_CTX(ssl, other)

    assert p.SSL_get_client_CA_list(ssl) == (mine if own else names)


@VERSIONS
@clause("CTX-5", "SESS-9")
def test_sessions_are_resumed_across_the_switch(version: int) -> None:
    client, server = contexts(version)
    other = contexts(version, kind="rsa")[1]
    switching(server, other)
    pair = (client, server)
    session, reused = visit(pair)
    assert not reused
    _, reused = visit(pair, session)

    assert reused
    stats = p.SSL_CTX_sess_accept_good
    assert (stats(server), stats(other)) == (2, 0)


@VERSIONS
@clause("CTX-5", "SESS-9")
def test_id_context_of_the_other_one_counts(version: int) -> None:
    client, server = contexts(version)
    other = contexts(version, kind="rsa")[1]
    assert p.SSL_CTX_set_session_id_context(other, b"another") == 1
    switching(server, other)
    session, _ = visit((client, server))
    p.SSL_CTX_set_tlsext_servername_callback(server, None)
    _, reused = visit((client, server), session)

    assert not reused


@VERSIONS
@clause("CTX-5")
def test_client_certificate_is_judged_by_the_trust_of_the_other(
    version: int,
) -> None:
    known = ca.authority(name="only the other knows me")
    mine = ca.leaf(issuer=known, key_label="client")
    client, server = make_contexts(
        version=version, client_auth=True, client=mine
    )
    other, stranger = other_ctx(), other_ctx("p384")
    assert p.SSL_CTX_load_verify_mem(other, mine.ca_pem) == 1
    empty = p.TrustStore()
    p.SSL_CTX_set_cert_store(server, empty)

    switching(server, other)
    MemLink(*make_ends(client, server)).established()
    switching(server, stranger)
    link = MemLink(*make_ends(client, server))
    link.handshake()
    why = link.server.report().reason
    assert why == p.SSL_R_CERTIFICATE_VERIFY_FAILED
    reasons()


@clause("CTX-5", "OWN-4")
def test_other_context_may_go_while_it_is_used() -> None:
    client, server = make_contexts()
    other = other_ctx()
    link = MemLink(*make_ends(client, server))
    p.SSL_set_SSL_CTX(link.server, other)
    del other
    link.established()
    assert shown(link) == ca.leaf("rsa").cert_der


@clause("CTX-5")
def test_client_may_change_its_context_too() -> None:
    link = connected()
    other = make_contexts()[0]
    assert p.SSL_set_SSL_CTX(link.client, other) is other
    link.send(link.client, b"as before")
