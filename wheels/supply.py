"""What wheels/libcrypto.py and wheels/awslc.py share: pins, sources, builds.

A pin is a file of lines NAME=VALUE. A source archive is verified before it
is unpacked. A build is kept in the cache folder (PYSSL_CACHE, or
~/.cache/pyssl) under a name that changes with all that decides what it comes
out as, and is made again then.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Optional

HERE = Path(__file__).resolve().parent

OF_MAKE = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL"}
_BLOCK = 1 << 20


class Library(NamedTuple):
    """A library that is built for the wheel.

    Attributes:
        name: Of its pin and its builds: "libcrypto".
        title: For messages: "OpenSSL".
        archive: Of the source in the cache.
        fetchers: Each gives the archive in a folder, or raises OSError,
            RuntimeError or SubprocessError.
        parts: All that decides what the build comes out as, but the pin,
            the machine and the compiler.
        build: Makes a prefix of an unpacked source, with so many jobs.
        wanted: The only part of the archive that is unpacked, if not "".
    """

    name: str
    title: str
    archive: str
    fetchers: list[Callable[[Path], Path]]
    parts: list[str]
    build: Callable[[Path, Path, int], None]
    wanted: str = ""


def pin(name: str) -> dict[str, str]:
    """Read NAME.pin: version, sha256 and the like."""
    text = (HERE / f"{name}.pin").read_text("utf-8")
    return dict(re.findall(r"^(\w+)=(\S+)$", text, re.MULTILINE))


def compiler() -> list[str]:
    """Give the command of the C compiler."""
    return shlex.split(os.environ.get("CC", "cc"))


def recipe(library: Library) -> str:
    """Name all that decides what the build comes out as, as 12 hex digits."""
    told = subprocess.run(
        [*compiler(), "-v"], check=True, capture_output=True, text=True
    ).stderr
    parts = [
        *sorted(pin(library.name).values()),
        *library.parts,
        platform.machine(),
        told,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def place(library: Library, cache: Path) -> Path:
    """Name the prefix of a build, which is there if it holds "done"."""
    version = pin(library.name)["version"]
    return cache / f"{library.name}-{version}-{recipe(library)}"


def made(library: Library, cache: Path, jobs: int) -> Path:
    """Give the prefix of a finished build, making it if need be.

    Args:
        library: What is to be built.
        cache: Where builds and source archives are kept.
        jobs: Compilers at a time.

    Errors:
        RuntimeError: the source is not to be had or is not the pinned one,
            or the build lacks a tool.
        subprocess.CalledProcessError: the build failed; its last lines are
            printed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    prefix = place(library, cache)
    with _alone(cache):
        if not (prefix / "done").exists():
            archive = source(library, cache)
            shutil.rmtree(prefix, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                tree = unpack(archive, Path(folder), library.wanted)
                library.build(tree, prefix, jobs)
            (prefix / "done").touch()
    return prefix


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Keep other builds out of the cache."""
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- the source ------------------------------------------------------------


def source(library: Library, cache: Path) -> Path:
    """Give the verified archive, fetching it if the cache has none.

    Errors:
        RuntimeError: nobody had it, with what each of them said.
    """
    pinned = pin(library.name)
    archive = cache / library.archive
    if archive.exists() and digest(archive) == pinned["sha256"]:
        return archive
    said = []
    for fetch in library.fetchers:
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            try:
                found = fetch(Path(folder))
            except (OSError, RuntimeError, subprocess.SubprocessError) as e:
                said.append(f"{fetch.__name__}: {e}")
                continue
            told = digest(found)
            if told != pinned["sha256"]:
                said.append(f"{fetch.__name__}: SHA-256 {told}")
                continue
            found.replace(archive)
            return archive
    raise RuntimeError(
        f"{library.title} {pinned['version']} is not to be had:\n"
        + "\n".join(said)
    )


def digest(path: Path) -> str:
    """Give the SHA-256 of a file in hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def one(folder: Path, name: str) -> Path:
    """Find a file that must be there.

    Errors:
        RuntimeError: it is not.
    """
    path = folder / name
    if not path.is_file():
        there = ", ".join(sorted(p.name for p in folder.glob("*.gz")))
        raise RuntimeError(f"{name} is not among {there or 'nothing'}")
    return path


def unpack(archive: Path, folder: Path, wanted: str = "") -> Path:
    """Unpack an archive that was verified.

    Args:
        archive: The file.
        folder: Where to.
        wanted: Below the top folder: nothing else is unpacked.

    Returns:
        The top folder, or the wanted one.
    """
    with tarfile.open(archive) as tar:
        members: Optional[Iterable[tarfile.TarInfo]] = None
        if wanted:
            members = [
                member
                for member in tar
                if member.name.partition("/")[2].startswith(f"{wanted}/")
            ]
        tar.extractall(folder, members)  # noqa: S202 - its SHA-256 is pinned
    (top,) = (path for path in folder.iterdir() if path.is_dir())
    return top / wanted


# ---- the build -------------------------------------------------------------


def run(
    command: list[str], tree: Path, env: Optional[dict[str, str]] = None
) -> None:
    """Run a step of the build; show the end of its words if it fails.

    What a make above was told is not for one below.
    """
    outer = {k: v for k, v in os.environ.items() if k not in OF_MAKE}
    done = subprocess.run(
        command,
        check=False,
        cwd=tree,
        env={**outer, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-40:]), file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)


def main(library: Library, what: str) -> int:
    """Build what is pinned and print its prefix.

    Args:
        library: What is to be built.
        what: Says so in a line of help.
    """
    parser = argparse.ArgumentParser(description=what)
    default = os.environ.get("PYSSL_CACHE", "~/.cache/pyssl")
    parser.add_argument("--cache", type=Path, default=Path(default))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--link", action="store_true")
    options = parser.parse_args()
    cache = options.cache.expanduser().resolve()
    try:
        prefix = made(library, cache, max(options.jobs, 1))
    except RuntimeError as e:
        print(e, file=sys.stderr)
        return 1
    if options.link:
        link = cache / library.name
        link.unlink(missing_ok=True)
        link.symlink_to(prefix)
    print(prefix)
    return 0
