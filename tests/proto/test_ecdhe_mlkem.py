"""draft-ietf-tls-ecdhe-mlkem: X25519MLKEM768, the default where there is it.

Everything here skips where no library has ML-KEM (libcrypto before 3.5). The
forge has its ML-KEM from `cryptography`.
"""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from pyssl._ffi import ffi, lib
from tests.api import links
from tests.clauses import clause
from tests.core import raw
from tests.core.crypto_core import unhex, vectors
from tests.forge import ForgeClient, ForgeServer, bend, keys, messages as m
from tests.forge.victim import (
    CLEAR,
    DECODE,
    ILLEGAL,
    Case,
    check,
    client,
    refused,
    server,
    table,
    works,
)
from tests.pki import ca

NAME = "X25519MLKEM768"
HYBRID, X25519, P256 = keys.HYBRID, keys.X25519, keys.P256
GROUPS = [HYBRID, X25519, P256, keys.P384, keys.P521]
SEGMENT = 1460  # what TCP gets into a frame of Ethernet
BAD_MAC = 281
CH, CH2, SH = "client_hello", "client_hello_2", "server_hello"
# RFC 8446 4.1.3: what makes a ServerHello a HelloRetryRequest.
RETRY = m.RETRY_RANDOM

needs_forge = pytest.mark.skipif(
    not keys.has_hybrid(), reason="this cryptography has no ML-KEM"
)


@pytest.fixture(scope="module", autouse=True)
def _has_hybrid() -> None:
    known = p.versions()
    if not known["ml_kem"]:
        pytest.skip(f"no ML-KEM, which {known['libcrypto']} has from 3.5 on")


def hello_in(octets: bytes) -> m.ClientHello:
    """Take the ClientHello out of one record or more."""
    body = b""
    while octets:
        size = 5 + int.from_bytes(octets[3:5], "big")
        if octets[0] == 22:
            body += octets[5:size]
        octets = octets[size:]
    assert body[0] == m.CLIENT_HELLO
    return m.ClientHello.parse(body[4:])


def groups_in(hello: m.ClientHello) -> list[int]:
    """Give the groups that a hello names."""
    inner = m.Reader(m.Reader(hello.get(m.SUPPORTED_GROUPS)).vec(2))
    found = []
    while inner.more():
        found.append(inner.number(2))
    return found


def first_hello(**wishes: Any) -> tuple[bytes, m.ClientHello]:
    """Let a client speak first: its octets, and the hello in them."""
    peer = links.raw_client(**wishes)
    assert peer.handshake() == (-1, p.SSL_ERROR_WANT_READ)
    sent = peer.sent()
    return sent, hello_in(sent)


# ---- what is said and chosen by default -----------------------------------


@clause("CIPH-4", "RFC 8446 4.2.8")
def test_client_by_default_sends_both_shares_hybrid_first() -> None:
    octets, hello = first_hello()

    assert groups_in(hello) == GROUPS
    shares = hello.shares()
    assert [(group, len(key)) for group, key in shares] == [
        (HYBRID, 1184 + 32),
        (X25519, 32),
    ]
    assert shares[0][1][1184:] != shares[1][1]  # a key of its own
    assert len(octets) > SEGMENT


@clause("CIPH-4", "RFC 8446 4.2.7")
def test_client_of_tls_1_2_alone_says_nothing_of_the_hybrid() -> None:
    _, hello = first_hello(version=p.TLS1_2_VERSION)

    assert groups_in(hello) == GROUPS[1:]
    assert not hello.has(m.KEY_SHARE)


@clause("CIPH-4", "RFC 8446 4.2.7")
def test_client_of_tls_1_2_with_the_hybrid_alone_sends_nothing() -> None:
    peer = links.raw_client(version=p.TLS1_2_VERSION)
    assert p.SSL_set1_groups_list(peer.ssl, NAME) == 1

    assert peer.handshake() == (-1, p.SSL_ERROR_SSL)

    assert links.ssl_reasons() == [p.SSL_R_NO_SUITABLE_GROUPS]
    assert peer.sent() == b""


@clause("CIPH-4", "RFC 8446 4.1.1", "RFC 8446 4.1.4")
@pytest.mark.parametrize(
    ("ours", "theirs", "shares", "chosen", "retried"),
    [
        ("", "", [HYBRID, X25519], NAME, False),
        ("", "X25519", [HYBRID, X25519], "X25519", False),
        ("", NAME, [HYBRID, X25519], NAME, False),
        ("", "P-256", [HYBRID, X25519], "P-256", True),
        (NAME, "", [HYBRID], NAME, False),
        (f"{NAME}:P-256", "P-256:X25519", [HYBRID], "P-256", True),
        (f"X25519:{NAME}", "", [X25519], "X25519", False),
        (f"X25519:{NAME}", NAME, [X25519], NAME, True),
        (f"P-256:{NAME}", f"{NAME}:X25519", [P256], NAME, True),
        (f"{NAME}:X25519", "X25519", [HYBRID, X25519], "X25519", False),
        ("", f"X25519:{NAME}", [HYBRID, X25519], "X25519", False),
    ],
)
def test_group_chosen_and_asked_for(
    ours: str, theirs: str, shares: list[int], chosen: str, retried: bool
) -> None:
    link = links.make_link()
    for ssl, names in ((link.client, ours), (link.server, theirs)):
        if names:
            assert p.SSL_set1_groups_list(ssl, names) == 1
    assert p.SSL_do_handshake(link.client) == -1
    sent = links.take(link.client_out)
    assert [group for group, _ in hello_in(sent).shares()] == shares
    links.put(link.server_in, sent)
    p.SSL_do_handshake(link.server)
    back = links.take(link.server_out)
    assert (RETRY in back) == retried
    links.put(link.client_in, back)

    link.established()

    for ssl in (link.client, link.server):
        assert p.SSL_get0_group_name(ssl) == chosen
    link.send(link.client, b"there")
    link.send(link.server, b"and back")


@clause("RFC 8446 4.1.2")
def test_client_asked_for_the_hybrid_sends_that_share_alone() -> None:
    link = links.make_link()
    assert p.SSL_set1_groups_list(link.client, f"X25519:{NAME}") == 1
    assert p.SSL_set1_groups_list(link.server, NAME) == 1
    for ssl in (link.client, link.server):
        assert p.SSL_do_handshake(ssl) == -1
        link.move()
    assert p.SSL_do_handshake(link.client) == -1
    again = hello_in(links.take(link.client_out))

    assert [(g, len(key)) for g, key in again.shares()] == [(HYBRID, 1216)]


def test_number_of_the_group_is_that_of_a_group_without_a_nid() -> None:
    link = links.connected()

    # SSL_get_negotiated_group(3): TLSEXT_nid_unknown and the code point.
    for ssl in (link.client, link.server):
        assert p.SSL_get_negotiated_group(ssl) == 0x01000000 | HYBRID


@clause("CIPH-4", "RFC 8446 4.2.7")
def test_tls_1_2_goes_on_with_x25519() -> None:
    contexts = links.make_contexts()
    number = p.TLS1_2_VERSION
    assert p.SSL_CTX_set_max_proto_version(contexts[1], number) == 1
    link = links.MemLink(*links.make_ends(*contexts))

    link.established()

    assert p.SSL_get_version(link.client) == "TLSv1.2"
    for ssl in (link.client, link.server):
        assert p.SSL_get0_group_name(ssl) == "X25519"


@clause("RFC 8446 4.2.9")
def test_resumption_makes_a_new_hybrid_secret() -> None:
    contexts = links.make_contexts()
    link = links.MemLink(*links.make_ends(*contexts))
    link.established()
    link.send(link.server, b"and the tickets before it")
    session = p.SSL_get1_session(link.client)

    again = links.MemLink(*links.make_ends(*contexts))
    assert p.SSL_set_session(again.client, session) == 1
    again.established()

    for ssl in (again.client, again.server):
        assert p.SSL_session_reused(ssl) == 1
        assert p.SSL_get0_group_name(ssl) == NAME


# ---- with the forge: another ML-KEM ----------------------------------------


@clause("RFC 8446 4.2.8", "draft-ietf-tls-ecdhe-mlkem 4")
@needs_forge
@pytest.mark.parametrize("fragment", [1, 100, 16384])
@pytest.mark.parametrize("retry", [None, HYBRID, P256])
def test_client_agrees_with_the_forge(retry: Any, fragment: int) -> None:
    forge = ForgeServer(
        ca.leaf(), group=None if retry else HYBRID, retry=retry
    )
    forge.fragment = fragment
    victim = client(forge)
    if retry == HYBRID:
        assert p.SSL_set1_groups_list(victim.ssl, f"X25519:{NAME}") == 1

    assert victim.handshake() == (1, 0), links.reasons()

    name = "P-256" if retry == P256 else NAME
    assert p.SSL_get0_group_name(victim.ssl) == name
    works(victim)


@clause("RFC 8446 5.1", "RFC 8446 4.2.8", "draft-ietf-tls-ecdhe-mlkem 4")
@needs_forge
@pytest.mark.parametrize("fragment", [1, 100, 16384])
@pytest.mark.parametrize(
    ("offer", "groups"),
    [
        ([HYBRID, X25519], ""),
        ([X25519], NAME),  # into the hybrid
        ([HYBRID], "P-256"),  # out of it
    ],
)
def test_server_agrees_with_the_forge(
    offer: list[int], groups: str, fragment: int
) -> None:
    forge = ForgeClient(groups=[HYBRID, X25519, P256], shares=offer)
    forge.fragment = fragment
    victim = server(forge)
    if groups:
        assert p.SSL_set1_groups_list(victim.ssl, groups) == 1
    forge.start()
    victim.deliver()

    assert victim.handshake() == (1, 0), links.reasons()

    assert p.SSL_get0_group_name(victim.ssl) == (groups or NAME)
    assert (forge.retry is not None) == bool(groups)
    works(victim)


def unreduced(public: bytes, at: int) -> bytes:
    """Put q itself in the place of a coefficient (FIPS 203 7.2)."""
    low, high = 3 * (at // 2), 3329
    whole = int.from_bytes(public[low : low + 3], "little")
    shift = 12 * (at % 2)
    whole = whole & ~(0xFFF << shift) | high << shift
    return public[:low] + whole.to_bytes(3, "little") + public[low + 3 :]


def shares_of_a_client() -> dict[str, bytes]:
    """Give shares that no client may send."""
    good = keys.Share(HYBRID).public
    return {
        "cut": good[:-1],
        "long": good + b"\0",
        "KEM half alone": good[:1184],
        "X25519 half alone": good[1184:],
        "one octet": b"\x04",
        "as a server's": good[:1088] + good[1184:],
        "KEM half of ML-KEM-1024": good[:1184] + bytes(384) + good[1184:],
        "all ones": b"\xff" * 1184 + good[1184:],
        "first coefficient q": unreduced(good, 0),
        "last coefficient q": unreduced(good, 767),
        "X25519 half of zeros": good[:1184] + bytes(32),
        "X25519 half of order two": good[:1184] + b"\x01" + bytes(31),
    }


def hello_with(name: str, share: bytes) -> Any:
    """Put a hybrid share into a hello."""
    return bend.put(name, m.KEY_SHARE, m.client_shares([(HYBRID, share)]))


def refusals() -> list[Case]:
    """Give rows of shares that a server refuses, in both hellos."""
    if not keys.has_hybrid():
        return []
    once = {"groups": [HYBRID], "shares": [HYBRID]}
    again = {"groups": [X25519, HYBRID], "shares": [X25519]}

    def only(ssl: p.SSL) -> None:
        assert p.SSL_set1_groups_list(ssl, NAME) == 1

    rows = []
    for name, share in shares_of_a_client().items():
        first, second = hello_with(CH, share), hello_with(CH2, share)
        rows += [
            Case("4.2.8", name, first, ILLEGAL, None, CLEAR, forge=once),
            Case(
                "4.2.8",
                f"{name} after a retry",
                second,
                ILLEGAL,
                None,
                CLEAR,
                forge=again,
                prepare=only,
            ),
        ]
    empty = hello_with(CH, b"")
    rows.append(Case("4.2.8", "empty", empty, DECODE, None, CLEAR, forge=once))
    return rows


@table(refusals())
@needs_forge
def test_server_refuses_a_wrong_hybrid_share(case: Case) -> None:
    check(case, as_server=True)


def shares_of_a_server() -> dict[str, bytes]:
    """Give shares that no server may send."""
    public = keys.Share(X25519).public
    return {
        "cut": bytes(1088) + public[:-1],
        "long": bytes(1088) + public + b"\0",
        "KEM half alone": bytes(1088),
        "X25519 half alone": public,
        "one octet": b"\x04",
        "as a client's": bytes(1184) + public,
        "X25519 half of zeros": bytes(1088 + 32),
        "X25519 half of order two": bytes(1088) + b"\x01" + bytes(31),
    }


@table(
    Case(
        "4.2.8",
        name,
        bend.put(SH, m.KEY_SHARE, m.server_share(HYBRID, share)),
        ILLEGAL,
        None,
        CLEAR,
        forge={"group": HYBRID},
    )
    for name, share in shares_of_a_server().items()
)
@needs_forge
def test_client_refuses_a_wrong_hybrid_share(case: Case) -> None:
    check(case, as_server=False)


@clause("RFC 8446 4.1.4", "RFC 8446 4.2.8")
@pytest.mark.parametrize("group", [HYBRID, X25519])
def test_client_refuses_a_retry_for_a_share_it_sent(group: int) -> None:
    forge = ForgeServer(ca.leaf(), retry=group)
    victim = client(forge)

    result = victim.handshake()

    refused(victim, result, ILLEGAL, None, CLEAR)


@clause("RFC 8446 4.2.8", "draft-ietf-tls-ecdhe-mlkem 4.2")
def test_changed_ciphertext_is_seen_by_the_first_record() -> None:
    link = links.make_link(version=p.TLS1_3_VERSION)
    assert p.SSL_do_handshake(link.client) == -1
    link.move()
    assert p.SSL_do_handshake(link.server) == -1
    flight = bytearray(links.take(link.server_out))
    share = flight.index(m.u16(HYBRID) + m.u16(1120)) + 4
    flight[share + 1087] ^= 1
    links.put(link.client_in, bytes(flight))

    # FIPS 203 6.3: decapsulation gives another secret, and says nothing.
    ret = p.SSL_do_handshake(link.client)
    assert links.outcome(link.client, ret) == (-1, p.SSL_ERROR_SSL)
    assert BAD_MAC in links.ssl_reasons()


# ---- the vector, and pieces -----------------------------------------------


@clause("RFC 8446 4.2.8", "draft-ietf-tls-ecdhe-mlkem 4")
def test_handshake_with_the_keys_of_the_vector_sends_its_shares() -> None:
    vector = vectors("x25519mlkem768")["vectors"][0]
    mine, theirs = unhex(vector["client"]), unhex(vector["server"])
    for private in (
        mine["mlkem768_d"] + mine["mlkem768_z"] + mine["x25519_private"],
        theirs["mlkem768_m"] + theirs["x25519_private"],
    ):
        lib.pys_test_put_share(HYBRID, private, len(private))
    pair = raw.Pair()

    assert pair.client.handshake() == lib.PYS_IO_WANT_READ
    assert mine["key_share"] in bytes(pair.server.inbox)
    assert pair.server.handshake() == lib.PYS_IO_WANT_READ
    assert theirs["key_share"] in bytes(pair.client.inbox)
    assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE)
    pair.exchange(b"under the secret of both")


def _server_of(*groups: int) -> Any:
    """Make settings of a server that has these groups."""
    settings = raw.make_settings(True)
    ids = ffi.new("uint16_t[]", groups)
    kind = lib.PYS_KIND_GROUP
    assert lib.pys_settings_set_list(settings, kind, ids, len(groups))
    return settings


@clause("HS-10", "HS-20", "RFC 8446 5.1")
@pytest.mark.parametrize("retry", [False, True], ids=["direct", "retry"])
def test_hello_split_at_every_byte_completes(retry: bool) -> None:
    settings = None
    if retry:
        settings = (raw.shared_settings(False), _server_of(P256))
    whole = raw.Pair(settings=settings)
    assert whole.client.handshake() == lib.PYS_IO_WANT_READ
    size = len(whole.server.inbox)
    assert size > SEGMENT
    for at in range(1, size):
        pair = raw.Pair(settings=settings)
        assert pair.client.handshake() == lib.PYS_IO_WANT_READ
        rest = bytes(pair.server.inbox[at:])
        del pair.server.inbox[at:]
        assert pair.server.handshake() == lib.PYS_IO_WANT_READ
        assert pair.client.inbox == b"", at
        pair.server.inbox += rest
        assert pair.handshake() == (lib.PYS_IO_DONE, lib.PYS_IO_DONE), at
