"""Scripts in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

counts_memory = pytest.mark.skipif(
    sys.platform != "linux" or "ASAN_OPTIONS" in os.environ,
    reason="memory is not counted, or kept back when freed",
)

_GROWTH = """
import gc, re
def resident():
    text = open("/proc/self/status").read()
    return int(re.search(r"VmRSS:\\s+(\\d+)", text)[1])
live(10000)
gc.collect()
before = resident()
live(60000)
gc.collect()
print("grown" if resident() - before > 1000 else "same")
"""


def alone(script: str) -> str:
    """Run a script in a process of its own; gives what it prints.

    With the core of this run, and in C what is in C here.
    """
    script = "import tests.conftest\n" + script
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore", "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    return done.stdout


def grows(script: str) -> bool:
    """Tell whether memory grows with calls of a script's live(n)."""
    return alone(script + _GROWTH) != "same\n"
