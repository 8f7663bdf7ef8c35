"""Folders are layers: who may include and import whom (docs/design.md 3)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
PYSSL = ROOT / "pyssl"

# Each folder may include from itself and from those named here.
C_LAYERS = {
    "base": set(),
    "crypto": {"base"},
    "record": {"base", "crypto"},
    "pki": {"base", "crypto", "record"},
    "session": {"base", "crypto", "record", "pki"},
    "conn": {"base", "crypto", "record", "pki", "session"},
    "handshake": {"base", "crypto", "record", "pki", "session", "conn"},
    "bio": {"base"},
    "api": {
        "base",
        "crypto",
        "record",
        "pki",
        "session",
        "conn",
        "handshake",
        "bio",
    },
    "quick": {
        "base",
        "crypto",
        "record",
        "pki",
        "session",
        "conn",
        "handshake",
        "bio",
        "api",
    },
}
FACES = {"pys.h", "pys_bio.h", "pys_conn.h", "pys_pki.h", "pys_test.h"}

# libcrypto: primitives and X.509. base/ wipes, compares and drains its queue.
CRYPTO_FOLDERS = {"crypto", "pki"}
CRYPTO_FILES = {
    "base/base.c": {"openssl/crypto.h"},
    "base/fault.c": {"openssl/err.h"},
}

# Python, from the ground up. A module imports only what stands on a floor
# below its own.
FLOORS = [
    {"_pyssl", "_quick_bio"},
    {"_quick"},
    {
        "_ffi",
        "alert",
        "capi",
        "const_bio",
        "const_reason",
        "hello",
        "keylog",
    },
    {"const", "padding"},
    {"bio_method", "cipher", "cipher_list", "err", "names"},
    {"exdata"},
    {"bio_life", "pkey", "x509"},
    {"primitive", "verify"},
    {"bio_core", "notices", "report", "session", "settings", "ticket"},
    {"settings_record"},
    {"psk"},
    {"asks", "bio_built", "bio_state", "identity", "proofs"},
    {"bio_ctrl", "ctx_session", "trust", "versions"},
    {"bio_macros", "ctx_status"},
    {"bio_kinds", "ctx_notices"},
    {"ctx"},
    {"bio"},
    {
        "bio_accept",
        "bio_buffer",
        "bio_connect",
        "capi_bio",
        "capi_bio_more",
        "conn_base",
    },
    {"conn_bio", "conn_hello", "conn_info", "conn_outcome", "conn_status"},
    {"conn_session"},
    {"conn_early"},
    {"conn_notices"},
    {"conn_binding"},
    {"conn"},
    {
        "bio_ssl",
        "capi_early",
        "capi_hello",
        "capi_session",
        "capi_ssl",
        "capi_verify",
    },
    {"__init__"},
    {"bench", "demo_peer", "openssl", "stdlib", "trace"},
    {"__main__", "cli", "demo"},
]
# The builder runs without the package.
APART = {"_build"}
# These stand on the objects; the handles below are not theirs.
ADAPTERS = {
    "capi",
    "capi_bio",
    "capi_bio_more",
    "capi_early",
    "capi_hello",
    "capi_session",
    "capi_ssl",
    "capi_verify",
    "stdlib",
    "openssl",
    "cli",
    "demo",
    "demo_peer",
    "__main__",
    "trace",
    "bench",
}

_INCLUDE = re.compile(
    r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE
)


def c_files() -> list[str]:
    return sorted(
        path.relative_to(CSRC).as_posix()
        for path in CSRC.glob("**/*")
        if path.suffix in {".c", ".h"}
    )


def includes(name: str) -> tuple[list[str], list[str]]:
    found = _INCLUDE.findall((CSRC / name).read_text("utf-8"))
    own = [mine for mine, _ in found if mine]
    system = [theirs for _, theirs in found if theirs]
    return own, system


@pytest.mark.parametrize("name", c_files())
def test_c_file_includes_only_from_layers_above_it(name: str) -> None:
    folder = name.partition("/")[0]
    own, _ = includes(name)

    if name in FACES:
        assert set(own) <= FACES
        return
    assert folder in C_LAYERS, f"{name} lies in no layer"
    for one in own:
        assert (CSRC / one).is_file(), f"{one} is not written from csrc"
        if one in FACES:
            continue
        layer = one.partition("/")[0]
        assert layer == folder or layer in C_LAYERS[folder], one


def test_c_layers_hold_no_circle() -> None:
    for folder, above in C_LAYERS.items():
        assert folder not in above
        for other in above:
            assert C_LAYERS[other] <= above, f"{folder} reaches round {other}"


def test_c_headers_include_each_other_in_no_circle() -> None:
    graph = {
        name: set(includes(name)[0])
        for name in c_files()
        if name.endswith(".h")
    }
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path, name])
        if name in done:
            return
        for one in sorted(graph[name]):
            walk(one, (*path, name))
        done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("name", c_files())
def test_libcrypto_is_included_where_it_may_be(name: str) -> None:
    _, system = includes(name)
    openssl = {one for one in system if one.startswith("openssl/")}

    assert not openssl & {"openssl/ssl.h", "openssl/tls1.h", "openssl/ssl3.h"}
    if name.partition("/")[0] not in CRYPTO_FOLDERS:
        assert openssl <= CRYPTO_FILES.get(name, set())
    # AWS-LC's headers do not go with libcrypto's in one file.
    if any(one.startswith("awslc/") for one in system):
        assert name.startswith("crypto/")
        assert not (openssl and name.startswith("crypto/awslc/"))


@pytest.mark.parametrize("name", c_files())
def test_python_is_known_in_one_folder(name: str) -> None:
    _, system = includes(name)

    if name.partition("/")[0] != "quick":
        assert not {"Python.h", "structmember.h"} & set(system)


def floor_of(module: str) -> int | None:
    for number, floor in enumerate(FLOORS):
        if module in floor:
            return number
    return None


def py_files() -> list[str]:
    return sorted(
        path.relative_to(PYSSL).as_posix() for path in PYSSL.glob("**/*.py")
    )


def module_of(name: str) -> str:
    """Give the module, or the top folder, that a file belongs to."""
    return (
        name.partition("/")[0].removesuffix(".py")
        if "/" in name
        else (name.removesuffix(".py"))
    )


def is_for_types(node: ast.stmt) -> bool:
    """Tell whether this runs for a type checker only."""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def imports(name: str) -> set[str]:
    """List the modules of the package that a file needs when it runs."""
    tree = ast.parse((PYSSL / name).read_text("utf-8"))
    tree.body = [node for node in tree.body if not is_for_types(node)]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            module = node.module or ""
            names = [module]
            if module == "pyssl":
                names = [f"pyssl.{one.name}" for one in node.names]
        else:
            continue
        for one in names:
            if one == "pyssl":
                found.add("__init__")
            elif one.startswith("pyssl."):
                part = one.split(".")[1]
                known = floor_of(part) is not None or part in APART
                found.add(part if known else "__init__")
    return found


def test_every_module_stands_on_a_floor() -> None:
    here = {module_of(name) for name in py_files()}
    there = set().union(*FLOORS) | APART

    assert here <= there, f"no floor for {sorted(here - there)}"


@pytest.mark.parametrize("name", py_files())
def test_module_imports_only_from_floors_below(name: str) -> None:
    module = module_of(name)
    found = imports(name) - {module}

    if module in APART:
        assert found == set()
        return
    mine = floor_of(module)
    assert mine is not None
    for one in found:
        theirs = floor_of(one)
        assert theirs is not None, f"{module} imports {one}"
        assert theirs < mine, f"{module} imports {one}"


@pytest.mark.parametrize("name", py_files())
def test_adapter_never_touches_the_extension(name: str) -> None:
    if module_of(name) in ADAPTERS:
        assert not imports(name) & {"_ffi", "_pyssl", "_quick"}
    elif name != "_ffi.py":
        assert not imports(name) & {"_pyssl", "_quick"}
