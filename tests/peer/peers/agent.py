"""Peers that are a program of ours on their stack: agents, see agents/.

An agent runs once a process of tests and follows one order after the other.
One that hangs is ended, and another started for the next case.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from tests.peer.openssl_cli import PATIENCE, environment
from tests.peer.peers.base import Conversation, Facts, Peer
from tests.peer.peers.cases import Case

HERE = Path(__file__).resolve().parent / "agents"
ROOT = HERE.parents[3]

# What `make interop` installed; the peers need not be in our own venv.
BUILT = Path(os.environ.get("PYSSL_INTEROP") or ROOT / "build" / "interop")


class AgentError(AssertionError):
    """An agent failed at its part of a case, or fell silent."""


class Agent:
    """The child process."""

    def __init__(self, command: list[str]) -> None:
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        self._cries: list[str] = []
        self._listeners = [
            threading.Thread(target=self._listen, args=both, daemon=True)
            for both in (
                (self._child.stdout, self._answers.put),
                (self._child.stderr, self._cries.append),
            )
        ]
        for listener in self._listeners:
            listener.start()

    @staticmethod
    def _listen(stream: Any, put: Any) -> None:
        """Gather lines until the child closes the stream, and say so."""
        for line in stream:
            put(line)
        put("")

    def order(self, **words: Any) -> None:
        """Send an order."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Await an answer.

        Errors:
            AgentError: the order failed, or the agent is silent.
        """
        try:
            line = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            self.stop()
            raise AgentError("silent: " + "".join(self._cries)) from None
        if not line:
            self.stop()
            raise AgentError("ended: " + "".join(self._cries))
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise AgentError(f"{said['error']}\n{said.get('at', '')}")
        return said

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self._child.poll() is None

    def stop(self) -> None:
        """End it; may be repeated."""
        self._child.kill()
        self._child.wait(PATIENCE)
        for listener in self._listeners:
            listener.join(PATIENCE)
        child = self._child
        for stream in (child.stdin, child.stdout, child.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class Ordered(Conversation):
    """An agent at work on a case."""

    def __init__(self, agent: Agent, port: int = 0) -> None:
        self._agent = agent
        self.port = port
        self._done: Optional[list[Facts]] = None

    def finish(self) -> list[Facts]:
        """Await the facts."""
        if self._done is None:
            self._done = []
            self._done = self._agent.answer()["done"]
        return self._done

    def evidence(self) -> str:
        """Await the end of a case that failed, whatever the agent says."""
        try:
            return str(self.finish())
        except AgentError as e:
            return str(e)


class AgentPeer(Peer):
    """A peer that is an agent."""

    def __init__(self) -> None:
        self._agent: Optional[Agent] = None

    def command(self) -> list[str]:
        """Give the command line of the agent."""
        raise NotImplementedError

    def _running(self) -> Agent:
        """Give the agent, started if it is not running."""
        if self._agent is None or not self._agent.alive:
            self._agent = Agent(self.command())
        return self._agent

    def version(self) -> str:
        """Ask the agent."""
        agent = self._running()
        agent.order(do="version")
        return str(agent.answer()["version"])

    @contextlib.contextmanager
    def serve(self, case: Case) -> Iterator[Conversation]:
        """Let the agent be the server."""
        agent = self._running()
        agent.order(do="serve", **case.told())
        work = Ordered(agent, int(agent.answer()["port"]))
        try:
            yield work
        finally:
            work.evidence()

    @contextlib.contextmanager
    def connect(self, case: Case, port: int) -> Iterator[Conversation]:
        """Let the agent be the client."""
        agent = self._running()
        agent.order(do="connect", port=port, **case.told())
        work = Ordered(agent)
        try:
            yield work
        finally:
            work.evidence()

    def stop(self) -> None:
        """End the agent."""
        if self._agent is not None:
            self._agent.stop()
            self._agent = None


def interpreter(module: str) -> Optional[str]:
    """Give a Python that has a module: ours, or what was installed."""
    if importlib.util.find_spec(module) is not None:
        return sys.executable
    if any(BUILT.glob(f"venv/lib/python*/site-packages/{module}")):
        return str(BUILT / "venv" / "bin" / "python")
    return None


class PythonPeer(AgentPeer):
    """An agent in Python.

    Attributes:
        script: Of agents/.
        module: That it needs.
    """

    script = ""
    module = ""

    def absent(self) -> Optional[str]:
        """Say that there is no Python with the module."""
        if interpreter(self.module) is None:
            return f"no Python here has {self.module}: run `make interop`"
        return None

    def command(self) -> list[str]:
        """Run the script with the Python that has the module."""
        python = interpreter(self.module)
        assert python is not None
        return [python, str(HERE / self.script), self.module]
