"""The forge's TLS 1.2 against the standard library's ssl.

With a PSK it is proven against `openssl` in tests/peer/test_psk_openssl.py,
and against our own ends in tests/proto/test_rfc4279_2_psk.py.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Optional

import pytest

from tests.clauses import clause
from tests.core.test_forge import CURVE_NAMES, Other
from tests.forge import (
    ForgeClient12,
    ForgeError,
    ForgeServer12,
    Session12,
    bend,
    messages12 as m12,
)
from tests.forge.keys12 import PSK_SUITES, SUITES
from tests.forge.peer import CCS, HANDSHAKE
from tests.pki import ca

NAMES = {
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
    0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305",
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
    0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305",
}


def context(
    tmp_path: Path,
    server: bool,
    identity: Optional[ca.Identity] = None,
    trust: Optional[ca.Identity] = None,
    curve: Optional[int] = None,
) -> ssl.SSLContext:
    """Make a context of the standard library, TLS 1.2 only."""
    kind = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
    made = ssl.SSLContext(kind)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    if identity is not None:
        chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
        chain.write_bytes(identity.chain_pem)
        key.write_bytes(identity.key_pem)
        made.load_cert_chain(chain, key)
    if trust is not None:
        made.load_verify_locations(cadata=trust.ca_pem.decode())
        made.verify_mode = ssl.CERT_REQUIRED
    if curve is not None:
        made.set_ecdh_curve(CURVE_NAMES[curve])
    return made


def begin(made: ssl.SSLContext, forge: Any) -> Other:
    """Tie the forge to a connection of the context."""
    other = Other(made, not forge.server)
    if not forge.server:
        forge.start()
        other.incoming.write(forge.take())
    return other


def proved(made: ssl.SSLContext, forge: Any) -> Other:
    """Both ends finish and carry data; gives the other end."""
    other = begin(made, forge)
    other.run(forge)
    assert other.fault is None
    assert other.object.version() == "TLSv1.2"
    other.object.write(b"to the forge")
    forge.feed(other.outgoing.read())
    assert bytes(forge.data) == b"to the forge"
    forge.write(b"from the forge")
    other.incoming.write(forge.take())
    assert other.object.read(100) == b"from the forge"
    assert forge.alerts == []
    assert forge.records[-1].version == 0x0303
    return other


def kind_of(suite: int) -> str:
    """A kind of key that signs for the suite."""
    return "rsa" if SUITES[suite].rsa else "p256"


@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@pytest.mark.parametrize("suite", NAMES)
def test_forge12_client_with_each_suite_completes(
    tmp_path: Path, suite: int, extended: bool
) -> None:
    own = ca.leaf(kind_of(suite))
    forge = ForgeClient12(suites=[suite], extended=extended)
    other = proved(context(tmp_path, True, own), forge)
    assert other.object.cipher()[0] == NAMES[suite]
    assert forge.peer_chain[0] == own.cert_der
    assert forge.extended == extended


@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@pytest.mark.parametrize("suite", NAMES)
def test_forge12_server_with_each_suite_completes(
    tmp_path: Path, suite: int, extended: bool
) -> None:
    own = ca.leaf(kind_of(suite))
    forge = ForgeServer12(own, suite, extended=extended)
    other = proved(context(tmp_path, False, None, own), forge)
    assert other.object.cipher()[0] == NAMES[suite]
    assert other.object.getpeercert(True) == own.cert_der
    assert forge.extended == extended


@pytest.mark.parametrize("group", CURVE_NAMES)
@pytest.mark.parametrize("server", [False, True], ids=["C", "S"])
def test_forge12_with_each_group_completes(
    tmp_path: Path, group: int, server: bool
) -> None:
    forge: Any = ForgeClient12(groups=[group])
    if server:
        forge = ForgeServer12(ca.leaf("rsa"), group=group)
    own = None if server else ca.leaf("rsa")
    trust = ca.leaf("rsa") if server else None
    proved(context(tmp_path, not server, own, trust, group), forge)


@pytest.mark.parametrize("kind", ca.KINDS)
def test_forge12_server_with_each_kind_of_key_is_verified(
    tmp_path: Path, kind: str
) -> None:
    made = context(tmp_path, False, None, ca.leaf(kind))
    proved(made, ForgeServer12(ca.leaf(kind)))


@pytest.mark.parametrize("kind", ca.KINDS)
def test_forge12_client_with_each_kind_of_key_is_verified(
    tmp_path: Path, kind: str
) -> None:
    made = context(tmp_path, True, ca.leaf(kind), ca.leaf(kind))
    other = proved(made, ForgeClient12(ca.leaf(kind)))
    assert other.object.getpeercert(True) == ca.leaf(kind).cert_der


@pytest.mark.parametrize("kind", ["rsa", "p256", "ed25519"])
def test_forge12_server_asking_for_a_certificate_checks_it(
    tmp_path: Path, kind: str
) -> None:
    made = context(tmp_path, False, ca.leaf(kind), ca.leaf())
    schemes = [0x0401, 0x0403, 0x0807]
    forge = ForgeServer12(ca.leaf(), request=schemes)
    proved(made, forge)
    assert forge.peer_chain[0] == ca.leaf(kind).cert_der


@pytest.mark.parametrize("scheme", [0x0401, 0x0501, 0x0601, 0x0804, 0x0806])
def test_forge12_signs_with_each_scheme_of_rsa(
    tmp_path: Path, scheme: int
) -> None:
    made = context(tmp_path, False, None, ca.leaf("rsa"))
    proved(made, ForgeServer12(ca.leaf("rsa"), scheme=scheme))
    made = context(tmp_path, True, ca.leaf("rsa"))
    proved(made, ForgeClient12(schemes=[scheme]))


@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "id"])
def test_forge12_client_resumes(
    tmp_path: Path, tickets: bool, extended: bool
) -> None:
    made = context(tmp_path, True, ca.leaf())
    wish: dict[str, Any] = {"extended": extended}
    if tickets:
        wish["ticket"] = b""
    else:
        made.options |= ssl.OP_NO_TICKET
    first = ForgeClient12(**wish)
    kept = proved(made, first)  # a server forgets what ends without an alert
    assert bool(first.ticket) == tickets
    again = ForgeClient12(resume=first.session, **wish)
    other = proved(made, again)
    assert other.object.session_reused
    assert not kept.object.session_reused
    assert again.resumed


@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "id"])
def test_forge12_server_resumes(
    tmp_path: Path, tickets: bool, extended: bool
) -> None:
    made = context(tmp_path, False, None, ca.leaf())
    new: dict[str, Any] = {"extended": extended, "tickets": tickets}
    if not tickets:
        new["session_id"] = bytes(range(32))
    first = ForgeServer12(ca.leaf(), **new)
    other = proved(made, first)
    again = ForgeServer12(ca.leaf(), resume=first.session, **new)
    back = Other(made, False)
    back.object.session = other.object.session
    back.run(again)
    assert back.fault is None
    assert back.object.session_reused
    assert again.resumed


@pytest.mark.parametrize(("coalesce", "fragment"), [(True, 16384), (False, 1)])
@pytest.mark.parametrize("server", [False, True], ids=["C", "S"])
def test_forge12_with_other_records_completes(
    tmp_path: Path, server: bool, coalesce: bool, fragment: int
) -> None:
    forge: Any = ForgeClient12()
    if server:
        forge = ForgeServer12(ca.leaf())
    forge.coalesce, forge.fragment = coalesce, fragment
    own = None if server else ca.leaf()
    trust = ca.leaf() if server else None
    proved(context(tmp_path, not server, own, trust), forge)


@clause("RFC 5246 7.2.2", "RFC 5246 7.4.9")
def test_forge12_knows_which_keys_an_alert_came_under(tmp_path: Path) -> None:
    early, late = ForgeServer12(ca.leaf()), ForgeServer12(ca.leaf())
    early.set("server_hello", suite=0x0005)
    late.set("finished", verify_data=bytes(12))
    made = context(tmp_path, False, None, ca.leaf())
    Other(made, False).run(early)
    Other(made, False).run(late)
    assert [(a.level, a.epoch) for a in early.alerts] == [(2, "clear")]
    assert [(a.description, a.epoch) for a in late.alerts] == [(51, "sealed")]


def test_forge12_leaves_out_change_cipher_spec(tmp_path: Path) -> None:
    forge = ForgeClient12()
    forge.on("ccs", lambda p, c: [])
    other = begin(context(tmp_path, True, ca.leaf()), forge)
    other.run(forge)
    assert other.fault is not None
    assert [a.level for a in forge.alerts] == [2]


def test_forge12_refuses_a_peer_that_breaks_the_rules() -> None:
    for data in (
        b"\x14\x03\x03\x00\x01\x01",
        b"\x17\x03\x03\x00\x01\x00",
        b"\x16\x03\x03\x00\x04\x14\x00\x00\x00",
    ):
        for forge in (ForgeServer12(ca.leaf()), ForgeClient12()):
            with pytest.raises(ForgeError):
                forge.feed(data)
    assert (CCS, HANDSHAKE) == (20, 22)


def test_forge12_against_itself_resumes_what_it_remembers() -> None:
    session = Session12(b"i" * 32, b"", b"m" * 48, 0xC02C, True)
    client = ForgeClient12(resume=session)
    server = ForgeServer12(ca.leaf(), resume=session)
    client.start()
    for _ in range(3):
        server.feed(client.take())
        client.feed(server.take())
    assert client.done
    assert server.done
    assert server.resumed
    assert server.schedule.suite.number == 0xC02C


def meet(client: ForgeClient12, server: ForgeServer12) -> None:
    """Let two forges talk until neither has anything to say."""
    client.start()
    for _ in range(4):
        server.feed(client.take())
        client.feed(server.take())


@pytest.mark.parametrize("extended", [True, False], ids=["EMS", "no-EMS"])
@pytest.mark.parametrize("suite", PSK_SUITES)
@clause("RFC 5489 2", "RFC 8442 3")
def test_forge12_against_itself_shares_a_key(
    suite: int, extended: bool
) -> None:
    client = ForgeClient12(psk=(b"me", b"key"), extended=extended)
    server = ForgeServer12(None, suite, psks={b"me": b"key"}, hint=b"who?")
    meet(client, server)
    assert client.done
    assert server.done
    assert server.client_identity == b"me"
    assert client.schedule.master == server.schedule.master
    assert (client.extended, server.extended) == (extended, extended)
    assert client.peer_chain == []
    assert client.exchange is not None
    assert client.exchange.body().startswith(b"\0\4who?")


CERTIFICATE = m12.Certificate(list(ca.leaf().chain_der))
REQUEST = m12.CertificateRequest(schemes=[0x0403])


@pytest.mark.parametrize(
    ("order", "psks"),
    [
        (None, {b"me": b"another key"}),
        (None, {b"you": b"key"}),
        (bend.ahead("server_key_exchange", CERTIFICATE), {b"me": b"key"}),
        (bend.ahead("server_hello_done", REQUEST), {b"me": b"key"}),
        (bend.twice("server_key_exchange"), {b"me": b"key"}),
        (bend.leave("server_key_exchange"), {b"me": b"key"}),
    ],
    ids=["key", "identity", "certificate", "request", "twice", "none"],
)
@clause("RFC 4279 2", "RFC 5489 2")
def test_forge12_refuses_what_a_psk_has_not(
    order: Any, psks: dict[bytes, bytes]
) -> None:
    server = ForgeServer12(None, psks=psks)
    if order is not None:
        order(server)
    with pytest.raises(ForgeError):
        meet(ForgeClient12(psk=(b"me", b"key")), server)
