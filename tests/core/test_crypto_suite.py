"""Tables of suites, groups and schemes."""

from __future__ import annotations

import ssl

import pytest

from tests.clauses import clause
from tests.core import crypto_core
from tests.core.crypto_core import GROUP, SCHEME, SUITE, Core

SUITES = {
    0x1302: ("TLS_AES_256_GCM_SHA384", 256),
    0x1303: ("TLS_CHACHA20_POLY1305_SHA256", 256),
    0x1301: ("TLS_AES_128_GCM_SHA256", 128),
}

# RFC 5289 3.2, RFC 7905 2: OpenSSL's name and the registry's.
SUITES_12 = {
    0xC02C: (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ),
    0xC030: (
        "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    ),
    0xCCA9: (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    0xCCA8: (
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    0xC02B: (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ),
    0xC02F: (
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    ),
    0xD002: (
        "ECDHE-PSK-AES256-GCM-SHA384",
        "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384",
    ),
    0xCCAC: (
        "ECDHE-PSK-CHACHA20-POLY1305",
        "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
    ),
    0xD001: (
        "ECDHE-PSK-AES128-GCM-SHA256",
        "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256",
    ),
}
GROUPS = {
    0x11EC: ["X25519MLKEM768"],
    0x001D: ["X25519"],
    0x0017: ["P-256", "prime256v1", "secp256r1"],
    0x0018: ["P-384", "secp384r1"],
    0x0019: ["P-521", "secp521r1"],
}
SCHEMES = {
    0x0403: ["ecdsa_secp256r1_sha256", "ECDSA+SHA256"],
    0x0807: ["ed25519"],
    0x0503: ["ecdsa_secp384r1_sha384", "ECDSA+SHA384"],
    0x0603: ["ecdsa_secp521r1_sha512", "ECDSA+SHA512"],
    0x0808: ["ed448"],
    0x0809: ["rsa_pss_pss_sha256"],
    0x080A: ["rsa_pss_pss_sha384"],
    0x080B: ["rsa_pss_pss_sha512"],
    0x0804: ["rsa_pss_rsae_sha256", "RSA-PSS+SHA256", "PSS+SHA256"],
    0x0805: ["rsa_pss_rsae_sha384", "RSA-PSS+SHA384", "PSS+SHA384"],
    0x0806: ["rsa_pss_rsae_sha512", "RSA-PSS+SHA512", "PSS+SHA512"],
    0x0401: ["rsa_pkcs1_sha256", "RSA+SHA256"],
    0x0501: ["rsa_pkcs1_sha384", "RSA+SHA384"],
    0x0601: ["rsa_pkcs1_sha512", "RSA+SHA512"],
}


@pytest.fixture(scope="module")
def core() -> Core:
    return crypto_core.core()


def _listed(core: Core, kind: int) -> list[int]:
    found: list[int] = []
    while at := core.lib.pys_id_at(kind, len(found)):
        found.append(at)
    assert core.lib.pys_id_at(kind, len(found) + 1) == 0
    return found


def _default(core: Core, kind: int) -> list[int]:
    out = core.ffi.new("uint16_t[32]")
    n = core.lib.pys_default_list(kind, out)
    return list(out)[:n]


def _id(core: Core, kind: int, name: str) -> int:
    return int(core.lib.pys_id_of(kind, name.encode()))


def _served(core: Core) -> list[int]:
    return [group for group in GROUPS if core.has(group)]


@clause("CIPH-3")
def test_suites_by_default_are_all_best_first(core) -> None:
    known = [*SUITES, *SUITES_12]
    assert _default(core, SUITE) == _listed(core, SUITE) == known


@clause("CIPH-2", "RFC 5289 3.2", "RFC 7905 2")
def test_suite_of_tls12_has_both_its_names(core) -> None:
    for number, (name, standard) in SUITES_12.items():
        assert _id(core, SUITE, name) == number
        assert core.text(core.lib.pys_name_of(SUITE, number)) == name
        found = core.text(core.lib.pys_suite_standard_name(number))
        assert found == standard
        assert core.lib.pys_suite_bits(number) in (128, 256)


@clause("CIPH-3")
def test_suite_is_found_by_its_exact_name_alone(core) -> None:
    for number, (name, _) in SUITES.items():
        assert _id(core, SUITE, name) == number
        assert core.text(core.lib.pys_name_of(SUITE, number)) == name
        assert _id(core, SUITE, name.lower()) == 0
        assert _id(core, SUITE, name[:-1]) == 0
        assert _id(core, SUITE, name + "X") == 0
    assert _id(core, SUITE, "") == 0
    assert _id(core, SUITE, "TLS_AES_128_CCM_SHA256") == 0


@clause("CIPH-6")
def test_suite_says_bits_standard_name_and_description(core) -> None:
    lib = core.lib
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs = {one["name"]: one for one in context.get_ciphers()}
    for number, (name, bits) in SUITES.items():
        assert lib.pys_suite_bits(number) == bits
        assert theirs[name]["strength_bits"] == bits
        assert core.text(lib.pys_suite_standard_name(number)) == name
        said = core.text(lib.pys_suite_description(number))
        assert said == theirs[name]["description"].rstrip("\n")


@pytest.mark.parametrize("number", [0, 0x1304, 0xC013, 0x11301, 1 << 31])
def test_suite_that_is_not_ours_has_nothing_to_say(core, number) -> None:
    lib = core.lib
    assert lib.pys_suite_bits(number) == 0
    assert core.text(lib.pys_suite_standard_name(number)) is None
    assert core.text(lib.pys_suite_description(number)) is None
    assert core.text(lib.pys_name_of(SUITE, number)) is None


@clause("RFC 8446 5.5")
def test_suite_limits_stay_below_the_rfcs(core) -> None:
    for number in SUITES:
        row = core.lib.pys_suite_find(number)
        assert row.version == 0x0304
        gcm = number != 0x1303
        assert 0 < row.limit <= (2**24.5 if gcm else 2**64 - 1)
        assert row.limit == (1 << 24 if gcm else 1 << 36)


@clause("RFC 8446 B.4")
def test_suite_has_the_hash_and_aead_of_its_name(core) -> None:
    rows = {n: core.lib.pys_suite_find(n) for n in SUITES}
    found = {n: (row.hash, row.aead) for n, row in rows.items()}

    assert found == {0x1302: (1, 1), 0x1303: (0, 2), 0x1301: (0, 0)}
    assert core.lib.pys_suite_find(0x1304) == core.ffi.NULL


@clause("CIPH-4")
def test_groups_by_default_are_what_libcrypto_serves(core) -> None:
    assert _default(core, GROUP) == _listed(core, GROUP) == _served(core)
    assert _served(core)[-4:] == [0x1D, 0x17, 0x18, 0x19]


@clause("CIPH-4")
def test_group_is_found_by_each_name_in_any_case(core) -> None:
    for number, names in GROUPS.items():
        want = number if core.has(number) else 0
        for name in names:
            assert _id(core, GROUP, name) == want
            assert _id(core, GROUP, name.upper()) == want
            assert _id(core, GROUP, name.lower()) == want
        assert core.text(core.lib.pys_name_of(GROUP, number)) == names[0]
    for name in ("", "X2551", "X255190", "P-", "P-224", "ffdhe2048"):
        assert _id(core, GROUP, name) == 0
    assert core.text(core.lib.pys_name_of(GROUP, 0x1001D)) is None


@clause("CIPH-5")
def test_schemes_by_default_are_all_best_first(core) -> None:
    assert _default(core, SCHEME) == _listed(core, SCHEME) == list(SCHEMES)


@clause("CIPH-5")
def test_scheme_is_found_by_each_name_in_any_case(core) -> None:
    for number, names in SCHEMES.items():
        for name in names:
            assert _id(core, SCHEME, name) == number
            assert _id(core, SCHEME, name.upper()) == number
            assert _id(core, SCHEME, name.lower()) == number
        assert core.text(core.lib.pys_name_of(SCHEME, number)) == names[0]
    for name in ("", "RSA", "RSA+SHA1", "ECDSA+SHA1", "ecdsa", "dsa+sha256"):
        assert _id(core, SCHEME, name) == 0
    assert core.text(core.lib.pys_name_of(SCHEME, 0x0203)) is None


@clause("RFC 8446 4.2.3", "PKCS1 is for certificates alone")
def test_schemes_of_pkcs1_alone_are_not_for_tls_13(core) -> None:
    for number in SCHEMES:
        row = core.lib.pys_scheme_find(number)
        assert row.tls13 == (number not in (0x0401, 0x0501, 0x0601))


def test_kind_that_does_not_exist_has_no_items(core) -> None:
    assert _listed(core, 3) == _default(core, 3) == []
    assert _id(core, 3, "X25519") == 0
    assert core.text(core.lib.pys_name_of(3, 0x1D)) is None
