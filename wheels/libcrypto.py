"""Builds the static libcrypto that goes into a wheel, and says where it is.

    python wheels/libcrypto.py [--cache FOLDER] [--jobs N] [--link]

The last line printed is a prefix for PYSSL_LIBCRYPTO. Version and SHA-256
stand in libcrypto.pin; the source comes from Debian's source package where
apt-get knows a Debian mirror, else from the release that the OpenSSL project
publishes, and is verified before it is unpacked. A build is kept in the
cache folder (PYSSL_CACHE, or ~/.cache/pyssl) until the pin, this recipe or
the compiler changes; --link makes FOLDER/libcrypto lead to it.
"""

from __future__ import annotations

import platform
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # this file is loaded by its path, too

import supply  # noqa: E402

SUITE = "trixie"  # the Debian release whose OpenSSL is the pinned one
RELEASE = (
    "https://github.com/openssl/openssl/releases/download/"
    "openssl-{0}/openssl-{0}.tar.gz"
)

# What a handshake does not need stays out, and so does every way in which
# the environment could change what a program with the wheel does: no
# configuration file is read, no engine and no provider is loaded.
OPTIONS = [
    "no-shared",
    "no-tests",
    "no-apps",
    "no-docs",
    "no-module",
    "no-legacy",
    "no-engine",
    "no-dso",
    "no-autoload-config",
    "no-ssl3",
    "no-dtls",
    "no-quic",
    "no-cmp",
    "no-cms",
    "no-ts",
    "no-srp",
    "no-comp",
    "no-idea",
    "no-seed",
    "no-aria",
    "no-camellia",
    "no-bf",
    "no-cast",
    "no-rc2",
    "no-rc4",
    "no-md4",
    "no-mdc2",
    "no-whirlpool",
    "no-rmd160",
    "no-sm2",
    "no-sm3",
    "no-sm4",
    "no-siphash",
    "no-blake2",
    "no-gost",
    "no-ec2m",
    "no-slh-dsa",
    "no-uplink",
    "no-ui-console",
]
NOWHERE = "/nonexistent/pyssl"
# Each function in a section of its own: the linker of the wheel drops those
# that nothing calls.
FLAGS = ["-fPIC", "-ffunction-sections", "-fdata-sections", "-O3"]


def pin() -> dict[str, str]:
    """Read version and sha256 from libcrypto.pin."""
    return supply.pin("libcrypto")


def libcrypto(cache: Path, jobs: int) -> Path:
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
        "libcrypto",
        "OpenSSL",
        f"openssl-{pin()['version']}.tar.gz",
        [_from_debian, _from_project],
        [*OPTIONS, *_extra(), *FLAGS, NOWHERE],
        build,
    )


# ---- the source ------------------------------------------------------------


def _from_debian(folder: Path) -> Path:
    """Fetch Debian's copy of the release, from the mirror apt-get knows."""
    if shutil.which("apt-get") is None:
        raise RuntimeError("no apt-get")
    sites = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = re.findall(r"^(\S+) Debian$", sites, re.MULTILINE)
    mirror = next((site for site in found if "security" not in site), None)
    if mirror is None:
        raise RuntimeError("apt-get knows no mirror of Debian")
    options = _own_apt(folder, mirror)
    subprocess.run(
        ["apt-get", *options, "-qq", "update"],
        check=True,
        capture_output=True,
        timeout=300,
    )
    subprocess.run(
        [
            "apt-get",
            *options,
            "-qq",
            "source",
            "--download-only",
            "--only-source",
            "openssl",
        ],
        check=True,
        capture_output=True,
        timeout=600,
        cwd=folder,
    )
    return supply.one(folder, f"openssl_{pin()['version']}.orig.tar.gz")


def _own_apt(folder: Path, mirror: str) -> list[str]:
    """Set up lists of our own for apt-get, so that the machine's stay."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(
        f"deb-src {mirror} {SUITE} main\n", "utf-8"
    )
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
    }
    return [f"-o{name}={value}" for name, value in settings.items()]


def _from_project(folder: Path) -> Path:
    """Fetch the release that the OpenSSL project publishes."""
    path = folder / "openssl.tar.gz"
    url = RELEASE.format(pin()["version"])
    with (
        urllib.request.urlopen(url, timeout=60) as reply,  # noqa: S310
        path.open("wb") as file,
    ):
        shutil.copyfileobj(reply, file)
    return path


# ---- the build -------------------------------------------------------------


def _extra() -> list[str]:
    """Give options for some machines: fast P-384 and P-521 need int128."""
    is_64 = platform.machine() in ("x86_64", "aarch64", "arm64")
    return ["enable-ec_nistp_64_gcc_128"] if is_64 else []


def build(tree: Path, prefix: Path, jobs: int) -> None:
    """Configure, compile and install headers and libcrypto.a."""
    # OpenSSL remembers where its files are: on no machine, and the same in
    # every build.
    folders = [f"--prefix={NOWHERE}", f"--openssldir={NOWHERE}"]
    env = {"CC": shlex.join(supply.compiler())}
    supply.run(
        ["./Configure", *folders, *OPTIONS, *_extra(), *FLAGS], tree, env
    )
    make = ["make", f"-j{jobs}"]
    supply.run([*make, "build_generated"], tree, env)
    supply.run([*make, "libcrypto.a"], tree, env)
    include = prefix / "include" / "openssl"
    shutil.copytree(tree / "include" / "openssl", include)
    (prefix / "lib").mkdir()
    shutil.copy2(tree / "libcrypto.a", prefix / "lib")
    shutil.copy2(tree / "LICENSE.txt", prefix / "LICENSE-OpenSSL.txt")


if __name__ == "__main__":
    sys.exit(supply.main(library(), "Build a static libcrypto."))
