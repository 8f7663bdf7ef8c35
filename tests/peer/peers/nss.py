"""NSS: selfserv and tstclnt."""

from __future__ import annotations

import atexit
import contextlib
import functools
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.peer.openssl_cli import LOOPBACK, PATIENCE, Peer, environment
from tests.peer.peers.base import Conversation, Facts
from tests.peer.peers.cases import CURVES, PAYLOAD, Case
from tests.peer.peers.tools import (
    AskingOnce,
    Serving,
    Tool,
    has_all,
    on_free_port,
)
from tests.pki import ca

GROUPS = {
    "X25519": "x25519",
    "P-256": "P256",
    "P-384": "P384",
    "P-521": "P521",
}


# All there are for our kinds of keys; by itself it has not each of them.
SCHEMES = (
    "ecdsa_secp256r1_sha256",
    "ecdsa_secp384r1_sha384",
    "ecdsa_secp521r1_sha512",
    "rsa_pss_rsae_sha256",
    "rsa_pss_pss_sha256",
)


OWN_CURVE = "takes for shares the curve of its certificate"


@functools.cache
def _folders() -> tempfile.TemporaryDirectory[str]:
    """Give the folder of all databases; it goes when the process does."""
    made = tempfile.TemporaryDirectory(prefix="pyssl-nss-")
    atexit.register(made.cleanup)
    return made


def _run(*command: str) -> None:
    """Run a tool to its end."""
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        env=environment(),
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@functools.cache
def database(identity: Optional[ca.Identity]) -> str:
    """Make a folder with the root and an identity called "own"."""
    folder = Path(tempfile.mkdtemp(dir=_folders().name))
    where = f"sql:{folder}"
    (folder / "root.pem").write_bytes(ca.authority().ca_pem)
    (folder / "payload").write_bytes(PAYLOAD)
    _run("certutil", "-N", "-d", where, "--empty-password")
    root = str(folder / "root.pem")
    _run("certutil", "-A", "-d", where, "-n", "root", "-t", "CT,,", "-i", root)
    if identity is not None:
        packed = pkcs12.serialize_key_and_certificates(
            b"own",
            identity.key,  # type: ignore[arg-type]
            identity.cert,
            None,
            serialization.BestAvailableEncryption(b"x"),
        )
        (folder / "own.p12").write_bytes(packed)
        own = str(folder / "own.p12")
        _run("pk12util", "-i", own, "-d", where, "-W", "x", "-K", "")
    return str(folder)


def options(case: Case) -> list[str]:
    """Give the options of both tools."""
    groups = (case.group,) if case.role == "client" else case.groups
    found = [
        *("-V", f"tls{case.version}:tls{case.version}"),
        *("-I", ",".join(GROUPS[group] for group in groups)),
        *("-J", ",".join(SCHEMES)),
    ]
    # With a list of suites tstclnt dies before its second connection.
    if case.connections == 1 or case.role == "client":
        found += ["-c", f":{case.number:04X}"]
    return found


class NSS(Tool):
    """The tools of NSS."""

    name = "NSS"
    style = "page"
    needs = ("selfserv", "tstclnt", "certutil", "pk12util")
    asks = ("dpkg-query", "-W", "-f", "NSS ${Version}\n", "libnss3")
    closes = False
    early = "stream"
    # Against replay: it refuses what comes in its first ten seconds.
    refuses_early = True

    def can(self, case: Case) -> Optional[str]:
        """Follow what NSS 3.87 has."""
        if case.group == "X25519MLKEM768":
            return "is older than the group"
        if case.kind in ("ed25519", "ed448"):
            return f"has no keys of the kind {case.kind}"
        curve = CURVES.get(case.kind, case.group)
        if (case.version, case.role) == ("1.2", "client"):
            return None if curve == case.group else OWN_CURVE
        return None

    @contextlib.contextmanager
    def serve(self, case: Case) -> Iterator[Conversation]:
        """Let selfserv give the payload, which lies in its folder."""
        folder = database(case.server)
        words = ["-d", f"sql:{folder}", "-n", "own", "-v"]
        if case.scenario == "client-auth":
            words += ["-r", "-r"]
        words += [*options(case), "-u"]
        if case.scenario == "early":
            words.append("-Z")

        def start(port: int) -> Peer:
            more = ("-p", str(port))
            return Peer(*words, *more, command="selfserv", folder=folder)

        with on_free_port(start, "About to call accept") as (child, port):
            yield Serving(child, port, case.connections)

    @contextlib.contextmanager
    def connect(self, case: Case, port: int) -> Iterator[Conversation]:
        """Let tstclnt send a file; it says what comes back."""
        shows = case.scenario == "client-auth"
        folder = database(case.client if shows else None)
        words = ["-h", LOOPBACK, "-a", "localhost", "-p", str(port), "-u"]
        words += ["-d", f"sql:{folder}", "-A", "payload"]
        words += ["-L", str(case.connections), *options(case)]
        if shows:
            words += ["-n", "own"]
        if case.scenario == "early":
            words.append("-Z")

        def start() -> Peer:
            return Peer(*words, command="tstclnt", folder=folder)

        def play(child: Peer) -> list[Facts]:
            child.hang_up()
            assert child.wait() == 0
            hits = re.findall(r"^(\d+) cache hits", child.said, re.MULTILINE)
            facts: list[Facts] = [{} for _ in range(case.connections)]
            facts[-1]["echo"] = has_all(child.said)
            facts[-1]["reused"] = int(hits[-1]) > 0
            return facts

        work = AskingOnce(start, play)
        try:
            yield work
        finally:
            work.stop()
