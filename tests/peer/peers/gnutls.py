"""GnuTLS: gnutls-serv and gnutls-cli."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Optional

from tests.peer.openssl_cli import LOOPBACK, Peer, file_of
from tests.peer.peers.base import Conversation, Facts
from tests.peer.peers.cases import EARLY, PAYLOAD, Case
from tests.peer.peers.tools import (
    LAST,
    AskingOnce,
    Serving,
    Tool,
    has_all,
    on_free_port,
)
from tests.pki import ca

GROUPS = {
    "X25519": "X25519",
    "P-256": "SECP256R1",
    "P-384": "SECP384R1",
    "P-521": "SECP521R1",
}
# A client sends a share for the first group of each type, NIST curves and
# Montgomery curves; with one of these before it, a group has none.
LURES = {
    "X25519": "X448",
    "P-256": "SECP384R1",
    "P-384": "SECP256R1",
    "P-521": "SECP256R1",
}
CIPHERS = {
    "AES128-GCM": "AES-128-GCM",
    "AES256-GCM": "AES-256-GCM",
    "CHACHA20": "CHACHA20-POLY1305",
}


def priority(case: Case) -> str:
    """Give the priority string of a case."""
    alone = case.scenario == "retry" and case.role == "client"
    groups = (case.group,) if alone else case.groups
    words = ["NORMAL", "-VERS-ALL", f"+VERS-TLS{case.version}"]
    words += ["-CIPHER-ALL", f"+{CIPHERS[case.cipher]}", "-GROUP-ALL"]
    names = [GROUPS[group] for group in groups]
    if case.scenario == "retry" and case.role == "server":
        names = [LURES[case.group], GROUPS[case.group]]
    words += [f"+GROUP-{name}" for name in names]
    return ":".join(words)


class GnuTLS(Tool):
    """The tools of GnuTLS."""

    name = "GnuTLS"
    needs = ("gnutls-serv", "gnutls-cli")
    asks = ("gnutls-cli", "--version")
    mute = True
    early = "apart"

    def can(self, case: Case) -> Optional[str]:
        """Follow what GnuTLS 3.7 has."""
        if case.group == "X25519MLKEM768":
            return "is older than the group"
        return None

    @contextlib.contextmanager
    def serve(self, case: Case) -> Iterator[Conversation]:
        """Let gnutls-serv send back what comes."""
        options = [
            *("--echo", "--priority", priority(case)),
            *("--x509certfile", file_of(case.server.chain_pem)),
            *("--x509keyfile", file_of(case.server.key_pem)),
        ]
        if case.scenario == "early":
            options.append("--earlydata")
        if case.scenario == "client-auth":
            options += ["--require-client-cert", "--verify-client-cert"]
            options += ["--x509cafile", file_of(ca.authority().ca_pem)]

        def start(port: int) -> Peer:
            return Peer(*options, "-p", str(port), command="gnutls-serv")

        ready = "listening on IPv4 .*done"
        with on_free_port(start, ready) as (child, port):
            yield Serving(child, port, case.connections)

    @contextlib.contextmanager
    def connect(self, case: Case, port: int) -> Iterator[Conversation]:
        """Let gnutls-cli send lines; it updates its keys before it closes."""
        options = [
            *("-p", str(port), "--priority", priority(case)),
            *("--x509cafile", file_of(ca.authority().ca_pem)),
            *("--sni-hostname", "localhost", "--verify-hostname", "localhost"),
        ]
        if case.scenario == "client-auth":
            options += ["--x509certfile", file_of(case.client.chain_pem)]
            options += ["--x509keyfile", file_of(case.client.key_pem)]
        if case.connections > 1:
            options += ["--resume", "--waitresumption"]
        if case.scenario == "early":
            options += ["--earlydata", file_of(EARLY)]
        if case.version == "1.3":
            options.append("--inline-commands")

        def start() -> Peer:
            return Peer(*options, LOOPBACK, command="gnutls-cli")

        def play(child: Peer) -> list[Facts]:
            if case.version == "1.3":
                child.expect("Simple Client Mode")
                child.send("^rekey^")
            child.send(PAYLOAD[:-1])
            child.expect(re.escape(LAST))
            child.hang_up()
            assert child.wait() == 0
            return _facts(child.said)

        work = AskingOnce(start, play)
        try:
            yield work
        finally:
            work.stop()


def _facts(said: str) -> list[Facts]:
    """Read what gnutls-cli says of its connections."""
    versions = re.findall(r"^- Description: \(TLS(1\.\d)-", said, re.MULTILINE)
    resumed = "This is a resumed session" in said
    found: list[Facts] = [{"version": f"TLSv{v}"} for v in versions]
    found[-1]["echo"] = has_all(said)
    if len(found) > 1:
        found[-1]["reused"] = resumed
    return found
