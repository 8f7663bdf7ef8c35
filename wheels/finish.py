"""Puts into a built wheel what belongs to the libcrypto inside it.

    python wheels/finish.py WHEEL PREFIX

OpenSSL's licence and a CycloneDX bill of materials (PEP 770) join the
metadata, and the archive is written again with its members in order and one
date (SOURCE_DATE_EPOCH), so that the same input gives the same bytes. PREFIX
is what wheels/libcrypto.py printed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

_EPOCH = 315532800  # 1980-01-01, the first day that a zip archive knows


def pin() -> dict[str, str]:
    """Read version and sha256 from libcrypto.pin."""
    path = Path(__file__).resolve().parent / "libcrypto.pin"
    text = path.read_text("utf-8")
    return dict(re.findall(r"^(\w+)=(\S+)$", text, re.MULTILINE))


def bill(name: str, version: str) -> bytes:
    """Give the bill of materials as CycloneDX 1.6 JSON.

    Args:
        name: The distribution's name.
        version: Its version.
    """
    pinned = pin()
    openssl = pinned["version"]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {version} {openssl}")
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    inside: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:generic/openssl@{openssl}",
        "name": "openssl",
        "description": "libcrypto, linked statically; libssl is not there",
        "version": openssl,
        "purl": f"pkg:generic/openssl@{openssl}",
        "cpe": f"cpe:2.3:a:openssl:openssl:{openssl}:*:*:*:*:*:*:*",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "hashes": [{"alg": "SHA-256", "content": pinned["sha256"]}],
    }
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": component},
        "components": [inside],
        "dependencies": [
            {"ref": component["bom-ref"], "dependsOn": [inside["bom-ref"]]},
            {"ref": inside["bom-ref"]},
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def additions(wheel: Path, prefix: Path, metadata: str) -> dict[str, bytes]:
    """Give what joins the metadata, by name."""
    name, version = wheel.name.split("-")[:2]
    licence = (prefix / "LICENSE-OpenSSL.txt").read_bytes()
    return {
        f"{metadata}/licenses/LICENSE-OpenSSL.txt": licence,
        f"{metadata}/sboms/{name}.cdx.json": bill(
            name.replace("_", "-"), version
        ),
    }


def record(files: dict[str, bytes], own: str) -> bytes:
    """Write RECORD: each file's digest and length, its own line bare."""
    lines = []
    for name in sorted(files):
        digest = hashlib.sha256(files[name]).digest()
        text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        lines.append(f"{name},sha256={text},{len(files[name])}")
    return "\n".join([*lines, f"{own},,", ""]).encode()


def write(wheel: Path, files: dict[str, bytes]) -> None:
    """Write the archive: members in order, one date, one mode."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", _EPOCH))
    date = time.gmtime(max(epoch, _EPOCH))[:6]
    fresh = wheel.with_suffix(".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        # The metadata comes last, as wheels have it.
        order = sorted(files, key=lambda name: (".dist-info/" in name, name))
        for name in order:
            info = zipfile.ZipInfo(name, date)
            info.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if name.endswith(".so") else 0o644
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, files[name])
    fresh.replace(wheel)


def finish(wheel: Path, prefix: Path | None) -> None:
    """Complete a wheel in place.

    Args:
        wheel: The wheel.
        prefix: Of the static libcrypto inside; None if there is none.
    """
    with zipfile.ZipFile(wheel) as archive:
        files = {
            one.filename: archive.read(one)
            for one in archive.infolist()
            if not one.is_dir()
        }
    (own,) = (name for name in files if name.endswith(".dist-info/RECORD"))
    metadata = own.rpartition("/")[0]
    if prefix is not None:
        files.update(additions(wheel, prefix, metadata))
    del files[own]
    files[own] = record(files, own)
    write(wheel, files)


def main() -> int:
    """Complete the wheel named on the command line."""
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    prefix = Path(sys.argv[2]) if len(sys.argv) == 3 else None
    finish(Path(sys.argv[1]), prefix)
    return 0


if __name__ == "__main__":
    sys.exit(main())
