"""The forge against the standard library's ssl: it can be trusted."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Optional

import pytest

from tests.clauses import clause
from tests.forge import (
    ForgeClient,
    ForgeError,
    ForgeServer,
    Peer,
    keys,
    messages as m,
)
from tests.pki import ca

SUITES = [keys.AES_128, keys.AES_256, keys.CHACHA]
NAMES = {
    keys.AES_128: "TLS_AES_128_GCM_SHA256",
    keys.AES_256: "TLS_AES_256_GCM_SHA384",
    keys.CHACHA: "TLS_CHACHA20_POLY1305_SHA256",
}
CURVE_NAMES = {
    keys.X25519: "X25519",
    keys.P256: "prime256v1",
    keys.P384: "secp384r1",
    keys.P521: "secp521r1",
}


class Other:
    """A standard library connection in memory."""

    def __init__(self, context: ssl.SSLContext, server: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server,
            server_hostname=None if server else "localhost",
        )
        self.established = False
        self.fault: Optional[ssl.SSLError] = None

    def step(self, forge: Peer) -> None:
        """Go on with the handshake as far as the bytes allow."""
        try:
            self.object.do_handshake()
            self.established = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as e:
            self.fault = e
        forge.feed(self.outgoing.read())
        self.incoming.write(forge.take())

    def run(self, forge: Peer) -> None:
        """Move bytes until both sides are done, or one has failed."""
        for _ in range(10):
            self.step(forge)
            if self.fault is not None or (self.established and forge.done):
                return
        raise AssertionError("the handshake does not end")


def context(
    tmp_path: Path,
    server: bool,
    identity: Optional[ca.Identity],
    trust: Optional[ca.Identity] = None,
    curve: Optional[int] = None,
) -> ssl.SSLContext:
    """Make a context of the standard library, TLS 1.3 only."""
    kind = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
    made = ssl.SSLContext(kind)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
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


def proved(other: Other, forge: Any) -> None:
    """Complete the handshake; then data, both ways, with updated keys."""
    other.run(forge)
    assert other.fault is None
    for request in (0, 1):
        forge.write(b"from the forge")
        forge.update(request)
        forge.write(b" and more")
        other.incoming.write(forge.take())
        assert other.object.read(100) == b"from the forge"
        assert other.object.read(100) == b" and more"
        assert other.object.write(b"to the forge") == 12
        forge.feed(other.outgoing.read())
        assert bytes(forge.data) == b"to the forge"
        forge.data.clear()
    forge.alert(0, level=1)
    other.incoming.write(forge.take())
    assert other.object.read(100) == b""
    other.object.unwrap()
    forge.feed(other.outgoing.read())
    assert [a.description for a in forge.alerts] == [0]
    assert forge.alerts[0].epoch == "application"


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("group", list(CURVE_NAMES))
def test_forge_client_with_each_suite_and_group_completes(
    tmp_path: Path, suite: int, group: int
) -> None:
    other = Other(context(tmp_path, True, ca.leaf(), curve=group), True)
    forge = ForgeClient(suites=[suite], groups=[group])
    forge.start()
    other.incoming.write(forge.take())

    proved(other, forge)

    assert other.object.cipher()[0] == NAMES[suite]
    assert forge.peer_chain[0] == ca.leaf().cert_der
    assert forge.schedule.suite.number == suite


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("group", list(CURVE_NAMES))
def test_forge_server_with_each_suite_and_group_completes(
    tmp_path: Path, suite: int, group: int
) -> None:
    made = context(tmp_path, False, None, ca.leaf(), curve=group)
    other, forge = Other(made, False), ForgeServer(ca.leaf(), suite)

    proved(other, forge)

    assert other.object.cipher()[0] == NAMES[suite]
    assert other.object.getpeercert(True) == ca.leaf().cert_der


@pytest.mark.parametrize("kind", ca.KINDS)
def test_forge_server_with_each_kind_of_key_is_verified(
    tmp_path: Path, kind: str
) -> None:
    made = context(tmp_path, False, None, ca.leaf(kind))
    proved(Other(made, False), ForgeServer(ca.leaf(kind), tickets=2))


@pytest.mark.parametrize("kind", ca.KINDS)
def test_forge_client_with_each_kind_of_key_is_verified(
    tmp_path: Path, kind: str
) -> None:
    made = context(tmp_path, True, ca.leaf(kind), ca.leaf(kind))
    forge = ForgeClient(ca.leaf(kind))
    forge.start()
    other = Other(made, True)
    other.incoming.write(forge.take())

    proved(other, forge)

    assert other.object.getpeercert(True) == ca.leaf(kind).cert_der


@pytest.mark.parametrize("suite", SUITES)
def test_forge_client_asked_to_retry_completes(
    tmp_path: Path, suite: int
) -> None:
    other = Other(context(tmp_path, True, ca.leaf(), curve=keys.P384), True)
    forge = ForgeClient(suites=[suite], shares=[keys.X25519])
    forge.start()
    other.incoming.write(forge.take())

    proved(other, forge)

    assert forge.retry is not None


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(("group", "cookie"), [(0x18, b""), (0x17, b"c" * 9)])
def test_forge_server_asking_to_retry_completes(
    tmp_path: Path, suite: int, group: int, cookie: bytes
) -> None:
    made = context(tmp_path, False, None, ca.leaf())
    forge = ForgeServer(ca.leaf(), suite, retry=group, cookie=cookie)

    proved(Other(made, False), forge)

    assert len(forge.hellos) == 2
    assert forge.hellos[1].has(m.COOKIE) == bool(cookie)


def test_forge_server_asking_for_a_certificate_gets_and_checks_it(
    tmp_path: Path,
) -> None:
    made = context(tmp_path, False, ca.leaf("rsa"), ca.leaf())
    forge = ForgeServer(ca.leaf(), request=[0x0804, 0x0403])
    proved(Other(made, False), forge)
    assert forge.peer_chain[0] == ca.leaf("rsa").cert_der


@pytest.mark.parametrize("session_id", [b"", b"x" * 32])
@pytest.mark.parametrize(
    ("coalesce", "fragment", "padding"),
    [(True, 16384, 0), (False, 1, 0), (True, 100, 7), (False, 16384, 900)],
)
def test_forge_with_other_records_completes(
    tmp_path: Path,
    session_id: bytes,
    coalesce: bool,
    fragment: int,
    padding: int,
) -> None:
    client = ForgeClient(ca.leaf(), session_id=session_id)
    server = ForgeServer(ca.leaf())
    for forge in (client, server):
        forge.coalesce, forge.fragment = coalesce, fragment
        forge.padding = padding
    made = context(tmp_path, True, ca.leaf(), ca.leaf())
    client.start()
    other = Other(made, True)
    other.incoming.write(client.take())
    proved(other, client)
    proved(Other(context(tmp_path, False, None, ca.leaf()), False), server)


@clause("RFC 8446 6")
def test_forge_knows_which_keys_an_alert_came_under(tmp_path: Path) -> None:
    early, late = ForgeServer(ca.leaf()), ForgeClient(suites=SUITES[:1])
    early.set("server_hello", session_id=b"other")
    late.set("finished", verify_data=bytes(32))
    Other(context(tmp_path, False, None, ca.leaf()), False).run(early)
    assert [(a.level, a.epoch) for a in early.alerts] == [(2, "clear")]
    late.start()
    other = Other(context(tmp_path, True, ca.leaf()), True)
    other.incoming.write(late.take())
    other.step(late)
    other.step(late)
    assert other.fault is not None
    assert [(a.description, a.epoch) for a in late.alerts] == [
        (51, "application")
    ]


@clause("RFC 8446 6")
def test_forge_alert_between_the_finished_messages_has_handshake_keys() -> (
    None
):
    client, server = ForgeClient(), ForgeServer(ca.leaf())
    client.before("finished", lambda p: p.alert(90, level=1))
    client.start()
    server.feed(client.take())
    client.feed(server.take())
    server.feed(client.take())
    assert [(a.description, a.epoch) for a in server.alerts] == [
        (90, "handshake")
    ]
    assert server.done


@pytest.mark.parametrize(
    ("kind", "body", "alert"),
    [(8, b"", 50), (13, b"", 10), (20, bytes(32), 10), (99, b"", 10)],
)
def test_forge_hooks_replace_omit_and_inject(
    tmp_path: Path, kind: int, body: bytes, alert: int
) -> None:
    made = context(tmp_path, False, None, ca.leaf())
    forge = ForgeServer(ca.leaf())
    forge.on("encrypted_extensions", lambda p, e: [m.Raw(kind, body)])
    forge.on("certificate", lambda p, e: [])
    other = Other(made, False)
    other.run(forge)
    assert other.fault is not None
    assert [a.description for a in forge.alerts] == [alert]


def test_forge_refuses_a_peer_that_breaks_the_rules() -> None:
    server = ForgeServer(ca.leaf())
    with pytest.raises(ForgeError):
        server.feed(b"\x17\x03\x03\x00\x01\x00")
    client = ForgeClient()
    with pytest.raises(ForgeError):
        client.feed(b"\x16\x03\x03\x00\x04\x14\x00\x00\x00")
