"""Tickets: sessions sealed under keys that rotate."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from pyssl._ffi import bytes_of, ffi, lib, own
from tests.clauses import clause
from tests.pki.ca import authority, leaf
from tests.session.core import (
    FULL12,
    FULL13,
    adopt,
    collect,
    fails_at_each_allocation,
    session,
    view,
)

FULL = {"1.2": FULL12, "1.3": FULL13}
NAME, KEY, HEAD, TAG = 16, 80, 28, 16
ONE, TWO, THREE = (bytes([n]) * KEY for n in (1, 2, 3))


def new_keys(*keys: bytes) -> Any:
    made = own(lib.pys_ticket_keys_new(), lib.pys_ticket_keys_free)
    assert not keys or set_keys(made, *keys)
    return made


def set_keys(handle: Any, *keys: bytes) -> bool:
    return bool(lib.pys_ticket_keys_set(handle, b"".join(keys), len(keys)))


def first_key(handle: Any) -> bytes:
    room = ffi.new("uint8_t[]", KEY)
    lib.pys_ticket_keys_get(handle, room)
    return bytes_of(room, KEY)


def seal(keys: Any, made: Any) -> bytes:
    def into(out: Any, n: int) -> int:
        return int(lib.pys_test_ticket_seal(keys, made, out, n))

    return collect(into)


def open_with(keys: Any, ticket: bytes) -> tuple[Any, bool]:
    """Open a ticket that lies in a block of its own."""
    block = ffi.new("uint8_t[]", len(ticket) or 1)
    ffi.memmove(block, ticket, len(ticket))
    old = ffi.new("bool *")
    made = lib.pys_test_ticket_open(keys, block, len(ticket), old)
    return adopt(made), bool(old[0])


def opens(keys: Any, ticket: bytes) -> bool:
    return open_with(keys, ticket)[0] is not None


# ---- sealing and opening ----------------------------------------------------


@clause("TKT-1", "RFC 5077 4")
@pytest.mark.parametrize("version", FULL)
def test_ticket_opened_is_the_session_sealed(version: str) -> None:
    keys = new_keys()
    chain = [leaf().cert_der, authority().cert_der]
    made = session(chain=chain, **FULL[version])

    again, old = open_with(keys, seal(keys, made))

    assert view(again) == {**view(made), "id": b"", "ticket": b""}
    assert not old


@clause("TKT-1")
def test_ticket_tells_the_name_of_its_key_and_nothing_else() -> None:
    keys = new_keys(ONE)
    made = session(**FULL13)

    tickets = [seal(keys, made) for _ in range(50)]

    assert {ticket[:NAME] for ticket in tickets} == {ONE[:NAME]}
    assert len({ticket[NAME:HEAD] for ticket in tickets}) == 50
    assert len({ticket[HEAD:] for ticket in tickets}) == 50
    for field in ("secret", "name", "alpn", "id_context"):
        if len(FULL13[field]) > 6:
            assert not any(FULL13[field] in ticket for ticket in tickets)


@clause("TKT-1")
@pytest.mark.parametrize("version", FULL)
def test_ticket_with_any_byte_changed_is_refused(version: str) -> None:
    keys = new_keys(ONE)
    ticket = seal(keys, session(**FULL[version]))

    for place in range(len(ticket)):
        for change in (0x01, 0x80, 0xFF):
            changed = bytearray(ticket)
            changed[place] ^= change
            assert not opens(keys, bytes(changed)), place
    assert opens(keys, ticket)


@clause("TKT-1")
def test_ticket_cut_or_extended_is_refused() -> None:
    keys = new_keys(ONE)
    ticket = seal(keys, session(**FULL12))

    for size in range(len(ticket)):
        assert not opens(keys, ticket[:size]), size
        assert not opens(keys, ticket[size:] if size else b""), size
    assert not opens(keys, ticket + b"\0")
    assert opens(keys, ticket)


def test_ticket_that_is_noise_of_any_size_is_refused() -> None:
    keys = new_keys(ONE)
    ticket = seal(keys, session(**FULL12))

    for size in (1, 43, 44, 45, 1000, 65535, 65536, 100_000):
        noise = os.urandom(size)
        assert not opens(keys, noise)
        assert not opens(keys, ONE[:NAME] + noise)
        assert not opens(keys, ticket + noise)


def test_ticket_of_the_largest_session_opens() -> None:
    keys = new_keys()
    ders = [leaf().cert_der] * 30
    made = session(
        chain=ders, **{**FULL12, "name": b"n" * 255, "alpn": b"a" * 255}
    )

    ticket = seal(keys, made)

    assert 10_000 < len(ticket) < 65536
    assert view(open_with(keys, ticket)[0])["chain"] == ders


# ---- keys -------------------------------------------------------------------


@clause("TKT-1")
def test_ticket_keys_are_random_until_set() -> None:
    first, second = new_keys(), new_keys()

    assert first_key(first) != first_key(second)
    assert len(set(first_key(first))) > 20
    ticket = seal(first, session(**FULL13))
    assert ticket[:NAME] == first_key(first)[:NAME]
    assert not opens(second, ticket)
    assert set_keys(second, first_key(first))
    assert opens(second, ticket)


@clause("TKT-1")
def test_ticket_keys_rotate_and_say_when_a_ticket_is_old() -> None:
    keys = new_keys(ONE)
    ticket = seal(keys, session(**FULL13))
    assert open_with(keys, ticket)[1] is False

    assert set_keys(keys, TWO, ONE)
    assert first_key(keys) == TWO
    again, old = open_with(keys, ticket)
    assert again is not None
    assert old
    renewed = seal(keys, again)
    assert renewed[:NAME] == TWO[:NAME]
    assert open_with(keys, renewed)[0] is not None
    assert open_with(keys, renewed)[1] is False

    assert set_keys(keys, THREE, TWO)
    assert not opens(keys, ticket)
    assert open_with(keys, renewed)[1] is True


@clause("TKT-1")
def test_ticket_keys_that_were_used_are_not_used_after_others_are_set() -> (
    None
):
    made = session(**FULL13)
    keys = new_keys(ONE, TWO)
    before = [seal(new_keys(one), made) for one in (ONE, TWO)]
    for ticket in (*before, seal(keys, made)):
        assert opens(keys, ticket)

    # The names stay, what is sealed with is another.
    changed = [one[:NAME] + THREE[NAME:] for one in (ONE, TWO)]
    assert set_keys(keys, *changed)

    assert not any(opens(keys, ticket) for ticket in before)
    assert opens(new_keys(changed[0]), seal(keys, made))
    for one in changed:
        assert opens(keys, seal(new_keys(one), made))


@clause("TKT-1")
def test_ticket_keys_seal_and_open_again_after_a_forged_ticket() -> None:
    keys = new_keys(ONE)
    made = session(**FULL12)
    for _ in range(3):
        ticket = seal(keys, made)
        forged = ticket[:-1] + bytes([ticket[-1] ^ 1])
        assert opens(keys, ticket)
        assert not opens(keys, forged)
        assert opens(new_keys(ONE), ticket)


@clause("TKT-1")
def test_ticket_keys_count_in_every_byte() -> None:
    ticket = seal(new_keys(ONE), session(**FULL13))

    for place in range(KEY):
        other = bytearray(ONE)
        other[place] ^= 1
        assert not opens(new_keys(bytes(other)), ticket), place
    assert opens(new_keys(ONE), ticket)


def test_ticket_keys_may_be_sixteen_and_not_none_nor_more() -> None:
    many = [bytes([n]) * KEY for n in range(16)]
    keys = new_keys(*many)
    tickets = [seal(new_keys(one), session(**FULL12)) for one in many]

    olds = [open_with(keys, one)[1] for one in tickets]
    assert olds == [False, *[True] * 15]
    assert not set_keys(keys)
    assert not set_keys(keys, *many, TWO)
    assert first_key(keys) == many[0]
    assert all(opens(keys, one) for one in tickets)


def test_ticket_keys_live_as_long_as_a_reference_does() -> None:
    keys = new_keys(ONE)
    second = own(lib.pys_ticket_keys_up_ref(keys), lib.pys_ticket_keys_free)
    del keys

    assert first_key(second) == ONE
    assert lib.pys_ticket_keys_up_ref(ffi.NULL) == ffi.NULL
    lib.pys_ticket_keys_free(ffi.NULL)


# ---- shortage, threads ------------------------------------------------------


def test_ticket_without_memory_is_none_and_harms_nothing() -> None:
    keys = new_keys(ONE)
    made = session(chain=[leaf().cert_der], **FULL12)
    ticket = seal(keys, made)

    def fresh_keys() -> bool:
        handle = lib.pys_ticket_keys_new()
        lib.pys_ticket_keys_free(handle)
        return bool(handle != ffi.NULL)

    def open_anew() -> bool:
        lib.pys_test_forget_certs()
        return opens(keys, ticket)

    def seal_first() -> bool:
        return seal(waiting.pop(), made) != b""

    def open_first() -> bool:
        lib.pys_test_forget_certs()
        return opens(waiting.pop(), ticket)

    waiting = [new_keys(ONE) for _ in range(60)]
    seals = fails_at_each_allocation(lambda: seal(keys, made) != b"")
    assert seals > 1
    assert fails_at_each_allocation(seal_first) > seals
    assert opens(keys, ticket)
    opened = fails_at_each_allocation(open_anew)
    assert opened > 3
    assert fails_at_each_allocation(open_first) > opened
    assert fails_at_each_allocation(fresh_keys) > 1
    assert fails_at_each_allocation(lambda: set_keys(keys, ONE, TWO)) > 1
    assert first_key(keys) == ONE
    assert opens(keys, ticket)


def test_ticket_keys_not_set_for_want_of_memory_stay() -> None:
    keys = new_keys(ONE)

    lib.pys_test_fail_alloc(2)
    assert not set_keys(keys, TWO, THREE)

    lib.pys_test_fail_alloc(0)
    assert first_key(keys) == ONE


@pytest.mark.threads
def test_ticket_keys_rotate_while_threads_seal_and_open() -> None:
    keys = new_keys(ONE, TWO)
    made = session(**FULL13)
    wanted = {**view(made), "id": b"", "ticket": b""}
    stop = threading.Event()
    wrong: list[Any] = []

    def rotate() -> None:
        while not stop.is_set():
            set_keys(keys, TWO, ONE)
            set_keys(keys, ONE, TWO)

    def use() -> None:
        for _ in range(300):
            again, _ = open_with(keys, seal(keys, made))
            if again is None or view(again) != wanted:
                wrong.append(again)

    turner = threading.Thread(target=rotate)
    users = [threading.Thread(target=use) for _ in range(3)]
    for thread in (turner, *users):
        thread.start()
    for thread in users:
        thread.join()
    stop.set()
    turner.join()

    assert wrong == []
    assert first_key(keys) in (ONE, TWO)
