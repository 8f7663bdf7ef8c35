"""RFC 8446 4.2.9, 4.2.11: external PSKs, against a peer that misbehaves."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import (
    ForgeClient,
    ForgeServer,
    bend,
    keys,
    messages as m,
)
from tests.forge.victim import (
    CLEAR,
    DECRYPT,
    HANDSHAKE,
    ILLEGAL,
    MISSING,
    UNEXPECTED,
    Case,
    check,
    client,
    server,
    table,
    works,
)
from tests.pki import ca

NAME, KEY = b"someone", b"\x05" * 20
OTHER = (b"other", b"\x06" * 20)
MINE = (NAME, KEY)
CH, CH2 = "client_hello", "client_hello_2"


def knows(ssl: p.SSL) -> None:
    """Give the victim the key, in either role."""
    known = {NAME: KEY}
    p.SSL_set_psk_server_callback(
        ssl, lambda _, name, __: known.get(name, b"")
    )
    p.SSL_set_psk_client_callback(ssl, lambda *_: MINE)


def plain(ssl: p.SSL) -> None:
    """Give the victim the key, and let it do without (EC)DHE."""
    knows(ssl)
    p.SSL_set_options(ssl, p.SSL_OP_ALLOW_NO_DHE_KEX)


def offer(*psks: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    """Arguments of a forged client with these PSKs."""
    return {"psks": psks or (MINE,), **more}


def flip(which: int) -> Callable[[list[bytes]], list[bytes]]:
    """Change one bit of a binder."""

    def spoil(made: list[bytes]) -> list[bytes]:
        made[which] = made[which][:-1] + bytes([made[which][-1] ^ 1])
        return made

    return spoil


def second(change: Callable[[ForgeClient, Any], None]) -> bend.Bend:
    """Change the second hello of a client with PSKs."""
    return lambda forge: forge.on(CH2, change)


def without_first(forge: ForgeClient, hello: Any) -> None:
    """Leave out the first identity (RFC 8446 4.1.2)."""
    del forge.psks[0]
    forge.put_psks(hello)


def spoil_second(forge: ForgeClient, _: Any) -> None:
    """Spoil the binder of the second hello."""
    forge.spoil = flip(0)


def without_any(forge: ForgeClient, hello: Any) -> None:
    """Take the offer back."""
    hello.drop(m.PRE_SHARED_KEY)
    forge.psks = []


# ---- the server -------------------------------------------------------------


@table(
    [
        Case("4.2.11", "known", prepare=knows, forge=offer()),
        Case(
            "4.2.11",
            "known after an unknown one",
            prepare=knows,
            forge=offer(OTHER, MINE),
        ),
        Case(
            "4.2.11",
            "wrong binder of one that is not chosen",
            prepare=knows,
            forge=offer(OTHER, MINE, spoil=flip(0)),
        ),
        Case(
            "4.2.11",
            "wrong binder behind the one that is chosen",
            prepare=knows,
            forge=offer(MINE, OTHER, spoil=flip(1)),
        ),
        Case(
            "4.2.9",
            "both modes",
            prepare=plain,
            forge=offer(modes=b"\x00\x01"),
        ),
        Case(
            "4.2.9",
            "psk_ke",
            prepare=plain,
            forge=offer(modes=b"\x00"),
        ),
        Case(
            "4.2.9",
            "psk_ke without groups",
            bend.drop(CH, m.SUPPORTED_GROUPS, m.KEY_SHARE),
            prepare=plain,
            forge=offer(modes=b"\x00"),
        ),
        Case(
            "9.2",
            "no signature_algorithms",
            bend.drop(CH, m.SIGNATURE_ALGORITHMS),
            prepare=knows,
            forge=offer(),
        ),
        Case(
            "4.1.4",
            "a retry",
            prepare=knows,
            forge=offer(OTHER, MINE, shares=[]),
        ),
        Case(
            "4.1.2",
            "a retry with fewer",
            second(without_first),
            prepare=knows,
            forge=offer(OTHER, MINE, shares=[]),
        ),
    ]
)
def test_server_takes_a_psk_that_it_knows(case: Case) -> None:
    victim = check(case, as_server=True)
    assert p.SSL_session_reused(victim.ssl) == 1
    assert p.SSL_get_psk_identity(victim.ssl) == NAME
    kinds = {kind for kind, _ in victim.forge.seen}
    assert m.CERTIFICATE not in kinds
    has_share = victim.forge.answer.has(m.KEY_SHARE)
    assert has_share == ("psk_ke" not in case.name)


@table(
    [
        Case("4.2.11", "unknown", prepare=knows, forge=offer(OTHER)),
        Case(
            "4.2.11",
            "too many unknown ones",
            prepare=knows,
            forge=offer(OTHER, OTHER, OTHER, OTHER, MINE),
        ),
        Case(
            "4.2.11",
            "a long identity",
            prepare=knows,
            forge=offer((b"n" * 40000, KEY)),
        ),
        Case(
            "4.2.11",
            "suites of another hash",
            prepare=knows,
            forge=offer(suites=[keys.AES_256]),
        ),
        Case(
            "4.2.9",
            "psk_ke not allowed",
            prepare=knows,
            forge=offer(modes=b"\x00"),
        ),
        Case(
            "4.2.9",
            "unknown mode",
            prepare=plain,
            forge=offer(modes=b"\x07"),
        ),
    ]
)
def test_server_makes_a_full_handshake_instead(case: Case) -> None:
    victim = check(case, as_server=True)
    assert p.SSL_session_reused(victim.ssl) == 0
    assert p.SSL_get_psk_identity(victim.ssl) is None
    assert m.CERTIFICATE in {kind for kind, _ in victim.forge.seen}


@table(
    [
        Case(
            "4.2.11",
            "wrong binder",
            None,
            DECRYPT,
            253,
            CLEAR,
            prepare=knows,
            forge=offer(spoil=flip(0)),
        ),
        Case(
            "4.2.11",
            "wrong key",
            None,
            DECRYPT,
            253,
            CLEAR,
            prepare=knows,
            forge=offer((NAME, b"wrong")),
        ),
        Case(
            "4.2.11",
            "binders exchanged",
            None,
            DECRYPT,
            253,
            CLEAR,
            prepare=knows,
            forge=offer(OTHER, MINE, spoil=lambda made: made[::-1]),
        ),
        Case(
            "4.2.11",
            "long binder",
            bend.put(
                CH,
                m.PRE_SHARED_KEY,
                m.vec(2, m.vec(2, NAME) + bytes(4))
                + m.vec(2, m.vec(1, bytes(48))),
            ),
            DECRYPT,
            253,
            CLEAR,
            prepare=knows,
            forge={"extensions": [(m.PSK_MODES, b"\x01\x01")]},
        ),
        Case(
            "4.2.11",
            "wrong binder after a retry",
            second(spoil_second),
            DECRYPT,
            253,
            CLEAR,
            prepare=knows,
            forge=offer(shares=[]),
        ),
        Case(
            "4.1.2",
            "no psk after a retry that took one",
            second(without_any),
            ILLEGAL,
            epoch=CLEAR,
            prepare=knows,
            forge=offer(shares=[]),
        ),
        Case(
            "9.2",
            "no signature_algorithms and an unknown identity",
            bend.drop(CH, m.SIGNATURE_ALGORITHMS),
            MISSING,
            112,
            CLEAR,
            prepare=knows,
            forge=offer(OTHER),
        ),
    ]
)
def test_server_given_a_wrong_psk_aborts(case: Case) -> None:
    check(case, as_server=True)


@clause("RFC 8446 4.2.10", "RFC 8446 4.2.11", "ED-4")
def test_server_that_takes_a_psk_passes_over_its_early_data() -> None:
    # Nobody has agreed on how much of it there may be.
    def takes_early_data(ssl: p.SSL) -> None:
        knows(ssl)
        assert p.SSL_set_max_early_data(ssl, 1000) == 1

    def early(forge: ForgeClient) -> None:
        alone = keys.Schedule()
        alone.suite, alone.psk = keys.SUITES[keys.AES_128], KEY
        alone.messages = forge.schedule.messages
        traffic = alone.early_traffic()
        sealer = keys.Protection(alone.suite, traffic, "early")
        forge.raw(sealer.seal(b"early data\x17"))

    forge = ForgeClient(psks=[MINE], extensions=[(m.EARLY_DATA, b"")])
    forge.after(CH, early)
    victim = server(forge, takes_early_data)
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0), links.reasons()
    assert p.SSL_get_psk_identity(victim.ssl) == NAME
    status = p.SSL_get_early_data_status(victim.ssl)
    assert status == p.SSL_EARLY_DATA_REJECTED
    assert forge.encrypted is not None
    assert not forge.encrypted.has(m.EARLY_DATA)
    works(victim)


@clause("RFC 8446 4.2.11", "PSK-2")
def test_server_asks_for_four_identities_at_most() -> None:
    asked: list[bytes] = []

    def listens(ssl: p.SSL) -> None:
        p.SSL_set_psk_server_callback(
            ssl, lambda _, name, __: asked.append(name) or b""
        )

    names = [(bytes([65 + i]), KEY) for i in range(9)]
    forge = ForgeClient(psks=names)
    victim = server(forge, listens)
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0), links.reasons()
    assert asked == [b"A", b"B", b"C", b"D"]
    works(victim)


# ---- the client -------------------------------------------------------------


@table(
    [
        Case("4.2.11", "chosen", prepare=knows, forge={"psk": KEY}),
        Case(
            "4.2.11",
            "chosen after a retry",
            prepare=knows,
            forge={"psk": KEY, "retry": keys.P256},
        ),
        Case(
            "4.2.11",
            "not chosen",
            prepare=knows,
            forge={},
        ),
    ]
)
def test_client_whose_psk_is_chosen_or_not_goes_on(case: Case) -> None:
    victim = check(case, as_server=False)
    chosen = "psk" in case.forge
    assert p.SSL_session_reused(victim.ssl) == int(chosen)
    identity = p.SSL_get_psk_identity(victim.ssl)
    assert identity == (NAME if chosen else None)
    assert (p.SSL_get_peer_certificate(victim.ssl) is None) == chosen
    hello = victim.forge.hellos[-1]
    last, content = hello.extensions[-1]
    assert last == m.PRE_SHARED_KEY
    r = m.Reader(content)
    assert r.vec(2) == m.vec(2, NAME) + bytes(4)
    assert hello.get(m.PSK_MODES) == b"\x01\x01"


@table(
    [
        *(
            Case(
                "4.2.11",
                f"selected_identity {index}",
                bend.put("server_hello", m.PRE_SHARED_KEY, m.u16(index)),
                ILLEGAL,
                114,
                CLEAR,
                prepare=knows,
                forge={"psk": KEY},
            )
            for index in (1, 2, 0xFFFF)
        ),
        Case(
            "4.2.11",
            "suite of another hash",
            None,
            ILLEGAL,
            epoch=CLEAR,
            prepare=knows,
            forge={"psk": KEY, "suite": keys.AES_256},
        ),
        Case(
            "4.2.11",
            "no key_share",
            bend.drop("server_hello", m.KEY_SHARE),
            ILLEGAL,
            101,
            CLEAR,
            prepare=knows,
            forge={"psk": KEY},
        ),
        Case(
            "4.2.11",
            "selected_identity of three octets",
            bend.put("server_hello", m.PRE_SHARED_KEY, bytes(3)),
            50,
            epoch=CLEAR,
            prepare=knows,
            forge={"psk": KEY},
        ),
        Case(
            "4.3.2",
            "a certificate request",
            lambda forge: forge.before(
                "finished",
                lambda peer: peer.emit(
                    "certificate_request",
                    m.CertificateRequest(
                        b"",
                        [(m.SIGNATURE_ALGORITHMS, b"\x00\x02\x04\x03")],
                    ),
                ),
            ),
            UNEXPECTED,
            244,
            HANDSHAKE,
            prepare=knows,
            forge={"psk": KEY},
        ),
        Case(
            "4.4.2",
            "a certificate",
            lambda forge: forge.before(
                "finished",
                lambda peer: peer.emit("certificate", m.Certificate(b"", [])),
            ),
            UNEXPECTED,
            244,
            HANDSHAKE,
            prepare=knows,
            forge={"psk": KEY},
        ),
    ]
)
def test_client_given_a_wrong_answer_to_its_psk_aborts(case: Case) -> None:
    check(case, as_server=False)


@clause("RFC 8446 4.2.9", "PSK-1")
@pytest.mark.parametrize("allowed", [False, True])
def test_client_says_whether_it_does_without_a_group(allowed: bool) -> None:
    victim = check(
        Case(
            "4.2.9",
            "modes",
            prepare=plain if allowed else knows,
            forge={"psk": KEY},
        ),
        as_server=False,
    )
    modes = victim.forge.hellos[0].get(m.PSK_MODES)
    assert modes == (b"\x02\x01\x00" if allowed else b"\x01\x01")


class PlainServer(ForgeServer):
    """A server that takes a PSK without (EC)DHE (RFC 8446 7.1)."""

    def _encrypted(self, secret: bytes) -> None:
        super()._encrypted(bytes(self.schedule.suite.length))


@pytest.mark.parametrize("allowed", [True, False])
@clause("RFC 8446 4.2.9", "RFC 8446 4.2.11", "PSK-1")
def test_client_takes_no_key_share_only_if_it_said_so(allowed: bool) -> None:
    forge = PlainServer(ca.leaf(), psk=KEY)
    bend.drop("server_hello", m.KEY_SHARE)(forge)
    victim = client(forge, plain if allowed else knows)
    result = victim.handshake()
    if not allowed:
        # It has no keys for an alert.
        assert result == (-1, p.SSL_ERROR_SSL)
        assert links.reasons() == [(p.ERR_LIB_SSL, 101)]
        assert victim.ssl.report().alert_sent == ILLEGAL
        return
    assert result == (1, 0), links.reasons()
    assert p.SSL_get_psk_identity(victim.ssl) == NAME
    assert p.SSL_get_negotiated_group(victim.ssl) == 0
    works(victim)


@clause("RFC 8446 4.2.8", "RFC 8446 4.2.11", "RFC 8446 9.2")
def test_client_that_does_without_a_group_does_so_with_a_psk_alone() -> None:
    check(
        Case(
            "4.2.8",
            "certificate without a key_share",
            bend.drop("server_hello", m.KEY_SHARE),
            MISSING,
            epoch=CLEAR,
            prepare=plain,
        ),
        as_server=False,
    )
