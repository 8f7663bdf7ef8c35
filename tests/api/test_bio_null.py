"""None where the C functions take NULL (contract CV-2)."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import pyssl
from pyssl.bio import BIO_s_mem
from pyssl.err import drain
from tests.api.bios import new
from tests.clauses import clause


@clause("BIO-3", "BIO-4", "CV-2")
def test_free_of_none_does_nothing() -> None:
    assert pyssl.BIO_free(None) == 0
    assert pyssl.BIO_vfree(None) is None
    assert pyssl.BIO_free_all(None) is None
    assert drain() == []


@clause("BIO-8", "BIO-9", "BIO-12", "CV-2")
def test_chain_functions_take_none() -> None:
    mem = new(BIO_s_mem())
    assert pyssl.BIO_push(None, mem) is mem
    assert pyssl.BIO_push(None, None) is None
    assert pyssl.BIO_push(mem, None) is mem
    assert pyssl.BIO_pop(None) is None
    assert pyssl.BIO_next(None) is None
    assert drain() == []


@clause("BIO-21", "BIO-25", "BIO-28")
def test_numbers_and_commands_of_none_are_zero() -> None:
    assert pyssl.BIO_number_read(None) == 0
    assert pyssl.BIO_number_written(None) == 0
    assert pyssl.BIO_ctrl(None, 10, 0, None) == 0
    assert pyssl.BIO_set_info_callback(None, print) == 0
    assert drain() == []


@clause("CV-2")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("BIO_read", (bytearray(1),)),
        ("BIO_write", (b"x",)),
        ("BIO_gets", (5,)),
        ("BIO_puts", ("x",)),
        ("BIO_up_ref", ()),
        ("BIO_pending", ()),
        ("BIO_should_retry", ()),
        ("BIO_set_retry_read", ()),
        ("BIO_find_type", (0x401,)),
        ("BIO_nread0", ()),
        ("BIO_set_callback_ex", (None,)),
        ("BIO_get_data", ()),
    ],
)
@pytest.mark.parametrize("bad", [None, 5, "bio"])
def test_other_functions_refuse_what_is_no_bio(
    name: str, arguments: tuple[Any, ...], bad: Any
) -> None:
    with pytest.raises(TypeError):
        getattr(pyssl, name)(bad, *arguments)
    assert drain() == []


@clause("CV-3", "METH-5")
def test_cycle_of_bio_callback_and_data_is_collected() -> None:
    gone: list[int] = []
    method = pyssl.BIO_meth_new(0x400 | 222, "cycle")
    pyssl.BIO_meth_set_destroy(method, lambda b: gone.append(1))
    for _ in range(20):
        bio = pyssl.BIO_new(method)
        mem = new(BIO_s_mem())
        bio.set_callback_ex(lambda b, *rest, bio=bio: rest[5])
        mem.set_callback_ex(lambda b, *rest, mem=mem: rest[5])
        mem.write(b"x")
        bio.set_data((bio, mem))
        bio.push(mem)
    del bio, mem
    gc.collect()
    assert len(gone) == 20
