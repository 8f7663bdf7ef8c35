"""The benchmark over sockets, with many connections, in many threads."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any, Optional

import pytest

from pyssl.bench import (
    blocking,
    catalog,
    curves,
    latency,
    loops,
    page,
    pki,
    report,
    threads,
)
from pyssl.bench.__main__ import main
from pyssl.bench.peers import PEERS, find_peers
from pyssl.bench.peers.base import (
    End,
    Facts,
    FailedError,
    Peer,
    Setup,
    SkipError,
    Stage,
)
from pyssl.bench.peers.ssl_peers import _SslStage
from pyssl.bench.peers.wires import Carried, Wire, over, way
from pyssl.bench.scenarios import Sample, Scenario
from tests.bench.poor import Other, Poor, ours

BY_NAME = {one.name: one for one in catalog.SCENARIOS}
TINY = ["--seconds", "0.002", "--rounds", "2"]
NAMES = [
    "biopair",
    "socketpair-threads",
    "socketpair-poll",
    "tcp-1",
    "scaling-bulk-16k",
]
CURVED = NAMES[1:]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nobody out of a wave because the machine is slow today."""
    monkeypatch.setattr(loops, "_SLOWEST", 10**9)


@pytest.fixture(params=list(PEERS))
def peer(request: Any) -> Peer:
    found, missing = find_peers([request.param])
    if not found:
        pytest.skip(missing[request.param])
    return found[0]


def stage_of(peer: Peer) -> tuple[Stage, Setup]:
    """Make contexts of a version that the peer has."""
    try:
        return peer.stage(Setup()), Setup()
    except SkipError:
        return peer.stage(Setup("1.2")), Setup("1.2")


def buffered() -> Stage:
    """Give contexts of the standard library, for memory alone."""
    return _SslStage(ssl, Setup(), told=True, tickets=True)


class Silent(Wire):
    """An end that never says anything."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def shake(self) -> int:
        try:
            while self.sock.recv(1 << 16):
                continue
        except BlockingIOError:
            return EVENT_READ
        raise FailedError("it went away")

    def sender(self) -> Any:
        raise NotImplementedError

    def receiver(self, buffer: bytearray) -> Any:
        raise NotImplementedError

    def waiter(self, buffer: bytearray) -> Any:
        raise NotImplementedError

    def facts(self) -> Facts:
        return Facts("", "", "")


class Mute(Other):
    """Its servers never answer."""

    def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
        return Silent(sock) if host is None else super().wire(sock, host)


def waved(stage: Stage, batch: loops.Batch, host: str = pki.HOST) -> Any:
    """Run a wave and give it, closed."""
    with DefaultSelector() as selector:
        wave = loops.Wave(stage, batch, selector, host)
        try:
            wave.run()
            facts = wave.facts() if not wave.failed else None
        finally:
            wave.close()
        assert not selector.get_map()
    return wave, facts


# ---- ends over sockets -----------------------------------------------------


@pytest.mark.parametrize("opened", [loops.open_tcp, loops.open_pairs])
def test_each_connection_of_a_wave_has_a_latency(
    peer: Peer, opened: Any
) -> None:
    stage, setup = stage_of(peer)
    wave, facts = waved(stage, opened(5))

    assert wave.failed == []
    assert len(wave.delays) == 5
    assert all(delay > 0 for delay in wave.delays)
    assert all(spent > 0 for spent in wave.spent.values())
    assert facts.version == f"TLSv{setup.version}"


def test_bytes_of_memory_are_carried() -> None:
    stage = buffered()
    wave, facts = waved(stage, loops.open_tcp(3))

    assert wave.failed == []
    assert facts.version == "TLSv1.3"
    assert way(stage) == "bytes moved by the harness"
    wave, _ = waved(stage, loops.open_tcp(3), pki.WRONG_HOST)
    assert len(wave.failed) == 3


def test_a_wave_refuses_a_certificate_for_another_name(peer: Peer) -> None:
    stage, _ = stage_of(peer)
    if not stage.verifies:
        pytest.skip(peer.note)
    wave, _ = waved(stage, loops.open_tcp(2), pki.WRONG_HOST)

    assert wave.delays == []
    assert len(wave.failed) == 2


@pytest.mark.parametrize("name", ["tcp-1", "socketpair-threads"])
def test_peer_that_takes_any_name_over_sockets_is_found_out(
    name: str,
) -> None:
    class Careless(Other):
        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            return super().wire(sock, host and pki.HOST)

    scenario = BY_NAME[name]
    with pytest.raises(FailedError, match="another name"):
        scenario.prepare(scenario.setup, Poor(Careless()))


@pytest.mark.parametrize("name", ["tcp-1", "socketpair-threads"])
def test_peer_of_another_version_over_sockets_is_found_out(
    name: str,
) -> None:
    class Old(Other):
        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            return over(self.old, sock, host)

        old = find_peers(["pyssl"])[0][0].stage(Setup("1.2"))

    scenario = BY_NAME[name]
    with pytest.raises(FailedError, match=r"it agreed on TLSv1\.2"):
        scenario.prepare(scenario.setup, Poor(Old()))


def test_only_own_sockets_are_not_told_of() -> None:
    native = {"pyssl", "pyssl-forgetful", "stdlib", "pyopenssl"}
    native |= {"m2crypto", "wolfssl"}
    found, _ = find_peers(PEERS)
    for one in found:
        stage, _ = stage_of(one)
        assert (way(stage) == "") is (one.name in native)


class _Ways(Stage):
    """An end that gives what it is told, over lists."""

    def __init__(self, done: bool) -> None:
        self.done = done

    def link(self) -> Any:
        return [], []

    def client(self, link: Any, host: str, session: Any = None) -> Any:
        stage = self

        class Told:
            def shake(self) -> bool:
                link[1].append(b"hello")
                return stage.done

        return Told()

    def server(self, link: Any) -> End:
        raise NotImplementedError


class _Sock:
    """A socket that takes a few bytes, and then blocks or breaks."""

    def __init__(self, room: int, error: Exception) -> None:
        self.room = room
        self.error = error
        self.took = b""

    def send(self, data: bytes) -> int:
        if self.room == 0:
            raise self.error
        n = min(self.room, len(data))
        self.room -= n
        self.took += data[:n]
        return n

    def recv(self, size: int) -> bytes:
        assert size > 0
        raise self.error


def test_carried_bytes_that_do_not_fit_are_sent_later() -> None:
    sock: Any = _Sock(2, BlockingIOError())
    wire = Carried(_Ways(done=True), sock, pki.HOST)

    assert wire.shake() == EVENT_WRITE
    assert sock.took == b"he"
    sock.room = 9
    assert wire.shake() == 0
    assert sock.took == b"hello"


@pytest.mark.parametrize("room", [0, 99])
def test_carried_end_fails_with_its_socket(room: int) -> None:
    sock: Any = _Sock(room, ConnectionResetError("reset"))
    with pytest.raises(FailedError, match="reset"):
        Carried(_Ways(done=False), sock, pki.HOST).shake()


def test_carried_end_fails_when_the_other_goes_away() -> None:
    mine, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(FailedError):
        Carried(buffered(), mine, None).shake()
    mine.close()


# ---- waves -----------------------------------------------------------------


def test_failures_are_counted_and_the_others_go_on() -> None:
    class Broken(Other):
        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            self.made += host is not None
            wrong = host and self.made == 2
            return super().wire(sock, pki.WRONG_HOST if wrong else host)

    kind = loops._Kind(loops.open_tcp, 5)
    wave, _ = waved(Broken(), loops.open_tcp(5))
    assert len(wave.delays) == 4
    assert len(wave.failed) == 1
    with pytest.raises(FailedError, match=r"1 of 5 failed: .*verify failed"):
        loops._sample(Broken(), kind, 0.001)


def test_end_that_cannot_be_made_is_a_failure() -> None:
    class Broken(Other):
        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            self.made += 1
            if self.made in {1, 4}:  # a client, and the second's server
                raise ValueError("no room")
            return super().wire(sock, host)

    wave, _ = waved(Broken(), loops.open_tcp(3))
    assert wave.failed == ["no room", "no room"]
    assert len(wave.delays) == 1


def test_wave_that_stalls_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_SILENCE", 0.01)
    monkeypatch.setattr(loops, "_PATIENCE", 10000)
    with pytest.raises(FailedError, match="nothing happens: 0 of 2 are done"):
        loops._sample(Mute(), loops._Kind(loops.open_tcp, 2), 0.001)


def test_wave_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_SILENCE", 0)
    monkeypatch.setattr(loops, "_SLOWEST", 0)
    with pytest.raises(FailedError, match="too long: 0 of 2 are done"):
        loops._sample(ours(), loops._Kind(loops.open_tcp, 2), 0.001)


def test_peer_too_slow_for_a_wave_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_SLOWEST", 1)
    scenario = BY_NAME["tcp-100"]
    with pytest.raises(SkipError, match="ms a handshake are too much"):
        scenario.prepare(scenario.setup, Poor(ours()))


def test_waves_go_on_until_the_time_is_spent() -> None:
    kind = loops._Kind(loops.open_tcp, 3)
    one = loops._sample(ours(), kind, 1e-9)
    many = loops._sample(ours(), kind, 0.02)

    assert one.done == len(one.delays) == 3
    assert many.done == len(many.delays) > 3
    assert many.done % 3 == 0
    assert many.cpu_ns >= 0.02e9


# ---- descriptors -----------------------------------------------------------


def test_last_connections_wait_where_descriptors_are_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "descriptors", lambda: 17)
    batch = loops.open_tcp(10)
    assert (len(batch.clients), len(batch.servers)) == (10, 7)

    for name in ("pyssl", "stdlib"):  # which keeps the socket, and takes it
        if name == "stdlib":
            batch = loops.open_tcp(10)
        stage = find_peers([name])[0][0].stage(Setup())
        wave, facts = waved(stage, batch)
        assert wave.failed == []
        assert len(wave.delays) == 10
        assert len(batch.servers) == 10
        if name == "pyssl":
            assert facts.version == "TLSv1.3"


@pytest.mark.parametrize(
    ("free", "words"), [(200, ""), (198, "2 of 100 wait to be accepted")]
)
def test_connections_that_wait_are_told_of(
    monkeypatch: pytest.MonkeyPatch, free: int, words: str
) -> None:
    monkeypatch.setattr(loops, "descriptors", lambda: free)
    scenario = BY_NAME["tcp-100"]
    facts = scenario.prepare(scenario.setup, Poor(ours())).facts
    assert facts is not None
    assert facts.over == words
    setup = scenario.setup
    carried = scenario.prepare(setup, Poor(buffered())).facts
    assert carried is not None
    parts = ["bytes moved by the harness", words]
    assert carried.over == ", ".join(filter(None, parts))


@pytest.mark.parametrize("free", [-3, 0, 10])
def test_too_few_descriptors_are_a_reason(
    monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr(loops, "descriptors", lambda: free)
    words = f"20 descriptors are needed, {max(free, 0)} are free"
    with pytest.raises(SkipError, match=words):
        loops.open_tcp(10)
    monkeypatch.setattr(loops, "descriptors", lambda: 1000)
    with pytest.raises(SkipError, match="20,000 descriptors are needed"):
        loops.open_tcp(10000)


def test_limit_of_descriptors_is_raised_as_far_as_allowed() -> None:
    resource = pytest.importorskip("resource")
    kind = resource.RLIMIT_NOFILE
    soft, hard = resource.getrlimit(kind)
    try:
        resource.setrlimit(kind, (min(soft, 128), hard))
        free = loops.descriptors()
        now = resource.getrlimit(kind)
        assert now[1] == hard
        assert now[0] > 128 or hard <= 128
        assert 0 < free < now[0]
    finally:
        resource.setrlimit(kind, (soft, hard))


def test_stranger_on_the_port_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "descriptors", lambda: 3)
    batch = loops.open_tcp(2)  # the second waits
    assert batch.listener is not None
    stranger = socket.create_connection(batch.listener.getsockname())
    batch.names[1], real = stranger.getsockname(), batch.names[1]
    with loops._accept(batch) as sock:  # the real one is the stranger now
        assert sock.getpeername() != real
    stranger.close()
    assert batch.clients[1].recv(1, socket.MSG_PEEK) == b""
    batch.close()


# ---- ends that block -------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(blocking, "_PATIENCE", 0.05)
    yield
    monkeypatch.undo()


def test_ends_in_two_threads_shake_hands(peer: Peer) -> None:
    stage, setup = stage_of(peer)
    ends = blocking.Ends(stage)
    found: list[Facts] = []
    try:
        if stage.verifies:
            with pytest.raises(FailedError):
                ends.shake(pki.WRONG_HOST)
        for _ in range(3):  # and those after it are as ever
            took = ends.shake(
                pki.HOST, lambda wire: found.append(wire.facts())
            )
            assert took > 0
    finally:
        ends.end()

    assert [one.version for one in found] == [f"TLSv{setup.version}"] * 3
    assert ends.server_ns > 0


@pytest.mark.usefixtures("impatient")
def test_ends_that_wait_for_each_other_are_woken() -> None:
    ends = blocking.Ends(Mute())
    with pytest.raises(FailedError):
        ends.shake(pki.HOST)
    ends.end()


def test_end_that_returns_too_early_is_a_failure() -> None:
    class Hasty(Other):
        def __init__(self, server: bool) -> None:
            super().__init__()
            self.bad = server

        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            if (host is None) is self.bad:
                sock.setblocking(False)
                return Silent(sock)
            return super().wire(sock, host)

    for server in (False, True):
        ends = blocking.Ends(Hasty(server))
        with pytest.raises(FailedError):
            ends.shake(pki.HOST)
        ends.end()


@pytest.mark.usefixtures("impatient")
def test_server_that_does_not_end_is_a_failure() -> None:
    stop = threading.Event()

    class Stuck(Other):
        def wire(self, sock: socket.socket, host: Optional[str]) -> Wire:
            if host is None:
                stop.wait(10)
            return super().wire(sock, host)

    ends = blocking.Ends(Stuck())
    with pytest.raises(FailedError):
        ends.shake(pki.HOST)
    with pytest.raises(FailedError, match="does not end"):
        ends.end()
    stop.set()


# ---- threads ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "numbers"),
    [
        (1, (1, 2, 4)),
        (3, (1, 2, 3, 4)),
        (8, (1, 2, 4, 8)),
        (12, (1, 2, 4, 8, 12)),
        (64, (1, 2, 4, 8, 16, 32, 64)),
    ],
)
def test_numbers_of_threads(most: int, numbers: tuple[int, ...]) -> None:
    assert threads.counts(most) == numbers


@pytest.mark.parametrize("begin", [threads.handshakes, threads.messages])
def test_threads_work_at_the_same_time(peer: Peer, begin: Any) -> None:
    stage, _ = stage_of(peer)
    done = threads.together(partial(begin, stage), 3, 0.01)

    assert done.times >= 3
    assert done.rate > 0
    assert done.cpu_ns > 0


def test_thread_that_fails_is_told_of() -> None:
    def early() -> threads.Work:
        raise FailedError("not ready")

    def late() -> threads.Work:
        def work(stop: threading.Event) -> int:
            raise ValueError("broken")

        return work

    with pytest.raises(FailedError, match="in 2 threads: not ready"):
        threads.together(early, 2, 5.0)
    before = time.monotonic()
    with pytest.raises(FailedError, match="in 2 threads: broken"):
        threads.together(late, 2, 60.0)
    assert time.monotonic() - before < 30  # it does not wait for the time


def test_thread_that_does_not_end_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "_PATIENCE", 0.05)
    let = threading.Event()

    def begin() -> threads.Work:
        return lambda _: int(let.wait(10))

    with pytest.raises(FailedError, match="one of 2 threads does not end"):
        threads.together(begin, 2, 0.01)
    let.set()


def test_message_cut_short_in_a_thread_is_a_failure() -> None:
    class Short(Other):
        def client(self, link: Any, host: str, session: Any = None) -> Any:
            end = super().client(link, host, session)

            class Cut:
                shake = staticmethod(end.shake)

                def sender(self) -> Any:
                    return lambda data: end.sender()(data) - 1

            return Cut()

    with pytest.raises(FailedError, match="cut short"):
        threads.together(partial(threads.messages, Short()), 1, 0.01)


def test_gain_is_that_of_each_round() -> None:
    scenario = BY_NAME["scaling-full13"]
    numbers = threads.counts(threads.cores())
    more = [[10.0 * one for one in numbers], [30.0] * len(numbers)]
    samples = [Sample(1, 1, 1, {}, more=row) for row in more]
    of = {one.name: one.of for one in scenario.columns}

    assert of["1 thread"](samples) == 20.0
    assert of["4 threads"](samples) == 35.0
    assert of["4 to 1"](samples) == 2.5  # of 4 and 1
    assert scenario.curve is not None
    assert scenario.curve.of(samples)[0] == (1.0, 20.0)


# ---- latencies -------------------------------------------------------------


def test_percentile_is_told_if_enough_lie_above() -> None:
    values = list(range(1, 101))

    assert latency.percentile(values, 50.0) == 50
    assert latency.percentile(values, 99.0) == 99
    assert latency.percentile(values, 99.9) is None
    assert latency.percentile(values[:99], 99.0) is None
    assert latency.percentile(list(range(1, 1001)), 99.9) == 999
    assert latency.percentile([7], 0.0) == 7
    assert latency.percentile([], 50.0) is None


def test_percentiles_are_of_all_rounds_together() -> None:
    rounds = [
        Sample(50, 1, 1, {}, delays=range(1000, 51000, 1000)),
        Sample(50, 1, 1, {}, delays=range(51000, 101000, 1000)),
    ]
    p50, p99, p999 = latency.COLUMNS

    assert [one.name for one in latency.COLUMNS] == ["p50", "p99", "p99.9"]
    assert p50.of(rounds) == 50.0
    assert p50.of(rounds[:1]) == 25.0
    assert p99.of(rounds) == 99.0
    assert p999.of(rounds) is None


def test_curve_goes_from_the_least_to_the_greatest() -> None:
    delays = list(range(1000, 1001000, 1000))
    points = latency.curve([Sample(1, 1, 1, {}, delays=delays)])

    assert points[0] == (0.0, 1.0)
    assert points[-1] == (pytest.approx(99.9), 1000.0)
    assert len(points) > 20
    for one, other in zip(points, points[1:]):
        assert one <= other
    assert latency.curve([Sample(1, 1, 1, {})]) == []
    assert latency.curve([Sample(1, 1, 1, {}, delays=[5000])])[-1][1] == 5.0


# ---- reports ---------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "out.json"
    chosen = [word for name in NAMES for word in ("--scenario", name)]
    asked = [*chosen, "--peer", "pyssl*", "--peer", "stdlib"]
    assert main([*TINY, *asked, "--json", str(path)]) == 0
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def by_name(data: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in data["scenarios"]}


def test_json_tells_latencies_and_curves(data: dict[str, Any]) -> None:
    found = by_name(data)
    assert list(found) == NAMES
    for name, scenario in found.items():
        columns = [one["name"] for one in scenario["columns"]]
        assert scenario["failures"] == {}
        assert (scenario["curve"] is not None) is (name in CURVED)
        for row in scenario["peers"].values():
            assert list(row["columns"]) == columns
            assert all("delays" not in one for one in row["samples"])
            assert bool(row["curve"]) is (name in CURVED)
    for name in CURVED[:-1]:
        row = found[name]["peers"]["pyssl"]
        assert set(row["columns"]) == {"p50", "p99", "p99.9"}
        shares, delays = zip(*row["curve"])
        assert list(shares) == sorted(shares)
        assert delays[0] > 0


def test_json_tells_how_threads_scale(data: dict[str, Any]) -> None:
    scenario = by_name(data)["scaling-bulk-16k"]
    row = scenario["peers"]["pyssl"]
    numbers = threads.counts(threads.cores())

    assert scenario["by_wall"] is True
    assert scenario["limits"] == {}
    assert [point[0] for point in row["curve"]] == list(numbers)
    rates = [one["more"] for one in row["samples"]]
    gain = sum(one[1] / one[0] for one in rates) / len(rates)
    assert row["columns"]["2 to 1"]["figure"] == pytest.approx(gain)
    here = numbers.index(threads.cores())
    middle = sum(one[here] for one in rates) / len(rates)
    # The time is told in whole nanoseconds.
    figure = row["figure"]["median"] / threads._SIZE * 1e9
    assert figure == pytest.approx(middle, rel=1e-3)


def test_rows_say_what_carried_the_bytes(data: dict[str, Any]) -> None:
    rows = by_name(data)["biopair"]["peers"]
    assert rows["pyssl"]["agreed"]["over"] == "BIO pair"
    assert rows["stdlib"]["agreed"]["over"] == "MemoryBIO"
    text = report.as_text(data)
    assert ", BIO pair\n" in text
    assert ", MemoryBIO\n" in text


def test_table_and_page_show_the_further_figures(
    data: dict[str, Any],
) -> None:
    text, html = report.as_text(data), page.as_html(data)
    blocks = text.split("\n\n")[1:-1]

    for block, scenario in zip(blocks, data["scenarios"]):
        head, *rows = block.splitlines()[1:]
        for one in scenario["columns"]:
            words = f"{one['name']} {one['unit']}"
            assert words in head
            assert f"<th>{words}</th>" in html
        widths = {len(row.split("  ")[0]) for row in rows}
        assert widths == {0}
    assert html.count("<polyline") == 3 * len(CURVED[:-1]) + 2
    assert "Latency of a handshake by percentile" in html
    assert "GB/s by the number of threads" in html


def plot(lines: dict[str, Any], kind: str = "latency") -> str:
    """Draw curves."""
    peers = {name: {"curve": line} for name, line in lines.items()}
    scenario = {"name": "s", "unit": "u", "curve": kind, "peers": peers}
    return "".join(curves.plotted(scenario, "pyssl"))


def test_plot_gives_each_nine_the_same_room() -> None:
    line = [[0, 10.0], [90, 100.0], [99, 1000.0], [99.9, 2000.0]]
    text = plot({"pyssl": line})

    points = text.split('points="')[1].split('"')[0].split()
    across = [float(one.split(",")[0]) for one in points]
    one, other = across[1] - across[0], across[2] - across[1]
    assert one == pytest.approx(other, abs=0.3)
    for mark in ("90 %", "99 %", "99.9 %", "100 µs", "1 ms", "2 ms"):
        assert f">{mark}<" in text
    assert ">99.99 %<" not in text


def test_names_in_a_plot_are_apart() -> None:
    lines = {f"p{n}": [[0, 1.0], [50, 1.0 + n / 1e6]] for n in range(9)}
    text = plot({**lines, "pyssl": [[0, 9.0], [50, 9.0]]})
    levels = sorted(
        float(part.split('y="')[1].split('"')[0])
        for part in text.split("<text")[1:]
        if ">p" in part and "percentile" not in part
    )

    assert len(levels) == 10
    assert all(b - a > 15 for a, b in zip(levels, levels[1:]))
    assert levels[0] > 0
    assert levels[-1] < 330


def test_plot_of_a_single_value_can_be_drawn() -> None:
    assert "<polyline" in plot({"pyssl": [[0, 5.0], [0, 5.0]]})
    assert "<polyline" in plot({"pyssl": [[1, 5.0]]}, "threads")
    assert plot({"pyssl": []}) == ""


def test_page_and_table_of_an_older_run_are_still_shown(
    data: dict[str, Any],
) -> None:
    older = json.loads(json.dumps(data))
    for scenario in older["scenarios"]:
        for key in ("columns", "curve", "by_wall"):
            del scenario[key]
        for row in scenario["peers"].values():
            del row["columns"], row["curve"], row["agreed"]["over"]

    assert "<polyline" not in page.as_html(older)
    assert "p99" not in report.as_text(older)
    assert report.compare(older, data) == []
    assert report.compare(data, older) == []


def worse(data: dict[str, Any], alone: bool) -> tuple[Any, Any]:
    """Give a run, and one in which our p50 in tcp-1 is ten times as long."""
    before = json.loads(json.dumps(data))
    scenario = by_name(before)["tcp-1"]
    before["scenarios"] = [scenario]
    if alone:
        scenario["peers"] = {"pyssl": scenario["peers"]["pyssl"]}
    spread = {"median": 1.0, "low": 1.0, "high": 1.0}
    for row in scenario["peers"].values():
        row["columns"]["p50"]["interval"] = spread
        if row["ahead"] is not None:
            row["columns"]["p50"]["ahead"] = spread
    after = json.loads(json.dumps(before))
    for name, row in by_name(after)["tcp-1"]["peers"].items():
        value = row["columns"]["p50"]
        if name == "pyssl":
            value["interval"] = dict.fromkeys(spread, 10.0)
        else:
            value["ahead"] = dict.fromkeys(spread, 0.1)
    return before, after


def test_comparison_tells_of_latencies(data: dict[str, Any]) -> None:
    before, after = worse(data, alone=False)
    told = report.compare(before, after)
    assert len(told) == 2
    for line in told:
        words = "tcp-1: p50 of pyssl is 90% larger than before, against "
        assert line.startswith(words)
    assert "smaller" in report.compare(after, before)[0]

    (line,) = report.compare(*worse(data, alone=True))
    assert line == (
        "tcp-1: p50 of pyssl is 90% larger than before, by its figure alone"
    )


def test_figure_that_a_round_cannot_tell_is_not_compared() -> None:
    scenario = Scenario(
        "s",
        "t",
        "u",
        1,
        Setup(),
        lambda *_: None,  # type: ignore[arg-type, return-value]
        columns=latency.COLUMNS,
    )
    one = Sample(2, 1, 1, {}, delays=[1000, 2000])
    few = report._column(scenario.columns[1], {"pyssl": [one]})
    assert few == {"pyssl": {"figure": None, "interval": None, "ahead": None}}
    row = {"columns": {"p50": few["pyssl"]}}
    shown = {"columns": [{"name": "p50"}]}
    assert report.further(shown, row) == ["-"]


# ---- the list --------------------------------------------------------------


def test_a_small_wave_is_run_by_default() -> None:
    core = {one.name for one in catalog.SCENARIOS if one.core}

    assert "tcp-100" in core
    assert not core & {"tcp-1000", "tcp-10000", "scaling-full13"}
    assert {f"tcp-{n}" for n in (1, 100, 1000, 10000)} <= set(BY_NAME)
    assert len(BY_NAME) == len(catalog.SCENARIOS)


def test_wave_can_be_chosen_and_told_how_long(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    asked = ["--scenario", "tcp-100", "--peer", "pyssl", "--html", str(path)]
    assert main(["--seconds", "0.001", "--rounds", "1", *asked]) == 0

    block = capsys.readouterr().out.split("\n\n")[1]
    assert block.startswith("tcp-100: full TLS 1.3 handshakes over loopback")
    assert " p99 us " in block
    assert "FAILED" not in block
    assert "<polyline" in path.read_text("utf-8")
