"""Random bytes beside fork(), where AWS-LC supplies them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import build_core

# A child draws, and ends as a program does: both took locks that another
# thread of the parent may have held when the parent was copied.
PROGRAM = """
import ctypes, os, sys, threading, time
from tests.core import crypto_core
core = crypto_core.core()
def draw():
    out = core.ffi.new("uint8_t[]", 1 << 16)
    while True:
        core.lib.pys_random(out, len(out))
        core.share(29)
for _ in range(2):
    threading.Thread(target=draw, daemon=True).start()
time.sleep(0.05)
libc = ctypes.CDLL(None)
seen = set()
for _ in range(60):
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        out = core.ffi.new("uint8_t[]", 32)
        assert core.lib.pys_random(out, 32)
        os.write(w, bytes(out))
        libc.exit(0)
    os.close(w)
    seen.add(os.read(r, 32))
    os.close(r)
    assert os.waitpid(child, 0)[1] == 0
assert len(seen) == 60 and all(len(one) == 32 for one in seen)
print("done", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(
    not os.environ.get("PYSSL_PRIMITIVES"), reason="not with libcrypto alone"
)
@pytest.mark.skipif(
    "asan" in os.environ.get("PYSSL_TEST_CORE", "")
    or "tsan" in os.environ.get("PYSSL_TEST_CORE", ""),
    reason="what the sanitizers do at exit is not ours",
)
def test_child_of_fork_draws_and_ends_while_threads_draw() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=build_core.ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.stdout == "done\n", done.stderr
