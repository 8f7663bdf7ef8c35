"""Another build of pyssl in the same rounds: --beside FOLDER.

The extension of this process is linked with one libcrypto. A second build,
say the wheel's with its static libcrypto beside one for the system's, works
in a process of its own (`worker`), which waits while others have their turn.
Its rows are called pyssl+VERSION after its libcrypto, with the library of its
primitives behind if that is another, and its limit is measured there as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Optional

from pyssl.bench.peers import BASELINE, PEERS
from pyssl.bench.peers.base import (
    Facts,
    FailedError,
    Peer,
    Setup,
    SkipError,
    Stage,
)
from pyssl.bench.rounds import LIMIT, MARK
from pyssl.bench.scenarios import Prepared, Sample
from pyssl.bench.worker import PROTOCOL

# Seconds that a worker has to end, once nobody asks.
_PATIENCE = 10.0


class Build:
    """A build of pyssl in a process of its own."""

    def __init__(self, folder: str, stack: ExitStack) -> None:
        """Start it.

        Args:
            folder: An environment with pyssl installed, or a folder that
                holds the package.
            stack: Ends it.

        Errors:
            FailedError: there is none, or it is not of our kind.
        """
        self.folder = folder
        errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._errors = stack.enter_context(errors)
        command, where, extra = _python(Path(folder).resolve())
        self._process = subprocess.Popen(
            [*command, "-m", "pyssl.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=where,
            env={**os.environ, "PYTHONPATH": extra},
        )
        stack.callback(self._end)
        told = self.ask("hello")
        if told["protocol"] != PROTOCOL:
            raise FailedError(f"{folder}: it is of another version")
        versions: dict[str, str] = told["versions"]
        libcrypto = versions["libcrypto"]
        primitives = versions.get("primitives", libcrypto)
        self.libcrypto = libcrypto.split()[1]
        self.tag = self.libcrypto
        if primitives != libcrypto:
            self.tag += "-" + primitives.split()[0].lower()

    def ask(self, *question: Any) -> Any:
        """Ask the worker.

        Errors:
            FailedError: it could not, or it has died.
            SkipError: it has not what is asked for.
        """
        assert self._process.stdin is not None  # noqa: S101 - they are pipes
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise FailedError(f"{self.folder}: {self._last_words()}")
        found = json.loads(line)
        if "skip" in found:
            raise SkipError(found["skip"])
        if "failed" in found:
            raise FailedError(found["failed"])
        return found["done"]

    def _last_words(self) -> str:
        """Give the last line of what a process said that has died."""
        self._process.wait(_PATIENCE)
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else "the process has ended"

    def _end(self) -> None:
        """Let the process end, or end it."""
        try:
            self._process.communicate(timeout=_PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()


def _python(folder: Path) -> tuple[list[str], Path, str]:
    """Find what runs a build: the command, where, and PYTHONPATH.

    It runs where no other package of the name would be found first.

    Errors:
        FailedError: there is no build.
    """
    for name in ("bin/python", "Scripts/python.exe"):
        if (folder / name).exists():
            return [str(folder / name)], folder, ""
    if (folder / "pyssl" / "__init__.py").exists():
        return [sys.executable], folder, str(folder)
    raise FailedError(f"{folder} is no environment, and holds no pyssl")


class BesidePeer(Peer):
    """A peer of another build, worked from here."""

    def __init__(self, build: Build, inner: str, tag: str) -> None:
        """Name it; inner: a key of PEERS."""
        self.name = f"{inner}{MARK}{tag}"  # type: ignore[misc]
        self.note = f"built in {build.folder}"  # type: ignore[misc]
        self._build = build
        self._inner = inner
        self._suffix = f"{MARK}{tag}"
        self._versions = {"libcrypto": build.libcrypto}
        self._limits: list[str] = []

    def versions(self) -> dict[str, str]:
        """Name the libraries at work."""
        return self._versions

    def stage(self, setup: Setup) -> Stage:
        """Refuse: the contexts are in the other process."""
        del setup
        raise SkipError("it works in a process of its own")

    def prepare(self, scenario: Any) -> Prepared:
        """Let the other process prepare."""
        told = self._build.ask("prepare", self._inner, scenario.name)
        self._versions = told["versions"]
        self._limits = told["limits"]
        facts = told["facts"] and Facts(**told["facts"])
        return Prepared(facts, self._run)

    def _run(self, seconds: float) -> Sample:
        return Sample(**self._build.ask("run", self._inner, seconds))

    def limits(self) -> dict[str, Any]:
        """Give the limit of this peer, on its own libcrypto."""
        name = LIMIT + self._inner[len(BASELINE) :]
        if name not in self._limits:
            return {}
        return {name + self._suffix: _Limit(self._build, name)}


class _Limit:
    """A limit that is measured in the other process."""

    def __init__(self, build: Build, name: str) -> None:
        self._ask = partial(build.ask, "limit", name)

    def sample(self) -> Optional[Sample]:
        """Measure it; None if libcrypto has not all of it."""
        found = self._ask()
        return None if found is None else Sample(**found)


@contextmanager
def opened(
    folders: Sequence[str], names: Iterable[str]
) -> Iterator[list[Peer]]:
    """Run other builds while the block runs.

    Args:
        folders: Where they are: see `Build`.
        names: Keys of PEERS that are wanted; those of ours count.

    Yields:
        Their peers.

    Errors:
        FailedError: one does not run.
    """
    ours = [one for one in PEERS if one.startswith(BASELINE) and one in names]
    found: list[Peer] = []
    tags: list[str] = []
    with ExitStack() as stack:
        for folder in folders:
            build = Build(folder, stack)
            count = tags.count(build.tag)
            tags.append(build.tag)
            tag = build.tag + (f"-{count + 1}" if count else "")
            found += [BesidePeer(build, one, tag) for one in ours]
        yield found
