"""What this pyssl is made of and runs on: versions and features."""

from __future__ import annotations

import platform
import re
import sys
import sysconfig
from typing import TypedDict

from pyssl import names
from pyssl._ffi import lib, text_of

# Bits of the first four words of OPENSSL_ia32cap: CPUID leaf 1 (EDX, ECX)
# and leaf 7 (EBX, ECX), as OPENSSL_ia32cap(3) lays them out.
_X86 = {
    "PCLMULQDQ": (0, 33),
    "AES-NI": (0, 57),
    "AVX": (0, 60),
    "AVX2": (1, 5),
    "BMI2": (1, 8),
    "ADX": (1, 19),
    "SHA": (1, 29),
    "AVX512F": (1, 16),
    "VAES": (1, 41),
    "VPCLMULQDQ": (1, 42),
}
# Bits of OPENSSL_armcap (arm_arch.h of OpenSSL).
_ARM = {"NEON": 0, "AES": 2, "SHA1": 3, "SHA256": 4, "PMULL": 5, "SHA512": 6}


class Versions(TypedDict):
    """What `versions` gives.

    Attributes:
        pyssl: Its version.
        libcrypto: Name and version of the libcrypto at work.
        primitives: Name and version of the library that hashes, ciphers,
            key shares and signatures on curves come from: libcrypto, or the
            AWS-LC that is inside the extension beside it.
        libcrypto_built: Of the one whose headers the core was compiled
            with.
        linked: "static" if libcrypto is inside the extension, else
            "shared".
        compiler: What compiled the core.
        groups, suites, schemes: Names that this libcrypto serves.
        ml_kem: Whether X25519MLKEM768 is among the groups.
        cpu: What libcrypto uses of the processor, as "AES-NI".
        python: Version and implementation of the interpreter.
        abi: Tag of the extension: "abi3", or the interpreter's own.
        free_threaded: Whether the interpreter runs without the GIL.
    """

    pyssl: str
    libcrypto: str
    primitives: str
    libcrypto_built: str
    linked: str
    compiler: str
    groups: list[str]
    suites: list[str]
    schemes: list[str]
    ml_kem: bool
    cpu: list[str]
    python: str
    abi: str
    free_threaded: bool


def versions() -> Versions:
    """Tell what is at work: pyssl, libcrypto, compiler, features, Python.

    Returns:
        A dict of text, lists of text and booleans; it can be written as
        JSON.
    """
    groups = _served(lib.PYS_KIND_GROUP)
    return {
        "pyssl": text_of(lib.pys_version()) or "",
        "libcrypto": names.libcrypto(),
        "primitives": names.primitives(),
        "libcrypto_built": text_of(lib.pys_libcrypto_built()) or "",
        "linked": "static" if lib.pys_libcrypto_static() else "shared",
        "compiler": text_of(lib.pys_compiler()) or "",
        "groups": groups,
        "suites": _served(lib.PYS_KIND_SUITE),
        "schemes": _served(lib.PYS_KIND_SCHEME),
        "ml_kem": "X25519MLKEM768" in groups,
        "cpu": cpu_features(text_of(lib.pys_libcrypto_cpu()) or ""),
        "python": (
            f"{platform.python_implementation()} {platform.python_version()}"
        ),
        "abi": _abi(),
        "free_threaded": not getattr(sys, "_is_gil_enabled", lambda: True)(),
    }


def cpu_features(text: str) -> list[str]:
    """Read libcrypto's words on the processor.

    Args:
        text: "OPENSSL_ia32cap=0x...:0x..." or "OPENSSL_armcap=0x...".

    Returns:
        Names of what matters to TLS, in a fixed order.
    """
    found = re.match(r"OPENSSL_(ia32|arm)cap=([0-9a-fx:]+)", text)
    if found is None:
        return []
    words = [int(word, 16) for word in found[2].split(":") if word]
    if found[1] == "arm":
        return [name for name, bit in _ARM.items() if words[0] >> bit & 1]
    return [
        name
        for name, (word, bit) in _X86.items()
        if word < len(words) and words[word] >> bit & 1
    ]


def _served(kind: int) -> list[str]:
    """Give the names of one kind that this libcrypto serves."""
    found: list[str] = []
    while (id := lib.pys_id_at(kind, len(found))) != 0:
        found.append(names.name_of(kind, id))
    return found


def _abi() -> str:
    """Give the extension's tag from its file name."""
    path = getattr(sys.modules.get("pyssl._pyssl"), "__file__", "") or ""
    if ".abi3." in path:
        return "abi3"
    return str(sysconfig.get_config_var("SOABI") or "")


def as_text() -> str:
    """Give what `versions` gives as lines for people."""
    return "\n".join(
        f"{name.replace('_', ' ') + ':':<17}{_words(value)}"
        for name, value in versions().items()
    )


def _words(value: object) -> str:
    """Put a value into words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)
