"""The benchmark's data over sockets: what is measured is what is told."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any, Optional

import pytest

from pyssl.bench import catalog, limit, pki, report, rounds, sockets
from pyssl.bench.__main__ import main
from pyssl.bench.peers import PEERS, find_peers
from pyssl.bench.peers.base import (
    FailedError,
    Peer,
    Setup,
    SkipError,
)
from pyssl.bench.peers.ssl_peers import _SslStage
from pyssl.bench.peers.wires import (
    Carried,
    Wire,
    over,
    tied,
    way,
)
from pyssl.bench.scenarios import SIZES
from tests.bench.poor import Other, Poor, ours

BY_NAME = {one.name: one for one in catalog.SCENARIOS}
MINE = [one.name for one in sockets.SCENARIOS]
SIZED = [one for one in MINE if one != "socket-waits"]
PLAIN = [one for one in SIZED if not one.endswith(".aes128")]


@pytest.fixture(params=list(PEERS))
def peer(request: Any) -> Peer:
    found, missing = find_peers([request.param])
    if not found:
        pytest.skip(missing[request.param])
    return found[0]


class Through(Wire):
    """An end that asks another."""

    def __init__(self, inner: Wire) -> None:
        self.inner = inner
        self.sock = inner.sock

    def shake(self) -> int:
        return self.inner.shake()

    def facts(self) -> Any:
        return self.inner.facts()

    def sender(self) -> Any:
        return self.inner.sender()

    def receiver(self, buffer: bytearray) -> Any:
        return self.inner.receiver(buffer)

    def waiter(self, buffer: bytearray) -> Any:
        return self.inner.waiter(buffer)


def worse(kind: type[Through]) -> Poor:
    """Make a peer whose ends over sockets are of a kind."""

    class Worse(Other):
        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            return kind(super().wire(sock, host))

    return Poor(Worse())


def prepare(name: str, peer: Peer) -> Any:
    scenario = BY_NAME[name]
    return scenario.prepare(scenario.setup, peer)


# ---- the peers -------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES.values())
def test_message_comes_out_of_a_socket_as_it_went_in(
    peer: Peer, size: int
) -> None:
    try:
        stage = peer.stage(Setup())
    except SkipError:
        stage = peer.stage(Setup("1.2"))
    sent = bytes(n * 7 % 251 for n in range(size))
    with sockets.connected(stage) as ends:
        for one, other in (ends, ends[::-1]):
            buffer = bytearray(size)
            assert one.sender()(sent) == size
            assert other.receiver(buffer)() == size
            assert buffer == sent
        descriptors = [one.sock.fileno() for one in ends]
    assert min(descriptors) >= 0
    assert [one.sock.fileno() for one in ends] == [-1, -1]


def test_end_says_that_nothing_came_and_reads_what_did(peer: Peer) -> None:
    try:
        stage = peer.stage(Setup())
    except SkipError:
        stage = peer.stage(Setup("1.2"))
    with sockets.connected(stage) as (client, server):
        buffer = bytearray(100)
        if way(stage):
            with pytest.raises(SkipError, match="the harness reads"):
                server.waiter(buffer)
            return
        look, say = server.waiter(buffer), client.sender()
        for text in (b"one", b"another"):
            assert look() == look() == 0
            assert say(text) == len(text)
            assert look() == len(text)
            assert buffer.startswith(text)
        assert look() == 0


@pytest.mark.parametrize(
    ("name", "error"), [("pyssl", FailedError), ("stdlib", ssl.SSLError)]
)
def test_read_of_what_nobody_sealed_is_a_failure(
    name: str, error: type[Exception]
) -> None:
    stage = find_peers([name])[0][0].stage(Setup())
    with sockets.connected(stage) as (client, server):
        look = server.waiter(bytearray(100))
        bare = socket.socket(fileno=socket.dup(client.sock.fileno()))
        with bare:
            bare.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(error, match=r"(?i)bad.record.mac"):
            look()


def test_sockets_are_closed_when_no_end_can_be_made() -> None:
    seen: list[socket.socket] = []

    class Broken(Other):
        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            seen.append(sock)
            if host is None:
                raise FailedError("no server")
            return super().wire(sock, host)

    refused = pytest.raises(FailedError, match="no server")
    with refused, sockets.connected(Broken()):
        raise AssertionError("it was connected")
    assert [one.fileno() for one in seen] == [-1, -1]


def test_pair_has_room_for_records_and_does_not_block() -> None:
    one, other = tied()
    with one, other:
        assert one.send(bytes(3 * 16406)) == 3 * 16406
        with pytest.raises(BlockingIOError):
            one.recv(1)


def test_carried_record_that_does_not_fit_is_a_failure() -> None:
    stage = _SslStage(ssl, Setup(), told=True, tickets=True)
    with sockets.connected(stage) as (client, _):
        assert isinstance(client, Carried)
        send = client.sender()

        def fill() -> None:
            for _ in range(1000):
                send(bytes(16384))

        with pytest.raises((FailedError, BlockingIOError)):
            fill()


# ---- what is found out before anything is measured -------------------------


@pytest.mark.parametrize("name", ["socket-64", "socket-waits"])
def test_peer_that_takes_any_name_is_found_out(name: str) -> None:
    class Careless(Other):
        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            return super().wire(sock, host and pki.HOST)

    with pytest.raises(FailedError, match="another name"):
        prepare(name, Poor(Careless()))


def test_peer_of_another_version_is_found_out() -> None:
    class Old(Other):
        old = find_peers(["pyssl"])[0][0].stage(Setup("1.2"))

        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            return over(self.old, sock, host)

    with pytest.raises(FailedError, match=r"it agreed on TLSv1\.2"):
        prepare("socket-64", Poor(Old()))


def test_handshake_that_does_not_end_is_found_out() -> None:
    class Endless(Through):
        def shake(self) -> int:
            return self.inner.shake() or 1

    stage = worse(Endless).stage(Setup())
    refused = pytest.raises(FailedError, match="does not end")
    with refused, sockets.connected(stage):
        raise AssertionError("it was connected")


@pytest.mark.parametrize("name", [*PLAIN, "socket-waits"])
def test_message_that_is_cut_short_is_found_out(name: str) -> None:
    class Short(Through):
        def sender(self) -> Any:
            send = super().sender()
            return lambda data: send(data[:-1])

    class Partly(Through):
        def receiver(self, buffer: bytearray) -> Any:
            return super().receiver(bytearray(len(buffer) - 1))

    for kind in (Short, Partly):
        with pytest.raises(FailedError, match="cut short"):
            prepare(name, worse(kind))


def test_message_that_is_changed_is_found_out() -> None:
    class Lost(Through):
        def receiver(self, buffer: bytearray) -> Any:
            return super().receiver(bytearray(len(buffer)))

    with pytest.raises(FailedError, match="came out changed"):
        prepare("socket-64", worse(Lost))


def test_message_that_is_cut_short_while_measured_is_a_failure() -> None:
    with sockets.connected(ours()) as (client, server):

        class Tired(Through):
            def sender(self) -> Any:
                send, count = super().sender(), iter(range(10))
                return lambda data: send(data) if next(count) < 9 else -1

        with pytest.raises(FailedError, match="cut short"):
            sockets._messages(64, Tired(client), server, 60.0)


def test_wait_that_finds_something_is_a_failure() -> None:
    class Eager(Through):
        def waiter(self, buffer: bytearray) -> Any:
            return lambda: 1

    class Deaf(Through):
        def waiter(self, buffer: bytearray) -> Any:
            return lambda: 0

    with sockets.connected(ours()) as (client, server):
        with pytest.raises(FailedError, match="nobody wrote"):
            sockets._waits(client, Eager(server), 60.0)
        with pytest.raises(FailedError, match="cut short"):
            sockets._waits(client, Deaf(server), 0.0)


@pytest.mark.parametrize("name", MINE)
def test_peer_that_only_shakes_hands_otherwise_is_left_out(
    name: str,
) -> None:
    (forgetful,), _ = find_peers(["pyssl-forgetful"])
    with pytest.raises(SkipError, match="the same as pyssl"):
        prepare(name, forgetful)


# ---- the figures -----------------------------------------------------------


@pytest.mark.parametrize("name", MINE)
def test_work_goes_on_until_the_time_is_spent(name: str) -> None:
    sample = prepare(name, find_peers(["pyssl"])[0][0]).run(0.005)

    assert sample.done > 1
    assert sample.cpu_ns >= 0.005e9


@pytest.mark.parametrize("name", SIZED)
def test_record_has_the_size_that_sockets_without_tls_carry(
    name: str,
) -> None:
    scenario = BY_NAME[name]
    with sockets.connected(ours()) as (client, server):
        assert client.sender()(bytes(scenario.size)) == scenario.size
        room = 2 * scenario.wire
        bare = socket.socket(fileno=socket.dup(server.sock.fileno()))
        with bare:
            assert len(bare.recv(room)) == scenario.wire

    lines = rounds.limits(scenario)
    assert list(lines) == [rounds.LIMIT, rounds.LIMIT_SOCKET]
    raw = lines[rounds.LIMIT_SOCKET].sample()
    assert raw is not None
    assert raw.done > 1
    assert raw.cpu_ns > 0


def test_sockets_without_room_tell_nothing() -> None:
    size = 1 << 26  # more than any system lets wait
    assert limit.RawSocket(size).sample() is None


def test_table_and_json_tell_what_sockets_take(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    paths = tmp_path / "out.json", tmp_path / "out.html"
    asked = ["--scenario", "socket-64", "--scenario", "socket-waits"]
    asked += ["--peer", "pyssl*", "--peer", "stdlib", "--rounds", "2"]
    asked += ["--json", str(paths[0]), "--html", str(paths[1])]
    assert main(["--seconds", "0.002", *asked]) == 0

    data = json.loads(paths[0].read_text("utf-8"))
    sized, waits = data["scenarios"]
    for one in (sized, waits):
        assert one["failures"] == {}
        assert list(one["peers"]) == ["pyssl", "stdlib"]
        assert list(one["skipped"]) == ["pyssl-forgetful"]
    assert list(sized["limits"]) == ["limit", "limit-socket"]
    assert set(sized["peers"]["pyssl"]["limit"]) == {"all"}
    assert waits["limits"] == {}
    text = capsys.readouterr().out
    assert text.rstrip("\n") == report.as_text(data)
    assert "(limit-socket) " in text
    assert "limit-socket" in paths[1].read_text("utf-8")


def test_one_of_them_is_run_by_default() -> None:
    core = {name for name in MINE if BY_NAME[name].core}

    assert core == {"socket-64"}
    names = [f"socket-{size}" for size in SIZES]
    small = [f"{name}.aes128" for name in names]
    assert [*names, *small, "socket-waits"] == MINE
    assert all(BY_NAME[name].setup.small for name in small)
