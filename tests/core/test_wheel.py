"""The wheel's configuration and tools (the wheel itself: make test-wheel)."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
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


def prefixes(folder: Path) -> list[Path]:
    found = []
    for name in ("OpenSSL", "AWS-LC"):
        found.append(folder / name)
        found[-1].mkdir()
        (found[-1] / f"LICENSE-{name}.txt").write_text(f"{name}'s", "utf-8")
    return found


def test_finished_wheel_names_all_it_holds(tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path)
    tool("finish").finish(wheel, prefixes(tmp_path))
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
    for name in ("OpenSSL", "AWS-LC"):
        licence = files[f"{metadata}/licenses/LICENSE-{name}.txt"]
        assert licence == f"{name}'s".encode()


def test_bill_of_materials_names_what_is_pinned(tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path)
    tool("finish").finish(wheel, prefixes(tmp_path))
    with zipfile.ZipFile(wheel) as archive:
        bill = json.loads(
            archive.read("pyssl_tls-1.2.dist-info/sboms/pyssl_tls.cdx.json")
        )
    first, second = bill["components"]

    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == "1.2"
    for inside, name, pin in (
        (first, "openssl", tool("libcrypto").pin()),
        (second, "aws-lc", tool("awslc").pin()),
    ):
        assert (inside["name"], inside["version"]) == (name, pin["version"])
        holder = inside.get("externalReferences", [inside])[0]
        assert holder["hashes"][0]["content"] == pin["sha256"]
        assert re.fullmatch(r"[0-9a-f]{64}", pin["sha256"])
    assert re.fullmatch(r"3\.5\.\d+", first["version"])
    refs = [one["bom-ref"] for one in (first, second)]
    assert bill["dependencies"][0]["dependsOn"] == refs


def test_same_input_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        wheel = a_wheel(folder)
        tool("finish").finish(wheel, prefixes(folder))
        found.append(wheel.read_bytes())

    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["libcrypto", "awslc"])
def test_source_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, name: str
) -> None:
    one = tool(name)

    def wrong(folder: Path) -> Path:
        path = folder / "other.tar.gz"
        path.write_bytes(b"not what was published")
        return path

    def poor(folder: Path) -> Path:
        raise RuntimeError("no such tool")

    library = one.library()._replace(fetchers=[wrong, poor])

    with pytest.raises(RuntimeError, match="not to be had") as caught:
        one.supply.source(library, tmp_path)
    assert "wrong: SHA-256 " in str(caught.value)
    assert "poor: no such tool" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_cached_source_is_verified_before_it_is_taken(tmp_path: Path) -> None:
    one = tool("awslc")
    library = one.library()._replace(fetchers=[])
    (tmp_path / library.archive).write_bytes(b"changed since")

    with pytest.raises(RuntimeError, match="not to be had"):
        one.supply.source(library, tmp_path)


def test_pip_refuses_a_source_of_another_digest_before_it_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    awslc = tool("awslc")
    package = tmp_path / "packages" / "awscrt-0.38.1"
    package.mkdir(parents=True)
    ran = tmp_path / "ran"
    (package / "setup.py").write_text(f"open({str(ran)!r}, 'w')\n", "utf-8")
    archive = tmp_path / "packages" / "awscrt-0.38.1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(package, package.name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    with pytest.raises(RuntimeError, match="DO NOT MATCH THE HASHES"):
        awslc._from_package(tmp_path)
    assert not ran.exists()


def test_only_the_wanted_part_of_an_archive_is_unpacked(
    tmp_path: Path,
) -> None:
    for name in ("top/crt/aws-lc/LICENSE", "top/crt/other/x", "top/setup.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "top", "top")
    folder = tmp_path / "out"
    folder.mkdir()

    tree = tool("awslc").supply.unpack(
        tmp_path / "a.tar.gz", folder, "crt/aws-lc"
    )

    assert tree == folder / "top" / "crt" / "aws-lc"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files == [tree / "LICENSE"]


@pytest.mark.skipif(
    not all(map(shutil.which, ("cc", "ar", "nm", "objcopy"))),
    reason="no compiler and binutils",
)
def test_names_of_a_second_libcrypto_do_not_meet_the_first(
    tmp_path: Path,
) -> None:
    awslc = tool("awslc")
    (tmp_path / "a.c").write_text(
        "int other(void);\n"
        "int hook(void) __attribute__((weak));\n"
        "int RAND_bytes(void) { return hook ? hook() : other(); }\n"
        "int EVP_MD_name = 7;\n"
        "#include <unistd.h>\n"
        "__attribute__((destructor)) static void last(void) { _exit(5); }\n",
        "utf-8",
    )
    (tmp_path / "b.c").write_text("int other(void) { return 3; }\n", "utf-8")
    (tmp_path / "use.c").write_text(
        "#include <awslc/rand.h>\n"
        "int main(void) { return RAND_bytes() + EVP_MD_name != 10; }\n",
        "utf-8",
    )
    (tmp_path / "first.c").write_text(
        "int EVP_MD_name = 1;\n"
        "int other(void) { return 0; }\n"
        "int hook(void) { return 0; }\n"
        "int RAND_bytes(void) { return 0; }\n",
        "utf-8",
    )
    source, ours = tmp_path / "openssl", tmp_path / "ours" / "awslc"
    source.mkdir()
    (source / "rand.h").write_text(
        "#include <openssl/base.h>\n#define EVP_MD_name EVP_MD_name\n"
        "#define OTHER OTHER\n"
        "extern int EVP_MD_name;\nint RAND_bytes(void);\n",
        "utf-8",
    )
    (source / "base.h").write_text(
        "#include <openssl/boringssl_prefix_symbols.h>\n", "utf-8"
    )
    (source / "boringssl_prefix_symbols.h").touch()
    (source / "ssl.h").touch()

    def run(*command: str) -> None:
        subprocess.run(command, check=True, cwd=tmp_path)

    run("cc", "-fPIC", "-c", "a.c", "b.c")
    run("ar", "rcs", "libcrypto.a", "a.o", "b.o")
    names = awslc.rename(tmp_path / "libcrypto.a", tmp_path)
    awslc.headers(source, ours, names)
    assert names == ["EVP_MD_name", "RAND_bytes", "other"]
    defined, hooks = awslc.symbols(tmp_path / "libawslc.a")
    assert defined == [f"pys_awslc_{name}" for name in names]
    assert hooks == ["pys_awslc_hook"]
    assert not (ours / "ssl.h").exists()
    text = (ours / "rand.h").read_text("utf-8")
    assert "#define OTHER OTHER" in text
    assert "#define EVP_MD_name" not in text
    run("cc", "-Iours", "-o", "use", "use.c", "first.c", "libawslc.a")
    run("./use")


@pytest.mark.skipif(shutil.which("objdump") is None, reason="no objdump")
def test_check_finds_what_does_not_belong_in_a_wheel(tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tests/test_x.py", "")

    found = tool("check").wheel_faults(wheel, static=True, awslc=True)

    assert "holds tests/test_x.py" in found
    assert "lacks .dist-info/licenses/LICENSE-OpenSSL.txt" in found
    assert "lacks .dist-info/licenses/LICENSE-AWS-LC.txt" in found
    assert "lacks .cdx.json" in found
    assert "holds 0 extensions, not one" in found


@pytest.mark.parametrize("asked", [False, True])
def test_awslc_is_inside_with_its_licence_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    check = tool("check")
    monkeypatch.setattr(check, "faults", lambda path, **_: [])
    wheel = a_wheel(tmp_path)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("pyssl/_pyssl.abi3.so", b"...AWS-LC 1.2.3\0")
    licence = "lacks .dist-info/licenses/LICENSE-AWS-LC.txt"
    assert licence in check.wheel_faults(wheel, static=True, awslc=asked)

    wheel.unlink()
    a_wheel(tmp_path)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("pyssl/_pyssl.abi3.so", b"...")
    found = check.wheel_faults(wheel, static=True, awslc=asked)
    assert (licence in found) is asked
    assert ("pyssl/_pyssl.abi3.so holds no AWS-LC" in found) is asked


def test_wheel_is_tried_with_the_pythons_it_is_for() -> None:
    fits = tool("try_wheel").fits
    abi3 = Path("pyssl_tls-1.2-cp39-abi3-linux_x86_64.whl")
    free = Path("pyssl_tls-1.2-cp314-cp314t-linux_x86_64.whl")

    assert fits(abi3, "3.9")
    assert fits(abi3, "3.14")
    assert not fits(abi3, "3.14t")
    assert not fits(free, "3.13")
