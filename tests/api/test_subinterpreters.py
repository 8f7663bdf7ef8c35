"""Sub-interpreters: those that share the GIL work, others are refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="before Python 3.12 no sub-interpreter has a GIL of its own",
)

# The private module under its two names; the public one came with 3.14.
SCRIPT = """
import sys
try:
    import _interpreters as interpreters
    number = interpreters.create("{kind}")
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    number = interpreters.create(isolated="{kind}" == "isolated")
    run = interpreters.run_string
code = '''
import pyssl as p
ssl = p.SSL(p.SSL_CTX(p.TLS_client_method()))
ssl.set_bio(p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem()))
print("asked", ssl.connect(), ssl.get_error(-1))
'''
try:
    failed = run(number, code)
except Exception as e:
    failed = e
if failed is not None:
    print("refused", getattr(failed, "formatted", failed))
"""


def inside(kind: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(kind=kind)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_interpreter_that_shares_the_gil_works() -> None:
    assert inside("legacy").strip() == "asked -1 2"


def test_interpreter_with_a_gil_of_its_own_is_refused_in_words() -> None:
    out = inside("isolated")

    assert out.startswith("refused")
    assert "a sub-interpreter with a GIL of its own" in out
