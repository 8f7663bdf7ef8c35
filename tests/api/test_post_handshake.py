"""Authentication after the handshake: SSL_verify_client_post_handshake(3)."""

from __future__ import annotations

from typing import Any, Optional

import pytest

import pyssl as p
from tests.api.links import (
    RETRY_WRITE,
    Answer,
    MemLink,
    Outcome,
    PyLink,
    SockLink,
    connected,
    in_thread,
    make_contexts,
    make_ends,
    new_ssl,
    outcome,
    read,
    reasons,
    ssl_reasons,
    use_identity,
)
from tests.api.test_early_data import early_contexts, early_link
from tests.clauses import clause
from tests.pki import ca

PEER = p.SSL_VERIFY_PEER
DEMAND = PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
POST = p.SSL_VERIFY_POST_HANDSHAKE
WANT_READ: Outcome = (-1, 2)

NOT_SERVER, WRONG_VERSION, STILL_IN_INIT = 284, 266, 121
NOT_RECEIVED, REQUEST_SENT, INVALID_CONFIG = 279, 286, 283
UNCALLED = p.ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED

OURS = ca.leaf(key_label="client")


def contexts(
    mode: int = PEER | POST,
    own: Optional[ca.Identity] = OURS,
    offer: bool = True,
    **wishes: Any,
) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """Make contexts whose client may be asked later."""
    client_ctx, server_ctx = make_contexts(**wishes)
    if own is not None:
        use_identity(client_ctx, own)
    p.SSL_CTX_set_post_handshake_auth(client_ctx, int(offer))
    assert p.SSL_CTX_load_verify_mem(server_ctx, OURS.ca_pem) == 1
    p.SSL_CTX_set_verify(server_ctx, mode, None)
    return client_ctx, server_ctx


def linked(host: Optional[str] = "localhost", **wishes: Any) -> MemLink:
    """Complete a handshake without a client certificate."""
    link = MemLink(*make_ends(*contexts(**wishes), host=host))
    link.established()
    return link


def peer_of(server: p.SSL) -> Optional[bytes]:
    """Give the client's certificate as DER."""
    found = p.SSL_get_peer_certificate(server)
    return None if found is None else found.der


def ask(link: MemLink) -> None:
    """Send a request and let the client answer it."""
    assert p.SSL_verify_client_post_handshake(link.server) == 1, reasons()
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (1, 0)
    link.move()
    got = outcome(link.client, p.SSL_read(link.client, bytearray(9)))
    assert got == WANT_READ, reasons()
    link.move()


def take(link: MemLink) -> Outcome:
    """Let the server take the answer."""
    got = outcome(link.server, p.SSL_read(link.server, bytearray(9)))
    link.move()
    return got


# ---- the exchange ----------------------------------------------------------


@clause("VFY-1", "RFC 8446 4.6.2", "RFC 8446 4.2.6")
@pytest.mark.parametrize("kind", ca.KINDS)
@pytest.mark.parametrize("suite", ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384"])
def test_client_is_authenticated_on_the_open_connection(
    kind: str, suite: str
) -> None:
    ours = ca.leaf(kind, key_label="client")
    client_ctx, server_ctx = contexts(own=ours)
    assert p.SSL_CTX_load_verify_mem(server_ctx, ours.ca_pem) == 1
    assert p.SSL_CTX_set_ciphersuites(client_ctx, "TLS_" + suite) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert peer_of(link.server) is None

    ask(link)
    assert peer_of(link.server) is None
    assert take(link) == WANT_READ

    assert peer_of(link.server) == ours.cert_der
    assert p.SSL_get_verify_result(link.server) == p.X509_V_OK
    assert reasons() == []
    for ssl in (link.client, link.server):
        assert p.SSL_is_init_finished(ssl) == 1
        assert p.SSL_get_state(ssl) == 1
    link.send(link.client, b"after")
    link.send(link.server, b"all")


@clause("VFY-21", "RFC 8446 4.6.2")
def test_request_may_be_made_again_and_again() -> None:
    link = linked()
    for i in range(80):
        ask(link)
        assert take(link) == WANT_READ
        assert peer_of(link.server) == OURS.cert_der
        link.send(link.client, b"%d" % i)
        link.send(link.server, b"%d" % i)


@clause("RFC 8446 4.6.2", "RFC 8446 4.4.2")
@pytest.mark.parametrize("mode", [PEER, DEMAND])
def test_client_without_a_certificate_says_so(mode: int) -> None:
    link = linked(mode=mode | POST, own=None)
    ask(link)

    got = take(link)

    assert peer_of(link.server) is None
    if mode == PEER:
        assert got == WANT_READ
        link.send(link.client, b"unknown")
        return
    assert got == (-1, 1)
    assert ssl_reasons() == [199]
    assert link.server.report().alert_sent == 116
    got = outcome(link.client, p.SSL_read(link.client, bytearray(9)))
    assert got == (-1, 1)
    assert ssl_reasons() == [1116]


@clause("RFC 8446 4.6.2", "VFY-16")
def test_bad_certificate_ends_the_connection() -> None:
    link = linked(own=ca.leaf(expired=True, key_label="client"))
    ask(link)

    assert take(link) == (-1, 1)
    assert ssl_reasons() == [134]
    assert p.SSL_get_verify_result(link.server) == 10
    assert p.SSL_is_init_finished(link.server) == 0
    got = outcome(link.client, p.SSL_read(link.client, bytearray(9)))
    assert got == (-1, 1)
    assert ssl_reasons() == [1045]


@clause("RFC 8446 4.6.2", "VFY-3")
def test_verify_callback_judges_it() -> None:
    seen: list[tuple[int, int]] = []

    def judge(ok: int, ctx: p.X509_STORE_CTX) -> int:
        seen.append((ok, p.X509_STORE_CTX_get_error(ctx)))
        return 1

    client_ctx, server_ctx = contexts(
        own=ca.leaf(expired=True, key_label="client")
    )
    p.SSL_CTX_set_verify(server_ctx, PEER | POST, judge)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert seen == []
    ask(link)

    assert take(link) == WANT_READ
    assert (0, 10) in seen
    assert p.SSL_get_verify_result(link.server) == 10


@clause("RFC 8446 4.6.2", "VFY-20", "GE-14")
def test_verification_may_be_suspended_within_a_read() -> None:
    calls: list[int] = []

    def later(ctx: p.X509_STORE_CTX, arg: object) -> int:
        calls.append(1)
        index = p.SSL_get_ex_data_X509_STORE_CTX_idx()
        if len(calls) == 1:
            p.SSL_set_retry_verify(p.X509_STORE_CTX_get_ex_data(ctx, index))
        return 1

    client_ctx, server_ctx = contexts()
    p.SSL_CTX_set_cert_verify_callback(server_ctx, later, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    ask(link)

    assert take(link) == (-1, 12)
    assert p.SSL_in_init(link.server) == 1
    assert take(link) == WANT_READ
    assert len(calls) == 2
    assert peer_of(link.server) == OURS.cert_der


@clause("RFC 8446 4.6.2", "CERT-20", "GE-12")
def test_client_asks_its_certificate_callback_within_a_read() -> None:
    answers = [-1, 1]
    client_ctx, server_ctx = contexts(own=None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    def bring(ssl: p.SSL, arg: object) -> int:
        answer = answers.pop(0)
        if answer > 0:
            use_identity_of(ssl)
        return answer

    def use_identity_of(ssl: p.SSL) -> None:
        assert p.SSL_use_certificate_ASN1(ssl, OURS.cert_der) == 1
        assert p.SSL_use_PrivateKey_ASN1(0, ssl, OURS.key_der) == 1

    p.SSL_set_cert_cb(link.client, bring, None)
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert p.SSL_do_handshake(link.server) == 1
    link.move()
    buf = bytearray(9)
    assert outcome(link.client, p.SSL_read(link.client, buf)) == (-1, 4)
    assert outcome(link.client, p.SSL_write(link.client, b"x")) == (1, 0)
    assert answers == []
    link.move()

    assert read(link.server) == b"x"
    assert peer_of(link.server) == OURS.cert_der


@clause("RFC 8446 4.6.2", "VFY-14")
def test_new_answer_takes_the_place_of_the_old_one() -> None:
    other = ca.leaf("ed25519", key_label="other")
    client_ctx, server_ctx = contexts(mode=DEMAND)
    assert p.SSL_CTX_load_verify_mem(server_ctx, other.ca_pem) == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert peer_of(link.server) == OURS.cert_der
    assert p.SSL_use_certificate_ASN1(link.client, other.cert_der) == 1
    assert p.SSL_use_PrivateKey_ASN1(0, link.client, other.key_der) == 1
    schemes = "ed25519"
    assert p.SSL_set1_sigalgs_list(link.server, schemes) == 1

    ask(link)
    assert take(link) == WANT_READ

    assert peer_of(link.server) == other.cert_der
    assert p.SSL_get0_peer_signature_name(link.server) == "ed25519"


@clause("RFC 8446 4.6.2", "CCA-2")
def test_client_sees_the_names_that_the_server_asks_with() -> None:
    link = linked()
    root = p.X509.from_der(OURS.ca_der)
    assert p.SSL_add_client_CA(link.server, root) == 1
    ask(link)

    assert p.SSL_get_client_CA_list(link.client) == [root.subject_der]


# ---- data in between -------------------------------------------------------


@clause("VFY-21", "RFC 8446 4.6.2")
def test_data_may_pass_between_request_and_answer() -> None:
    link = linked()
    assert p.SSL_write(link.client, b"on its way") == 10
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    # Any call sends the request: here a write, which comes behind it.
    assert p.SSL_write(link.server, b"behind") == 6
    link.move()
    assert read(link.server) == b"on its way"
    assert p.SSL_write(link.client, b"unanswered yet") == 14
    link.move()
    assert read(link.server) == b"unanswered yet"
    assert read(link.client) == b"behind"
    assert p.SSL_write(link.client, b"answered") == 8
    link.move()
    assert read(link.server) == b"answered"
    assert peer_of(link.server) == OURS.cert_der


@clause("VFY-21", "RFC 8446 4.6.2")
@pytest.mark.parametrize("writing", [False, True])
def test_request_may_be_sent_while_data_are_half_read(writing: bool) -> None:
    link = linked()
    assert p.SSL_write(link.client, b"half read") == 9
    link.move()
    assert read(link.server, 5) == b"half "
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    if writing:
        assert p.SSL_write(link.server, b"x") == 1
    else:
        assert p.SSL_do_handshake(link.server) == 1
    link.move()
    p.SSL_read(link.client, bytearray(9))
    p.SSL_read(link.client, bytearray(9))
    link.move()
    assert read(link.server) == b"read"
    assert peer_of(link.server) is None
    assert take(link) == WANT_READ
    assert peer_of(link.server) == OURS.cert_der


@clause("RFC 8446 4.6.2", "RFC 8446 4.6.3")
def test_keys_may_change_between_request_and_answer() -> None:
    link = linked()
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert p.SSL_do_handshake(link.server) == 1
    for ssl in (link.client, link.server):
        assert p.SSL_key_update(ssl, p.SSL_KEY_UPDATE_REQUESTED) == 1
    assert p.SSL_write(link.client, b"new keys") == 8
    link.move()
    assert read(link.server) == b"new keys"
    assert p.SSL_write(link.server, b"new keys") == 8
    link.move()
    assert read(link.client) == b"new keys"
    assert p.SSL_write(link.client, b"done") == 4
    link.move()
    assert read(link.server) == b"done"
    assert peer_of(link.server) == OURS.cert_der


@clause("RFC 8446 4.6.2", "GE-7")
def test_every_split_of_request_and_answer() -> None:
    link = linked()
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert p.SSL_do_handshake(link.server) == 1
    for _ in range(4000):
        link.move(1)
        got = outcome(link.client, p.SSL_read(link.client, bytearray(9)))
        assert got == WANT_READ, reasons()
        got = outcome(link.server, p.SSL_read(link.server, bytearray(9)))
        assert got == WANT_READ, reasons()
        if peer_of(link.server) is not None:
            break
    assert peer_of(link.server) == OURS.cert_der


@clause("RFC 8446 4.6.2", "METH-1")
def test_exchange_over_bios_in_python() -> None:
    link = PyLink(*make_ends(*contexts()))
    link.established()
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    link.send(link.server, b"one")
    link.send(link.client, b"two")

    assert peer_of(link.server) == OURS.cert_der


@clause("RFC 8446 4.6.2", "GE-7", "RW-29")
def test_answer_that_does_not_fit_wants_to_write_within_a_read() -> None:
    link = PyLink(*make_ends(*contexts()))
    link.established()
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert p.SSL_do_handshake(link.server) == 1
    link.move()
    link.client_py.tell("write", Answer(flags=RETRY_WRITE))
    buf = bytearray(9)
    assert outcome(link.client, p.SSL_read(link.client, buf)) == (-1, 3)
    assert p.SSL_want_write(link.client) == 1
    assert outcome(link.client, p.SSL_read(link.client, buf)) == WANT_READ
    link.move()
    got = outcome(link.server, p.SSL_read(link.server, buf))
    assert got == WANT_READ
    assert peer_of(link.server) == OURS.cert_der


@clause("RFC 8446 4.6.2", "CV-8")
def test_reader_and_writer_may_both_meet_the_request() -> None:
    client_ctx, server_ctx = contexts()
    ends = make_ends(client_ctx, server_ctx)
    with SockLink(*ends) as link:
        assert link.handshake() == [(1, 0), (1, 0)]
        rounds = 20

        def serve() -> bytes:
            for _ in range(rounds):
                p.SSL_verify_client_post_handshake(link.server)
                assert p.SSL_write(link.server, b"ping") == 4
            p.ERR_clear_error()
            found = b""
            while not found.endswith(b"last"):
                found += read(link.server)
            return found

        def hear() -> bytes:
            found = b""
            while len(found) < rounds * 4:
                found += read(link.client)
            return found

        server, served = in_thread(serve)
        reader, heard = in_thread(hear)
        for _ in range(rounds):
            assert p.SSL_write(link.client, b"pong") == 4, reasons()
        reader.join(30)
        assert heard == [b"ping" * rounds]
        # By now every request that was made is answered.
        assert p.SSL_write(link.client, b"last") == 4, reasons()
        server.join(30)
        assert served == [b"pong" * rounds + b"last"]
    assert peer_of(link.server) == OURS.cert_der


# ---- sessions --------------------------------------------------------------


@clause("RFC 8446 4.6.1", "RFC 8446 4.6.2", "SESS-3", "VFY-13")
def test_tickets_behind_the_answer_know_the_client() -> None:
    client_ctx, server_ctx = contexts()
    assert p.SSL_CTX_set_session_id_context(server_ctx, b"here") == 1
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    link.send(link.server, b"tickets")
    ask(link)
    assert take(link) == WANT_READ
    link.send(link.server, b"more tickets")
    session = p.SSL_get1_session(link.client)

    again = MemLink(*make_ends(client_ctx, server_ctx))
    assert p.SSL_set_session(again.client, session) == 1
    again.established()

    assert p.SSL_session_reused(again.server) == 1
    assert peer_of(again.server) == OURS.cert_der
    ask(again)
    assert take(again) == WANT_READ
    assert peer_of(again.server) == OURS.cert_der


@clause("SESS-13", "RFC 8446 4.6.2")
def test_counters_count_handshakes_only_and_once() -> None:
    client_ctx, server_ctx = contexts()
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    assert p.SSL_do_handshake(link.client) == 1
    assert p.SSL_do_handshake(link.server) == 1
    ask(link)
    take(link)

    assert p.SSL_CTX_sess_accept(server_ctx) == 1
    assert p.SSL_CTX_sess_accept_good(server_ctx) == 1
    assert p.SSL_CTX_sess_connect(client_ctx) == 1
    assert p.SSL_CTX_sess_connect_good(client_ctx) == 1
    assert p.SSL_CTX_sess_hits(server_ctx) == 0


# ---- when it is refused ----------------------------------------------------


def refusal(ssl: p.SSL) -> list[int]:
    """Ask where it cannot be; give the reasons."""
    assert p.SSL_verify_client_post_handshake(ssl) == 0
    return ssl_reasons()


@clause("VFY-21", "CV-2")
def test_request_is_refused_with_the_pages_reasons() -> None:
    assert refusal(linked(version=p.TLS1_2_VERSION).server) == [WRONG_VERSION]
    assert refusal(new_ssl(contexts()[1])) == [WRONG_VERSION]
    assert refusal(linked(offer=False).server) == [NOT_RECEIVED]
    assert refusal(linked(mode=POST).server) == [INVALID_CONFIG]
    link = linked()
    assert refusal(link.client) == [NOT_SERVER]
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert refusal(link.server) == [STILL_IN_INIT]
    assert p.SSL_in_init(link.server) == 1
    assert p.SSL_do_handshake(link.server) == 1
    assert p.SSL_in_init(link.server) == 0
    assert refusal(link.server) == [REQUEST_SENT]
    link.move()
    p.SSL_read(link.client, bytearray(9))
    link.move()
    assert take(link) == WANT_READ
    assert p.SSL_verify_client_post_handshake(link.server) == 1


@clause("VFY-21")
def test_request_while_the_handshake_runs_is_refused() -> None:
    link = MemLink(*make_ends(*contexts()))
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)

    assert refusal(link.server) == [STILL_IN_INIT]
    link.established()


@clause("VFY-1", "VFY-21")
def test_client_once_asks_once_in_a_connection() -> None:
    once = p.SSL_VERIFY_CLIENT_ONCE
    link = linked(mode=PEER | POST | once)
    ask(link)
    assert take(link) == WANT_READ
    assert refusal(link.server) == [INVALID_CONFIG]

    link = linked(mode=PEER | once)
    assert peer_of(link.server) == OURS.cert_der
    assert refusal(link.server) == [INVALID_CONFIG]


@clause("VFY-1")
@pytest.mark.parametrize("mode", [PEER, DEMAND])
def test_mode_post_handshake_asks_in_a_handshake_of_tls12(mode: int) -> None:
    link = linked(mode=mode | POST, version=p.TLS1_2_VERSION)

    assert peer_of(link.server) == OURS.cert_der


@clause("RFC 8446 4.2.6")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
def test_offer_is_the_clients_and_switched_by_either(holder: str) -> None:
    client_ctx, server_ctx = contexts(offer=holder == "ssl")
    client, server = make_ends(client_ctx, server_ctx)
    if holder == "ctx":
        p.SSL_CTX_set_post_handshake_auth(client_ctx, 1)
        client, _ = make_ends(client_ctx, server_ctx)
    else:
        p.SSL_set_post_handshake_auth(client, 0)
    link = MemLink(client, server)
    link.established()

    if holder == "ctx":
        assert p.SSL_verify_client_post_handshake(server) == 1
    else:
        assert refusal(server) == [NOT_RECEIVED]
    with pytest.raises(TypeError):
        p.SSL_set_post_handshake_auth(client, "yes")  # type: ignore[arg-type]


@clause("VFY-1", "VFY-21")
def test_mode_post_handshake_of_a_client_is_an_offer() -> None:
    client_ctx, server_ctx = contexts(offer=False)
    p.SSL_CTX_set_verify(client_ctx, PEER | POST, None)
    client, server = make_ends(client_ctx, server_ctx)
    MemLink(client, server).established()

    assert p.SSL_verify_client_post_handshake(server) == 1


# ---- the end of the connection ---------------------------------------------


@clause("RFC 8446 6.1", "SD-5")
def test_request_that_meets_our_close_is_passed_over() -> None:
    link = linked()
    assert p.SSL_shutdown(link.client) == 0
    ask_only(link)
    got = outcome(link.client, p.SSL_read(link.client, bytearray(9)))
    assert got == WANT_READ
    link.move()
    buf = bytearray(9)
    assert outcome(link.server, p.SSL_read(link.server, buf)) == (0, 6)
    assert p.SSL_shutdown(link.server) == 1
    link.move()
    assert p.SSL_shutdown(link.client) == 1
    assert reasons() == []


def ask_only(link: MemLink) -> None:
    """Send a request."""
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert p.SSL_do_handshake(link.server) == 1
    link.move()


@clause("RFC 8446 6.1", "SD-5")
def test_answer_that_meets_our_close_is_passed_over() -> None:
    link = linked()
    ask_only(link)
    got = outcome(link.client, p.SSL_read(link.client, bytearray(9)))
    assert got == WANT_READ
    assert p.SSL_shutdown(link.server) == 0
    assert refusal(link.server) == [207]
    link.move()
    assert outcome(link.server, p.SSL_shutdown(link.server)) == (-1, 2)
    assert peer_of(link.server) is None
    assert p.SSL_read(link.client, bytearray(9)) == 0
    assert p.SSL_shutdown(link.client) == 1
    link.move()
    assert p.SSL_shutdown(link.server) == 1
    assert reasons() == []


@clause("SD-9")
def test_close_waits_for_a_request_that_is_still_to_be_sent() -> None:
    link = linked()
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert outcome(link.server, p.SSL_shutdown(link.server)) == (-1, 1)
    assert ssl_reasons() == [407]
    assert p.SSL_do_handshake(link.server) == 1
    assert p.SSL_shutdown(link.server) == 0


@clause("RFC 8446 6.1", "SD-4")
def test_client_that_has_closed_is_not_asked() -> None:
    link = linked()
    assert p.SSL_shutdown(link.client) == 0
    link.move()
    assert p.SSL_read(link.server, bytearray(9)) == 0
    assert refusal(link.server) == [207]
    link.send(link.server, b"goes on")
    assert p.SSL_shutdown(link.server) == 1


@clause("ED-2", "VFY-21")
def test_early_data_calls_while_a_request_is_pending_do_nothing() -> None:
    pair = early_contexts()
    p.SSL_CTX_set_post_handshake_auth(pair[0], 1)
    use_identity(pair[0], OURS)
    assert p.SSL_CTX_load_verify_mem(pair[1], OURS.ca_pem) == 1
    p.SSL_CTX_set_verify(pair[1], PEER | POST, None)
    link = early_link(pair)
    assert p.SSL_write_early_data(link.client, b"early") == (1, 5)
    link.move()
    buf = bytearray(9)
    assert p.SSL_read_early_data(link.server, buf) == (1, 5)
    assert p.SSL_write_early_data(link.server, b"at once") == (1, 7)
    link.established()
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    assert p.SSL_write_early_data(link.server, b"x") == (0, 0)
    assert reasons() == [(p.ERR_LIB_SSL, UNCALLED)]
    assert p.SSL_read_early_data(link.server, buf) == (0, 0)
    assert reasons() == [(p.ERR_LIB_SSL, UNCALLED)]
    assert p.SSL_do_handshake(link.server) == 1
    link.move()
    assert read(link.client) == b"at once"
    got = outcome(link.client, p.SSL_read(link.client, buf))
    assert got == WANT_READ
    link.move()
    assert take(link) == WANT_READ
    assert peer_of(link.server) == OURS.cert_der


@clause("CTX-4")
@pytest.mark.parametrize("when", ["pending", "sent", "answered", "half"])
def test_object_may_go_at_any_moment(when: str) -> None:
    link = linked()
    assert p.SSL_verify_client_post_handshake(link.server) == 1
    if when != "pending":
        assert p.SSL_do_handshake(link.server) == 1
        link.move()
    if when in ("answered", "half"):
        p.SSL_read(link.client, bytearray(9))
        link.move(40 if when == "half" else None)
        p.SSL_read(link.server, bytearray(9))
    assert p.SSL_clear(link.client) == 1
    assert p.SSL_clear(link.server) == 1
    link.attach()
    link.established()
    ask(link)
    assert take(link) == WANT_READ
    p.SSL_free(link.client)
    p.SSL_free(link.server)


@clause("HS-19")
def test_nothing_is_asked_of_a_connection_that_does_not_want_it() -> None:
    link = connected()
    assert refusal(link.server) == [NOT_RECEIVED]
    link.send(link.client, b"unharmed")
