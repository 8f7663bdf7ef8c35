"""Data over a socket pair that does not block, both ends in one thread.

The same writes and reads as through memory, with a system call each: most
programs have sockets. A message fits the sockets, so a write takes it whole,
and the read behind it finds it; what is cut short is a failure. An event loop
also reads where nothing has come, and is to be told so: that is measured too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from pyssl.bench import pki
from pyssl.bench.peers.base import (
    Facts,
    FailedError,
    Peer,
    Setup,
    Stage,
    only,
)
from pyssl.bench.peers.wires import Wire, over, tied, way
from pyssl.bench.scenarios import (
    SIZES,
    Prepared,
    Sample,
    Scenario,
    prove,
    repeated,
)

# A handshake that moves so often without an end has stalled.
_TURNS = 20

# Bytes of a record around what is in it (RFC 8446 5.2): its header, the
# type inside, and the tag of the suites that are measured.
_AROUND = 5 + 1 + 16

# Works on a client and a server for some seconds.
Work = Callable[[Wire, Wire, float], Sample]


@contextmanager
def connected(
    stage: Stage, host: str = pki.HOST
) -> Iterator[tuple[Wire, Wire]]:
    """Connect a client and a server while the block runs.

    Errors:
        FailedError: they did not agree.
    """
    mine, theirs = tied()
    made: list[Wire] = []
    try:
        client = over(stage, mine, host)
        made.append(client)
        server = over(stage, theirs, None)
        made.append(server)
        client_done = server_done = False
        for _ in range(_TURNS):
            client_done = client_done or client.shake() == 0
            server_done = server_done or server.shake() == 0
            if client_done and server_done:
                break
        else:
            raise FailedError("the handshake does not end")
        yield client, server
    finally:
        for wire in made:
            wire.close()
        for sock in (mine, theirs):
            sock.close()


def _careful(stage: Stage) -> None:
    """See that a certificate for another name is refused here, too."""
    try:
        with connected(stage, pki.WRONG_HOST):
            pass
    except FailedError:
        return
    raise FailedError("it took a certificate for another name")


def _proven(client: Wire, server: Wire, size: int) -> Facts:
    """See that a message of a size comes out as it went in, both ways."""
    sent = (bytes(range(256)) * (size // 256 + 1))[:size]
    for one, other in ((server, client), (client, server)):
        buffer = bytearray(size)
        if one.sender()(sent) != size or other.receiver(buffer)() != size:
            raise FailedError("a message was cut short")
        if buffer != sent:
            raise FailedError("a message came out changed")
    return client.facts()


def _prepare(work: Work, size: int, setup: Setup, peer: Peer) -> Prepared:
    """Make contexts, and see that they do the work over sockets."""
    only(not peer.handshakes_only, "the same as pyssl here")
    stage = peer.stage(setup)
    prove(stage, setup)
    if stage.verifies:
        _careful(stage)
    with connected(stage) as (client, server):
        facts = _proven(client, server, size)
        work(client, server, 0.0)
    if facts.version != f"TLSv{setup.version}":
        raise FailedError(f"it agreed on {facts.version}")
    facts = facts._replace(over=way(stage))
    return Prepared(facts, partial(_sample, stage, work))


def _sample(stage: Stage, work: Work, seconds: float) -> Sample:
    """Work on a new connection."""
    with connected(stage) as (client, server):
        return work(client, server, seconds)


def _messages(size: int, client: Wire, server: Wire, seconds: float) -> Sample:
    """Write messages at one end, and read each at the other."""
    message, buffer = bytes(size), bytearray(max(size, 1024))
    send, receive = client.sender(), server.receiver(buffer)

    def work(many: int) -> None:
        for _ in range(many):
            if send(message) != size or receive() != size:
                raise FailedError("a message was cut short")

    return repeated(work, seconds)


def _waits(client: Wire, server: Wire, seconds: float) -> Sample:
    """Read where nothing has come; in the end something does."""
    message = b"at last"
    look = server.waiter(bytearray(1024))

    def work(many: int) -> None:
        for _ in range(many):
            if look() != 0:
                raise FailedError("it read what nobody wrote")

    sample = repeated(work, seconds)
    if client.sender()(message) != len(message) or look() != len(message):
        raise FailedError("a message was cut short")
    return sample


def _sized(name: str, size: int, small: bool) -> Scenario:
    """Make the scenario of messages of a size."""
    few = size < 1024
    suite, told = (".aes128", ", AES-128-GCM") if small else ("", "")
    return Scenario(
        f"socket-{name}{suite}",
        f"{size:,}-byte writes one way over a socket pair that does not "
        f"block, TLS 1.3{told}; limit-socket is Python's sockets without TLS",
        "messages/s" if few else "GB/s",
        1 if few else size / 1e9,
        Setup(small=small),
        partial(_prepare, partial(_messages, size), size),
        core=few and not small,
        size=size,
        ways=1,
        wire=size + _AROUND,
    )


SCENARIOS = (
    *(
        _sized(name, size, small)
        for small in (False, True)
        for name, size in SIZES.items()
    ),
    Scenario(
        "socket-waits",
        "reads over a socket pair that does not block where nothing has "
        "come, TLS 1.3, until that is told",
        "reads/s",
        1,
        Setup(),
        partial(_prepare, _waits, 64),
    ),
)
