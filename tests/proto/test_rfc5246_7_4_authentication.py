"""RFC 5246 7.4.2 to 7.4.9: certificates, requests, signatures, Finished."""

from __future__ import annotations

from typing import Any

import pytest

import pyssl as p
from tests.clauses import clause
from tests.forge import ForgeClient12, bend, keys, messages as m
from tests.forge.victim import (
    BAD_CERT,
    DECODE,
    DECRYPT,
    FAILURE,
    ILLEGAL,
    SEALED,
    SIDES,
    UNEXPECTED,
    UNSUPPORTED_CERT,
    Case12,
    check,
    make,
    refused,
    table,
)
from tests.pki import ca

CT, CV, FIN, CR = (
    "certificate",
    "certificate_verify",
    "finished",
    "certificate_request",
)
LEAF = ca.leaf().cert_der


def chain(*ders: bytes) -> Any:
    """Send these certificates."""
    return bend.fields(CT, chain=list(ders))


def answering(**forge: Any) -> dict[str, Any]:
    """Arguments of a forge that has a certificate as client."""
    return {"identity": ca.leaf(), **forge}


# ---- Certificate ------------------------------------------------------------

GARBAGE = {
    "octet": b"\0",
    "text": b"certificate",
    "sequence": b"\x30\x03\x02\x01\x01",
    "cut": LEAF[:-1],
    "octet behind": LEAF + b"\0",
}
CERTIFICATES = [
    Case12("5246 7.4.2", "no octets of a certificate", chain(b""), DECODE),
    Case12("5246 7.4.2", "no octets of the second", chain(LEAF, b""), DECODE),
    Case12("5246 7.4.2", "octet behind the list", bend.trailing(CT), DECODE),
    Case12("5246 7.4.2", "empty message", bend.swap(CT, 11, b""), DECODE),
    Case12(
        "5246 7.4.2",
        "list longer than the message",
        bend.swap(CT, 11, b"\0\0\x04\0\0\x00"),
        DECODE,
    ),
    Case12(
        "5246 7.4.2",
        "certificate longer than the list",
        bend.swap(CT, 11, b"\0\0\x04\0\0\x02x"),
        DECODE,
    ),
    Case12(
        "5246 7.4.2",
        "form of TLS 1.3",
        bend.swap(CT, 11, bytes(m.Certificate(b"", [(LEAF, [])]))[4:]),
        (DECODE, BAD_CERT),
    ),
    *(
        Case12("5246 7.4.2", f"bad DER {name}", chain(der), (BAD_CERT, DECODE))
        for name, der in GARBAGE.items()
    ),
    Case12(
        "5246 7.4.2",
        "bad DER second",
        chain(LEAF, b"\0"),
        (BAD_CERT, DECODE),
    ),
    Case12(
        "5246 7.4.2",
        "more certificates than anybody needs",
        chain(*[LEAF] * 200),
        (BAD_CERT, DECODE, ILLEGAL),
    ),
]


@SIDES
@table(CERTIFICATES)
def test_certificate12_that_is_malformed_aborts(
    case: Case12, as_server: bool
) -> None:
    if as_server:
        case = Case12(**{**vars(case), "forge": answering()})
        case.wishes = {"client_auth": True, "client": ca.leaf()}
    check(case, as_server=as_server)


FROM_SERVER = [
    Case12("5246 7.4.2", "empty list", chain(), DECODE),
    Case12(
        "5246 7.4.2",
        "key of ECDSA for a suite of RSA",
        None,
        ILLEGAL,
        p.SSL_R_WRONG_CERTIFICATE_TYPE,
        forge={"suite": 0xC02F},
    ),
    Case12(
        "5246 7.4.2",
        "key of RSA for a suite of ECDSA",
        None,
        ILLEGAL,
        p.SSL_R_WRONG_CERTIFICATE_TYPE,
        forge={"identity": ca.leaf("rsa"), "suite": 0xC02B},
    ),
    Case12(
        "5246 7.4.2",
        "key of Ed25519 for a suite of RSA",
        None,
        ILLEGAL,
        p.SSL_R_WRONG_CERTIFICATE_TYPE,
        forge={"identity": ca.leaf("ed25519"), "suite": 0xC02F},
    ),
    Case12(
        "5246 7.2.2",
        "unknown authority",
        None,
        48,
        p.SSL_R_CERTIFICATE_VERIFY_FAILED,
        wishes={"server": ca.leaf(issuer=ca.authority(name="another root"))},
    ),
    Case12(
        "5246 7.2.2",
        "expired",
        None,
        45,
        p.SSL_R_CERTIFICATE_VERIFY_FAILED,
        forge={"identity": ca.leaf(expired=True)},
    ),
    Case12(
        "5246 7.2.2",
        "for clients alone",
        None,
        UNSUPPORTED_CERT,
        p.SSL_R_CERTIFICATE_VERIFY_FAILED,
        forge={"identity": ca.leaf(eku=("client",))},
    ),
    Case12(
        "5246 7.2.2",
        "bad signature",
        None,
        (DECRYPT, BAD_CERT),
        p.SSL_R_CERTIFICATE_VERIFY_FAILED,
        forge={"identity": ca.leaf(bad_signature=True)},
    ),
]


@table(FROM_SERVER)
def test_client12_given_a_certificate_it_cannot_accept_aborts(
    case: Case12,
) -> None:
    check(case, as_server=False)


FROM_CLIENT = [
    Case12(
        "5246 7.4.6",
        "none though required",
        chain(),
        FAILURE,
        p.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
    ),
    Case12(
        "5246 7.4.6",
        "message left out though asked for",
        bend.both(bend.leave(CT), bend.leave(CV)),
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
    ),
    Case12(
        "5246 7.4.6",
        "unknown authority",
        None,
        48,
        p.SSL_R_CERTIFICATE_VERIFY_FAILED,
        wishes={"client": ca.leaf(issuer=ca.authority(name="another root"))},
    ),
    Case12(
        "5246 7.4.6",
        "for servers alone",
        None,
        UNSUPPORTED_CERT,
        p.SSL_R_CERTIFICATE_VERIFY_FAILED,
        forge={"identity": ca.leaf(eku=("server",))},
    ),
    Case12(
        "5280 4.2.1.3",
        "certificate that may not sign",
        None,
        UNSUPPORTED_CERT,
        forge={"identity": ca.leaf(key_usage=("key_agreement",))},
    ),
]

NOT_VERIFIED = [
    Case12(
        "5246 7.4.8",
        "CertificateVerify left out",
        bend.leave(CV),
        UNEXPECTED,
        p.SSL_R_CCS_RECEIVED_EARLY,
    ),
    Case12(
        "5246 7.4.8",
        "bit of the signature",
        bend.on(
            CV,
            lambda found: setattr(
                found,
                "signature",
                found.signature[:-1] + bytes([found.signature[-1] ^ 1]),
            ),
        ),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "5246 7.4.8",
        "empty signature",
        bend.fields(CV, signature=b""),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "5246 7.4.8",
        "signature over the hash of TLS 1.3",
        lambda forge: forge.on(CV, lambda peer, found: [peer.signed(0x0403)]),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    Case12(
        "5246 7.4.8",
        "signature over other messages",
        lambda forge: forge.on(CV, other_messages),
        DECRYPT,
        p.SSL_R_BAD_SIGNATURE,
    ),
    *(
        Case12(
            "5246 7.4.8",
            f"scheme {scheme:#06x} not asked for or not of the key",
            bend.fields(CV, scheme=scheme),
            ILLEGAL,
            p.SSL_R_WRONG_SIGNATURE_TYPE,
        )
        for scheme in (0, 0x0203, 0x0303, 0x0401, 0x0804, 0x0807)
    ),
    Case12("5246 7.4.8", "octet behind", bend.trailing(CV), DECODE),
    Case12("5246 7.4.8", "empty message", bend.swap(CV, 15, b""), DECODE),
    Case12(
        "5246 7.4.8",
        "signature cut",
        bend.swap(CV, 15, b"\x04\x03\x00\x40" + bytes(63)),
        DECODE,
    ),
    Case12(
        "5246 7.4.8",
        "no certificate was sent",
        bend.both(
            chain(),
            bend.on(CV, lambda found: None),
        ),
        UNEXPECTED,
        wishes={"mode": "asked"},
    ),
]


def other_messages(peer: Any, found: m.CertificateVerify) -> None:
    """Sign the transcript without its last message."""
    data = peer.schedule.messages[:-1]
    found.signature = keys.sign(peer.identity.key, found.scheme, data)


def asks_only(ssl: p.SSL) -> None:
    """Ask for a certificate, do not insist."""
    p.SSL_set_verify(ssl, p.SSL_VERIFY_PEER, None)


@table([*FROM_CLIENT, *NOT_VERIFIED])
def test_server12_given_wrong_client_authentication_aborts(
    case: Case12,
) -> None:
    wishes = dict(case.wishes)
    prepare = asks_only if wishes.pop("mode", "") else None
    case = Case12(**{**vars(case), "prepare": prepare})
    case.forge = {"identity": ca.leaf(), **case.forge}
    case.wishes = {"client_auth": True, "client": ca.leaf(), **wishes}
    check(case, as_server=True)


UNASKED = [
    Case12(
        "5246 7.4.6",
        "Certificate not asked for",
        lambda forge: forge.before(
            "client_key_exchange",
            lambda peer: peer.emit(CT, peer.chain12()),
        ),
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
    ),
    Case12(
        "5246 7.4.8",
        "CertificateVerify not asked for",
        lambda forge: forge.before(
            "ccs", lambda peer: peer.emit(CV, peer.signed12(0x0403))
        ),
        UNEXPECTED,
    ),
]


@table(UNASKED)
def test_server12_given_authentication_not_asked_for_aborts(
    case: Case12,
) -> None:
    check(Case12(**{**vars(case), "forge": answering()}), as_server=True)


@clause("RFC 5246 7.4.6")
@pytest.mark.parametrize("kind", ca.KINDS)
def test_server12_takes_each_kind_of_client_key(kind: str) -> None:
    own = ca.leaf(kind)
    case = Case12("5246 7.4.8", "kind", forge={"identity": own})
    case.wishes = {"client_auth": True, "client": own}
    victim = check(case, as_server=True)
    theirs = p.SSL_get_peer_certificate(victim.ssl)
    assert theirs is not None
    assert victim.forge.request.types == bytes([1, 64])


@clause("RFC 5246 7.4.6")
def test_server12_that_only_asks_takes_an_empty_list() -> None:
    case = Case12("5246 7.4.6", "empty", wishes={"client_auth": True})
    case.prepare = asks_only
    victim = check(case, as_server=True)
    assert victim.forge.request is not None
    assert p.SSL_get_peer_certificate(victim.ssl) is None


# ---- CertificateRequest -----------------------------------------------------

REQUESTS = [
    Case12("5246 7.4.4", "no types", bend.fields(CR, types=b""), DECODE),
    Case12("5246 7.4.4", "no schemes", bend.fields(CR, schemes=[]), DECODE),
    Case12(
        "5246 7.4.4",
        "odd length of schemes",
        bend.swap(CR, 13, b"\x01\x40\0\x03\4\3\4\0\0"),
        DECODE,
    ),
    Case12(
        "5246 7.4.4", "empty name", bend.fields(CR, authorities=[b""]), DECODE
    ),
    Case12(
        "5246 7.4.4",
        "name longer than the list",
        bend.swap(CR, 13, b"\x01\x40\0\x02\4\3\0\x03\0\x02x"),
        DECODE,
    ),
    Case12("5246 7.4.4", "octet behind", bend.trailing(CR), DECODE),
    Case12("5246 7.4.4", "empty message", bend.swap(CR, 13, b""), DECODE),
    Case12(
        "5246 7.4.4",
        "form of TLS 1.0",
        bend.swap(CR, 13, b"\x01\x40\0\0"),
        DECODE,
    ),
    Case12(
        "5246 7.4.4",
        "twice",
        bend.twice(CR),
        UNEXPECTED,
        p.SSL_R_UNEXPECTED_MESSAGE,
    ),
]


@table(REQUESTS)
def test_client12_given_a_wrong_certificate_request_aborts(
    case: Case12,
) -> None:
    case = Case12(**{**vars(case), "forge": {"request": [0x0403]}})
    check(case, as_server=False)


@clause("RFC 5246 7.4.4")
def test_client12_given_a_request_cut_anywhere_is_decode_error() -> None:
    size = 1 + 2 + 2 + 2 + 2
    for at in range(size):
        case = Case12("5246 7.4.4", "cut", bend.cut(CR, at))
        case.forge = {"request": [0x0403]}
        victim = make(case, as_server=False)
        refused(victim, victim.handshake(), DECODE, epoch="clear")


ODD_REQUESTS = [
    Case12("5246 7.4.6", "client without a certificate"),
    Case12("5246 7.4.4", "unknown types", bend.fields(CR, types=b"\xff\x40")),
    Case12(
        "5246 7.4.4",
        "unknown schemes",
        bend.fields(CR, schemes=[0x1234, 0x0403]),
    ),
    Case12(
        "5246 7.4.4",
        "names of others",
        bend.fields(CR, authorities=[b"\x30\0", b"anything"]),
    ),
]


@table(ODD_REQUESTS)
def test_client12_given_an_odd_certificate_request_completes(
    case: Case12,
) -> None:
    case = Case12(**{**vars(case), "forge": {"request": [0x0403]}})
    assert check(case, as_server=False).forge.peer_chain == []


@clause("RFC 5246 7.4.6", "RFC 5246 7.4.8")
@pytest.mark.parametrize("kind", ca.KINDS)
def test_client12_signs_with_each_kind_of_key(kind: str) -> None:
    own = ca.leaf(kind)
    schemes = [0x0401, 0x0403, 0x0809, 0x0807, 0x0808]
    case = Case12("5246 7.4.8", "sign", forge={"request": schemes})
    case.prepare = lambda ssl: use(ssl, own)
    chain_sent = check(case, as_server=False).forge.peer_chain
    assert chain_sent[0] == own.cert_der


def use(ssl: p.SSL, own: ca.Identity) -> None:
    """Give an SSL a certificate."""
    der, key = own.cert_der, own.key_der
    assert p.SSL_use_certificate_ASN1(ssl, der) == 1
    assert p.SSL_use_PrivateKey_ASN1(0, ssl, key) == 1


@clause("RFC 5246 7.4.4", "RFC 5246 7.4.6")
@pytest.mark.parametrize(
    ("types", "shown"),
    [(b"\x01", False), (b"\xff", False), (b"\x01\x40", True)],
)
def test_client12_goes_by_the_schemes_and_by_the_types(
    types: bytes, shown: bool
) -> None:
    own = ca.leaf("p256")
    case = Case12("5246 7.4.6", "types", bend.fields(CR, types=types))
    case.forge = {"request": [0x0403]}
    case.prepare = lambda ssl: use(ssl, own)
    chain_sent = check(case, as_server=False).forge.peer_chain
    assert chain_sent[:1] == ([own.cert_der] if shown else [])


@clause("RFC 5246 7.4.6")
def test_client12_whose_key_makes_no_scheme_asked_for_has_none() -> None:
    case = Case12("5246 7.4.6", "none", forge={"request": [0x0401]})
    case.prepare = lambda ssl: use(ssl, ca.leaf("p256"))
    assert check(case, as_server=False).forge.peer_chain == []


# ---- ServerHelloDone --------------------------------------------------------


@table(
    [Case12("5246 7.4.5", "octet", bend.trailing("server_hello_done"), DECODE)]
)
def test_client12_given_a_server_hello_done_that_is_not_empty_aborts(
    case: Case12,
) -> None:
    check(case, as_server=False)


# ---- Finished ---------------------------------------------------------------


def of_the_other_side(peer: Any, found: m.Finished) -> None:
    """Use the other side's label."""
    found.verify_data = peer.schedule.finished(not peer.server)


FINISHED = [
    Case12(
        "5246 7.4.9",
        "first bit",
        bend.on(
            FIN,
            lambda found: setattr(
                found,
                "verify_data",
                bytes([found.verify_data[0] ^ 128]) + found.verify_data[1:],
            ),
        ),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    Case12(
        "5246 7.4.9",
        "last bit",
        bend.on(
            FIN,
            lambda found: setattr(
                found,
                "verify_data",
                found.verify_data[:-1] + bytes([found.verify_data[-1] ^ 1]),
            ),
        ),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    Case12(
        "5246 7.4.9",
        "label of the other side",
        lambda forge: forge.on(FIN, of_the_other_side),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    Case12(
        "5246 7.4.9",
        "zeros",
        bend.fields(FIN, verify_data=bytes(12)),
        DECRYPT,
        p.SSL_R_DIGEST_CHECK_FAILED,
    ),
    *(
        Case12(
            "5246 7.4.9",
            f"verify_data of {size}",
            bend.fields(FIN, verify_data=bytes(size)),
            DECODE,
        )
        for size in (0, 11, 13, 32, 48, 49, 1000)
    ),
    Case12("5246 7.4.9", "octet behind", bend.trailing(FIN), DECODE),
]


@SIDES
@table(FINISHED)
def test_finished12_that_is_wrong_aborts(
    case: Case12, as_server: bool
) -> None:
    epoch = "clear" if as_server else SEALED
    check(Case12(**{**vars(case), "epoch": epoch}), as_server=as_server)


@clause("RFC 5246 7.4.9")
@pytest.mark.parametrize("name", ["client_hello", "certificate_verify"])
def test_finished12_covers_what_came_before(name: str) -> None:
    # The forge believes it has sent another message than it did.
    def elsewhere(peer: ForgeClient12, _found: object) -> None:
        peer.before("finished", garble)

    def garble(peer: ForgeClient12) -> None:
        peer.schedule.messages += b"x"
        del peer._actions["before", "finished"]

    case = Case12("5246 7.4.9", "transcript")
    case.bend = lambda forge: forge.on(name, elsewhere)
    case.forge = {"identity": ca.leaf()}
    case.wishes = {"client_auth": True, "client": ca.leaf()}
    victim = make(case, as_server=True)
    # The data of the message was computed before the garbling.
    victim.forge.on("finished", again)
    refused(victim, victim.handshake(), DECRYPT, epoch="clear")


def again(peer: Any, found: m.Finished) -> None:
    """Compute verify_data over the transcript as it is now."""
    found.verify_data = peer.schedule.finished(peer.server)
