"""Another build in the same rounds, and the process that works for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import pyssl
from pyssl.bench import beside, report, rounds, worker
from pyssl.bench.__main__ import main
from pyssl.bench.catalog import SCENARIOS
from pyssl.bench.peers import find_peers
from pyssl.bench.peers.base import FailedError, Setup, SkipError

ROOT = str(Path(__file__).resolve().parent.parent.parent)
TINY = ["--seconds", "0.002", "--rounds", "2"]
BY_NAME = {one.name: one for one in SCENARIOS}


def ask(one: worker.Worker, *question: Any) -> Any:
    """Ask a worker without a process."""
    return json.loads(one.answer(json.dumps(question)))


# ---- the worker ------------------------------------------------------------


def test_worker_prepares_and_measures() -> None:
    one = worker.Worker()

    told = ask(one, "hello")["done"]
    assert told["protocol"] == worker.PROTOCOL
    assert told["versions"] == json.loads(json.dumps(pyssl.versions()))
    told = ask(one, "prepare", "pyssl", "full13")["done"]
    assert told["facts"]["version"] == "TLSv1.3"
    assert told["versions"]["pyssl"] == pyssl.__version__
    assert told["limits"] == ["limit", "limit-forgetful"]
    sample = ask(one, "run", "pyssl", 0.001)["done"]
    assert sample["done"] > 0
    assert set(sample["parts"]) == {"client", "server"}
    assert ask(one, "limit", "limit")["done"]["done"] == 1


def test_worker_keeps_one_scenario() -> None:
    one = worker.Worker()
    ask(one, "prepare", "pyssl", "full13")
    ask(one, "prepare", "pyssl", "bulk-64")

    assert list(one._ready) == ["pyssl"]
    assert ask(one, "limit", "limit-forgetful") == {
        "failed": "KeyError('limit-forgetful')"
    }


def test_worker_tells_what_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    one = worker.Worker()

    def refuse(*_: Any) -> Any:
        raise FailedError("broken")

    found = ask(one, "prepare", "pyssl", "unheard-of")
    assert found == {"skip": "it has no such scenario"}
    found = ask(one, "prepare", "pyssl-forgetful", "resumed13")
    assert "no chain is verified" in found["skip"]
    found = ask(one, "run", "pyssl", 0.001)
    assert found == {"failed": "KeyError('pyssl')"}
    monkeypatch.setattr("pyssl.bench.scenarios.prove", refuse)
    found = ask(one, "prepare", "pyssl", "full13")
    assert found == {"failed": "broken"}
    monkeypatch.setattr(worker, "find_peers", lambda _: ([], {"x": "gone"}))
    assert ask(one, "prepare", "x", "full13") == {"skip": "gone"}


NOISE = """
from pyssl.bench import worker
worker.Worker._hello = lambda self: print("noise")
worker.main()
"""


def test_worker_answers_alone_on_its_output() -> None:
    question = json.dumps(["hello"]) + "\n"
    done = subprocess.run(
        [sys.executable, "-c", NOISE],
        check=True,
        capture_output=True,
        input=question * 2,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout == '{"done": null}\n' * 2
    assert done.stderr.count("noise") == 2


# ---- beside ----------------------------------------------------------------


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as one:
        yield one


def other(folder: Path, code: str) -> str:
    """Make a package of the name, whose worker runs the code."""
    package = folder / "pyssl" / "bench"
    package.mkdir(parents=True)
    for place in (package.parent, package):
        (place / "__init__.py").touch()
    (package / "worker.py").write_text(code, "utf-8")
    return str(folder)


HELLO = {"protocol": worker.PROTOCOL, "versions": {"libcrypto": "OpenSSL 9.9"}}
GREET = f"""
import json, sys
input()
print(json.dumps({{"done": {HELLO!r}}}), flush=True)
"""


def test_other_build_takes_part_in_every_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, page = tmp_path / "out.json", tmp_path / "out.html"
    wish = ["--peer", "pyssl*", "--peer", "stdlib"]
    for name in ("full13", "resumed13", "bulk-64"):
        wish += ["--scenario", name]
    wish += ["--beside", ROOT, "--json", str(path), "--html", str(page)]

    assert main([*TINY, *wish]) == 0
    data = json.loads(path.read_text("utf-8"))
    number = pyssl.versions()["libcrypto"].split()[1]
    ours = [f"pyssl+{number}", f"pyssl-forgetful+{number}"]
    here = ["pyssl", "pyssl-forgetful", "stdlib"]
    assert [one["name"] for one in data["peers"]] == [*here, *ours]
    full, resumed, bulk = data["scenarios"]
    assert list(full["peers"]) == [*here, *ours]
    for one in (full, resumed, bulk):
        assert one["failures"] == {}
        assert len(one["peers"][ours[0]]["samples"]) == 2
        assert one["winner"] not in ours
    assert set(full["limits"]) == {
        "limit",
        "limit-forgetful",
        f"limit+{number}",
        f"limit-forgetful+{number}",
    }
    for name in ours:
        assert full["peers"][name]["limit"].keys() == {
            "all",
            "client",
            "server",
        }
    assert "no chain" in resumed["skipped"][ours[1]]
    assert resumed["peers"][ours[0]]["agreed"]["reused"] is True
    assert f"{ours[0]} is " in capsys.readouterr().out
    assert f">{ours[0]}<" in page.read_text("utf-8")


def test_lead_is_over_the_best_of_the_others() -> None:
    worth = {
        "pyssl": [4.0, 8.0, 6.0],
        "pyssl+3.5": [9.0, 9.0, 9.0],
        "a": [2.0, 4.0, 3.0],
        "b": [1.0, 1.0, 1.0],
    }

    found = report._lead(worth, "pyssl")
    assert (found["over"], found["median"]) == ("a", 2.0)
    assert report._lead(worth, "pyssl+3.5")["median"] == 3.0
    assert report._lead(worth, "a") is None
    assert report._lead({"pyssl": [1.0]}, "pyssl") is None
    assert report._lead({**worth, "a": [9.0]}, "pyssl") is None


def test_lead_says_what_is_more_and_what_is_less() -> None:
    lead = {"over": "a", "median": 2.0, "low": 1.0, "high": 3.0}
    rows = {"pyssl": {"lead": lead}, "a": {"lead": None}}

    (line,) = report.leads({"less": False, "peers": rows})
    assert (
        line
        == "pyssl is 2.00 x as fast as a, the best of the others (1.00 - 3.00)"
    )
    (line,) = report.leads({"less": True, "peers": rows})
    assert line.startswith("pyssl is smaller by 2.00 x than a, the best")


def test_limit_has_the_name_of_its_peer() -> None:
    assert rounds.limit_of("pyssl") == rounds.LIMIT
    assert rounds.limit_of("pyssl-forgetful") == rounds.LIMIT_FULL
    assert rounds.limit_of("pyssl-forgetful+3.5") == "limit-forgetful+3.5"
    assert rounds.limit_of("stdlib") is None


def test_two_builds_on_one_libcrypto_have_two_names(tmp_path: Path) -> None:
    folder = other(tmp_path, GREET)

    with beside.opened([folder, folder], ["pyssl", "stdlib"]) as peers:
        names = [one.name for one in peers]
        with pytest.raises(SkipError):
            peers[0].stage(Setup())
        assert peers[0].versions() == {"libcrypto": "9.9"}
        assert peers[0].limits() == {}
    assert names == ["pyssl+9.9", "pyssl+9.9-2"]
    with beside.opened([folder], ["stdlib"]) as peers:
        assert peers == []


def test_build_with_primitives_of_another_library_says_so(
    tmp_path: Path,
) -> None:
    code = GREET.replace(
        "'libcrypto'", "'primitives': 'AWS-LC 5', 'libcrypto'"
    )

    with beside.opened([other(tmp_path, code)], ["pyssl"]) as (peer,):
        assert peer.name == "pyssl+9.9-aws-lc"


def test_environment_is_run_with_its_own_python(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch()

    assert beside._python(tmp_path) == ([str(python)], tmp_path, "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('no luck')", "no luck"),
        ("", "the process has ended"),
        (
            """print('{"done": {"protocol": 0}}', flush=True); input()""",
            "another version",
        ),
    ],
)
def test_build_that_does_not_work_is_told(
    tmp_path: Path,
    stack: ExitStack,
    capsys: pytest.CaptureFixture[str],
    code: str,
    words: str,
) -> None:
    folder = other(tmp_path, code)

    with pytest.raises(FailedError, match=words):
        beside.Build(folder, stack)
    assert main([*TINY, "--beside", folder]) == 2
    assert words in capsys.readouterr().err


def test_folder_without_a_build_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--beside", str(tmp_path)]) == 2
    assert "holds no pyssl" in capsys.readouterr().err


def test_worker_that_dies_is_left_out_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    answer = {"done": {"facts": None, "versions": {"v": "1"}, "limits": []}}
    code = f"{GREET}input()\nprint({json.dumps(answer)!r}, flush=True)\n"
    code += "input()\nsys.exit('out of luck')\n"
    ours = find_peers(["pyssl"])[0]

    with beside.opened([other(tmp_path, code)], ["pyssl"]) as others:
        plan = rounds.Plan([BY_NAME["bulk-64"]], [*ours, *others], 1, 0.001)
        outcome = rounds.run(plan, lambda _: None)

    assert list(outcome.samples["bulk-64"]) == ["pyssl", "limit"]
    why = outcome.failures["bulk-64"]["pyssl+9.9"]
    assert why.endswith("out of luck")
