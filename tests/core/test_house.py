"""The house: budgets, forbidden words, the builder, the shipped core."""

from __future__ import annotations

import array
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pyssl import _ffi
from tests import build_core, clauses
from tests.clauses import clause

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
recipe = build_core.recipe

# Who may ask the preprocessor, and who may name memset and memcmp.
CONDITIONS = ("base/base.h", "base/base.c", "crypto/", "pki/", "bio/fd.c")
PRINTING = re.compile(
    r"\b(?:f?printf|f?puts|putchar|perror|abort|exit|_exit|assert|syslog)\s*\("
)


def c_files() -> list[str]:
    found = [*CSRC.glob("**/*.c"), *CSRC.glob("**/*.h")]
    return sorted(path.relative_to(CSRC).as_posix() for path in found)


def py_files() -> list[str]:
    found = (ROOT / "pyssl").glob("**/*.py")
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def code_of(name: str) -> str:
    """Give a C file without comments, texts and characters."""
    text = (CSRC / name).read_text("utf-8")
    return re.sub(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'',
        lambda found: "\n" * found[0].count("\n"),
        text,
        flags=re.DOTALL,
    )


def functions(name: str) -> dict[str, int]:
    """Give the functions that a C file defines, with their lines."""
    lines = code_of(name).splitlines()
    found: dict[str, int] = {}
    for start, line in enumerate(lines):
        head = re.match(r"(\w+)\(", line)
        if head is None:
            continue
        end = next(i for i in range(start, len(lines)) if lines[i] == "}")
        found[head[1]] = end - start + 2  # the line of the type counts
    return found


# ---- budgets of docs/style.md ----------------------------------------------


# Names that Python gives.
PYTHONS = (
    ("quick/module.c", "PyInit__quick"),
    ("quick/quick.h", "PyAPI_FUNC"),
)


@pytest.mark.parametrize("name", c_files())
def test_c_file_keeps_its_budgets(name: str) -> None:
    lines = (CSRC / name).read_text("utf-8").splitlines()

    assert len(lines) <= (450 if name == "pys.h" else 700)
    assert max(len(line) for line in lines) <= 80
    assert all(line == line.rstrip() for line in lines)


def test_functions_are_short() -> None:
    sizes = [
        (size, f"{name}: {function}")
        for name in c_files()
        for function, size in functions(name).items()
        if (name, function) not in PYTHONS
    ]
    numbers = sorted(size for size, _ in sizes)

    assert len(sizes) > 50
    assert max(sizes) <= (100, "")
    assert numbers[len(numbers) // 2] <= 20
    assert numbers[len(numbers) * 95 // 100] <= 60


def test_refusals_cite_the_rfc_and_files_are_few() -> None:
    text = "".join((CSRC / name).read_text("utf-8") for name in c_files())
    lines = text.count("\n")

    assert len(re.findall(r"RFC \d{4}\b", text)) >= lines * 8 // 1000
    # The budget is the TLS 1.3 path's: what is 1.2's alone says so.
    path = [
        file.stem
        for file in (CSRC / "handshake").glob("*.c")
        if not file.stem.endswith(("12", "_test"))
    ]
    assert len(path) <= 18


@pytest.mark.parametrize("name", py_files())
def test_python_file_keeps_its_budgets(name: str) -> None:
    lines = (ROOT / name).read_text("utf-8").splitlines()

    assert len(lines) <= 700
    assert max((len(line) for line in lines), default=0) <= 79


# ---- words that stand in few places or none --------------------------------


@pytest.mark.parametrize("name", c_files())
def test_c_file_is_ascii(name: str) -> None:
    assert (CSRC / name).read_bytes().isascii()


@pytest.mark.parametrize("name", c_files())
def test_memory_is_wiped_and_compared_in_one_place(name: str) -> None:
    if name != "base/base.h":
        assert not re.search(r"\b(memset|memcmp|bzero|bcmp)\b", code_of(name))


@pytest.mark.parametrize("name", c_files())
def test_memory_comes_from_one_place(name: str) -> None:
    if name != "base/base.c":
        words = r"\b(malloc|calloc|realloc|free|strdup|alloca)\s*\("
        assert not re.search(words, code_of(name))


@pytest.mark.parametrize("name", c_files())
def test_condition_stands_where_it_may(name: str) -> None:
    found = re.findall(r"^ *# *(?:if|elif)[^\n]*", code_of(name), re.MULTILINE)
    if name.endswith(".h"):
        stem = Path(name).stem.removeprefix("pys_")
        names = {"PYS_H" if name == "pys.h" else f"PYS_{stem}_H".upper()}
        names.add(f"PYS_{name.partition('/')[0]}_{stem}_H".upper())
        assert found[0].split()[0] == "#ifndef"
        assert found[0].split()[1] in names
        found = found[1:]
    if name.endswith("_test.c"):
        assert found == ["#ifdef PYS_TEST"]  # empty in the shipped core
    elif not name.startswith(CONDITIONS):
        assert found == []


@pytest.mark.parametrize("name", c_files())
def test_library_neither_prints_nor_ends_the_process(name: str) -> None:
    assert PRINTING.findall(code_of(name)) == []


@pytest.mark.parametrize("name", c_files())
def test_function_names_tell_their_scope(name: str) -> None:
    text = code_of(name)
    for function in functions(name):
        kept = re.search(
            rf"^(?:static|PYS_MUST static)\b[^\n]*\n{function}\(",
            text,
            re.MULTILINE,
        )
        assert (
            function.startswith("pys_") or (name, function) in PYTHONS
        ) is (kept is None) or (name.endswith(".h") and kept is not None), (
            function
        )


@pytest.mark.parametrize("name", [n for n in c_files() if n.endswith(".h")])
def test_header_stands_alone(name: str, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no compiler")
    source = tmp_path / "alone.c"
    source.write_text(f'#include "{name}"\n', "utf-8")
    flags = [*recipe.C_STANDARD, *build_core.WARNINGS, "-Werror"]
    flags += ["-isystem", sysconfig.get_path("include")]
    if f"csrc/{name}".startswith(recipe.SUPPLY):
        prefix = os.environ.get("PYSSL_PRIMITIVES")
        if not prefix:
            pytest.skip("no PYSSL_PRIMITIVES, whose headers it includes")
        flags.append(f"-I{prefix}/include")

    done = subprocess.run(
        ["cc", *flags, f"-I{CSRC}", "-fsyntax-only", str(source)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr


# ---- the builder -----------------------------------------------------------


def test_version_is_the_same_everywhere() -> None:
    version = recipe.version()
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert version == _ffi.VERSION
    assert _ffi.text_of(_ffi.lib.pys_version()) == version
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] == version


def test_declarations_are_the_header_without_preprocessor_lines() -> None:
    text = recipe.declarations("pys_bio.h", "pys.h", "pys_conn.h", "pys_pki.h")

    assert not any(line.startswith("#") for line in text.splitlines())
    assert "pys_conn_handshake" in text
    assert "PYS_IO_DONE = 1" in text


def test_sources_are_all_c_files_of_a_supply_in_order() -> None:
    found = {f"csrc/{name}" for name in c_files() if name.endswith(".c")}
    of_python = {name for name in found if name.startswith(recipe.QUICK)}
    every = found - of_python
    plain, awslc = recipe.sources(awslc=False), recipe.sources(awslc=True)

    assert recipe.quick_sources() in ([], sorted(of_python))
    assert plain == sorted(plain)
    assert awslc == sorted(awslc)
    assert set(plain) == {n for n in every if not n.startswith(recipe.SUPPLY)}
    # Each of the supply is in, for what has its name beside the folder.
    assert every - set(awslc) == {
        name.replace("/awslc/", "/") for name in every - set(plain)
    } & set(plain)


def test_primitives_come_from_a_prefix_with_awslc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(
        "PYSSL_LIBCRYPTO", str(static_prefix(tmp_path / "ssl", 3))
    )
    monkeypatch.setenv("PYSSL_PRIMITIVES", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"has built no AWS-LC there"):
        recipe.crypto()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libawslc.a").touch()
    (tmp_path / "VERSION").write_text("5.12.0\n", "utf-8")

    found = recipe.crypto()

    assert (found.version, found.supply) == ("3.5.7", "AWS-LC 5.12.0")
    assert found.objects[1:] == [str(tmp_path / "lib" / "libawslc.a")]
    assert found.defines == ["-DPYS_STATIC=1", "-DPYS_AWSLC=1"]
    assert found.link.count("-pthread") == 1


@pytest.mark.parametrize("version", ["1.1.1w", "1.0.2", "2.9.9"])
def test_libcrypto_too_old_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.delenv("PYSSL_LIBCRYPTO", raising=False)
    monkeypatch.setattr(recipe, "_pkg_config", lambda what: [version])

    with pytest.raises(RuntimeError, match=rf"3\.0 or later.*{version}"):
        recipe.crypto()


def test_missing_pkg_config_is_told_with_its_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYSSL_LIBCRYPTO", raising=False)
    monkeypatch.setenv("PKG_CONFIG", "/nonexistent/pkg-config")

    with pytest.raises(RuntimeError, match="apt-get install pkg-config"):
        recipe.crypto()


def test_missing_libcrypto_is_told_with_its_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYSSL_LIBCRYPTO", raising=False)
    monkeypatch.setenv("PKG_CONFIG", "false")

    with pytest.raises(RuntimeError, match="apt-get install libssl-dev"):
        recipe.crypto()


def static_prefix(folder: Path, major: int) -> Path:
    (folder / "include" / "openssl").mkdir(parents=True)
    (folder / "lib64").mkdir()
    (folder / "lib64" / "libcrypto.a").touch()
    (folder / "include" / "openssl" / "opensslv.h").write_text(
        f"# define OPENSSL_VERSION_MAJOR  {major}\n"
        "# define OPENSSL_VERSION_MINOR  5\n"
        "# define OPENSSL_VERSION_PATCH  7\n",
        "utf-8",
    )
    return folder


def test_prefix_gives_a_static_libcrypto_with_hidden_symbols(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prefix = static_prefix(tmp_path, 3)
    monkeypatch.setenv("PYSSL_LIBCRYPTO", str(prefix))
    monkeypatch.delenv("PYSSL_PRIMITIVES", raising=False)

    found = recipe.crypto()

    assert found.version == "3.5.7"
    assert found.objects == [str(prefix / "lib64" / "libcrypto.a")]
    assert found.include == [f"-I{prefix / 'include'}"]
    assert not any("ssl" in one for one in found.link)
    if sys.platform.startswith("linux"):
        assert "-Wl,--exclude-libs,ALL" in found.link


def test_prefix_without_the_archive_or_too_old_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYSSL_LIBCRYPTO", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match=r"no OpenSSL 3 with a libcrypto.a"):
        recipe.crypto()
    monkeypatch.setenv(
        "PYSSL_LIBCRYPTO", str(static_prefix(tmp_path / "old", 1))
    )
    with pytest.raises(RuntimeError, match=r"3\.0 or later"):
        recipe.crypto()


# ---- the extension ---------------------------------------------------------


def wheel_check() -> ModuleType:
    path = ROOT / "wheels" / "check.py"
    spec = importlib.util.spec_from_file_location("wheel_check", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shipped() -> list[Path]:
    return sorted((ROOT / "pyssl").glob("_pyssl.*.so")) + sorted(
        (ROOT / "pyssl").glob("_pyssl.so")
    )


@pytest.mark.skipif(shutil.which("objdump") is None, reason="no objdump")
def test_shipped_core_needs_libcrypto_only_and_shows_one_symbol() -> None:
    built = shipped()
    if not built:
        pytest.skip("the shipped core is not built")
    check = wheel_check()
    for path in built:
        assert check.faults(path) == []
        needed = check.dynamic_needs(path)
        static = os.environ.get("PYSSL_LIBCRYPTO") is not None
        assert static or any("libcrypto" in one for one in needed)


@pytest.mark.skipif(shutil.which("objdump") is None, reason="no objdump")
def test_audit_sees_the_hooks_of_the_test_core() -> None:
    named = os.environ.get("PYSSL_TEST_CORE")
    folder = Path(named) if named else ROOT / "build" / "test"
    path = build_core.core_path(folder)

    assert "holds hooks of the test core" in wheel_check().faults(path)


def test_audit_refuses_libssl_and_strange_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check = wheel_check()
    dump = {
        "-p": "  NEEDED               libssl.so.3\n"
        "  NEEDED               libcrypto.so.3\n",
        "-T": "0000 g    DF .text  0001  Base        PyInit__pyssl\n"
        "0000 g    DF .text  0001  Base        pys_start\n"
        "0000      DF *UND*  0000 (GLIBC_2.2.5) free\n",
    }
    monkeypatch.setattr(check, "_run", lambda option, library: dump[option])
    path = tmp_path / "x.so"
    path.write_bytes(b"\x7fELF")

    assert check.faults(path) == [
        "needs libssl.so.3",
        "exports pys_start",
    ]


RUN_ALONE = """
import sys
sys.path.insert(0, {root!r})
import importlib.machinery, importlib.util
path, name = {path!r}, "pyssl._pyssl"
loader = importlib.machinery.ExtensionFileLoader(name, path)
spec = importlib.util.spec_from_file_location(name, path, loader=loader)
core = importlib.util.module_from_spec(spec)
loader.exec_module(core)
sys.modules[name] = core
{what}
"""


def run_alone(what: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the test core in a process of its own."""
    named = os.environ.get("PYSSL_TEST_CORE")
    folder = Path(named) if named else ROOT / "build" / "test"
    path = str(build_core.core_path(folder.resolve()))
    code = RUN_ALONE.format(root=str(ROOT), path=path, what=what)
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="no list of mapped files"
)
def test_package_loads_no_libssl() -> None:
    done = run_alone(
        "import pyssl\n"
        "maps = open('/proc/self/maps').read()\n"
        "print('libssl' in maps, 'libcrypto' in maps)"
    )

    assert done.stdout == "False True\n", done.stderr


def test_extension_of_another_version_is_an_import_error() -> None:
    done = run_alone(
        "class Lib:\n"
        "    def __getattr__(self, name):\n"
        "        if name == 'pys_version':\n"
        "            return lambda: core.ffi.new('char[]', b'0.0.1')\n"
        "        return getattr(core.lib, name)\n"
        "class Core:\n"
        "    ffi, lib = core.ffi, Lib()\n"
        "sys.modules[name] = Core\n"
        "import pyssl._ffi\n"
    )

    assert done.returncode == 1
    assert (
        "ImportError: the extension was built for pyssl 0.0.1" in done.stderr
    )


def test_poor_libcrypto_is_an_import_error() -> None:
    done = run_alone(
        "class Lib:\n"
        "    def __getattr__(self, name):\n"
        "        if name == 'pys_start':\n"
        "            return lambda: False\n"
        "        return getattr(core.lib, name)\n"
        "class Core:\n"
        "    ffi, lib = core.ffi, Lib()\n"
        "sys.modules[name] = Core\n"
        "import pyssl._ffi\n"
    )

    assert done.returncode == 1
    assert "lacks an algorithm that TLS 1.3 needs" in done.stderr


@clause("RFC 8446 C.1")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_processes_that_fork_draw_numbers_of_their_own() -> None:
    done = run_alone(
        "import os\n"
        "import pyssl as p\n"
        "ctx = p.SSL_CTX_new(p.TLS_client_method())\n"
        "def hello():\n"
        "    ssl, out = p.SSL_new(ctx), p.BIO_new(p.BIO_s_mem())\n"
        "    p.SSL_set_bio(ssl, p.BIO_new(p.BIO_s_mem()), out)\n"
        "    p.SSL_connect(ssl)\n"
        "    room = bytearray(4096)\n"
        "    return bytes(room[: p.BIO_read(out, room)])\n"
        "seen = [hello()]\n"
        "ends = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.write(ends[1], hello())\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "seen += [os.read(ends[0], 4096), hello()]\n"
        "print(len({one[11:43] for one in seen}), min(map(len, seen)) > 200)"
    )

    assert done.stdout == "3 True\n", done.stderr


# ---- buffers ---------------------------------------------------------------


@clause("CV-2")
@pytest.mark.parametrize(
    "data",
    [
        b"abcd",
        bytearray(b"abcd"),
        memoryview(b"abcd"),
        memoryview(b"xabcdx")[1:5],
        array.array("H", [0x6261, 0x6463]),
    ],
)
def test_input_is_any_contiguous_buffer(data: Any) -> None:
    if sys.byteorder == "big" and isinstance(data, array.array):
        data.byteswap()
    view = _ffi.source(data)

    assert len(view) == 4
    room = _ffi.ffi.new("uint8_t[4]")
    _ffi.ffi.memmove(room, view, 4)
    assert bytes(room) == b"abcd"


@clause("CV-2")
@pytest.mark.parametrize(
    "data", ["text", 5, None, [1, 2], memoryview(b"abcdef")[::2], object()]
)
def test_input_of_another_kind_is_a_type_error(data: Any) -> None:
    with pytest.raises(TypeError):
        _ffi.source(data)


@clause("CV-2")
@pytest.mark.parametrize(
    "buffer",
    [bytearray(4), memoryview(bytearray(6))[1:5], array.array("I", [0])],
)
def test_output_is_any_writable_contiguous_buffer(buffer: Any) -> None:
    room = _ffi.room(buffer)

    assert len(room) == 4
    room[3] = 7
    assert memoryview(buffer).cast("B")[3] == 7


@clause("CV-2")
@pytest.mark.parametrize(
    "buffer",
    [
        b"abcd",
        memoryview(b"abcd"),
        memoryview(bytearray(8))[::2],
        "x",
        None,
        4,
    ],
)
def test_output_of_another_kind_is_a_type_error(buffer: Any) -> None:
    with pytest.raises(TypeError):
        _ffi.room(buffer)


@clause("CV-2")
def test_buffer_cannot_be_resized_while_it_is_lent() -> None:
    buffer = bytearray(4)
    room = _ffi.room(buffer)

    with pytest.raises(BufferError):
        buffer.append(1)
    del room
    buffer.append(1)


@clause("CV-3")
def test_owner_frees_once_and_refuses_null() -> None:
    freed: list[Any] = []
    handle = _ffi.ffi.new("char[1]")
    mine = _ffi.own(_ffi.ffi.cast("char *", handle), freed.append)
    del mine
    assert len(freed) == 1
    with pytest.raises(MemoryError):
        _ffi.own(_ffi.ffi.NULL, freed.append)
    assert len(freed) == 1


def test_bytes_and_text_of_null_are_empty_and_none() -> None:
    assert _ffi.bytes_of(_ffi.ffi.NULL, 0) == b""
    assert _ffi.text_of(_ffi.ffi.NULL) is None
    text = _ffi.ffi.new("char[]", b"a\xffb")
    assert _ffi.bytes_of(text, 3) == b"a\xffb"
    assert _ffi.text_of(text) == "a\ufffdb"


# ---- clauses ---------------------------------------------------------------


def test_clause_refuses_what_the_contract_lacks() -> None:
    for wrong in ["HS-999", "hs-1", "", "RFC", "words of mine"]:
        with pytest.raises(ValueError):
            clause(wrong)
    with pytest.raises(ValueError):
        clause()
    with pytest.raises(ValueError):
        clause("HS-1", "the first call")


def test_clause_takes_clauses_and_rfc_sections() -> None:
    mark = clause("HS-1", "RFC 8446 4.2.1", "an older version is refused")

    assert mark.name == "clause"
    assert mark.args[0] == "HS-1"
    assert len(clauses.CLAUSES) > 250


@pytest.mark.parametrize(
    "text", ["HS-999 why\n", "HS-1\n", "HS-1 why\nHS-1 why\n"]
)
def test_list_of_later_clauses_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "later.txt"
    path.write_text(f"# a word\n\n{text}", "utf-8")
    monkeypatch.setattr(clauses, "LATER", path)

    with pytest.raises(ValueError):
        clauses.later()


# ---- the top level ---------------------------------------------------------


def test_makefile_has_the_commands_that_the_style_promises() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    promised = (
        "build test check lint format typecheck asan tsan clauses cov bench "
        "demo sdist wheel clean"
    )
    for command in promised.split():
        assert re.search(rf"^{command}:", text, re.MULTILINE), command
        assert re.search(rf"^#: {command} ", text, re.MULTILINE), command


def test_commands_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)\b", readme))

    assert {"demo", "test"} <= named
    for command in named:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command


def test_ci_runs_what_the_readme_says() -> None:
    path = ROOT / ".ci" / "run"
    text = path.read_text("utf-8")

    assert os.access(path, os.X_OK)
    assert "set -euo pipefail" in text
    for command in ("make test", "make lint", "make typecheck", "make asan"):
        assert command in text
