"""Session objects: life, what may be asked and set, the compact form."""

from __future__ import annotations

from typing import Any

import pytest

from pyssl._ffi import ffi, lib, own
from tests.clauses import clause
from tests.pki.ca import authority, leaf
from tests.pki.core import cert_der
from tests.session.core import (
    BYTES,
    FULL12,
    FULL13,
    adopt,
    collect,
    constant,
    fails_at_each_allocation,
    fill,
    number,
    octets,
    refs,
    session,
    view,
)

FULL = {"1.2": FULL12, "1.3": FULL13}
LONGEST = {
    "id": 32,
    "id_context": 32,
    "secret": 512,
    "name": 255,
    "alpn": 255,
    "ticket": 65535,
}
SECONDS_MAX = (2**63 - 1) // 2000


def chain() -> list[bytes]:
    return [leaf().cert_der, authority().cert_der]


def set_number(handle: Any, name: str, value: int) -> bool:
    return bool(lib.pys_session_set_number(handle, constant(name), value))


def set_bytes(handle: Any, name: str, value: bytes) -> bool:
    kind = constant(name)
    return bool(lib.pys_session_set_bytes(handle, kind, value, len(value)))


def put(handle: Any) -> bytes:
    return collect(lambda out, n: lib.pys_test_session_put(handle, out, n))


def take(data: bytes) -> Any:
    return adopt(lib.pys_test_session_take(data, len(data)))


# ---- life -------------------------------------------------------------------


def test_session_new_is_empty() -> None:
    seen = view(session())

    assert not any(seen.values()), seen


def test_session_lives_as_long_as_a_reference_does() -> None:
    made = session(**FULL13)
    second = adopt(lib.pys_session_up_ref(made))
    assert second == made
    assert refs(made) == 2
    before = view(made)
    del made

    assert refs(second) == 1
    assert view(second) == before
    assert lib.pys_session_up_ref(ffi.NULL) == ffi.NULL
    lib.pys_session_free(ffi.NULL)


@pytest.mark.parametrize("version", FULL)
def test_session_copy_has_everything_and_shares_nothing(version: str) -> None:
    made = session(chain=chain(), not_resumable=True, **FULL[version])
    before = view(made)

    copy = adopt(lib.pys_session_copy(made))
    assert view(copy) == before
    assert (refs(copy), refs(made)) == (1, 1)
    assert set_bytes(made, "TICKET", b"other")
    assert set_number(made, "TIME", 5)
    assert view(copy) == before


def test_session_made_or_copied_without_memory_is_none() -> None:
    made = session(chain=chain(), **FULL12)

    def copy() -> bool:
        return adopt(lib.pys_session_copy(made)) is not None

    assert fails_at_each_allocation(copy) == 5
    lib.pys_test_fail_alloc(1)
    assert lib.pys_session_new() == ffi.NULL


# ---- asking and setting -----------------------------------------------------


@pytest.mark.parametrize("name", BYTES)
def test_session_bytes_may_be_as_long_as_they_may_and_no_longer(
    name: str,
) -> None:
    made = session(**FULL13)
    longest = b"x" * LONGEST[name]

    assert set_bytes(made, BYTES[name], longest)
    assert octets(made, BYTES[name]) == longest
    assert not set_bytes(made, BYTES[name], longest + b"x")
    assert octets(made, BYTES[name]) == longest
    assert set_bytes(made, BYTES[name], b"short")
    assert set_bytes(made, BYTES[name], b"")
    assert octets(made, BYTES[name]) == b""
    others = {key: value for key, value in view(made).items() if key != name}
    kept = {key: FULL13[key] for key in FULL13 if key != name}
    assert {**others, **kept} == others


@clause("SESS-9")
def test_session_id_context_is_bounded() -> None:
    made = session()

    assert set_bytes(made, "ID_CONTEXT", b"c" * 32)
    assert not set_bytes(made, "ID_CONTEXT", b"c" * 33)
    assert octets(made, "ID_CONTEXT") == b"c" * 32


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("VERSION", [0x0303, 0x0304], [0, 0x0302, 0x0305, -1, 2**32 + 0x0303]),
        ("SUITE", [0, 0xFFFF], [-1, 65536]),
        ("MAX_EARLY_DATA", [0, 2**32 - 1], [-1, 2**32]),
        ("VERIFY_RESULT", [0, 2**31 - 1], [-1, 2**31]),
        ("GROUP", [], [29]),
        ("EXTENDED", [], [1]),
        ("LIFETIME_HINT", [], [1]),
        ("AGE_ADD", [], [1]),
    ],
)
def test_session_numbers_are_set_within_their_bounds(
    name: str, good: list[int], bad: list[int]
) -> None:
    made = session(**FULL12)
    before = number(made, name)

    assert not any(set_number(made, name, value) for value in bad)
    assert number(made, name) == before
    for value in good:
        assert set_number(made, name, value)
        assert number(made, name) == value


@clause("SESS-6")
@pytest.mark.parametrize("name", ["TIME", "LIFE"])
def test_session_times_are_brought_within_their_bounds(name: str) -> None:
    made = session(**FULL13)
    for value, kept in [
        (1_800_000_000, 1_800_000_000),
        (-1, 0),
        (-(2**63), 0),
        (2**63 - 1, SECONDS_MAX),
    ]:
        assert set_number(made, name, value)
        assert number(made, name) == kept
    assert view(made)["made_ms"] == FULL13["made_ms"]


@clause("SESS-6")
def test_session_is_fresh_until_its_timeout() -> None:
    made = session(time=1000, timeout=300)

    def fresh(now: int) -> bool:
        return bool(lib.pys_test_session_fresh(made, now))

    assert fresh(1000)
    assert fresh(1299)
    assert not fresh(1300)
    assert fresh(900)
    assert set_number(made, "TIME", 2**63 - 1)
    assert set_number(made, "LIFE", 2**63 - 1)
    assert fresh(2 * SECONDS_MAX - 1)
    assert not fresh(2 * SECONDS_MAX)
    assert set_number(made, "TIME", 1000)
    assert fresh(1000)
    assert fill(made, not_resumable=True)
    assert not fresh(1000)


@clause("SESS-4")
def test_session_is_resumable_with_secret_and_something_to_name_it() -> None:
    def resumable(**wish: Any) -> bool:
        return bool(lib.pys_session_resumable(session(**wish)))

    for full in FULL.values():
        assert resumable(**full)
        assert not resumable(**{**full, "not_resumable": True})
        assert not resumable(**{**full, "secret": b""})
        assert resumable(**{**full, "id": b""})
        assert resumable(**{**full, "ticket": b""})
    assert not resumable(**{**FULL12, "id": b"", "ticket": b""})
    assert resumable(**{**FULL13, "id": b"", "ticket": b""})


def test_session_peer_certs_are_given_by_reference() -> None:
    made = session(chain=chain(), **FULL13)
    certs = [
        own(lib.pys_session_peer_cert(made, i), lib.pys_cert_free)
        for i in range(2)
    ]

    assert lib.pys_session_peer_cert(made, 2) == ffi.NULL
    assert lib.pys_session_peer_cert(session(), 0) == ffi.NULL
    del made
    assert [cert_der(cert) for cert in certs] == chain()


def test_session_of_a_kind_that_there_is_not_has_nothing() -> None:
    made = session(**FULL13)
    size = ffi.new("size_t *", 1)

    assert lib.pys_session_number(made, 99) == 0
    assert not lib.pys_session_set_number(made, 99, 1)
    assert lib.pys_session_bytes(made, 99, size) == ffi.NULL
    assert size[0] == 0
    assert not lib.pys_session_set_bytes(made, 99, b"x", 1)


# ---- the compact form -------------------------------------------------------


@pytest.mark.parametrize("version", FULL)
def test_session_put_and_taken_lacks_id_and_ticket_alone(version: str) -> None:
    made = session(chain=chain(), **FULL[version])

    again = take(put(made))

    assert view(again) == {**view(made), "id": b"", "ticket": b""}


def test_session_put_leaves_out_a_chain_too_long_for_a_ticket() -> None:
    ders = [leaf().cert_der] * 100

    again = take(put(session(chain=ders, **FULL12)))

    assert len(b"".join(ders)) > 16384
    assert view(again)["chain"] == []


def test_session_taken_from_what_was_not_put_is_none() -> None:
    data = put(session(chain=chain(), **FULL13))

    assert take(data) is not None
    assert take(data + b"\0") is None
    assert take(b"\1" + data[1:]) is None
    for size in range(len(data)):
        assert take(data[:size]) is None


def test_session_put_or_taken_without_memory_fails_cleanly() -> None:
    made = session(chain=chain(), **FULL12)
    data = put(made)

    def again() -> bool:
        lib.pys_test_forget_certs()
        return take(data) is not None

    assert fails_at_each_allocation(lambda: put(made) != b"") > 0
    assert fails_at_each_allocation(again) > 4


@pytest.mark.parametrize("field", [-8, 0, 8])
def test_session_taken_with_a_time_out_of_this_world_is_none(
    field: int,
) -> None:
    """A fuzzer's find: ages are differences of these."""
    made = session(chain=chain(), **FULL13)
    data = put(made)
    ms = lib.pys_test_session_facts(made).made_ms
    at = data.index(ms.to_bytes(8, "big")) + field

    for wrong in (1 << 63, (1 << 64) - 1, (1 << 63) - 1):
        text = data[:at] + wrong.to_bytes(8, "big") + data[at + 8 :]
        assert take(text) is None
