"""Verification of a peer's chain: results, events, names, alerts."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pyssl import const
from pyssl._ffi import ffi, lib
from tests.clauses import clause
from tests.pki.ca import (
    KINDS,
    Identity,
    authority,
    intermediate,
    leaf,
    revocations,
)
from tests.pki.core import new_cert, new_trust, try_verify, verify

OUT_OF_MEMORY_TRIES = 40
DAY = 86400

UNTRUSTED = 20
CRL_CHECK, CRL_CHECK_ALL, PARTIAL_CHAIN = 0x4, 0x8, 0x80000
NO_WILDCARDS, NEVER_SUBJECT = 0x2, 0x20


def trust_of(made: Identity) -> Any:
    """Trust the root of a chain."""
    return new_trust(made.ca_pem)


@clause("VFY-13")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("server", [True, False])
def test_verify_of_a_good_chain_of_every_kind_is_ok(
    kind: str, server: bool
) -> None:
    above = intermediate(kind, issuer=authority(kind))
    made = leaf(kind, issuer=above)

    verdict = verify(made.chain_der, trust_of(made), server=server)
    assert (verdict.result, verdict.depth, verdict.peername) == (0, -1, "")
    assert verdict.events == [(1, 0, 2), (1, 0, 1), (1, 0, 0)]


@clause("VFY-16")
def test_verify_without_trust_gives_both_errors_of_the_leaf() -> None:
    for trust in (None, new_trust(), new_trust(authority("rsa").cert_pem)):
        verdict = verify(leaf().chain_der, trust)
        assert verdict.result == UNTRUSTED
        assert verdict.depth == 0
        assert verdict.errors == [(20, 0), (21, 0)]


@clause("VFY-16")
def test_verify_of_self_signed_certificates_without_trust_fails() -> None:
    alone = verify([leaf(self_signed=True).cert_der])
    assert (alone.result, alone.depth) == (18, 0)

    sent = [leaf().cert_der, authority().cert_der]
    verdict = verify(sent)
    assert (verdict.result, verdict.depth) == (19, 1)
    assert verify(sent, new_trust(authority().cert_pem)).result == 0


@clause("VFY-16")
def test_verify_events_go_from_the_deepest_to_the_leaf() -> None:
    made = leaf(issuer=intermediate(expired=True))

    verdict = verify(made.chain_der, trust_of(made))
    assert [depth for _, _, depth in verdict.events] == [2, 1, 1, 0]
    assert verdict.errors == [(10, 1)]
    assert (verdict.result, verdict.depth) == (10, 1)


FLAWS: list[tuple[dict[str, Any], int, int]] = [
    ({"expired": True}, const.X509_V_ERR_CERT_HAS_EXPIRED, 45),
    ({"not_yet_valid": True}, const.X509_V_ERR_CERT_NOT_YET_VALID, 42),
    ({"bad_signature": True}, const.X509_V_ERR_CERT_SIGNATURE_FAILURE, 51),
    ({"eku": ("client",)}, const.X509_V_ERR_INVALID_PURPOSE, 43),
    ({"eku": ("code",)}, const.X509_V_ERR_INVALID_PURPOSE, 43),
    (
        {"issuer": intermediate(ca=False)},
        const.X509_V_ERR_INVALID_CA,
        48,
    ),
    (
        {"issuer": intermediate(key_usage=("digital_signature",))},
        const.X509_V_ERR_INVALID_CA,
        48,
    ),
    (
        {
            "issuer": intermediate(
                issuer=authority(name="short root", path_length=0),
                name="one too many",
            )
        },
        const.X509_V_ERR_PATH_LENGTH_EXCEEDED,
        48,
    ),
    (
        {
            "issuer": intermediate(
                name="below",
                issuer=intermediate(name="no CA below", path_length=0),
            )
        },
        const.X509_V_ERR_PATH_LENGTH_EXCEEDED,
        48,
    ),
]


@clause("VFY-16", "VFY-17")
@pytest.mark.parametrize(("flaw", "result", "alert"), FLAWS)
def test_verify_of_a_flaw_gives_its_result_and_alert(
    flaw: dict[str, Any], result: int, alert: int
) -> None:
    made = leaf(**flaw)

    verdict = verify(made.chain_der, trust_of(made))
    assert verdict.result == result
    assert verdict.depth >= 0
    assert lib.pys_test_verify_alert(result) == alert


@clause("VFY-16")
def test_verify_of_a_client_asks_for_client_auth() -> None:
    made = leaf(eku=("server",))

    assert verify(made.chain_der, trust_of(made)).result == 0
    verdict = verify(made.chain_der, trust_of(made), server=False)
    assert verdict.result == const.X509_V_ERR_INVALID_PURPOSE


@clause("VFY-13")
def test_verify_result_is_the_first_error_and_the_last_is_noted() -> None:
    made = leaf(expired=True, eku=("client",))

    verdict = verify(made.chain_der, trust_of(made))
    assert verdict.result == const.X509_V_ERR_INVALID_PURPOSE
    assert verdict.errors == [(26, 0), (10, 0)]


@clause("VFY-16")
def test_verify_of_a_weak_key_depends_on_the_level() -> None:
    weak = leaf("rsa1024")
    below = leaf(issuer=intermediate("rsa1024", name="weak"))

    for made, result in ((weak, 66), (below, 67)):
        trust = trust_of(made)
        assert verify(made.chain_der, trust, level=1).result == 0
        assert verify(made.chain_der, trust, level=2).result == result
        assert lib.pys_test_verify_alert(result) == 42


@clause("VFY-16")
def test_verify_of_a_weak_hash_depends_on_the_level() -> None:
    made = leaf("rsa", issuer=intermediate("rsa", hash="sha1", name="old"))
    trust = trust_of(made)

    assert verify(made.chain_der, trust, level=1).result == (
        const.X509_V_ERR_CA_MD_TOO_WEAK
    )
    assert verify(made.chain_der, trust, level=0).result == 0
    good = leaf("rsa")
    assert verify(good.chain_der, trust_of(good), level=2).result == 0
    assert verify(good.chain_der, trust_of(good), level=3).result == (
        const.X509_V_ERR_EE_KEY_TOO_SMALL
    )


@clause("VFY-6")
def test_verify_depth_counts_intermediates_alone() -> None:
    near, far = leaf(), leaf(issuer=intermediate())
    trust = trust_of(near)

    assert verify(near.chain_der, trust, depth=0).result == 0
    too_long = verify(far.chain_der, trust, depth=0)
    assert too_long.result == const.X509_V_ERR_CERT_CHAIN_TOO_LONG
    assert verify(far.chain_der, trust, depth=1).result == 0
    assert verify(far.chain_der, trust, depth=-1).result == 0


def test_verify_takes_its_time_from_the_clock() -> None:
    made = leaf(issuer=intermediate())
    trust = trust_of(made)
    now = time.time()

    for days, result in ((-3, 9), (0, 0), (300, 0), (400, 10)):
        lib.pys_test_set_now(int(now + days * DAY) * 1000)
        assert verify(made.chain_der, trust).result == result


def test_verify_builds_the_chain_whatever_the_order_and_the_extras() -> None:
    upper = intermediate(name="upper")
    made = leaf(issuer=intermediate(name="lower", issuer=upper))
    first, *rest = made.chain_der
    extra = [leaf("rsa").cert_der, authority("rsa").cert_der]
    trust = trust_of(made)

    assert verify([first, *extra, *reversed(rest)], trust).result == 0
    assert verify([first, rest[0]], trust).result == UNTRUSTED
    assert verify([first, rest[1]], trust).result == UNTRUSTED


def test_verify_trusts_no_intermediate_unless_told_so() -> None:
    made = leaf(issuer=intermediate())
    trust = new_trust(intermediate().cert_pem)

    verdict = verify([made.cert_der], trust)
    assert verdict.result == const.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
    assert lib.pys_trust_set_flags(trust, PARTIAL_CHAIN)
    assert verify([made.cert_der], trust).result == 0


def test_verify_of_a_chain_as_long_as_can_be_keeps_the_last_error() -> None:
    above = intermediate(name="ca 0", expired=True)
    for n in range(1, 70):
        above = intermediate(name=f"ca {n}", issuer=above, expired=True)
    made = leaf(issuer=above, expired=True)

    verdict = verify(made.chain_der, trust_of(made))
    assert verdict.result == 10
    assert verdict.depth == 70
    assert len(verdict.events) == 64
    assert verdict.events[-1] == (0, 10, 0)
    assert verify(made.chain_der, None).result == UNTRUSTED


def test_verify_of_two_cas_that_issue_each_other_ends() -> None:
    one = intermediate(name="one", key_label="one")
    two = intermediate(name="two", key_label="two", issuer=one)
    back = intermediate(name="one", key_label="one", issuer=two)
    made = leaf(issuer=two)

    sent = [made.cert_der, two.cert_der, back.cert_der]
    assert verify(sent).result == UNTRUSTED
    sent.insert(2, one.cert_der)
    assert verify(sent, trust_of(made)).result == 0


# ---- revocation -------------------------------------------------------------


@clause("VFY-16")
def test_verify_with_revocation_lists_refuses_what_they_name() -> None:
    root = authority(name="revoking root")
    good = leaf(issuer=root, serial=1001)
    gone = leaf(issuer=root, serial=1002)
    trust = new_trust(root.cert_pem + revocations(root, [1002]))

    assert verify(gone.chain_der, trust).result == 0  # nobody asked for it
    assert lib.pys_trust_set_flags(trust, CRL_CHECK | CRL_CHECK_ALL)
    assert verify(good.chain_der, trust).result == 0
    verdict = verify(gone.chain_der, trust)
    assert (verdict.result, verdict.depth) == (
        const.X509_V_ERR_CERT_REVOKED,
        0,
    )
    assert lib.pys_test_verify_alert(verdict.result) == 44


@clause("VFY-16")
def test_verify_with_a_missing_or_old_revocation_list_fails() -> None:
    root = authority(name="silent root")
    made = leaf(issuer=root)
    without = new_trust(root.cert_pem)
    old = new_trust(root.cert_pem, revocations(root, expired=True))

    for trust, result, alert in ((without, 3, 48), (old, 12, 45)):
        assert lib.pys_trust_set_flags(trust, CRL_CHECK)
        assert verify(made.chain_der, trust).result == result
        assert lib.pys_test_verify_alert(result) == alert


# ---- names ------------------------------------------------------------------


@clause("VFY-10", "VFY-12")
@pytest.mark.parametrize(
    ("names", "host", "matched"),
    [
        (("a.test",), "a.test", "a.test"),
        (("a.test",), "A.TeSt", "a.test"),
        (("a.test", "*.example.org"), "www.example.org", "*.example.org"),
        (("*.example.org",), "a.b.example.org", None),
        (("*.example.org",), "example.org", None),
        (("*.org",), "example.org", None),
        (("a.test",), "b.test", None),
        (("a.test",), "xa.test", None),
        (("a.test",), ".a.test", None),
        (("127.0.0.1",), "127.0.0.1", None),
    ],
)
def test_verify_of_a_host_name_matches_dns_names_alone(
    names: tuple[str, ...], host: str, matched: str | None
) -> None:
    made = leaf(names=names, ips=())

    verdict = verify(made.chain_der, trust_of(made), hosts=[host])
    assert verdict.peername == (matched or "")
    if matched is None:
        assert verdict.result in (62, 64)
        assert verdict.depth == 0
        assert lib.pys_test_verify_alert(verdict.result) == 42
    else:
        assert verdict.result == 0


@clause("VFY-10", "VFY-11")
@pytest.mark.parametrize(
    ("host", "result"),
    [
        ("192.0.2.7", 0),
        ("192.0.2.8", 64),
        ("2001:db8::1", 0),
        ("2001:0DB8:0:0::1", 0),
        ("2001:db8::2", 64),
        ("localhost", 62),
    ],
)
def test_verify_of_an_address_matches_addresses_alone(
    host: str, result: int
) -> None:
    made = leaf(names=("192.0.2.8",), ips=("192.0.2.7", "2001:db8::1"))

    verdict = verify(made.chain_der, trust_of(made), hosts=[host])
    assert verdict.result == result
    assert verdict.peername == ""


@clause("VFY-10", "VFY-11")
@pytest.mark.parametrize(
    ("hosts", "result", "matched"),
    [
        (["x.test", "a.test"], 0, "a.test"),
        (["a.test", "x.test"], 0, "a.test"),
        (["x.test", "y.test"], 62, ""),
        (["192.0.2.9", "192.0.2.7"], 0, ""),
        (["192.0.2.9", "192.0.2.8"], 64, ""),
        (["x.test", "192.0.2.7"], 0, ""),
        (["192.0.2.9", "a.test"], 0, "a.test"),
        (["192.0.2.9", "x.test"], 62, ""),
    ],
)
def test_verify_of_several_hosts_needs_one_of_them(
    hosts: list[str], result: int, matched: str
) -> None:
    made = leaf(names=("a.test", "b.test"), ips=("192.0.2.7",))

    verdict = verify(made.chain_der, trust_of(made), hosts=hosts)
    assert (verdict.result, verdict.peername) == (result, matched)


@clause("VFY-11")
def test_verify_obeys_the_host_flags() -> None:
    wild = leaf(names=("*.example.org",), ips=())
    bare = leaf(names=(), ips=(), common_name="a.test")
    www, a_test = ["www.example.org"], ["a.test"]

    for made, hosts, flags, result in (
        (wild, www, 0, 0),
        (wild, www, NO_WILDCARDS, 62),
        (bare, a_test, 0, 0),
        (bare, a_test, NEVER_SUBJECT, 62),
    ):
        verdict = verify(
            made.chain_der, trust_of(made), hosts=hosts, flags=flags
        )
        assert verdict.result == result


def test_verify_of_a_wrong_host_says_so_before_it_says_expired() -> None:
    made = leaf(expired=True)

    verdict = verify(made.chain_der, trust_of(made), hosts=["other.test"])
    assert verdict.errors == [(62, 0), (10, 0)]


def test_verify_finds_no_name_behind_a_null_byte() -> None:
    good = leaf(names=("a.test",), ips=())
    made = leaf(names=("a.test.evil.tst",), ips=())
    forged = made.cert_der.replace(b"a.test.evil.tst", b"a.test\0evil.tst")
    assert forged != made.cert_der

    for hosts in (["a.test"], ["a.test.evil.tst"]):
        verdict = verify([forged], trust_of(made), hosts=hosts)
        assert verdict.result == 62
    assert verify(good.chain_der, trust_of(good), hosts=["a.test"]).result == 0


@pytest.mark.parametrize(
    "host", [b"", b"a\0b", b"\0", b"x" * 256, b"a.test\0"]
)
def test_verify_of_a_name_that_is_none_does_not_run(host: bytes) -> None:
    ran, verdict = try_verify(leaf().chain_der, trust_of(leaf()), hosts=[host])
    assert not ran
    assert verdict.result != 0


def test_verify_takes_no_more_hosts_than_its_limit() -> None:
    names = [f"h{n}.test" for n in range(31)]

    good = verify(
        leaf().chain_der, trust_of(leaf()), hosts=[*names, "localhost"]
    )
    assert good.result == 0
    ran, _ = try_verify(
        leaf().chain_der, trust_of(leaf()), hosts=[*names, "x", "localhost"]
    )
    assert not ran


# ---- failing closed ---------------------------------------------------------


def test_verify_of_no_certificate_does_not_run() -> None:
    ran, verdict = try_verify([], trust_of(leaf()))

    assert not ran
    assert verdict.result != 0


def test_verify_when_memory_is_short_does_not_pass() -> None:
    made = leaf(issuer=intermediate())
    trust = trust_of(made)
    passed = False

    for n in range(1, OUT_OF_MEMORY_TRIES):
        certs = [new_cert(der) for der in made.chain_der]
        lib.pys_test_fail_alloc(n)
        ran, verdict = run(certs, trust)
        lib.pys_test_fail_alloc(0)
        assert ran == (verdict.result == 0)
        passed = passed or ran
    assert passed


def run(certs: list[Any], trust: Any) -> tuple[bool, Any]:
    """Verify decoded certificates for localhost."""
    name = ffi.from_buffer("char[]", b"localhost")
    kept = (
        ffi.new("pys_cert *[]", certs),
        ffi.new("char *[]", [name]),
        ffi.new("size_t[]", [9]),
    )
    job = ffi.new("pys_test_job *")
    job.trust, job.chain, job.n_chain = trust, kept[0], len(certs)
    job.server, job.depth, job.security_level = True, -1, 1
    job.hosts, job.host_lens, job.n_hosts = kept[1], kept[2], 1
    out = ffi.new("pys_test_verdict *")
    return bool(lib.pys_test_verify(job, out)), out


# ---- the table --------------------------------------------------------------

ALERTS = {
    80: [0, 1, 17, 69, 70],
    48: [2, 3, 18, 19, 20, 21, 22, 25, 33, 79],
    42: [4, 5, 6, 9, 11, 13, 14, 15, 16, 27, 28, 62, 63, 64, 66, 67, 68, 94],
    51: [7, 8],
    45: [10, 12],
    44: [23],
    46: [24, 34, 47, 48, 51, 52, 53, 65, 71, 78, 80, 93, 95, 1000, -1],
    43: [26],
    40: [50],
}


@clause("VFY-16", "VFY-17")
@pytest.mark.parametrize(
    ("result", "alert"),
    [(result, alert) for alert, found in ALERTS.items() for result in found],
)
def test_verify_alert_is_that_of_the_table(result: int, alert: int) -> None:
    assert lib.pys_test_verify_alert(result) == alert


def test_verify_text_is_libcryptos() -> None:
    words = {
        result: ffi.string(lib.pys_verify_text(result)).decode()
        for result in (0, 10, 62, 12345)
    }

    assert words[0] == "ok"
    assert words[10] == "certificate has expired"
    assert words[62].lower() == "hostname mismatch"
    assert "unknown" in words[12345]
