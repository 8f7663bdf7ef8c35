"""Padding by a callback: SSL_CTX_set_record_padding_callback(3)."""

from __future__ import annotations

import contextlib
import functools
import gc
import ssl
import tempfile
import weakref
from typing import Any, Callable, Optional

import pytest

import pyssl as p
from pyssl._ffi import lib
from tests.api.links import (
    MemLink,
    PairLink,
    RawPeer,
    SockLink,
    in_thread,
    make_contexts,
    make_ends,
    new_ssl,
    outcome,
    read,
    reasons,
    ssl_reasons,
    take,
)
from tests.api.opened import split_records
from tests.api.sessions import TLS12, TLS13
from tests.api.test_early_data import (
    FINISH,
    SUCCESS,
    early_contexts,
    early_link as early_link_of,
    read as read_early,
)
from tests.api.test_post_handshake import (
    ask,
    contexts as post_contexts,
    take as take_answer,
)
from tests.clauses import clause
from tests.pki import ca

ALERT, HANDSHAKE, DATA = (
    p.SSL3_RT_ALERT,
    p.SSL3_RT_HANDSHAKE,
    p.SSL3_RT_APPLICATION_DATA,
)
HEADER, TAG, MAX = 5, 16, 16384
FAILED, INTERNAL_ERROR = p.SSL_R_CALLBACK_FAILED, 80
WANT_READ = (-1, 2)
Answer = Callable[[int, int], Any]


class Padder:
    """A padding callback that remembers what it was asked.

    Args:
        answer: Its answer: a value, or a function of type and length.
    """

    def __init__(self, answer: Any = 0) -> None:
        self.answer = answer
        self.asked: list[tuple[int, int]] = []
        self.arguments: list[Any] = []

    def __call__(self, end: p.SSL, kind: int, n: int, arg: Any) -> Any:
        assert isinstance(end, p.SSL)
        self.asked.append((kind, n))
        self.arguments.append(arg)
        return self.answer(kind, n) if callable(self.answer) else self.answer

    @property
    def kinds(self) -> list[int]:
        return [kind for kind, _ in self.asked]


def linked(
    answer: Any, side: str = "client", version: int = TLS13, **wishes: Any
) -> tuple[MemLink, Padder]:
    """Make a link of which one end asks how to pad; no handshake yet."""
    link = MemLink(*make_ends(*make_contexts(version=version, **wishes)))
    padder = Padder(answer)
    end = getattr(link, side)
    assert p.SSL_set_record_padding_callback(end, padder) == 1
    return link, padder


def sealed(raw: bytes) -> list[int]:
    """Give the lengths of what protected records hold, type included."""
    return [
        len(one) - HEADER - TAG for one in split_records(raw) if one[0] == DATA
    ]


def run(link: MemLink, side: str) -> bytes:
    """Complete the handshake; give what the end on that side has sent."""
    sent = b""
    for _ in range(3):
        for name, out, inn in (
            ("client", link.client_out, link.server_in),
            ("server", link.server_out, link.client_in),
        ):
            end = getattr(link, name)
            if not p.SSL_is_init_finished(end):
                p.SSL_do_handshake(end)
            raw = take(out)
            sent += raw if name == side else b""
            if raw:
                p.BIO_write(inn, raw)
    assert p.SSL_is_init_finished(link.client), reasons()
    assert p.SSL_is_init_finished(link.server), reasons()
    return sent


def out_of(link: MemLink, end: p.SSL) -> p.BIO:
    """Give where an end writes."""
    return link.client_out if end is link.client else link.server_out


def pass_on(link: MemLink, end: p.SSL) -> bytes:
    """Give what an end has sent, after its peer got it."""
    raw = take(out_of(link, end))
    p.BIO_write(link.server_in if end is link.client else link.client_in, raw)
    return raw


# ---- what is asked, and what comes of it ------------------------------------


@clause("PAD-2", "RFC 8446 5.4")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("client_auth", [False, True])
def test_each_protected_record_is_asked_for_and_padded_so(
    side: str, client_auth: bool
) -> None:
    link, padder = linked(
        lambda kind, n: 3 * kind + n % 50, side, client_auth=client_auth
    )
    end = getattr(link, side)
    sent = run(link, side)
    # The server has its flight and two tickets, one record or more each.
    assert set(padder.kinds) == {HANDSHAKE}
    assert len(padder.asked) >= (2 if side == "server" else 1)

    for data in (b"x", bytes(100), bytes(range(256)) * 30):
        assert p.SSL_write(end, data) == len(data)
        sent += pass_on(link, end)
        assert read(link.peer_of(end)) == data
        assert padder.asked[-1] == (DATA, len(data) + 1)
    assert p.SSL_key_update(end, 0) == 1
    assert p.SSL_write(end, b"new keys") == 8
    sent += pass_on(link, end)
    assert read(link.peer_of(end)) == b"new keys"
    assert padder.asked[-2:] == [(HANDSHAKE, 6), (DATA, 9)]
    assert p.SSL_shutdown(end) == 0
    sent += pass_on(link, end)
    assert padder.asked[-1] == (ALERT, 3)
    got = p.SSL_read(link.peer_of(end), bytearray(9))
    assert outcome(link.peer_of(end), got) == (0, p.SSL_ERROR_ZERO_RETURN)

    assert sealed(sent) == [n + 3 * kind + n % 50 for kind, n in padder.asked]
    assert reasons() == []


@clause("PAD-2")
@pytest.mark.parametrize("side", ["client", "server"])
def test_fatal_alerts_are_asked_for_too(side: str) -> None:
    link, padder = linked(200, side)
    run(link, side)
    end, peer = getattr(link, side), link.peer_of(getattr(link, side))
    p.SSL_write(peer, b"data")
    raw = bytearray(take(out_of(link, peer)))
    raw[-1] ^= 1
    inn = link.client_in if side == "client" else link.server_in
    p.BIO_write(inn, bytes(raw))
    got = p.SSL_read(end, bytearray(9))
    assert outcome(end, got) == (-1, p.SSL_ERROR_SSL)
    assert ssl_reasons() == [281]
    assert padder.asked[-1] == (ALERT, 3)
    assert sealed(pass_on(link, end)) == [203]
    assert p.SSL_read(peer, bytearray(9)) == -1
    assert ssl_reasons() == [1020]


@clause("PAD-2")
def test_alert_in_the_handshake_is_asked_for_under_the_right_keys() -> None:
    """A client that does not trust the server says so under its keys."""
    link = MemLink(*make_ends(*make_contexts(version=TLS13)))
    stranger = p.SSL_CTX_new(p.TLS_method())
    assert stranger is not None
    p.SSL_CTX_set_verify(stranger, p.SSL_VERIFY_PEER, None)
    link.client = new_ssl(stranger)
    p.SSL_set_connect_state(link.client)
    link.attach()
    padder = Padder(100)
    p.SSL_set_record_padding_callback(link.client, padder)
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    link.move()
    assert p.SSL_do_handshake(link.client) == -1
    assert padder.asked == [(ALERT, 3)]
    assert sealed(pass_on(link, link.client)) == [103]
    reasons()
    assert p.SSL_do_handshake(link.server) == -1
    assert ssl_reasons() == [1048]


@clause("PAD-2", "RFC 8446 5.4")
@pytest.mark.parametrize("answer", [MAX, MAX + 1, 1 << 31, 1 << 64, 1 << 200])
@pytest.mark.parametrize("n", [1, 16382, 16383])
def test_too_much_padding_is_cut_to_the_record(answer: int, n: int) -> None:
    link, padder = linked(answer)
    run(link, "client")
    assert p.SSL_write(link.client, bytes(n)) == n
    assert sealed(pass_on(link, link.client)) == [MAX + 1]
    assert read(link.server) == bytes(n)
    assert padder.asked[-1] == (DATA, n + 1)


@clause("PAD-2")
def test_full_records_are_not_asked_for() -> None:
    link, padder = linked(5)
    run(link, "client")
    padder.asked.clear()
    assert p.SSL_write(link.client, bytes(2 * MAX + 7)) == 2 * MAX + 7
    assert padder.asked == [(DATA, 8)]
    assert sealed(pass_on(link, link.client)) == [MAX + 1, MAX + 1, 13]
    p.SSL_set_max_send_fragment(link.client, 1000)
    padder.asked.clear()
    assert p.SSL_write(link.client, bytes(1999)) == 1999
    assert padder.asked == [(DATA, 1000)]
    assert sealed(pass_on(link, link.client)) == [1001, 1001]


@clause("PAD-2", "RFC 8449 4")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("limit", [64, 100, 1000])
def test_padding_stays_within_the_limit_of_the_peer(
    side: str, limit: int
) -> None:
    pair = make_contexts(version=TLS13, client_auth=True)
    for ctx in pair:
        ctx._set_number(lib.PYS_RECORD_LIMIT, limit)
    link = MemLink(*make_ends(*pair))
    end = getattr(link, side)
    padder = Padder(1 << 20)
    p.SSL_set_record_padding_callback(end, padder)
    sizes = set(sealed(run(link, side)))
    for n in (1, limit - 2, limit - 1, limit, 3 * limit):
        assert p.SSL_write(end, bytes(n)) == n
        sizes |= set(sealed(pass_on(link, end)))
        got = b""
        while len(got) < n:
            got += read(link.peer_of(end))
    # Before the peer's limit is known, no protected record goes out.
    assert sizes == {limit}
    assert all(n < limit for _, n in padder.asked)


@clause("PAD-2")
def test_tls_12_is_never_asked_for() -> None:
    for side in ("client", "server"):
        link, padder = linked(100, side, version=TLS12)
        run(link, side)
        end = getattr(link, side)
        link.send(end, b"data")
        p.SSL_shutdown(end)
        assert padder.asked == []


@clause("PAD-1", "PAD-2")
def test_block_sizes_count_again_without_the_callback() -> None:
    link, padder = linked(7)
    p.SSL_set_block_padding(link.client, 256)
    run(link, "client")

    def written() -> list[int]:
        p.SSL_write(link.client, b"123")
        raw = pass_on(link, link.client)
        assert read(link.server) == b"123"
        return sealed(raw)

    assert written() == [11]
    assert p.SSL_set_record_padding_callback(link.client, None) == 1
    n = len(padder.asked)
    assert written() == [256]
    assert len(padder.asked) == n
    p.SSL_set_record_padding_callback(link.client, padder)
    assert written() == [11]


# ---- whose callback, which argument -----------------------------------------


@clause("PAD-2", "CTX-3")
def test_connections_copy_callback_and_argument() -> None:
    pair = make_contexts(version=TLS13)
    first, second = Padder(1), Padder(2)
    ctx = pair[0]
    assert p.SSL_CTX_get_record_padding_callback_arg(ctx) is None
    p.SSL_CTX_set_record_padding_callback_arg(ctx, "first")
    assert p.SSL_CTX_set_record_padding_callback(ctx, first) == 1
    assert p.SSL_CTX_get_record_padding_callback_arg(ctx) == "first"
    link = MemLink(*make_ends(*pair))
    p.SSL_CTX_set_record_padding_callback(ctx, second)
    p.SSL_CTX_set_record_padding_callback_arg(ctx, "second")
    assert p.SSL_get_record_padding_callback_arg(link.client) == "first"
    run(link, "client")
    assert set(first.arguments) == {"first"}
    assert second.asked == []

    p.SSL_set_record_padding_callback_arg(link.client, "mine")
    assert p.SSL_get_record_padding_callback_arg(link.client) == "mine"
    link.send(link.client, b"data")
    assert first.arguments[-1] == "mine"

    other = MemLink(*make_ends(*pair))
    run(other, "client")
    assert set(second.arguments) == {"second"}
    assert p.SSL_CTX_set_record_padding_callback(ctx, None) == 1
    third = MemLink(*make_ends(*pair))
    run(third, "client")
    assert {*second.arguments} == {"second"}
    assert p.SSL_get_record_padding_callback_arg(third.client) == "second"


@clause("PAD-2", "CV-3")
def test_wrong_callbacks_and_freed_objects_are_refused() -> None:
    ctx = make_contexts()[0]
    wrong: Any = 5
    one: Any
    for one in (ctx, new_ssl(ctx)):
        with pytest.raises(TypeError):
            one.set_record_padding_callback(wrong)
        assert one._number(lib.PYS_PAD_ASKED) == 0
        one.free()
        for name in (
            "set_record_padding_callback",
            "set_record_padding_callback_arg",
        ):
            with pytest.raises(ValueError, match="freed"):
                getattr(one, name)(None)
        with pytest.raises(ValueError, match="freed"):
            one.get_record_padding_callback_arg()
    assert reasons() == []


@clause("PAD-2")
def test_callback_may_take_itself_away_in_the_handshake() -> None:
    link, padder = linked(50, "server")
    padder.answer = lambda *_: (
        p.SSL_set_record_padding_callback(link.server, None) and 50
    )
    sizes = sealed(run(link, "server"))
    assert len(padder.asked) == 1
    assert sizes[0] == padder.asked[0][1] + 50
    link.send(link.server, b"data")
    assert len(padder.asked) == 1


@clause("PAD-3", "CV-8")
def test_callback_may_not_use_its_own_connection() -> None:
    link, padder = linked(0)
    run(link, "client")
    padder.answer = lambda *_: p.SSL_write(link.client, b"more")
    with pytest.raises(RuntimeError):
        p.SSL_write(link.client, b"data")
    assert p.SSL_write(link.client, b"data") == -1


@clause("CV-3")
def test_cycle_of_callback_and_connection_is_collected() -> None:
    link, padder = linked(0)
    padder.answer = lambda *_, held=link: len(held)
    gone = weakref.ref(link.client)
    del link, padder
    gc.collect()
    assert gone() is None


@clause("PAD-2", "CLR-1")
def test_callback_stays_after_clear() -> None:
    link, padder = linked(9)
    run(link, "client")
    assert p.SSL_clear(link.client) == 1
    padder.asked.clear()
    link.server = new_ssl(make_contexts(version=TLS13)[1])
    p.SSL_set_accept_state(link.server)
    link.attach()
    run(link, "client")
    assert padder.asked


# ---- what is no number of bytes ---------------------------------------------


class Odd(Exception):
    """What a callback raises here."""


def raising(at: int, wrong: Any) -> Answer:
    """Give an answer that goes wrong at the at-th question."""
    count = 0

    def answer(kind: int, n: int) -> Any:
        nonlocal count
        count += 1
        if count < at:
            return n
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    return answer


WRONG = [
    (Odd("no"), Odd),
    (-1, ValueError),
    (None, TypeError),
    ("5", TypeError),
    (2.0, TypeError),
]


@clause("PAD-3", "CV-7")
@pytest.mark.parametrize(("wrong", "raised"), WRONG)
@pytest.mark.parametrize("side", ["client", "server"])
def test_wrong_answer_for_data_ends_the_connection(
    side: str, wrong: Any, raised: type[Exception]
) -> None:
    link, padder = linked(0, side)
    run(link, side)
    end = getattr(link, side)
    n = len(padder.asked)
    padder.answer = raising(3, wrong)
    p.SSL_set_split_send_fragment(end, 400)
    with pytest.raises(raised):
        p.SSL_write(end, bytes(2000))
    assert len(padder.asked) == n + 3
    assert ssl_reasons() == [FAILED]
    assert outcome(end, p.SSL_write(end, b"x")) == (-1, p.SSL_ERROR_SYSCALL)
    pass_on(link, end)
    for _ in range(2):
        assert len(read(link.peer_of(end))) == 400
    assert p.SSL_read(link.peer_of(end), bytearray(MAX)) == -1
    assert ssl_reasons() == [1000 + INTERNAL_ERROR]


def drive(link: MemLink, raised: type[Exception]) -> Optional[str]:
    """Shake hands and send tickets; give the end that raised, if one did."""
    for _ in range(4):
        for side in ("client", "server"):
            end = getattr(link, side)
            try:
                p.SSL_do_handshake(end)
            except raised:
                return side
            link.move()
    return None


@clause("PAD-3", "CV-7")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("fragment", [512, MAX])
def test_wrong_answer_at_each_message_reaches_the_peer_as_an_alert(
    side: str, fragment: int
) -> None:
    """The alert is sealed with the keys that the peer expects."""
    at = 0
    while True:
        at += 1
        link, padder = linked(
            raising(at, Odd()), side, client_auth=True, tickets=1
        )
        end, peer = getattr(link, side), link.peer_of(getattr(link, side))
        p.SSL_set_max_send_fragment(end, fragment)
        if drive(link, Odd) is None:
            break
        assert len(padder.asked) == at
        assert ssl_reasons() == [FAILED]
        assert outcome(end, p.SSL_do_handshake(end)) == (
            -1,
            p.SSL_ERROR_SYSCALL,
        )
        link.move()
        ret = p.SSL_do_handshake(peer)
        if ret == 1:
            ret = p.SSL_read(peer, bytearray(9))
        assert ret == -1, at
        # A full record is not asked for: then it stands inside a message.
        split = p.SSL_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA
        wanted = 1000 + INTERNAL_ERROR if fragment == MAX else split
        assert ssl_reasons() == [wanted], at
    assert at >= 2 + (side == "server" and fragment == MAX)


@clause("PAD-3")
def test_wrong_answer_for_a_key_update_and_a_close() -> None:
    for act in (
        lambda end: p.SSL_key_update(end, 1) and p.SSL_write(end, b"data"),
        p.SSL_shutdown,
    ):
        link, padder = linked(0)
        run(link, "client")
        padder.answer = raising(1, Odd())
        with pytest.raises(Odd):
            act(link.client)
        assert ssl_reasons() == [FAILED]
        pass_on(link, link.client)
        assert p.SSL_read(link.server, bytearray(9)) == -1
        assert ssl_reasons() == [1000 + INTERNAL_ERROR]


@clause("PAD-3")
def test_wrong_answer_for_an_alert_sends_it_no_more() -> None:
    link, padder = linked(0)
    run(link, "client")
    padder.answer = raising(1, Odd())
    p.SSL_write(link.server, b"data")
    raw = bytearray(take(link.server_out))
    raw[-1] ^= 1
    p.BIO_write(link.client_in, bytes(raw))
    with pytest.raises(Odd):
        p.SSL_read(link.client, bytearray(9))
    # The first fault counts.
    assert ssl_reasons() == [281]
    assert padder.kinds[-1] == ALERT
    assert take(link.client_out) == b""
    assert outcome(link.client, p.SSL_write(link.client, b"x"))[0] == -1


# ---- other ways of sending --------------------------------------------------


@clause("PAD-2", "ED-2", "ED-6")
@pytest.mark.parametrize("taken", [True, False])
def test_early_data_is_asked_for(taken: bool) -> None:
    pair = early_contexts()
    padder = Padder(300)
    p.SSL_CTX_set_record_padding_callback(pair[0], padder)
    p.SSL_CTX_set_record_padding_callback(pair[1], padder)
    link = early_link_of(pair)
    padder.asked.clear()
    if not taken:
        p.SSL_set_recv_max_early_data(link.server, 0)
        p.SSL_set_max_early_data(link.server, 0)
    assert p.SSL_write_early_data(link.client, b"early") == (1, 5)
    assert padder.asked == [(DATA, 6)]
    assert sealed(pass_on(link, link.client)) == [306]
    if taken:
        assert read_early(link.server) == (SUCCESS, b"early", 0)
        assert p.SSL_write_early_data(link.server, b"half") == (1, 4)
        link.move()
        assert p.SSL_do_handshake(link.client) == 1
        link.move()
        assert read_early(link.server)[0] == FINISH
    link.established()
    if taken:
        assert read(link.client) == b"half"
    link.send(link.client, b"data")
    link.send(link.server, b"data")
    assert reasons() == []


@clause("PAD-2", "VFY-21")
def test_authentication_after_the_handshake_is_asked_for() -> None:
    link = MemLink(*make_ends(*post_contexts()))
    link.established()
    padders = [Padder(400), Padder(500)]
    p.SSL_set_record_padding_callback(link.client, padders[0])
    p.SSL_set_record_padding_callback(link.server, padders[1])
    ask(link)
    assert padders[1].kinds == [HANDSHAKE]
    assert padders[0].kinds == [HANDSHAKE]
    assert take_answer(link) == WANT_READ
    assert p.SSL_get_peer_certificate(link.server) is not None
    # The tickets of the new state.
    assert set(padders[1].kinds) == {HANDSHAKE}
    assert len(padders[1].asked) > 1
    link.send(link.client, b"data")
    link.send(link.server, b"data")


@clause("PAD-2", "RW-18", "RW-19")
@pytest.mark.parametrize("size", [1, 7, 100, 3000])
def test_narrow_transport_gets_padded_records_whole(size: int) -> None:
    pair = make_contexts(version=TLS13, client_auth=True, tickets=0)
    padder = Padder(lambda _, n: n * 7 % 1000)
    for ctx in pair:
        p.SSL_CTX_set_record_padding_callback(ctx, padder)
    link = PairLink(*make_ends(*pair), size=size).established()
    data = bytes(range(256)) * 5
    got = b""
    buf = bytearray(400)
    written = -1
    while written < 0 or len(got) < len(data):
        if written < 0:
            written = p.SSL_write(link.client, data)
            assert written > 0 or p.SSL_get_error(link.client, -1) == 3
        n = p.SSL_read(link.server, buf)
        got += bytes(buf[: max(n, 0)])
    assert got == data
    assert written == len(data)


@clause("PAD-2")
def test_partial_writes_are_asked_for_one_by_one() -> None:
    link, padder = linked(30)
    run(link, "client")
    p.SSL_set_mode(link.client, p.SSL_MODE_ENABLE_PARTIAL_WRITE)
    p.SSL_set_split_send_fragment(link.client, 10)
    padder.asked.clear()
    assert p.SSL_write(link.client, bytearray(25)) == 10
    assert padder.asked == [(DATA, 11)]
    assert sealed(pass_on(link, link.client)) == [41]


@clause("PAD-2", "CV-8")
def test_reader_and_writer_threads_with_padding_do_not_disturb() -> None:
    pair = make_contexts(version=TLS13)
    for ctx in pair:
        p.SSL_CTX_set_record_padding_callback(ctx, lambda *_: 77)
    total = 1 << 19
    chunk = bytes(range(256)) * 13

    def write_all(end: p.SSL) -> None:
        left = total
        while left > 0:
            n = p.SSL_write(end, chunk[: min(left, len(chunk))])
            assert n > 0, reasons()
            left -= n

    def read_all(end: p.SSL) -> None:
        left = total
        buf = bytearray(5000)
        while left > 0:
            n = p.SSL_read(end, buf)
            assert n > 0, reasons()
            left -= n

    with SockLink(*make_ends(*pair)) as link:
        link.established()
        running = [
            in_thread(functools.partial(work, end))
            for end in (link.client, link.server)
            for work in (write_all, read_all)
        ]
        for thread, found in running:
            thread.join(60)
            assert found == [None]


@clause("PAD-3", "MSG-2")
def test_message_callback_hears_every_padded_record() -> None:
    link, padder = linked(64, "server")
    heard: list[tuple[int, bytes]] = []
    p.SSL_set_msg_callback(
        link.server,
        lambda sent, version, kind, data, *_: (
            heard.append((kind, data)) if sent else None
        ),
    )
    run(link, "server")
    link.send(link.server, b"data")
    headers = [
        int.from_bytes(data[3:5], "big")
        for kind, data in heard
        if kind == p.SSL3_RT_HEADER and data[0] == DATA
    ]
    inner = [
        data[0] for kind, data in heard if kind == p.SSL3_RT_INNER_CONTENT_TYPE
    ]
    assert headers == [n + 64 + TAG for _, n in padder.asked]
    assert inner == padder.kinds


# ---- the standard library reads it ------------------------------------------


@clause("PAD-2", "RFC 8446 5.4")
@pytest.mark.parametrize("server", [False, True])
def test_standard_library_reads_what_a_callback_padded(server: bool) -> None:
    client_ctx, server_ctx = make_contexts(version=TLS13, verify=False)
    end = new_ssl(server_ctx if server else client_ctx)
    padder = Padder(lambda kind, n: (kind * n * 31) % 3000)
    p.SSL_set_record_padding_callback(end, padder)
    (p.SSL_set_accept_state if server else p.SSL_set_connect_state)(end)
    raw = RawPeer(end)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    if server:
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        theirs.check_hostname = False
        theirs.verify_mode = ssl.CERT_NONE
    else:
        own = ca.leaf()
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(own.chain_pem + own.key_pem)
            file.flush()
            theirs.load_cert_chain(file.name)
    peer = theirs.wrap_bio(there, back, server_side=not server)
    for _ in range(4):
        p.SSL_do_handshake(end)
        there.write(raw.sent())
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.do_handshake()
        raw.feed(back.read())
    assert p.SSL_is_init_finished(end)
    sizes: list[int] = []
    got = b""
    data = bytes(range(256)) * 200
    assert p.SSL_write(end, data) == len(data)
    padder.answer = 1 << 40
    assert p.SSL_write(end, b"end") == 3
    assert p.SSL_key_update(end, 1) == 1
    assert p.SSL_write(end, b"of all") == 6
    assert p.SSL_shutdown(end) == 0
    sent = raw.sent()
    sizes = sealed(sent)
    there.write(sent)
    while part := peer.read(20000):
        got += part
    assert got == data + b"end" + b"of all"
    assert sizes[-4:] == [MAX + 1] * 4
