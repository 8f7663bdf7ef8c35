"""Published vectors of TLS 1.2: PRF, secrets, keys, Finished, records."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clauses import clause
from tests.core import crypto_core as c, tls12_core as t

PRF = c.vectors("tls12_prf")
CAPTURES = c.vectors("tls12_handshakes")["handshakes"]
TYPES = {
    "change_cipher_spec": 20,
    "alert": 21,
    "handshake": 22,
    "application_data": 23,
}
BAD_MAC, BAD_MAC_REASON = 20, 281


def rows(vectors: list[dict[str, Any]]) -> Any:
    """Make each vector a case of a test, its hex turned into bytes."""
    made = [
        pytest.param({**c.unhex(one), "label": one.get("label")}, id=one["id"])
        for one in vectors
    ]
    return pytest.mark.parametrize("v", made)


def alg(v: dict[str, Any]) -> int:
    """The hash of a vector."""
    return c.HASH_NAMES[v["hash"]]


@pytest.fixture(scope="module")
def core() -> c.Core:
    """The layers under test."""
    return c.core()


# ---- RFC 5246 5, 6.3, 8.1, RFC 7627 4 ---------------------------------------


@clause("RFC 5246 5")
@rows(PRF["prf"])
def test_prf_vector(core: c.Core, v: dict[str, Any]) -> None:
    label, want = v["label"].encode(), v["output"]
    made = t.prf(core, alg(v), v["secret"], label, v["seed"], len(want))
    assert made == want


@clause("RFC 5246 5")
@rows(PRF["prf"])
def test_prf_of_every_shorter_length_is_a_beginning(
    core: c.Core, v: dict[str, Any]
) -> None:
    label, want = v["label"].encode(), v["output"]
    for n in range(len(want)):
        made = t.prf(core, alg(v), v["secret"], label, v["seed"], n)
        assert made == want[:n]


@clause("RFC 5246 8.1")
@rows(PRF["master_secret"])
def test_master_secret_vector(core: c.Core, v: dict[str, Any]) -> None:
    randoms = v["client_random"] + v["server_random"]
    made = t.master(core, alg(v), v["pre_master_secret"], randoms)
    assert made == v["master_secret"]


@clause("RFC 7627 4")
@rows(PRF["extended_master_secret"])
def test_extended_master_secret_vector(
    core: c.Core, v: dict[str, Any]
) -> None:
    made = t.extended(core, alg(v), v["pre_master_secret"], v["session_hash"])
    assert made == v["master_secret"]


SUITES = {
    "sha256": (0xC02B, 0xC02F, 0xCCA8, 0xCCA9),
    "sha384": (0xC02C, 0xC030),
}


@clause("RFC 5246 6.3", "RFC 5288 3", "RFC 7905 2")
@rows(PRF["key_block"])
def test_key_block_vector(core: c.Core, v: dict[str, Any]) -> None:
    # The seed has the server's random first, the interface the client's.
    seed = v["server_random"] + v["client_random"]
    whole = v["key_block"]
    secret, n = v["master_secret"], len(whole)
    assert t.prf(core, alg(v), secret, b"key expansion", seed, n) == whole
    randoms = v["client_random"] + v["server_random"]
    for suite in SUITES[v["hash"]]:
        made = b"".join(t.block(core, suite, secret, randoms))
        assert made == whole[: len(made)]
        assert len(made) in {40, 72, 88}


# ---- captures ---------------------------------------------------------------


def _all_messages(v: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(one["message"]) for one in v["messages"]]


def _until(v: dict[str, Any], name: str) -> list[bytes]:
    """Messages up to and with the first of a type."""
    kinds = [one["type"] for one in v["messages"]]
    return _all_messages(v)[: kinds.index(name) + 1]


def _directions(
    core: c.Core, v: dict[str, Any], who: str, *, sealing: bool
) -> t.Direction:
    """Protection of one side's records, from the master secret."""
    randoms = v["client_random"] + v["server_random"]
    suite = int(v["cipher_suite"].hex(), 16)
    found = t.block(core, suite, v["master_secret"], randoms)
    key, iv = found.client_key, found.client_iv
    if who == "server":
        key, iv = found.server_key, found.server_iv
    return t.Direction(core, suite, key, iv, sealing=sealing)


def _records(v: dict[str, Any]) -> list[dict[str, Any]]:
    return [c.unhex(one) for one in v["records"]]


@clause("RFC 5246 6.3")
@rows(CAPTURES)
def test_capture_has_its_keys(core: c.Core, v: dict[str, Any]) -> None:
    randoms = v["client_random"] + v["server_random"]
    suite = int(v["cipher_suite"].hex(), 16)
    made = t.block(core, suite, v["master_secret"], randoms)
    assert made.client_key == v["client_write_key"]
    assert made.server_key == v["server_write_key"]
    assert made.client_iv == v["client_write_iv"]
    assert made.server_iv == v["server_write_iv"]


@clause("RFC 7627 3", "RFC 5246 7.4.9")
@rows(CAPTURES)
def test_capture_has_its_hashes_and_finished(
    core: c.Core, v: dict[str, Any]
) -> None:
    session = t.transcript(core, alg(v), _until(v, "ClientKeyExchange"))
    assert session == v["session_hash"]
    whole = _all_messages(v)
    secret = v["master_secret"]
    mine = t.finished(core, alg(v), secret, False, session)
    assert mine == v["client_verify_data"]
    later = t.transcript(core, alg(v), whole[:-1])
    assert later == v["server_finished_hash"]
    theirs = t.finished(core, alg(v), secret, True, later)
    assert theirs == v["server_verify_data"] == whole[-1][4:]


@clause("RFC 5246 6.2.3.3", "RFC 5288 3", "RFC 7905 2")
@rows(CAPTURES)
def test_capture_has_records_that_open(
    core: c.Core, v: dict[str, Any]
) -> None:
    assert v["records"]
    for one in _records(v):
        way = _directions(core, v, one["who"], sealing=False)
        got = way.at(one["sequence_number"]).open(one["record"])
        kind = TYPES[one["content_type"]]
        assert got == t.Opened(kind, one["plaintext"])
        assert way.raw.seq == one["sequence_number"] + 1


@clause("RFC 5246 6.2.3.3", "RFC 5288 3", "RFC 7905 2")
@rows(CAPTURES)
def test_capture_has_records_that_we_seal(
    core: c.Core, v: dict[str, Any]
) -> None:
    for one in _records(v):
        way = _directions(core, v, one["who"], sealing=True)
        number, record = one["sequence_number"], one["record"]
        kind = TYPES[one["content_type"]]
        made = way.at(number).seal(kind, one["plaintext"])
        explicit = 0 if v["cipher_suite"].startswith(b"\xcc") else 8
        if explicit == 0:
            assert made == record
            continue
        # AES-GCM: the sender chooses eight octets. Ours are the number; if
        # theirs are too, all is the same.
        assert made[:5] == record[:5]
        assert made[5:13] == number.to_bytes(8, "big")
        assert (made == record) == (record[5:13] == made[5:13])
        back = _directions(core, v, one["who"], sealing=False)
        got = back.at(number).open(made)
        assert got == t.Opened(kind, one["plaintext"])


@clause("RFC 5246 6.2.3.3")
@rows(CAPTURES)
def test_capture_has_records_that_do_not_open_once_altered(
    core: c.Core, v: dict[str, Any]
) -> None:
    bad = t.Opened(-1, b"", BAD_MAC, BAD_MAC_REASON)
    for one in _records(v):
        way = _directions(core, v, one["who"], sealing=False)
        number, record = one["sequence_number"], one["record"]
        for at in (0, *range(5, len(record), 1 + len(record) // 40)):
            changed = bytearray(record)
            changed[at] ^= 1
            assert way.at(number).open(bytes(changed)) == bad
        assert way.at(number + 1).open(record) == bad
        for size in (5, 6, 13, 20, len(record) - 1):
            assert way.at(number).open(record[:size]) == bad
        other = "server" if one["who"] == "client" else "client"
        wrong = _directions(core, v, other, sealing=False)
        assert wrong.at(number).open(record) == bad
