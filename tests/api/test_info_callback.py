"""SSL_CTX_set_info_callback(3): contract 6.12."""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any

import pytest

import pyssl as p
from tests.api import links, told
from tests.api.links import (
    MemLink,
    PyBio,
    SockLink,
    make_contexts,
    make_ends,
    new_ssl,
    outcome,
    raw_client,
    raw_server,
    ssl_reasons,
)
from tests.api.test_tls12_renegotiation import Forged
from tests.api.told import Ear, Watched
from tests.clauses import clause
from tests.pki import ca

TLS12, TLS13 = p.TLS1_2_VERSION, p.TLS1_3_VERSION
BOTH = pytest.mark.parametrize("version", [TLS12, TLS13])


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Gather what goes to sys.unraisablehook."""
    found: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    return found


# ---- who is called ----------------------------------------------------------


@clause("INFO-1")
def test_callback_of_the_ssl_wins_and_none_falls_back() -> None:
    contexts = make_contexts()
    shared, own = Ear(), Ear()
    p.SSL_CTX_set_info_callback(contexts[0], shared.info)
    assert p.SSL_CTX_get_info_callback(contexts[0]) == shared.info
    client, server = make_ends(*contexts)
    link = MemLink(client, server)
    assert p.SSL_get_info_callback(client) is None

    p.SSL_set_info_callback(client, own.info)
    assert p.SSL_get_info_callback(client) == own.info
    p.SSL_do_handshake(client)
    assert own.heard
    assert not shared.heard

    p.SSL_set_info_callback(client, None)
    own.take()
    link.move()
    link.established()
    assert not own.heard
    assert shared.heard


@clause("INFO-1", "CTX-3")
def test_callback_is_copied_when_the_ssl_is_made() -> None:
    contexts = make_contexts()
    first, second = Ear(), Ear()
    p.SSL_CTX_set_info_callback(contexts[0], first.info)
    ends = make_ends(*contexts)
    p.SSL_CTX_set_info_callback(contexts[0], second.info)
    p.SSL_CTX_set_info_callback(contexts[1], second.info)

    MemLink(*ends).established()

    assert first.heard
    assert not second.heard
    p.SSL_CTX_set_info_callback(contexts[0], None)
    assert p.SSL_CTX_get_info_callback(contexts[0]) is None
    quiet = MemLink(*make_ends(contexts[0], make_contexts()[1]))
    first.take()
    quiet.established()
    assert not first.heard


@clause("INFO-1")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
def test_what_is_no_callable_is_a_type_error(holder: str) -> None:
    ctx = make_contexts()[0]
    one: Any = ctx if holder == "ctx" else new_ssl(ctx)
    for name in ("set_info_callback", "set_msg_callback"):
        with pytest.raises(TypeError):
            getattr(one, name)(1)
    assert one.get_info_callback() is None
    one.free()
    with pytest.raises(ValueError, match="freed"):
        one.set_info_callback(None)
    with pytest.raises(ValueError, match="freed"):
        one.get_info_callback()
    with pytest.raises(ValueError, match="freed"):
        one.set_msg_callback(None)
    with pytest.raises(ValueError, match="freed"):
        one.set_msg_callback_arg(None)


# ---- what is told -----------------------------------------------------------

CLIENT = {
    TLS12: [
        *["PINIT", "TWCH", "TRSH", "TRSC", "TRSKE", "TRSD"],
        *["TWCKE", "TWCCS", "TWFIN", "TRST", "TRCCS", "TRFIN"],
    ],
    TLS13: [
        *["PINIT", "TWCH", "TRSH", "TREE", "TRSC", "TRSCV", "TRFIN"],
        *["TWCCS", "TWFIN"],
    ],
}
SERVER = {
    TLS12: [
        *["PINIT", "TRCH", "TWSH", "TWSC", "TWSKE", "TWSD"],
        *["TRCKE", "TRCCS", "TRFIN", "TWST", "TWCCS", "TWFIN"],
    ],
    TLS13: [
        *["PINIT", "TRCH", "TWSH", "TWCCS", "TWEE", "TWSC", "TWSCV"],
        *["TWFIN", "TED", "TRFIN", "TWST"],
    ],
}


@clause("INFO-2", "INFO-3", "INFO-4", "INFO-6", "HS-51")
@BOTH
def test_full_handshake_is_told_in_the_order_of_its_messages(
    version: int,
) -> None:
    both = Watched(version)
    both.link.established()

    for ear, side, states in (
        (both.client_ear, told.CONNECT, CLIENT[version]),
        (both.server_ear, told.ACCEPT, SERVER[version]),
    ):
        infos = ear.infos
        assert told.loops(ear.heard) == states
        assert infos[0] == (p.SSL_CB_HANDSHAKE_START, 1, "PINIT")
        assert infos[1] == (p.SSL_CB_LOOP | side, 1, "PINIT")
        assert infos[-2] == (p.SSL_CB_HANDSHAKE_DONE, 1, "SSLOK")
        assert infos[-1] == (p.SSL_CB_EXIT | side, 1, "SSLOK")
        wheres = [where for where, _, _ in infos]
        assert wheres.count(p.SSL_CB_HANDSHAKE_START) == 1
        assert wheres.count(p.SSL_CB_HANDSHAKE_DONE) == 1
        assert all(
            ret == 1 for where, ret, _ in infos if where & 3 != p.SSL_CB_EXIT
        )


@clause("INFO-3", "INFO-4", "HS-26", "HS-52")
@BOTH
def test_each_call_ends_with_an_exit_that_has_its_result(version: int) -> None:
    both = Watched(version)
    results: dict[int, int] = {id(both.client): -1, id(both.server): -1}
    waits = {TLS12: ["TWCH", "TWSD", "TWFIN"], TLS13: ["TWCH", "TED"]}
    seen = []
    while -1 in results.values():
        for ssl in (both.client, both.server):
            if results[id(ssl)] == 1:
                continue
            ret, heard = both.call(ssl, "SSL_do_handshake")
            results[id(ssl)] = ret
            exits = [
                (left, state)
                for where, left, state in told.infos(heard)
                if where & 0xFF == told.EXIT
            ]
            state = "SSLOK" if ret == 1 else p.SSL_state_string(ssl)
            assert exits == [(ret, state)]
            assert told.infos(heard)[-1][0] & told.EXIT
            if ret != 1:
                seen.append(state)
    assert seen == waits[version]


@clause("INFO-4")
def test_calls_that_do_nothing_tell_nothing() -> None:
    both = Watched().established()
    assert both.call(both.client, "SSL_do_handshake") == (1, [])
    assert both.call(both.server, "SSL_connect") == (1, [])

    alone = new_ssl(make_contexts()[0])
    ear = Ear().of(alone)
    assert outcome(alone, p.SSL_do_handshake(alone)) == (-1, p.SSL_ERROR_SSL)
    p.SSL_set_connect_state(alone)
    assert outcome(alone, p.SSL_do_handshake(alone)) == (-1, p.SSL_ERROR_SSL)
    assert ear.heard == []
    assert len(ssl_reasons()) == 2


@clause("INFO-4")
def test_dead_object_and_closed_one_tell_nothing_more() -> None:
    peer = raw_client()
    ear = Ear().of(peer.ssl)
    peer.handshake()
    peer.feed("15030300020228")
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert ear.infos[-2:] == [
        (p.SSL_CB_READ_ALERT, 0x228, "TWCH"),
        (p.SSL_CB_CONNECT_EXIT, -1, "SSLERR"),
    ]
    ear.take()
    assert peer.handshake()[0] == -1
    assert ear.heard == []
    ssl_reasons()

    peer = raw_server()
    ear = Ear().of(peer.ssl)
    peer.feed("15030300020100")
    assert peer.handshake() == (0, p.SSL_ERROR_ZERO_RETURN)
    assert ear.infos[-2:] == [
        (p.SSL_CB_READ_ALERT, p.SSL3_AL_WARNING << 8, "PINIT"),
        (p.SSL_CB_ACCEPT_EXIT, 0, "PINIT"),
    ]
    ear.take()
    assert peer.handshake() == (0, p.SSL_ERROR_ZERO_RETURN)
    assert ear.heard == []


@clause("INFO-4")
def test_every_retry_of_a_bio_is_an_exit() -> None:
    both = Watched()
    client = both.client
    for _ in range(3):
        both.client_ear.take()
        assert p.SSL_do_handshake(client) == -1
        assert both.client_ear.infos[-1] == (
            p.SSL_CB_CONNECT_EXIT,
            -1,
            "TWCH",
        )


@clause("INFO-4", "HS-25", "GE-13")
def test_suspension_by_a_callback_is_an_exit() -> None:
    answers = [-1, -1, 1]
    contexts = make_contexts()
    p.SSL_CTX_set_client_hello_cb(
        contexts[1], lambda ssl, alert, arg: answers.pop(0)
    )
    server_ear = Ear().of(contexts[1])
    link = MemLink(*make_ends(*contexts))
    p.SSL_do_handshake(link.client)
    link.move()
    for _ in range(2):
        server_ear.take()
        ret = p.SSL_do_handshake(link.server)
        assert outcome(link.server, ret)[1] == (
            p.SSL_ERROR_WANT_CLIENT_HELLO_CB
        )
        assert server_ear.infos[-1][:2] == (p.SSL_CB_ACCEPT_EXIT, -1)
    link.established()
    assert server_ear.infos[-1] == (p.SSL_CB_ACCEPT_EXIT, 1, "SSLOK")


# ---- failures and alerts ----------------------------------------------------


@clause("INFO-5", "INFO-3")
@BOTH
def test_refused_certificate_is_told_to_both_sides(version: int) -> None:
    contexts = make_contexts(version=version)
    p.SSL_CTX_load_verify_mem(contexts[0], ca.leaf("rsa").ca_pem)
    ears = [Ear().of(ctx) for ctx in contexts]
    other = make_contexts(server=ca.leaf("p256", self_signed=True))[1]
    p.SSL_CTX_set_min_proto_version(other, version)
    p.SSL_CTX_set_max_proto_version(other, version)
    ears[1] = Ear().of(other)
    link = MemLink(*make_ends(contexts[0], other))
    results = link.handshake()

    assert results[-1][0] == -1
    code = ears[0].infos[-2][1]
    assert code >> 8 == p.SSL3_AL_FATAL
    assert ears[0].infos[-2:] == [
        (p.SSL_CB_WRITE_ALERT, code, "SSLERR"),
        (p.SSL_CB_CONNECT_EXIT, -1, "SSLERR"),
    ]
    assert ears[1].infos[-2:] == [
        (p.SSL_CB_READ_ALERT, code, {TLS12: "TWSD", TLS13: "TED"}[version]),
        (p.SSL_CB_ACCEPT_EXIT, -1, "SSLERR"),
    ]
    assert p.SSL_CB_HANDSHAKE_DONE not in [i[0] for i in ears[0].infos]
    ssl_reasons()


@clause("INFO-3", "INFO-5")
@BOTH
def test_unknown_ca_is_560(version: int) -> None:
    contexts = make_contexts(verify=False, version=version)
    p.SSL_CTX_set_verify(contexts[0], p.SSL_VERIFY_PEER, None)
    ear = Ear().of(contexts[0])
    assert MemLink(*make_ends(*contexts)).handshake()[-1][0] == -1
    assert (p.SSL_CB_WRITE_ALERT, 560, "SSLERR") in ear.infos
    ssl_reasons()


@clause("INFO-3")
@BOTH
def test_shutdown_is_an_alert_of_256_on_both_sides(version: int) -> None:
    both = Watched(version).established()
    sent = [(p.SSL_CB_WRITE_ALERT, 256, "SSLOK")]
    got = [(p.SSL_CB_READ_ALERT, 256, "SSLOK")]

    ret, heard = both.call(both.client, "SSL_shutdown")
    assert (ret, told.infos(heard)) == (0, sent)
    ret, heard = both.call(both.server, "SSL_read", bytearray(9))
    assert (ret, told.infos(heard)[-1:]) == (0, got)
    ret, heard = both.call(both.server, "SSL_shutdown")
    assert (ret, told.infos(heard)) == (1, sent)
    ret, heard = both.call(both.client, "SSL_shutdown")
    assert (ret, told.infos(heard)[-1:]) == (1, got)


@clause("INFO-3", "INFO-5")
@BOTH
def test_fault_of_a_read_tells_the_alert_that_goes_out(version: int) -> None:
    both = Watched(version, tickets=0).established()
    p.BIO_write(both.link.client_in, bytes.fromhex("1703030020") + bytes(32))
    ret, heard = both.call(both.client, "SSL_read", bytearray(9))
    assert ret == -1
    assert told.infos(heard) == [(p.SSL_CB_WRITE_ALERT, 0x214, "SSLERR")]
    ssl_reasons()
    ret, heard = both.call(both.server, "SSL_read", bytearray(9))
    assert ret == -1
    assert told.infos(heard) == [(p.SSL_CB_READ_ALERT, 0x214, "SSLOK")]
    ssl_reasons()


@clause("INFO-3", "RW-28")
def test_refusal_of_a_renegotiation_is_told() -> None:
    it = Forged(server=False)
    ear = Ear().of(it.ssl)
    it.feed(told.MESSAGE, bytes(4))
    assert p.SSL_read(it.ssl, bytearray(9)) == -1
    assert ear.infos == [(p.SSL_CB_WRITE_ALERT, 0x164, "SSLOK")]
    assert told.kinds(ear.heard) == [
        (0, told.MESSAGE, 0),
        (1, told.ALERT, 1),
    ]


# ---- after the handshake ----------------------------------------------------

TICKET = [
    (p.SSL_CB_CONNECT_LOOP, 1, "SSLOK"),
    (p.SSL_CB_CONNECT_LOOP, 1, "TRST"),
    (p.SSL_CB_CONNECT_EXIT, 1, "SSLOK"),
]


@clause("INFO-7")
@pytest.mark.parametrize("auto_retry", [True, False])
def test_tickets_are_told_inside_the_read(auto_retry: bool) -> None:
    both = Watched(TLS13, tickets=2).established()
    if not auto_retry:
        p.SSL_clear_mode(both.client, p.SSL_MODE_AUTO_RETRY)
    for _ in range(1 if auto_retry else 2):
        both.client_ear.take()
        assert p.SSL_read(both.client, bytearray(9)) == -1
        assert both.client_ear.infos == TICKET * (2 if auto_retry else 1)
    assert p.SSL_state_string(both.client) == "SSLOK"


@clause("INFO-7")
def test_tickets_are_told_inside_the_second_shutdown() -> None:
    both = Watched(TLS13, tickets=2).established()
    p.SSL_shutdown(both.client)
    both.client_ear.take()
    assert p.SSL_shutdown(both.client) == -1
    assert both.client_ear.infos == TICKET * 2


@clause("INFO-7", "RW-29", "RFC 8446 4.6.3")
def test_key_updates_are_told_by_both_sides() -> None:
    both = Watched(TLS13, tickets=0).established()
    for ours, theirs, side, peer, states in (
        (
            both.client,
            both.server,
            told.CONNECT,
            told.ACCEPT,
            ("TWCKU", "TRCKU"),
        ),
        (
            both.server,
            both.client,
            told.ACCEPT,
            told.CONNECT,
            ("TWSKU", "TRSKU"),
        ),
    ):
        assert both.call(ours, "SSL_key_update", 0) == (1, [])
        ret, heard = both.call(ours, "SSL_write", b"data")
        assert (ret, told.infos(heard)) == (
            4,
            [
                (told.LOOP | side, 1, "SSLOK"),
                (told.LOOP | side, 1, states[0]),
                (told.EXIT | side, 1, "SSLOK"),
            ],
        )
        ret, heard = both.call(theirs, "SSL_read", bytearray(9))
        assert (ret, told.infos(heard)) == (
            4,
            [
                (told.LOOP | peer, 1, "SSLOK"),
                (told.LOOP | peer, 1, states[1]),
                (told.EXIT | peer, 1, "SSLOK"),
            ],
        )


@clause("INFO-4")
def test_second_handshake_after_clear_begins_again() -> None:
    both = Watched().established()
    both.call(both.client, "SSL_shutdown")
    both.call(both.server, "SSL_shutdown")
    for ssl in (both.client, both.server):
        assert p.SSL_clear(ssl) == 1
    both.link.attach()
    both.client_ear.take()
    both.link.established()
    assert both.client_ear.infos[0] == (0x10, 1, "PINIT")
    assert both.client_ear.infos[-1] == (0x1002, 1, "SSLOK")


# ---- inside a callback ------------------------------------------------------


@clause("INFO-8", "HS-48")
def test_callback_sees_the_state_of_its_notice() -> None:
    contexts = make_contexts()
    seen: list[tuple[Any, ...]] = []

    def info(ssl: p.SSL, where: int, ret: int) -> None:
        seen.append(
            (
                p.SSL_state_string(ssl),
                p.SSL_state_string_long(ssl),
                p.SSL_get_state(ssl) == p.SSL_ST_OK,
                p.SSL_is_init_finished(ssl),
                p.SSL_in_init(ssl),
            )
        )

    p.SSL_CTX_set_info_callback(contexts[0], info)
    link = MemLink(*make_ends(*contexts)).established()

    assert ("TRSCV", "TLSv1.3 read server certificate verify") in [
        one[:2] for one in seen
    ]
    assert all(one[2] == one[3] != one[4] for one in seen)
    assert [one[3] for one in seen][-2:] == [1, 1]
    assert sum(one[3] for one in seen) == 2
    assert p.SSL_state_string(link.client) == "SSLOK"


@clause("INFO-8")
def test_other_thread_sees_the_state_as_it_is() -> None:
    contexts = make_contexts()
    link = MemLink(*make_ends(*contexts))
    seen: list[str] = []

    def look() -> None:
        seen.append(p.SSL_state_string(link.client))

    def info(ssl: p.SSL, where: int, ret: int) -> None:
        if p.SSL_state_string(ssl) == "PINIT":
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()

    p.SSL_set_info_callback(link.client, info)
    p.SSL_do_handshake(link.client)
    assert set(seen) == {"TWCH"}


CALLS: dict[str, Any] = {
    "SSL_do_handshake": (),
    "SSL_connect": (),
    "SSL_accept": (),
    "SSL_read": (bytearray(9),),
    "SSL_peek": (bytearray(9),),
    "SSL_write": (b"no",),
    "SSL_shutdown": (),
    "SSL_key_update": (0,),
    "SSL_free": (),
}


@clause("INFO-8", "CV-7")
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("during", ["handshake", "read", "write", "shutdown"])
def test_io_inside_a_callback_is_a_runtime_error(
    name: str, during: str
) -> None:
    contexts = make_contexts(tickets=1)
    link = MemLink(*make_ends(*contexts))
    errors: list[BaseException] = []

    def info(ssl: p.SSL, *_: Any) -> None:
        try:
            getattr(p, name)(ssl, *CALLS[name])
        except RuntimeError as e:
            errors.append(e)
        else:
            raise AssertionError(f"{name} was let in")

    if during == "handshake":
        p.SSL_set_info_callback(link.client, info)
        link.established()
    else:
        link.established()
        p.SSL_key_update(link.client, 0)
        p.SSL_set_info_callback(link.client, info)
        if during == "read":
            p.SSL_read(link.client, bytearray(9))
        elif during == "write":
            assert p.SSL_write(link.client, b"data") == 4
        else:
            assert p.SSL_shutdown(link.client) == 0
    assert errors
    p.SSL_set_info_callback(link.client, None)
    if during == "write":
        link.move()
        assert links.read(link.server) == b"data"
    if during != "shutdown":
        link.send(link.client, b"still here")


@clause("CV-7", "INFO-8")
def test_what_a_callback_raises_changes_nothing(unraisable: list[Any]) -> None:
    contexts = make_contexts()

    def info(ssl: p.SSL, where: int, ret: int) -> None:
        raise KeyError(where)

    def msg(*arguments: Any) -> None:
        raise SystemExit

    for ctx in contexts:
        p.SSL_CTX_set_info_callback(ctx, info)
        p.SSL_CTX_set_msg_callback(ctx, msg)
    link = MemLink(*make_ends(*contexts))
    link.established()
    link.send(link.client, b"data")

    gc.collect()
    kinds = {one.exc_type for one in unraisable}
    assert kinds == {KeyError, SystemExit}
    assert p.SSL_shutdown(link.client) == 0


@clause("INFO-8")
@pytest.mark.parametrize("during", ["handshake", "read"])
def test_callback_may_switch_itself_off(during: str) -> None:
    link = MemLink(*make_ends(*make_contexts(tickets=2)))
    count = 0

    def info(ssl: p.SSL, where: int, ret: int) -> None:
        nonlocal count
        count += 1
        p.SSL_set_info_callback(ssl, None)

    if during == "handshake":
        p.SSL_set_info_callback(link.client, info)
        link.established()
    else:
        link.established()
        p.SSL_set_info_callback(link.client, info)
        p.SSL_read(link.client, bytearray(9))
    link.send(link.client, b"data")
    assert count == 1


@clause("INFO-8")
def test_callback_during_the_handshake_may_ask_for_messages() -> None:
    link = MemLink(*make_ends(*make_contexts()))
    ear = Ear()

    def info(ssl: p.SSL, where: int, ret: int) -> None:
        if where == p.SSL_CB_CONNECT_EXIT:
            p.SSL_set_msg_callback(ssl, ear.msg)

    p.SSL_set_info_callback(link.client, info)
    link.established()
    assert told.kinds(ear.heard)[0] == (0, told.MESSAGE, 2)


# ---- other transports and threads -------------------------------------------


@clause("INFO-4")
def test_bio_in_python_changes_nothing_that_is_told() -> None:
    both = Watched(TLS13)
    both.link.established()
    expected = both.client_ear.infos

    contexts = make_contexts(version=TLS13)
    ear = Ear().of(contexts[0])
    client, server = make_ends(*contexts)
    mine = PyBio()
    link = MemLink(client, server)
    p.SSL_set_bio(client, mine.bio, mine.bio)
    for _ in range(3):
        p.SSL_do_handshake(client)
        p.BIO_write(link.server_in, bytes(mine.outgoing) or b"")
        mine.outgoing.clear()
        p.SSL_do_handshake(server)
        size = p.BIO_ctrl_pending(link.server_out)
        if size:
            got = bytearray(size)
            p.BIO_read(link.server_out, got)
            mine.incoming += got
    assert p.SSL_is_init_finished(server)
    assert ear.infos == expected


@clause("INFO-3", "CV-8")
@pytest.mark.threads
@BOTH
def test_reader_and_writer_threads_are_told_apart(version: int) -> None:
    contexts = make_contexts(version=version)
    with SockLink(*make_ends(*contexts)) as link:
        link.established()
        talk_both_ways(link)


def talk_both_ways(link: SockLink) -> None:
    """Read and write at once; each thread is told of its own half."""
    owners: dict[tuple[int, int], set[int]] = {}

    def msg(sent: int, version: int, kind: int, *rest: Any) -> None:
        owners.setdefault((sent, kind), set()).add(threading.get_ident())

    p.SSL_set_msg_callback(link.client, msg)
    rounds = 200
    ids: dict[str, int] = {}

    def write() -> None:
        ids["writer"] = threading.get_ident()
        for _ in range(rounds):
            assert p.SSL_write(link.client, b"w" * 100) == 100

    def read() -> None:
        ids["reader"] = threading.get_ident()
        left = rounds * 100
        while left:
            got = p.SSL_read(link.client, bytearray(300))
            assert got > 0
            left -= got

    threads = [threading.Thread(target=run) for run in (write, read)]
    for thread in threads:
        thread.start()
    left = rounds * 100
    assert p.SSL_write(link.server, b"r" * left) == left
    while left:
        got = p.SSL_read(link.server, bytearray(300))
        assert got > 0
        left -= got
    for thread in threads:
        thread.join()
    assert owners[1, told.HEADER] == {ids["writer"]}
    assert owners[0, told.HEADER] == {ids["reader"]}
