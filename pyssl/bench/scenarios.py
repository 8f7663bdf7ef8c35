"""The work that is measured.

A scenario prepares itself with one peer, which proves that the peer does the
work at all; what comes back then works for some CPU time and gives a Sample.
Every peer does the same work; what was agreed on (suite, group) is told with
the numbers, for each peer has defaults of its own.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import Any, NamedTuple, Optional

from pyssl.bench import memory, pki
from pyssl.bench.peers.base import (
    End,
    Facts,
    FailedError,
    Peer,
    Setup,
    SkipError,
    Stage,
    only,
)

# A handshake that moves so often without an end has stalled.
_TURNS = 20

# CPU time between two looks at the clock, about, in nanoseconds.
_SLICE = 2_000_000

# What a client sends early, in bytes.
EARLY = 64

# Where systems keep the certificates that they trust, after what the
# standard library's libssl was built to look at.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class Sample(NamedTuple):
    """What a peer did in one round.

    Attributes:
        done: Operations done.
        cpu_ns: CPU time of the process, in nanoseconds.
        wall_ns: Time by the clock on the wall.
        parts: How the wall time falls to parts of the work; what falls to
            none is left out.
        size: Bytes an operation, where that is the question.
        delays: Nanoseconds from begin to end of each operation, where that
            is measured.
        more: Figures of the columns that a scenario has.
    """

    done: int
    cpu_ns: int
    wall_ns: int
    parts: dict[str, int]
    size: float = 0.0
    delays: Sequence[int] = ()
    more: Sequence[float] = ()


class Column(NamedTuple):
    """A further figure of a scenario.

    Attributes:
        name: What it is, as "p99".
        unit: What it counts, as "us".
        less: The smaller, the better.
        of: Finds it in samples: in one, or in all for the median; None if
            they are too few to tell.
    """

    name: str
    unit: str
    less: bool
    of: Callable[[Sequence[Sample]], Optional[float]]


class Curve(NamedTuple):
    """A line that a scenario draws for each peer.

    Attributes:
        kind: "latency" (percentiles, us) or "threads" (threads, a figure).
        of: Gives its points from all samples.
    """

    kind: str
    of: Callable[[Sequence[Sample]], list[tuple[float, float]]]


class Prepared(NamedTuple):
    """A peer that is ready for a scenario: what it agreed on, the work."""

    facts: Optional[Facts]
    run: Callable[[float], Sample]


class Scenario(NamedTuple):
    """Work to measure.

    Attributes:
        name: For the command line.
        title: For people.
        unit: What a figure counts, as "pairs/s".
        scale: Units in an operation, or in a byte of a size.
        setup: What the ends are.
        prepare: Makes a peer ready; raises SkipError or FailedError.
        core: Run if nothing was chosen.
        less: The figure is a size; the smaller, the better.
        rounds: Rounds that it takes part in; 0 for all.
        size: Bytes of a message.
        ways: Messages in an operation; 0 if it is not about messages.
        wire: Bytes of a message on a socket; 0 if it goes over none.
        wall: The figure goes by the clock on the wall.
        columns: Further figures.
        curve: What is drawn besides bars.
    """

    name: str
    title: str
    unit: str
    scale: float
    setup: Setup
    prepare: Callable[[Setup, Peer], Prepared]
    core: bool = False
    less: bool = False
    rounds: int = 0
    size: int = 0
    ways: int = 0
    wire: int = 0
    wall: bool = False
    columns: tuple[Column, ...] = ()
    curve: Optional[Curve] = None


# ---- handshakes ------------------------------------------------------------


def handshake(
    stage: Stage, host: str = pki.HOST, session: Any = None
) -> tuple[End, End]:
    """Connect a client and a server.

    Errors:
        FailedError: they did not agree.
    """
    link = stage.link()
    client, server = stage.client(link, host, session), stage.server(link)
    client_done = server_done = False
    for _ in range(_TURNS):
        client_done = client_done or client.shake()
        server_done = server_done or server.shake()
        if client_done and server_done:
            return client, server
    raise FailedError("the handshake does not end")


def renew(client: End, server: End, setup: Setup) -> Any:
    """Give the client's session, in TLS 1.3 after the server said something.

    A ticket is used once there (RFC 8446 C.4), and comes with the first
    data that is read.
    """
    tickets = setup.version == "1.3"
    if tickets and (
        server.sender()(b"!") != 1 or client.receiver(bytearray(1024))() != 1
    ):
        raise FailedError("a message was cut short")
    session = client.session()
    if session is None:
        raise FailedError("the server gave no session")
    return session


def prove(stage: Stage, setup: Setup) -> Facts:
    """See that a stage works, and that it verifies what it is measured at.

    Returns:
        What its client says of a handshake.

    Errors:
        FailedError: a handshake failed, was of another version, was resumed
            or not against the setup, or succeeded with a certificate for
            another name; data came out changed.
    """
    if stage.verifies:
        _prove_careful(stage)
    client, server = handshake(stage)
    sent, buffer = bytes(range(256)), bytearray(256)
    for one, other in ((client, server), (server, client)):
        if one.sender()(sent) != len(sent):
            raise FailedError("a message was cut short")
        if other.receiver(buffer)() != len(sent) or buffer != sent:
            raise FailedError("a message came out changed")
    suite = client.facts().suite
    if setup.small and "AES128GCM" not in re.sub("[-_]", "", suite.upper()):
        suite = suite or "a suite that it does not name"
        raise SkipError(f"agrees on {suite} and cannot be told another")
    if setup.resumed:
        session = renew(client, server, setup)
        client, _ = handshake(stage, pki.HOST, session)
    facts = client.facts()
    if facts.version != f"TLSv{setup.version}":
        raise FailedError(f"it agreed on {facts.version}")
    if facts.reused is not None and facts.reused != setup.resumed:
        words = "was" if facts.reused else "was not"
        raise FailedError(f"the session {words} resumed")
    return facts


def _prove_careful(stage: Stage) -> None:
    """See that a certificate for another name is refused."""
    try:
        handshake(stage, pki.WRONG_HOST)
    except SkipError:
        raise
    except FailedError:
        return
    raise FailedError("it took a certificate for another name")


def _shakes(setup: Setup, peer: Peer) -> Prepared:
    """Make contexts for handshakes."""
    stage = peer.stage(setup)
    facts = prove(stage, setup)
    return Prepared(facts, partial(handshakes, stage, setup))


def handshakes(stage: Stage, setup: Setup, seconds: float) -> Sample:
    """Connect again and again; making and dropping the objects counts."""
    session = renew(*handshake(stage), setup) if setup.resumed else None
    early = bytes(EARLY) if setup.early else b""
    until = process_time_ns() + int(seconds * 1e9)
    count = mine = theirs = 0
    wall, cpu = perf_counter_ns(), process_time_ns()
    while count == 0 or process_time_ns() < until:
        before = perf_counter_ns()
        link = stage.link()
        client = stage.client(link, pki.HOST, session)
        if early:
            client.early(early)
        between = perf_counter_ns()
        server = stage.server(link)
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
        if setup.resumed:
            session = renew(client, server, setup)
        count += 1
    cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
    if setup.resumed and client.facts().reused is False:
        raise FailedError("the session was not resumed again")
    return Sample(count, cpu, wall, {"client": mine, "server": theirs})


# ---- messages --------------------------------------------------------------


def _talks(size: int, both: bool, setup: Setup, peer: Peer) -> Prepared:
    """Make contexts for messages."""
    only(not peer.handshakes_only, "the same as pyssl here")
    stage = peer.stage(setup)
    facts = prove(stage, setup)
    return Prepared(facts, partial(_messages, stage, size, both))


def _messages(stage: Stage, size: int, both: bool, seconds: float) -> Sample:
    """Write and read messages of one size, one way or to and fro."""
    client, server = handshake(stage)
    message, buffer = bytes(size), bytearray(max(size, 1024))
    ways = [(client.sender(), server.receiver(buffer))]
    if both:
        ways.append((server.sender(), client.receiver(buffer)))

    def work(many: int) -> None:
        for _ in range(many):
            for send, receive in ways:
                if send(message) != size or receive() != size:
                    raise FailedError("a message was cut short")

    return repeated(work, seconds)


def repeated(work: Callable[[int], None], seconds: float) -> Sample:
    """Do something small again and again; work: is told how often."""
    many, count = 1, 0
    until = process_time_ns() + int(seconds * 1e9)
    wall, cpu = perf_counter_ns(), process_time_ns()
    now = cpu
    while now < until:
        work(many)
        count += many
        before, now = now, process_time_ns()
        if now - before < _SLICE:
            many *= 2
    return Sample(count, now - cpu, perf_counter_ns() - wall, {})


# ---- contexts and memory ---------------------------------------------------


def system_bundle() -> str:
    """Give the file of certificates that the system trusts.

    Errors:
        SkipError: none was found.
    """
    paths = ssl.get_default_verify_paths()
    for path in (paths.cafile, paths.openssl_cafile, *_BUNDLES):
        if path and Path(path).is_file():
            return path
    raise SkipError("no file of trusted certificates was found")


def _trusts(setup: Setup, peer: Peer) -> Prepared:
    """See that the file can be read."""
    del setup
    path = system_bundle()
    peer.trust(path)
    return Prepared(None, partial(_contexts, peer, path))


def _contexts(peer: Peer, path: str, seconds: float) -> Sample:
    """Make contexts and drop them."""
    count = 0
    until = process_time_ns() + int(seconds * 1e9)
    wall, cpu = perf_counter_ns(), process_time_ns()
    while count == 0 or process_time_ns() < until:
        peer.trust(path)
        count += 1
    cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
    return Sample(count, cpu, wall, {})


def _holds(count: int, setup: Setup, peer: Peer) -> Prepared:
    """See that the file can be read; a process of its own holds contexts."""
    path = system_bundle()
    _trusts(setup, peer)
    return Prepared(None, partial(_held, count, path, peer))


def _held(count: int, path: str, peer: Peer, seconds: float) -> Sample:
    """Hold contexts in another process: always so many."""
    del seconds
    found = memory.contexts_in_process(peer.name, count, path)
    return Sample(found.done, found.cpu_ns, found.wall_ns, {}, found.size)


def _idles(setup: Setup, peer: Peer) -> Prepared:
    """See that handshakes work; a process of its own does them."""
    only(not peer.handshakes_only, "the same as pyssl here")
    facts = prove(peer.stage(setup), setup)
    return Prepared(facts, partial(_idle, setup, peer))


def _idle(setup: Setup, peer: Peer, seconds: float) -> Sample:
    """Hold connections in another process."""
    found = memory.in_process(peer.name, setup, max(seconds * 100, 2.0))
    return Sample(found.done, found.cpu_ns, found.wall_ns, {}, found.size)


# ---- the list --------------------------------------------------------------

_GROUPS = {
    "secp256r1": "P-256",
    "mlkem768": "X25519MLKEM768",
}
_HELD = 100  # contexts
SIZES = {"16k": 16384, "1400": 1400, "64": 64}


def _handshake_scenario(
    name: str, title: str, setup: Setup, core: bool = False
) -> Scenario:
    return Scenario(name, title, "pairs/s", 1, setup, _shakes, core)


def _full(version: str) -> list[Scenario]:
    """List the full handshakes of a version."""
    short = version.replace(".", "")
    plain = Setup(version)
    what = f"full TLS {version} handshakes"
    found = [
        _handshake_scenario(
            f"full{short}",
            f"{what}; X25519, P-256 certificate, chain of 1, verified",
            plain,
            True,
        )
    ]
    others = [
        (short_name, f"with {group}", plain._replace(group=group))
        for short_name, group in _GROUPS.items()
        if version == "1.3" or "MLKEM" not in group
    ]
    others += [
        (kind, f"with {kind} certificates", plain._replace(cert=kind))
        for kind in pki.KINDS[1:]
    ]
    others += [
        (f"chain{n}", f"with a chain of {n}", plain._replace(chain=n))
        for n in pki.CHAINS[1:]
    ]
    others += [
        ("mutual", "with a client certificate", plain._replace(mutual=True)),
        ("aes128", "with AES-128-GCM", plain._replace(small=True)),
    ]
    found += [
        _handshake_scenario(f"full{short}.{name}", f"{what} {words}", setup)
        for name, words, setup in others
    ]
    return found


def _bulk(both: bool, small: bool = False) -> list[Scenario]:
    """List the scenarios of messages in one or both directions."""
    word, ways = ("both", 2) if both else ("bulk", 1)
    suite, told = (".aes128", ", AES-128-GCM") if small else ("", "")
    found = []
    for version in ("1.3", "1.2"):
        for name, size in SIZES.items():
            few = size < 1024
            way = "to and fro" if both else "one way"
            short = "" if version == "1.3" else ".tls12"
            found.append(
                Scenario(
                    f"{word}-{name}{short}{suite}",
                    f"{size:,}-byte writes {way} through memory, TLS "
                    f"{version}{told}, sealed and opened",
                    "messages/s" if few else "GB/s",
                    ways if few else ways * size / 1e9,
                    Setup(version, small=small),
                    partial(_talks, size, both),
                    not (both or small) and size != 1400 and version == "1.3",
                    size=size,
                    ways=ways,
                )
            )
    return found


SCENARIOS = (
    *_full("1.3"),
    *_full("1.2"),
    _handshake_scenario(
        "resumed13",
        "resumed TLS 1.3 handshakes, PSK with X25519, each with the ticket "
        "of the one before",
        Setup(resumed=True),
        True,
    ),
    _handshake_scenario(
        "resumed12",
        "resumed TLS 1.2 handshakes",
        Setup("1.2", resumed=True),
        True,
    ),
    _handshake_scenario(
        "retry13",
        "full TLS 1.3 handshakes after a HelloRetryRequest for P-256",
        Setup(group="P-256", retry=True),
    ),
    _handshake_scenario(
        "early13",
        f"resumed TLS 1.3 handshakes with {EARLY} bytes of early data, each "
        "with the ticket of the one before",
        Setup(resumed=True, early=True),
    ),
    _handshake_scenario(
        "resumed13.aes128",
        "resumed TLS 1.3 handshakes with AES-128-GCM",
        Setup(resumed=True, small=True),
    ),
    _handshake_scenario(
        "resumed12.aes128",
        "resumed TLS 1.2 handshakes with AES-128-GCM",
        Setup("1.2", resumed=True, small=True),
    ),
    *_bulk(both=False),
    *_bulk(both=True),
    *_bulk(both=False, small=True),
    Scenario(
        "context",
        "client contexts made and dropped, with the system's CA bundle",
        "contexts/s",
        1,
        Setup(),
        _trusts,
        core=True,
    ),
    Scenario(
        "context-memory",
        f"memory of a client context with the system's CA bundle, of {_HELD} "
        "held at a time; what they share is counted",
        "KiB/context",
        1 / 1024,
        Setup(),
        partial(_holds, _HELD),
        core=True,
        less=True,
        rounds=3,
    ),
    Scenario(
        "context-first",
        "memory of the first client context with the system's CA bundle, and "
        "all that a package sets up with it",
        "KiB",
        1 / 1024,
        Setup(),
        partial(_holds, 1),
        less=True,
        rounds=3,
    ),
    Scenario(
        "memory",
        "memory of an idle connection: client and server, in one process",
        "KiB/pair",
        1 / 1024,
        Setup(),
        _idles,
        core=True,
        less=True,
        rounds=3,
    ),
)
