"""The wheel's configuration and tools (the wheel itself: make test-wheel)."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"wheels_{name}", ROOT / "wheels" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("platform", ["linux", "macos"])
def test_cibuildwheel_takes_the_configuration(platform: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cibuildwheel", "--platform", platform),
            *("--print-build-identifiers", str(ROOT)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    found = done.stdout.split()
    tags = {name.split("-")[0] for name in found}

    assert {"cp39", "cp314t"} <= tags <= {"cp39", "cp314t", "pp311"}
    if platform == "linux":
        assert any("musllinux" in name for name in found)
        assert any("manylinux" in name for name in found)


def a_wheel(folder: Path) -> Path:
    path = folder / "pyssl_tls-1.2-cp39-abi3-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pyssl_tls-1.2.dist-info/RECORD", "")
        archive.writestr("pyssl_tls-1.2.dist-info/licenses/LICENSE", "ours")
        archive.writestr("pyssl/py.typed", "")
    return path


def a_prefix(folder: Path) -> Path:
    (folder / "LICENSE-OpenSSL.txt").write_text("theirs", "utf-8")
    return folder


def test_finished_wheel_names_all_it_holds(tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path)
    tool("finish").finish(wheel, a_prefix(tmp_path))
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    metadata = "pyssl_tls-1.2.dist-info"
    lines = files[f"{metadata}/RECORD"].decode().splitlines()
    rows = dict(line.split(",", 1) for line in lines)

    assert set(rows) == set(files)
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        text = digest.decode().rstrip("=")
        if not name.endswith("/RECORD"):
            assert rows[name] == f"sha256={text},{len(data)}"
    assert files[f"{metadata}/licenses/LICENSE-OpenSSL.txt"] == b"theirs"


def test_bill_of_materials_names_the_libcrypto_that_is_pinned(
    tmp_path: Path,
) -> None:
    wheel = a_wheel(tmp_path)
    tool("finish").finish(wheel, a_prefix(tmp_path))
    with zipfile.ZipFile(wheel) as archive:
        bill = json.loads(
            archive.read("pyssl_tls-1.2.dist-info/sboms/pyssl_tls.cdx.json")
        )
    pinned = tool("libcrypto").pin()
    (inside,) = bill["components"]

    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == "1.2"
    assert (inside["name"], inside["version"]) == (
        "openssl",
        pinned["version"],
    )
    assert inside["hashes"][0]["content"] == pinned["sha256"]
    assert re.fullmatch(r"3\.5\.\d+", pinned["version"])
    assert re.fullmatch(r"[0-9a-f]{64}", pinned["sha256"])


def test_same_input_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        wheel = a_wheel(folder)
        tool("finish").finish(wheel, a_prefix(folder))
        found.append(wheel.read_bytes())

    assert found[0] == found[1]


def test_source_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libcrypto = tool("libcrypto")

    def wrong(folder: Path) -> Path:
        path = folder / "other.tar.gz"
        path.write_bytes(b"not what was published")
        return path

    monkeypatch.setattr(libcrypto, "_from_debian", wrong)
    monkeypatch.setattr(libcrypto, "_from_project", wrong)

    with pytest.raises(RuntimeError, match="not to be had"):
        libcrypto.source(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("objdump") is None, reason="no objdump")
def test_check_finds_what_does_not_belong_in_a_wheel(tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tests/test_x.py", "")

    found = tool("check").wheel_faults(wheel, static=True)

    assert "holds tests/test_x.py" in found
    assert "lacks .dist-info/licenses/LICENSE-OpenSSL.txt" in found
    assert "lacks .cdx.json" in found
    assert "holds 0 extensions, not one" in found


def test_wheel_is_tried_with_the_pythons_it_is_for() -> None:
    fits = tool("try_wheel").fits
    abi3 = Path("pyssl_tls-1.2-cp39-abi3-linux_x86_64.whl")
    free = Path("pyssl_tls-1.2-cp314-cp314t-linux_x86_64.whl")

    assert fits(abi3, "3.9")
    assert fits(abi3, "3.14")
    assert not fits(abi3, "3.14t")
    assert not fits(free, "3.13")
