"""BIO_should_retry(3)."""

from __future__ import annotations

from typing import Any

import pytest

from pyssl.bio import BIO, BIO_s_mem
from pyssl.const import BIO_RR_ACCEPT, BIO_RR_CONNECT
from tests.api.bios import FILTER, custom, new, read
from tests.clauses import clause

ROWS = [
    ("set_retry_read", 1, (True, False, False)),
    ("set_retry_write", 2, (False, True, False)),
    ("set_retry_special", 4, (False, False, True)),
]


def says(setter: str, ret: int = -1) -> BIO:
    """Make a BIO whose read asks for a retry."""

    def operate(b: BIO, n: int) -> int:
        b.clear_retry_flags()
        getattr(b, setter)()
        return ret

    return custom(read=operate)


@clause("BIO-31", "BIO-32", "METH-6")
@pytest.mark.parametrize(("setter", "bit", "why"), ROWS)
def test_retry_after_an_operation_that_moved_nothing(
    setter: str, bit: int, why: tuple[bool, ...]
) -> None:
    bio = says(setter)
    assert not bio.should_retry()
    assert read(bio, 5)[0] == -1
    assert bio.should_retry()
    found = bio.should_read(), bio.should_write(), bio.should_io_special()
    assert found == why
    assert (bio.retry_type(), bio.get_retry_flags()) == (bit, bit | 8)
    bio.clear_retry_flags()
    assert (bio.should_retry(), bio.retry_type()) == (False, 0)


@clause("BIO-31")
def test_no_retry_at_an_end() -> None:
    bio = custom(read=lambda b, n: 0)
    assert read(bio, 5)[0] == 0
    assert (bio.should_retry(), bio.retry_type()) == (False, 0)


@clause("BIO-32")
def test_flags_are_set_tested_and_cleared() -> None:
    bio = new(BIO_s_mem())
    bio.set_flags(0x800 | 1)
    bio.set_flags(2)
    assert bio.get_flags() == 0x803
    assert bio.test_flags(0x802) == 0x802
    assert bio.get_retry_flags() == 3
    bio.clear_flags(1)
    assert bio.get_flags() == 0x802
    bio.clear_retry_flags()
    assert bio.get_flags() == 0x800
    for bad in (-1, 1 << 31):
        with pytest.raises(ValueError):
            bio.set_flags(bad)
    with pytest.raises(TypeError):
        bio.set_flags("1")  # type: ignore[arg-type]


def pass_on(b: BIO, n: int) -> Any:
    ret, data = read(b.next(), n)
    b.clear_retry_flags()
    if ret > 0:
        return data
    b.copy_next_retry()
    return ret


@clause("BIO-32")
def test_copy_next_retry_adds_flags_and_reason() -> None:
    source = says("set_retry_special")
    source.set_retry_reason(BIO_RR_ACCEPT)
    head = custom(FILTER, read=pass_on).push(source)
    assert read(head, 5)[0] == -1
    assert (head.get_retry_flags(), head.get_retry_reason()) == (12, 3)
    head.set_retry_read()
    head.copy_next_retry()
    assert head.get_retry_flags() == 13
    alone = custom(FILTER)
    alone.copy_next_retry()
    assert alone.get_retry_flags() == 0


@clause("BIO-33")
def test_get_retry_bio_follows_the_chain() -> None:
    a, b, source = custom(FILTER), custom(FILTER), custom()
    a.push(b).push(source)
    source.set_retry_reason(BIO_RR_CONNECT)
    assert a.get_retry_BIO() == (a, 0)
    source.set_retry_special()
    assert a.get_retry_BIO() == (a, 0)
    b.set_retry_read()
    a.set_retry_read()
    assert a.get_retry_BIO() == (source, BIO_RR_CONNECT)
    source.clear_retry_flags()
    assert a.get_retry_BIO() == (b, 0)
    source.set_retry_read()
    assert a.get_retry_BIO() == (source, 0)


@clause("BIO-34")
def test_reason_outlives_the_flags() -> None:
    bio = says("set_retry_read")
    bio.set_retry_special()
    bio.set_retry_reason(BIO_RR_CONNECT)
    assert read(bio, 5)[0] == -1
    assert (bio.get_retry_flags(), bio.get_retry_reason()) == (9, 2)
    bio.clear_retry_flags()
    assert bio.get_retry_reason() == 2
    bio.set_retry_reason(BIO_RR_ACCEPT)
    assert bio.get_retry_reason() == 3
