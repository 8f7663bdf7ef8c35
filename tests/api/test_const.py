"""The constants: contract sections 6 and 7, and OpenSSL's own headers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pyssl import const
from tests import build_core
from tests.clauses import CONTRACT, clause

# Promised by the contract, but macros of no OpenSSL 3 header.
OURS = {"SSL_ST_BEFORE": 0, "SSL_ST_OK": 1, "TLS_ST_BEFORE": 0, "TLS_ST_OK": 1}

HEADERS = ("ssl", "err", "bio", "x509v3")


def constants() -> dict[str, int]:
    return {
        name: value
        for name, value in vars(const).items()
        if not name.startswith("_") and name != "annotations"
    }


@pytest.fixture(scope="module")
def of_headers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Ask the compiler for each constant that the headers define."""
    if shutil.which("cc") is None:
        pytest.skip("no compiler")
    folder: Path = tmp_path_factory.mktemp("const")
    source, program = folder / "values.c", folder / "values"
    lines = [f"#include <openssl/{name}.h>" for name in HEADERS]
    lines += ["#include <stdio.h>", "int main(void)", "{"]
    for name in constants():
        lines += [
            f"#ifdef {name}",
            f'printf("{name} %lld\\n", (long long)({name}));',
            "#endif",
        ]
    source.write_text("\n".join([*lines, "return 0;", "}", ""]), "utf-8")
    include = build_core.recipe.crypto().include
    command = ["cc", *include, "-w", "-o", str(program), str(source)]
    if subprocess.run(command, check=False).returncode != 0:
        pytest.skip("no OpenSSL headers")
    done = subprocess.run([str(program)], check=True, capture_output=True)
    pairs = (line.split() for line in done.stdout.decode().splitlines())
    return {name: int(value) for name, value in pairs}


def test_constants_are_numbers_under_man_page_names() -> None:
    for name, value in constants().items():
        assert type(value) is int, name
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]+", name), name


@clause("CV-10", "ERR-12", "ERR-13", "ERR-19", "ERR-20")
def test_constants_have_the_numbers_of_the_headers(
    of_headers: dict[str, int],
) -> None:
    mine = {k: v for k, v in constants().items() if k in of_headers}

    assert len(mine) > 700
    assert mine == of_headers


@clause("HS-48")
def test_constants_that_no_header_has_are_few_and_known(
    of_headers: dict[str, int],
) -> None:
    others = {k: v for k, v in constants().items() if k not in of_headers}
    ours = {k: v for k, v in others.items() if not k.startswith("BIO_")}

    assert ours == OURS


@clause("OPT-2")
def test_options_have_the_bits_of_the_contract() -> None:
    text = CONTRACT.read_text("utf-8")
    table = text[text.index("- **OPT-2**") : text.index("- **OPT-3**")]
    rows = re.findall(
        r"^\| ([A-Za-z0-9_ /]+) \| (0x[0-9a-fx /]+) \|", table, re.MULTILINE
    )
    found = {
        name: int(bit, 16)
        for names, bits in rows
        for name, bit in zip(names.split(" / "), bits.split(" / "))
    }

    assert len(found) == 14
    for name, bit in found.items():
        assert getattr(const, f"SSL_OP_{name}") == bit


@clause("OPT-4")
def test_modes_have_the_bits_of_the_contract() -> None:
    assert const.SSL_MODE_ENABLE_PARTIAL_WRITE == 1
    assert const.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER == 2
    assert const.SSL_MODE_AUTO_RETRY == 4
    assert const.SSL_MODE_NO_AUTO_CHAIN == 8
    assert const.SSL_MODE_RELEASE_BUFFERS == 0x10
    assert const.SSL_MODE_SEND_FALLBACK_SCSV == 0x80


@clause("VFY-16", "VFY-17")
def test_verify_codes_have_the_numbers_of_the_contract() -> None:
    numbers = {
        "UNSPECIFIED": 1,
        "CERT_SIGNATURE_FAILURE": 7,
        "CERT_HAS_EXPIRED": 10,
        "DEPTH_ZERO_SELF_SIGNED_CERT": 18,
        "SELF_SIGNED_CERT_IN_CHAIN": 19,
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": 20,
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE": 21,
        "CERT_CHAIN_TOO_LONG": 22,
        "CERT_REVOKED": 23,
        "INVALID_PURPOSE": 26,
        "HOSTNAME_MISMATCH": 62,
        "IP_ADDRESS_MISMATCH": 64,
        "EE_KEY_TOO_SMALL": 66,
        "CA_KEY_TOO_SMALL": 67,
        "CA_MD_TOO_WEAK": 68,
        "INVALID_CALL": 69,
        "STORE_LOOKUP": 70,
        "INVALID_CA": 79,
        "EC_KEY_EXPLICIT_PARAMS": 94,
    }
    assert const.X509_V_OK == 0
    for name, number in numbers.items():
        assert getattr(const, f"X509_V_ERR_{name}") == number
