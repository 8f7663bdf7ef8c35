"""Builds the test core: the shipped sources with the hooks of pys_test.h.

    python -m tests.build_core [--asan | --tsan] [--force]

The result is the module `pyssl._pyssl`, in build/test (plain), build/asan or
build/tsan. Only what changed is compiled again; two runs at a time wait for
each other.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import io
import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType

import cffi


def load(name: str) -> ModuleType:
    """Load a file by its path: importing pyssl needs a core.

    Args:
        name: Relative to the root.
    """
    path = Path(__file__).resolve().parent.parent / name
    spec = importlib.util.spec_from_file_location(f"own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recipe = load("pyssl/_build.py")
ROOT: Path = recipe.ROOT
BUILD = ROOT / "build"
HEADERS = ("pys_bio.h", "pys.h", "pys_conn.h", "pys_pki.h", "pys_test.h")

# The flags of docs/style.md; they are errors in `make lint`, not here.
WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wconversion",
    "-Wvla",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wundef",
]

SANITIZERS = {
    "test": [],
    "asan": [
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
    ],
    "tsan": ["-fsanitize=thread"],
}


def core_path(folder: Path) -> Path:
    """Give the place of the extension in its folder."""
    return folder / "_pyssl.so"


def build(variant: str = "test", *, force: bool = False) -> Path:
    """Bring a variant up to date.

    Args:
        variant: a key of SANITIZERS.
        force: compile everything again.

    Returns:
        The folder that holds the extension.

    Errors:
        RuntimeError: the compiler or the linker refused; its words are in
            the text.
    """
    folder = BUILD / variant
    (folder / "obj").mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _build(folder, variant, force)
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of the folder."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(folder: Path, variant: str, force: bool) -> None:
    """Compile what is out of date and link if anything was."""
    found = recipe.crypto()
    sanitize = SANITIZERS[variant]
    flags = [
        *recipe.C_FLAGS,
        "-O1" if sanitize else "-O2",
        "-g",
        "-fno-omit-frame-pointer",
        "-fPIC",
        "-pthread",
        *sanitize,
        "-DPYS_TEST",
        f'-DPYS_VERSION="{recipe.version()}"',
        *found.defines,
        f"-I{ROOT / 'csrc'}",
        *found.include,
    ]
    glue = _glue(folder)
    python = [f"-I{sysconfig.get_path('include')}", "-w"]
    jobs = [(ROOT / name, [*flags, *WARNINGS]) for name in recipe.sources()]
    system = ["-isystem", sysconfig.get_path("include")]
    jobs += [
        (ROOT / name, [*flags, *WARNINGS, *system])
        for name in recipe.quick_sources()
    ]
    jobs.append((glue, [*flags, *python]))
    stamp = shlex.join([*_compiler(), *flags, sys.version])
    if _changed(folder / "flags", stamp):
        force = True
    built = [_compile(folder, *job, force) for job in jobs]
    objects = [str(obj) for obj, _ in built]
    target = core_path(folder)
    names = "\n".join(objects)
    if (
        _changed(folder / "objects", names)
        or any(new for _, new in built)
        or not target.exists()
    ):
        fresh = target.with_suffix(".new")
        _run(
            [
                *_compiler(),
                "-shared",
                "-pthread",
                *sanitize,
                "-o",
                str(fresh),
                *objects,
                *found.objects,
                *found.link,
                *(_linker_flags() if not sanitize else []),
            ]
        )
        fresh.replace(target)
        (folder / "objects").write_text(names, "utf-8")
    (folder / "flags").write_text(stamp, "utf-8")


def _linker_flags() -> list[str]:
    """Refuse an undefined name at link time, except Python's own."""
    if sys.platform == "darwin":
        return ["-undefined", "dynamic_lookup"]
    return ["-Wl,-z,now"]


def _glue(folder: Path) -> Path:
    """Let cffi write its C file; it changes only if the headers do."""
    builder = cffi.FFI()
    builder.cdef(recipe.declarations(*HEADERS))
    includes = "".join(f'#include "{name}"\n' for name in HEADERS)
    builder.set_source("pyssl._pyssl", includes)
    path = folder / "_pyssl.c"
    with redirect_stdout(io.StringIO()):  # it reports each file it writes
        builder.emit_c_code(str(path))
    return path


def _changed(path: Path, text: str) -> bool:
    """Tell whether a note of the last run says something else."""
    return not path.exists() or path.read_text("utf-8") != text


def _compile(
    folder: Path, source: Path, flags: list[str], force: bool
) -> tuple[Path, bool]:
    """Compile one file unless its object is newer than all it reads."""
    name = os.path.relpath(source, ROOT).replace(os.sep, "-")
    obj = folder / "obj" / f"{name}.o"
    notes = obj.with_suffix(".d")
    if not force and obj.exists() and _is_fresh(obj, notes):
        return obj, False
    _run(
        [
            *_compiler(),
            *flags,
            "-MMD",
            "-MF",
            str(notes),
            "-c",
            "-o",
            str(obj),
            str(source),
        ]
    )
    return obj, True


def _is_fresh(obj: Path, notes: Path) -> bool:
    """Compare an object with the files that the compiler noted."""
    if not notes.exists():
        return False
    _, _, names = notes.read_text("utf-8").partition(":")
    made = obj.stat().st_mtime_ns
    try:
        return all(
            Path(name).stat().st_mtime_ns < made
            for name in names.replace("\\\n", " ").split()
        )
    except FileNotFoundError:
        return False


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CC", "cc"))


def _run(command: list[str]) -> None:
    """Run the compiler; show its warnings, raise its errors."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)}\n{done.stderr}")
    if done.stderr:
        sys.stderr.write(done.stderr)


def main() -> int:
    """Build what the command line asks for, and say where it is."""
    parser = argparse.ArgumentParser(description="Build the test core.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--asan", action="store_true", help="address, UB")
    which.add_argument("--tsan", action="store_true", help="threads")
    parser.add_argument("--force", action="store_true", help="everything")
    given = parser.parse_args()
    variant = "asan" if given.asan else "tsan" if given.tsan else "test"
    try:
        folder = build(variant, force=given.force)
    except RuntimeError as e:
        print(e, file=sys.stderr)
        return 1
    print(core_path(folder).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
