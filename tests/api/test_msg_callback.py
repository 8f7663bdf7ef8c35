"""SSL_CTX_set_msg_callback(3): contract 6.13."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api import told
from tests.api.links import (
    MemLink,
    make_contexts,
    make_ends,
    raw_server,
    ssl_reasons,
)
from tests.api.test_early_data import early_contexts, early_link
from tests.api.told import CCS, HEADER, INNER, MESSAGE, Ear, Watched
from tests.clauses import clause

TLS12, TLS13 = p.TLS1_2_VERSION, p.TLS1_3_VERSION
BOTH = pytest.mark.parametrize("version", [TLS12, TLS13])

CLIENT_HELLO, SERVER_HELLO, TICKET, EXTENSIONS = 1, 2, 4, 8
CERTIFICATE, KEY_EXCHANGE, REQUEST, DONE = 11, 12, 13, 14
VERIFY, CLIENT_KEY, FINISHED, KEY_UPDATE = 15, 16, 20, 24

# (sent by the client, content type, first byte), in order.
FLOW = {
    TLS12: [
        (1, MESSAGE, CLIENT_HELLO),
        (0, MESSAGE, SERVER_HELLO),
        (0, MESSAGE, CERTIFICATE),
        (0, MESSAGE, KEY_EXCHANGE),
        (0, MESSAGE, DONE),
        (1, MESSAGE, CLIENT_KEY),
        (1, CCS, 1),
        (1, MESSAGE, FINISHED),
        (0, MESSAGE, TICKET),
        (0, CCS, 1),
        (0, MESSAGE, FINISHED),
    ],
    TLS13: [
        (1, MESSAGE, CLIENT_HELLO),
        (0, MESSAGE, SERVER_HELLO),
        (0, CCS, 1),
        (0, MESSAGE, EXTENSIONS),
        (0, MESSAGE, CERTIFICATE),
        (0, MESSAGE, VERIFY),
        (0, MESSAGE, FINISHED),
        (1, CCS, 1),
        (1, MESSAGE, FINISHED),
    ],
}


@clause("MSG-1", "MSG-3")
@BOTH
def test_handshake_messages_come_in_order_on_both_sides(version: int) -> None:
    both = Watched(version, tickets=0)
    both.link.established()

    flow = FLOW[version]
    assert told.kinds(both.client_ear.heard) == [
        one for one in flow if one[0] == 1 or one[1] != CCS
    ]
    assert told.kinds(both.server_ear.heard) == [
        (1 - sent, kind, first)
        for sent, kind, first in flow
        if sent == 0 or kind != CCS
    ]
    for ear in (both.client_ear, both.server_ear):
        for _, seen, kind, data in ear.msgs:
            assert seen == version
            raw = bytes.fromhex(data)
            if kind == MESSAGE:
                assert int.from_bytes(raw[1:4], "big") == len(raw) - 4


@clause("MSG-1")
@BOTH
@pytest.mark.parametrize("client_auth", [False, True])
def test_what_one_side_sent_the_other_received(
    version: int, client_auth: bool
) -> None:
    both = Watched(version, client_auth=client_auth)
    both.link.established()
    for ssl in (both.client, both.server):
        both.link.send(ssl, b"data")
    p.SSL_shutdown(both.client)
    both.link.move()
    p.SSL_read(both.server, bytearray(9))
    p.SSL_shutdown(both.server)
    both.link.move()
    p.SSL_shutdown(both.client)

    def sides(ear: Ear, sent: int) -> list[Any]:
        return [
            (kind, data)
            for way, _, kind, data in ear.msgs
            if way == sent and kind != CCS
        ]

    ours, theirs = both.client_ear, both.server_ear
    assert sides(ours, 1) == sides(theirs, 0) != []
    assert sides(theirs, 1) == sides(ours, 0) != []
    assert (told.ALERT, "0100") in sides(ours, 1)


@clause("MSG-1", "MSG-3", "RFC 8446 4.1.2")
def test_client_hello_is_sent_with_the_highest_version() -> None:
    contexts = make_contexts(version=TLS12)
    other = make_contexts()[0]
    ears = [Ear().of(other), Ear().of(contexts[1])]
    MemLink(*make_ends(other, contexts[1])).established()
    first, *rest = ears[0].msgs
    assert first[:3] == (1, TLS13, MESSAGE)
    assert {one[1] for one in rest} == {TLS12}
    assert {one[1] for one in ears[1].msgs} == {TLS12}


@clause("MSG-1", "RFC 8446 4.1.4")
def test_both_hellos_of_a_retry_are_told() -> None:
    contexts = make_contexts(tickets=0)
    p.SSL_CTX_set1_groups_list(contexts[0], "X25519:P-384")
    p.SSL_CTX_set1_groups_list(contexts[1], "P-384")
    ears = [Ear().of(ctx) for ctx in contexts]
    MemLink(*make_ends(*contexts)).established()
    hellos = [
        one
        for one in told.kinds(ears[0].heard)
        if one[2] in (1, 2) and one[1] == MESSAGE
    ]
    assert hellos == [
        (1, MESSAGE, 1),
        (0, MESSAGE, 2),
        (1, MESSAGE, 1),
        (0, MESSAGE, 2),
    ]
    assert told.loops(ears[0].heard)[:5] == [
        "PINIT",
        "TWCH",
        "TRSH",
        "TWCCS",
        "TWCH",
    ]


@clause("MSG-1")
def test_message_in_many_records_is_told_once_and_whole() -> None:
    both = Watched(TLS13)
    p.SSL_do_handshake(both.client)
    raw = bytearray(p.BIO_ctrl_pending(both.link.client_out))
    p.BIO_read(both.link.client_out, raw)
    hello = bytes(raw[5:])
    for i in range(len(hello)):
        record = b"\x16\x03\x01\x00\x01" + hello[i : i + 1]
        p.BIO_write(both.link.server_in, record)
    p.SSL_do_handshake(both.server)
    got = [one for one in both.server_ear.msgs if one[0] == 0]
    assert got == [(0, TLS13, MESSAGE, hello.hex())]
    headers = [
        one
        for one in both.server_ear.heard
        if one[0] == "msg" and one[3] == HEADER and one[1] == 0
    ]
    assert len(headers) == len(hello)
    both.link.move()
    both.link.established()


@clause("MSG-1")
def test_message_that_cannot_be_processed_is_not_told() -> None:
    peer = raw_server()
    ear = Ear().of(peer.ssl)
    hello = b"\x01\x00\x00\x03\x03\x03\x00"
    peer.feed(b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello)
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert told.kinds(ear.heard) == [(1, told.ALERT, 2)]
    assert ear.infos[-2:] == [
        (p.SSL_CB_WRITE_ALERT, 0x232, "SSLERR"),
        (p.SSL_CB_ACCEPT_EXIT, -1, "SSLERR"),
    ]
    ssl_reasons()


# ---- pseudo types -----------------------------------------------------------


def records(heard: list[told.Notice]) -> list[tuple[int, int, int, str]]:
    """Give what was told of records."""
    return [
        (n[1], n[2], n[3], n[4])
        for n in heard
        if n[0] == "msg" and n[3] >= HEADER
    ]


@clause("MSG-2")
@BOTH
def test_headers_are_those_on_the_wire(version: int) -> None:
    both = Watched(version, tickets=0)
    p.SSL_do_handshake(both.client)
    wire = p.BIO_get_mem_data(both.link.client_out)
    header = bytes(wire)[:5]
    assert records(both.client_ear.heard) == [(1, 0x301, HEADER, header.hex())]
    both.link.move()
    p.SSL_do_handshake(both.server)
    flight = bytes(p.BIO_get_mem_data(both.link.server_out))
    found = []
    while flight:
        found.append(flight[:5].hex())
        flight = flight[5 + int.from_bytes(flight[3:5], "big") :]
    told_ = [one for one in records(both.server_ear.heard) if one[0] == 1]
    assert [one[3] for one in told_ if one[2] == HEADER] == found
    inner = [one for one in told_ if one[2] == INNER]
    # RFC 8446 5.2: what is protected hides its type.
    assert [one[3] for one in inner] == (
        ["16"] * sum(one.startswith("17") for one in found)
    )


@clause("MSG-1", "MSG-2")
@BOTH
def test_data_are_told_as_records_alone(version: int) -> None:
    both = Watched(version, tickets=0).established()
    secret = b"never told"
    ret, heard = both.call(both.client, "SSL_write", secret)
    assert ret == len(secret)
    sent = [one[2:] for one in records(heard)]
    assert told.msgs(heard) == []
    ret, heard = both.call(both.server, "SSL_read", bytearray(99))
    assert ret == len(secret)
    got = [one[2:] for one in records(heard)]
    assert told.msgs(heard) == []
    assert sent == got
    kinds = [one[0] for one in sent]
    assert kinds == ([HEADER, INNER] if version == TLS13 else [HEADER])
    assert secret.hex() not in str(heard)


@clause("MSG-1", "MSG-2", "RW-4")
def test_long_write_and_short_reads_give_the_data_unharmed() -> None:
    both = Watched(TLS13).established()
    data = bytes(range(256)) * 1000
    assert p.SSL_write(both.client, data) == len(data)
    both.link.move()
    headers = [n for n in both.client_ear.heard if n[3] == HEADER]
    assert len(headers) == -(-len(data) // 16384)
    got = b""
    while len(got) < len(data):
        buf = bytearray(5000)
        n = p.SSL_peek(both.server, buf)
        assert n > 0
        again = bytearray(5000)
        assert p.SSL_read(both.server, again) == n
        assert again == buf
        got += buf[:n]
    assert got == data
    assert len([n for n in both.server_ear.heard if n[3] == HEADER]) == (
        len(headers)
    )


@clause("MSG-1", "RFC 8446 4.6.3")
def test_tickets_and_key_updates_are_told() -> None:
    both = Watched(TLS13, tickets=2).established()
    p.SSL_key_update(both.server, 0)
    p.SSL_write(both.server, b"x")
    both.link.move()
    assert told.kinds(both.server_ear.take()) == [(1, MESSAGE, KEY_UPDATE)]
    assert p.SSL_read(both.client, bytearray(9)) == 1
    assert told.kinds(both.client_ear.heard) == [
        (0, MESSAGE, TICKET),
        (0, MESSAGE, TICKET),
        (0, MESSAGE, KEY_UPDATE),
    ]
    assert both.client_ear.msgs[-1][3] == "1800000100"


# ---- settings ---------------------------------------------------------------


@clause("MSG-3", "CTX-3")
def test_setting_is_copied_and_none_switches_off() -> None:
    contexts = make_contexts()
    ear, late = Ear(), Ear()
    p.SSL_CTX_set_msg_callback(contexts[0], ear.msg)
    client, server = make_ends(*contexts)
    p.SSL_CTX_set_msg_callback(contexts[0], late.msg)
    link = MemLink(client, server)
    p.SSL_do_handshake(client)
    assert ear.heard
    assert not late.heard

    p.SSL_set_msg_callback(client, None)
    ear.take()
    link.move()
    link.established()
    assert not ear.heard
    assert not late.heard


@clause("MSG-1", "MSG-3")
def test_argument_is_handed_on() -> None:
    contexts = make_contexts()
    seen: set[Any] = set()

    def msg(*arguments: Any) -> None:
        seen.add(arguments[5])

    p.SSL_CTX_set_msg_callback_arg(contexts[0], "of the context")
    p.SSL_CTX_set_msg_callback(contexts[0], msg)
    link = MemLink(*make_ends(*contexts))
    p.SSL_do_handshake(link.client)
    assert seen == {"of the context"}
    seen.clear()
    p.SSL_set_msg_callback_arg(link.client, "own")
    link.move()
    link.established()
    assert seen == {"own"}
    quiet = make_ends(*make_contexts())[0]
    p.SSL_set_msg_callback_arg(quiet, 1)
    assert p.SSL_get_info_callback(quiet) is None


@clause("MSG-1")
def test_certificate_that_is_refused_is_told() -> None:
    contexts = make_contexts(verify=False)
    p.SSL_CTX_set_verify(contexts[0], p.SSL_VERIFY_PEER, None)
    ear = Ear().of(contexts[0])
    MemLink(*make_ends(*contexts)).handshake()
    assert told.kinds(ear.heard)[-2:] == [
        (0, MESSAGE, CERTIFICATE),
        (1, told.ALERT, 2),
    ]
    ssl_reasons()


# ---- early data -------------------------------------------------------------


@clause("MSG-1", "INFO-6", "RFC 8446 4.5")
def test_early_data_is_told_as_records_and_its_end_as_a_message() -> None:
    pair = early_contexts(limit=1 << 20)
    p.SSL_CTX_set_recv_max_early_data(pair[1], 1 << 20)
    link = early_link(pair)
    client, server = (Ear().of(ssl) for ssl in (link.client, link.server))
    data = bytes(300_000)
    assert p.SSL_write_early_data(link.client, data) == (1, len(data))
    sent = [n[3] for n in client.heard if n[0] == "msg" and n[3] > MESSAGE]
    assert sent.count(HEADER) == 2 + -(-len(data) // 16384)
    assert told.loops(client.heard) == ["PINIT", "TWCH", "TWCCS", "TED"]
    link.move()
    got = b""
    while len(got) < len(data):
        buf = bytearray(20000)
        ret, n = p.SSL_read_early_data(link.server, buf)
        assert ret == p.SSL_READ_EARLY_DATA_SUCCESS
        got += buf[:n]
    assert got == data
    link.move()
    link.established()
    assert p.SSL_get_early_data_status(link.client) == 2
    end = (1, MESSAGE, 5)
    assert end in told.kinds(client.heard)
    assert (0, *end[1:]) in told.kinds(server.heard)
    assert client.infos[-1] == (p.SSL_CB_CONNECT_EXIT, 1, "SSLOK")
    assert server.infos[-1] == (p.SSL_CB_ACCEPT_EXIT, 1, "SSLOK")
    for ear in (client, server):
        wheres = [where for where, _, _ in ear.infos]
        assert wheres.count(p.SSL_CB_HANDSHAKE_DONE) == 1
        assert wheres.count(p.SSL_CB_HANDSHAKE_START) == 1
