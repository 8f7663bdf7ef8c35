"""Builds the extension with cffi; runs at build time only.

setuptools calls `make_builder` (setup.py), from this file alone: nothing of
the package can be imported here. The parts are functions, since the test
core (tests/build_core.py) is built from the same list.

PYSSL_LIBCRYPTO=/prefix links that prefix's libcrypto.a, with its symbols
hidden, in place of the one that pkg-config finds. PYSSL_PRIMITIVES=/prefix
takes the primitives from AWS-LC as wheels/awslc.py builds it: a file of
csrc/crypto/awslc stands in for the one of the same name in csrc/crypto, and
libcrypto keeps X.509 and what AWS-LC is not used for.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple, Optional

import cffi

ROOT = Path(__file__).resolve().parent.parent
OLDEST = 3  # major version of libcrypto
SUPPLY = "csrc/crypto/awslc/"  # only with PYSSL_PRIMITIVES
QUICK = "csrc/quick/"  # of Python: quick_sources

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
    """How to compile and link against libcrypto, and AWS-LC beside it."""

    version: str  # libcrypto's
    include: list[str]
    objects: list[str]
    link: list[str]
    defines: list[str]
    supply: str  # "AWS-LC 1.2.3", or "" without


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


def sources(*, awslc: Optional[bool] = None) -> list[str]:
    """List the core's C files, relative to the root, in a fixed order.

    Args:
        awslc: Take those that stand on AWS-LC; PYSSL_PRIMITIVES decides if
            it is None.
    """
    if awslc is None:
        awslc = bool(os.environ.get("PYSSL_PRIMITIVES"))
    found = (ROOT / "csrc").glob("**/*.c")
    names = {p.relative_to(ROOT).as_posix() for p in found}
    names = {name for name in names if not name.startswith(QUICK)}
    theirs = {name for name in names if name.startswith(SUPPLY)}
    if not awslc:
        return sorted(names - theirs)
    folder = SUPPLY.replace("awslc/", "")
    return sorted(names - {name.replace(SUPPLY, folder) for name in theirs})


def quick_sources() -> list[str]:
    """List the C files that know Python.

    They are for CPython with the GIL; elsewhere, and with PYSSL_QUICK=0,
    pyssl/_quick.py does without them.
    """
    if (
        platform.python_implementation() != "CPython"
        or sysconfig.get_config_var("Py_GIL_DISABLED")
        or os.environ.get("PYSSL_QUICK") == "0"
    ):
        return []
    found = (ROOT / QUICK).glob("*.c")
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


def headers() -> list[str]:
    """List the headers, relative to the root."""
    found = (ROOT / "csrc").glob("**/*.h")
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


def crypto() -> Crypto:
    """Find libcrypto, and AWS-LC if it is asked for.

    Errors:
        RuntimeError: one of them is missing, or libcrypto is too old.
    """
    prefix = os.environ.get("PYSSL_LIBCRYPTO")
    found = libcrypto(Path(prefix) if prefix else None)
    prefix = os.environ.get("PYSSL_PRIMITIVES")
    return with_awslc(found, Path(prefix)) if prefix else found


def libcrypto(prefix: Optional[Path]) -> Crypto:
    """Find libcrypto alone, and refuse one that is too old.

    Args:
        prefix: Of a static one; None for the one that pkg-config knows.
    """
    found = _crypto_static(prefix) if prefix else _crypto_shared()
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
    version = _pkg_config("--modversion")[0]
    return Crypto(version, include, [], link, ["-DPYS_STATIC=0"], "")


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
    return Crypto(
        ".".join(numbers),
        [f"-I{prefix / 'include'}"],
        [str(archives[0])],
        ["-pthread", "-ldl", *_hidden()],
        ["-DPYS_STATIC=1"],
        "",
    )


def _hidden() -> list[str]:
    """Keep the names of static archives inside."""
    link: list[str] = []
    if sys.platform.startswith("linux"):
        link.append("-Wl,--exclude-libs,ALL")
    return link


def with_awslc(found: Crypto, prefix: Path) -> Crypto:
    """Add the AWS-LC below a prefix that wheels/awslc.py made."""
    archive = prefix / "lib" / "libawslc.a"
    version = prefix / "VERSION"
    if not archive.is_file() or not version.is_file():
        raise RuntimeError(
            f"PYSSL_PRIMITIVES={prefix}: wheels/awslc.py has built no AWS-LC "
            "there"
        )
    more = [*_hidden(), "-pthread"]
    return found._replace(
        include=[*found.include, f"-I{prefix / 'include'}"],
        objects=[*found.objects, str(archive)],
        link=[*found.link, *(one for one in more if one not in found.link)],
        defines=[*found.defines, "-DPYS_AWSLC=1"],
        supply=f"AWS-LC {version.read_text('utf-8').strip()}",
    )


def export_flags() -> list[str]:
    """Let the linker export the modules' entry points and nothing else."""
    if sys.platform == "darwin":
        return ["-Wl,-exported_symbol,_PyInit__*"]
    return ["-Wl,-z,relro,-z,now", "-Wl,--as-needed", "-Wl,--gc-sections"]


def make_builder() -> Any:
    """Describe the extension to cffi."""
    found = crypto()
    builder = cffi.FFI()
    builder.cdef(declarations("pys_bio.h", "pys.h", "pys_conn.h", "pys_pki.h"))
    builder.set_source(
        "pyssl._pyssl",
        '#include "pys_conn.h"\n#include "pys_pki.h"\n',
        sources=[*sources(), *quick_sources()],
        depends=headers(),
        include_dirs=["csrc"],
        define_macros=[("PYS_VERSION", f'"{version()}"')],
        extra_compile_args=[
            *C_FLAGS,
            *C_FLAGS_OPT,
            *found.defines,
            *found.include,
        ],
        extra_objects=found.objects,
        extra_link_args=[*found.link, *export_flags()],
    )
    return builder
