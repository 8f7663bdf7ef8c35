"""Counts the core's own instructions on its main paths: make bench-check.

    python -m tests.bench.guard [--accept]

A driver in C goes through each path under callgrind. Only what our own code
executes is counted, not libcrypto's, which differs from processor to
processor; so the counts repeat. They still depend on the compiler and on
what libcrypto is asked for, so a baseline is kept for each pair in
guard.json. The run fails if a path has grown by more than 3 %; where there
is no baseline, it says so. --accept writes the counts as the new baseline.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

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


def build() -> tuple[Path, str]:
    """Compile the core as it ships, and the driver.

    Returns:
        The program, and the name of its baseline.

    Errors:
        MissingError: libcrypto would be inside the program.
    """
    recipe = build_core.recipe
    found = recipe.crypto()
    if found.objects:
        raise MissingError("a static libcrypto would be counted too")
    (FOLDER / "obj").mkdir(parents=True, exist_ok=True)
    flags = [
        *recipe.C_FLAGS,
        *recipe.C_FLAGS_OPT,
        "-pthread",
        f'-DPYS_VERSION="{recipe.version()}"',
        "-DPYS_STATIC=0",
        f"-I{build_core.ROOT / 'csrc'}",
        *found.include,
    ]
    sources = [build_core.ROOT / name for name in recipe.sources()]
    objects = [
        str(build_core._compile(FOLDER, one, flags, False)[0])
        for one in [*sources, HERE / "guard.c"]
    ]
    program = FOLDER / "guard"
    compiler = build_core._compiler()
    build_core._run(
        [*compiler, "-pthread", "-o", str(program), *objects, *found.link]
    )
    return program, f"libcrypto {found.version}, {made_by(compiler)}"


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
    parser.add_argument(
        "--accept", action="store_true", help="keep the counts as baseline"
    )
    accept = parser.parse_args().accept
    try:
        program, name = build()
        with pki.as_files("p256") as files:
            counts = {
                path: round(count(program, path, files)) for path in PATHS
            }
    except MissingError as e:
        print(e, file=sys.stderr)
        return 2
    kept = json.loads(STORE.read_text("utf-8")) if STORE.exists() else {}
    lines, good = judge(counts, kept.get(name, {}))
    print(f"our own instructions, {name}:")
    for line in lines:
        print(f"  {line}")
    if accept:
        kept[name] = counts
        STORE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        return 0
    if name not in kept:
        print("there is no baseline for these: --accept makes one")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
