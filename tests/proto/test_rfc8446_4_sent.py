"""RFC 8446 4, 5: what our own messages and records must look like."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.clauses import clause
from tests.forge import ForgeClient, ForgeServer, keys, messages as m
from tests.forge.victim import Victim, client, server, works
from tests.pki import ca

SUITES12 = (0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9)
POINT_FORMATS, EXTENDED_MASTER, RENEGOTIATION = 11, 23, 0xFF01


def plain(ssl: p.SSL) -> None:
    """Leave middlebox compatibility mode."""
    p.SSL_clear_options(ssl, p.SSL_OP_ENABLE_MIDDLEBOX_COMPAT)


def as_client(prepare: Any = None, **order: Any) -> Victim:
    """Complete a handshake with a `pyssl` client."""
    victim = client(ForgeServer(ca.leaf(), **order), prepare)
    assert victim.handshake() == (1, 0)
    return victim


def as_server(prepare: Any = None, auth: bool = False, **order: Any) -> Victim:
    """Complete a handshake with a `pyssl` server."""
    forge = ForgeClient(ca.leaf() if auth else None, **order)
    victim = server(forge, prepare, client_auth=auth)
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0)
    return victim


@clause("RFC 8446 4.1.2", "RFC 8446 4.2", "RFC 8446 4.2.8", "RFC 8446 9.2")
def test_client_hello_keeps_the_rules() -> None:
    hello = as_client().forge.hellos[0]
    assert hello.version == 0x0303
    assert len(hello.session_id) == 32
    assert hello.compression == b"\0"
    assert set(hello.suites) == set(keys.SUITES)
    kinds = [kind for kind, _ in hello.extensions]
    assert len(kinds) == len(set(kinds))
    assert hello.get(m.SERVER_NAME) == m.server_name(b"localhost")
    versions = hello.get(m.SUPPORTED_VERSIONS)
    assert versions[0] == len(versions) - 1
    assert versions[1:3] == b"\x03\x04"
    groups = m.numbers(hello.get(m.SUPPORTED_GROUPS)[2:])
    shared = [group for group, _ in hello.shares()]
    assert shared
    assert [group for group in groups if group in shared] == shared
    schemes = m.numbers(hello.get(m.SIGNATURE_ALGORITHMS)[2:])
    assert 0x0804 in schemes
    assert 0x0403 in schemes
    # RFC 8446 4.2.3: no MD5, SHA-224, DSA; none twice.
    assert not [s for s in schemes if s >> 8 in (1, 3) or s & 0xFF == 2]
    assert len(schemes) == len(set(schemes))


@clause("RFC 8446 4.1.2", "RFC 8446 4.2", "RFC 8446 4.2.1", "RFC 5246 7.4.1.2")
@clause("RFC 5746 3.4", "RFC 7627 5.1", "RFC 8422 5.1")
def test_client_hello_of_both_versions_keeps_the_rules() -> None:
    victim = client(ForgeServer(ca.leaf()), version=0)
    assert victim.handshake() == (1, 0)
    hello = victim.forge.hellos[0]
    assert hello.version == 0x0303
    assert len(hello.session_id) == 32
    assert hello.compression == b"\0"
    assert set(hello.suites) == {*keys.SUITES, *SUITES12}
    assert len(hello.suites) == len(set(hello.suites))
    kinds = [kind for kind, _ in hello.extensions]
    assert len(kinds) == len(set(kinds))
    assert hello.get(m.SUPPORTED_VERSIONS) == b"\4\3\4\3\3"
    assert hello.get(POINT_FORMATS) == b"\1\0"
    assert hello.get(EXTENDED_MASTER) == b""
    assert hello.get(RENEGOTIATION) == b"\0"
    assert hello.get(m.SESSION_TICKET) == b""
    assert hello.get(m.PSK_MODES) == b"\1\1"


@clause("RFC 8446 4.1.2")
def test_client_hellos_differ_in_random_session_and_shares() -> None:
    hellos = [as_client().forge.hellos[0] for _ in range(8)]
    for values in (
        {h.random for h in hellos},
        {h.session_id for h in hellos},
        {h.shares()[0][1] for h in hellos},
    ):
        assert len(values) == len(hellos)


@clause("RFC 8446 4.1.3", "RFC 8446 4.2.1")
def test_server_hello_keeps_the_rules() -> None:
    answer = as_server().forge.answer
    assert answer is not None
    assert answer.version == 0x0303
    assert answer.compression == 0
    assert answer.random != m.RETRY_RANDOM
    assert answer.random[24:] not in (m.DOWNGRADE_11, m.DOWNGRADE_12)
    kinds = sorted(kind for kind, _ in answer.extensions)
    assert kinds == [m.SUPPORTED_VERSIONS, m.KEY_SHARE]


@clause("RFC 8446 4.3.1", "RFC 8446 4.3.2")
def test_server_parameters_keep_the_rules() -> None:
    forge = as_server(auth=True).forge
    allowed = {m.SERVER_NAME, m.SUPPORTED_GROUPS}
    assert {kind for kind, _ in forge.encrypted.extensions} <= allowed
    assert forge.request.context == b""
    schemes = m.numbers(forge.request.get(m.SIGNATURE_ALGORITHMS)[2:])
    assert 0x0403 in schemes
    allowed = {
        m.SIGNATURE_ALGORITHMS,
        m.SIGNATURE_ALGORITHMS_CERT,
        m.CERTIFICATE_AUTHORITIES,
    }
    assert {kind for kind, _ in forge.request.extensions} <= allowed


@clause("RFC 8446 4.2")
def test_server_answers_nothing_that_was_not_asked() -> None:
    forge = as_server(host=None).forge
    assert not forge.encrypted.has(m.SERVER_NAME)
    assert not forge.encrypted.has(m.ALPN)


@clause("RFC 8446 4.4.2")
def test_client_without_certificate_answers_with_an_empty_one() -> None:
    forge = as_client(request=[0x0403]).forge
    bodies = [body for kind, body in forge.seen if kind == m.CERTIFICATE]
    assert bodies == [b"\0\0\0\0"]
    kinds = [kind for kind, _ in forge.seen]
    assert kinds == [m.CLIENT_HELLO, m.CERTIFICATE, m.FINISHED]


@clause("RFC 8446 5.1", "RFC 8446 D.4")
@pytest.mark.parametrize("retry", [None, keys.P384])
def test_client_records_keep_the_rules(retry: int | None) -> None:
    victim = as_client(retry=retry)
    works(victim)
    records = victim.forge.records
    # Only the first hello may have another version, 0x0301.
    assert records[0].version in (0x0301, 0x0303)
    assert {r.version for r in records[1:]} == {0x0303}
    assert {r.outer for r in records if r.epoch != "clear"} == {23}
    dummies = [i for i, r in enumerate(records) if r.outer == 20]
    hellos = [i for i, r in enumerate(records) if r.outer == 22]
    # D.4: one dummy, before the second flight.
    assert len(dummies) == 1
    assert dummies[0] == (1 if retry else hellos[-1] + 1)


@clause("RFC 8446 5.1", "RFC 8446 D.4")
@pytest.mark.parametrize("retry", [False, True])
def test_server_records_keep_the_rules(retry: bool) -> None:
    victim = as_server(shares=[] if retry else None)
    works(victim)
    records = victim.forge.records
    assert {r.version for r in records} == {0x0303}
    assert {r.outer for r in records if r.epoch != "clear"} == {23}
    # D.4: one dummy, behind the first message.
    dummies = [i for i, r in enumerate(records) if r.outer == 20]
    assert dummies == [1]


@clause("RFC 8446 D.4")
def test_no_dummies_without_compatibility_mode() -> None:
    ours = as_client(plain)
    assert ours.forge.hellos[0].session_id == b""
    theirs = as_server(session_id=b"")
    for victim in (ours, theirs):
        works(victim)
        assert [r for r in victim.forge.records if r.outer == 20] == []


@clause("RFC 8446 5.1", "RFC 8446 5.2", "RW-15")
@pytest.mark.parametrize("size", [1, 16384, 16385, 40000])
def test_data_goes_out_in_records_that_are_not_too_long(size: int) -> None:
    victim = as_client()
    data = bytes(i & 0xFF for i in range(size))
    before = len(victim.forge.records)
    assert victim.peer.write(data) == (size, 0)
    victim.deliver()
    assert bytes(victim.forge.data) == data
    lengths = [r.length for r in victim.forge.records[before:]]
    assert all(17 <= n <= 16384 + 256 for n in lengths)
    assert len(lengths) == -(-size // 16384)


@clause("RFC 8446 6.1", "SD-1")
@pytest.mark.parametrize("made", [as_client, as_server])
def test_close_notify_is_a_protected_warning(made: Any) -> None:
    victim = made()
    assert victim.peer.shutdown() == (0, p.SSL_ERROR_SYSCALL)
    victim.deliver()
    (alert,) = victim.forge.alerts
    assert (alert.level, alert.description) == (1, 0)
    assert alert.epoch == "application"
