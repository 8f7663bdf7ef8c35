"""Peers that are tools of the command line, and what these share."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

from tests.api import links
from tests.peer import openssl_cli
from tests.peer.openssl_cli import PATIENCE
from tests.peer.peers.base import Conversation, Facts, Peer
from tests.peer.peers.cases import EARLY, PAYLOAD, Case

TEXT = PAYLOAD.decode()
LAST = TEXT.splitlines()[-1]


def has_all(said: str) -> bool:
    """Tell whether the payload's lines are among what a tool said."""
    return all(line in said for line in TEXT.splitlines())


class Serving(Conversation):
    """A tool that is a server; its facts are few."""

    def __init__(self, child: openssl_cli.Peer, port: int, count: int) -> None:
        self.child, self.port, self.count = child, port, count

    def finish(self) -> list[Facts]:
        """Give no facts: the tool goes on."""
        return [{} for _ in range(self.count)]

    def evidence(self) -> str:
        """Give the end of what the tool said."""
        return self.child.said[-3000:]


class Asking(Conversation):
    """A tool that is a client, one run of it for each connection.

    Args:
        start: Starts the next run.
        play: Types for the run and awaits its answers, in a thread, because
            our server is busy meanwhile; gives the facts.
    """

    def __init__(
        self,
        start: Callable[[], openssl_cli.Peer],
        play: Callable[[openssl_cli.Peer], list[Facts]],
    ) -> None:
        self._start, self._play = start, play
        self._children: list[openssl_cli.Peer] = []
        self._facts: list[Facts] = []
        self._thread: Optional[threading.Thread] = None
        self._found: list[Any] = []
        self.again()

    def again(self) -> None:
        """Await the last run, start the next."""
        self._await()
        child = self._start()
        self._children.append(child)
        self._thread, self._found = links.in_thread(lambda: self._play(child))

    def _await(self) -> None:
        """Await the run and keep its facts."""
        if self._thread is None:
            return
        self._thread.join(PATIENCE)
        assert self._found, "the tool hangs"
        self._thread, found = None, self._found[0]
        if isinstance(found, BaseException):
            raise found
        self._facts += found

    def finish(self) -> list[Facts]:
        """Await the last run; give all facts."""
        self._await()
        return self._facts

    def evidence(self) -> str:
        """Give the end of what the runs said, the payload left out."""
        said = "".join(child.said for child in self._children)
        lines = [
            line for line in said.splitlines() if line not in TEXT and line
        ]
        return "\n".join(lines[-40:])

    def stop(self) -> None:
        """End the runs."""
        for child in self._children:
            child.stop()
        if self._thread is not None:
            self._thread.join(PATIENCE)


@contextlib.contextmanager
def on_free_port(
    start: Callable[[int], openssl_cli.Peer], ready: str
) -> Iterator[tuple[openssl_cli.Peer, int]]:
    """Run a server that must be told its port; try again if it is taken.

    Args:
        start: Starts it on a port.
        ready: A pattern in what it says once it listens.
    """
    for turn in range(5):
        with socket.create_server((openssl_cli.LOOPBACK, 0)) as found:
            port = int(found.getsockname()[1])
        with start(port) as child:
            try:
                child.expect(ready)
            except openssl_cli.NothingCameError:
                if turn == 4:
                    raise
                continue
            yield child, port
            return


class AskingOnce(Asking):
    """A tool that makes all connections in one run."""

    def again(self) -> None:
        """Start the run, if it has not been."""
        if not self._children:
            super().again()


class Tool(Peer):
    """A peer of the command line.

    Attributes:
        needs: Commands that must be there.
        asks: The command line that tells the version.
    """

    needs: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()

    def absent(self) -> Optional[str]:
        """Say which command is missing."""
        for command in self.needs:
            if shutil.which(command) is None:
                return f"there is no {command} here: run `make interop`"
        return None

    def version(self) -> str:
        """Ask the command; the first line."""
        done = subprocess.run(
            self.asks,
            capture_output=True,
            check=False,
            env=openssl_cli.environment(),
            text=True,
        )
        return (done.stdout + done.stderr).splitlines()[0]


# ---- openssl --------------------------------------------------------------


class Typing(Serving):
    """s_server that does not reverse lines: we do it, by hand."""

    def __init__(self, child: openssl_cli.Peer, port: int, count: int) -> None:
        super().__init__(child, port, count)
        self._thread, self._found = links.in_thread(self._play)

    def _play(self) -> list[Facts]:
        """Await the payload on each connection, and type it reversed."""
        lines = PAYLOAD.split(b"\n")
        facts: list[Facts] = []
        for turn in range(self.count):
            if turn > 0:
                self.child.expect(EARLY.decode())
            self.child.expect(re.escape(LAST))
            self.child.send(b"\n".join(line[::-1] for line in lines[:-1]))
            facts.append({"early": turn > 0})
        return facts

    def finish(self) -> list[Facts]:
        """Await the end of the typing."""
        self._thread.join(PATIENCE)
        assert self._found, "the tool hangs"
        if isinstance(self._found[0], BaseException):
            raise self._found[0]
        facts: list[Facts] = self._found[0]
        return facts


class OpenSSL(Tool):
    """`openssl s_server` and `s_client`."""

    name = "openssl"
    style = "reverse"
    early = "apart"
    needs = (openssl_cli.OPENSSL,)
    asks = (openssl_cli.OPENSSL, "version")

    def can(self, case: Case) -> Optional[str]:
        """All but what is too new for it."""
        if case.group == "X25519MLKEM768":
            return "is older than the group"
        return None

    @staticmethod
    def _common(case: Case) -> list[str]:
        """Give the options of both commands."""
        new = case.version == "1.3"
        alone = case.scenario == "retry" and case.role == "client"
        groups = (case.group,) if alone else case.groups
        return [
            "-tls1_3" if new else "-tls1_2",
            *("-ciphersuites" if new else "-cipher", case.suite),
            *("-groups", ":".join(groups)),
        ]

    @contextlib.contextmanager
    def serve(self, case: Case) -> Iterator[Conversation]:
        """Let s_server reverse lines."""
        options = [*self._common(case), "-rev"]
        if case.scenario == "early":  # which it has not when reversing
            options[-1:] = ["-early_data"]
        if case.scenario == "client-auth":
            options += [
                "-Verify",
                "1",
                *openssl_cli.trust_options(case.client),
            ]
        with openssl_cli.Server(case.server, *options) as child:
            if case.scenario == "early":
                yield Typing(child, child.port, case.connections)
            else:
                yield Serving(child, child.port, case.connections)

    @contextlib.contextmanager
    def connect(self, case: Case, port: int) -> Iterator[Conversation]:
        """Let s_client send lines; it updates its keys before it closes."""
        options = [
            *self._common(case),
            *("-servername", "localhost", "-verify_hostname", "localhost"),
            *openssl_cli.trust_options(case.server),
        ]
        if case.scenario == "client-auth":
            options += openssl_cli.own_options(case.client)
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder) / "session.pem"

            def start() -> openssl_cli.Peer:
                if not saved.exists():
                    which = ("-sess_out", str(saved))
                elif case.scenario == "early":
                    early = ("-early_data", openssl_cli.file_of(EARLY))
                    which = ("-sess_in", str(saved), *early)
                else:
                    which = ("-sess_in", str(saved))
                return openssl_cli.Client(port, *options, *which)

            def play(child: openssl_cli.Peer) -> list[Facts]:
                child.send(PAYLOAD[:-1])
                child.expect(re.escape(LAST))
                if case.version == "1.3":
                    child.send("K")
                    child.expect("KEYUPDATE")
                child.send("Q")
                assert child.wait() == 0
                return [_s_client_facts(child.said)]

            work = Asking(start, play)
            try:
                yield work
            finally:
                work.stop()


def _s_client_facts(said: str) -> Facts:
    """Read what s_client says of its connection."""
    pattern = r"^(New|Reused), (\S+), Cipher is (\S+)$"
    found = re.search(pattern, said, re.MULTILINE)
    assert found is not None, said
    return {
        "version": found[2],
        "suite": found[3],
        "reused": found[1] == "Reused",
        "echo": has_all(said),
        "early": "Early data was accepted" in said,
    }
