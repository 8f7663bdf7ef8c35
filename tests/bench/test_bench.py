"""The benchmark: its peers do the work they are measured at."""

from __future__ import annotations

import datetime as dt
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from pyssl import primitive, versions
from pyssl.bench import (
    limit,
    loops,
    page,
    peers,
    pki,
    report,
    rounds,
    stats,
)
from pyssl.bench.__main__ import main
from pyssl.bench.catalog import SCENARIOS
from pyssl.bench.peers import PEERS, find_peers
from pyssl.bench.peers.base import (
    End,
    FailedError,
    Peer,
    Setup,
    SkipError,
    Stage,
)
from pyssl.bench.scenarios import (
    Prepared,
    Sample,
    Scenario,
    handshake,
    prove,
    renew,
    system_bundle,
)
from pyssl.pkey import EVP_PKEY

TINY = ["--seconds", "0.002", "--rounds", "2"]
# Those that are the project's own or come with Python.
OURS = ["--peer", "pyssl*", "--peer", "stdlib"]
NAMES = ["full13", "full12", "resumed13", "bulk-64"]
CHOSEN = [word for name in NAMES for word in ("--scenario", name)]
# What follows the name of a scenario of messages.
MORE = (".tls12", ".aes128", ".tls12.aes128")
BY_NAME = {one.name: one for one in SCENARIOS}


@pytest.fixture(params=list(PEERS))
def peer(request: Any) -> Peer:
    found, missing = find_peers([request.param])
    if not found:
        pytest.skip(missing[request.param])
    return found[0]


def ours() -> Peer:
    return find_peers(["pyssl"])[0][0]


class Wrapped(Stage):
    """A stage of pyssl, to be made worse."""

    def __init__(self, setup: Setup = Setup()) -> None:  # noqa: B008
        self.inner = ours().stage(setup)

    def link(self) -> Any:
        return self.inner.link()

    def client(self, link: Any, host: str, session: Any = None) -> End:
        return self.inner.client(link, host, session)

    def server(self, link: Any) -> End:
        return self.inner.server(link)


class Fake(Peer):
    """A peer that is only a name."""

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]

    def versions(self) -> dict[str, str]:
        return {self.name: "1"}

    def stage(self, setup: Setup) -> Stage:
        raise SkipError(f"{self.name} is a fake")


def fake_scenario(work: Any, **more: Any) -> Scenario:
    """Make a scenario of `work(peer, seconds)`."""

    def prepare(setup: Setup, peer: Peer) -> Prepared:
        del setup
        return Prepared(None, lambda seconds: work(peer, seconds))

    return Scenario("s", "work", "things/s", 1, Setup(), prepare, **more)


# ---- peers -----------------------------------------------------------------


def test_pyssl_and_stdlib_are_always_found() -> None:
    found, missing = find_peers(["pyssl", "stdlib"])

    assert [one.name for one in found] == ["pyssl", "stdlib"]
    assert missing == {}


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_peer_shakes_hands_and_carries_data(peer: Peer, version: str) -> None:
    setup = Setup(version)
    try:
        stage = peer.stage(setup)
    except SkipError as e:
        pytest.skip(str(e))
    facts = prove(stage, setup)

    assert peer.name in PEERS
    assert facts.version == f"TLSv{version}"
    if peer.name == "pyssl":
        assert facts.group == setup.group
        assert facts.suite
    assert all(peer.versions().values())


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_small_suite_is_agreed_on(version: str) -> None:
    setup = Setup(version, small=True)

    suite = prove(ours().stage(setup), setup).suite
    assert "AES128GCM" in suite.replace("_", "").replace("-", "")
    with pytest.raises(SkipError, match=r"AES_?256"):
        prove(Wrapped(Setup(version)), setup)


def test_peer_refuses_a_certificate_for_another_name(peer: Peer) -> None:
    try:
        stage = peer.stage(Setup())
    except SkipError:
        stage = peer.stage(Setup("1.2"))
    if not stage.verifies:
        pytest.skip(peer.note)
    with pytest.raises(FailedError):
        handshake(stage, pki.WRONG_HOST)

    handshake(stage, pki.HOST)  # and the next one is as ever


def test_peer_refuses_a_chain_from_another_ca(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pki, "root", lambda _: pki.DATA["rsa2048"]["root"])
    try:
        stage = peer.stage(Setup())
    except SkipError:
        stage = peer.stage(Setup("1.2"))
    if not stage.verifies:
        pytest.skip(peer.note)

    with pytest.raises(FailedError):
        handshake(stage)


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_peer_tells_a_session_that_was_not_taken_up(
    peer: Peer, version: str
) -> None:
    if (peer.name, version) == ("tlslite", "1.2"):
        pytest.skip("it takes it for resumed, and fails")
    setup = Setup(version, resumed=True)
    try:
        stage, other = peer.stage(setup), peer.stage(setup)
    except SkipError as e:
        pytest.skip(str(e))
    prove(stage, setup)
    session = renew(*handshake(stage), setup)
    stage.server = other.server  # type: ignore[method-assign]

    client, _ = handshake(stage, pki.HOST, session)
    assert not client.facts().reused


def test_peer_that_takes_any_name_is_found_out() -> None:
    class Careless(Wrapped):
        def client(self, link: Any, host: str, session: Any = None) -> End:
            del host
            return self.inner.client(link, pki.HOST, session)

    with pytest.raises(FailedError, match="another name"):
        prove(Careless(), Setup())


def test_peer_of_another_version_is_found_out() -> None:
    with pytest.raises(FailedError, match=r"it agreed on TLSv1\.3"):
        prove(Wrapped(), Setup("1.2"))


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_peer_that_does_not_resume_is_found_out(version: str) -> None:
    class Forgetful(Wrapped):
        def client(self, link: Any, host: str, session: Any = None) -> End:
            del session
            return self.inner.client(link, host)

    setup = Setup(version, resumed=True)
    with pytest.raises(FailedError, match="was not resumed"):
        prove(Forgetful(setup), setup)


def test_peer_that_never_ends_is_found_out() -> None:
    class Endless(Wrapped):
        def server(self, link: Any) -> End:
            del link
            return self.inner.server(self.inner.link())

    with pytest.raises(FailedError, match="does not end"):
        handshake(Endless())


def test_peer_that_is_not_installed_is_missing_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(peers.PEERS, "nobody", ("nobody_peer", "Nobody"))

    found, missing = find_peers(["nobody"])
    assert found == []
    assert "nobody_peer" in missing["nobody"]

    tiny = [*TINY, "--scenario", "full13"]
    assert main([*tiny, "--peer", "nobody"]) == 1
    assert "nobody_peer" in capsys.readouterr().err
    assert main([*tiny, "--peer", "nobody", "--peer", "pyssl"]) == 0
    assert "left out: No module named" in capsys.readouterr().out


# ---- scenarios -------------------------------------------------------------


def has_bundle() -> bool:
    try:
        return bool(system_bundle())
    except SkipError:
        return False


@pytest.mark.parametrize(
    "name",
    [
        one.name
        for one in SCENARIOS
        if one.name not in {"memory", "tcp-1000", "tcp-10000"}
    ],
)
def test_scenario_does_its_work_with_pyssl(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "_SLOWEST", 10**9)  # ns a handshake
    scenario = BY_NAME[name]
    has_it = scenario.setup.group in versions()["groups"]
    if not has_it or (name.startswith("context") and not has_bundle()):
        with pytest.raises(SkipError):
            scenario.prepare(scenario.setup, ours())
        return
    ready = scenario.prepare(scenario.setup, ours())
    sample = ready.run(0.001)

    assert sample.done > 0
    if scenario.unit == "pairs/s" and not scenario.wall:
        assert set(sample.parts) == {"client", "server"}
        assert ready.facts is not None
        assert ready.facts.group == scenario.setup.group
        assert ready.facts.reused is scenario.setup.resumed


def test_setup_is_what_the_connection_becomes() -> None:
    def shaken(name: str) -> tuple[Any, Any]:
        setup = BY_NAME[name].setup
        client, server = handshake(ours().stage(setup))
        return client._ssl, server._ssl  # type: ignore[attr-defined]

    for name, chain in (("full13", 1), ("full12.chain2", 2)):
        client, _ = shaken(name)
        assert len(client.get_peer_cert_chain()) == chain
    client, server = shaken("full13.mutual")
    assert server.get_peer_certificate() is not None
    _, server = shaken("full13")
    assert server.get_peer_certificate() is None


def test_early_data_is_taken() -> None:
    setup = BY_NAME["early13"].setup
    stage = ours().stage(setup)
    client, server = handshake(stage)
    assert server.sender()(b"!") == 1
    assert client.receiver(bytearray(64))() == 1
    session = client.session()
    link = stage.link()
    client = stage.client(link, pki.HOST, session)
    client.early(b"early")
    server = stage.server(link)
    assert client.shake() is False  # its first message was sent
    assert server.shake() is False
    assert client.shake() is True
    assert server.shake() is True
    assert client._ssl.get_early_data_status() == 2


def test_memory_is_measured_in_another_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pyssl.bench import memory

    if not Path("/proc/self/statm").exists():
        pytest.skip("the system does not tell")
    held = memory.in_process("pyssl", Setup(), 0.01)
    assert held.done >= 100
    assert held.size > 0

    with pytest.raises(FailedError, match="KeyError"):
        memory.in_process("unheard-of", Setup(), 0.01)
    monkeypatch.setattr(memory, "_PATIENCE", 0.001)
    with pytest.raises(FailedError, match="not done"):
        memory.in_process("pyssl", Setup(), 0.01)


def test_memory_of_contexts_counts_what_they_share(tmp_path: Path) -> None:
    from pyssl.bench import memory

    if not Path("/proc/self/statm").exists():
        pytest.skip("the system does not tell")
    path = tmp_path / "root.pem"
    path.write_text(pki.root("p256"), "ascii")
    first = memory.contexts_in_process("pyssl", 1, str(path))
    many = memory.contexts_in_process("pyssl", 200, str(path))
    assert (first.done, many.done) == (1, 200)
    assert first.size > many.size > 0

    with pytest.raises(FailedError, match="trust"):
        memory.contexts_in_process("pyssl", 1, str(tmp_path / "none"))


# ---- the limit -------------------------------------------------------------


def test_limit_counts_what_each_side_must_do() -> None:
    def of(setup: Setup, side: str, remembered: bool = True) -> list[Any]:
        return [
            (one.kind, one.times)
            for one in limit.of_handshake(setup, remembered)
            if one.side == side and one.kind in work
        ]

    work = ("share", "respond", "sign", "verify", "check")
    assert of(Setup(), "client") == [("share", 1), ("verify", 1)]
    assert of(Setup(), "server") == [("respond", 1), ("sign", 1)]
    assert of(Setup("1.2"), "server") == [("share", 1), ("sign", 1)]
    assert of(Setup(chain=3), "client", False)[-2:] == [
        ("verify", 1),
        ("check", 3),
    ]
    assert of(Setup(mutual=True), "server") == [
        ("respond", 1),
        ("sign", 1),
        ("verify", 1),
    ]
    assert of(Setup(resumed=True), "client") == [("share", 1)]
    assert of(Setup("1.2", resumed=True), "client") == []


def test_limit_is_measured_for_both_sides() -> None:
    steps = limit.of_handshake(Setup(), remembered=False)
    sample = limit.Limit(Setup(), steps).sample()

    assert sample is not None
    assert set(sample.parts) == {"client", "server"}
    assert sample.cpu_ns == pytest.approx(sum(sample.parts.values()), abs=2)


@pytest.mark.parametrize(
    ("kind", "name", "size"),
    [
        ("share", "X448", 0),
        ("sign", "ecdsa_secp256r1_sha256", 10),
        ("hash", "unheard-of", 10),
        ("seal", "TLS_AES_128_GCM_SHA256", 16385),
    ],
)
def test_primitive_that_is_not_there_is_none(
    kind: str, name: str, size: int
) -> None:
    assert primitive.spent_ns(kind, name, size) is None


def test_primitive_takes_time() -> None:
    assert primitive.spent_ns("hash", "TLS_AES_128_GCM_SHA256", 9999, 9) > 0
    with pytest.raises(KeyError):
        primitive.spent_ns("unheard-of", "X25519")


@pytest.mark.parametrize("kind", pki.KINDS)
@pytest.mark.parametrize("what", ["sign", "verify", "check"])
def test_signature_takes_time(what: str, kind: str) -> None:
    key = EVP_PKEY.from_pem(pki.server(kind).key.encode())
    scheme = limit._CHAIN_SCHEMES[kind]

    assert primitive.spent_ns(what, scheme, 300, 2, key) > 0
    assert primitive.spent_ns(what, "ed448", 300, 2, key) is None


# ---- a run -----------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "out.json"
    assert main([*TINY, *OURS, *CHOSEN, "--json", str(path)]) == 0
    return json.loads(path.read_text("utf-8"))


def test_json_tells_machine_peers_and_what_was_agreed(
    data: dict[str, Any],
) -> None:
    assert data["format"] == report.FORMAT
    assert data["rounds"] == 2
    assert data["seconds"] == 0.002
    assert data["machine"]["python"] == sys.version.split()[0]
    assert data["pyssl"]["libcrypto"].startswith("OpenSSL ")
    supply = data["pyssl"]["primitives"]
    assert supply.startswith(("OpenSSL ", "AWS-LC "))
    assert f"primitives       {supply}" in report.as_text(data)
    found = [one["name"] for one in data["peers"]]
    assert found == ["pyssl", "pyssl-forgetful", "stdlib"]
    assert [one["name"] for one in data["scenarios"]] == NAMES
    for scenario in data["scenarios"]:
        version = scenario["setup"]["version"]
        assert scenario["failures"] == {}
        for row in scenario["peers"].values():
            assert row["agreed"]["version"] == f"TLSv{version}"


def test_json_holds_every_sample_and_what_follows_from_them(
    data: dict[str, Any],
) -> None:
    for scenario in data["scenarios"]:
        scale = BY_NAME[scenario["name"]].scale
        base = scenario["peers"]["pyssl"]["samples"]
        for name, row in scenario["peers"].items():
            samples = row["samples"]
            assert len(samples) == data["rounds"]
            assert all(one["done"] > 0 for one in samples)
            rates = [
                one["done"] * scale * 1e9 / one["cpu_ns"] for one in samples
            ]
            assert row["figure"]["low"] == pytest.approx(min(rates))
            assert row["figure"]["high"] == pytest.approx(max(rates))
            if name == "pyssl":
                assert row["ahead"] is None
                continue
            ratios = [
                two["done"] / two["cpu_ns"] * one["cpu_ns"] / one["done"]
                for one, two in zip(samples, base)
            ]
            middle = sum(ratios) / 2  # of two
            assert row["ahead"]["median"] == pytest.approx(middle)


def test_our_rows_say_what_share_is_the_limit(data: dict[str, Any]) -> None:
    full, *_, small = data["scenarios"]

    for name in ("pyssl", "pyssl-forgetful"):
        share = full["peers"][name]["limit"]
        assert set(share) == {"all", "client", "server"}
        assert 0 < share["all"] < 2
    assert full["peers"]["stdlib"]["limit"] is None
    assert set(full["limits"]) == {"limit", "limit-forgetful"}
    assert set(small["peers"]["pyssl"]["limit"]) == {"all"}


def test_table_shows_each_scenario_with_a_row_for_each_peer(
    data: dict[str, Any],
) -> None:
    text = report.as_text(data)
    blocks = text.split("\n\n")

    assert len(blocks) == 1 + len(NAMES) + 1
    for block, scenario in zip(blocks[1:-1], data["scenarios"]):
        title, head, *rows = block.splitlines()
        assert title.startswith(f"{scenario['name']}: ")
        assert scenario["unit"] in head
        assert "pyssl is" in head
        assert ("client us" in head) is (scenario["name"] != "bulk-64")
        names = [row.split()[0] for row in rows]
        assert names[: len(scenario["peers"])] == list(scenario["peers"])
        assert "(limit)" in names
        assert "ahead of all: nobody beyond doubt" in block  # two rounds
    assert "CPU time" in blocks[-1]


def test_group_other_than_the_wish_is_pointed_out() -> None:
    told = {"version": "TLSv1.3", "suite": "S", "group": "P-521"}
    setup = Setup()._asdict()

    assert report.agreed(told, setup) == "S, P-521, not X25519"
    assert report.agreed({**told, "group": "x25519"}, setup) == "S"
    setup = Setup(group="P-256")._asdict()
    assert report.agreed({**told, "group": "secp256r1"}, setup) == "S"


def test_page_stands_alone(data: dict[str, Any], tmp_path: Path) -> None:
    changed = json.loads(json.dumps(data))
    changed["scenarios"][0]["failures"]["<b>"] = "a & b"
    changed["scenarios"][1]["peers"] = {}
    text = page.as_html(changed)

    for name in (NAMES[0], *NAMES[2:]):
        assert f'id="{name}"' in text
        assert f'href="#{name}"' in text
    assert NAMES[1] not in text
    assert "&lt;b&gt; failed: a &amp; b" in text
    assert "<b>" not in text
    for outside in ("<script", "http:", "https:", "src=", "@import", "url("):
        assert outside not in text
    assert text.count("<svg") == text.count("</svg>") == 5


def test_pattern_chooses_scenarios_and_peers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ["--scenario", "bulk-64*", "--peer", "pyssl", "--json", "-"]
    path = tmp_path / "page.html"

    assert main([*TINY, *asked, "--html", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    names = [one["name"] for one in found["scenarios"]]
    assert names == [f"bulk-64{what}" for what in ("", *MORE)]
    row = found["scenarios"][0]["peers"]
    assert list(row) == ["pyssl"]
    assert row["pyssl"]["ahead"] is None
    assert found["scenarios"][0]["winner"] is None  # over nobody
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_list_names_scenarios_and_peers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--list"]) == 0
    text = capsys.readouterr().out

    assert all(f" {one.name} " in text for one in SCENARIOS)
    assert all(name in text for name in PEERS)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--seconds", "0"],
        ["--seconds", "inf"],
        ["--rounds", "0"],
        ["--peer", "unheard-of"],
        ["--scenario", "unheard-of"],
    ],
)
def test_wrong_option_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)

    assert ended.value.code == 2


def test_module_runs_as_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["bench", *TINY, "--scenario", "full13", "--peer", "pyssl"]
    monkeypatch.setattr(sys, "argv", asked)
    monkeypatch.delitem(sys.modules, "pyssl.bench.__main__")

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("pyssl.bench", run_name="__main__")

    assert ended.value.code == 0
    assert "pairs/s" in capsys.readouterr().out


# ---- regressions -----------------------------------------------------------


def slower(data: dict[str, Any], name: str, by: float) -> dict[str, Any]:
    """Give a run in which pyssl does one scenario `by` times as well."""
    changed = json.loads(json.dumps(data))
    for scenario in changed["scenarios"]:
        if scenario["name"] != name:
            continue
        for row in scenario["peers"].values():
            if row["ahead"] is not None:
                row["ahead"] = {k: v * by for k, v in row["ahead"].items()}
    return changed


def test_comparison_tells_what_changed(data: dict[str, Any]) -> None:
    assert report.compare(data, data) == []

    told = report.compare(data, slower(data, "full12", 0.01))
    assert len(told) == 2
    assert all("full12: pyssl is 99% slower" in line for line in told)
    told = report.compare(data, slower(data, "full12", 100))
    assert all("faster" in line for line in told)
    assert report.compare({**data, "scenarios": []}, data) == []
    with pytest.raises(ValueError, match="format"):
        report.compare({"format": 1}, data)


def test_comparison_of_a_run_alone_goes_by_its_figures(
    data: dict[str, Any],
) -> None:
    alone = json.loads(json.dumps(data))
    for scenario in alone["scenarios"]:
        scenario["peers"] = {"pyssl": scenario["peers"]["pyssl"]}
    worse = json.loads(json.dumps(alone))
    row = worse["scenarios"][0]["peers"]["pyssl"]
    row["interval"] = {k: v / 100 for k, v in row["interval"].items()}

    (line,) = report.compare(alone, worse)
    assert "99% slower" in line
    assert "by its figure alone" in line
    worse["scenarios"][0]["less"] = True
    (line,) = report.compare(alone, worse)
    assert "smaller" in line


def test_strict_fails_when_pyssl_fell_behind(
    data: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(slower(data, "full13", 1e6)))
    asked = [*TINY, *OURS, "--scenario", "full13", "--compare", str(path)]

    assert main(asked) == 0
    assert "slower than before, against stdlib" in capsys.readouterr().out
    assert main([*asked, "--strict"]) == 1
    path.write_text("[]")
    assert main(asked) == 2
    assert main([*TINY, "--compare", str(tmp_path / "nothing")]) == 2


# ---- rounds ----------------------------------------------------------------


def test_rounds_take_turns_and_the_first_does_not_count() -> None:
    log: list[str] = []

    def work(peer: Peer, seconds: float) -> Sample:
        assert seconds == 3.5
        log.append(peer.name)
        return Sample(len(log), 1, 1, {})

    both = [Fake("a"), Fake("b")]
    told: list[rounds.Step] = []

    outcome = rounds.run(
        rounds.Plan([fake_scenario(work)], both, 2, 3.5), told.append
    )

    assert log == ["a", "b", "b", "a", "a", "b"]
    rows = outcome.samples["s"]
    assert [one.done for one in rows["a"]] == [4, 5]
    assert [one.done for one in rows["b"]] == [3, 6]
    assert [(one.done, one.of) for one in told] == [(n, 6) for n in range(6)]


def test_scenario_may_have_fewer_rounds() -> None:
    log: list[str] = []

    def work(peer: Peer, seconds: float) -> Sample:
        del seconds
        log.append(peer.name)
        return Sample(1, 1, 1, {})

    plan = rounds.Plan([fake_scenario(work, rounds=2)], [Fake("a")], 9, 1.0)
    rounds.run(plan, lambda _: None)

    assert len(log) == 3


@pytest.mark.parametrize("error", [FailedError("no more"), ValueError("?")])
def test_peer_that_fails_is_left_out_and_the_others_go_on(
    error: Exception,
) -> None:
    calls: list[str] = []

    def work(peer: Peer, seconds: float) -> Sample:
        del seconds
        calls.append(peer.name)
        if peer.name == "a" and calls.count("a") == 2:
            raise error
        return Sample(1, 1, 1, {})

    plan = rounds.Plan([fake_scenario(work)], [Fake("a"), Fake("b")], 3, 1.0)

    outcome = rounds.run(plan, lambda _: None)

    words = str(error) if isinstance(error, FailedError) else repr(error)
    assert outcome.failures == {"s": {"a": words}}
    assert list(outcome.samples["s"]) == ["b"]
    assert len(outcome.samples["s"]["b"]) == 3
    text = report.as_text(report.as_data(plan, outcome, {}))
    assert f"FAILED a: {words}" in text


def test_limit_that_fails_is_left_out_and_the_peers_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Line:
        def __init__(self) -> None:
            self.left = 2

        def sample(self) -> Sample:
            self.left -= 1
            if self.left < 0:
                raise FailedError("no more")
            return Sample(1, 1, 1, {})

    monkeypatch.setattr(rounds, "limits", lambda _: {"limit": Line()})
    scenario = fake_scenario(lambda *_: Sample(1, 1, 1, {}))
    plan = rounds.Plan([scenario], [Fake("a")], 3, 1.0)

    outcome = rounds.run(plan, lambda _: None)

    assert outcome.failures == {"s": {"limit": "no more"}}
    assert list(outcome.samples["s"]) == ["a"]
    assert len(outcome.samples["s"]["a"]) == 3
    text = report.as_text(report.as_data(plan, outcome, {}))
    assert "FAILED limit: no more" in text


def test_peer_that_cannot_is_skipped_with_its_reason() -> None:
    plan = rounds.Plan([BY_NAME["full13"]], [Fake("a")], 1, 0.01)
    outcome = rounds.run(plan, lambda _: None)

    assert outcome.skipped == {"full13": {"a": "a is a fake"}}
    assert outcome.failures == {"full13": {}}
    text = report.as_text(report.as_data(plan, outcome, {}))
    assert "without a: a is a fake" in text


def test_failure_counts_only_if_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> Any:
        raise FailedError("broken")

    monkeypatch.setattr("pyssl.bench.scenarios.prove", refuse)
    asked = [*TINY, "--peer", "pyssl", "--scenario", "full13"]

    assert main(asked) == 0
    assert "FAILED pyssl: broken" in capsys.readouterr().out
    assert main([*asked, "--strict"]) == 1


# ---- numbers and certificates ----------------------------------------------


def test_spread_is_median_and_range() -> None:
    assert stats.spread([3.0, 1.0, 10.0]) == (3.0, 1.0, 10.0)
    assert stats.spread([1.0, 2.0]).median == 1.5
    for empty in (stats.spread, stats.interval):
        with pytest.raises(ValueError):
            empty([])


def test_interval_holds_the_median_and_shrinks_with_rounds() -> None:
    few = [1.0, 2.0, 3.0, 4.0, 5.0]
    many = few * 20

    for values in (few, many):
        found = stats.interval(values)
        assert found == stats.interval(values)  # the same each time
        assert found.low <= found.median == 3.0 <= found.high
    one, other = stats.interval(few), stats.interval(many)
    assert other.high - other.low < one.high - one.low
    assert stats.interval([7.0]) == (7.0, 7.0, 7.0)


def test_ratios_are_taken_round_by_round() -> None:
    assert stats.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    with pytest.raises(ValueError):
        stats.ratios([1.0], [1.0, 2.0])


def test_winner_is_named_only_beyond_doubt() -> None:
    clear = [10.0, 11.0, 12.0]
    near = [10.5, 10.9, 12.5]

    assert stats.winner({"a": clear, "b": [1.0, 2.0, 3.0]}) == "a"
    assert stats.winner({"a": clear, "b": near}) is None
    assert stats.winner({"a": clear}) is None
    assert stats.winner({"a": [10.0, 10.0], "b": [1.0, 1.0]}) is None


@pytest.mark.parametrize("kind", pki.KINDS)
@pytest.mark.parametrize("chain", pki.CHAINS)
def test_certificates_are_what_the_scenario_says(
    kind: str, chain: int
) -> None:
    sent = x509.load_pem_x509_certificates(
        pki.server(kind, chain).chain.encode()
    )
    root = x509.load_pem_x509_certificate(pki.root(kind).encode())
    client = x509.load_pem_x509_certificate(pki.client(kind).chain.encode())
    path = [*sent, root]

    assert len(sent) == chain
    for one, above in zip(path, path[1:]):
        one.verify_directly_issued_by(above)
    client.verify_directly_issued_by(root)
    names = sent[0].extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == [pki.HOST]
    until = dt.datetime(2126, 1, 1, tzinfo=dt.timezone.utc)
    assert all(one.not_valid_after_utc >= until for one in path)
