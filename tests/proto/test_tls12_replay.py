"""Handshakes of TLS 1.2 replayed octet for octet.

Two kinds. The published captures do not tell the premaster secret, so ours
plays their client up to the end of the server's first flight, whose
signature covers both randoms: it must be taken as it is. For the rest, the
standard library's ssl talks to the forge, which knows its own private keys;
ours then gets the forge's randoms and keys and everything that OpenSSL said,
and must say what the forge said: keys, Finished, records.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

import pyssl as p
from pyssl._ffi import lib
from tests.api import links
from tests.clauses import clause
from tests.core.test_forge import Other
from tests.core.test_forge12 import NAMES, context, kind_of
from tests.forge import (
    ForgeClient12,
    ForgeServer12,
    keys,
    messages as m,
    peer12,
)
from tests.pki import ca

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
CAPTURES = json.loads((VECTORS / "tls12_handshakes.json").read_text("utf-8"))[
    "handshakes"
]
ALPN = b"\x08http/1.1"


def put_message(whole: bytes) -> None:
    """Let ours send these bytes as its next message of the type."""
    lib.pys_test_put_message(whole[0], whole, len(whole))


def put_random(data: bytes) -> None:
    """Let ours draw these bytes."""
    lib.pys_test_put_random(data, len(data))


def record(data: bytes) -> bytes:
    """Put handshake messages into records in the clear."""
    out = b""
    for at in range(0, len(data), 16384):
        part = data[at : at + 16384]
        out += b"\x16\x03\x03" + len(part).to_bytes(2, "big") + part
    return out


def split(stream: bytes) -> list[bytes]:
    """Cut a stream into records."""
    out = []
    while stream:
        n = 5 + int.from_bytes(stream[3:5], "big")
        out.append(stream[:n])
        stream = stream[n:]
    return out


# ---- the captures -----------------------------------------------------------


@clause("RFC 5246 7.4.3", "RFC 8422 5.4", "RFC 5246 7.4.1.3")
@pytest.mark.parametrize("v", CAPTURES, ids=[v["id"] for v in CAPTURES])
def test_capture_is_taken_up_to_the_key_exchange(v: dict[str, Any]) -> None:
    ctx, _ = links.make_contexts(verify=False, version=p.TLS1_2_VERSION)
    ssl = links.new_ssl(ctx)
    p.SSL_set_connect_state(ssl)
    assert p.SSL_set_alpn_protos(ssl, ALPN) == 0
    assert p.SSL_set_tlsext_host_name(ssl, "localhost") == 1
    whole = {
        one["type"]: bytes.fromhex(one["message"]) for one in v["messages"]
    }
    peer = links.RawPeer(ssl)
    put_random(bytes.fromhex(v["client_random"]))
    put_message(whole["ClientHello"])
    put_message(whole["ClientKeyExchange"])

    assert peer.handshake() == (-1, p.SSL_ERROR_WANT_READ)
    assert peer.sent()[5:] == whole["ClientHello"]
    for name in ("ServerHello", "Certificate", "ServerKeyExchange"):
        peer.feed(record(whole[name]))
    peer.feed(record(whole["ServerHelloDone"]))

    assert peer.handshake() == (-1, p.SSL_ERROR_WANT_READ), links.reasons()
    exchange, ccs, finished = split(peer.sent())
    assert exchange == record(whole["ClientKeyExchange"])
    assert ccs == b"\x14\x03\x03\x00\x01\x01"
    assert finished[:3] == b"\x16\x03\x03"
    explicit = 0 if v["cipher_suite"].startswith("cc") else 8
    assert len(finished) == 5 + explicit + 16 + 16


@clause("RFC 8422 5.4", "RFC 5246 7.2.2")
@pytest.mark.parametrize("v", CAPTURES, ids=[v["id"] for v in CAPTURES])
def test_capture_with_another_random_is_not_taken(v: dict[str, Any]) -> None:
    ctx, _ = links.make_contexts(verify=False, version=p.TLS1_2_VERSION)
    ssl = links.new_ssl(ctx)
    p.SSL_set_connect_state(ssl)
    assert p.SSL_set_alpn_protos(ssl, ALPN) == 0
    assert p.SSL_set_tlsext_host_name(ssl, "localhost") == 1
    peer = links.RawPeer(ssl)
    peer.handshake()
    for one in v["messages"]:
        if one["who"] == "server" and one["type"] != "Finished":
            peer.feed(record(bytes.fromhex(one["message"])))
    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.ssl_reasons() == [p.SSL_R_BAD_SIGNATURE]


# ---- what OpenSSL and the forge have said to each other ---------------------


class Tape:
    """Both directions of a connection, as the forge had them.

    Attributes:
        said: (by the forge?, bytes), in order.
        messages: what the forge sent, whole, by type.
        private: key of its share.
    """

    def __init__(self, forge: Any) -> None:
        self.forge = forge
        self.said: list[tuple[bool, bytes]] = []
        self.messages: dict[int, bytes] = {}
        self.private = b""
        feed, take, send = forge.feed, forge.take, forge.send

        def fed(data: bytes) -> None:
            if data:
                self.said.append((False, data))
            self.look()
            feed(data)
            self.look()

        def taken() -> bytes:
            data = bytes(take())
            if data:
                self.said.append((True, data))
            return data

        def sent(message: Any) -> None:
            if isinstance(message, bytes):
                self.messages[message[0]] = message
            send(message)

        forge.feed, forge.take, forge.send = fed, taken, sent

    def look(self) -> None:
        """Keep the private key while the forge has it."""
        share = getattr(self.forge, "share", None)
        if share is not None:
            self.private = private_of(share)


def private_of(share: keys.Share) -> bytes:
    """The private key in the form that the core's hook takes."""
    if share._x is not None:
        return share._x.private_bytes(
            serialization.Encoding.Raw,
            serialization.PrivateFormat.Raw,
            serialization.NoEncryption(),
        )
    assert share._p is not None
    size = (share._p.curve.key_size + 7) // 8
    value = share._p.private_numbers().private_value
    return value.to_bytes(size, "big")


def talk(other: Other, forge: Any) -> None:
    """Handshake, a word each way, the forge's close_notify."""
    other.run(forge)
    assert other.fault is None
    other.object.write(b"from OpenSSL")
    forge.feed(other.outgoing.read())
    forge.write(b"from the forge")
    forge.write(b"d" * 16384)
    forge.alert(0, level=1)
    other.incoming.write(forge.take())
    assert other.object.read(100) == b"from the forge"
    forge.feed(other.outgoing.read())


def replay(ssl: p.SSL, tape: Tape) -> None:
    """Let ours be the forge: what it says must be on the tape."""
    peer = links.RawPeer(ssl)
    mine = b"".join(data for forged, data in tape.said if forged)
    theirs = [data for forged, data in tape.said if not forged]
    said = b""
    if not p.SSL_is_server(ssl):
        assert peer.handshake() == (-1, p.SSL_ERROR_WANT_READ)
        said += peer.sent()
    for data in theirs:
        peer.feed(data)
        if p.SSL_in_init(ssl):
            peer.handshake()
            said += peer.sent()
    assert p.SSL_is_init_finished(ssl), links.reasons()
    assert links.read(ssl) == b"from OpenSSL"
    assert p.SSL_write(ssl, b"from the forge") == 14
    assert p.SSL_write(ssl, b"d" * 16384) == 16384
    assert p.SSL_shutdown(ssl) == 0
    said += peer.sent()
    # The first record may have the version of an older hello.
    ours, forged = contents(said), contents(mine)
    assert ours == forged


def contents(stream: bytes) -> list[tuple[int, bytes]]:
    """Type and body of each record; clear messages joined."""
    out: list[tuple[int, bytes]] = []
    sealed = False
    for one in split(stream):
        clear = one[0] == 22 and not sealed
        if clear and out and out[-1][0] == 22:
            out[-1] = (22, out[-1][1] + one[5:])
        else:
            out.append((one[0], one[5:]))
        sealed = sealed or one[0] == 20
    return out


CASES = [
    pytest.param(suite, group, extended, id=f"{suite:04x}-{group:02x}-{name}")
    for suite in NAMES
    for group in (keys.X25519, keys.P256, keys.P384, keys.P521)
    for extended, name in ((True, "EMS"), (False, "no-EMS"))
    if group in {keys.X25519, keys.P256} or suite in {0xC030, 0xC02F}
]


@clause("RFC 5246 8.1", "RFC 7627 4", "RFC 5246 7.4.9", "RFC 5288 3")
@pytest.mark.parametrize(("suite", "group", "extended"), CASES)
def test_replay_as_client_is_octet_for_octet(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suite: int,
    group: int,
    extended: bool,
) -> None:
    own = ca.leaf(kind_of(suite))
    groups = [group, keys.P256] if group != keys.P256 else [group]
    forge = ForgeClient12(
        suites=[suite], groups=groups, extended=extended, ticket=b""
    )
    tape, made = Tape(forge), keys.Share(group)
    monkeypatch.setattr(peer12, "Share", lambda _group: made)
    forge.start()
    other = Other(context(tmp_path, True, own, None, group), True)
    other.incoming.write(forge.take())
    talk(other, forge)

    ctx, _ = links.make_contexts(version=p.TLS1_2_VERSION, server=own)
    ssl = links.make_ends(ctx, ctx)[0]
    if not extended:
        p.SSL_set_options(ssl, p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    put_random(forge.hello.random)
    put_message(tape.messages[m.CLIENT_HELLO])
    private = private_of(made)
    lib.pys_test_put_share(group, private, len(private))
    replay(ssl, tape)


@clause("RFC 5246 8.1", "RFC 7627 4", "RFC 5246 7.4.9", "RFC 5288 3")
@pytest.mark.parametrize(("suite", "group", "extended"), CASES)
def test_replay_as_server_is_octet_for_octet(
    tmp_path: Path, suite: int, group: int, extended: bool
) -> None:
    own = ca.leaf(kind_of(suite))
    forge = ForgeServer12(own, suite, group=group, extended=extended)
    tape = Tape(forge)
    made = context(tmp_path, False, None, own)
    talk(Other(made, False), forge)

    _, ctx = links.make_contexts(version=p.TLS1_2_VERSION, server=own)
    assert p.SSL_CTX_set_cipher_list(ctx, NAMES[suite]) == 1
    names = {0x1D: "X25519", 0x17: "P-256", 0x18: "P-384", 0x19: "P-521"}
    assert p.SSL_CTX_set1_groups_list(ctx, names[group]) == 1
    if not extended:
        p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    p.SSL_CTX_set_options(ctx, p.SSL_OP_NO_TICKET)
    ssl = links.make_ends(ctx, ctx)[1]
    hello = tape.messages[m.SERVER_HELLO]
    put_random(hello[6:38])
    put_message(hello)
    put_message(tape.messages[m.SERVER_KEY_EXCHANGE])
    lib.pys_test_put_share(group, tape.private, len(tape.private))
    replay(ssl, tape)
