"""Builds the fuzz targets and runs them (libFuzzer, ASan, UBSan; clang).

    python -m tests.fuzz [--seconds N] [--jobs N] [NAME...]
    python -m tests.fuzz --seed | --coverage | --replay

Inputs that reach new code are kept in build/fuzz/NAME; those in
tests/fuzz/corpus are read too. An input that crashes ends up in
build/fuzz/findings, and the run fails. --seed writes the first inputs of the
corpus anew; --coverage runs the corpora once and says how much of csrc/ they
reach. --replay only runs what the corpora hold, once, as the tests do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.build_core import load, recipe

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "fuzz"
CORPUS = HERE / "corpus"

# By its path: the package needs a core, which this may be the first to build.
PKI = load("pyssl/bench/pki_data.py").DATA["p256"]

SANITIZE = "address,undefined"
FLAGS = [
    *recipe.C_STANDARD,
    "-g",
    "-O1",
    "-pthread",
    "-fno-omit-frame-pointer",
    "-fno-sanitize-recover=undefined",
    "-DPYS_TEST",
    '-DPYS_VERSION="fuzz"',
    f"-I{ROOT / 'csrc'}",
    f"-I{HERE}",
]
# What tests/fuzz/quick.c puts in place of the core's.
WRAPPED = [
    "pys_random",
    "pys_aead_seal",
    "pys_aead_open",
    "pys_hmac",
    "pys_sign",
    "pys_verify",
    "pys_share_new",
    "pys_share_free",
    "pys_share_group",
    "pys_share_public",
    "pys_share_derive",
    "pys_share_respond",
]


class Target(NamedTuple):
    """A program to fuzz.

    Attributes:
        sources: Its C files in this folder.
        quick: Whether the primitives are those of quick.c.
        corpus: The folder of its inputs in tests/fuzz/corpus.
        longest: Bytes of an input.
    """

    sources: tuple[str, ...]
    quick: bool
    corpus: str
    longest: int


_JOINED = ("connection.c", "pair.c", "answers.c")
TARGETS = {
    "connection": Target(_JOINED, False, "connection", 4096),
    "connection_clear": Target(_JOINED, True, "connection", 4096),
    "message": Target(
        ("message.c", "pair.c", "answers.c"), True, "message", 4096
    ),
    "parts": Target(("parts.c",), False, "parts", 8192),
}


def compiler() -> str:
    """Find clang.

    Errors:
        SystemExit: there is none; the text says what to install.
    """
    found = shutil.which(os.environ.get("FUZZ_CC", "clang"))
    if found is None:
        raise SystemExit("clang is needed (Debian: apt-get install clang)")
    return found


def build(mode: list[str], folder: Path) -> dict[str, Path]:
    """Compile the core once and link every target to it.

    Args:
        mode: Flags that instrument the code.
        folder: For objects and programs.
    """
    (folder / "obj").mkdir(parents=True, exist_ok=True)
    certificates(folder / "certificates.c")
    sources = [ROOT / name for name in recipe.sources()]
    sources += sorted(HERE.glob("*.c"))
    sources.append(folder / "certificates.c")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(
            pool.map(lambda path: compile_one(path, mode, folder), sources)
        )
    own = {path.name: obj for path, obj in zip(sources, objects)}
    core = objects[: len(recipe.sources())]
    core.append(own["certificates.c"])
    return {name: link(name, core, own, mode, folder) for name in TARGETS}


def compile_one(path: Path, mode: list[str], folder: Path) -> Path:
    """Compile a file."""
    name = os.path.relpath(path, ROOT).replace(os.sep, "-")
    obj = folder / "obj" / f"{name}.o"
    found = recipe.crypto()
    flags = [*FLAGS, *mode, *found.defines, *found.include]
    run([compiler(), *flags, "-c", "-o", obj, path])
    return obj


def link(
    name: str,
    core: list[Path],
    own: dict[str, Path],
    mode: list[str],
    folder: Path,
) -> Path:
    """Link a target."""
    target = TARGETS[name]
    parts = [own[source] for source in target.sources]
    parts.append(own["quick.c" if target.quick else "real.c"])
    wrap = [f"-Wl,--wrap={one}" for one in WRAPPED] if target.quick else []
    found = recipe.crypto()
    program = folder / f"fuzz_{name}"
    mode = [flag.replace("fuzzer-no-link", "fuzzer") for flag in mode]
    run(
        [
            *(compiler(), *mode, "-pthread", *wrap, "-o", program),
            *parts,
            *core,
            *found.objects,
            *found.link,
        ]
    )
    return program


def certificates(path: Path) -> None:
    """Write the certificates of the benchmark as C text."""
    texts = {
        "fuzz_ca": PKI["root"],
        "fuzz_leaf": PKI["leaf1"],
        "fuzz_key": PKI["key"],
    }
    lines = ['#include "fuzz.h"', ""]
    for name, text in texts.items():
        lines.append(f"const char {name}[] =")
        lines += [f'    "{line}\\n"' for line in text.splitlines()]
        lines[-1] += ";"
    path.write_text("\n".join([*lines, ""]), "utf-8")


def run(command: list[str | Path], **more: str) -> str:
    """Run a program; give what it printed, fail with its words."""
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **more},
    )
    if done.returncode != 0:
        words = "\n".join(done.stdout.splitlines()[-60:])
        raise SystemExit(f"{words}\nfailed: {command[0]}")
    return done.stdout


# ---- running ---------------------------------------------------------------


def fuzz(name: str, program: Path, seconds: int) -> str:
    """Fuzz a target; give its last figures.

    Errors:
        SystemExit: it found something.
    """
    kept = BUILD / name
    findings = BUILD / "findings"
    kept.mkdir(exist_ok=True)
    findings.mkdir(exist_ok=True)
    out = run(
        [
            program,
            f"-max_total_time={seconds}",
            f"-max_len={TARGETS[name].longest}",
            f"-artifact_prefix={findings}/{name}-",
            "-timeout=10",
            "-detect_leaks=0",  # at the end instead: each look takes long
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            kept,
            *seeds(name),
        ],
        ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1",
    )
    lines = [line for line in out.splitlines() if " cov: " in line]
    return lines[-1].strip() if lines else out.splitlines()[-1]


def seeds(name: str) -> list[Path]:
    """Give the folder of kept inputs, if there is one."""
    folder = CORPUS / TARGETS[name].corpus
    return [folder] if folder.is_dir() else []


def replay(name: str, program: Path) -> int:
    """Run every kept input once; give how many there were."""
    files = sorted(p for folder in seeds(name) for p in folder.iterdir())
    if files:
        run([program, "-timeout=10", *files])
    return len(files)


def coverage(names: list[str]) -> str:
    """Run the corpora once and give llvm-cov's total line.

    Errors:
        SystemExit: the tools are missing.
    """
    tools = [shutil.which(tool) for tool in ("llvm-profdata", "llvm-cov")]
    if None in tools:
        raise SystemExit("llvm is needed (Debian: apt-get install llvm)")
    folder = BUILD / "coverage"
    mode = ["-fprofile-instr-generate", "-fcoverage-mapping"]
    mode.append("-fsanitize=fuzzer-no-link")
    programs = build(mode, folder)
    profiles = []
    for name in names:
        profile = folder / f"{name}.profraw"
        kept = BUILD / name
        folders = [*seeds(name), *([kept] if kept.is_dir() else [])]
        run(
            [programs[name], "-runs=0", *folders],
            LLVM_PROFILE_FILE=str(profile),
        )
        profiles.append(profile)
    merged = folder / "all.profdata"
    run([str(tools[0]), "merge", "-o", merged, *profiles])
    objects: list[str | Path] = []
    for name in names[1:]:
        objects += ["-object", programs[name]]
    return run(
        [
            *(str(tools[1]), "report", f"-instr-profile={merged}"),
            *(programs[names[0]], *objects, ROOT / "csrc"),
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Fuzz the core.")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", action="store_true")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(argv)
    names = options.names or list(TARGETS)
    if options.seed:
        from tests.fuzz import seed

        seed.write(CORPUS)
        return 0
    if options.coverage:
        print(coverage(names))
        return 0
    mode = [f"-fsanitize=fuzzer-no-link,{SANITIZE}"]
    programs = build(mode, BUILD)
    if options.replay:
        for name in names:
            print(f"{name}: {replay(name, programs[name])} inputs")
        return 0
    with ThreadPoolExecutor(options.jobs) as pool:
        jobs = {
            name: pool.submit(fuzz, name, programs[name], options.seconds)
            for name in names
        }
        for name, job in jobs.items():
            print(f"{name}: {job.result()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
