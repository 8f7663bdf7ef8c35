"""RFC 4279 2, RFC 5489 2, RFC 8442: forged peers with a PSK in TLS 1.2.

A key exchange with a PSK has no certificate and no signature: what goes wrong
in it shows in the order of messages, in what the key exchange says, or in
the Finished messages.
"""

from __future__ import annotations

from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.api.sessions import TLS12
from tests.api.test_psk import Keys, contexts, link_of
from tests.clauses import clause
from tests.forge import (
    ForgeClient12,
    ForgeError,
    ForgeServer12,
    bend,
    keys,
    keys12,
    messages as m,
    messages12 as m12,
)
from tests.forge.peer import CCS
from tests.forge.victim import (
    BAD_MAC,
    CLEAR,
    DECODE,
    DECRYPT,
    FAILURE,
    ILLEGAL,
    SEALED,
    SIDES,
    UNEXPECTED,
    Case,
    Case12,
    Victim,
    check,
    client,
    refused,
    table,
    works,
)
from tests.pki import ca
from tests.proto.test_rfc7627_5_resumption import (
    WAYS,
    Met,
    back_to_client,
    back_to_server,
    close,
    resumed,
    server_context,
    to_client,
    to_server,
)
from tests.proto.test_rfc8422_5_key_exchange import POINTS

NAME, KEY, OTHER_KEY = b"someone", b"\x07" * 24, b"\x08" * 24
UNKNOWN = 115
TOO_SHORT, MISMATCH = p.SSL_R_LENGTH_TOO_SHORT, p.SSL_R_LENGTH_MISMATCH
LONGER = p.SSL_R_EXCESSIVE_MESSAGE_SIZE
TOO_LONG = p.SSL_R_DATA_LENGTH_TOO_LONG
NOT_EXPECTED = p.SSL_R_UNEXPECTED_MESSAGE
SH, SKE, DONE = "server_hello", "server_key_exchange", "server_hello_done"
CH, CKE = "client_hello", "client_key_exchange"
CHAIN = list(ca.leaf().chain_der)
SCHEMES = list(keys12.PSK_SUITES)


def knows(ssl: p.SSL) -> None:
    """Give an SSL, of either side, the key of NAME, and of no other."""
    held = Keys()
    held.known[b"i" * 256] = held.known[b"\xff\0\xfe"] = KEY
    p.SSL_set_psk_client_callback(ssl, held.client)
    p.SSL_set_psk_server_callback(ssl, held.server)


def case(
    rfc: str,
    name: str,
    order: Any = None,
    alert: Optional[int] = None,
    reason: Optional[int] = None,
    epoch: str = CLEAR,
    **more: Any,
) -> Case12:
    """Make a row whose victim knows the key; `forge` may say more."""
    return Case12(
        rfc, name, order, alert, reason, epoch, prepare=knows, **more
    )


def run(row: Case12, *, as_server: bool) -> Victim:
    """Run a row against a forge that knows the key, too."""
    own = {"psk": (NAME, KEY)} if as_server else {"psks": {NAME: KEY}}
    row.forge = {**own, **row.forge}
    return check(row, as_server=as_server)


def agreed(victim: Victim) -> None:
    """It was the key, and nothing else, that was used."""
    assert p.SSL_get_psk_identity(victim.ssl) == NAME
    assert p.SSL_get_peer_certificate(victim.ssl) is None
    assert p.SSL_session_reused(victim.ssl) == 0


# ---- the forge is an honest end ---------------------------------------------

NAMES = {
    keys12.PSK_AES_128: "ECDHE-PSK-AES128-GCM-SHA256",
    keys12.PSK_AES_256: "ECDHE-PSK-AES256-GCM-SHA384",
    keys12.PSK_CHACHA: "ECDHE-PSK-CHACHA20-POLY1305",
}


EXTENDED = pytest.mark.parametrize(
    "extended", [True, False], ids=["EMS", "no-EMS"]
)


@EXTENDED
@pytest.mark.parametrize("suite", NAMES)
@clause("RFC 8442 3", "RFC 5489 2", "RFC 7905 2", "RFC 7627 4")
def test_server12_with_a_psk_and_an_honest_forge_completes(
    suite: int, extended: bool
) -> None:
    row = case("8442 3", "honest")
    row.forge = {"suites": [suite], "extended": extended}
    victim = run(row, as_server=True)
    agreed(victim)
    assert victim.forge.exchange.hint == b""
    assert p.SSL_get_cipher_name(victim.ssl) == NAMES[suite]
    assert p.SSL_get_extms_support(victim.ssl) == int(extended)


@EXTENDED
@pytest.mark.parametrize("suite", NAMES)
@clause("RFC 8442 3", "RFC 5489 2", "RFC 7905 2", "RFC 7627 4")
def test_client12_with_a_psk_and_an_honest_forge_completes(
    suite: int, extended: bool
) -> None:
    row = case("8442 3", "honest")
    row.forge = {"suite": suite, "extended": extended, "identity": None}
    victim = run(row, as_server=False)
    agreed(victim)
    assert victim.forge.client_identity == NAME
    assert p.SSL_get_cipher_name(victim.ssl) == NAMES[suite]
    assert p.SSL_get_extms_support(victim.ssl) == int(extended)


@SIDES
@pytest.mark.parametrize("group", keys12.GROUPS)
@clause("RFC 5489 2", "RFC 8422 5.4", "RFC 8422 5.7")
def test_end12_with_a_psk_takes_each_group(
    group: int, as_server: bool
) -> None:
    row = case("5489 2", "group")
    row.forge = {"groups": [group]} if as_server else {"group": group}
    agreed(run(row, as_server=as_server))


@pytest.mark.parametrize("hint", [b"h", b"h" * 256, b"\0\xff\xfe"], ids=len)
@clause("RFC 4279 5.1", "RFC 4279 5.2", "PSK-1")
def test_client12_takes_a_hint_of_any_octets(hint: bytes) -> None:
    row = case("4279 5.2", "hint", forge={"hint": hint})
    victim = run(row, as_server=False)
    agreed(victim)
    assert p.SSL_get_psk_identity_hint(victim.ssl) == hint


@pytest.mark.parametrize("name", [b"i" * 256, b"\xff\0\xfe"], ids=len)
@clause("RFC 4279 5.1", "RFC 4279 5.3", "PSK-2")
def test_server12_takes_an_identity_of_any_octets(name: bytes) -> None:
    row = case("4279 5.3", "identity", forge={"psk": (name, KEY)})
    victim = run(row, as_server=True)
    assert p.SSL_get_psk_identity(victim.ssl) == name


@clause("RFC 4279 2", "RFC 5246 7.4.4", "PSK-2")
def test_server12_that_demands_certificates_asks_for_none_with_a_psk() -> None:
    row = case("4279 2", "demands", wishes={"client_auth": True})
    agreed(run(row, as_server=True))


ODD_HELLOS = [
    # Nobody signs anything.
    case("4279 2", "no schemes", bend.drop(CH, m.SIGNATURE_ALGORITHMS)),
    case("8422 4", "no groups", bend.drop(CH, m.SUPPORTED_GROUPS)),
    case("8422 4", "no formats", bend.drop(CH, m12.POINT_FORMATS)),
    case(
        "6066 8",
        "status asked for",
        forge={"extensions": [(m.STATUS_REQUEST, b"\x01\0\0\0\0")]},
    ),
    case(
        "5246 7.4.1.3",
        "suites of all kinds, the key's first",
        forge={"suites": [*keys12.PSK_SUITES, *keys12.SUITES]},
    ),
]


@table(ODD_HELLOS)
def test_server12_given_an_odd_hello_with_a_psk_completes(
    case: Case12,
) -> None:
    agreed(run(case, as_server=True))


# ---- hellos that no handshake with a PSK can follow -------------------------

WRONG_HELLOS = [
    case(
        "8422 4",
        "no common group",
        None,
        FAILURE,
        p.SSL_R_NO_SHARED_CIPHER,
        forge={"groups": [0x0100]},
    ),
    case(
        "8422 5.1.2",
        "formats without the uncompressed",
        bend.put(CH, m12.POINT_FORMATS, b"\x01\x01"),
        ILLEGAL,
    ),
    Case12(
        "4279 2",
        "server without a key",
        None,
        FAILURE,
        p.SSL_R_NO_SHARED_CIPHER,
    ),
    case(
        "4279 2",
        "suites with a PSK and without ECDHE",
        None,
        FAILURE,
        p.SSL_R_NO_SHARED_CIPHER,
        forge={"suites": [0x00A8, 0x00A9, 0x00AA, 0x00AC, 0x008C, 0xC035]},
    ),
]


@table(WRONG_HELLOS)
def test_server12_given_a_wrong_hello_with_a_psk_aborts(case: Case12) -> None:
    run(case, as_server=True)


@clause("RFC 5246 7.4.1.3", "RFC 8442 3")
@pytest.mark.parametrize("suite", keys12.PSK_SUITES)
def test_client12_without_a_key_given_a_suite_with_one_aborts(
    suite: int,
) -> None:
    order = bend.fields(SH, suite=suite)
    reason = p.SSL_R_WRONG_CIPHER_RETURNED
    check(
        Case12("5246 7.4.1.3", "suite", order, ILLEGAL, reason),
        as_server=False,
    )


@clause("RFC 8446 4.1.3", "RFC 8442 3")
@pytest.mark.parametrize("suite", keys12.PSK_SUITES)
def test_client_given_a_suite_of_tls12_with_a_psk_in_tls13_aborts(
    suite: int,
) -> None:
    row = Case("4.1.3", "suite", bend.fields(SH, suite=suite), ILLEGAL)
    row.epoch, row.prepare = CLEAR, knows
    row.reason = p.SSL_R_WRONG_CIPHER_RETURNED
    row.wishes = {"version": 0}
    check(row, as_server=False)


# ---- order ------------------------------------------------------------------

FROM_SERVER = (SH, SKE, DONE, "ticket", "ccs", "finished")
FROM_CLIENT = (CH, CKE, "ccs", "finished")
BEHIND_KEYS = {"ticket", "ccs", "finished"}
REQUEST = m12.CertificateRequest(schemes=[0x0403])
# RFC 4279 2: none of these four belongs to a handshake with a PSK.
STRANGERS = {
    "certificate": m12.Certificate(CHAIN),
    "empty certificate": m12.Certificate([]),
    "certificate_request": REQUEST,
    "certificate_verify": m.CertificateVerify(0x0403, bytes(70)),
    "certificate_status": m.Raw(m.CERTIFICATE_STATUS, b"\x01\0\0\x01x"),
    "client_hello": m.ClientHello(suites=SCHEMES),
    "server_hello": m.ServerHello(suite=keys12.PSK_CHACHA),
    "key_update": m.KeyUpdate(),
    "supplemental_data": m.Raw(23, b"\0\0\0"),
    "finished": m.Finished(bytes(12)),
    "unknown": m.Raw(99, b"x"),
}


def out_of_order(server: bool, name: str, what: str, order: Any) -> Case12:
    """Make a row for a message where none may be."""
    late = not server and name in BEHIND_KEYS
    rfc = "4279 2" if "certificate" in what else "5246 7.3"
    row = case(
        rfc,
        f"{name} {what}",
        order,
        UNEXPECTED,
        NOT_EXPECTED,
        SEALED if late else CLEAR,
    )
    if not server:
        row.forge = {"tickets": True}
    return row


def disorder(server: bool) -> list[Case12]:
    """Rows: messages left out, twice, strange, and two exchanged."""
    names = FROM_CLIENT[1:] if server else FROM_SERVER
    # What waits for the end of a flight goes on waiting without it.
    silent = {CKE: False, "ccs": server, DONE: True, "finished": True}
    rows = [
        out_of_order(server, name, "left out", bend.leave(name))
        for name in names
        if not silent.get(name)
    ]
    rows += [
        out_of_order(server, name, "doubled", bend.twice(name))
        for name in names
        if name not in {DONE, "ccs", "ticket", "finished"}
    ]
    for name in names[:-1]:
        for who, message in STRANGERS.items():
            if who == name:
                continue
            order = bend.ahead(name, message)
            row = out_of_order(server, name, f"behind {who}", order)
            rows.append(row)
    return rows


def with_reasons(rows: list[Case12]) -> list[Case12]:
    """Give the rows of change_cipher_spec the reasons of their own."""
    for row in rows:
        if row.name == "ccs left out":
            row.bend = bend.both(
                bend.leave("ccs"),
                lambda forge: forge.before(
                    "finished", lambda peer: setattr(peer, "sealer", None)
                ),
            )
        if row.name in {"ccs left out", "ccs behind finished"}:
            row.reason = p.SSL_R_GOT_A_FIN_BEFORE_A_CCS
        elif row.name in {"ticket left out", f"{CKE} left out"}:
            row.reason = p.SSL_R_CCS_RECEIVED_EARLY
    return rows


@table(with_reasons(disorder(False)))
def test_client12_with_a_psk_given_messages_out_of_order_aborts(
    case: Case12,
) -> None:
    run(case, as_server=False)


@table(with_reasons(disorder(True)))
def test_server12_with_a_psk_given_messages_out_of_order_aborts(
    case: Case12,
) -> None:
    run(case, as_server=True)


@SIDES
@clause("RFC 5246 7.1")
def test_end12_with_a_psk_given_an_early_ccs_aborts(as_server: bool) -> None:
    for name in (CKE,) if as_server else (SKE, DONE):
        order = bend.then_record(name, CCS, b"\x01")
        reason = p.SSL_R_CCS_RECEIVED_EARLY
        row = case("5246 7.1", name, order, UNEXPECTED, reason)
        run(row, as_server=as_server)
        links.reasons()


DONE_WRONG = [
    case("5246 7.4.5", "octet in it", bend.trailing(DONE), DECODE, LONGER),
    case(
        "4279 2",
        "exchanged with the key exchange",
        lambda forge: forge.on(
            SKE, lambda peer, found: [m12.ServerHelloDone(), found]
        ),
        UNEXPECTED,
        NOT_EXPECTED,
    ),
    case(
        "6066 8",
        "status promised and sent without a certificate",
        bend.both(
            bend.put(SH, m.STATUS_REQUEST, b""),
            bend.ahead(SKE, m.Raw(m.CERTIFICATE_STATUS, b"\x01\0\0\x01x")),
        ),
        UNEXPECTED,
        NOT_EXPECTED,
    ),
]


@table(DONE_WRONG)
def test_client12_with_a_psk_given_a_wrong_flight_aborts(
    case: Case12,
) -> None:
    def asks(ssl: p.SSL) -> None:
        knows(ssl)
        assert p.SSL_set_tlsext_status_type(ssl, 1) == 1

    case.prepare = asks
    run(case, as_server=False)


@clause("RFC 6066 8", "OCSP-2")
def test_client12_promised_a_status_that_a_psk_has_not_goes_on() -> None:
    def asks(ssl: p.SSL) -> None:
        knows(ssl)
        assert p.SSL_set_tlsext_status_type(ssl, 1) == 1

    row = case("6066 8", "promised", bend.put(SH, m.STATUS_REQUEST, b""))
    row.prepare = asks
    agreed(run(row, as_server=False))


# ---- the key exchange -------------------------------------------------------

SIGNED = m12.ServerKeyExchange(
    group=keys.X25519,
    public=bytes(31) + b"\x09",
    scheme=0x0403,
    signature=bytes(70),
)
SERVER_KX = (
    [
        case(
            "4279 5.3",
            f"hint of {n}",
            bend.fields(SKE, hint=b"h" * n),
            FAILURE,
            TOO_LONG,
        )
        for n in (257, 1000, 65535)
    ]
    + [
        case(
            "8422 5.4",
            f"curve type {one}",
            bend.fields(SKE, curve_type=one),
            ILLEGAL,
            p.SSL_R_WRONG_CURVE,
        )
        for one in (0, 1, 2, 255)
    ]
    + [
        case(
            "8422 5.4",
            f"group {group:#06x} not offered",
            bend.fields(SKE, group=group),
            ILLEGAL,
            p.SSL_R_WRONG_CURVE,
        )
        for group in (0, 14, 30, 0x0100, 0x11EC, 0xFFFF)
    ]
    + [
        case("5489 2", "octet behind", bend.trailing(SKE), DECODE, MISMATCH),
        case("5489 2", "empty", bend.cut(SKE, 0), DECODE, TOO_SHORT),
        case(
            "5489 2",
            "no point",
            bend.fields(SKE, public=b""),
            DECODE,
            MISMATCH,
        ),
        case(
            "5489 2",
            "no hint",
            bend.body(SKE, lambda whole: whole[2:]),
            DECODE,
            MISMATCH,
        ),
        case(
            "5489 2",
            "hint longer than the message",
            bend.body(SKE, lambda whole: b"\xff\xff" + whole[2:]),
            DECODE,
            MISMATCH,
        ),
        case(
            "5489 2",
            "hint alone, as in plain PSK",
            bend.swap(SKE, m.SERVER_KEY_EXCHANGE, m.vec(2, b"hint")),
            DECODE,
            MISMATCH,
        ),
        case(
            "5489 2",
            "signed, without a hint",
            bend.swap(SKE, m.SERVER_KEY_EXCHANGE, SIGNED.body()),
            DECODE,
            MISMATCH,
        ),
        case(
            "5489 2",
            "signed, behind a hint",
            bend.body(
                SKE, lambda whole: whole + m.u16(0x0403) + m.vec(2, b"s")
            ),
            DECODE,
            MISMATCH,
        ),
    ]
)


@table(SERVER_KX)
def test_client12_given_a_wrong_key_exchange_with_a_psk_aborts(
    case: Case12,
) -> None:
    run(case, as_server=False)


@clause("RFC 5489 2")
def test_client12_given_a_psk_exchange_cut_anywhere_is_decode_error() -> None:
    size = len(m12.PskServerKeyExchange(b"hint", public=bytes(32)).body())
    for at in range(size):
        reason = MISMATCH if at else TOO_SHORT
        row = case("5489 2", "cut", bend.cut(SKE, at), DECODE, reason)
        row.forge = {"hint": b"hint", "group": keys.X25519}
        run(row, as_server=False)


CLIENT_KX = (
    [
        case(
            "4279 2",
            f"identity {shown}",
            None,
            UNKNOWN,
            p.SSL_R_PSK_IDENTITY_NOT_FOUND,
            forge={"psk": (name, KEY)},
        )
        for shown, name in {
            "that nobody knows": b"a stranger",
            "of none": b"",
            "with a zero behind": NAME + b"\0",
            "in capitals": NAME.upper(),
            "of 256": b"x" * 256,
        }.items()
    ]
    + [
        case(
            "4279 5.3",
            f"identity of {n}",
            None,
            FAILURE,
            TOO_LONG,
            forge={"psk": (b"x" * n, KEY)},
        )
        for n in (257, 1000, 65535)
    ]
    + [
        case("5489 2", "octet behind", bend.trailing(CKE), DECODE, MISMATCH),
        case("5489 2", "empty", bend.cut(CKE, 0), DECODE, TOO_SHORT),
        case(
            "5489 2",
            "no point",
            bend.fields(CKE, public=b""),
            DECODE,
            MISMATCH,
        ),
        case(
            "5489 2",
            "no identity",
            bend.body(CKE, lambda whole: whole[2 + len(NAME) :]),
            DECODE,
            MISMATCH,
        ),
        case(
            "5489 2",
            "identity longer than the message",
            bend.body(CKE, lambda whole: b"\xff\xff" + whole[2:]),
            DECODE,
            MISMATCH,
        ),
        case(
            "5489 2",
            "identity alone, as in plain PSK",
            bend.swap(CKE, m.CLIENT_KEY_EXCHANGE, m.vec(2, NAME)),
            DECODE,
            MISMATCH,
        ),
        case(
            "4279 2",
            "wrong key",
            None,
            BAD_MAC,
            p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
            forge={"psk": (NAME, OTHER_KEY)},
        ),
        case(
            "4279 2",
            "key cut by an octet",
            None,
            BAD_MAC,
            p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
            forge={"psk": (NAME, KEY[:-1])},
        ),
    ]
)


@table(CLIENT_KX)
def test_server12_given_a_wrong_key_exchange_with_a_psk_aborts(
    case: Case12,
) -> None:
    run(case, as_server=True)


@clause("RFC 5489 2")
def test_server12_given_a_psk_exchange_cut_anywhere_is_decode_error() -> None:
    size = len(m12.PskClientKeyExchange(NAME, bytes(32)).body())
    for at in range(size):
        reason = MISMATCH if at else TOO_SHORT
        row = case("5489 2", "cut", bend.cut(CKE, at), DECODE, reason)
        row.forge = {"groups": [keys.X25519]}
        run(row, as_server=True)


class WrongServer(ForgeServer12):
    """A server that goes on although its key is another."""

    def _open(self, whole: bytes) -> None:
        try:
            super()._open(whole)
        except ForgeError:
            if not self.done:
                self.done = True
                self.finish()


@EXTENDED
@clause("RFC 4279 2", "RFC 5246 6.2.3.3", "HS-18")
def test_client12_of_a_server_with_another_key_aborts(extended: bool) -> None:
    forge = WrongServer(None, psks={NAME: OTHER_KEY}, extended=extended)
    victim = client(forge, knows, version=TLS12)
    assert victim.handshake() == (-1, p.SSL_ERROR_SSL)
    reason = p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    assert links.reasons() == [(p.ERR_LIB_SSL, reason)]
    assert victim.ssl.report().alert_sent == BAD_MAC


def points(as_server: bool) -> list[Case12]:
    """Rows of points that nobody may take."""
    name = CKE if as_server else SKE
    rows = []
    for group, what, point in POINTS:
        row = case(
            "8422 5.11",
            what,
            bend.fields(name, public=point),
            ILLEGAL,
            p.SSL_R_BAD_ECPOINT,
        )
        row.forge = {"groups": [group]} if as_server else {"group": group}
        rows.append(row)
    return rows


@table(points(False))
def test_client12_given_a_bad_point_with_a_psk_aborts(case: Case12) -> None:
    run(case, as_server=False)


@table(points(True))
def test_server12_given_a_bad_point_with_a_psk_aborts(case: Case12) -> None:
    run(case, as_server=True)


# ---- Finished ---------------------------------------------------------------

FINISHED = [
    case(
        "5246 7.4.9",
        "of zeros",
        bend.fields("finished", verify_data=bytes(12)),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    case(
        "5246 7.4.9",
        "of the other side",
        lambda forge: forge.on(
            "finished",
            lambda peer, found: setattr(
                found, "verify_data", peer.schedule.finished(not peer.server)
            ),
        ),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    case(
        "5246 7.4.9",
        "of 11",
        bend.fields("finished", verify_data=bytes(11)),
        DECODE,
        MISMATCH,
    ),
    case(
        "5246 7.4.9",
        "of 13",
        bend.fields("finished", verify_data=bytes(13)),
        DECODE,
        LONGER,
    ),
    case("5246 7.4.9", "empty", bend.cut("finished", 0), DECODE, TOO_SHORT),
]


@SIDES
@table(FINISHED)
def test_finished12_with_a_psk_that_is_wrong_aborts(
    case: Case12, as_server: bool
) -> None:
    row = Case12(**vars(case))
    row.epoch = CLEAR if as_server else SEALED
    run(row, as_server=as_server)


@EXTENDED
@pytest.mark.parametrize("which", ["hint", "identity"])
@clause("RFC 4279 2", "RFC 5246 7.4.9", "RFC 7627 4")
def test_finished12_covers_what_no_signature_covers(
    which: str, extended: bool
) -> None:
    held = Keys()
    held.known[b"someon3"] = KEY
    pair, _ = contexts(TLS12, held)
    assert p.SSL_CTX_use_psk_identity_hint(pair[1], b"a hint") == 1
    if not extended:
        p.SSL_CTX_set_options(pair[0], p.SSL_OP_NO_EXTENDED_MASTER_SECRET)
    link = link_of(pair)
    changed = 0
    for _ in range(3):
        for ssl, out, into in (
            (link.client, link.client_out, link.server_in),
            (link.server, link.server_out, link.client_in),
        ):
            found = links.outcome(ssl, p.SSL_do_handshake(ssl))
            if found[1] == p.SSL_ERROR_SSL:
                break
            sent = links.take(out)
            for old, new in ((b"a hint", b"a hin7"), (b"someone", b"someon3")):
                if (which == "hint") == (old == b"a hint") and old in sent:
                    sent, changed = sent.replace(old, new), changed + 1
            links.put(into, sent)
        else:
            continue
        break
    assert changed == 1
    # The extended master secret covers both messages, so the keys differ.
    assert ssl is link.server
    reason, alert = (
        (p.SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, BAD_MAC)
        if extended
        else (p.SSL_R_DIGEST_CHECK_FAILED, DECRYPT)
    )
    assert links.ssl_reasons() == [reason]
    assert link.server.report().alert_sent == alert


# ---- resumption -------------------------------------------------------------


def psk_server(tickets: bool) -> Met:
    """Let a server and a forge with a key meet for the first time."""
    met = Met(server_context(tickets), tickets)
    p.SSL_CTX_set_psk_server_callback(met.ctx, Keys().server)
    asks = b"" if tickets else None
    first = ForgeClient12(psk=(NAME, KEY), ticket=asks)
    victim = to_server(met.ctx, first)
    assert victim.handshake() == (1, 0), links.reasons()
    works(victim)
    agreed(victim)
    met.session = first.session
    assert bool(met.session.ticket) == tickets
    close(victim)
    return met


def psk_client(tickets: bool, psk: bool = True) -> Met:
    """Let a client that has a key and a forge meet for the first time."""
    ctx, _ = links.make_contexts(version=TLS12)
    p.SSL_CTX_set_psk_client_callback(ctx, Keys().client)
    met = Met(ctx, tickets)
    first = ForgeServer12(
        ca.leaf(),
        tickets=tickets,
        session_id=b"" if tickets else b"i" * 32,
        psks={NAME: KEY} if psk else None,
    )
    victim = to_client(met, first)
    assert victim.handshake() == (1, 0), links.reasons()
    works(victim)
    met.own = p.SSL_get1_session(victim.ssl)
    met.session = first.session
    assert (met.session.suite in keys12.PSK_SUITES) == psk
    close(victim)
    return met


@WAYS
@clause("RFC 5077 3.4", "RFC 5246 7.3", "RFC 5489 2", "PSK-3")
def test_session12_with_a_psk_is_resumed(tickets: bool) -> None:
    met = psk_server(tickets)
    victim = back_to_server(met, psk=(NAME, KEY))
    assert resumed(victim)
    assert p.SSL_get_psk_identity(victim.ssl) == NAME
    met = psk_client(tickets)
    victim = back_to_client(met)
    assert resumed(victim)
    assert p.SSL_get_psk_identity(victim.ssl) == NAME


@WAYS
@clause("RFC 5246 7.4.1.2", "RFC 5246 7.4.1.3", "RFC 4279 2")
def test_server12_offered_a_psk_session_with_other_suites_starts_anew(
    tickets: bool,
) -> None:
    met = psk_server(tickets)
    victim = back_to_server(met, suites=list(keys12.SUITES))
    assert not resumed(victim)
    assert victim.forge.peer_chain
    assert p.SSL_get_psk_identity(victim.ssl) is None
    # Another suite with a PSK is another suite, too.
    others = [one for one in keys12.PSK_SUITES if one != met.session.suite]
    victim = back_to_server(met, suites=others, psk=(NAME, KEY))
    assert not resumed(victim)
    agreed(victim)


@WAYS
@clause("RFC 5246 7.4.1.2", "RFC 4279 2")
def test_server12_offered_a_session_with_suites_of_a_psk_starts_anew(
    tickets: bool,
) -> None:
    met = psk_server(tickets)
    plain = ForgeClient12(ticket=b"" if tickets else None)
    victim = to_server(met.ctx, plain)
    assert victim.handshake() == (1, 0)
    met.session = plain.session
    close(victim)
    victim = back_to_server(met, psk=(NAME, KEY))
    assert not resumed(victim)
    agreed(victim)
    assert victim.forge.peer_chain == []


@WAYS
@clause("PSK-2", "RFC 5246 7.4.1.3")
def test_server12_that_has_no_keys_any_more_resumes_no_psk_session(
    tickets: bool,
) -> None:
    met = psk_server(tickets)
    p.SSL_CTX_set_psk_server_callback(met.ctx, None)
    both = [*keys12.PSK_SUITES, *keys12.SUITES]
    victim = back_to_server(met, psk=(NAME, KEY), suites=both)
    assert not resumed(victim)
    assert victim.forge.peer_chain


@WAYS
@clause("RFC 7627 5.3")
def test_server12_offered_a_psk_session_without_the_extension_aborts(
    tickets: bool,
) -> None:
    met = psk_server(tickets)
    victim = back_to_server(met, psk=(NAME, KEY), extended=False)
    reason = p.SSL_R_INCONSISTENT_EXTMS
    refused(victim, victim.handshake(), FAILURE, reason, CLEAR)


RESUMED_WRONGLY = [
    *(
        Case12(
            "5246 7.4.1.3",
            f"suite {suite:#06x}",
            bend.fields(SH, suite=suite),
            ILLEGAL,
            p.SSL_R_OLD_SESSION_CIPHER_NOT_RETURNED,
        )
        for suite in (
            keys12.ECDSA_AES_128,
            keys12.RSA_CHACHA,
            keys12.PSK_CHACHA,
            keys12.PSK_AES_128,
        )
    ),
    Case12(
        "7627 5.3",
        "no extended master secret",
        bend.drop(SH, m12.EXTENDED_MASTER_SECRET),
        FAILURE,
        p.SSL_R_INCONSISTENT_EXTMS,
    ),
    Case12(
        "5246 7.3",
        "key exchange behind it",
        bend.ahead(
            "ccs",
            m12.PskServerKeyExchange(group=keys.X25519, public=bytes(32)),
        ),
        UNEXPECTED,
        NOT_EXPECTED,
    ),
    Case12(
        "4279 2",
        "certificate behind it",
        bend.ahead("ccs", m12.Certificate(CHAIN)),
        UNEXPECTED,
        NOT_EXPECTED,
    ),
    Case12(
        "5246 7.4.9",
        "wrong Finished",
        bend.fields("finished", verify_data=bytes(12)),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
]


@WAYS
@table(RESUMED_WRONGLY)
def test_client12_whose_psk_session_is_resumed_wrongly_aborts(
    case: Case12, tickets: bool
) -> None:
    met = psk_client(tickets)
    assert met.session.suite == keys12.PSK_AES_256
    victim = back_to_client(met, case.bend)
    refused(
        victim, victim.handshake(), case.alert, case.reason, (CLEAR, SEALED)
    )


@WAYS
@pytest.mark.parametrize("suite", keys12.PSK_SUITES)
@clause("RFC 5246 7.4.1.3")
def test_client12_whose_session_is_resumed_with_a_psk_aborts(
    tickets: bool, suite: int
) -> None:
    met = psk_client(tickets, psk=False)
    victim = back_to_client(met, bend.fields(SH, suite=suite))
    reason = p.SSL_R_OLD_SESSION_CIPHER_NOT_RETURNED
    refused(victim, victim.handshake(), ILLEGAL, reason, CLEAR)


@WAYS
@clause("RFC 5246 7.4.1.2", "PSK-1")
def test_client12_that_has_no_key_any_more_offers_no_psk_session(
    tickets: bool,
) -> None:
    met = psk_client(tickets)
    p.SSL_CTX_set_psk_client_callback(met.ctx, None)
    met.session = None
    victim = back_to_client(met)
    assert not resumed(victim)
    hello = victim.forge.hello
    assert not set(hello.suites) & set(keys12.PSK_SUITES)
    assert hello.session_id == b""
    assert hello.get(m.SESSION_TICKET) == b""
