"""How far a run is, on a terminal: with rich if it is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from pyssl.bench.rounds import Step

Tell = Callable[[Step], None]


@contextmanager
def shown() -> Iterator[Tell]:
    """Show progress on standard error while the block runs.

    Yields:
        What is to be told of each step.
    """
    if not sys.stderr.isatty():
        yield _silent
        return
    try:
        module = import_module("rich.progress")
        console = import_module("rich.console").Console(stderr=True)
    except ImportError:
        yield _plain
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        return
    with module.Progress(console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(step: Step) -> None:
            words = f"{step.scenario} · {step.peer}"
            bar.update(
                task, description=words, completed=step.done, total=step.of
            )

        yield tell


def _silent(step: Step) -> None:
    """Say nothing: nobody looks."""
    del step


def _plain(step: Step) -> None:
    """Say it on one line."""
    part = step.done / max(step.of, 1)
    text = f"\r\x1b[K{part:4.0%} {step.scenario}: {step.peer}"
    print(text, end="", file=sys.stderr, flush=True)
