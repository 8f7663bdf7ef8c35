"""Control strings of SSL_CTX_set_cipher_list(3): contract section 6.8."""

from __future__ import annotations

import ssl as stdlib
from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    connected,
    make_contexts,
    make_ends,
    reasons,
)
from tests.clauses import clause

EA256 = "ECDHE-ECDSA-AES256-GCM-SHA384"
RA256 = "ECDHE-RSA-AES256-GCM-SHA384"
ECHA = "ECDHE-ECDSA-CHACHA20-POLY1305"
RCHA = "ECDHE-RSA-CHACHA20-POLY1305"
EA128 = "ECDHE-ECDSA-AES128-GCM-SHA256"
RA128 = "ECDHE-RSA-AES128-GCM-SHA256"
PA256 = "ECDHE-PSK-AES256-GCM-SHA384"
PCHA = "ECDHE-PSK-CHACHA20-POLY1305"
PA128 = "ECDHE-PSK-AES128-GCM-SHA256"
PSK = [PA256, PCHA, PA128]
CERT = [EA256, RA256, ECHA, RCHA, EA128, RA128]
ALL = [*CERT, *PSK]
TLS13 = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
]

CHOICES = {
    "DEFAULT": ALL,
    "ALL": ALL,
    "HIGH": ALL,
    "TLSv1.2": ALL,
    "ECDHE": CERT,
    "EECDH": CERT,
    "AES": [EA256, RA256, EA128, RA128, PA256, PA128],
    "AESGCM": [EA256, RA256, EA128, RA128, PA256, PA128],
    "AES128": [EA128, RA128, PA128],
    "AES256": [EA256, RA256, PA256],
    "CHACHA20": [ECHA, RCHA, PCHA],
    "PSK": PSK,
    "aPSK": PSK,
    "kECDHEPSK": PSK,
    "kPSK:PSK+CHACHA20": [PCHA],
    f"{PA128}:{PCHA}": [PA128, PCHA],
    "ALL:!PSK": CERT,
    "PSK:ECDHE+CHACHA20": [*PSK, ECHA, RCHA],
    "ECDSA": [EA256, ECHA, EA128],
    "aECDSA": [EA256, ECHA, EA128],
    "aRSA": [RA256, RCHA, RA128],
    RCHA: [RCHA],
    f"{RA128}:{EA256}": [RA128, EA256],
    f"{RA128};{EA256},{ECHA} {RCHA}": [RA128, EA256, ECHA, RCHA],
    "::ALL::": ALL,
    f"{EA128}:ALL": [EA128, EA256, RA256, ECHA, RCHA, RA128, *PSK],
    "ECDHE+CHACHA20:ECDHE+AESGCM": [
        ECHA,
        RCHA,
        EA256,
        RA256,
        EA128,
        RA128,
    ],
    "ALL:ALL": ALL,
    "ALL:-AES256": [ECHA, RCHA, EA128, RA128, PCHA, PA128],
    "ALL:-AES256:AES256": [
        *[ECHA, RCHA, EA128, RA128, PCHA, PA128],
        *[EA256, RA256, PA256],
    ],
    "ALL:!AES256:AES256": [ECHA, RCHA, EA128, RA128, PCHA, PA128],
    "!AES256:ALL": [ECHA, RCHA, EA128, RA128, PCHA, PA128],
    "ALL:+AES256": [
        *[ECHA, RCHA, EA128, RA128, PCHA, PA128],
        *[EA256, RA256, PA256],
    ],
    "+AES256:ALL": ALL,
    f"{RA128}:ALL:-ALL:ALL": [
        RA128,
        *[EA256, RA256, ECHA, RCHA, EA128],
        *PSK,
    ],
    "ECDHE+AESGCM": [EA256, RA256, EA128, RA128],
    "ECDHE+AESGCM+aRSA": [RA256, RA128],
    "ALL:-aRSA+AES": [EA256, ECHA, RCHA, EA128, *PSK],
    "ALL:!aECDSA": [RA256, RCHA, RA128, *PSK],
    "ECDHE:+CHACHA20:@STRENGTH": CERT,
    "AES128:ALL:@STRENGTH": [
        *[EA256, RA256, ECHA, RCHA, PA256, PCHA],
        *[EA128, RA128, PA128],
    ],
    "AES128:CHACHA20@STRENGTH": [ECHA, RCHA, PCHA, EA128, RA128, PA128],
    "DEFAULT:!CHACHA20": [EA256, RA256, EA128, RA128, PA256, PA128],
    "DEFAULT:-ECDHE:aRSA": [*PSK, RA256, RCHA, RA128],
    "ALL:!aNULL:!eNULL:!NULL:!PSK:!kRSA:!RSA:!MD5:!RC4:!DSS": CERT,
    "ALL:NO_SUCH:ECDHE+NO_SUCH": ALL,
    "NO_SUCH:AES128": [EA128, RA128, PA128],
    "MEDIUM:AES128": [EA128, RA128, PA128],
    "AES128:DEFAULT": [EA128, RA128, PA128],
    "AES128:TLS_AES_256_GCM_SHA384": [EA128, RA128, PA128],
    "ALL:A$junk:!aRSA": [EA256, ECHA, EA128, *PSK],
}


def names(it: Any, version: str = "TLSv1.2") -> list[str]:
    """Give the suites of one version."""
    return [
        cipher.get_name()
        for cipher in it.get_ciphers()
        if cipher.get_version() == version
    ]


def by_another_library(text: str) -> list[str]:
    """Give those of our suites that another implementation chooses.

    It keeps those of a PSK to itself while it has none.
    """
    ctx = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    ctx.set_ciphers(text)
    found = [cipher["name"] for cipher in ctx.get_ciphers()]
    return [name for name in found if name in CERT]


@clause("CIPH-1", "CIPH-2")
@pytest.mark.parametrize("text", CHOICES)
def test_cipher_list_chooses_in_the_order_of_the_string(text: str) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    before = list(TLS13)

    assert p.SSL_CTX_set_cipher_list(ctx, text) == 1
    assert names(ctx) == CHOICES[text]
    assert names(ctx, "TLSv1.3") == before
    assert reasons() == []


@clause("CIPH-1")
@pytest.mark.parametrize("text", CHOICES)
def test_cipher_list_chooses_as_another_implementation(text: str) -> None:
    ctx = p.SSL_CTX(p.TLS_method())

    assert p.SSL_CTX_set_cipher_list(ctx, text) == 1
    chosen = [name for name in names(ctx) if name not in PSK]
    assert chosen == by_another_library(text)


@clause("CIPH-1", "CIPH-2")
@pytest.mark.parametrize("holder", ["ctx", "ssl"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "NO_SUCH",
        "MEDIUM",
        "aNULL:eNULL:NULL:kPSK:kRSA:RSA",
        "SHA256:SHA384",
        "ALL:!ALL",
        "ALL:-ALL",
        "ALL:!ECDHE:!PSK:ALL",
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
        "AES128+AES256",
        "ecdhe",
        "-ALL",
        "+ALL",
        "@STRENGTH",
        "@SECLEVEL=3",
        f"{EA256}X",
    ],
)
def test_cipher_list_that_leaves_nothing_is_refused(
    text: str, holder: str
) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    it: Any = ctx if holder == "ctx" else p.SSL(ctx)
    assert it.set_cipher_list(RA128) == 1

    assert it.set_cipher_list(text) == 0
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_NO_CIPHER_MATCH)]
    assert names(it) == [RA128]
    assert it.get_security_level() == 2


@clause("CIPH-1")
@pytest.mark.parametrize(
    "text",
    [
        "ALL@FOO",
        "ALL:@FOO",
        "@strength",
        "@SECLEVEL=6:ALL",
        "@SECLEVEL=:ALL",
        "@SECLEVEL=11:ALL",
        "@",
        "!",
        "-",
        "+",
        "ALL:!:AES",
        "ECDHE+",
        "$",
        "ALL:AES128$",
    ],
)
def test_malformed_cipher_list_is_an_invalid_command(text: str) -> None:
    ctx = p.SSL_CTX(p.TLS_method())

    assert p.SSL_CTX_set_cipher_list(ctx, text) == 0
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_INVALID_COMMAND)]
    assert names(ctx) == ALL
    assert ctx.get_security_level() == 2


@clause("CIPH-1")
@pytest.mark.parametrize("text", [None, b"ALL", 3])
def test_cipher_list_of_another_type_is_a_type_error(text: Any) -> None:
    with pytest.raises(TypeError):
        p.SSL_CTX(p.TLS_method()).set_cipher_list(text)


@clause("CIPH-1")
@pytest.mark.parametrize("level", range(6))
def test_cipher_list_sets_the_security_level(level: int) -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    assert p.SSL_CTX_set_cipher_list(ctx, f"DEFAULT@SECLEVEL={level}") == 1
    assert p.SSL_CTX_get_security_level(ctx) == level


@clause("CIPH-2", "CIPH-3")
def test_either_list_leaves_the_other_version_alone() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    assert p.SSL_CTX_set_cipher_list(ctx, "CHACHA20") == 1
    assert p.SSL_CTX_set_ciphersuites(ctx, TLS13[2]) == 1
    assert [c.get_name() for c in p.SSL_CTX_get_ciphers(ctx)] == [
        TLS13[2],
        ECHA,
        RCHA,
        PCHA,
    ]
    assert p.SSL_CTX_set_cipher_list(ctx, EA128) == 1
    assert [c.get_name() for c in p.SSL_CTX_get_ciphers(ctx)] == [
        TLS13[2],
        EA128,
    ]
    assert p.SSL_CTX_set_ciphersuites(ctx, "") == 1
    assert [c.get_name() for c in p.SSL_CTX_get_ciphers(ctx)] == [EA128]


@clause("CIPH-3")
def test_ciphersuites_do_not_know_suites_of_tls12() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    assert p.SSL_CTX_set_ciphersuites(ctx, RA128) == 0
    assert reasons() == [(p.ERR_LIB_SSL, p.SSL_R_NO_CIPHER_MATCH)]


@clause("CIPH-1", "CTX-3")
def test_connection_has_a_list_of_its_own() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    assert p.SSL_CTX_set_cipher_list(ctx, "AES128") == 1
    ssl = p.SSL_new(ctx)
    assert ssl is not None
    assert p.SSL_set_cipher_list(ssl, "AES256") == 1
    assert p.SSL_CTX_set_cipher_list(ctx, "CHACHA20") == 1
    assert names(ssl) == [EA256, RA256, PA256]
    assert names(ctx) == [ECHA, RCHA, PCHA]
    assert [p.SSL_get_cipher_list(ssl, i) for i in (3, 4, 5, 6, -1)] == [
        EA256,
        RA256,
        PA256,
        None,
        None,
    ]


# ---- what they are for ------------------------------------------------------


@clause("CIPH-1", "CIPH-6", "OPT-2")
@pytest.mark.parametrize("preference", [False, True])
def test_order_decides_the_suite(preference: bool) -> None:
    client_ctx, server_ctx = make_contexts(version=p.TLS1_2_VERSION)
    p.SSL_CTX_set_cipher_list(client_ctx, f"{ECHA}:{EA128}:{EA256}")
    p.SSL_CTX_set_cipher_list(server_ctx, f"{EA256}:{EA128}:{ECHA}")
    if preference:
        p.SSL_CTX_set_options(server_ctx, p.SSL_OP_CIPHER_SERVER_PREFERENCE)
    link = connected(client_ctx=client_ctx, server_ctx=server_ctx)
    expected = EA256 if preference else ECHA
    for ssl in (link.client, link.server):
        assert p.SSL_get_cipher_name(ssl) == expected


@clause("CIPH-6", "HS-18")
def test_lists_that_do_not_meet_end_the_handshake() -> None:
    client, server = make_ends(version=p.TLS1_2_VERSION)
    p.SSL_set_cipher_list(client, EA128)
    p.SSL_set_cipher_list(server, EA256)
    results = MemLink(client, server).handshake()
    assert results[-2:] == [(-1, 1), (-1, 1)]
    assert reasons() == [(20, 1040)]


@clause("CIPH-2")
def test_list_of_tls12_does_not_touch_a_tls13_handshake() -> None:
    client, server = make_ends()
    p.SSL_set_cipher_list(client, EA128)
    p.SSL_set_cipher_list(server, EA256)
    MemLink(client, server).established()
    assert p.SSL_get_version(client) == "TLSv1.3"


FIELDS = {
    EA256: ("ECDSA", "AESGCM(256)", 256, 0xC02C),
    RA256: ("RSA", "AESGCM(256)", 256, 0xC030),
    ECHA: ("ECDSA", "CHACHA20/POLY1305(256)", 256, 0xCCA9),
    RCHA: ("RSA", "CHACHA20/POLY1305(256)", 256, 0xCCA8),
    EA128: ("ECDSA", "AESGCM(128)", 128, 0xC02B),
    RA128: ("RSA", "AESGCM(128)", 128, 0xC02F),
    PA256: ("PSK", "AESGCM(256)", 256, 0xD002),
    PCHA: ("PSK", "CHACHA20/POLY1305(256)", 256, 0xCCAC),
    PA128: ("PSK", "AESGCM(128)", 128, 0xD001),
}


@clause("CIPH-6")
@pytest.mark.parametrize("name", ALL)
def test_cipher_object_says_what_another_implementation_says(
    name: str,
) -> None:
    auth, enc, bits, id = FIELDS[name]
    cipher = p.SSL_CIPHER.find(id)
    assert cipher is not None
    assert p.SSL_CIPHER_get_name(cipher) == name
    assert p.SSL_CIPHER_get_bits(cipher) == (bits, bits)
    assert p.SSL_CIPHER_get_version(cipher) == "TLSv1.2"
    assert p.SSL_CIPHER_get_protocol_id(cipher) == id
    assert p.SSL_CIPHER_get_id(cipher) == 0x03000000 | id
    words = p.SSL_CIPHER_description(cipher).split()
    assert words == [
        name,
        "TLSv1.2",
        "Kx=ECDHEPSK" if auth == "PSK" else "Kx=ECDH",
        f"Au={auth}",
        f"Enc={enc}",
        "Mac=AEAD",
    ]
    standard = p.SSL_CIPHER_standard_name(cipher)
    assert standard.startswith(f"TLS_ECDHE_{auth}_WITH_")
    if name in (PA256, PA128):
        return  # RFC 8442, which it does not have
    ctx = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    ctx.set_ciphers(name)
    theirs = next(c for c in ctx.get_ciphers() if c["name"] == name)
    assert theirs["id"] == p.SSL_CIPHER_get_id(cipher)
    assert theirs["strength_bits"] == bits
    assert theirs["description"].split() == words
