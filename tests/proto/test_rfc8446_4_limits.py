"""RFC 8446 4: the largest that may come, and what is larger than we take."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import ForgeServer, bend, keys, messages as m
from tests.forge.victim import (
    APPLICATION,
    BAD_CERT,
    DECODE,
    HANDSHAKE,
    ILLEGAL,
    SIDES,
    Case,
    check,
    client,
    connected,
    dead,
    refused,
    table,
)
from tests.pki import ca

CH, CT = "client_hello", "certificate"

# Numbers that mean nothing to anybody here.
MANY = list(range(0x2000, 0x2000 + 28000))
NAMES = m.vec(2, m.vec(2, b"\x30\0") * 15000)


def hello(change: Any) -> Any:
    """Change a ClientHello; what change returns does not matter."""

    def edit(found: m.ClientHello) -> None:
        change(found)

    return bend.on(CH, edit)


@table(
    [
        Case(
            "4.1.2",
            "28000 suites",
            hello(lambda h: h.suites.__setitem__(slice(0, 0), MANY)),
        ),
        Case(
            "4.2",
            "14000 extensions",
            hello(
                lambda h: h.extensions.extend([(n, b"") for n in MANY[:14000]])
            ),
        ),
        Case(
            "4.1.2",
            "28000 suites and 15000 extensions",
            hello(
                lambda h: (
                    h.suites.__setitem__(slice(0, 0), MANY),
                    h.extensions.extend([(n, b"") for n in MANY[:15000]]),
                )
            ),
        ),
        Case(
            "4.2.1",
            "127 versions",
            hello(
                lambda h: h.put(
                    m.SUPPORTED_VERSIONS,
                    m.vec(1, m.u16s([*MANY[:126], 0x0304])),
                )
            ),
        ),
        Case(
            "4.2.7",
            "28000 groups",
            hello(
                lambda h: h.put(
                    m.SUPPORTED_GROUPS, m.vec(2, m.u16s([*MANY, 0x1D]))
                )
            ),
        ),
        Case(
            "4.2.3",
            "28000 schemes",
            hello(
                lambda h: h.put(
                    m.SIGNATURE_ALGORITHMS, m.vec(2, m.u16s([*MANY, 0x0403]))
                )
            ),
        ),
        Case(
            "4.2.3",
            "28000 schemes for certificates",
            hello(
                lambda h: h.put(
                    m.SIGNATURE_ALGORITHMS_CERT,
                    m.vec(2, m.u16s([*MANY, 0x0403])),
                )
            ),
        ),
        Case(
            "4.2",
            "9000 protocols",
            hello(
                lambda h: h.put(
                    m.ALPN, m.protocols([b"%05d" % i for i in range(9000)])
                )
            ),
        ),
        Case(
            "4.2.4",
            "15000 authorities",
            hello(lambda h: h.put(m.CERTIFICATE_AUTHORITIES, NAMES)),
        ),
        Case(
            "4.2.8",
            "5000 shares",
            hello(
                lambda h: (
                    h.put(
                        m.SUPPORTED_GROUPS,
                        m.vec(2, m.u16s([*MANY[:5000], 0x1D])),
                    ),
                    h.put(
                        m.KEY_SHARE,
                        m.client_shares(
                            [*((n, b"x") for n in MANY[:5000]), *h.shares()]
                        ),
                    ),
                )
            ),
        ),
    ]
)
def test_server_given_a_long_client_hello_completes(case: Case) -> None:
    check(case, as_server=True)


REQUEST: dict[str, Any] = {"request": [0x0403]}


@table(
    [
        Case(
            "4.2.2",
            "cookie of 65000 octets",
            forge={"cookie": b"c" * 65000},
            # No room in the second hello for a share of the hybrid.
            prepare=lambda ssl: p.SSL_set1_groups_list(ssl, "X25519"),
        ),
        Case(
            "4.3.2",
            "15000 authorities",
            bend.put("certificate_request", m.CERTIFICATE_AUTHORITIES, NAMES),
            forge=REQUEST,
        ),
        Case(
            "4.3.2",
            "28000 schemes",
            forge={"request": [*MANY, 0x0403]},
        ),
        Case(
            "4.2.7",
            "28000 groups of the server",
            bend.put(
                "encrypted_extensions",
                m.SUPPORTED_GROUPS,
                m.vec(2, m.u16s(MANY)),
            ),
        ),
        Case(
            "4.4.2",
            "ten certificates",
            bend.on(
                CT,
                lambda c: c.entries.extend([(ca.leaf().cert_der, [])] * 9),
            ),
        ),
    ]
)
def test_client_given_long_messages_completes(case: Case) -> None:
    check(case, as_server=False)


@table(
    [
        Case(
            "4.4.2",
            "two hundred certificates",
            bend.on(
                CT,
                lambda c: c.entries.extend([(ca.leaf().cert_der, [])] * 199),
            ),
            BAD_CERT,
        ),
        Case(
            "4.4.2",
            "certificate of 2^17 octets",
            bend.fields(CT, entries=[(bytes(1 << 17), [])]),
            (ILLEGAL, DECODE),
            p.SSL_R_EXCESSIVE_MESSAGE_SIZE,
        ),
    ]
)
def test_client_given_too_much_of_a_chain_aborts(case: Case) -> None:
    check(case, as_server=False)


def signed_as(scheme: int) -> Any:
    """Sign with a scheme that the key would not take by itself."""

    def make(peer: Any, _found: Any) -> list[m.CertificateVerify]:
        return [peer.signed(scheme)]

    return lambda forge: forge.on("certificate_verify", make)


@table(
    [
        Case(
            "4.2.3",
            "key on a curve without scheme",
            signed_as(0x0403),
            (ILLEGAL, 43),
            forge={"identity": ca.leaf("k256")},
            wishes={"server": ca.leaf()},
        ),
        Case(
            "4.4.2.4",
            "RSA key of 1024 bits",
            signed_as(0x0804),
            BAD_CERT,
            p.SSL_R_CERTIFICATE_VERIFY_FAILED,
            forge={"identity": ca.leaf("rsa1024")},
            ids=("VFY-16",),
        ),
    ]
)
def test_client_given_a_key_it_cannot_use_aborts(case: Case) -> None:
    check(case, as_server=False)


@clause("RFC 8446 4.2.2", "HS-18")
def test_client_given_a_cookie_that_does_not_fit_sends_no_part() -> None:
    # It goes back in a block of 2^16 - 1 octets, which has other extensions.
    forge = ForgeServer(ca.leaf(), cookie=b"c" * 65500)
    victim = client(forge)
    assert victim.handshake() == (-1, p.SSL_ERROR_SSL)
    assert links.reasons() != []
    assert len(forge.hellos) == 1
    assert [(a.level, a.epoch) for a in forge.alerts] == [(2, "clear")]
    dead(victim.peer)


@SIDES
@pytest.mark.parametrize("peek", [False, True])
@clause("RFC 8446 5.2", "RW-1")
def test_octets_of_a_record_that_is_not_authentic_are_never_seen(
    as_server: bool, peek: bool
) -> None:
    victim = connected(as_server=as_server)
    sealer = victim.forge.sealer
    whole = sealer.seal(b"secret" * 1000 + b"\x17")
    victim.forge.raw(whole[:-1] + bytes([whole[-1] ^ 1]))
    victim.deliver()
    buf = bytearray(20000)
    call = p.SSL_peek if peek else p.SSL_read
    result = links.outcome(victim.ssl, call(victim.ssl, buf))
    assert b"secret" not in buf
    victim.deliver()
    refused(victim, result, 20, 281, APPLICATION)


@clause("RFC 8446 4.2.8", "HS-18")
@pytest.mark.parametrize("group", [keys.P256, keys.P384, keys.P521])
def test_client_given_a_wrong_point_after_a_retry_aborts(group: int) -> None:
    wrong = bytearray(keys.Share(group).public)
    wrong[-1] ^= 1
    check(
        Case(
            "4.2.8.2",
            "off the curve",
            bend.put(
                "server_hello",
                m.KEY_SHARE,
                m.server_share(group, bytes(wrong)),
            ),
            ILLEGAL,
            None,
            "clear",
            forge={"retry": group},
        ),
        as_server=False,
    )


@clause("RFC 8446 4.4.4")
@pytest.mark.parametrize("suite", list(keys.SUITES))
@pytest.mark.parametrize("group", [keys.X25519, *keys.CURVES])
def test_every_suite_and_group_of_the_forge_works_on_both_sides(
    suite: int, group: int
) -> None:
    name = {0x1D: "X25519", 0x17: "P-256", 0x18: "P-384", 0x19: "P-521"}
    check(
        Case(
            "4",
            "client",
            epoch=HANDSHAKE,
            forge={"suite": suite},
            prepare=lambda ssl: p.SSL_set1_groups_list(ssl, name[group]),
        ),
        as_server=False,
    )
    check(
        Case("4", "server", forge={"suites": [suite], "groups": [group]}),
        as_server=True,
    )
