"""What is told, beside what OpenSSL tells of the same connection."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pyssl as p
from tests.api import told
from tests.api.links import new_ssl, put, take
from tests.api.told import Ear, Watched
from tests.clauses import clause
from tests.pki import ca

SCRIPT = Path(__file__).with_name("libssl_notices.py")
ROLES = ("client", "server")
VERSIONS = pytest.mark.parametrize(
    "version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION]
)


@pytest.fixture(scope="module")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Record OpenSSL once."""
    folder = tmp_path_factory.mktemp("notices")
    identity = ca.leaf("p256")
    (folder / "chain").write_bytes(identity.chain_pem + identity.ca_pem)
    (folder / "key").write_bytes(identity.key_pem)
    done = subprocess.run(
        [sys.executable, SCRIPT, folder / "chain", folder / "key"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def ours(version: int, what: str) -> dict[str, list[Any]]:
    """Do with pyssl what the script does with OpenSSL."""
    both = Watched(
        version, client_auth=what == "auth", verify=what != "broken"
    )
    client, server = both.client, both.server
    if what == "broken":
        p.SSL_set_verify(client, p.SSL_VERIFY_PEER, None)
    calls: dict[str, list[Any]] = {"client": [], "server": []}

    def call(end: p.SSL, name: str, *arguments: Any) -> int:
        ret, heard = both.call(end, name, *arguments)
        calls["client" if end is client else "server"].append(
            [name, ret, heard]
        )
        return ret

    done = [0, 0]
    for _ in range(4):
        for i, end in enumerate((client, server)):
            if done[i] != 1:
                done[i] = call(end, "SSL_do_handshake")
    if done == [1, 1]:
        for a, b in ((client, server), (server, client)):
            call(a, "SSL_write", b"hello")
            call(b, "SSL_read", bytearray(100))
            if version == p.TLS1_3_VERSION:
                call(a, "SSL_key_update", 0)
                call(a, "SSL_write", b"hello")
                call(b, "SSL_read", bytearray(100))
        for a, b in ((client, server), (server, client)):
            call(a, "SSL_shutdown")
            call(b, "SSL_read", bytearray(100))
    p.ERR_clear_error()
    return calls


def shape(calls: list[Any]) -> list[Any]:
    """Give, for each call, what must be equal.

    Repeats of a state are left open (INFO-6), and so is when a server of
    TLS 1.3 says that it is done: OpenSSL says it before its tickets.
    """
    found = []
    for name, ret, heard in calls:
        others = [
            one
            for one in told.infos(heard)
            if one[0] & 0xFF != told.LOOP and one[0] != told.DONE
        ]
        states = told.loops(heard)
        if name == "SSL_do_handshake" and found and states:
            # OpenSSL says again where it stood.
            states = states[states[0] == found[-1][-1] :]
        last = states[-1] if states else found[-1][-1] if found else ""
        found.append(
            [
                name,
                ret,
                states,
                others,
                sum(one[0] == told.DONE for one in told.infos(heard)),
                told.kinds(heard),
                last,
            ]
        )
    return found


@clause("INFO-3", "INFO-4", "INFO-5", "INFO-6", "INFO-7", "MSG-1", "MSG-3")
@VERSIONS
@pytest.mark.parametrize("what", ["plain", "auth", "broken"])
def test_both_callbacks_hear_what_openssl_tells(
    openssl: Any, version: int, what: str
) -> None:
    mine = ours(version, what)
    for role in ROLES:
        theirs = openssl[f"{version}-{what}"][role]
        assert shape(mine[role]) == shape(theirs), role


@clause("HS-51")
def test_words_of_the_key_update_states_are_openssls() -> None:
    long = {
        "TWCKU": "TLSv1.3 write client key update",
        "TWSKU": "TLSv1.3 write server key update",
        "TRCKU": "TLSv1.3 read client key update",
        "TRSKU": "TLSv1.3 read server key update",
    }
    seen: dict[str, str] = {}

    def info(end: p.SSL, where: int, ret: int) -> None:
        seen[p.SSL_state_string(end)] = p.SSL_state_string_long(end)

    both = Watched(p.TLS1_3_VERSION).established()
    for a, b in (
        (both.client, both.server),
        (both.server, both.client),
    ):
        p.SSL_set_info_callback(a, info)
        p.SSL_set_info_callback(b, info)
        p.SSL_key_update(a, 0)
        both.link.send(a, b"data")
    assert {brief: seen[brief] for brief in long} == long


# ---- the standard library as peer -------------------------------------------


class Stdlib:
    """A connection of the standard library that notes its messages."""

    def __init__(self, version: int, server: bool) -> None:
        identity = ca.leaf("p256", names=("localhost",))
        kind = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
        ctx = ssl.SSLContext(kind)
        ctx.minimum_version = ctx.maximum_version = ssl.TLSVersion(version)
        if server:
            _load(ctx, identity)
        else:
            ctx.load_verify_locations(cadata=identity.ca_pem.decode())
        self.heard: list[tuple[str, int, bytes]] = []

        def note(
            conn: Any,
            direction: str,
            version: Any,
            content_type: Any,
            msg_type: Any,
            data: bytes,
        ) -> None:
            if int(content_type) < told.HEADER:
                self.heard.append((direction, int(content_type), data))

        ctx._msg_callback = note  # type: ignore[attr-defined]
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.conn = ctx.wrap_bio(
            self.inward,
            self.outward,
            server,
            None if server else "localhost",
        )

    def step(self) -> bool:
        """Go on with the handshake."""
        try:
            self.conn.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def side(self, direction: str) -> list[tuple[int, bytes]]:
        """Give what passed in one direction, without change_cipher_spec."""
        return [
            (kind, data)
            for way, kind, data in self.heard
            if way == direction and kind != told.CCS
        ]


def _load(ctx: ssl.SSLContext, identity: ca.Identity) -> None:
    """Give a context a certificate; it reads nothing but files."""
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(identity.chain_pem + identity.key_pem)
        file.flush()
        ctx.load_cert_chain(file.name)


@clause("MSG-1", "MSG-3")
@VERSIONS
@pytest.mark.parametrize("server", [False, True], ids=ROLES)
def test_standard_library_hears_what_we_hear(
    version: int, server: bool
) -> None:
    identity = ca.leaf("p256", names=("localhost",))
    ctx = p.SSL_CTX_new(p.TLS_method())
    assert ctx is not None
    if server:
        assert p.SSL_CTX_use_certificate_chain_mem(ctx, identity.chain_pem)
        assert p.SSL_CTX_use_PrivateKey_ASN1(0, ctx, identity.key_der)
    end = new_ssl(ctx)
    ear = Ear().of(end)
    (p.SSL_set_accept_state if server else p.SSL_set_connect_state)(end)
    inward, outward = p.BIO_new(p.BIO_s_mem()), p.BIO_new(p.BIO_s_mem())
    assert inward is not None
    assert outward is not None
    p.SSL_set_bio(end, inward, outward)
    peer = Stdlib(version, not server)
    peer_done = False
    for _ in range(4):
        p.SSL_do_handshake(end)
        peer.inward.write(take(outward))
        peer_done = peer_done or peer.step()
        put(inward, peer.outward.read())
    assert peer_done
    assert p.SSL_is_init_finished(end)
    peer.conn.write(b"data")
    put(inward, peer.outward.read())
    assert p.SSL_read(end, bytearray(9)) == 4
    assert p.SSL_write(end, b"data") == 4
    peer.inward.write(take(outward))
    assert peer.conn.read(9) == b"data"
    assert p.SSL_shutdown(end) == 0
    peer.inward.write(take(outward))
    assert peer.conn.read(9) == b""

    def mine(sent: int) -> list[tuple[int, bytes]]:
        return [
            (kind, bytes.fromhex(data))
            for way, _, kind, data in ear.msgs
            if way == sent and kind != told.CCS
        ]

    assert mine(1) == peer.side("read") != []
    assert mine(0) == peer.side("write") != []
