"""Audits a built wheel: what it needs, what it shows, what it holds.

    python wheels/check.py [--static] [--awslc] WHEEL...

The extension may need libcrypto and the C library only, must not know
libssl, exports the entry points of its modules and nothing else, and has none
of the hooks of the test core. With --static it may not need libcrypto either,
and the metadata has OpenSSL's licence and a bill of materials; with AWS-LC
inside, which --awslc asks for, AWS-LC's licence, too.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NEEDED = re.compile(
    r"libcrypto\.so\.\d+|libc\.so\.6|libpthread\.so\.0|libdl\.so\.2"
    r"|libc\.musl-\w+\.so\.1|ld-linux[-\w]*\.so\.\d|ld-musl-\w+\.so\.1"
)
ENTRIES = ("PyInit__pyssl", "PyInit__quick")
LICENCE = ".dist-info/licenses/LICENSE"
OPENSSL = (".dist-info/licenses/LICENSE-OpenSSL.txt", ".cdx.json")
AWSLC = ".dist-info/licenses/LICENSE-AWS-LC.txt"

_HEX = re.compile(r"[0-9a-f]+")


def dynamic_needs(library: Path) -> list[str]:
    """List the libraries that an ELF file asks for."""
    return re.findall(r"^\s+NEEDED\s+(\S+)", _run("-p", library), re.MULTILINE)


def exported(library: Path) -> list[str]:
    """List the symbols that an ELF file defines for others."""
    table = [line.split() for line in _run("-T", library).splitlines()]
    return sorted(
        fields[-1]
        for fields in table
        if len(fields) > 4 and _HEX.fullmatch(fields[0])
        if "*UND*" not in fields
    )


def hooks(library: Path) -> bool:
    """Tell whether the file names a hook of the test core."""
    return b"pys_test_" in library.read_bytes()


def faults(library: Path, *, static: bool = False) -> list[str]:
    """Say everything that is wrong with an extension.

    Args:
        library: The file.
        static: Whether libcrypto must be inside.
    """
    found = [
        f"needs {name}"
        for name in dynamic_needs(library)
        if NEEDED.fullmatch(name) is None
        or (static and name.startswith("libcrypto"))
    ]
    if b"libssl" in library.read_bytes():
        found.append("names libssl")
    names = exported(library)
    found += [f"exports {name}" for name in names if name not in ENTRIES]
    if ENTRIES[0] not in names:
        found.append(f"lacks {ENTRIES[0]}")
    if hooks(library):
        found.append("holds hooks of the test core")
    return found


def wheel_faults(
    wheel: Path, *, static: bool = False, awslc: bool = False
) -> list[str]:
    """Say everything that is wrong with a wheel.

    Args:
        wheel: The file.
        static: Whether libcrypto must be inside.
        awslc: Whether AWS-LC must be inside, too.
    """
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as z:
        names = z.namelist()
        found = [
            f"holds {name}"
            for name in names
            if not name.startswith("pyssl/")
            and not name.partition("/")[0].endswith(".dist-info")
        ]
        if "pyssl/py.typed" not in names:
            found.append("lacks pyssl/py.typed")
        extensions = [name for name in names if name.endswith(".so")]
        if len(extensions) != 1:
            found.append(f"holds {len(extensions)} extensions, not one")
        for name in extensions:
            path = Path(z.extract(name, folder))
            found += [f"{name} {one}" for one in faults(path, static=static)]
            holds = b"AWS-LC " in path.read_bytes()
            if awslc and not holds:
                found.append(f"{name} holds no AWS-LC")
            awslc = awslc or holds
        ends = [LICENCE, *(OPENSSL if static else ()), *([AWSLC] * awslc)]
        found += [
            f"lacks {end}"
            for end in ends
            if not any(name.endswith(end) for name in names)
        ]
    return found


def _run(option: str, library: Path) -> str:
    """Run objdump on a file."""
    done = subprocess.run(
        ["objdump", option, str(library)],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def main() -> int:
    """Audit the wheels named on the command line.

    Returns:
        0 if nothing is wrong with any of them.
    """
    parser = argparse.ArgumentParser(description="Audit built wheels.")
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--awslc", action="store_true")
    parser.add_argument("wheels", nargs="+", type=Path)
    options = parser.parse_args()
    bad = False
    for wheel in options.wheels:
        found = wheel_faults(wheel, static=options.static, awslc=options.awslc)
        bad = bad or bool(found)
        for one in found:
            print(f"{wheel.name}: {one}")
        if not found:
            print(f"{wheel.name}: sound")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
