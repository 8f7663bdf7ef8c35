"""The drive of `pyssl` against the forge, and what a refusal must look like.

A `Case` is a row of a table: which section of RFC 8446 it proves, how the
forge is bent, and what has to come of it. `check(case, server=...)` runs it
with `pyssl` as that side. A `Case12` is the same for TLS 1.2, and names its
RFC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge.peer import Alert, ForgeClient, ForgeServer
from tests.forge.peer12 import ForgeClient12, ForgeServer12
from tests.pki import ca

CLEAR, SEALED = "clear", "sealed"
HANDSHAKE, APPLICATION = "handshake", "application"

# The alerts of RFC 8446 6, by number in the tables and by name here.
UNEXPECTED, BAD_MAC, OVERFLOW, FAILURE = 10, 20, 22, 40
BAD_CERT, ILLEGAL, DECODE, DECRYPT = 42, 47, 50, 51
VERSION, MISSING, UNSUPPORTED = 70, 109, 110
UNSUPPORTED_CERT, FALLBACK, NO_RENEGOTIATION = 43, 86, 100


SIDES = pytest.mark.parametrize(
    "as_server", [False, True], ids=["client", "server"]
)


@dataclass
class Case:
    """A misbehaviour and its outcome.

    Attributes:
        rfc: section of RFC 8446.
        name: what the forge does, in a few words.
        bend: gives the forge its orders before the first byte.
        alert: the alert it must provoke (one of them, where the RFC leaves
            a choice); None if the handshake must complete.
        reason: SSL_R_ reason of the last queue entry; None where the
            contract names none.
        epoch: the keys the alert must come under (one of them).
        late: gives the established forge its orders; then `pyssl` reads.
        forge: arguments of the forge.
        wishes: arguments of `links.make_contexts`.
        prepare: settings of the SSL object.
        ids: more clauses that the case proves.
    """

    rfc: str
    name: str
    bend: Optional[Callable[[Any], object]] = None
    alert: Union[int, tuple[int, ...], None] = None
    reason: Union[int, tuple[int, ...], None] = None
    epoch: Union[str, tuple[str, ...]] = HANDSHAKE
    late: Optional[Callable[[Any], object]] = None
    forge: dict[str, Any] = field(default_factory=dict)
    wishes: dict[str, Any] = field(default_factory=dict)
    prepare: Optional[Callable[[p.SSL], object]] = None
    ids: tuple[str, ...] = ()


@dataclass
class Case12(Case):
    """A misbehaviour of a peer of TLS 1.2.

    Attributes:
        rfc: RFC and section, "5246 7.4.2".
        epoch: "clear" or "sealed".
    """

    epoch: Union[str, tuple[str, ...]] = CLEAR


def table(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Turn rows into the parameter `case` of a test."""
    params = []
    for case in cases:
        ids = (f"RFC {case.rfc}", *case.ids)
        if not isinstance(case, Case12):
            ids = (f"RFC 8446 {case.rfc}", *case.ids)
        if case.alert is not None:
            ids += ("HS-18", "HS-22", "HS-23", "HS-24")
        label = f"{case.rfc}-{case.name}".replace(" ", "_")
        assert "[" not in label, label
        params.append(pytest.param(case, id=label, marks=clause(*ids)))
    names = [param.id for param in params]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"two rows of one name: {twice}"
    return pytest.mark.parametrize("case", params)


class Victim:
    """One SSL of `pyssl` on memory BIOs, with the forge as its peer."""

    def __init__(self, ssl: p.SSL, forge: Any) -> None:
        self.peer = links.RawPeer(ssl)
        self.ssl, self.forge = ssl, forge

    def deliver(self) -> int:
        """Carry bytes both ways; gives how many reached `pyssl`."""
        self.forge.feed(self.peer.sent())
        back = self.forge.take()
        self.peer.feed(back)
        return len(back)

    def handshake(self) -> links.Outcome:
        """Handshake until it ends, or until nobody has anything to say."""
        for _ in range(40):
            result = self.peer.handshake()
            moved = self.deliver()
            if result[1] != p.SSL_ERROR_WANT_READ or moved == 0:
                return result
        raise AssertionError("the handshake does not end")

    def read(self) -> tuple[bytes, links.Outcome]:
        """Read until nothing is left: the data, and how it ended."""
        data = b""
        self.deliver()
        for _ in range(200):
            buf = bytearray(16384)
            got = p.SSL_read(self.ssl, buf)
            result = links.outcome(self.ssl, got)
            moved = self.deliver()
            data += buf[: max(got, 0)]
            if got <= 0 and (result[1] != p.SSL_ERROR_WANT_READ or not moved):
                return data, result
        raise AssertionError("reading does not end")


def client(
    forge: Any,
    prepare: Optional[Callable[[p.SSL], object]] = None,
    **wishes: Any,
) -> Victim:
    """Make a `pyssl` client that trusts the forge's certificate.

    The forge speaks TLS 1.3 alone, and so does its victim unless the wish
    `version` says otherwise (0 for all).
    """
    wishes.setdefault("version", p.TLS1_3_VERSION)
    wishes.setdefault("server", forge.identity or ca.leaf())
    wishes.setdefault("level", 0)  # it lends the client its root, no more
    ssl = links.make_ends(**wishes)[0]
    if prepare is not None:
        prepare(ssl)
    return Victim(ssl, forge)


def server(
    forge: Any,
    prepare: Optional[Callable[[p.SSL], object]] = None,
    **wishes: Any,
) -> Victim:
    """Make a `pyssl` server that trusts the forge's certificate.

    Of TLS 1.3 alone, as `client` is.
    """
    wishes.setdefault("version", p.TLS1_3_VERSION)
    if wishes.get("client_auth"):
        wishes.setdefault("client", forge.identity or ca.leaf())
    ssl = links.make_ends(**wishes)[1]
    if prepare is not None:
        prepare(ssl)
    return Victim(ssl, forge)


def make(case: Case, *, as_server: bool) -> Victim:
    """Make the victim of a case; the forge has its orders."""
    forge: Any
    wishes = dict(case.wishes)
    old = isinstance(case, Case12)
    if old:
        wishes.setdefault("version", p.TLS1_2_VERSION)
    if as_server:
        forge = (ForgeClient12 if old else ForgeClient)(**case.forge)
    else:
        peer: Any = ForgeServer12 if old else ForgeServer
        forge = peer(**{"identity": ca.leaf(), **case.forge})
    if case.bend is not None:
        case.bend(forge)
    side = server if as_server else client
    victim = side(forge, case.prepare, **wishes)
    if as_server:
        forge.start()
        victim.deliver()
    return victim


def connected(*, as_server: bool, old: bool = False) -> Victim:
    """Complete a handshake with `pyssl` as that side; old: of TLS 1.2."""
    plain = Case12("5246 7.3", "plain") if old else Case("4", "plain")
    victim = make(plain, as_server=as_server)
    assert victim.handshake() == (1, 0), links.reasons()
    return victim


def check(case: Case, *, as_server: bool) -> Victim:
    """Run a case with `pyssl` as that side."""
    victim = make(case, as_server=as_server)
    result = victim.handshake()
    if case.late is not None:
        assert result == (1, 0), (result, links.reasons())
        assert victim.forge.done
        case.late(victim.forge)
        _, result = victim.read()
    if case.alert is None:
        if case.late is None:
            assert result == (1, 0), (result, links.reasons())
        works(victim)
    else:
        refused(victim, result, case.alert, case.reason, case.epoch)
    return victim


def works(victim: Victim) -> None:
    """The connection carries data both ways, and nobody complains."""
    assert links.reasons() == []
    victim.forge.write(b"from the forge")
    data, result = victim.read()
    assert data == b"from the forge", (result, links.reasons())
    assert result == (-1, p.SSL_ERROR_WANT_READ), links.reasons()
    assert victim.peer.write(b"to the forge") == (12, 0)
    victim.deliver()
    assert bytes(victim.forge.data) == b"to the forge"
    assert victim.forge.alerts == []


def _one_of(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, tuple) else value == wanted


def refused(
    victim: Victim,
    result: links.Outcome,
    alert: Union[int, tuple[int, ...]],
    reason: Union[int, tuple[int, ...], None] = None,
    epoch: Union[str, tuple[str, ...]] = HANDSHAKE,
) -> None:
    """The peer's fault was answered as HS-18 wants, and the SSL is dead."""
    queue = links.reasons()
    seen = (result, queue, victim.forge.alerts)
    assert result == (-1, p.SSL_ERROR_SSL), seen
    assert len(victim.forge.alerts) == 1, seen
    sent: Alert = victim.forge.alerts[0]
    assert sent.level == 2, seen
    assert _one_of(sent.description, alert), seen
    assert _one_of(sent.epoch, epoch), seen
    assert queue[-1][0] == p.ERR_LIB_SSL, seen
    if reason is not None:
        assert _one_of(queue[-1][1], reason), seen
    dead(victim.peer)


def dead(peer: links.RawPeer) -> None:
    """HS-22 to HS-24, RW-33: every call fails at once, without I/O."""
    assert p.SSL_state_string(peer.ssl) == "SSLERR"
    assert p.SSL_state_string_long(peer.ssl) == "error"
    assert p.SSL_in_init(peer.ssl)
    assert not p.SSL_is_init_finished(peer.ssl)
    assert peer.sent() == b""
    peer.feed(b"\x15\x03\x03\x00\x02\x01\x00")
    waiting = p.BIO_ctrl_pending(peer.bio_in)
    again = (-1, p.SSL_ERROR_SYSCALL)
    assert peer.handshake() == again
    assert peer.read() == again
    assert links.outcome(peer.ssl, p.SSL_peek(peer.ssl, bytearray(9))) == again
    assert peer.write(b"x") == again
    assert p.ERR_peek_error() == 0
    assert peer.sent() == b""
    assert p.BIO_ctrl_pending(peer.bio_in) == waiting
