"""RFC 8446 4.2.9 to 4.2.11: an offer to resume, to a server without PSKs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clauses import clause
from tests.forge import ForgeClient, bend, messages as m
from tests.forge.victim import (
    CLEAR,
    DECODE,
    FAILURE,
    ILLEGAL,
    MISSING,
    Case,
    check,
    server,
    table,
    works,
)

CH = "client_hello"

MODES = (m.PSK_MODES, b"\x01\x01")


def psk(identities: bytes, binders: bytes) -> tuple[int, bytes]:
    """Give a pre_shared_key extension."""
    return (m.PRE_SHARED_KEY, m.vec(2, identities) + m.vec(2, binders))


TICKET = m.vec(2, b"ticket") + bytes(4)
BINDER = m.vec(1, bytes(32))
GOOD = psk(TICKET, BINDER)


def offer(*extensions: tuple[int, bytes]) -> dict[str, Any]:
    """Give the forge extensions to append."""
    return {"extensions": list(extensions)}


@table(
    [
        Case("4.2.11", "unknown ticket", forge=offer(MODES, GOOD)),
        Case(
            "4.2.11",
            "two unknown tickets",
            forge=offer(MODES, psk(TICKET * 2, BINDER * 2)),
        ),
        Case("4.2.9", "modes alone", forge=offer(MODES)),
        Case(
            "4.2.9",
            "unknown modes",
            forge=offer((m.PSK_MODES, b"\x03\x1a\x01\x00"), GOOD),
        ),
        Case("4.2.6", "post_handshake_auth", forge=offer((49, b""))),
    ]
)
def test_server_offered_an_unknown_psk_makes_a_full_handshake(
    case: Case,
) -> None:
    check(case, as_server=True)


@table(
    [
        Case(
            "4.2.11",
            "pre_shared_key not last",
            None,
            ILLEGAL,
            epoch=CLEAR,
            forge=offer(GOOD, MODES),
        ),
        Case(
            "4.2.11",
            "pre_shared_key before an unknown extension",
            None,
            ILLEGAL,
            epoch=CLEAR,
            forge=offer(MODES, GOOD, (0x1234, b"")),
        ),
        Case(
            "4.2.11",
            "pre_shared_key twice",
            None,
            ILLEGAL,
            epoch=CLEAR,
            forge=offer(MODES, GOOD, GOOD),
        ),
        # RFC 8446 4.2.9 asks for an abort and leaves the alert open.
        Case(
            "4.2.9",
            "no psk_key_exchange_modes",
            None,
            (MISSING, ILLEGAL, FAILURE),
            epoch=CLEAR,
            forge=offer(GOOD),
        ),
        Case(
            "4.2.11",
            "fewer binders than identities",
            None,
            ILLEGAL,
            epoch=CLEAR,
            forge=offer(MODES, psk(TICKET * 2, BINDER)),
        ),
        Case(
            "4.2.11",
            "more binders than identities",
            None,
            ILLEGAL,
            epoch=CLEAR,
            forge=offer(MODES, psk(TICKET, BINDER * 2)),
        ),
        *(
            Case(
                "4.2.11",
                f"malformed {i}",
                None,
                DECODE,
                epoch=CLEAR,
                forge=offer(MODES, (m.PRE_SHARED_KEY, data)),
            )
            for i, data in enumerate(
                [
                    b"",
                    b"\0\0",
                    psk(b"", BINDER)[1],
                    psk(TICKET, b"")[1],
                    psk(TICKET[:-1], BINDER)[1],
                    psk(m.vec(2, b"") + bytes(4), BINDER)[1],
                    psk(TICKET, m.vec(1, bytes(31)))[1],
                    psk(TICKET, BINDER[:-1])[1],
                    GOOD[1] + b"\0",
                    GOOD[1][:-1],
                ]
            )
        ),
        *(
            Case(
                "4.2.9",
                f"psk_key_exchange_modes {data.hex() or 'empty'}",
                None,
                DECODE,
                epoch=CLEAR,
                forge=offer((m.PSK_MODES, data)),
            )
            for data in (b"", b"\0", b"\x02\x01", b"\x01\x01\0")
        ),
        Case(
            "4.2.10",
            "early_data not empty",
            None,
            DECODE,
            epoch=CLEAR,
            forge=offer(MODES, (m.EARLY_DATA, b"\0"), GOOD),
        ),
    ]
)
def test_server_given_a_wrong_offer_to_resume_aborts(case: Case) -> None:
    check(case, as_server=True)


@clause("RFC 8446 4.2.10")
@pytest.mark.parametrize("records", [1, 5])
@pytest.mark.parametrize("retry", [False, True])
def test_server_offered_early_data_passes_over_it(
    records: int, retry: bool
) -> None:
    order = offer(MODES, (m.EARLY_DATA, b""), GOOD)
    forge = ForgeClient(shares=[] if retry else None, **order)
    bend.drop("client_hello_2", m.EARLY_DATA)(forge)

    def early(peer: ForgeClient) -> None:
        for i in range(records):
            peer.clear(23, bytes([i]) * 500)

    forge.after(CH, early)
    victim = server(forge)
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0)
    works(victim)


@clause("RFC 8446 4.2.10", "HS-18")
def test_server_given_early_data_without_its_extension_aborts() -> None:
    check(
        Case(
            "4.2.10",
            "not announced",
            lambda forge: forge.after(
                CH, lambda peer: peer.clear(23, bytes(100))
            ),
            (10, 20),
            epoch=("application",),
        ),
        as_server=True,
    )


@clause("RFC 8446 4.2.10", "RFC 8446 5.2", "HS-18")
def test_server_given_a_corrupt_record_after_a_retry_aborts() -> None:
    # The second hello has ended the early data, and with it the skipping.
    def corrupt(peer: ForgeClient) -> None:
        assert peer.sealer is not None
        whole = peer.sealer.seal(b"\x14" * 9 + b"\x16")
        peer.raw(whole[:-1] + bytes([whole[-1] ^ 1]))
        peer.sealer.seq -= 1

    check(
        Case(
            "4.2.10",
            "corrupt after a retry",
            bend.both(
                bend.drop("client_hello_2", m.EARLY_DATA),
                lambda forge: forge.before("finished", corrupt),
            ),
            20,
            281,
            "application",
            forge={"shares": [], **offer(MODES, (m.EARLY_DATA, b""), GOOD)},
        ),
        as_server=True,
    )
