"""pyssl.versions() and python -m pyssl."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import pyssl as p
from pyssl import __main__ as command, names
from pyssl.versions import as_text, cpu_features


def test_versions_tell_what_is_at_work() -> None:
    known = p.versions()

    assert known["pyssl"] == p.__version__
    assert known["libcrypto"] == names.libcrypto()
    assert known["primitives"] == names.primitives()
    is_awslc = known["primitives"].startswith("AWS-LC ")
    assert is_awslc != (known["primitives"] == known["libcrypto"])
    assert known["libcrypto"].startswith("OpenSSL 3.")
    assert known["libcrypto_built"].startswith("OpenSSL 3.")
    assert known["linked"] in ("static", "shared")
    assert known["compiler"].split()[0] in ("gcc", "clang")
    assert {"X25519", "P-256"} <= set(known["groups"])
    assert known["ml_kem"] == ("X25519MLKEM768" in known["groups"])
    assert "TLS_AES_128_GCM_SHA256" in known["suites"]
    assert "ed25519" in known["schemes"]
    assert known["python"].split()[1] == sys.version.split()[0]
    assert json.loads(json.dumps(known)) == known


def test_text_has_a_line_for_each_fact() -> None:
    lines = as_text().splitlines()

    assert len(lines) == len(p.versions())
    assert lines[0].split() == ["pyssl:", p.__version__]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("OPENSSL_ia32cap=0x200000000000000:0x0", ["AES-NI"]),
        (
            "OPENSSL_ia32cap=0x0:0x20020000020:0x0:0x0:0x0",
            ["AVX2", "SHA", "VAES"],
        ),
        ("OPENSSL_ia32cap=0x1 env:0x0", []),
        ("OPENSSL_armcap=0x25", ["NEON", "AES", "PMULL"]),
        ("", []),
        ("N/A", []),
    ],
)
def test_processor_is_read_from_what_libcrypto_says(
    text: str, found: list[str]
) -> None:
    assert cpu_features(text) == found


@pytest.mark.parametrize("option", [[], ["--version"], ["--json"]])
def test_command_tells_the_same(option: list[str], capsys: Any) -> None:
    assert command.main(option) == 0
    out = capsys.readouterr().out

    if option == ["--json"]:
        assert json.loads(out) == p.versions()
    else:
        assert out == as_text() + "\n"


def test_command_runs_from_the_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyssl", "--nonsense"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "usage: python -m pyssl" in done.stderr
