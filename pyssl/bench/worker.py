"""Measures for another process, which runs the rounds: see `beside`.

    python -m pyssl.bench.worker

A line of JSON is asked, a line is answered: ["hello"], ["prepare", peer,
scenario], ["run", peer, scenario, seconds], ["limit", name, scenario]. An
answer is {"done": ...}, {"skip": why} or {"failed": why}. The end of the
input ends it.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Optional

from pyssl import versions
from pyssl.bench import limit, rounds
from pyssl.bench.catalog import SCENARIOS
from pyssl.bench.peers import find_peers
from pyssl.bench.peers.base import FailedError, SkipError
from pyssl.bench.scenarios import Prepared, Scenario

# Goes up when questions or answers change.
PROTOCOL = 1


class Worker:
    """Answers questions; what was prepared is kept for one scenario."""

    def __init__(self) -> None:
        self._scenario: Optional[Scenario] = None
        self._ready: dict[str, Prepared] = {}
        self._limits: dict[str, limit.Line] = {}
        self._answers: dict[str, Callable[..., Any]] = {
            "hello": self._hello,
            "prepare": self._prepare,
            "run": self._run,
            "limit": self._limit,
        }

    def answer(self, line: str) -> str:
        """Answer a line of JSON with another."""
        what, *rest = json.loads(line)
        try:
            found = {"done": self._answers[what](*rest)}
        except SkipError as e:
            found = {"skip": str(e)}
        except FailedError as e:
            found = {"failed": str(e)}
        except Exception as e:  # noqa: BLE001 - whatever a peer raises
            found = {"failed": repr(e)}
        return json.dumps(found)

    def _hello(self) -> dict[str, Any]:
        """Tell what is here."""
        return {"protocol": PROTOCOL, "versions": versions()}

    def _prepare(self, peer: str, name: str) -> dict[str, Any]:
        """Prepare a peer; tell what it agreed on, and what limits it."""
        scenario = self._enter(name)
        found, missing = find_peers([peer])
        if not found:
            raise SkipError(missing[peer])
        ready = found[0].prepare(scenario)
        self._ready[peer] = ready
        return {
            "facts": ready.facts and ready.facts._asdict(),
            "versions": found[0].versions(),
            "limits": list(self._limits),
        }

    def _enter(self, name: str) -> Scenario:
        """Begin with a scenario, and let go of the one before."""
        if self._scenario is None or self._scenario.name != name:
            named = [one for one in SCENARIOS if one.name == name]
            if not named:
                raise SkipError("it has no such scenario")
            self._ready.clear()
            self._scenario = named[0]
            self._limits = rounds.limits(named[0])
        return self._scenario

    def _run(self, peer: str, seconds: float) -> dict[str, Any]:
        """Measure a peer that was prepared."""
        gc.collect()  # the garbage of the one before
        return self._ready[peer].run(seconds)._asdict()

    def _limit(self, name: str) -> Optional[dict[str, Any]]:
        """Measure a limit."""
        sample = self._limits[name].sample()
        return sample and sample._asdict()


def main() -> None:
    """Answer until nobody asks."""
    # What a package prints must not come between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        worker = Worker()
        for line in sys.stdin:
            print(worker.answer(line), file=out, flush=True)


if __name__ == "__main__":
    main()
