"""Builds csrc/base, crypto and record alone as a module for tests to call.

The test core shows what pys.h has; these layers are below that. So its
own headers are given to cffi here, with the hooks of -DPYS_TEST. The variant
follows PYSSL_TEST_CORE: with a sanitizer's core comes a sanitizer's module.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.machinery
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sysconfig
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

import cffi

from tests import build_core

MODULE = "_pyssl_crypto"
CSRC = build_core.ROOT / "csrc"
FOLDERS = ("base", "crypto", "record")
HEADERS = (
    "base/base.h",
    "base/buf.h",
    "base/wire.h",
    "crypto/crypt.h",
    "crypto/crypt_part.h",
    "crypto/suite.h",
    "crypto/transcript.h",
    "crypto/keys12.h",
    "crypto/keys13.h",
    "record/record.h",
)

# The parts of pys.h that the crypto layer answers for.
FACE_END = "/* ---- counted objects"
KEYS = """
typedef struct pys_key pys_key;
pys_key *pys_key_up_ref(pys_key *k);
void pys_key_free(pys_key *k);
"""

# Keys come from pki/ in the real core; here they come straight from DER.
HELPERS = """
pys_key *test_private_key(const uint8_t *p, size_t n);
pys_key *test_public_key(const uint8_t *p, size_t n);
pys_key *test_held_key(const uint8_t *p, size_t n);
size_t test_n_held(void);
size_t test_drop_errors(void);
size_t test_n_errors_beside(void);
bool test_shows_hmac(void);
"""
HELPERS_C = """
#include <openssl/err.h>
#include <openssl/x509.h>
#include "crypto/crypt_evp.h"

static pys_key *
test_private_key(const uint8_t *p, size_t n)
{
    EVP_PKEY *pkey = d2i_AutoPrivateKey_ex(NULL, &p, (long)n, NULL, NULL);
    return pkey != NULL ? pys_key_of(pkey) : NULL;
}

static pys_key *
test_public_key(const uint8_t *p, size_t n)
{
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)n);
    return pkey != NULL ? pys_key_of(pkey) : NULL;
}

static EC_KEY *held;
static size_t n_held;

static int
held_sign(int type, const unsigned char *dgst, int n, unsigned char *sig,
    unsigned int *n_sig, const BIGNUM *k, const BIGNUM *r, EC_KEY *facade)
{
    n_held++;
    return ECDSA_sign_ex(type, dgst, n, sig, n_sig, k, r, held);
}

/* A key that signs for us and never shows its private half, as a token's. */
static pys_key *
test_held_key(const uint8_t *p, size_t n)
{
    static EC_KEY_METHOD *method;
    EVP_PKEY *real = d2i_AutoPrivateKey_ex(NULL, &p, (long)n, NULL, NULL);
    EVP_PKEY *pkey = EVP_PKEY_new();
    EC_KEY *facade;

    if (method == NULL) {
        method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
        EC_KEY_METHOD_set_sign(method, held_sign, NULL, NULL);
    }
    EC_KEY_free(held);
    held = EVP_PKEY_get1_EC_KEY(real);
    EVP_PKEY_free(real);
    facade = EC_KEY_new();
    EC_KEY_set_method(facade, method);
    EC_KEY_set_group(facade, EC_KEY_get0_group(held));
    EC_KEY_set_public_key(facade, EC_KEY_get0_public_key(held));
    EVP_PKEY_assign_EC_KEY(pkey, facade);
    return pys_key_of(pkey);
}

static size_t
test_n_held(void)
{
    return n_held;
}

static size_t
test_drop_errors(void)
{
    size_t n = 0;

    while (ERR_get_error() != 0)
        n++;
    return n;
}

/* What is left in the queue of the library of the primitives. */
#ifdef PYS_AWSLC
#include <awslc/boringssl_prefix_symbols.h>
uint32_t ERR_get_error(void);
#endif
static size_t
test_n_errors_beside(void)
{
    size_t n = 0;

#ifdef PYS_AWSLC
    while (ERR_get_error() != 0)
        n++;
#endif
    return n;
}

/* Does the library of the primitives show what a key leaves in HMAC? */
static bool
test_shows_hmac(void)
{
#ifdef PYS_AWSLC
    return true;
#else
    return false;
#endif
}
"""


def declarations() -> str:
    """Give the headers as cffi reads them."""
    face = (CSRC / "pys.h").read_text("utf-8")
    parts = [face.partition(FACE_END)[0], KEYS]
    parts += [(CSRC / name).read_text("utf-8") for name in HEADERS]
    text = "\n".join([*parts, HELPERS])
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"(\\\n|.)*", _without_preprocessor, text)
    text = re.sub(
        r"^static inline .*?^}$", "", text, flags=re.DOTALL | re.MULTILINE
    )
    return text.replace("PYS_MUST ", "")


def _without_preprocessor(line: re.Match[str]) -> str:
    return "" if line[0].startswith("#") else line[0]


def _variant() -> str:
    """Tell which sanitizers the rest of this run is built with."""
    named = Path(os.environ.get("PYSSL_TEST_CORE", "test")).name
    return named if named in build_core.SANITIZERS else "test"


def _inputs() -> list[Path]:
    """List the files that the module is made of."""
    recipe = build_core.recipe
    found = [recipe.ROOT / one for one in recipe.headers() + recipe.sources()]
    mine = [p for p in found if p.relative_to(CSRC).parts[0] in FOLDERS]
    return [CSRC / "pys.h", Path(__file__), *mine]


def _commands(folder: Path, target: Path) -> list[list[str]]:
    """Give the compiler's calls, the last of which writes target."""
    found = build_core.recipe.crypto()
    sanitize = build_core.SANITIZERS[_variant()]
    compiler = shlex.split(os.environ.get("CC", "cc"))
    flags = [
        *build_core.recipe.C_STANDARD,
        *build_core.WARNINGS,
        *("-O1", "-g", "-fPIC", "-pthread", "-DPYS_TEST", f"-I{CSRC}"),
        f'-DPYS_VERSION="{build_core.recipe.version()}"',
        *sanitize,
        *found.defines,
        *found.include,
    ]
    objects: list[str] = []
    commands: list[list[str]] = []
    for source in (p for p in _inputs() if p.suffix == ".c"):
        objects.append(str(folder / f"{source.stem}.o"))
        commands.append([*compiler, *flags, "-c", str(source)])
        commands[-1] += ["-o", objects[-1]]
    glue = str(folder / f"{MODULE}.o")
    python = [f"-I{sysconfig.get_path('include')}", "-w"]
    commands.append([*compiler, *flags, *python, "-c"])
    commands[-1] += [str(folder / f"{MODULE}.c"), "-o", glue]
    commands.append([*compiler, *sanitize, "-shared", *objects, glue])
    commands[-1] += [*found.objects, *found.link, "-o", str(target)]
    return commands


def _build(folder: Path) -> Path:
    """Compile everything again if anything is newer, or the commands."""
    target = folder / f"{MODULE}.so"
    commands = _commands(folder, target)
    stamp = folder / "commands"
    said = "\n".join(shlex.join(one) for one in commands)
    newest = max(path.stat().st_mtime_ns for path in _inputs())
    if (
        target.exists()
        and target.stat().st_mtime_ns > newest
        and stamp.exists()
        and stamp.read_text("utf-8") == said
    ):
        return target
    builder = cffi.FFI()
    builder.cdef(declarations())
    includes = "".join(f'#include "{name}"\n' for name in HEADERS)
    builder.set_source(MODULE, includes + HELPERS_C)
    with redirect_stdout(io.StringIO()):  # it reports each file it writes
        builder.emit_c_code(str(folder / f"{MODULE}.c"))
    for command in commands:
        subprocess.run(command, check=True)
    stamp.write_text(said, "utf-8")
    return target


@functools.cache
def load() -> ModuleType:
    """Give the module, built if need be and started."""
    folder = build_core.BUILD / f"crypto_{_variant()}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = str(_build(folder))
    loader = importlib.machinery.ExtensionFileLoader(MODULE, path)
    spec = importlib.util.spec_from_file_location(MODULE, path, loader=loader)
    if spec is None:
        raise ImportError(f"{path} is not an extension module")
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    if not module.lib.pys_start():
        raise RuntimeError("libcrypto lacks something that TLS 1.3 needs")
    return module
