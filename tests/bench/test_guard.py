"""The guard of instruction counts: what it reads, what it says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyssl.bench import pki
from tests.bench import guard

# A sanitizer of this process is not the driver's.
CLEAN = {**os.environ, "LD_PRELOAD": ""}

# Two object files; ours calls the other, and is called back.
PROFILE = """\
version: 1
events: Ir
ob=(1) /bin/ours
fl=(1) ours.c
fn=(1) measured
10 100
+1 20
cob=(2) /lib/libcrypto.so
cfn=(2) EVP_Digest
calls=3 40
* 5000
- 7
ob=(2)
fn=(2)
40 4000
cob=(1)
cfn=(3) callback
calls=1 0
40 1000
ob=(1)
fn=(3)
0 1000
totals: 5127
"""


def test_own_cost_leaves_out_other_objects_and_callees() -> None:
    lines = PROFILE.splitlines()

    assert guard.own_cost(lines, "/bin/ours") == 1127
    assert guard.own_cost(lines, "/lib/libcrypto.so") == 4000
    assert guard.own_cost(lines, "/bin/other") == 0


def test_growth_beyond_the_bound_is_told() -> None:
    base = {"a": 1000.0, "b": 1000.0, "c": 1000.0}

    lines, good = guard.judge({"a": 1029.0, "b": 900.0, "d": 1.0}, base)
    assert good
    assert lines[0].endswith("+2.9%")
    assert "--accept" in lines[1]
    assert "no baseline" in lines[2]
    lines, good = guard.judge({"a": 1041.0, "b": 1000.0}, base)
    assert not good
    assert "TOO MUCH" in lines[0]
    assert "TOO MUCH" not in lines[1]


def test_baselines_have_every_path() -> None:
    kept = json.loads(guard.STORE.read_text("utf-8"))

    for name, counts in kept.items():
        assert name.startswith("libcrypto ")
        assert set(counts) == set(guard.PATHS)
        assert all(value > 0 for value in counts.values())


def test_machine_without_the_tool_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["guard"])
    monkeypatch.setattr(guard, "supplies", lambda _: [guard.Supply()])
    monkeypatch.setattr(guard, "build", lambda _: ("guard", "name"))
    monkeypatch.setattr(guard.shutil, "which", lambda _: None)

    assert guard.main() == 2
    assert "apt-get install valgrind" in capsys.readouterr().err


def test_main_keeps_and_compares(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = dict.fromkeys(guard.PATHS, 100.0)
    monkeypatch.setattr(guard, "STORE", tmp_path / "guard.json")
    both = [guard.Supply(), guard.Supply(Path("/prefix"))]
    monkeypatch.setattr(guard, "supplies", lambda _: both)
    monkeypatch.setattr(guard, "build", lambda one: ("guard", f"of {one[0]}"))
    monkeypatch.setattr(guard, "count", lambda _, path, __: counts[path])

    monkeypatch.setattr("sys.argv", ["guard"])
    assert guard.main() == 0
    assert capsys.readouterr().out.count("there is no baseline") == 2
    monkeypatch.setattr("sys.argv", ["guard", "--accept"])
    assert guard.main() == 0
    kept = json.loads((tmp_path / "guard.json").read_text("utf-8"))
    assert kept == {"of None": counts, "of /prefix": counts}
    monkeypatch.setattr("sys.argv", ["guard"])
    assert guard.main() == 0
    counts["bulk"] = 104.0
    assert guard.main() == 1
    assert "bulk" in capsys.readouterr().out


def test_supplies_are_the_system_and_the_wheels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Wheel:
        @staticmethod
        def libcrypto(cache: Path, jobs: int) -> Path:
            if str(cache) == "/none":
                raise RuntimeError("no source")
            return cache / "made"

        @staticmethod
        def awslc(cache: Path, jobs: int) -> Path:
            return cache / "awslc"

    for name in ("PYSSL_LIBCRYPTO", "PYSSL_PRIMITIVES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYSSL_CACHE", "/cache")
    monkeypatch.setattr(guard.build_core, "load", lambda _: Wheel)
    assert guard.supplies(True) == [(None, None)]
    made = (Path("/cache/made"), Path("/cache/awslc"))
    assert guard.supplies(False) == [(None, None), made]
    monkeypatch.setenv("PYSSL_CACHE", "/none")
    monkeypatch.setattr("sys.argv", ["guard"])
    assert guard.main() == 2
    assert "no source (ARGS=--system" in capsys.readouterr().err
    monkeypatch.setenv("PYSSL_LIBCRYPTO", "/mine")
    assert guard.supplies(False) == [(Path("/mine"), None)]
    monkeypatch.setenv("PYSSL_PRIMITIVES", "/beside")
    assert guard.supplies(True) == [(Path("/mine"), Path("/beside"))]


def wheels() -> guard.Supply:
    """Give the wheel's libraries if they were built before."""
    cache = Path(os.environ.get("PYSSL_CACHE", "~/.cache/pyssl")).expanduser()
    found = []
    for name in ("libcrypto", "awslc"):
        one = guard.build_core.load(f"wheels/{name}.py")
        found.append(one.supply.place(one.library(), cache))
        if not (found[-1] / "done").exists():
            pytest.skip(f"the wheel's {name} has not been built here")
    return guard.Supply(*found)


@pytest.mark.parametrize("kind", ["system", "static", "wheel"])
def test_driver_goes_through_every_path(kind: str) -> None:
    supply = guard.Supply() if kind == "system" else wheels()
    if kind == "static":
        supply = guard.Supply(supply.libcrypto)
    program, name = guard.build(supply)
    assert name.startswith("libcrypto ")
    assert (" static, " in name) is (kind != "system")
    assert ("AWS-LC " in name) is (kind == "wheel")
    with pki.as_files("p256") as files:
        ends = [files.root, files.server, files.server_key]
        for path in guard.PATHS:
            done = subprocess.run(
                [program, path, "2", *ends],
                check=False,
                capture_output=True,
                env=CLEAN,
            )
            assert (done.returncode, done.stderr) == (0, b""), path
        wrong = [program, "full13", "1", files.server, *ends[1:]]
        done = subprocess.run(
            wrong, check=False, capture_output=True, env=CLEAN
        )
        assert b"failed" in done.stderr
        assert done.returncode == 1
