"""Key shares: agreement, and each value that a peer must not send."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from tests.clauses import clause
from tests.core import crypto_core
from tests.core.crypto_core import (
    P256,
    P384,
    P521,
    X25519,
    X25519MLKEM768,
    Agreed,
    Core,
    unhex,
)

CURVES = {
    P256: (ec.SECP256R1(), 32, 2**256 - 2**224 + 2**192 + 2**96 - 1),
    P384: (ec.SECP384R1(), 48, 2**384 - 2**128 - 2**96 + 2**32 - 1),
    P521: (ec.SECP521R1(), 66, 2**521 - 1),
}
PLAIN = [X25519, *CURVES]
SECRET_LEN = {X25519: 32, P256: 32, P384: 48, P521: 66, X25519MLKEM768: 64}
REFUSED = Agreed(None, internal=False)
BROKEN = Agreed(None, internal=True)

# Points of small order on Curve25519 and its twist, with the spellings that
# are not reduced: each gives the all-zero result.
_P = 2**255 - 19
SMALL_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    _P - 1,
    _P,
    _P + 1,
]


@pytest.fixture(scope="module")
def core() -> Core:
    return crypto_core.core()


@pytest.fixture(scope="module")
def hybrid(core) -> Core:
    if not core.has(X25519MLKEM768):
        text = core.text(core.lib.pys_libcrypto_text())
        pytest.skip(f"no ML-KEM-768, which {text} has from 3.5 on")
    return core


def _new(core: Core, group: int) -> crypto_core.Share:
    share = core.share(group)
    assert share is not None
    return share


def _point(numbers: ec.EllipticCurvePublicNumbers, n: int) -> bytes:
    return (
        b"\x04" + numbers.x.to_bytes(n, "big") + numbers.y.to_bytes(n, "big")
    )


def _x25519_public(key: bytes) -> bytes:
    own = x25519.X25519PrivateKey.from_private_bytes(key)
    return own.public_key().public_bytes_raw()


def _small_point(group: int) -> tuple[int, int]:
    """Find a point whose x is so small that x + p has the same length."""
    curve, _, prime = CURVES[group]
    one = ec.derive_private_key(1, curve).public_key().public_numbers()
    b = one.y**2 - one.x**3 + 3 * one.x
    for x in range(1, 100):
        square = (x**3 - 3 * x + b) % prime
        y = pow(square, (prime + 1) // 4, prime)  # each prime is 3 mod 4
        if y * y % prime == square:
            return x, y
    raise AssertionError("half of all numbers are x of a point")


def _off_curve(core: Core, group: int) -> bytes:
    good = bytearray(_new(core, group).public())
    good[-1] ^= 1
    return bytes(good)


@clause("RFC 8446 4.2.8", "RFC 8446 7.4.2")
@pytest.mark.parametrize("group", PLAIN)
def test_client_and_server_come_to_the_same_secret(core, group) -> None:
    row = core.lib.pys_group_find(group)
    client = _new(core, group)
    hello = client.public()
    server = core.respond(group, hello)
    mine = client.derive(server.share)

    assert client.group == group
    assert len(hello) == row.client_len
    assert len(server.share) == row.server_len
    assert mine.secret == server.secret
    assert len(mine.secret) == SECRET_LEN[group]
    assert mine.secret != bytes(SECRET_LEN[group])


@pytest.mark.parametrize("group", PLAIN)
def test_each_share_has_a_key_of_its_own(core, group) -> None:
    seen = {_new(core, group).public() for _ in range(5)}
    hello = _new(core, group).public()
    seen |= {core.respond(group, hello).share for _ in range(5)}

    assert len(seen) == 10


@clause("RFC 8446 4.2.8.2", "RFC 8446 7.4.2")
def test_x25519_agrees_with_another_implementation(core) -> None:
    peer = x25519.X25519PrivateKey.generate()
    raw = peer.public_key().public_bytes_raw()
    share = _new(core, X25519)
    theirs = x25519.X25519PublicKey.from_public_bytes(share.public())

    assert share.derive(raw).secret == peer.exchange(theirs)


@clause("RFC 8446 4.2.8.2", "RFC 8446 7.4.1")
@pytest.mark.parametrize("group", CURVES)
def test_curve_agrees_with_another_implementation(core, group) -> None:
    curve = CURVES[group][0]
    peer = ec.generate_private_key(curve)
    raw = peer.public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )
    made = core.respond(group, raw)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(curve, made.share)

    assert made.secret == peer.exchange(ec.ECDH(), theirs)


@clause("RFC 8446 7.4.1", "leading zeros stay")
@pytest.mark.parametrize("group", [P256, P384])
def test_secret_that_begins_with_zero_keeps_its_length(core, group) -> None:
    curve, n, _ = CURVES[group]
    peer = ec.derive_private_key(12345, curve)
    raw = _point(peer.public_key().public_numbers(), n)
    for number in range(2, 3000):
        own = ec.derive_private_key(number, curve)
        want = own.exchange(ec.ECDH(), peer.public_key())
        if want[0] == 0:
            break
    assert want[0] == 0

    core.fix_share(group, number.to_bytes(n, "big"))
    made = _new(core, group).derive(raw)

    assert made.secret == want
    assert len(made.secret) == n


@pytest.mark.parametrize("group", CURVES)
def test_fixed_private_key_gives_its_public_point(core, group) -> None:
    curve, n, _ = CURVES[group]
    number = 0xABCDEF0123456789
    core.fix_share(group, number.to_bytes(n, "big"))

    made = _new(core, group).public()

    own = ec.derive_private_key(number, curve).public_key()
    assert made == _point(own.public_numbers(), n)
    assert _new(core, group).public() != made


def test_fixed_private_key_taken_back_is_not_used(core) -> None:
    key = (5).to_bytes(32, "big")
    core.fix_share(P256, key)
    want = _new(core, P256).public()
    core.fix_share(P256, key)
    core.fix_share(X25519, key)
    core.fix_share(P256, b"")

    assert _new(core, P256).public() != want
    assert _new(core, X25519).public() == _x25519_public(key)


def test_key_exchange_leaves_libcryptos_queue_empty(core) -> None:
    core.lib.test_drop_errors()
    for group in [*PLAIN, X25519MLKEM768]:
        if not core.has(group):
            continue
        share = _new(core, group)
        hello = share.public()
        assert core.lib.test_drop_errors() == 0
        made = core.respond(group, hello, keep_errors=True)
        assert core.lib.test_drop_errors() == 0
        share.derive(made.share, keep_errors=True)
        assert core.lib.test_drop_errors() == 0


@clause("RFC 8446 4.2.8.2", "one length a group")
@pytest.mark.parametrize("group", PLAIN)
def test_share_of_a_wrong_length_is_the_peers_fault(core, group) -> None:
    share = _new(core, group)
    good = _new(core, group).public()
    for bad in (b"", good[:1], good[:-1], good + b"\0", b"\0" + good):
        assert share.derive(bad) == REFUSED
        assert core.respond(group, bad) == REFUSED


@clause("RFC 8446 4.2.8.2", "uncompressed form only")
@pytest.mark.parametrize("group", CURVES)
@pytest.mark.parametrize("form", [0, 1, 2, 3, 5, 6, 7, 0x84, 255])
def test_point_in_another_form_is_the_peers_fault(core, group, form) -> None:
    good = _new(core, group).public()
    n = CURVES[group][1]
    share = _new(core, group)

    assert share.derive(bytes([form]) + good[1:]) == REFUSED
    assert share.derive(bytes([form]) + good[1 : n + 1]) == REFUSED
    assert share.derive(bytes([form])) == REFUSED
    assert core.respond(group, bytes([form]) + good[1:]) == REFUSED


@clause("RFC 8446 4.2.8.2", "the point is on the curve")
@pytest.mark.parametrize("group", CURVES)
def test_point_off_the_curve_is_the_peers_fault(core, group) -> None:
    n = CURVES[group][1]
    for bad in (_off_curve(core, group), b"\x04" + bytes(2 * n)):
        assert _new(core, group).derive(bad) == REFUSED
        assert core.respond(group, bad) == REFUSED


@clause("RFC 8446 4.2.8.2", "coordinates are below the prime")
@pytest.mark.parametrize("group", CURVES)
def test_coordinate_not_reduced_is_the_peers_fault(core, group) -> None:
    _, n, prime = CURVES[group]
    x, y = _small_point(group)
    good = b"\x04" + x.to_bytes(n, "big") + y.to_bytes(n, "big")
    bad = b"\x04" + (x + prime).to_bytes(n, "big") + y.to_bytes(n, "big")
    worse = b"\x04" + b"\xff" * (2 * n)

    assert core.respond(group, good).secret is not None
    assert core.respond(group, bad) == REFUSED
    assert core.respond(group, worse) == REFUSED
    assert _new(core, group).derive(bad) == REFUSED


@clause("RFC 8446 7.4.2", "an all-zero result is refused")
@pytest.mark.parametrize("number", SMALL_ORDER)
@pytest.mark.parametrize("top", [0, 1 << 255])
def test_x25519_with_a_point_of_small_order_is_the_peers_fault(
    core, number, top
) -> None:
    raw = (number | top).to_bytes(32, "little")

    assert _new(core, X25519).derive(raw) == REFUSED
    assert core.respond(X25519, raw) == REFUSED


def test_x25519_ignores_the_top_bit_of_the_peers_value(core) -> None:
    peer = bytearray(_new(core, X25519).public())
    share = _new(core, X25519)
    want = share.derive(bytes(peer)).secret
    peer[31] |= 0x80

    assert share.derive(bytes(peer)).secret == want


def test_one_share_can_derive_again_after_a_bad_value(core) -> None:
    share = _new(core, P256)
    assert share.derive(_off_curve(core, P256)) == REFUSED

    made = core.respond(P256, share.public())

    assert share.derive(made.share).secret == made.secret


@pytest.mark.parametrize("group", [0, 1, 0x0100, 0x001E, 0xFFFF])
def test_group_that_is_not_ours_has_no_share(core, group) -> None:
    assert not core.has(group)
    assert core.share(group) is None
    assert core.respond(group, bytes(32)) == BROKEN


@pytest.mark.parametrize("group", PLAIN)
def test_share_that_cannot_be_written_is_our_fault(core, group) -> None:
    share = _new(core, group)
    hello = share.public()

    assert share.public(room=len(hello) - 1) is None
    assert core.respond(group, hello, room=len(hello) - 1) == BROKEN


def test_hybrid_is_there_exactly_when_a_library_has_ml_kem(core) -> None:
    number = core.lib.pys_libcrypto_number()
    supply = crypto_core.supply()

    assert core.has(X25519MLKEM768) == (number >= 0x30500000 or supply != "")
    if not core.has(X25519MLKEM768):
        assert core.share(X25519MLKEM768) is None
        assert core.respond(X25519MLKEM768, bytes(1216)) == BROKEN


VECTOR = crypto_core.vectors("x25519mlkem768")["vectors"][0]


@clause("RFC 8446 4.2.8", "draft-ietf-tls-ecdhe-mlkem 4")
def test_hybrid_client_share_is_that_of_the_vector(hybrid) -> None:
    client, server = unhex(VECTOR["client"]), unhex(VECTOR["server"])
    hybrid.fix_share(
        X25519MLKEM768,
        client["mlkem768_d"] + client["mlkem768_z"] + client["x25519_private"],
    )
    share = _new(hybrid, X25519MLKEM768)

    assert share.public() == client["key_share"]
    made = share.derive(server["key_share"])
    assert made.secret == unhex(VECTOR)["shared_secret"]


@clause("RFC 8446 4.2.8", "draft-ietf-tls-ecdhe-mlkem 4")
def test_hybrid_server_answer_is_that_of_the_vector(hybrid) -> None:
    client, server = unhex(VECTOR["client"]), unhex(VECTOR["server"])
    hybrid.fix_share(
        X25519MLKEM768, server["mlkem768_m"] + server["x25519_private"]
    )

    made = hybrid.respond(X25519MLKEM768, client["key_share"])

    assert made.share == server["key_share"]
    assert made.secret == unhex(VECTOR)["shared_secret"]


def test_hybrid_client_and_server_come_to_the_same_secret(hybrid) -> None:
    row = hybrid.lib.pys_group_find(X25519MLKEM768)
    client = _new(hybrid, X25519MLKEM768)
    hello = client.public()
    made = hybrid.respond(X25519MLKEM768, hello)

    assert len(hello) == row.client_len == 1216
    assert len(made.share) == row.server_len == 1120
    assert client.derive(made.share) == Agreed(made.secret, internal=False)
    assert len(made.secret) == 64


@clause("RFC 8446 4.2.8.2", "RFC 8446 7.4.2")
def test_hybrid_with_a_bad_value_is_the_peers_fault(hybrid) -> None:
    client = _new(hybrid, X25519MLKEM768)
    hello = client.public()
    good = hybrid.respond(X25519MLKEM768, hello).share
    unreduced = b"\xff" * 1184 + hello[1184:]

    for bad in (b"", hello[:-1], hello + b"\0", good, hello[:1184]):
        assert hybrid.respond(X25519MLKEM768, bad) == REFUSED
    assert hybrid.respond(X25519MLKEM768, unreduced) == REFUSED
    zeros = hello[:1184] + bytes(32)
    assert hybrid.respond(X25519MLKEM768, zeros) == REFUSED
    for bad in (b"", good[:-1], good + b"\0", hello, good[:1088]):
        assert client.derive(bad) == REFUSED
    assert client.derive(good[:1088] + bytes(32)) == REFUSED


def test_hybrid_with_a_changed_ciphertext_gives_another_secret(
    hybrid,
) -> None:
    client = _new(hybrid, X25519MLKEM768)
    made = hybrid.respond(X25519MLKEM768, client.public())
    bad = bytes([made.share[0] ^ 1]) + made.share[1:]

    # FIPS 203 6.3: implicit rejection, seen when Finished fails.
    other = client.derive(bad)

    assert other.secret is not None
    assert other.secret[:32] != made.secret[:32]
    assert other.secret[32:] == made.secret[32:]


def test_hybrid_share_that_cannot_be_written_is_our_fault(hybrid) -> None:
    share = _new(hybrid, X25519MLKEM768)
    hello = share.public()

    for room in (0, 1087, 1119):
        made = hybrid.respond(X25519MLKEM768, hello, room=room)
        assert made == BROKEN
    for room in (0, 1183, 1215):
        assert share.public(room=room) is None
