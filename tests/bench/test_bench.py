"""The benchmark: its peers do the work they are measured at."""

from __future__ import annotations

import datetime as dt
import json
import runpy
import sys
from typing import Any

import pytest
from cryptography import x509

from pyssl.bench import peers, pki, report, rounds, stats
from pyssl.bench.__main__ import main
from pyssl.bench.peers import PEERS, find_peers
from pyssl.bench.peers.base import GROUP, End, FailedError, Peer
from pyssl.bench.scenarios import (
    SCENARIOS,
    Sample,
    Scenario,
    handshake,
    prove,
)

TINY = ["--seconds", "0.002", "--rounds", "2"]
NAMES = ["handshake", "bulk", "small"]


# Of the same name as the CA in pki, with another key.
OTHER_CA_PEM = """\
-----BEGIN CERTIFICATE-----
MIIBbzCCARagAwIBAgIBATAKBggqhkjOPQQDAjAdMRswGQYDVQQDDBJweXNzbCBi
ZW5jaG1hcmsgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMB0x
GzAZBgNVBAMMEnB5c3NsIGJlbmNobWFyayBDQTBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABFa+XRi+PufcZoYR74Pz2y4047kWEpjb/ttdWi8KRK9SkLv88jQF5HcO
Xa0DC4cwaT4wynA3QSm4MgvMb+zu9AqjRTBDMBIGA1UdEwEB/wQIMAYBAf8CAQAw
DgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBRxiNcMizRFldbILyD3mkC/2FFUQzAK
BggqhkjOPQQDAgNHADBEAiAkzMZ059CbOgHkxXitchIXogsOvscq55Fw57i8TgnC
0gIgWaxfDVatuhXfUJYc0V8DCWOECohOpE4VWg92RxFslsM=
-----END CERTIFICATE-----
"""


@pytest.fixture(params=list(PEERS))
def peer(request: Any) -> Peer:
    found, missing = find_peers([request.param])
    if not found:
        pytest.skip(missing[request.param])
    return found[0]


class Wrapped(Peer):
    """pyssl under another name, to be made worse."""

    name = "worse"

    def __init__(self) -> None:
        self.inner = find_peers(["pyssl"])[0][0]

    def versions(self) -> dict[str, str]:
        return self.inner.versions()

    def link(self) -> Any:
        return self.inner.link()

    def client(self, link: Any, host: str) -> End:
        return self.inner.client(link, host)

    def server(self, link: Any) -> End:
        return self.inner.server(link)


# ---- peers -----------------------------------------------------------------


def test_pyssl_and_stdlib_are_always_found() -> None:
    found, missing = find_peers(["pyssl", "stdlib"])

    assert [one.name for one in found] == ["pyssl", "stdlib"]
    assert missing == {}


def test_peer_shakes_hands_and_carries_data(peer: Peer) -> None:
    facts = prove(peer)

    assert peer.name in PEERS
    assert facts.version == "TLSv1.3"
    assert facts.suite.startswith("TLS_")
    if peer.name == "pyssl":
        assert facts.group == GROUP
    assert all(peer.versions().values())


def test_peer_refuses_a_certificate_for_another_name(peer: Peer) -> None:
    with pytest.raises(FailedError):
        handshake(peer, pki.WRONG_HOST)

    client, _ = handshake(peer, pki.HOST)  # and the next one is as ever
    assert client.facts().version == "TLSv1.3"


def test_peer_refuses_a_chain_from_another_ca(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pki, "CA_PEM", OTHER_CA_PEM)
    stranger = type(peer)()

    with pytest.raises(FailedError):
        handshake(stranger)


def test_peer_that_takes_any_name_is_found_out() -> None:
    class Careless(Wrapped):
        def client(self, link: Any, host: str) -> End:
            del host
            return self.inner.client(link, pki.HOST)

    with pytest.raises(FailedError, match="another name"):
        prove(Careless())


def test_peer_that_never_ends_is_found_out() -> None:
    class Endless(Wrapped):
        def server(self, link: Any) -> End:
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

    assert main([*TINY, "--peer", "nobody"]) == 1
    assert "nobody_peer" in capsys.readouterr().err
    assert main([*TINY, "--peer", "nobody", "--peer", "pyssl"]) == 0
    assert "left out: No module named" in capsys.readouterr().out


# ---- a run -----------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "out.json"
    assert main([*TINY, "--json", str(path)]) == 0
    return json.loads(path.read_text("utf-8"))


def test_json_tells_machine_peers_and_what_was_agreed(
    data: dict[str, Any],
) -> None:
    assert data["format"] == report.FORMAT
    assert data["rounds"] == 2
    assert data["seconds"] == 0.002
    assert data["machine"]["python"] == sys.version.split()[0]
    assert data["failures"] == {}
    found = [one["name"] for one in data["peers"]]
    assert set(found) | set(data["missing"]) == set(PEERS)
    assert found[:2] == ["pyssl", "stdlib"]
    for one in data["peers"]:
        assert one["agreed"]["version"] == "TLSv1.3"
    ours = data["peers"][0]["versions"]
    assert ours["libcrypto"].startswith("OpenSSL ")


def test_json_holds_every_sample_and_what_follows_from_them(
    data: dict[str, Any],
) -> None:
    found = [one["name"] for one in data["peers"]]
    assert [one["name"] for one in data["scenarios"]] == NAMES
    scales = {one.name: one.scale for one in SCENARIOS}
    for scenario in data["scenarios"]:
        assert list(scenario["peers"]) == found
        base = scenario["peers"]["stdlib"]["samples"]
        for name, row in scenario["peers"].items():
            samples = row["samples"]
            assert len(samples) == data["rounds"]
            assert all(one["done"] > 0 for one in samples)
            assert all(one["cpu_ns"] > 0 for one in samples)
            rates = [
                one["done"] * scales[scenario["name"]] * 1e9 / one["cpu_ns"]
                for one in samples
            ]
            assert row["rate"]["low"] == pytest.approx(min(rates))
            assert row["rate"]["high"] == pytest.approx(max(rates))
            if name == "stdlib":
                assert row["ratio"] is None
                continue
            ratios = [
                one["done"] / one["cpu_ns"] * two["cpu_ns"] / two["done"]
                for one, two in zip(samples, base)
            ]
            assert row["ratio"]["low"] == pytest.approx(min(ratios))
            assert row["ratio"]["high"] == pytest.approx(max(ratios))


def test_handshake_time_is_told_apart_for_client_and_server(
    data: dict[str, Any],
) -> None:
    for row in data["scenarios"][0]["peers"].values():
        assert list(row["cost_us"]) == ["client", "server"]
        assert all(value > 0 for value in row["cost_us"].values())
        one = row["samples"][0]
        assert 0 < sum(one["parts"].values()) <= one["wall_ns"]


def test_table_shows_each_scenario_with_a_row_for_each_peer(
    data: dict[str, Any],
) -> None:
    text = report.as_text(data)
    blocks = text.split("\n\n")
    found = [one["name"] for one in data["peers"]]

    assert len(blocks) == 1 + len(NAMES) + 1
    for name in found:
        assert any(line.startswith(name) for line in blocks[0].splitlines())
    for block, scenario in zip(blocks[1:-1], SCENARIOS):
        title, head, *rows = block.splitlines()
        assert title.startswith(f"{scenario.name}: ")
        assert scenario.unit in head
        assert "to stdlib" in head
        assert ("client us" in head) is (scenario.name == "handshake")
        assert [row.split()[0] for row in rows] == found
        assert len({len(row) for row in (head, rows[0])}) == 1
    assert "CPU time" in blocks[-1]


def test_group_other_than_the_wish_is_pointed_out(
    data: dict[str, Any],
) -> None:
    changed = json.loads(json.dumps(data))
    changed["peers"][0]["agreed"]["group"] = "P-521"

    assert "other work" not in report.as_text(
        {**data, "peers": data["peers"][:2]}
    )
    assert "P-521 (not X25519" in report.as_text(changed)


def test_scenario_and_peer_can_be_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["--scenario", "small", "--peer", "pyssl", "--json", "-"]

    assert main([*TINY, *asked]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["scenarios"]] == ["small"]
    row = found["scenarios"][0]["peers"]
    assert list(row) == ["pyssl"]
    assert row["pyssl"]["ratio"] is None  # nothing to compare with


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
    asked = ["bench", *TINY, "--scenario", "handshake", "--peer", "pyssl"]
    monkeypatch.setattr(sys, "argv", asked)
    monkeypatch.delitem(sys.modules, "pyssl.bench.__main__")

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("pyssl.bench", run_name="__main__")

    assert ended.value.code == 0
    assert "pairs/s" in capsys.readouterr().out


# ---- rounds ----------------------------------------------------------------


class Steady(Wrapped):
    """A peer for scenarios that do not really work."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]


def test_rounds_take_turns_and_the_first_does_not_count() -> None:
    log: list[str] = []

    def work(peer: Peer, seconds: float) -> Sample:
        assert seconds == 3.5
        log.append(peer.name)
        return Sample(len(log), 1, 1, {})

    scenario = Scenario("s", "work", "things/s", 1, work)
    both = [Steady("a"), Steady("b")]
    told: list[tuple[int, int]] = []

    outcome = rounds.run(
        rounds.Plan([scenario], both, 2, 3.5), lambda *one: told.append(one)
    )

    assert log == ["a", "b", "b", "a", "a", "b"]
    rows = outcome.samples["s"]
    assert [one.done for one in rows["a"]] == [4, 5]
    assert [one.done for one in rows["b"]] == [3, 6]
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_peer_that_fails_is_left_out_and_the_others_go_on() -> None:
    calls: list[str] = []

    def work(peer: Peer, seconds: float) -> Sample:
        del seconds
        calls.append(peer.name)
        if peer.name == "a" and calls.count("a") == 2:
            raise FailedError("no more")
        return Sample(1, 1, 1, {})

    scenario = Scenario("s", "work", "things/s", 1, work)
    plan = rounds.Plan([scenario], [Steady("a"), Steady("b")], 3, 1.0)

    outcome = rounds.run(plan, lambda *_: None)

    assert outcome.failures == {"a": "s: no more"}
    assert list(outcome.samples["s"]) == ["b"]
    assert len(outcome.samples["s"]["b"]) == 3
    text = report.as_text(report.as_data(plan, outcome, {}))
    assert "left out: s: no more" in text


def test_peer_that_does_not_work_is_never_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(peer: Peer) -> Any:
        raise FailedError(f"{peer.name} is broken")

    monkeypatch.setattr(rounds, "prove", refuse)

    assert main([*TINY, "--peer", "pyssl"]) == 1
    assert "left out: pyssl is broken" in capsys.readouterr().out


# ---- numbers and certificates ----------------------------------------------


def test_spread_is_median_and_range() -> None:
    assert stats.spread([3.0, 1.0, 10.0]) == (3.0, 1.0, 10.0)
    assert stats.spread([1.0, 2.0]).median == 1.5
    with pytest.raises(ValueError):
        stats.spread([])


def test_ratios_are_taken_round_by_round() -> None:
    found = stats.ratios([2.0, 9.0, 8.0], [1.0, 3.0, 2.0])

    assert found == (3.0, 2.0, 4.0)
    with pytest.raises(ValueError):
        stats.ratios([1.0], [1.0, 2.0])


def test_certificates_are_what_the_scenario_says() -> None:
    ca, leaf = (
        x509.load_pem_x509_certificate(pem.encode())
        for pem in (pki.CA_PEM, pki.LEAF_PEM)
    )
    names = leaf.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )

    leaf.verify_directly_issued_by(ca)
    assert names.value.get_values_for_type(x509.DNSName) == [pki.HOST]
    until = dt.datetime(2126, 1, 1, tzinfo=dt.timezone.utc)
    for one in (ca, leaf):
        assert one.public_key().curve.name == "secp256r1"
        assert one.not_valid_after_utc >= until
