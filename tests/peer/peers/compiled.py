"""Peers whose agent is compiled or has an interpreter of its own.

`install.sh` compiles what can be compiled to the folder of `agent.BUILT`.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Optional

from tests.peer.peers.agent import BUILT, HERE, AgentPeer
from tests.peer.peers.base import Conversation
from tests.peer.peers.cases import DEFAULT_SHARES, Case


class Go(AgentPeer):
    """crypto/tls of Go."""

    name = "Go"

    def absent(self) -> Optional[str]:
        """Say that the agent is not compiled."""
        if not (BUILT / "agent-go").exists():
            return "the agent in Go is not compiled: run `make interop`"
        return None

    def command(self) -> list[str]:
        """Run the agent."""
        return [str(BUILT / "agent-go")]

    def can(self, case: Case) -> Optional[str]:
        """Follow what Go's documentation says."""
        if case.scenario == "early":
            return "has no early data but for QUIC"
        if case.kind in ("rsapss", "ed448"):
            return f"has no keys of the kind {case.kind}"
        turn = (case.scenario, case.role)
        if turn == ("retry", "server") and case.group in DEFAULT_SHARES:
            return f"sends a share for {case.group} whatever it prefers"
        return None


class Node(AgentPeer):
    """tls of Node."""

    name = "Node"

    def absent(self) -> Optional[str]:
        """Say that there is no Node."""
        return None if shutil.which("node") else "there is no node here"

    def command(self) -> list[str]:
        """Run the script."""
        return ["node", str(HERE / "agent.js")]

    def can(self, case: Case) -> Optional[str]:
        """Follow what the module lets one set."""
        if case.scenario == "early":
            return "has no calls for early data"
        if case.group == "X25519MLKEM768":
            return "its OpenSSL is older than the group"
        return None


NAMES = {
    "X25519": "x25519",
    "P-256": "secp256r1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
}

# JSSE as client sends a share for the first of its groups of each type, NIST
# curves and Montgomery curves; as server it takes its first that is offered.
# So a machine that likes one group best has few others to lure us with.
LURES = {
    "X25519": "P-256",
    "P-256": "P-384",
    "P-384": "P-256",
    "P-521": "P-256",
}


def liking(group: str) -> str:
    """Give a machine's list of all groups with one at the head."""
    others = [name for key, name in NAMES.items() if key != group]
    if group != "X25519":
        others = [*others[1:], "x448", "x25519"]
    return ",".join([NAMES[group], *others])


class Runtime(AgentPeer):
    """A virtual machine with a list of groups, which it takes only once."""

    def __init__(self, groups: str) -> None:
        super().__init__()
        self.groups = groups

    def command(self) -> list[str]:
        """Run the class."""
        return [
            "java",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            f"-Djdk.tls.namedGroups={self.groups}",
            *("-cp", str(BUILT / "java"), "Agent"),
        ]


class Java(AgentPeer):
    """JSSE of Java."""

    name = "Java"

    def __init__(self) -> None:
        super().__init__()
        self._machines: dict[str, Runtime] = {}

    def _with(self, groups: str) -> Runtime:
        """Give a machine with a list of groups."""
        return self._machines.setdefault(groups, Runtime(groups))

    def absent(self) -> Optional[str]:
        """Say that there is no Java, or the agent is not compiled."""
        if shutil.which("java") is None:
            return "there is no java here"
        if not (BUILT / "java" / "Agent.class").exists():
            return "the agent in Java is not compiled: run `make interop`"
        return None

    def version(self) -> str:
        """Ask a machine."""
        return self._with(liking("X25519")).version()

    def can(self, case: Case) -> Optional[str]:
        """Follow what JSSE of Java 17 has."""
        if case.scenario == "early":
            return "has no early data"
        if case.group == "X25519MLKEM768":
            return "is older than the group"
        if case.kind in ("ed25519", "ed448"):
            return f"has no signature scheme of {case.kind}"
        return None

    @contextlib.contextmanager
    def serve(self, case: Case) -> Iterator[Conversation]:
        """Let a machine be the server that likes the case's group best.

        One that shall ask for a retry has that group alone.
        """
        retry = case.scenario == "retry"
        groups = NAMES[case.group] if retry else liking(case.group)
        with self._with(groups).serve(case) as work:
            yield work

    @contextlib.contextmanager
    def connect(self, case: Case, port: int) -> Iterator[Conversation]:
        """Let a machine be the client, with a share of its liking."""
        retry = case.scenario == "retry"
        likes = LURES[case.group] if retry else case.group
        with self._with(liking(likes)).connect(case, port) as work:
            yield work

    def stop(self) -> None:
        """End all machines."""
        for machine in self._machines.values():
            machine.stop()
