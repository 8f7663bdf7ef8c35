"""Builds the static AWS-LC that gives the wheel its primitives.

    python wheels/awslc.py [--cache FOLDER] [--jobs N] [--link]

The last line printed is a prefix for PYSSL_PRIMITIVES. Versions and SHA-256
stand in awslc.pin; the source is fetched by pip, which verifies it, and is
verified again before it is unpacked. Cache and --link are as with
wheels/libcrypto.py. It takes cmake and make, and an ELF platform.

OpenSSL's libcrypto is in the same extension, with the same names. So every
global name of the archive gets a prefix here, and the headers lie in
include/awslc with a list of #defines that gives the names to who includes
them.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # this file is loaded by its path, too

import supply  # noqa: E402

PREFIX = "pys_awslc_"
# The entropy of the operating system alone: gathering more from the jitter
# of the processor would cost the first connection of a process milliseconds.
OPTIONS = [
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_POSITION_INDEPENDENT_CODE=ON",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DBUILD_TESTING=OFF",
    "-DBUILD_LIBSSL=OFF",
    "-DBUILD_TOOL=OFF",
    "-DDISABLE_GO=ON",
    "-DDISABLE_PERL=ON",
    "-DDISABLE_CPU_JITTER_ENTROPY=ON",
]
# Each function in a section of its own: the linker of the wheel drops those
# that nothing calls.
FLAGS = ["-ffunction-sections", "-fdata-sections"]
# At exit it would lock the random generators of all threads, to wipe them, and
# wait for ever for a thread that fork left behind in the middle of drawing.
AT_EXIT = ["--remove-section=.fini_array", "--remove-section=.dtors"]
LAUNCHERS = {"ccache", "distcc", "sccache"}
# TLS is ours.
LEFT_OUT = {"ssl.h", "ssl3.h", "tls1.h", "dtls1.h"}


def pin() -> dict[str, str]:
    """Read versions and sha256 from awslc.pin."""
    return supply.pin("awslc")


def awslc(cache: Path, jobs: int) -> Path:
    """Give the prefix of a finished build, making it if need be.

    Args:
        cache: Where builds and the source archive are kept.
        jobs: Compilers at a time.

    Errors:
        As `supply.made`.
    """
    return supply.made(library(), cache, jobs)


def library() -> supply.Library:
    """Describe what is built."""
    return supply.Library(
        "awslc",
        "AWS-LC",
        _archive(),
        [_from_package],
        [*OPTIONS, *FLAGS, Path(__file__).read_text("utf-8")],
        build,
        "crt/aws-lc",
    )


def _archive() -> str:
    return f"{pin()['package']}-{pin()['release']}.tar.gz"


def _from_package(folder: Path) -> Path:
    """Let pip fetch the source archive of the package.

    pip asks the package for its metadata, which runs code of it: only after
    the SHA-256 was found right, since the requirement names it.
    """
    pinned = pin()
    wanted = folder / "wanted.txt"
    wanted.write_text(
        f"{pinned['package']}=={pinned['release']} "
        f"--hash=sha256:{pinned['sha256']}\n",
        "utf-8",
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet"),
            *("--disable-pip-version-check", "--no-deps"),
            *("--no-binary", pinned["package"], "--require-hashes"),
            *("--requirement", str(wanted), "--dest", str(folder)),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return supply.one(folder, _archive())


# ---- the build -------------------------------------------------------------


def build(tree: Path, prefix: Path, jobs: int) -> None:
    """Compile, and install the archive and headers with our names."""
    for tool in ("cmake", "make", "nm", "objcopy"):
        if shutil.which(tool) is None:
            raise RuntimeError(
                f"AWS-LC is built with {tool}, which is missing"
            )
    version = _version(tree)
    if version != pin()["version"]:
        raise RuntimeError(f"the archive holds AWS-LC {version}")
    # cmake has a place of its own for what stands before the compiler.
    command = supply.compiler()
    before = command[:1] if Path(command[0]).name in LAUNCHERS else []
    cc, *more = command[len(before) :]
    # Nothing of what is built tells where.
    flags = shlex.join([*more, *FLAGS, f"-ffile-prefix-map={tree}=."])
    languages = {
        f"-DCMAKE_{language}_{name}={value}"
        for language in ("C", "ASM")
        for name, value in (
            ("COMPILER", cc),
            ("COMPILER_LAUNCHER", "".join(before)),
            ("FLAGS", flags),
        )
    }
    made = tree / "made"
    supply.run(
        [
            *("cmake", "-S", str(tree), "-B", str(made)),
            *("-G", "Unix Makefiles", *OPTIONS, *sorted(languages)),
        ],
        tree,
    )
    supply.run(["make", f"-j{jobs}", "crypto"], made)
    (prefix / "lib").mkdir(parents=True)
    names = rename(made / "crypto" / "libcrypto.a", prefix / "lib")
    headers(tree / "include" / "openssl", prefix / "include" / "awslc", names)
    shutil.copy2(tree / "LICENSE", prefix / "LICENSE-AWS-LC.txt")
    (prefix / "VERSION").write_text(f"{version}\n", "utf-8")


def _version(tree: Path) -> str:
    """Read the version from the headers."""
    text = (tree / "include" / "openssl" / "base.h").read_text("utf-8")
    found = re.search(r'AWSLC_VERSION_NUMBER_STRING "([^"]+)"', text)
    return found[1] if found else "of no version"


def symbols(archive: Path) -> tuple[list[str], list[str]]:
    """List an archive's global names, and those it can go without.

    The latter are hooks: had anything else in the process a function of such
    a name, it would be called.
    """
    told = subprocess.run(
        ["nm", "--extern-only", str(archive)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = [line.split() for line in told.splitlines()]
    defined = {row[2] for row in rows if len(row) == 3}
    weak = {row[1] for row in rows if len(row) == 2 and row[0] in ("w", "v")}
    return sorted(defined), sorted(weak - defined)


def rename(archive: Path, folder: Path) -> list[str]:
    """Write libawslc.a: the archive with our prefix before its names.

    What it would do by itself at exit is left out.

    Returns:
        The names without it.

    Errors:
        RuntimeError: a name is left without.
    """
    names, hooks = symbols(archive)
    table = archive.with_suffix(".names")
    table.write_text(
        "".join(f"{name} {PREFIX}{name}\n" for name in [*names, *hooks]),
        "utf-8",
    )
    ours = folder / "libawslc.a"
    supply.run(
        [
            *("objcopy", "--enable-deterministic-archives", *AT_EXIT),
            *(f"--redefine-syms={table}", str(archive), str(ours)),
        ],
        folder,
    )
    left = [n for part in symbols(ours) for n in part if PREFIX not in n]
    if left or not names:
        raise RuntimeError(f"names without a prefix: {left or 'all'}")
    return names


def headers(include: Path, ours: Path, names: list[str]) -> None:
    """Copy headers: <openssl/...> becomes <awslc/...>, the names ours.

    Args:
        include: The folder of AWS-LC's.
        ours: The folder that is made.
        names: Of the archive, without the prefix.
    """
    known = set(names)

    def without(found: re.Match[str]) -> str:
        """Drop `#define NAME NAME`, which would undo ours."""
        is_bare = found[1] == found[2] and found[1] in known
        return "" if is_bare else found[0]

    for path in sorted(include.rglob("*.h")):
        if path.name in LEFT_OUT:
            continue
        text = path.read_text("utf-8").replace("<openssl/", "<awslc/")
        pattern = r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\w+)[ \t]*\n"
        copy = ours / path.relative_to(include)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(
            re.sub(pattern, without, text, flags=re.MULTILINE), "utf-8"
        )
    # Empty in the source: what AWS-LC keeps for a prefix of names.
    lines = [f"#define {name} {PREFIX}{name}" for name in names]
    guard = "PYS_AWSLC_NAMES_H"
    text = "\n".join(
        [f"#ifndef {guard}", f"#define {guard}", *lines, "#endif"]
    )
    (ours / "boringssl_prefix_symbols.h").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    sys.exit(supply.main(library(), "Build a static AWS-LC."))
