"""Chains that passed are remembered: when, how long, and when never.

Every case verifies with the memory on and compares with what the same job
says from scratch; the core counts what it answered from memory.
"""

from __future__ import annotations

import datetime as dt
import functools
import gc
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import pyssl as p
from pyssl._ffi import lib
from tests.api.links import MemLink, make_contexts, make_ends
from tests.clauses import clause
from tests.pki.ca import (
    Identity,
    authority,
    intermediate,
    leaf,
    pem,
    revocations,
)
from tests.pki.core import Fault, Verdict, new_cert, new_trust, try_verify

SECOND = 1000
MINUTES = 300 * SECOND  # how long a verdict is kept
CRL_CHECK, CRL_CHECK_ALL, PARTIAL_CHAIN = 0x4, 0x8, 0x80000
NO_WILDCARDS = 0x2
CERTIFICATE = 11  # RFC 8446 4


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Any:
    lib.pys_test_forget_certs()
    yield
    lib.pys_test_forget_certs()


@dataclass
class Job:
    """One verification, as `tests.pki.core.verify` takes it."""

    chain: Sequence[bytes]
    trust: Any
    how: dict[str, Any] = field(default_factory=dict)

    def run(self, remember: bool = True) -> tuple[Verdict, bool]:
        """Run it: the verdict, and whether that came from memory."""
        before = lib.pys_test_n_recalled()
        ran, verdict = try_verify(
            self.chain, self.trust, remember=remember, **self.how
        )
        assert ran
        return verdict, lib.pys_test_n_recalled() > before

    def but(self, **how: Any) -> Job:
        """Give the same with other arguments."""
        return Job(self.chain, self.trust, {**self.how, **how})

    def learn(self) -> Verdict:
        """Run it twice; the second time it must be known."""
        first, known = self.run()
        assert (first.result, known) == (0, False)
        assert self.run() == (first, True)
        return first

    def misses(self) -> bool:
        """Tell that it is not known, and that the truth comes out."""
        truth, _ = self.run(remember=False)
        verdict, known = self.run()
        assert verdict == truth
        return not known


def job(**how: Any) -> Job:
    """A good chain with an intermediate, for a wildcard name."""
    made = leaf(
        names=("*.example.org", "a.test"),
        ips=("192.0.2.7",),
        issuer=intermediate(),
    )
    how.setdefault("hosts", ["www.example.org"])
    return Job(made.chain_der, new_trust(made.ca_pem), how)


def now_ms() -> int:
    return int(time.time()) * SECOND


def put_clock(ms: int) -> None:
    lib.pys_test_set_now(ms)


# ---- what is known ----------------------------------------------------------


@clause("VFY-12", "VFY-13")
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"hosts": []},
        {"hosts": ["x.test", "a.test"]},
        {"hosts": ["192.0.2.7"]},
        {"server": False},
        {"depth": 1},
        {"level": 0},
        {"flags": 0x1},
    ],
)
def test_chain_seen_again_gives_the_same_verdict(how: dict[str, Any]) -> None:
    it = job(**how)
    fresh, known = it.run(remember=False)
    assert not known

    assert it.learn() == fresh
    assert fresh.events == [(1, 0, 2), (1, 0, 1), (1, 0, 0)]
    for _ in range(3):
        assert it.run() == (fresh, True)


@clause("VFY-12")
def test_chain_seen_again_gives_the_name_that_matched() -> None:
    assert job().learn().peername == "*.example.org"
    assert job(hosts=["A.test"]).learn().peername == "a.test"
    assert job(hosts=[]).learn().peername == ""


def test_chain_is_known_by_its_bytes_not_by_its_objects() -> None:
    it = job()
    it.learn()
    handles = [new_cert(bytes(bytearray(der))) for der in it.chain]

    assert it.run()[1]
    del handles
    gc.collect()
    assert it.run()[1]


def test_chain_of_one_certificate_under_a_trusted_one_is_known() -> None:
    made = leaf()
    Job(made.chain_der, new_trust(made.ca_pem), {"hosts": []}).learn()


def test_verdicts_of_a_few_peers_are_known_side_by_side() -> None:
    trust = new_trust(authority().cert_pem)
    jobs = [
        Job(leaf(names=(f"h{n}.test",)).chain_der, trust, {"hosts": []})
        for n in range(4)
    ]
    for it in jobs:
        it.learn()
    assert [it.run()[1] for it in jobs] == [True] * 4


# ---- what is another job ----------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        {"hosts": ["a.test"]},
        {"hosts": ["xww.example.org"]},
        {"hosts": ["www.example.or"]},
        {"hosts": ["www.example.org.evil.test"]},
        {"hosts": ["WWW.example.org"]},
        {"hosts": ["other.test"]},
        {"hosts": []},
        {"hosts": ["www.example.org", "a.test"]},
        {"hosts": ["www.example.org", "other.test"]},
        {"hosts": ["a.test", "www.example.org"]},
        {"hosts": ["www.example.org", "www.example.org"]},
        {"hosts": ["www", ".example.org"]},
        {"hosts": ["192.0.2.7"]},
        {"hosts": ["192.0.2.8"]},
        {"server": False},
        {"depth": 0},
        {"depth": 1},
        {"depth": 100},
        {"level": 0},
        {"level": 2},
        {"level": 3},
        {"level": 5},
        {"flags": NO_WILDCARDS},
        {"flags": 0x20},
    ],
)
def test_job_that_differs_in_one_thing_is_verified(
    how: dict[str, Any],
) -> None:
    it = job()
    it.learn()

    assert it.but(**how).misses()
    assert it.run()[1]  # and the first one is still known


def test_names_run_together_are_other_names() -> None:
    """No two lists of names may look alike to the digest."""
    it = job(hosts=["ab", "c", "a.test"])
    it.learn()

    for hosts in (["a", "bc", "a.test"], ["abc", "a.test"], ["ab", "ca.test"]):
        assert it.but(hosts=hosts).misses()


@functools.cache
def two_levels() -> tuple[bytes, ...]:
    """Leaf, lower and upper CA, without the root."""
    upper = intermediate(name="upper", key_label="upper")
    lower = intermediate(name="lower", key_label="lower", issuer=upper)
    return leaf(issuer=lower).chain_der


def test_chain_sent_in_another_way_is_verified() -> None:
    first, lower, upper = two_levels()
    root, foreign = authority().cert_der, authority("rsa").cert_der
    trust = new_trust(authority().cert_pem)
    sent = [first, lower, upper]
    Job(sent, trust).learn()

    others: list[tuple[list[bytes], int]] = [
        ([first, upper, lower], 0),
        ([lower, upper], 26),
        ([first, lower], 20),
        ([first, upper], 20),
        ([first], 20),
        ([*sent, root], 0),
        ([*sent, foreign], 0),
        ([first, foreign, lower, upper], 0),
        ([*sent, upper], 0),
        ([first, first, lower, upper], 0),
    ]
    for chain, result in others:
        it = Job(chain, trust)
        truth, _ = it.run(remember=False)
        if result != 26:  # a CA may serve, or not: what counts is the truth
            assert truth.result == result
        assert it.misses()
    assert Job(sent, trust).run()[1]


def test_chain_with_any_byte_changed_is_verified() -> None:
    """What does not decode never comes so far."""
    it = job()
    it.learn()
    tried = 0
    for which, der in enumerate(it.chain):
        for at in range(len(der)):
            changed = bytearray(der)
            changed[at] ^= 1
            sent = bytes(changed)
            fault = Fault()
            handle = lib.pys_cert_from_der(sent, len(sent), fault.c)
            if not handle:
                continue
            lib.pys_cert_free(handle)
            chain = list(it.chain)
            chain[which] = sent
            verdict, known = Job(chain, it.trust, it.how).run()
            assert not known
            assert verdict.result != 0
            tried += 1
    assert tried > 500
    assert it.run()[1]


# ---- the store --------------------------------------------------------------


def test_store_of_the_same_content_is_another_store() -> None:
    it = job()
    it.learn()
    other = Job(it.chain, new_trust(authority().cert_pem), it.how)

    assert other.misses()
    assert Job(it.chain, new_trust(), it.how).misses()
    assert Job(it.chain, None, it.how).misses()
    assert it.run()[1]
    assert other.run()[1]


def test_store_made_anew_where_one_was_freed_is_another_store() -> None:
    made = leaf()
    for n in range(50):
        trust = lib.pys_trust_new()
        if n % 2 == 0:
            text = made.ca_pem
            fault = Fault()
            assert lib.pys_trust_add_pem(trust, text, len(text), fault.c)
        verdict, known = Job(made.chain_der, trust).run()
        assert not known
        assert (verdict.result == 0) == (n % 2 == 0)
        lib.pys_trust_free(trust)


def add_cert(trust: Any) -> None:
    fault = Fault()
    cert = new_cert(authority("rsa").cert_der)
    assert lib.pys_trust_add_cert(trust, cert, fault.c)


def add_again(trust: Any) -> None:
    fault = Fault()
    cert = new_cert(authority().cert_der)
    assert lib.pys_trust_add_cert(trust, cert, fault.c)


def add_pem(trust: Any) -> None:
    fault = Fault()
    text = authority("ed25519").cert_pem
    assert lib.pys_trust_add_pem(trust, text, len(text), fault.c)


def add_list(trust: Any) -> None:
    fault = Fault()
    text = revocations(authority())
    assert lib.pys_trust_add_pem(trust, text, len(text), fault.c)


def add_nothing(trust: Any) -> None:
    fault = Fault()
    assert not lib.pys_trust_add_pem(trust, b"none", 4, fault.c)


def set_flags(trust: Any) -> None:
    assert lib.pys_trust_set_flags(trust, PARTIAL_CHAIN)


@pytest.mark.parametrize(
    "change", [add_cert, add_again, add_pem, add_list, add_nothing, set_flags]
)
def test_store_that_changed_knows_nothing_of_before(change: Any) -> None:
    it = job()
    it.learn()

    for _ in range(2):
        change(it.trust)
        assert it.misses()
        assert it.run()[1]


def test_store_that_could_not_be_changed_stays_as_it_is() -> None:
    """What is no PEM at all does not reach the store."""
    it = job()
    it.learn()
    broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"
    assert not lib.pys_trust_add_pem(it.trust, broken, len(broken), Fault().c)

    assert it.run()[0] == it.run(remember=False)[0]


@clause("VFY-7")
def test_store_with_a_folder_remembers_nothing(tmp_path: Path) -> None:
    it = job()
    it.learn()
    name = str(tmp_path / "none yet").encode()
    assert lib.pys_trust_add_dir(it.trust, name, Fault().c)

    for change in (None, add_pem, set_flags):
        if change is not None:
            change(it.trust)
        for _ in range(3):
            verdict, known = it.run()
            assert (verdict.result, known) == (0, False)


@clause("VFY-16")
@pytest.mark.parametrize(
    "flags", [CRL_CHECK, CRL_CHECK | CRL_CHECK_ALL, CRL_CHECK_ALL]
)
def test_store_that_asks_revocation_lists_remembers_nothing(
    flags: int,
) -> None:
    root = authority(name="list root")
    good = leaf(issuer=root, serial=77)
    trust = new_trust(root.cert_pem + revocations(root))
    it = Job(good.chain_der, trust)
    it.learn()
    assert lib.pys_trust_set_flags(trust, flags)

    for _ in range(3):
        verdict, known = it.run()
        assert (verdict.result, known) == (0, False)
    set_flags(trust)
    assert not it.run()[1]
    assert not it.run()[1]


@clause("VFY-16")
def test_certificate_revoked_after_it_passed_is_refused() -> None:
    root = authority(name="late root")
    made = leaf(issuer=root, serial=78)
    trust = new_trust(root.cert_pem)
    it = Job(made.chain_der, trust)
    it.learn()

    text = revocations(root, [78])
    assert lib.pys_trust_add_pem(trust, text, len(text), Fault().c)
    assert lib.pys_trust_set_flags(trust, CRL_CHECK)
    for _ in range(2):
        verdict, known = it.run()
        assert (verdict.result, known) == (23, False)


# ---- time -------------------------------------------------------------------


def test_verdict_is_known_for_five_minutes_and_no_longer() -> None:
    it = job()
    start = now_ms()
    put_clock(start)
    it.learn()

    for later in (0, 1, SECOND, MINUTES - 1):
        put_clock(start + later)
        assert it.run()[1]
    put_clock(start + MINUTES)
    assert not it.run()[1]
    put_clock(start + 2 * MINUTES - 1)
    assert it.run()[1]  # five minutes from the new verification
    put_clock(start + 2 * MINUTES)
    assert not it.run()[1]


def test_verdict_is_gone_when_the_clock_goes_back() -> None:
    it = job()
    start = now_ms()
    put_clock(start)
    it.learn()

    put_clock(start - 1)
    assert it.misses()
    put_clock(start - 1 - 10 * MINUTES)
    assert it.misses()
    put_clock(start - 3 * 86400 * SECOND)  # before all of it began
    verdict, known = it.run()
    assert (verdict.result, known) == (9, False)
    put_clock(start)  # it did not only hide
    verdict, known = it.run()
    assert (verdict.result, known) == (0, False)


def dated(made: Identity, begin: dt.datetime, end: dt.datetime) -> Identity:
    """Make a certificate again with another validity."""
    old = made.cert
    issuer = made.issuer or made
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    cert = builder.sign(issuer.key, hashes.SHA256())  # type: ignore[arg-type]
    der = cert.public_bytes(serialization.Encoding.DER)
    return Identity(made.kind, der, made.key_der, made.key, made.issuer)


def chain_ending(which: int, end_ms: int, begin_ms: int) -> Job:
    """Leaf, intermediate, root, one of which has this validity."""
    root = authority(name="dated root")
    middle = intermediate(name="dated ca", issuer=root)
    made = [leaf(issuer=middle), middle, root]
    begin, end = (
        dt.datetime.fromtimestamp(ms // SECOND, dt.timezone.utc)
        for ms in (begin_ms, end_ms)
    )
    made[which] = dated(made[which], begin, end)
    trust = new_trust(pem("CERTIFICATE", made[2].cert_der))
    return Job([made[0].cert_der, made[1].cert_der], trust)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_verdict_never_outlives_a_certificate_of_the_path(which: int) -> None:
    start = now_ms()
    begin = start - 3600 * SECOND
    for end in (start + SECOND, start + MINUTES):
        it = chain_ending(which, end, begin)
        put_clock(start)
        for _ in range(2):
            verdict, known = it.run()
            assert (verdict.result, known) == (0, False)
        put_clock(end + SECOND)
        verdict, known = it.run()
        assert (verdict.result, known) == (10, False)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_verdict_is_kept_if_all_certificates_last_longer(which: int) -> None:
    start = now_ms()
    end = start + MINUTES + SECOND
    it = chain_ending(which, end, start - 3600 * SECOND)
    put_clock(start + SECOND - 1)
    it.learn()

    put_clock(start + SECOND - 1 + MINUTES - 1)
    assert it.run()[1]
    put_clock(start + SECOND - 1 + MINUTES)
    assert not it.run()[1]  # one millisecond into its last second
    put_clock(end + SECOND)
    verdict, known = it.run()
    assert (verdict.result, known) == (10, False)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_verdict_does_not_reach_back_before_a_certificate(which: int) -> None:
    start = now_ms()
    it = chain_ending(which, start + 86400 * SECOND, start)
    put_clock(start)
    it.learn()

    put_clock(start - 1)
    verdict, known = it.run()
    assert (verdict.result, known) == (9, False)


# ---- failures, the switch, limits ------------------------------------------


@clause("VFY-16")
@pytest.mark.parametrize(
    ("flaw", "how", "result"),
    [
        ({"expired": True}, {}, 10),
        ({"not_yet_valid": True}, {}, 9),
        ({"bad_signature": True}, {}, 7),
        ({"eku": ("client",)}, {}, 26),
        ({}, {"hosts": ["other.test"]}, 62),
        ({}, {"hosts": ["192.0.2.9"]}, 64),
        ({"issuer": intermediate(expired=True)}, {}, 10),
        ({"issuer": intermediate(ca=False)}, {}, 79),
        ({"issuer": intermediate()}, {"depth": 0}, 22),
        ({}, {"level": 5}, 66),
    ],
)
def test_failure_is_never_remembered(
    flaw: dict[str, Any], how: dict[str, Any], result: int
) -> None:
    made = leaf(**flaw)
    it = Job(made.chain_der, new_trust(made.ca_pem), how)

    first, known = it.run()
    assert (first.result, known) == (result, False)
    for _ in range(3):
        assert it.run() == (first, False)


@clause("VFY-16")
def test_chain_refused_without_trust_passes_once_it_is_trusted() -> None:
    made, trust = leaf(), new_trust()
    it = Job(made.chain_der, trust)
    for _ in range(2):
        assert it.run()[0].result == 20

    text = made.ca_pem
    assert lib.pys_trust_add_pem(trust, text, len(text), Fault().c)
    it.learn()


def test_switched_off_nothing_is_looked_up_and_nothing_kept() -> None:
    it = job()
    for _ in range(3):
        assert not it.run(remember=False)[1]
    assert not it.run()[1]  # those left nothing behind
    assert not it.run(remember=False)[1]
    assert it.run()[1]


def test_memory_is_bounded_and_old_verdicts_give_way() -> None:
    it = job()
    known = []
    for n in range(300):
        this = it.but(hosts=["a.test", f"h{n}.test"])
        assert not this.run()[1]
        known.append(this)

    kept = sum(this.run()[1] for this in known[-64:])
    assert 0 < kept <= 64
    assert not known[0].run()[1]


def test_chain_too_long_to_keep_is_verified_each_time() -> None:
    above = intermediate(name="step 0")
    for n in range(1, 15):
        above = intermediate(name=f"step {n}", issuer=above)
    made = leaf(issuer=above)
    it = Job(made.chain_der, new_trust(made.ca_pem))
    for _ in range(2):
        verdict, known = it.run()
        assert (verdict.result, len(verdict.events)) == (0, 17)
        assert not known

    shorter = leaf(issuer=above.issuer)
    Job(shorter.chain_der, it.trust).learn()


def test_short_memory_changes_no_verdict() -> None:
    it = job()
    truth, _ = it.run(remember=False)
    fails = 0
    for warm in (False, True):
        for n in range(1, 60):
            lib.pys_test_forget_certs()
            if warm:
                it.run()
            certs = it.chain, it.trust
            lib.pys_test_fail_alloc(n)
            try:
                ran, verdict = try_verify(*certs, remember=True, **it.how)
                failed = lib.pys_test_n_alloc() >= n
            except AssertionError:  # a certificate could not be decoded
                ran, failed = False, True
            lib.pys_test_fail_alloc(0)
            fails += failed
            if ran:
                assert verdict == truth
            again, _ = it.run()
            assert again == truth
    assert fails > 10


# ---- threads ----------------------------------------------------------------


@pytest.mark.threads
def test_many_threads_get_no_verdict_of_another_job() -> None:
    good, root = leaf(names=("a.test",)), authority()
    shared = new_trust(root.cert_pem)
    wrong: list[Any] = []
    before = lib.pys_test_n_recalled()

    def work(number: int) -> None:
        for n in range(60):
            host = "a.test" if n % 3 else "b.test"
            own = new_trust() if n % 10 == 0 else shared
            ran, verdict = try_verify(
                good.chain_der,
                own,
                hosts=[host],
                remember=True,
                depth=n % 4,
            )
            expected = (0, "a.test") if n % 3 else (62, "")
            if own is not shared:
                expected = (20, expected[1])
            if not ran or (verdict.result, verdict.peername) != expected:
                wrong.append((n, host, verdict))
            if number == 0 and n % 20 == 19:
                add_again(shared)
            if number == 1 and n % 25 == 24:
                lib.pys_test_forget_certs()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert lib.pys_test_n_recalled() > before


# ---- connections ------------------------------------------------------------


def recalled_by(ends: tuple[p.SSL, p.SSL]) -> int:
    """Run a handshake and count what came from memory."""
    before = lib.pys_test_n_recalled()
    link = MemLink(*ends)
    link.established()
    for ssl in ends:
        assert p.SSL_get_verify_result(ssl) == 0
    return int(lib.pys_test_n_recalled() - before)


@clause("VFY-12", "VFY-13")
def test_second_handshake_with_the_same_peers_verifies_no_chain() -> None:
    contexts = make_contexts(client_auth=True)
    assert recalled_by(make_ends(*contexts)) == 0

    ends = make_ends(*contexts)
    assert recalled_by(ends) == 2  # the server's chain and the client's
    assert p.SSL_get0_peername(ends[0]) == "localhost"
    for ssl in ends:
        assert p.SSL_get_peer_certificate(ssl) is not None


def test_contexts_that_share_a_store_share_what_is_remembered() -> None:
    server = make_contexts()[1]
    store = p.SSL_CTX_get_cert_store(make_contexts()[0])
    for known in (0, 1):
        client = p.SSL_CTX_new(p.TLS_method())
        assert client is not None
        p.SSL_CTX_set_cert_store(client, store)
        p.SSL_CTX_set_verify(client, p.SSL_VERIFY_PEER, None)
        assert recalled_by(make_ends(client, server)) == known


def test_context_told_not_to_remember_does_not() -> None:
    contexts = make_contexts()
    client = contexts[0]
    assert client.get_remember_chains() is True
    client.set_remember_chains(False)
    assert client.get_remember_chains() is False

    for _ in range(3):
        assert recalled_by(make_ends(*contexts)) == 0
    client.set_remember_chains(True)
    assert recalled_by(make_ends(*contexts)) == 0  # nothing was kept
    assert recalled_by(make_ends(*contexts)) == 1
    client.set_remember_chains(False)
    assert recalled_by(make_ends(*contexts)) == 0


def test_connection_may_be_told_by_itself_not_to_remember() -> None:
    contexts = make_contexts()
    assert recalled_by(make_ends(*contexts)) == 0
    ends = make_ends(*contexts)
    ends[0].set_remember_chains(False)

    assert recalled_by(ends) == 0
    assert contexts[0].get_remember_chains() is True
    assert recalled_by(make_ends(*contexts)) == 1
    wrong: Any = None
    with pytest.raises(TypeError):
        contexts[0].set_remember_chains(wrong)


@clause("VFY-11")
def test_remembered_chain_does_not_help_under_another_name() -> None:
    contexts = make_contexts()
    recalled_by(make_ends(*contexts))

    for _ in range(2):
        ends = make_ends(*contexts)
        assert p.SSL_set1_host(ends[0], "other.test") == 1
        link = MemLink(*ends)
        assert (-1, p.SSL_ERROR_SSL) in link.handshake()
        assert p.SSL_get_verify_result(ends[0]) == 62
        p.ERR_clear_error()


def test_remembered_chain_does_not_help_without_its_key() -> None:
    """CertificateVerify is checked each time (RFC 8446 4.4.3)."""
    client, server = make_contexts()
    recalled_by(make_ends(client, server))
    true, thief = leaf(), leaf(key_label="thief")

    message = certificate_message(true.cert_der)
    impostor = make_contexts(server=thief)[1]
    ends = make_ends(client, impostor)
    lib.pys_test_put_message(CERTIFICATE, message, len(message))
    before = lib.pys_test_n_recalled()
    link = MemLink(*ends)
    assert (-1, p.SSL_ERROR_SSL) in link.handshake()
    assert lib.pys_test_n_recalled() == before + 1
    assert not p.SSL_is_init_finished(ends[0])
    # What the impostor heard of it (RFC 8446 4.4.3).
    heard = p.ERR_GET_REASON(p.ERR_peek_error())
    assert heard == p.SSL_R_TLSV1_ALERT_DECRYPT_ERROR
    p.ERR_clear_error()


def certificate_message(der: bytes) -> bytes:
    """Build a Certificate message (RFC 8446 4.4.2) of one certificate."""
    entry = len(der).to_bytes(3, "big") + der + b"\0\0"
    body = b"\0" + len(entry).to_bytes(3, "big") + entry
    return bytes([CERTIFICATE]) + len(body).to_bytes(3, "big") + body
