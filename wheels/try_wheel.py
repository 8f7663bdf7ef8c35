"""Tries a wheel in a clean environment of every Python on the machine.

    python wheels/try_wheel.py [--only VERSION] [WHEEL]

For each CPython that the wheel is for (on the PATH, or kept by pyenv): a new
virtual environment outside the source tree, the wheel and what its `test`
extra names, `python -m pyssl --version`, wheels/smoke.py, then the contract
tests (tests/api, or what T names) on the package as it is installed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 9)
NAMES = re.compile(r"python3(?:\.\d+t?)?")
FACTS = (
    "import sys, sysconfig, os; print(*sys.version_info[:2], "
    "sys.implementation.name, "
    "int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))), "
    "os.path.realpath(sys.executable))"
)


def pythons() -> dict[str, Path]:
    """Find an interpreter of each version from 3.9 on, as "3.12": its path.

    Those without the GIL are named as "3.14t".
    """
    folders = os.environ.get("PATH", "").split(os.pathsep)
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    folders += [str(p) for p in sorted(Path(root).glob("versions/*/bin"))]
    found: dict[str, Path] = {}
    for folder in folders:
        there = Path(folder).glob("python3*") if folder else ()
        for path in sorted(there):
            if NAMES.fullmatch(path.name) and "shims" not in path.parts:
                _look(path, found)
    return dict(sorted(found.items(), key=_order))


def _order(item: tuple[str, Path]) -> tuple[int, str]:
    minor = re.search(r"\.(\d+)", item[0])
    return (int(minor[1]) if minor else 0, item[0])


def _look(path: Path, found: dict[str, Path]) -> None:
    """Ask an interpreter what it is; keep the first of its kind."""
    done = subprocess.run(
        [path, "-c", FACTS], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        return
    major, minor, kind, free, real = done.stdout.split(maxsplit=4)
    if kind == "cpython" and (int(major), int(minor)) >= OLDEST:
        name = f"{major}.{minor}{'t' if free == '1' else ''}"
        found.setdefault(name, Path(real.strip()))


def fits(wheel: Path, name: str) -> bool:
    """Tell whether a wheel is for a Python: abi3 is for all with the GIL."""
    free = name.endswith("t")
    if "-abi3-" in wheel.name:
        return not free
    return f"-cp{name.replace('.', '')}-" in wheel.name


def run(what: str, command: Sequence[str | Path], folder: Path) -> str:
    """Run a step; give the last line it printed.

    Errors:
        SystemExit: it failed; the end of its words is in the text.
    """
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    env["PYSSL_TEST_CORE"] = "installed"
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    words = done.stdout.splitlines()
    if done.returncode != 0:
        raise SystemExit("\n".join([*words[-60:], f"failed: {what}"]))
    return words[-1] if words else ""


def try_with(name: str, python: Path, wheel: Path, jobs: int) -> None:
    """Install and use the wheel with one interpreter."""
    with tempfile.TemporaryDirectory(prefix="pyssl-") as folder_name:
        folder = Path(folder_name)
        run("venv", [python, "-m", "venv", folder / "venv"], folder)
        own = folder / "venv" / "bin" / "python"
        pip: list[str | Path] = [
            own,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-warn-script-location",
        ]
        run("install", [*pip, f"pyssl-tls[test] @ {wheel.as_uri()}"], folder)
        print(run("versions", [own, "-m", "pyssl", "--json"], folder) and name)
        print(" ", run("smoke", [own, ROOT / "wheels" / "smoke.py"], folder))
        shutil.copytree(
            ROOT / "tests",
            folder / "tests",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        # What tests read besides the package.
        for part in ("docs", "csrc"):
            shutil.copytree(ROOT / part, folder / part)
        for part in ("pyproject.toml", "README.md"):
            shutil.copy2(ROOT / part, folder)
        tests = (os.environ.get("T") or "tests/api").split()
        command: list[str | Path] = [
            own,
            "-m",
            "pytest",
            "-q",
            "-n",
            str(jobs),
            *tests,
        ]
        print(" ", run("tests", command, folder))


def main() -> int:
    """Try the wheel named, or the one in dist/.

    Returns:
        0; 1 if there is no Python to try it with.
    """
    parser = argparse.ArgumentParser(description="Try a wheel.")
    parser.add_argument("--only", action="append", help="3.12, say")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("wheel", nargs="?", type=Path)
    options = parser.parse_args()
    wheel = options.wheel
    if wheel is None:
        (wheel,) = (ROOT / "dist").glob("*.whl")
    tried = 0
    for name, python in pythons().items():
        if options.only and name not in options.only:
            continue
        if not fits(wheel, name):
            print(f"{name}: {wheel.name} is not for it")
            continue
        try_with(name, python, wheel.resolve(), options.jobs)
        sys.stdout.flush()
        tried += 1
    return 0 if tried else 1


if __name__ == "__main__":
    sys.exit(main())
