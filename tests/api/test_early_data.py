"""Early data: contract section 6.10, RFC 8446 2.3, 4.2.10, 8."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api import links
from tests.api.links import MemLink, outcome, reasons, ssl_reasons
from tests.api.sessions import TLS12, TLS13, contexts, link_of, visit
from tests.clauses import clause

SUCCESS, FINISH = (
    p.SSL_READ_EARLY_DATA_SUCCESS,
    p.SSL_READ_EARLY_DATA_FINISH,
)
ERROR = p.SSL_READ_EARLY_DATA_ERROR
NOT_SENT, REJECTED, ACCEPTED = 0, 1, 2
UNCALLED = p.ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED
TOO_MUCH = p.SSL_R_TOO_MUCH_EARLY_DATA
LIMIT = 1000
WANT_READ = p.SSL_ERROR_WANT_READ
Contexts = tuple[p.SSL_CTX, p.SSL_CTX]


def early_contexts(limit: int = LIMIT, **wishes: Any) -> Contexts:
    """Make contexts whose server's tickets allow early data."""
    pair = contexts(TLS13, **wishes)
    assert p.SSL_CTX_set_max_early_data(pair[1], limit) == 1
    return pair


def early_link(
    pair: Optional[Contexts] = None, session: Optional[p.SSL_SESSION] = None
) -> MemLink:
    """Make a link whose client may send early data.

    Its session is a copy: a client uses up what it has offered.
    """
    pair = pair or early_contexts()
    return link_of(pair, p.SSL_SESSION_dup(session or visit(pair)[0]))


def write(ssl: p.SSL, data: bytes) -> tuple[int, int, int]:
    """Write early data: result, bytes, SSL_get_error."""
    ret, n = p.SSL_write_early_data(ssl, data)
    return ret, n, p.SSL_get_error(ssl, ret)


def read(ssl: p.SSL, size: int = 16384) -> tuple[int, bytes, int]:
    """Read early data: result, data, SSL_get_error of an error."""
    buf = bytearray(size)
    ret, n = p.SSL_read_early_data(ssl, buf)
    return ret, bytes(buf[:n]), p.SSL_get_error(ssl, ret) if ret == 0 else 0


def status(link: MemLink) -> tuple[int, int]:
    """Give what client and server say about the early data."""
    return (
        p.SSL_get_early_data_status(link.client),
        p.SSL_get_early_data_status(link.server),
    )


def complete(link: MemLink) -> None:
    """Complete the handshake from where it is, and use the connection."""
    link.established()
    link.send(link.client, b"client's")
    link.send(link.server, b"server's")
    assert reasons() == []


def offer(link: MemLink, data: bytes = b"early") -> tuple[int, bytes, int]:
    """Send early data and let the server read once."""
    assert write(link.client, data) == (1, len(data), 0), reasons()
    link.move()
    return read(link.server)


def refused(link: MemLink) -> None:
    """The server passes over what the client sends; all else works."""
    assert offer(link) == (FINISH, b"", 0), reasons()
    link.move()
    complete(link)
    assert status(link) == (REJECTED, REJECTED)


# ---- limits ----------------------------------------------------------------

SETTERS = [
    (p.SSL_CTX_set_max_early_data, p.SSL_CTX_get_max_early_data, True, 0),
    (p.SSL_set_max_early_data, p.SSL_get_max_early_data, False, 0),
    (
        p.SSL_CTX_set_recv_max_early_data,
        p.SSL_CTX_get_recv_max_early_data,
        True,
        16384,
    ),
    (
        p.SSL_set_recv_max_early_data,
        p.SSL_get_recv_max_early_data,
        False,
        16384,
    ),
]


@clause("ED-1")
@pytest.mark.parametrize(("put", "get", "of_ctx", "default"), SETTERS)
def test_limits_have_defaults_and_are_set(
    put: Callable[..., int],
    get: Callable[..., int],
    of_ctx: bool,
    default: int,
) -> None:
    ctx = p.SSL_CTX()
    holder = ctx if of_ctx else p.SSL(ctx)

    assert get(holder) == default
    for value in (1, 0, 2**32 - 1):
        assert put(holder, value) == 1
        assert get(holder) == value
    for wrong in (-1, 2**32):
        with pytest.raises(ValueError, match="early data"):
            put(holder, wrong)
    with pytest.raises(TypeError):
        put(holder, "many")
    assert get(holder) == 2**32 - 1


@clause("ED-1", "RFC 8446 4.6.1")
@pytest.mark.parametrize("limit", [0, 1, 16384, 2**32 - 1])
def test_limit_of_the_server_is_found_in_the_session(limit: int) -> None:
    session, _ = visit(early_contexts(limit))

    assert p.SSL_SESSION_get_max_early_data(session) == limit
    der = p.i2d_SSL_SESSION(session)
    again = p.d2i_SSL_SESSION(der)
    assert p.SSL_SESSION_get_max_early_data(again) == limit


@clause("ED-1")
def test_limit_of_a_session_can_be_set() -> None:
    session = p.SSL_SESSION_new()
    assert p.SSL_SESSION_get_max_early_data(session) == 0
    assert p.SSL_SESSION_set_max_early_data(session, 77) == 1
    assert p.SSL_SESSION_get_max_early_data(session) == 77
    assert p.SSL_SESSION_set_max_early_data(session, 2**32) == 0
    assert p.SSL_SESSION_set_max_early_data(session, -1) == 0


# ---- accepted --------------------------------------------------------------


@clause("ED-2", "ED-3", "ED-4", "ED-5", "HS-47", "RFC 8446 2.3")
def test_early_data_is_read_and_answered_before_the_end() -> None:
    link = early_link()
    client, server = link.client, link.server
    assert status(link) == (NOT_SENT, NOT_SENT)

    assert write(client, b"first") == (1, 5, 0)
    assert p.SSL_state_string(client) == "TED"
    assert status(link) == (REJECTED, NOT_SENT)
    assert p.SSL_in_init(client)
    assert not p.SSL_is_init_finished(client)
    assert write(client, b"second") == (1, 6, 0)
    assert outcome(client, p.SSL_do_handshake(client)) == (-1, WANT_READ)
    assert write(client, b"third") == (1, 5, 0)
    link.move()

    assert read(server, 2) == (SUCCESS, b"fi", 0)
    assert p.SSL_pending(server) == 3
    assert [read(server)[1] for _ in range(3)] == [b"rst", b"second", b"third"]
    assert read(server) == (ERROR, b"", WANT_READ)
    assert p.SSL_in_init(server)
    assert p.SSL_state_string(server) == "TED"
    assert write(server, b"half") == (1, 4, 0)
    link.move()

    assert outcome(client, p.SSL_do_handshake(client)) == (1, 0)
    assert status(link) == (ACCEPTED, ACCEPTED)
    assert links.read(client) == b"half"
    link.move()
    assert read(server) == (FINISH, b"", 0)
    assert not p.SSL_is_init_finished(server)
    assert write(server, b"more") == (1, 4, 0)
    assert outcome(server, p.SSL_do_handshake(server)) == (1, 0)
    assert write(server, b"after") == (1, 5, 0)
    link.move()
    assert links.read(client) == b"more"
    assert links.read(client) == b"after"
    complete(link)
    assert p.SSL_session_reused(client) == p.SSL_session_reused(server) == 1
    assert status(link) == (ACCEPTED, ACCEPTED)


@clause("ED-2", "ED-3")
def test_early_data_of_no_bytes_sends_the_offer_alone() -> None:
    link = early_link()
    assert write(link.client, b"") == (1, 0, 0)
    link.move()
    assert read(link.server) == (ERROR, b"", WANT_READ)
    assert p.SSL_get_early_data_status(link.server) == ACCEPTED
    assert p.SSL_do_handshake(link.client) == -1
    link.move()
    assert p.SSL_do_handshake(link.client) == 1
    link.move()
    assert read(link.server) == (FINISH, b"", 0)
    complete(link)


@clause("ED-2", "ED-3")
def test_early_data_of_many_records_arrives_whole() -> None:
    pair = early_contexts(60000)
    p.SSL_CTX_set_recv_max_early_data(pair[1], 60000)
    p.SSL_CTX_set_mode(pair[0], p.SSL_MODE_ENABLE_PARTIAL_WRITE)
    link = early_link(pair)
    data = bytes(range(250)) * 240

    assert write(link.client, data) == (1, 60000, 0)
    link.move()
    got = b""
    while len(got) < len(data):
        ret, part, _ = read(link.server, 10000)
        assert ret == SUCCESS, reasons()
        got += part
    assert got == data
    link.move()
    assert p.SSL_do_handshake(link.client) == 1
    link.move()
    assert read(link.server)[0] == FINISH
    complete(link)


@clause("ED-2")
def test_server_without_early_data_may_write_before_the_end() -> None:
    link = link_of(early_contexts())
    assert p.SSL_do_handshake(link.client) == -1
    link.move()
    assert read(link.server) == (FINISH, b"", 0)
    assert write(link.server, b"half") == (1, 4, 0)
    link.move()
    assert p.SSL_do_handshake(link.client) == 1
    assert links.read(link.client) == b"half"
    link.move()
    complete(link)
    assert status(link) == (NOT_SENT, NOT_SENT)


@clause("ED-3", "ED-4")
def test_server_that_began_with_read_early_data_may_go_on_with_more() -> None:
    link = early_link()
    assert read(link.server) == (ERROR, b"", WANT_READ)
    assert p.SSL_do_handshake(link.server) == -1
    assert offer(link) == (SUCCESS, b"early", 0)


@clause("ED-3")
def test_server_meeting_tls12_reads_none_and_completes() -> None:
    pair = contexts(0)
    p.SSL_CTX_set_max_early_data(pair[1], LIMIT)
    p.SSL_CTX_set_max_proto_version(pair[0], TLS12)
    link = link_of(pair)
    assert p.SSL_do_handshake(link.client) == -1
    link.move()
    assert read(link.server) == (ERROR, b"", WANT_READ)
    link.move()
    assert p.SSL_do_handshake(link.client) == -1
    link.move()
    assert read(link.server) == (FINISH, b"", 0)
    assert p.SSL_is_init_finished(link.server)
    assert p.SSL_CTX_sess_accept_good(pair[1]) == 1
    link.move()
    complete(link)


@clause("ED-2", "ED-4")
@pytest.mark.parametrize("size", [1, 7, 600])
def test_early_data_over_a_narrow_pair_is_repeated(size: int) -> None:
    link = early_link()
    # The answer fits, so that the client need not read while it writes.
    mine, theirs = p.BIO_new_bio_pair(size, 4096)
    assert mine is not None
    assert theirs is not None
    p.SSL_set_bio(link.client, mine, mine)
    p.SSL_set_bio(link.server, theirs, theirs)
    data = b"e" * LIMIT
    got = b""
    written = ended = False
    for _ in range(20000):
        if not written:
            ret, n, code = write(link.client, data)
            written = ret == 1
            assert (n, code) == ((LIMIT, 0) if written else (0, 3))
        if not ended:
            ret, part, code = read(link.server)
            got += part
            ended = ret == FINISH
            assert ret != ERROR or code in (2, 3), reasons()
        if written:
            p.SSL_do_handshake(link.client)
        if ended:
            break
    assert got == data
    for _ in range(20000):
        done = p.SSL_do_handshake(link.client), p.SSL_do_handshake(link.server)
        if done == (1, 1):
            break
    assert done == (1, 1)
    assert status(link) == (ACCEPTED, ACCEPTED)


@clause("ED-2", "ED-3")
def test_early_data_goes_through_bios_of_python() -> None:
    made = early_link()
    link = links.PyLink(made.client, made.server)
    assert write(link.client, b"early") == (1, 5, 0)
    link.move()
    assert read(link.server) == (SUCCESS, b"early", 0)
    assert write(link.server, b"half") == (1, 4, 0)
    link.move()
    assert p.SSL_do_handshake(link.client) == 1
    assert links.read(link.client) == b"half"
    link.move()
    assert read(link.server) == (FINISH, b"", 0)
    assert p.SSL_do_handshake(link.server) == 1


@clause("RFC 8446 2.3", "ED-2")
def test_early_data_follows_the_hello_at_once() -> None:
    link = early_link()
    assert write(link.client, b"early") == (1, 5, 0)
    sent = links.take(link.client_out)
    kinds, sizes = [], []
    while sent:
        size = int.from_bytes(sent[3:5], "big")
        kinds.append(sent[0])
        sizes.append(size)
        sent = sent[5 + size :]
    # ClientHello, change_cipher_spec (RFC 8446 D.4), early data.
    assert kinds == [22, 20, 23]
    assert sizes[2] == 5 + 1 + 16


# ---- refused ---------------------------------------------------------------


@clause("ED-5", "RFC 8446 4.2.10")
def test_server_that_only_shakes_hands_passes_over_early_data() -> None:
    link = early_link()
    assert write(link.client, b"one") == (1, 3, 0)
    assert write(link.client, b"two") == (1, 3, 0)
    link.move()
    complete(link)
    assert status(link) == (REJECTED, REJECTED)
    assert p.SSL_session_reused(link.client) == 1


@clause("ED-5", "RFC 8446 4.2.10")
def test_server_that_allows_none_any_more_refuses() -> None:
    pair = early_contexts()
    session, _ = visit(pair)
    p.SSL_CTX_set_max_early_data(pair[1], 0)
    refused(early_link(pair, session))


@clause("ED-5", "RFC 8446 4.1.4", "RFC 8446 4.2.10")
@pytest.mark.parametrize("size", [5, LIMIT])
def test_server_that_asks_for_another_group_refuses(size: int) -> None:
    pair = early_contexts(16384)
    session, _ = visit(pair)
    assert p.SSL_CTX_set1_groups_list(pair[1], "P-384") == 1
    link = early_link(pair, session)
    assert write(link.client, b"e" * size) == (1, size, 0)
    link.move()
    assert read(link.server) == (ERROR, b"", WANT_READ)
    link.move()
    assert p.SSL_do_handshake(link.client) == -1
    assert write(link.client, b"late") == (0, 0, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [UNCALLED]
    link.move()
    assert read(link.server) == (FINISH, b"", 0)
    link.move()
    complete(link)
    assert status(link) == (REJECTED, REJECTED)


@clause("ED-5", "RFC 8446 4.2.10")
def test_server_that_has_lost_the_ticket_key_refuses() -> None:
    pair = early_contexts()
    session, _ = visit(pair)
    assert p.SSL_CTX_set_tlsext_ticket_keys(pair[1], bytes(80)) == 1
    link = early_link(pair, session)
    refused(link)
    assert p.SSL_session_reused(link.client) == 0


@clause("ED-5", "RFC 8446 4.2.10")
def test_server_that_prefers_another_suite_refuses() -> None:
    pair = early_contexts()
    p.SSL_CTX_set_ciphersuites(pair[1], "TLS_AES_128_GCM_SHA256")
    session, _ = visit(pair)
    p.SSL_CTX_set_ciphersuites(pair[1], "TLS_CHACHA20_POLY1305_SHA256")
    link = early_link(pair, session)
    refused(link)
    assert p.SSL_session_reused(link.client) == 1


def choosing(*names: bytes) -> Callable[..., Any]:
    """Give an ALPN callback that chooses one name after the other."""
    left = list(names)
    return lambda *_: (p.SSL_TLSEXT_ERR_OK, left.pop(0))


@clause("RFC 8446 4.2.10")
@pytest.mark.parametrize("second", [b"h2", b"other"])
def test_server_that_chooses_another_protocol_refuses(second: bytes) -> None:
    pair = early_contexts()
    p.SSL_CTX_set_alpn_protos(pair[0], b"\x02h2\x05other")
    p.SSL_CTX_set_alpn_select_cb(pair[1], choosing(b"h2", second))
    link = early_link(pair)
    if second != b"h2":
        refused(link)
    else:
        assert offer(link) == (SUCCESS, b"early", 0)


@clause("RFC 8446 8.3", "RFC 8446 4.2.10")
@pytest.mark.parametrize("off", [-10002, -9000, 9000, 10001])
def test_server_judges_the_age_of_the_ticket(off: int) -> None:
    now = int(time.time() * 1000)
    lib.pys_test_set_now(now)
    pair = early_contexts()
    session, _ = visit(pair)
    lib.pys_test_set_now(now + 60000)
    link = early_link(pair, session)
    assert write(link.client, b"early") == (1, 5, 0)
    link.move()
    lib.pys_test_set_now(now + 60000 + off)
    ret = read(link.server)[0]
    assert ret == (SUCCESS if abs(off) < 10000 else FINISH)


@clause("ED-2", "ED-5", "RW-20")
@pytest.mark.parametrize("accept", [True, False])
def test_early_data_cut_short_and_given_up_harms_nothing(accept: bool) -> None:
    link = early_link(early_contexts(60000))
    mine, theirs = p.BIO_new_bio_pair(4000, 4096)
    assert mine is not None
    assert theirs is not None
    p.SSL_set_bio(link.client, mine, mine)
    p.SSL_set_bio(link.server, theirs, theirs)
    data = b"e" * 16000
    p.SSL_set_recv_max_early_data(link.server, 60000)
    assert write(link.client, data) == (0, 0, p.SSL_ERROR_WANT_WRITE)
    got = b""
    ended = not accept
    for _ in range(100):
        if not ended:
            ret, part, _ = read(link.server)
            ended = ret == FINISH
            got += part
        done = p.SSL_do_handshake(link.client)
        if ended and done == p.SSL_do_handshake(link.server) == 1:
            break
    assert done == 1, reasons()
    assert got == (data if accept else b"")
    assert status(link) == ((ACCEPTED,) * 2 if accept else (REJECTED,) * 2)
    for ssl, peer in (
        (link.client, link.server),
        (link.server, link.client),
    ):
        assert p.SSL_write(ssl, b"something else") == 14, reasons()
        assert links.read(peer) == b"something else"


@clause("ED-3", "GE-13")
def test_hello_callback_may_suspend_a_server_that_reads_early_data() -> None:
    pair = early_contexts()
    session, _ = visit(pair)
    answers = [-1, -1, 1]
    p.SSL_CTX_set_client_hello_cb(pair[1], lambda *_: answers.pop(0))
    link = early_link(pair, session)
    wait = p.SSL_ERROR_WANT_CLIENT_HELLO_CB
    assert offer(link) == (ERROR, b"", wait)
    assert read(link.server) == (ERROR, b"", wait)
    assert read(link.server) == (SUCCESS, b"early", 0)


@clause("RFC 8446 D.3", "RFC 8446 4.2.10")
def test_server_of_tls12_given_early_data_passes_over_nothing() -> None:
    pair = early_contexts()
    session, _ = visit(pair)
    for change in (
        p.SSL_CTX_set_min_proto_version,
        p.SSL_CTX_set_max_proto_version,
    ):
        assert change(pair[1], TLS12) == 1
    p.SSL_CTX_set_min_proto_version(pair[0], TLS12)
    link = early_link(pair, session)
    assert write(link.client, b"early") == (1, 5, 0)
    link.move()
    got = outcome(link.server, p.SSL_do_handshake(link.server))
    assert got == (-1, p.SSL_ERROR_SSL)
    assert link.server.report().alert_sent == 10
    link.move()
    got = outcome(link.client, p.SSL_do_handshake(link.client))
    assert got == (-1, p.SSL_ERROR_SSL)
    assert link.client.report().alert_sent == p.SSL_AD_PROTOCOL_VERSION


@clause("RFC 8446 4.2.11.1", "RFC 8446 8.3")
def test_client_never_thinks_a_ticket_older_than_the_server_does() -> None:
    # Its clock is cut to milliseconds twice, so it may be one too many; a
    # server may refuse what was used before it was made.
    now = int(time.time() * 1000)
    lib.pys_test_set_now(now)
    pair = early_contexts()
    session, _ = visit(pair)
    ticket = p.SSL_SESSION_get0_ticket(session)
    assert ticket

    def offered(after: int) -> int:
        lib.pys_test_set_now(now + after)
        link = early_link(pair, session)
        assert write(link.client, b"") == (1, 0, 0)
        hello = links.take(p.SSL_get_wbio(link.client))
        at = hello.index(ticket) + len(ticket)
        return int.from_bytes(hello[at : at + 4], "big")

    first = offered(0)
    ages = [(offered(after) - first) % 2**32 for after in (1, 2, 5000)]
    assert ages == [0, 1, 4999]


# ---- over the limit --------------------------------------------------------


@clause("ED-6")
@pytest.mark.parametrize("first", [0, 1, LIMIT])
def test_client_that_writes_too_much_fails(first: int) -> None:
    link = early_link()
    assert write(link.client, b"e" * first) == (1, first, 0)
    more = b"e" * (LIMIT + 1 - first)
    assert write(link.client, more) == (0, 0, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [TOO_MUCH]
    assert p.SSL_state_string(link.client) == "SSLERR"
    assert write(link.client, b"x") == (0, 0, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [UNCALLED]
    link.move()
    ret, data, _ = read(link.server)
    assert (ret, data) == ((SUCCESS, b"e" * first) if first else (ERROR, b""))
    if first:
        assert read(link.server) == (ERROR, b"", p.SSL_ERROR_SSL)
    assert ssl_reasons() == [1000 + p.SSL_AD_INTERNAL_ERROR]


@clause("ED-6", "RFC 8446 4.2.10")
@pytest.mark.parametrize("parts", [[11], [10, 1], [5, 5, 5]])
def test_server_that_gets_too_much_fails(parts: list[int]) -> None:
    pair = early_contexts()
    p.SSL_CTX_set_recv_max_early_data(pair[1], 10)
    link = early_link(pair)
    for size in parts:
        assert write(link.client, b"e" * size) == (1, size, 0)
    link.move()
    left = 10
    for size in parts:
        ret, data, code = read(link.server)
        if size <= left:
            assert (ret, data) == (SUCCESS, b"e" * size)
            left -= size
            continue
        assert (ret, data, code) == (ERROR, b"", p.SSL_ERROR_SSL)
        assert ssl_reasons() == [TOO_MUCH]
        assert link.server.report().alert_sent == 10
    link.move()
    assert p.SSL_do_handshake(link.client) in (1, -1)


@clause("ED-6", "RFC 8446 4.2.10")
def test_server_passes_over_no_more_than_it_would_take() -> None:
    pair = early_contexts(2**20)
    link = early_link(pair)
    assert write(link.client, bytes(100000)) == (1, 100000, 0)
    link.move()
    got = outcome(link.server, p.SSL_do_handshake(link.server))
    assert got == (-1, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [TOO_MUCH]
    assert link.server.report().alert_sent == 10


# ---- once ------------------------------------------------------------------


@clause("ED-7", "RFC 8446 8.1")
@pytest.mark.parametrize("ticket", [True, False])
def test_ticket_is_good_for_early_data_once(ticket: bool) -> None:
    pair = early_contexts()
    if not ticket:
        p.SSL_CTX_set_options(pair[1], p.SSL_OP_NO_TICKET)
    session, _ = visit(pair)
    assert offer(early_link(pair, session)) == (SUCCESS, b"early", 0)
    for _ in range(2):
        link = early_link(pair, session)
        refused(link)
        assert p.SSL_session_reused(link.client) == 1
    assert offer(early_link(pair)) == (SUCCESS, b"early", 0)


@clause("ED-7", "RFC 8446 8.1")
def test_ticket_is_good_once_for_its_whole_life() -> None:
    now = int(time.time() * 1000)
    lib.pys_test_set_now(now)
    pair = early_contexts()
    session, _ = visit(pair)
    assert offer(early_link(pair, session)) == (SUCCESS, b"early", 0)
    lib.pys_test_set_now(now + 3600_000)
    refused(early_link(pair, session))


@clause("ED-7", "RFC 8446 8")
def test_replayed_bytes_are_refused() -> None:
    pair = early_contexts()
    link = early_link(pair)
    assert write(link.client, b"pay") == (1, 3, 0)
    flight = links.take(link.client_out)
    seen = []
    for _ in range(3):
        victim = links.RawPeer(links.make_ends(*pair)[1])
        victim.feed(flight)
        seen.append(read(victim.ssl)[:2])
    assert seen == [(SUCCESS, b"pay"), (FINISH, b""), (FINISH, b"")]


@clause("ED-7", "RFC 8446 8.2")
def test_ticket_older_than_the_memory_is_refused_at_first() -> None:
    now = int(time.time() * 1000)
    lib.pys_test_set_now(now)
    pair = early_contexts()
    key = p.SSL_CTX_get_tlsext_ticket_keys(pair[1])
    sessions = [visit(pair)[0] for _ in range(2)]
    lib.pys_test_set_now(now + 5000)
    fresh = early_contexts()
    assert p.SSL_CTX_set_tlsext_ticket_keys(fresh[1], key) == 1
    # It may have been used within the window before this server began.
    refused(early_link((pair[0], fresh[1]), sessions[0]))
    lib.pys_test_set_now(now + 5000 + 20001)
    link = early_link((pair[0], fresh[1]), sessions[1])
    assert offer(link) == (SUCCESS, b"early", 0)


@clause("ED-7", "OPT-1")
def test_ticket_is_good_twice_without_anti_replay() -> None:
    pair = early_contexts()
    p.SSL_CTX_set_options(pair[1], p.SSL_OP_NO_ANTI_REPLAY)
    session, _ = visit(pair)
    for _ in range(2):
        link = early_link(pair, session)
        assert offer(link) == (SUCCESS, b"early", 0)


class Store:
    """A store of used tickets that several servers ask."""

    def __init__(self) -> None:
        self.known: dict[bytes, int] = {}

    def __call__(self, ssl: p.SSL, ticket: bytes, expires: int) -> bool:
        assert isinstance(ssl, p.SSL)
        assert isinstance(ticket, bytes)
        assert len(ticket) == 32
        first = ticket not in self.known
        self.known.setdefault(ticket, expires)
        return first


@clause("ED-7", "RFC 8446 8.1")
def test_servers_that_share_a_store_accept_once() -> None:
    store = Store()
    pair, other = early_contexts(), early_contexts()
    key = p.SSL_CTX_get_tlsext_ticket_keys(pair[1])
    p.SSL_CTX_set_tlsext_ticket_keys(other[1], key)
    for ctx in (pair[1], other[1]):
        ctx.set_anti_replay(store)
    session, _ = visit(pair)
    began = int(time.time())

    link = early_link((pair[0], other[1]), session)
    assert offer(link) == (SUCCESS, b"early", 0)
    refused(early_link(pair, session))
    refused(early_link((pair[0], other[1]), session))
    assert len(store.known) == 1
    (expires,) = store.known.values()
    life = p.SSL_SESSION_get_ticket_lifetime_hint(session)
    assert began + life - 5 <= expires <= time.time() + life + 2
    assert reasons() == []


@clause("ED-7")
def test_own_memory_is_not_asked_beside_a_store() -> None:
    pair = early_contexts()
    answers = [True, True, False, True]
    pair[1].set_anti_replay(lambda *_: answers.pop(0))
    session, _ = visit(pair)
    for wanted in (SUCCESS, SUCCESS, FINISH, SUCCESS):
        assert offer(early_link(pair, session))[0] == wanted
    pair[1].set_anti_replay(None)
    assert offer(early_link(pair, session))[0] == SUCCESS
    assert offer(early_link(pair, session))[0] == FINISH
    with pytest.raises(TypeError):
        pair[1].set_anti_replay(3)  # type: ignore[arg-type]


@clause("ED-7", "CV-7")
@pytest.mark.parametrize("answer", [1, None, ZeroDivisionError])
def test_store_that_fails_refuses(answer: Any) -> None:
    def broken(*_: Any) -> Any:
        if isinstance(answer, type):
            raise answer
        return answer

    pair = early_contexts()
    pair[1].set_anti_replay(broken)
    link = early_link(pair)
    assert write(link.client, b"early") == (1, 5, 0)
    link.move()
    kind = answer if isinstance(answer, type) else TypeError
    with pytest.raises(kind):
        read(link.server)
    link.move()
    complete(link)
    assert status(link) == (REJECTED, REJECTED)


# ---- the callback that may refuse ------------------------------------------


@clause("RFC 8446 4.2.10", "CTX-3")
@pytest.mark.parametrize("allow", [1, 0])
@pytest.mark.parametrize("of_ctx", [True, False])
def test_callback_may_refuse_early_data(allow: int, of_ctx: bool) -> None:
    calls = []

    def callback(ssl: p.SSL, arg: Any) -> int:
        calls.append((ssl, arg))
        return allow

    pair = early_contexts()
    session, _ = visit(pair)
    if of_ctx:
        p.SSL_CTX_set_allow_early_data_cb(pair[1], callback, "arg")
    link = early_link(pair, session)
    if not of_ctx:
        p.SSL_set_allow_early_data_cb(link.server, callback, "arg")
    if allow:
        assert offer(link) == (SUCCESS, b"early", 0)
    else:
        refused(link)
    assert calls == [(link.server, "arg")]
    # What the callback refused was not used up.
    p.SSL_CTX_set_allow_early_data_cb(pair[1], None)
    again = offer(early_link(pair, session))
    assert again[0] == (FINISH if allow else SUCCESS)


@clause("CV-7")
def test_callback_that_raises_refuses() -> None:
    pair = early_contexts()
    link = early_link(pair)

    def broken(ssl: p.SSL, arg: Any) -> int:
        raise ZeroDivisionError

    p.SSL_set_allow_early_data_cb(link.server, broken)
    assert write(link.client, b"early") == (1, 5, 0)
    link.move()
    with pytest.raises(ZeroDivisionError):
        read(link.server)
    link.move()
    complete(link)
    assert status(link) == (REJECTED, REJECTED)


@clause("RFC 8446 4.2.10")
def test_callback_is_not_asked_without_early_data() -> None:
    pair = early_contexts()
    calls: list[Any] = []
    p.SSL_CTX_set_allow_early_data_cb(pair[1], lambda *a: calls.append(a) or 1)
    session, _ = visit(pair)
    visit(pair, session)
    assert calls == []


# ---- wrong use -------------------------------------------------------------


def uncalled(answer: tuple[int, Any, int]) -> None:
    """The call did nothing but leave the entry of ED-2."""
    assert answer[0] == 0
    assert not answer[1]
    assert answer[2] == p.SSL_ERROR_SSL
    assert reasons() == [(p.ERR_LIB_SSL, UNCALLED)]


@clause("ED-2", "ED-3")
def test_calls_at_the_wrong_side_or_moment_do_nothing() -> None:
    link = link_of(early_contexts())
    uncalled(write(link.client, b"x"))
    uncalled(read(link.client))
    uncalled(write(link.server, b"x"))
    assert p.SSL_state_string(link.client) == "PINIT"
    assert p.SSL_do_handshake(link.server) == -1
    uncalled(read(link.server))
    uncalled(write(link.server, b"x"))
    assert p.SSL_do_handshake(link.client) == -1
    uncalled(write(link.client, b"x"))
    complete(link)
    uncalled(write(link.client, b"x"))
    uncalled(read(link.client))
    uncalled(write(link.server, b"x"))
    uncalled(read(link.server))
    complete(link)


@clause("ED-3")
def test_server_that_has_read_to_the_end_reads_no_more() -> None:
    link = link_of(early_contexts())
    assert p.SSL_do_handshake(link.client) == -1
    link.move()
    assert read(link.server) == (FINISH, b"", 0)
    uncalled(read(link.server))
    link.move()
    complete(link)
    uncalled(read(link.server))


def without_early_data(pair: Contexts) -> p.SSL_SESSION:
    p.SSL_CTX_set_max_early_data(pair[1], 0)
    return visit(pair)[0]


def expired(pair: Contexts) -> p.SSL_SESSION:
    session, _ = visit(pair)
    p.SSL_SESSION_set_time(session, int(time.time()) - 10000)
    return session


def of_a_suite_not_offered(pair: Contexts) -> p.SSL_SESSION:
    session, _ = visit(pair)
    p.SSL_CTX_set_ciphersuites(pair[0], "TLS_AES_128_GCM_SHA256")
    return session


def of_a_version_not_offered(pair: Contexts) -> p.SSL_SESSION:
    session, _ = visit(pair)
    for ctx in pair:
        p.SSL_CTX_set_min_proto_version(ctx, TLS12)
        p.SSL_CTX_set_max_proto_version(ctx, TLS12)
    return session


@clause("ED-2", "RFC 8446 4.2.10")
@pytest.mark.parametrize(
    "make",
    [
        without_early_data,
        expired,
        of_a_suite_not_offered,
        of_a_version_not_offered,
    ],
)
def test_client_without_a_suitable_session_writes_nothing(
    make: Callable[[Contexts], p.SSL_SESSION],
) -> None:
    pair = early_contexts()
    session = make(pair)
    link = link_of(pair, session)
    uncalled(write(link.client, b"early"))
    assert links.take(link.client_out) == b""
    complete(link)
    assert status(link) == (NOT_SENT, NOT_SENT)


@clause("ED-2", "RFC 8446 4.6.1")
def test_client_with_a_session_of_another_name_fails() -> None:
    pair = early_contexts()
    link = early_link(pair)
    p.SSL_set_tlsext_host_name(link.client, "other.test")
    assert write(link.client, b"early") == (0, 0, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [p.SSL_R_INCONSISTENT_EARLY_DATA_SNI]
    assert links.take(link.client_out) == b""
    assert p.SSL_do_handshake(link.client) == -1


@clause("ED-2", "RFC 8446 4.2.10")
@pytest.mark.parametrize("offered", [b"", b"\x05other"])
def test_client_with_a_session_of_another_protocol_fails(
    offered: bytes,
) -> None:
    pair = early_contexts()
    p.SSL_CTX_set_alpn_protos(pair[0], b"\x02h2")
    p.SSL_CTX_set_alpn_select_cb(pair[1], choosing(b"h2"))
    link = early_link(pair)
    p.SSL_set_alpn_protos(link.client, offered)
    assert write(link.client, b"early") == (0, 0, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [p.SSL_R_INCONSISTENT_EARLY_DATA_ALPN]
    assert links.take(link.client_out) == b""


@clause("ED-3", "ED-4", "HS-22")
@pytest.mark.parametrize("size", [2, 5])
def test_server_that_leaves_early_data_unread_fails(size: int) -> None:
    link = early_link()
    assert write(link.client, b"early") == (1, 5, 0)
    assert write(link.client, b"more") == (1, 4, 0)
    link.move()
    assert read(link.server, size)[0] == SUCCESS
    got = outcome(link.server, p.SSL_do_handshake(link.server))
    assert got == (-1, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [245]
    assert link.server.report().alert_sent == 10
    assert read(link.server)[0] == ERROR
    assert ssl_reasons() == [UNCALLED]


@clause("ED-2", "CV-2")
def test_wrong_arguments_are_named() -> None:
    link = early_link()
    for ssl, call in (
        (link.client, p.SSL_write_early_data),
        (link.server, p.SSL_read_early_data),
    ):
        with pytest.raises(TypeError):
            call(ssl, "text")
        with pytest.raises(ValueError, match="bytes of a buffer"):
            call(ssl, bytearray(3), 4)
        assert call(ssl, bytearray(3), -1) == (0, 0)
        assert ssl_reasons() == [p.SSL_R_BAD_LENGTH]
        with pytest.raises(TypeError):
            call(None, bytearray(3))
    assert p.SSL_write_early_data(link.client, b"early data", 5) == (1, 5)
    link.move()
    buf = bytearray(10)
    assert p.SSL_read_early_data(link.server, buf, 3) == (1, 3)
    assert buf[:4] == b"ear\0"
    ssl = link.client
    p.SSL_free(ssl)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_write_early_data(ssl, b"x")
    with pytest.raises(ValueError, match="freed"):
        p.SSL_get_early_data_status(ssl)


@clause("ED-2")
def test_client_without_bio_or_role() -> None:
    pair = early_contexts()
    session, _ = visit(pair)
    ssl = p.SSL(pair[0])
    p.SSL_set_session(ssl, session)
    assert read(ssl)[0] == 0
    assert ssl_reasons() == [UNCALLED]
    p.SSL_set_tlsext_host_name(ssl, links.HOST)
    assert write(ssl, b"early") == (0, 0, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [p.SSL_R_BIO_NOT_SET]
    peer = links.RawPeer(ssl)
    assert write(ssl, b"early") == (1, 5, 0)
    assert peer.sent()[:1] == b"\x16"
    assert not p.SSL_is_server(ssl)


@clause("ED-5")
def test_clear_forgets_the_early_data() -> None:
    pair = early_contexts()
    link = early_link(pair)
    assert offer(link)[0] == SUCCESS
    assert p.SSL_clear(link.server) == 1
    assert p.SSL_clear(link.client) == 1
    assert status(link) == (NOT_SENT, NOT_SENT)


# ---- secrets ---------------------------------------------------------------


@clause("KLOG-1", "KLOG-2", "RFC 8446 7.1")
def test_early_secrets_are_logged_by_both_sides() -> None:
    pair = early_contexts()
    session, _ = visit(pair)
    lines: dict[int, list[str]] = {0: [], 1: []}
    for i, ctx in enumerate(pair):
        p.SSL_CTX_set_keylog_callback(
            ctx, lambda _, line, i=i: lines[i].append(line)
        )
    link = early_link(pair, session)
    assert offer(link)[0] == SUCCESS
    link.move()
    assert p.SSL_do_handshake(link.client) == 1
    assert lines[0] == lines[1]
    assert [line.split()[0] for line in lines[0]] == [
        "CLIENT_EARLY_TRAFFIC_SECRET",
        "EARLY_EXPORTER_SECRET",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ]


def export(ssl: p.SSL, *arguments: Any) -> bytes:
    """Export 32 bytes, or give none."""
    out = bytearray(32)
    call = p.SSL_export_keying_material_early
    return bytes(out) if call(ssl, out, *arguments) == 1 else b""


@clause("EKM-1", "RFC 8446 7.5")
def test_early_exporter_is_the_same_on_both_sides() -> None:
    link = early_link()
    assert export(link.client, "label") == b""
    assert write(link.client, b"early") == (1, 5, 0)
    made = export(link.client, "label", b"context")
    assert len(made) == 32
    assert export(link.server, "label", b"context") == b""
    link.move()
    assert read(link.server)[0] == SUCCESS
    assert export(link.server, b"label", b"context") == made
    others = {
        export(link.client, "label"),
        export(link.client, "other", b"context"),
        made,
    }
    assert len(others) == 3
    assert export(link.client, "label") == export(link.client, "label", b"")
    link.move()
    assert p.SSL_do_handshake(link.client) == 1
    link.move()
    assert read(link.server)[0] == FINISH
    complete(link)
    for ssl in (link.client, link.server):
        assert export(ssl, "label", b"context") == made
        out = bytearray(32)
        p.SSL_export_keying_material(ssl, out, "label", b"context")
        assert bytes(out) != made
    with pytest.raises(TypeError):
        p.SSL_export_keying_material_early(link.client, out, 3)


@clause("EKM-1", "RFC 8446 7.5")
def test_early_exporter_is_not_there_on_a_server_that_refused() -> None:
    link = early_link()
    assert write(link.client, b"early") == (1, 5, 0)
    link.move()
    complete(link)
    assert export(link.server, "label") == b""
