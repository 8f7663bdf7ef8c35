"""Builds the extension with cffi; runs at build time only.

setuptools calls `make_builder` (setup.py), from this file alone: nothing of
the package can be imported here. The parts are functions, since the test
core (tests/build_core.py) is built from the same list.

PYSSL_LIBCRYPTO=/prefix links that prefix's libcrypto.a, with its symbols
hidden, in place of the one that pkg-config finds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import cffi

ROOT = Path(__file__).resolve().parent.parent
OLDEST = 3  # major version of libcrypto

# Ours are for the C we write; cffi's own C is compiled in the same run.
C_STANDARD = ["-std=c11", "-D_DEFAULT_SOURCE"]
C_FLAGS = [*C_STANDARD, "-fvisibility=hidden"]
C_FLAGS_OPT = [
    "-g0",  # else the folder of the build decides the bytes
    "-O2",
    "-fstack-protector-strong",
    "-U_FORTIFY_SOURCE",
    "-D_FORTIFY_SOURCE=2",
]


class Crypto(NamedTuple):
    """How to compile and link against libcrypto."""

    version: str
    include: list[str]
    objects: list[str]
    link: list[str]


def version() -> str:
    """Read the package's version from pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    found = re.search(r'^version = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("pyproject.toml names no version")
    return found[1]


def declarations(*headers: str) -> str:
    """Give headers of csrc as cffi reads them: without preprocessor lines."""
    lines: list[str] = []
    for header in headers:
        text = (ROOT / "csrc" / header).read_text("utf-8")
        lines += [s for s in text.splitlines() if not s.startswith("#")]
    return "\n".join(lines)


def sources() -> list[str]:
    """List the C files, relative to the root, in a fixed order."""
    found = (ROOT / "csrc").glob("**/*.c")
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


def headers() -> list[str]:
    """List the headers, relative to the root."""
    found = (ROOT / "csrc").glob("**/*.h")
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


def crypto() -> Crypto:
    """Find libcrypto, and refuse one that is too old."""
    prefix = os.environ.get("PYSSL_LIBCRYPTO")
    found = _crypto_static(Path(prefix)) if prefix else _crypto_shared()
    if int(found.version.partition(".")[0]) < OLDEST:
        raise RuntimeError(
            f"pyssl needs libcrypto (OpenSSL) {OLDEST}.0 or later, "
            f"but found {found.version}"
        )
    return found


def _crypto_shared() -> Crypto:
    """Ask pkg-config."""
    include = _pkg_config("--cflags")
    link = _pkg_config("--libs")
    return Crypto(_pkg_config("--modversion")[0], include, [], link)


def _pkg_config(what: str) -> list[str]:
    """Run pkg-config for libcrypto and split what it says."""
    tool = os.environ.get("PKG_CONFIG", "pkg-config")
    try:
        done = subprocess.run(
            [tool, what, "libcrypto"],
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise RuntimeError(
            "pkg-config is missing (Debian: apt-get install pkg-config)"
        ) from None
    except subprocess.CalledProcessError as e:
        raise RuntimeError(
            "pkg-config finds no libcrypto (Debian: apt-get install "
            f"libssl-dev): {e.stderr.strip()}"
        ) from None
    return done.stdout.split()


def _crypto_static(prefix: Path) -> Crypto:
    """Look below a prefix that OpenSSL was installed to."""
    header = prefix / "include" / "openssl" / "opensslv.h"
    folders = [prefix / name for name in ("lib64", "lib")]
    archives = [p for f in folders if (p := f / "libcrypto.a").is_file()]
    if not header.is_file() or not archives:
        raise RuntimeError(
            f"PYSSL_LIBCRYPTO={prefix}: no OpenSSL 3 with a libcrypto.a there"
        )
    text = header.read_text("utf-8", "replace")
    numbers = [
        found[1] if found else "0"
        for part in ("MAJOR", "MINOR", "PATCH")
        for found in [
            re.search(rf"define\s+OPENSSL_VERSION_{part}\s+(\d+)", text)
        ]
    ]
    link = ["-pthread", "-ldl"]
    if sys.platform.startswith("linux"):
        link.append("-Wl,--exclude-libs,ALL")
    return Crypto(
        ".".join(numbers),
        [f"-I{prefix / 'include'}"],
        [str(archives[0])],
        link,
    )


def export_flags() -> list[str]:
    """Let the linker export the module's entry point and nothing else."""
    if sys.platform == "darwin":
        return ["-Wl,-exported_symbol,_PyInit__pyssl"]
    return ["-Wl,-z,relro,-z,now", "-Wl,--as-needed", "-Wl,--gc-sections"]


def make_builder() -> Any:
    """Describe the extension to cffi."""
    found = crypto()
    builder = cffi.FFI()
    builder.cdef(declarations("pys_bio.h", "pys.h", "pys_conn.h", "pys_pki.h"))
    builder.set_source(
        "pyssl._pyssl",
        '#include "pys_conn.h"\n#include "pys_pki.h"\n',
        sources=sources(),
        depends=headers(),
        include_dirs=["csrc"],
        define_macros=[
            ("PYS_VERSION", f'"{version()}"'),
            ("PYS_STATIC", str(int(bool(found.objects)))),
        ],
        extra_compile_args=[*C_FLAGS, *C_FLAGS_OPT, *found.include],
        extra_objects=found.objects,
        extra_link_args=[*found.link, *export_flags()],
    )
    return builder
