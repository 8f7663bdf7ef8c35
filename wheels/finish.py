"""Puts into a built wheel what belongs to the libraries inside it.

    python wheels/finish.py WHEEL [PREFIX...]

Their licences and a CycloneDX bill of materials (PEP 770) join the metadata,
and the archive is written again with its members in order and one date
(SOURCE_DATE_EPOCH), so that the same input gives the same bytes. A PREFIX is
what wheels/libcrypto.py or wheels/awslc.py printed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # this file is loaded by its path, too

import supply  # noqa: E402

# What its LICENSE names for what is compiled into its libcrypto.
AWSLC_LICENSES = "(Apache-2.0 OR ISC) AND Apache-2.0 AND ISC AND MIT"
_EPOCH = 315532800  # 1980-01-01, the first day that a zip archive knows


def inside(licence: str) -> dict[str, Any]:
    """Describe the library that a licence is of, for a bill of materials."""
    if licence == "LICENSE-OpenSSL.txt":
        pinned = supply.pin("libcrypto")
        return part(
            "openssl",
            pinned["version"],
            description="libcrypto, linked statically; libssl is not there",
            cpe="openssl:openssl",
            licenses=[{"license": {"id": "Apache-2.0"}}],
            hashes=_hashes(pinned),
        )
    if licence == "LICENSE-AWS-LC.txt":
        pinned = supply.pin("awslc")
        source = f"pkg:pypi/{pinned['package']}@{pinned['release']}"
        return part(
            "aws-lc",
            pinned["version"],
            description="its libcrypto, linked statically, for primitives",
            cpe="amazon:aws-lc",
            licenses=[{"expression": AWSLC_LICENSES}],
            externalReferences=[
                {
                    "type": "source-distribution",
                    "url": source,
                    "hashes": _hashes(pinned),
                }
            ],
        )
    raise ValueError(f"{licence} is of no library that is known")


def _hashes(pinned: dict[str, str]) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": pinned["sha256"]}]


def part(name: str, version: str, *, cpe: str, **more: Any) -> dict[str, Any]:
    """Write down one library."""
    return {
        "type": "library",
        "bom-ref": f"pkg:generic/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:generic/{name}@{version}",
        "cpe": f"cpe:2.3:a:{cpe}:{version}:*:*:*:*:*:*:*",
        **more,
    }


def bill(name: str, version: str, parts: list[dict[str, Any]]) -> bytes:
    """Give the bill of materials as CycloneDX 1.6 JSON.

    Args:
        name: The distribution's name.
        version: Its version.
        parts: What `inside` gave.
    """
    refs = [one["bom-ref"] for one in parts]
    words = " ".join([name, version, *(one["version"] for one in parts)])
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, words)}",
        "version": 1,
        "metadata": {"component": component},
        "components": parts,
        "dependencies": [
            {"ref": component["bom-ref"], "dependsOn": refs},
            *({"ref": ref} for ref in refs),
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def additions(
    wheel: Path, prefixes: list[Path], metadata: str
) -> dict[str, bytes]:
    """Give what joins the metadata, by name."""
    name, version = wheel.name.split("-")[:2]
    licences = [one for p in prefixes for one in p.glob("LICENSE-*.txt")]
    parts = [inside(one.name) for one in licences]
    found = {
        f"{metadata}/licenses/{one.name}": one.read_bytes() for one in licences
    }
    found[f"{metadata}/sboms/{name}.cdx.json"] = bill(
        name.replace("_", "-"), version, parts
    )
    return found


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


def finish(wheel: Path, prefixes: list[Path]) -> None:
    """Complete a wheel in place.

    Args:
        wheel: The wheel.
        prefixes: Of the static libraries inside.
    """
    with zipfile.ZipFile(wheel) as archive:
        files = {
            one.filename: archive.read(one)
            for one in archive.infolist()
            if not one.is_dir()
        }
    (own,) = (name for name in files if name.endswith(".dist-info/RECORD"))
    metadata = own.rpartition("/")[0]
    if prefixes:
        files.update(additions(wheel, prefixes, metadata))
    del files[own]
    files[own] = record(files, own)
    write(wheel, files)


def main() -> int:
    """Complete the wheel named on the command line."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    finish(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
