"""Puts the test core in place of the shipped one, before anything else.

PYSSL_TEST_CORE names the folder of a core built before (the sanitizer
builds); without it the plain test core is brought up to date here. With
"installed" the package under test is the one that is installed, as it is
(wheels/try_wheel.py): files that need the hooks of the test core are left out.
With PYSSL_TEST_QUICK=0 the package does without csrc/quick, as on PyPy.
"""

from __future__ import annotations

import faulthandler
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

MODULE = "pyssl._pyssl"
_LOG = pytest.StashKey[Any]()
# Seconds that a test may take: one that hangs ends its process, with the
# stack of every thread in the log, and is told as failed.
PATIENCE = int(os.environ.get("PYSSL_TEST_PATIENCE", "600"))
INSTALLED = os.environ.get("PYSSL_TEST_CORE") == "installed"


def _load_core() -> None:
    """Load the extension under the name that the package imports."""
    from tests import build_core

    if MODULE in sys.modules:
        raise RuntimeError("the shipped core is loaded already")
    named = os.environ.get("PYSSL_TEST_CORE")
    folder = Path(named) if named else build_core.build()
    path = str(build_core.core_path(folder))
    loader = importlib.machinery.ExtensionFileLoader(MODULE, path)
    spec = importlib.util.spec_from_file_location(MODULE, path, loader=loader)
    if spec is None:
        raise RuntimeError(f"{path} is not an extension module")
    core = importlib.util.module_from_spec(spec)
    loader.exec_module(core)
    sys.modules[MODULE] = core


def _leave_quick_out() -> None:
    """Let the core's second module seem not to be there."""
    loader = importlib.machinery.ExtensionFileLoader
    create = loader.create_module

    def refuse(self: Any, spec: Any) -> Any:
        if spec.name == "pyssl._quick":
            raise ImportError("it is left out")
        return create(self, spec)

    loader.create_module = refuse  # type: ignore[method-assign]


def _needs_hooks(path: Path) -> bool:
    """Tell whether a file of tests speaks of the test core or its hooks."""
    text = path.read_text("utf-8")
    return "pys_test_" in text or "build_core" in text


if os.environ.get("PYSSL_TEST_QUICK") == "0":
    _leave_quick_out()
if INSTALLED:
    collect_ignore = [
        str(path) for path in HERE.glob("*/test_*.py") if _needs_hooks(path)
    ]
else:
    try:
        _load_core()
    except (RuntimeError, OSError, ImportError) as e:
        pytest.exit(f"the test core cannot be used: {e}", returncode=3)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the real stderr: a test's is captured."""
    log = os.fdopen(os.dup(2), "w", encoding="utf-8")
    config.stash[_LOG] = log
    config.add_cleanup(log.close)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let no test hang."""
    log = item.config.stash[_LOG]
    faulthandler.dump_traceback_later(PATIENCE, exit=True, file=log)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_make_parametrize_id(val: Any, argname: str) -> Any:
    """Name a long text by its argument: keys differ from run to run."""
    if isinstance(val, (str, bytes)) and len(val) > 100:
        return argname
    return None


@pytest.fixture(autouse=True)
def _clean_thread() -> Any:
    """Begin and end each test with an empty queue and no hook set."""
    from pyssl import err
    from pyssl._ffi import lib

    err.clear()
    yield
    if not INSTALLED:
        lib.pys_test_fail_alloc(0)
        lib.pys_test_set_now(-1)
    err.clear()
