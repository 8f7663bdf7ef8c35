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
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
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

_BLOCK = 1 << 20


def pin() -> dict[str, str]:
    """Read version and sha256 from libcrypto.pin."""
    text = (HERE / "libcrypto.pin").read_text("utf-8")
    return dict(re.findall(r"^(\w+)=(\S+)$", text, re.MULTILINE))


def recipe() -> str:
    """Name all that decides what the build comes out as, as 12 hex digits."""
    compiler = subprocess.run(
        [*_compiler(), "-v"], check=True, capture_output=True, text=True
    ).stderr
    parts = [
        *sorted(pin().values()),
        *OPTIONS,
        *_extra(),
        *FLAGS,
        NOWHERE,
        platform.machine(),
        compiler,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def libcrypto(cache: Path, jobs: int) -> Path:
    """Give the prefix of a finished build, making it if need be.

    Args:
        cache: Where builds and the source archive are kept.
        jobs: Compilers at a time.

    Errors:
        RuntimeError: the source is not to be had, or is not the pinned one.
        subprocess.CalledProcessError: the build failed; its last lines are
            printed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    prefix = cache / f"libcrypto-{pin()['version']}-{recipe()}"
    with _alone(cache):
        if not (prefix / "done").exists():
            archive = source(cache)
            shutil.rmtree(prefix, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                tree = unpack(archive, Path(folder))
                build(tree, prefix, jobs)
            (prefix / "done").touch()
    return prefix


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Keep other builds out of the cache."""
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- the source ------------------------------------------------------------


def source(cache: Path) -> Path:
    """Give the verified archive, fetching it if the cache has none.

    Errors:
        RuntimeError: nobody had it, with what each of them said.
    """
    archive = cache / f"openssl-{pin()['version']}.tar.gz"
    if archive.exists() and _digest(archive) == pin()["sha256"]:
        return archive
    said = []
    for fetch in (_from_debian, _from_project):
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            try:
                found = fetch(Path(folder))
            except (OSError, RuntimeError, subprocess.SubprocessError) as e:
                said.append(f"{fetch.__name__}: {e}")
                continue
            digest = _digest(found)
            if digest != pin()["sha256"]:
                said.append(f"{fetch.__name__}: SHA-256 {digest}")
                continue
            found.replace(archive)
            return archive
    raise RuntimeError(
        f"OpenSSL {pin()['version']} is not to be had:\n" + "\n".join(said)
    )


def _digest(path: Path) -> str:
    """Give the SHA-256 of a file in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


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
    return _one(folder, f"openssl_{pin()['version']}.orig.tar.gz")


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


def _one(folder: Path, name: str) -> Path:
    """Find a file that must be there."""
    path = folder / name
    if not path.is_file():
        there = ", ".join(sorted(p.name for p in folder.glob("openssl*")))
        raise RuntimeError(f"{name} is not among {there or 'nothing'}")
    return path


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive that was verified; give its top folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder)  # noqa: S202 - its SHA-256 is pinned
    (top,) = (path for path in folder.iterdir() if path.is_dir())
    return top


# ---- the build -------------------------------------------------------------


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CC", "cc"))


def _extra() -> list[str]:
    """Give options for some machines: fast P-384 and P-521 need int128."""
    is_64 = platform.machine() in ("x86_64", "aarch64", "arm64")
    return ["enable-ec_nistp_64_gcc_128"] if is_64 else []


def build(tree: Path, prefix: Path, jobs: int) -> None:
    """Configure, compile and install headers and libcrypto.a."""
    # OpenSSL remembers where its files are: on no machine, and the same in
    # every build.
    folders = [f"--prefix={NOWHERE}", f"--openssldir={NOWHERE}"]
    env = {**os.environ, "CC": shlex.join(_compiler())}
    _run(["./Configure", *folders, *OPTIONS, *_extra(), *FLAGS], tree, env)
    make = ["make", f"-j{jobs}"]
    _run([*make, "build_generated"], tree, env)
    _run([*make, "libcrypto.a"], tree, env)
    include = prefix / "include" / "openssl"
    shutil.copytree(tree / "include" / "openssl", include)
    (prefix / "lib").mkdir()
    shutil.copy2(tree / "libcrypto.a", prefix / "lib")
    shutil.copy2(tree / "LICENSE.txt", prefix / "LICENSE-OpenSSL.txt")


def _run(command: list[str], tree: Path, env: dict[str, str]) -> None:
    """Run a step of the build; show the end of its words if it fails."""
    done = subprocess.run(
        command,
        check=False,
        cwd=tree,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-40:]), file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)


def main() -> int:
    """Build what is pinned and print its prefix."""
    parser = argparse.ArgumentParser(description="Build a static libcrypto.")
    default = os.environ.get("PYSSL_CACHE", "~/.cache/pyssl")
    parser.add_argument("--cache", type=Path, default=Path(default))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--link", action="store_true")
    options = parser.parse_args()
    cache = options.cache.expanduser().resolve()
    prefix = libcrypto(cache, max(options.jobs, 1))
    if options.link:
        link = cache / "libcrypto"
        link.unlink(missing_ok=True)
        link.symlink_to(prefix)
    print(prefix)
    return 0


if __name__ == "__main__":
    sys.exit(main())
