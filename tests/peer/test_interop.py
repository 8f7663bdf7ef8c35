"""The interop matrix: every peer, and what each of them can do with us.

    make interop            installs the peers and runs everything
    make test               what is installed, and few cases of each

INTEROP=all runs every case; without it a set is run in which every pair of
values occurs (version, cipher, group, certificate, scenario, role), and one
case is skipped for each reason why a peer cannot do something.
INTEROP=1 runs such a set with slow peers, too, and prints the table.
INTEROP_PEER=name leaves the other peers out.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Optional

import pytest

from tests.clauses import clause
from tests.peer.openssl_cli import Listener
from tests.peer.peers import PEERS, ours
from tests.peer.peers.base import Conversation, Facts, Peer
from tests.peer.peers.cases import Case, everything, pairwise

ALL = os.environ.get("INTEROP") == "all"
ONLY = os.environ.get("INTEROP_PEER")

Row = tuple[Peer, Optional[Case], Optional[str]]


def rows_of(peer: Peer) -> Iterator[Row]:
    """Give the cases to run with a peer, and reasons for those to skip."""
    absent = peer.absent()
    if peer.slow and absent is None and "INTEROP" not in os.environ:
        absent = "slow: set INTEROP"
    if absent is not None:
        yield peer, None, absent
        return
    judged = [
        (case, ours.unable(case) or peer.can(case)) for case in everything()
    ]
    if ALL and not peer.slow:
        yield from ((peer, case, reason) for case, reason in judged)
        return
    able = [case for case, reason in judged if reason is None]
    yield from ((peer, case, None) for case in pairwise(able))
    told: set[tuple[str, str]] = set()
    for case, reason in judged:
        if reason is not None and (case.scenario, reason) not in told:
            told.add((case.scenario, reason))
            yield peer, case, reason


def params() -> Iterator[object]:
    """Give the parameters of the test."""
    for peer in PEERS:
        if ONLY not in (None, peer.name):
            continue
        for _, case, reason in rows_of(peer):
            skip = [] if reason is None else [pytest.mark.skip(reason=reason)]
            group = pytest.mark.xdist_group(f"interop {peer.name}")
            yield pytest.param(
                peer,
                case,
                id=f"{peer.name}-{case or 'absent'}",
                marks=[*skip, group],
            )


@pytest.fixture(scope="module", autouse=True)
def _stop() -> Iterator[None]:
    """End what peers keep running."""
    yield
    for peer in PEERS:
        peer.stop()


def check(facts: list[Facts], case: Case) -> None:
    """See that the peer saw the same as we did."""
    assert len(facts) == case.connections
    for turn, fact in enumerate(facts):
        assert fact.get("version") in (None, f"TLSv{case.version}")
        names = (None, case.suite, case.standard, case.number)
        assert fact.get("suite") in names
        assert fact.get("reused") in (None, turn > 0)
        assert fact.get("echo") in (None, True)
        assert fact.get("closed") in (None, True)
        taken = case.scenario == "early" and turn > 0
        assert fact.get("early") in (None, taken)
        shown = case.server if case.role == "server" else case.client
        assert fact.get("shown") in (None, shown.cert_der.hex())


@clause("HS-1", "HS-5", "CIPH-4", "CIPH-6", "VFY-1", "SESS-3", "SD-2")
@clause("RFC 8446 4.1.4", "RFC 8446 4.6.3")
@pytest.mark.parametrize(("peer", "case"), list(params()))
def test_interop(peer: Peer, case: Case) -> None:
    if case.role == "client":
        with peer.serve(case) as other, evident(other):
            ours.run_client(case, other.port, peer, other.again)
            facts = other.finish()
    else:
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(Listener())
            other = stack.enter_context(peer.connect(case, listener.port))
            stack.enter_context(evident(other))
            ours.run_server(case, listener.accept, peer, other.again)
            facts = other.finish()
    check(facts, case)


@contextlib.contextmanager
def evident(other: Conversation) -> Iterator[None]:
    """Add what the peer has to say to a failure."""
    try:
        yield
    except (AssertionError, OSError) as e:
        said = other.evidence()
        raise AssertionError(f"{e}\nthe peer: {said}") from e
