"""The work that is measured.

A scenario's `run` works with one peer for some CPU time and gives a Sample.
Every peer does the same work; what it was (suite, group) is told with the
numbers, for each peer has defaults of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter_ns, process_time_ns
from typing import NamedTuple

from pyssl.bench import pki
from pyssl.bench.peers.base import End, Facts, FailedError, Peer

# A handshake that moves so often without an end has stalled.
_TURNS = 20

# CPU time between two looks at the clock, about, in nanoseconds.
_SLICE = 2_000_000


class Sample(NamedTuple):
    """What a peer did in one round.

    Attributes:
        done: Operations done.
        cpu_ns: CPU time of the process, in nanoseconds.
        wall_ns: Time by the clock on the wall.
        parts: How the wall time falls to parts of the work; what falls to
            none is left out.
    """

    done: int
    cpu_ns: int
    wall_ns: int
    parts: dict[str, int]


class Scenario(NamedTuple):
    """Work to measure.

    Attributes:
        name: For the command line.
        title: For people.
        unit: What a rate counts, as "pairs/s".
        scale: Units in an operation.
        run: Does it with a peer for some seconds of CPU time.
    """

    name: str
    title: str
    unit: str
    scale: float
    run: Callable[[Peer, float], Sample]


def handshake(peer: Peer, host: str = pki.HOST) -> tuple[End, End]:
    """Connect a client and a server.

    Errors:
        FailedError: they did not agree.
    """
    link = peer.link()
    client, server = peer.client(link, host), peer.server(link)
    client_done = server_done = False
    for _ in range(_TURNS):
        client_done = client_done or client.shake()
        server_done = server_done or server.shake()
        if client_done and server_done:
            return client, server
    raise FailedError("the handshake does not end")


def prove(peer: Peer) -> Facts:
    """See that a peer works, and that it verifies what it is measured at.

    Returns:
        What its client says of a handshake.

    Errors:
        FailedError: a handshake failed, was not TLS 1.3, or succeeded with
            a certificate for another name; data came out changed.
    """
    try:
        handshake(peer, pki.WRONG_HOST)
    except FailedError:
        pass
    else:
        raise FailedError("it took a certificate for another name")
    client, server = handshake(peer)
    facts = client.facts()
    if facts.version != "TLSv1.3":
        raise FailedError(f"it agreed on {facts.version}")
    sent, buffer = bytes(range(256)), bytearray(256)
    for one, other in ((client, server), (server, client)):
        if one.sender()(sent) != len(sent):
            raise FailedError("a message was cut short")
        if other.receiver(buffer)() != len(sent) or buffer != sent:
            raise FailedError("a message came out changed")
    return facts


def _handshakes(peer: Peer, seconds: float) -> Sample:
    """Connect again and again; making and dropping the objects counts."""
    until = process_time_ns() + int(seconds * 1e9)
    count = mine = theirs = 0
    wall, cpu = perf_counter_ns(), process_time_ns()
    while process_time_ns() < until:
        before = perf_counter_ns()
        link = peer.link()
        client = peer.client(link, pki.HOST)
        between = perf_counter_ns()
        server = peer.server(link)
        now = perf_counter_ns()
        mine += between - before
        theirs += now - between
        client_done = server_done = False
        for _ in range(_TURNS):
            before = now
            client_done = client_done or client.shake()
            between = perf_counter_ns()
            server_done = server_done or server.shake()
            now = perf_counter_ns()
            mine += between - before
            theirs += now - between
            if client_done and server_done:
                break
        else:
            raise FailedError("the handshake does not end")
        count += 1
    cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
    return Sample(count, cpu, wall, {"client": mine, "server": theirs})


def _messages(size: int, peer: Peer, seconds: float) -> Sample:
    """Write and read messages of one size, in one direction."""
    client, server = handshake(peer)
    message, buffer = bytes(size), bytearray(max(size, 1024))
    send, receive = client.sender(), server.receiver(buffer)
    many, count = 1, 0
    until = process_time_ns() + int(seconds * 1e9)
    wall, cpu = perf_counter_ns(), process_time_ns()
    now = cpu
    while now < until:
        for _ in range(many):
            if send(message) != size or receive() != size:
                raise FailedError("a message was cut short")
        count += many
        before, now = now, process_time_ns()
        if now - before < _SLICE:
            many *= 2
    return Sample(count, now - cpu, perf_counter_ns() - wall, {})


SCENARIOS = (
    Scenario(
        "handshake",
        "full TLS 1.3 handshakes in memory; P-256 leaf under a P-256 CA, "
        "chain and host name verified",
        "pairs/s",
        1,
        _handshakes,
    ),
    Scenario(
        "bulk",
        "16 KiB writes one way through memory, sealed and opened",
        "GB/s",
        16384 / 1e9,
        partial(_messages, 16384),
    ),
    Scenario(
        "small",
        "64-byte messages one way through memory, written and read",
        "messages/s",
        1,
        partial(_messages, 64),
    ),
)
