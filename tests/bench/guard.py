"""Counts the core's own instructions on its main paths: make bench-check.

    python -m tests.bench.guard [--system] [--accept]

A driver in C goes through each path under callgrind, once with the libcrypto
that pkg-config finds and once with the wheel's and its AWS-LC (built by
wheels/libcrypto.py and wheels/awslc.py if the cache has none; --system leaves
them out). PYSSL_LIBCRYPTO=PREFIX counts with that prefix alone, and
PYSSL_PRIMITIVES=PREFIX with that AWS-LC beside it.

Only what our own code executes is counted, not the libraries', which differs
from processor to processor; so the counts repeat. They still depend on the
compiler and on what the libraries are asked for, so a baseline is kept for
each combination in guard.json, and chosen by their names. The run fails if a
path has grown by more than 3 %; where there is no baseline, it says so.
--accept writes the counts of both as the new baselines.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Optional

from pyssl.bench import pki
from tests import build_core

HERE = Path(__file__).resolve().parent
STORE = HERE / "guard.json"
FOLDER = build_core.BUILD / "guard"
BOUND = 0.03

# How often each path is gone through.
PATHS = {
    "full13": 20,
    "full12": 20,
    "resumed13": 20,
    "resumed12": 40,
    "bulk": 100,
    "small": 1000,
}


class MissingError(Exception):
    """Something that the count needs is not on this machine."""


class Supply(NamedTuple):
    """What to count with, by prefixes.

    Attributes:
        libcrypto: None for the system's.
        awslc: None if libcrypto gives the primitives, too.
    """

    libcrypto: Optional[Path] = None
    awslc: Optional[Path] = None


def supplies(system: bool) -> list[Supply]:
    """List what to count with.

    Args:
        system: The wheel's is left out.

    Errors:
        MissingError: the wheel's libraries are not to be had.
    """
    named = [
        Path(value) if value else None
        for name in ("PYSSL_LIBCRYPTO", "PYSSL_PRIMITIVES")
        for value in [os.environ.get(name)]
    ]
    if any(named):
        return [Supply(*named)]
    if system:
        return [Supply()]
    cache = Path(os.environ.get("PYSSL_CACHE", "~/.cache/pyssl")).expanduser()
    jobs = os.cpu_count() or 1
    try:
        wheel = Supply(
            build_core.load("wheels/libcrypto.py").libcrypto(cache, jobs),
            build_core.load("wheels/awslc.py").awslc(cache, jobs),
        )
    except (OSError, RuntimeError, subprocess.SubprocessError) as e:
        words = f"a library of the wheel's is not to be had: {e}"
        raise MissingError(f"{words} (ARGS=--system goes without)") from e
    return [Supply(), wheel]


def build(supply: Supply) -> tuple[Path, str]:
    """Compile the core as it ships, and the driver.

    Args:
        supply: Of what.

    Returns:
        The program, and the name of its baseline.
    """
    recipe = build_core.recipe
    found = recipe.libcrypto(supply.libcrypto)
    if supply.awslc:
        found = recipe.with_awslc(found, supply.awslc)
    compiler = build_core._compiler()
    kind = " static" if supply.libcrypto else ""
    beside = f", {found.supply}" if found.supply else ""
    name = f"libcrypto {found.version}{kind}{beside}, {made_by(compiler)}"
    folder = FOLDER / re.sub(r"[^\w.]+", "-", name)
    (folder / "obj").mkdir(parents=True, exist_ok=True)
    flags = [
        *recipe.C_FLAGS,
        *recipe.C_FLAGS_OPT,
        "-pthread",
        f'-DPYS_VERSION="{recipe.version()}"',
        *found.defines,
        f"-I{build_core.ROOT / 'csrc'}",
        *found.include,
    ]
    wanted = recipe.sources(awslc=supply.awslc is not None)
    sources = [build_core.ROOT / name for name in wanted]
    objects = [
        str(build_core._compile(folder, one, flags, False)[0])
        for one in [*sources, HERE / "guard.c"]
    ]
    program = folder / "guard"
    build_core._run(
        [
            *compiler,
            "-pthread",
            "-o",
            str(program),
            *objects,
            *apart(compiler, folder, found),
            *found.link,
        ]
    )
    return program, name


def apart(compiler: list[str], folder: Path, found: Any) -> list[str]:
    """Make static libraries an object file of their own, to be told apart.

    Returns:
        What to link the driver with; nothing for a shared libcrypto alone.
    """
    if not found.objects:
        return []
    library = folder / "libkept.so"
    sources = [Path(one) for one in found.objects]
    newest = max(one.stat().st_mtime_ns for one in sources)
    if not library.exists() or library.stat().st_mtime_ns < newest:
        build_core._run(
            [
                *compiler,
                "-shared",
                "-o",
                str(library),
                "-Wl,-Bsymbolic",
                "-Wl,--whole-archive",
                *(one for each in sources for one in shown(each, folder)),
                "-Wl,--no-whole-archive",
                "-pthread",
                "-ldl",
            ]
        )
    return [str(library), f"-Wl,-rpath,{folder}"]


def shown(archive: Path, folder: Path) -> list[str]:
    """Give what to link a shared library of, all of whose names are seen.

    AWS-LC's are hidden. In a copy they get others, and the old ones are
    defined as these by the linker, for everyone.
    """
    if archive.name != "libawslc.a":
        return [str(archive)]
    told = subprocess.run(
        ["nm", "--extern-only", "--defined-only", str(archive)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = [line.split() for line in told.splitlines()]
    names = sorted({row[2] for row in rows if len(row) == 3})
    table, script = folder / "names", folder / "names.ld"
    table.write_text("".join(f"{n} hidden_{n}\n" for n in names), "utf-8")
    script.write_text("".join(f"{n} = hidden_{n};\n" for n in names), "utf-8")
    copy = folder / "libhidden.a"
    build_core._run(
        ["objcopy", f"--redefine-syms={table}", str(archive), str(copy)]
    )
    return [str(copy), str(script)]


def made_by(compiler: list[str]) -> str:
    """Name the compiler and what it compiles for."""
    told = subprocess.run(
        [*compiler, "--version"], check=True, capture_output=True, text=True
    )
    first = told.stdout.splitlines()[0]
    number = re.search(r"\d+\.\d+\.\d+", first)
    name = "clang" if "clang" in first else "gcc"
    version = first if number is None else number[0]
    return f"{name} {version}, {platform.machine()}"


def count(program: Path, path: str, files: pki.Files) -> float:
    """Count our own instructions of going through a path once."""
    tool = shutil.which("valgrind")
    if tool is None:
        raise MissingError("valgrind is missing (apt-get install valgrind)")
    times = PATHS[path]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        done = subprocess.run(
            [
                tool,
                "--tool=callgrind",
                "--toggle-collect=measured",
                f"--callgrind-out-file={out}",
                str(program),
                path,
                str(times),
                files.root,
                files.server,
                files.server_key,
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{path}: {done.stderr[-2000:]}")
        lines = out.read_text("utf-8").splitlines()
    return own_cost(lines, str(program)) / times


def own_cost(lines: Iterable[str], program: str) -> int:
    """Sum what an object file itself executed.

    Args:
        lines: What callgrind wrote (its manual, "Callgrind Format").
        program: The path of the object file.
    """
    names: dict[str, str] = {}
    total = 0
    mine = called = False
    for line in lines:
        found = re.match(r"c?ob=(\(\d+\))(?: (.*))?$", line)
        if found is not None:
            number, name = found.groups()
            names.setdefault(number, name or "")
            if line.startswith("ob="):
                mine = names[number] == program
        elif line.startswith("calls="):
            called = True  # the next line is what the callee cost
        elif re.match(r"[+*\d-]", line):
            if mine and not called:
                total += int(line.split()[1])
            called = False
    return total


def judge(
    counts: dict[str, float], baseline: dict[str, float]
) -> tuple[list[str], bool]:
    """Compare counts with a baseline.

    Returns:
        A line a path, and whether none has grown beyond the bound.
    """
    lines, good = [], True
    for path, value in counts.items():
        before = baseline.get(path)
        if before is None:
            lines.append(f"{path:<10} {value:>12,.0f}  no baseline")
            continue
        change = value / before - 1
        word = ""
        if change > BOUND:
            word, good = "  TOO MUCH", False
        elif change < -BOUND:
            word = "  less: --accept keeps it"
        lines.append(f"{path:<10} {value:>12,.0f}  {change:+.1%}{word}")
    return lines, good


def main() -> int:
    """Count, compare, and keep the counts if told to.

    Returns:
        0; 1 if a path has grown too much; 2 if nothing can be counted.
    """
    parser = argparse.ArgumentParser(description="Count instructions.")
    add = parser.add_argument
    add("--accept", action="store_true", help="keep the counts as baseline")
    add("--system", action="store_true", help="not with the wheel's libraries")
    options = parser.parse_args()
    kept = json.loads(STORE.read_text("utf-8")) if STORE.exists() else {}
    good = True
    try:
        for supply in supplies(options.system):
            name, counts = measure(supply)
            good &= tell(name, counts, kept.get(name))
            kept[name] = counts
    except MissingError as e:
        print(e, file=sys.stderr)
        return 2
    if options.accept:
        STORE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        return 0
    return 0 if good else 1


def measure(supply: Supply) -> tuple[str, dict[str, float]]:
    """Count every path; gives the name of the baseline, too."""
    program, name = build(supply)
    with pki.as_files("p256") as files:
        return name, {
            path: round(count(program, path, files)) for path in PATHS
        }


def tell(
    name: str,
    counts: dict[str, float],
    baseline: Optional[dict[str, float]],
) -> bool:
    """Print how counts compare; answers whether none has grown too much."""
    lines, good = judge(counts, baseline or {})
    print(f"our own instructions, {name}:")
    for line in lines:
        print(f"  {line}")
    if baseline is None:
        print("  there is no baseline for these: --accept makes one")
    return good


if __name__ == "__main__":
    sys.exit(main())
