"""Verification callbacks: contract VFY-2 to VFY-5, VFY-15, VFY-20, GE-14."""

from __future__ import annotations

import gc
import weakref
from typing import Any, Callable, Optional

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    make_contexts,
    make_ends,
    outcome,
    reasons,
    ssl_reasons,
)
from tests.clauses import clause
from tests.pki import ca

NONE, PEER = p.SSL_VERIFY_NONE, p.SSL_VERIFY_PEER
UNKNOWN_CA, INTERNAL = 48, 80
AGREE = 9

VERSIONS = pytest.mark.parametrize(
    "version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION], ids=["1.2", "1.3"]
)

Seen = tuple[int, int, int, Optional[bytes]]


class Heard:
    """A verify callback that notes what it is told.

    Args:
        answers: What to answer to one call after another; the last one
            counts for all that follow. AGREE: what the library says.
    """

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers) or [1]
        self.seen: list[Seen] = []
        self.owners: list[Any] = []
        self.chains: list[list[bytes]] = []

    def __call__(self, ok: int, ctx: p.X509_STORE_CTX) -> int:
        current = p.X509_STORE_CTX_get_current_cert(ctx)
        self.seen.append(
            (
                ok,
                p.X509_STORE_CTX_get_error(ctx),
                p.X509_STORE_CTX_get_error_depth(ctx),
                current.der if current else None,
            )
        )
        index = p.SSL_get_ex_data_X509_STORE_CTX_idx()
        self.owners.append(p.X509_STORE_CTX_get_ex_data(ctx, index))
        chain = p.X509_STORE_CTX_get0_chain(ctx) or []
        self.chains.append([one.der for one in chain])
        n = len(self.seen)
        answer = self.answers[min(n, len(self.answers)) - 1]
        return ok if answer == AGREE else answer


def made(
    server: ca.Identity,
    trust: Optional[bytes] = None,
    version: int = 0,
) -> tuple[p.SSL_CTX, p.SSL_CTX]:
    """Make contexts whose client trusts the server's CA, or what is said."""
    client_ctx, server_ctx = make_contexts(
        server=server, verify=False, version=version
    )
    known = server.ca_pem if trust is None else trust
    if known:
        assert p.SSL_CTX_load_verify_mem(client_ctx, known) == 1
    return client_ctx, server_ctx


def to_verdict(link: MemLink) -> tuple[int, int]:
    """Shake hands until the client has judged the server."""
    for _ in range(2):
        got = outcome(link.client, p.SSL_do_handshake(link.client))
        if got != (-1, 2):
            return got
        link.move()
        p.SSL_do_handshake(link.server)
        link.move()
    return outcome(link.client, p.SSL_do_handshake(link.client))


def client_link(
    server: ca.Identity,
    mode: int,
    callback: Any,
    trust: Optional[bytes] = None,
    host: Optional[str] = None,
    version: int = 0,
) -> MemLink:
    """Make a link whose client has a verify callback."""
    client_ctx, server_ctx = made(server, trust, version)
    p.SSL_CTX_set_verify(client_ctx, mode, callback)
    return MemLink(*make_ends(client_ctx, server_ctx, host=host))


# ---- set_verify -----------------------------------------------------------


@clause("VFY-2")
def test_callback_is_given_back_kept_and_copied() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    first, second = Heard(), Heard()
    p.SSL_CTX_set_verify(ctx, PEER, first)
    ssl = p.SSL(ctx)
    p.SSL_CTX_set_verify(ctx, PEER, second)

    assert p.SSL_CTX_get_verify_callback(ctx) is second
    assert p.SSL_get_verify_callback(ssl) is first
    p.SSL_set_verify(ssl, NONE, None)
    assert p.SSL_get_verify_callback(ssl) is first
    assert p.SSL_get_verify_mode(ssl) == NONE
    p.SSL_set_verify(ssl, PEER, second)
    assert p.SSL_get_verify_callback(ssl) is second
    p.SSL_CTX_set_verify(ctx, PEER, None)
    assert p.SSL_CTX_get_verify_callback(ctx) is None
    for holder in (ctx, ssl):
        with pytest.raises(TypeError):
            holder.set_verify(PEER, 1)


@VERSIONS
@clause("VFY-3", "EXD-3")
def test_good_chain_is_told_from_the_deepest_to_the_leaf(version: int) -> None:
    middle = ca.intermediate()
    server = ca.leaf(issuer=middle)
    heard = Heard()
    link = client_link(server, PEER, heard, host="localhost", version=version)

    link.established()

    path = [*server.chain_der, server.ca_der]
    assert heard.seen == [
        (1, 0, 2, path[2]),
        (1, 0, 1, path[1]),
        (1, 0, 0, path[0]),
    ]
    assert heard.chains == [path] * 3
    assert heard.owners == [link.client] * 3
    assert p.SSL_get_verify_result(link.client) == 0
    assert p.SSL_get0_peername(link.client) == "localhost"


@VERSIONS
@clause("VFY-3", "VFY-4")
def test_every_error_is_told_and_the_last_one_stays(version: int) -> None:
    server = ca.leaf()
    heard = Heard(1)
    link = client_link(server, PEER, heard, b"", version=version)

    link.established()

    leaf = server.cert_der
    # What comes last is the leaf itself, with the error that was left.
    assert heard.seen == [
        (0, 20, 0, leaf),
        (0, 21, 0, leaf),
        (1, 21, 0, leaf),
    ]
    assert p.SSL_get_verify_result(link.client) == 21
    assert reasons() == []
    link.send(link.client, b"trusted all the same")


@clause("VFY-3")
def test_wrong_name_is_an_error_of_the_leaf() -> None:
    heard = Heard(1)
    link = client_link(ca.leaf(), PEER, heard, host="other.example")

    link.established()

    errors = [one[:3] for one in heard.seen if not one[0]]
    assert errors == [(0, 62, 0)]
    assert p.SSL_get_verify_result(link.client) == 62


@VERSIONS
@clause("VFY-4", "VFY-16")
def test_zero_stops_with_the_error_and_its_alert(version: int) -> None:
    heard = Heard(0)
    link = client_link(ca.leaf(), PEER, heard, b"", version=version)

    assert to_verdict(link) == (-1, 1)

    assert ssl_reasons() == [134]
    assert len(heard.seen) == 1
    assert p.SSL_get_verify_result(link.client) == 20
    report = link.client.report()
    assert report.alert_sent == UNKNOWN_CA
    assert report.failing_depth == 0
    link.move()
    assert outcome(link.server, p.SSL_do_handshake(link.server)) == (-1, 1)
    assert ssl_reasons() == [1000 + UNKNOWN_CA]


@clause("VFY-4")
def test_zero_at_the_second_error_stops_there() -> None:
    heard = Heard(1, 0)
    link = client_link(ca.leaf(), PEER, heard, b"")

    assert to_verdict(link) == (-1, 1)

    assert [one[1] for one in heard.seen] == [20, 21]
    assert p.SSL_get_verify_result(link.client) == 21
    assert ssl_reasons() == [134]


@VERSIONS
@clause("VFY-4")
def test_zero_without_an_error_is_result_1_and_alert_80(version: int) -> None:
    heard = Heard(0)
    link = client_link(ca.leaf(), PEER, heard, version=version)

    assert to_verdict(link) == (-1, 1)

    assert heard.seen[0][:2] == (1, 0)
    assert len(heard.seen) == 1
    assert p.SSL_get_verify_result(link.client) == 1
    assert link.client.report().alert_sent == INTERNAL
    assert ssl_reasons() == [134]


@clause("VFY-4")
def test_error_code_that_is_set_becomes_the_result() -> None:
    def forgive(ok: int, ctx: p.X509_STORE_CTX) -> int:
        del ok
        p.X509_STORE_CTX_set_error(ctx, p.X509_V_OK)
        return 1

    def revoke(ok: int, ctx: p.X509_STORE_CTX) -> int:
        p.X509_STORE_CTX_set_error(ctx, p.X509_V_ERR_CERT_REVOKED)
        return 0 if ok else 1

    link = client_link(ca.leaf(), PEER, forgive, b"")
    link.established()
    assert p.SSL_get_verify_result(link.client) == 0

    link = client_link(ca.leaf(), PEER, revoke)
    assert to_verdict(link) == (-1, 1)
    assert p.SSL_get_verify_result(link.client) == 23
    assert link.client.report().alert_sent == 44
    assert ssl_reasons() == [134]


@clause("VFY-5")
@pytest.mark.parametrize("answer", [0, 1])
def test_mode_none_asks_too_and_goes_on_whatever_is_said(answer: int) -> None:
    heard = Heard(answer)
    link = client_link(ca.leaf(), NONE, heard, b"")

    link.established()

    assert [one[1] for one in heard.seen] == (
        [20] if not answer else [20, 21, 21]
    )
    assert p.SSL_get_verify_result(link.client) == (21 if answer else 20)
    assert reasons() == []


@VERSIONS
@clause("VFY-3", "VFY-4", "EXD-3")
@pytest.mark.parametrize("answer", [0, 1])
def test_server_asks_about_a_client(answer: int, version: int) -> None:
    bad = ca.leaf(expired=True, key_label="client")
    client_ctx, server_ctx = make_contexts(
        client_auth=True, client=bad, version=version
    )
    heard = Heard(answer or AGREE)
    p.SSL_CTX_set_verify(server_ctx, PEER, heard)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    results = link.handshake()

    assert (results[-1] == (1, 0)) == bool(answer)
    assert heard.owners[0] is link.server
    assert p.SSL_get_verify_result(link.server) == 10
    errors = [one[1] for one in heard.seen if not one[0]]
    assert errors == [10]
    if not answer:
        assert link.server.report().alert_sent == 45
        assert link.server.report().reason == 134
        p.ERR_clear_error()


@clause("VFY-3", "CV-7")
@pytest.mark.parametrize("mode", [NONE, PEER])
def test_exception_counts_as_0_and_is_raised(mode: int) -> None:
    class Mine(Exception):
        pass

    def fail(ok: int, ctx: p.X509_STORE_CTX) -> int:
        raise Mine

    link = client_link(ca.leaf(), mode, fail)
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    link.move()
    with pytest.raises(Mine):
        p.SSL_do_handshake(link.client)
    assert p.SSL_get_verify_result(link.client) == 1
    assert p.SSL_is_init_finished(link.client) == (mode == NONE)
    if mode == PEER:
        assert link.client.report().alert_sent == INTERNAL
        assert ssl_reasons() == [134]


@clause("VFY-3", "CV-7")
def test_answer_of_the_wrong_type_is_a_type_error() -> None:
    link = client_link(ca.leaf(), PEER, lambda ok, ctx: "yes")
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    link.move()
    with pytest.raises(TypeError):
        p.SSL_do_handshake(link.client)
    assert p.SSL_is_init_finished(link.client) == 0
    p.ERR_clear_error()


@clause("VFY-3")
def test_callback_hears_every_step_of_a_chain_seen_before() -> None:
    """What is remembered of other connections is not used."""
    for _ in range(3):
        heard = Heard()
        client_link(ca.leaf(), PEER, heard).established()
        assert len(heard.seen) == 2
        client_link(ca.leaf(), PEER, None).established()


@clause("VFY-2", "VFY-3")
def test_callback_set_while_the_handshake_runs_is_asked() -> None:
    heard = Heard(1)
    client_ctx, server_ctx = make_contexts(client_auth=True)

    def name(ssl: p.SSL, alert: list[int], arg: Any) -> int:
        p.SSL_set_verify(ssl, PEER, heard)
        return p.SSL_TLSEXT_ERR_OK

    p.SSL_CTX_set_verify(server_ctx, NONE, None)
    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, name)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    assert [one[2] for one in heard.seen] == [1, 0]


@clause("VFY-3")
def test_resumption_verifies_nothing() -> None:
    heard = Heard()
    client_ctx, server_ctx = made(ca.leaf())
    p.SSL_CTX_set_verify(client_ctx, PEER, heard)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()
    link.send(link.server, b"and its tickets")
    session = p.SSL_get1_session(link.client)
    told = len(heard.seen)

    again = MemLink(*make_ends(client_ctx, server_ctx))
    assert p.SSL_set_session(again.client, session) == 1
    again.established()

    assert p.SSL_session_reused(again.client) == 1
    assert len(heard.seen) == told


# ---- the verification's object ---------------------------------------------


@clause("VFY-3", "EXD-1", "EXD-3")
def test_object_can_be_kept_and_is_then_history() -> None:
    kept: list[p.X509_STORE_CTX] = []
    mine = p.X509_STORE_CTX_get_ex_new_index()

    def keep(ok: int, ctx: p.X509_STORE_CTX) -> int:
        assert p.X509_STORE_CTX_set_ex_data(ctx, mine, "mine") == 1
        p.X509_STORE_CTX_set_error_depth(ctx, 7)
        kept.append(ctx)
        return ok

    link = client_link(ca.leaf(), PEER, keep)
    link.established()
    ctx = kept[0]

    assert all(one is ctx for one in kept)
    assert "depth=7" in repr(ctx)
    p.X509_STORE_CTX_set_error(ctx, 23)
    assert p.X509_STORE_CTX_get_error(ctx) == 23
    assert p.SSL_get_verify_result(link.client) == 0
    leaf = p.SSL_get_peer_certificate(link.client)
    assert p.X509_STORE_CTX_get0_cert(ctx) == leaf
    assert p.X509_STORE_CTX_get0_untrusted(ctx) == [leaf]
    chain = p.X509_STORE_CTX_get1_chain(ctx)
    assert chain is not None
    assert len(chain) == 2
    assert p.X509_STORE_CTX_get_ex_data(ctx, mine) == "mine"
    assert p.X509_STORE_CTX_get_ex_data(ctx, 1000) is None
    assert p.X509_STORE_CTX_set_ex_data(ctx, 1000, 1) == 0
    assert p.SSL_get_ex_data_X509_STORE_CTX_idx() >= 1
    assert mine > p.SSL_get_ex_data_X509_STORE_CTX_idx()
    assert p.X509_verify_cert(ctx) == -1
    p.ERR_clear_error()
    with pytest.raises(TypeError):
        p.X509_STORE_CTX_get_error(link.client)  # type: ignore[arg-type]


@clause("VFY-3")
def test_nothing_is_left_behind_when_a_callback_was_asked() -> None:
    link = client_link(ca.leaf(), PEER, Heard(1), b"")
    link.established()
    gone = weakref.ref(link.client)
    del link
    gc.collect()

    assert gone() is None


@clause("VFY-3", "VFY-4")
def test_more_errors_than_can_be_told_are_a_failure() -> None:
    """33 expired certificates have more to say than is kept."""
    issuer = ca.authority(expired=True)
    for i in range(31):
        issuer = ca.intermediate(name=f"link {i}", issuer=issuer, expired=True)
    server = ca.leaf(issuer=issuer, expired=True)
    heard = Heard(1)
    link = client_link(server, PEER, heard)
    got = to_verdict(link)

    assert len(heard.seen) == 64
    assert got == (-1, 1)
    assert ssl_reasons() == [134]
    assert p.SSL_get_verify_result(link.client) == 10


# ---- the whole verification -------------------------------------------------


def judged(
    callback: Any,
    mode: int = PEER,
    server: Optional[ca.Identity] = None,
    trust: Optional[bytes] = None,
    verify: Any = None,
    version: int = 0,
) -> MemLink:
    """Make a link whose client has a callback for the verification."""
    client_ctx, server_ctx = made(server or ca.leaf(), trust, version)
    p.SSL_CTX_set_verify(client_ctx, mode, verify)
    p.SSL_CTX_set_cert_verify_callback(client_ctx, callback, "arg")
    return MemLink(*make_ends(client_ctx, server_ctx, host=None))


@VERSIONS
@clause("VFY-15", "EXD-3")
def test_own_verification_replaces_the_whole_of_it(version: int) -> None:
    told: list[Any] = []
    server = ca.leaf(expired=True)

    def accept(ctx: p.X509_STORE_CTX, arg: object) -> int:
        index = p.SSL_get_ex_data_X509_STORE_CTX_idx()
        told.append((arg, p.X509_STORE_CTX_get_ex_data(ctx, index)))
        told.append(p.X509_STORE_CTX_get0_cert(ctx).der)
        told.append(p.X509_STORE_CTX_get0_chain(ctx))
        told.append(p.X509_STORE_CTX_get_error(ctx))
        return 1

    heard = Heard(1)
    link = judged(
        accept, server=server, trust=b"", verify=heard, version=version
    )
    link.established()

    assert told == [("arg", link.client), server.cert_der, None, 0]
    assert heard.seen == []
    assert p.SSL_get_verify_result(link.client) == 0


@VERSIONS
@clause("VFY-15", "VFY-16")
@pytest.mark.parametrize(("error", "alert"), [(0, 80), (23, 44), (50, 40)])
def test_own_verification_rejects_with_the_code_that_it_sets(
    error: int, alert: int, version: int
) -> None:
    def reject(ctx: p.X509_STORE_CTX, arg: object) -> int:
        p.X509_STORE_CTX_set_error(ctx, error)
        return 0

    link = judged(reject, version=version)

    assert to_verdict(link) == (-1, 1)
    assert ssl_reasons() == [134]
    assert p.SSL_get_verify_result(link.client) == error
    assert link.client.report().alert_sent == alert


@clause("VFY-15")
def test_own_verification_rejects_nothing_in_mode_none() -> None:
    def reject(ctx: p.X509_STORE_CTX, arg: object) -> int:
        p.X509_STORE_CTX_set_error(ctx, 50)
        return 0

    link = judged(reject, NONE)
    link.established()

    assert p.SSL_get_verify_result(link.client) == 50
    assert reasons() == []


@clause("VFY-15")
@pytest.mark.parametrize("trusting", [True, False])
@pytest.mark.parametrize("listening", [True, False])
def test_own_verification_may_use_the_librarys(
    trusting: bool, listening: bool
) -> None:
    found: list[Any] = []

    def verify(ctx: p.X509_STORE_CTX, arg: object) -> int:
        found.append(p.X509_verify_cert(ctx))
        found.append(p.X509_STORE_CTX_get_error(ctx))
        chain = p.X509_STORE_CTX_get0_chain(ctx)
        found.append(len(chain or []))
        return found[0]

    heard = Heard(1)
    link = judged(
        verify,
        trust=None if trusting else b"",
        verify=heard if listening else None,
    )
    got = to_verdict(link)

    if trusting:
        assert found == [1, 0, 2]
    else:
        assert found == ([1, 21, 1] if listening else [0, 20, 1])
    assert bool(heard.seen) == listening
    assert (got == (1, 0)) == (trusting or listening)
    assert p.SSL_get_verify_result(link.client) == found[1]
    p.ERR_clear_error()


@clause("VFY-15", "CV-7")
def test_own_verification_that_raises_rejects() -> None:
    def fail(ctx: p.X509_STORE_CTX, arg: object) -> int:
        raise KeyError("mine")

    link = judged(fail)
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    link.move()
    with pytest.raises(KeyError, match="mine"):
        p.SSL_do_handshake(link.client)
    assert link.client.report().alert_sent == INTERNAL
    assert ssl_reasons() == [134]
    with pytest.raises(TypeError):
        p.SSL_CTX_set_cert_verify_callback(p.SSL_CTX(), 1, None)  # type: ignore[arg-type]


@VERSIONS
@clause("VFY-13", "VFY-15", "CV-7")
def test_own_verification_that_raises_in_mode_none_leaves_no_good_result(
    version: int,
) -> None:
    def fail(ctx: p.X509_STORE_CTX, arg: object) -> int:
        raise KeyError("mine")

    client_ctx, server_ctx = made(ca.leaf(), b"", version)
    p.SSL_CTX_set_cert_verify_callback(client_ctx, fail, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    link.move()
    with pytest.raises(KeyError, match="mine"):
        p.SSL_do_handshake(link.client)
    link.established()
    assert p.SSL_get_verify_result(link.client) == 1


@clause("VFY-15")
def test_own_verification_can_be_given_up() -> None:
    client_ctx, server_ctx = made(ca.leaf(), b"")
    p.SSL_CTX_set_verify(client_ctx, PEER, None)
    p.SSL_CTX_set_cert_verify_callback(client_ctx, lambda c, a: 1, None)
    MemLink(*make_ends(client_ctx, server_ctx)).established()
    p.SSL_CTX_set_cert_verify_callback(client_ctx, None, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))

    assert to_verdict(link) == (-1, 1)
    assert p.SSL_get_verify_result(link.client) == 20
    p.ERR_clear_error()


# ---- SSL_set_retry_verify -------------------------------------------------


def suspending(kind: str, times: int) -> tuple[Callable[..., int], list[int]]:
    """Give a callback of either kind that suspends so many times."""
    calls: list[int] = []

    def decide(ctx: p.X509_STORE_CTX) -> int:
        calls.append(len(calls))
        index = p.SSL_get_ex_data_X509_STORE_CTX_idx()
        if len(calls) <= times:
            ssl = p.X509_STORE_CTX_get_ex_data(ctx, index)
            assert p.SSL_set_retry_verify(ssl) == 1
        return 1

    if kind == "whole":
        return (lambda ctx, arg: decide(ctx)), calls
    return (
        lambda ok, ctx: (
            decide(ctx)
            if p.X509_STORE_CTX_get_error_depth(ctx) == 0
            else int(ok)
        )
    ), calls


@VERSIONS
@clause("VFY-20", "GE-14", "HS-25", "WANT-3")
@pytest.mark.parametrize("kind", ["whole", "steps"])
def test_retry_suspends_and_the_callback_runs_again(
    kind: str, version: int
) -> None:
    callback, calls = suspending(kind, 2)
    if kind == "whole":
        link = judged(callback, version=version)
    else:
        link = client_link(ca.leaf(), PEER, callback, version=version)

    for n in (1, 2):
        assert to_verdict(link) == (-1, 12)
        assert p.SSL_want(link.client) == p.SSL_RETRY_VERIFY == 8
        assert p.SSL_want_retry_verify(link.client) == 1
        assert link.move() == (0, 0)
        assert reasons() == []
        assert len(calls) == n
    link.established()

    assert len(calls) == 3
    assert p.SSL_get_verify_result(link.client) == 0


@VERSIONS
@clause("VFY-20", "GE-14")
def test_retry_suspends_a_server_too(version: int) -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True, version=version)
    callback, calls = suspending("whole", 1)
    p.SSL_CTX_set_cert_verify_callback(server_ctx, callback, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    got = link.step()
    while got[1][1] == 2:
        got = link.step()

    assert got[1] == (-1, 12)
    assert p.SSL_want_retry_verify(link.server) == 1
    link.established()
    assert len(calls) == 2


@clause("VFY-20")
def test_retry_with_a_rejection_is_a_rejection() -> None:
    def reject(ctx: p.X509_STORE_CTX, arg: object) -> int:
        index = p.SSL_get_ex_data_X509_STORE_CTX_idx()
        p.SSL_set_retry_verify(p.X509_STORE_CTX_get_ex_data(ctx, index))
        return 0

    link = judged(reject)
    assert to_verdict(link) == (-1, 1)
    assert ssl_reasons() == [134]


@clause("VFY-20")
def test_retry_outside_a_verification_does_nothing() -> None:
    link = client_link(ca.leaf(), PEER, Heard())
    assert p.SSL_set_retry_verify(link.client) == 0
    link.established()
    assert p.SSL_set_retry_verify(link.client) == 0


@clause("VFY-20")
@pytest.mark.parametrize("then", ["listener", "nobody"])
def test_suspended_verification_can_change_hands(then: str) -> None:
    callback, calls = suspending("steps", 1)
    link = client_link(ca.leaf(), PEER, callback, b"")
    p.SSL_do_handshake(link.client)
    link.move()
    p.SSL_do_handshake(link.server)
    link.move()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 12)
    del calls[:]

    heard = Heard(1) if then == "listener" else Heard(0)
    p.SSL_set_verify(link.client, PEER, heard)
    got = outcome(link.client, p.SSL_do_handshake(link.client))

    assert not calls
    assert heard.seen[0][1] == 20
    assert (got == (1, 0)) == (then == "listener")
    p.ERR_clear_error()


@clause("VFY-20", "CV-8")
def test_callback_may_not_use_its_own_ssl_for_io() -> None:
    def misuse(ctx: p.X509_STORE_CTX, arg: object) -> int:
        index = p.SSL_get_ex_data_X509_STORE_CTX_idx()
        ssl = p.X509_STORE_CTX_get_ex_data(ctx, index)
        with pytest.raises(RuntimeError):
            p.SSL_do_handshake(ssl)
        p.SSL_set_ex_data(ssl, 0, "seen")
        assert p.SSL_get_peer_certificate(ssl) is not None
        return 1

    link = judged(misuse)
    link.established()
    assert p.SSL_get_ex_data(link.client, 0) == "seen"
