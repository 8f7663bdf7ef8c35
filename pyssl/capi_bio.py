"""The man pages' functions by their C names: BIO and BIO_METHOD.

The convention is that of `capi_ssl`. Which functions take None, and what
they say then, stands in contract CV-2, BIO-21, BIO-25 and BIO-28.
"""

from __future__ import annotations

from typing import Any, Callable

from pyssl.bio import BIO, BIO_METHOD
from pyssl.capi import c_name_of

_bio = c_name_of(BIO)
_meth = c_name_of(BIO_METHOD)


def _checked(bio: Any) -> BIO:
    if not isinstance(bio, BIO):
        raise TypeError(f"a BIO is needed, not {bio!r}")
    return bio


# ---- functions that take None -----------------------------------------------


def BIO_free(bio: BIO | None) -> int:
    """Give up a reference; 0 for None. Source: BIO_free(3)."""
    return 0 if bio is None else _checked(bio).free()


def BIO_vfree(bio: BIO | None) -> None:
    """Give up a reference. Source: BIO_free(3)."""
    if bio is not None:
        _checked(bio).vfree()


def BIO_free_all(bio: BIO | None) -> None:
    """Give up a chain. Source: BIO_free_all(3)."""
    if bio is not None:
        _checked(bio).free_all()


def BIO_push(bio: BIO | None, tail: BIO | None) -> BIO | None:
    """Append a chain; tail itself if there is nothing to append to.

    Source: BIO_push(3).
    """
    if bio is None:
        return None if tail is None else _checked(tail)
    return _checked(bio).push(None if tail is None else _checked(tail))


def BIO_pop(bio: BIO | None) -> BIO | None:
    """Take a BIO out of its chain and give what followed it.

    Source: BIO_push(3).
    """
    return None if bio is None else _checked(bio).pop()


def BIO_next(bio: BIO | None) -> BIO | None:
    """Give the BIO that follows, or None. Source: BIO_push(3)."""
    return None if bio is None else _checked(bio).next()


def BIO_number_read(bio: BIO | None) -> int:
    """Give the bytes that all reads moved; 0 for None."""
    return 0 if bio is None else _checked(bio).number_read()


def BIO_number_written(bio: BIO | None) -> int:
    """Give the bytes that all writes moved; 0 for None."""
    return 0 if bio is None else _checked(bio).number_written()


def BIO_ctrl(
    bio: BIO | None, cmd: int, larg: int = 0, parg: Any = None
) -> int:
    """Send a command; 0 for None. Source: BIO_ctrl(3)."""
    return 0 if bio is None else _checked(bio).ctrl(cmd, larg, parg)


def BIO_set_info_callback(
    bio: BIO | None, cb: Callable[..., Any] | None
) -> int:
    """Set the info callback; 0 for None. Source: BIO_ctrl(3)."""
    return 0 if bio is None else _checked(bio).set_info_callback(cb)


def BIO_get_info_callback(bio: BIO | None) -> tuple[int, Any]:
    """Give the info callback; 0 and None for None. Source: BIO_ctrl(3)."""
    return (0, None) if bio is None else _checked(bio).get_info_callback()


def BIO_meth_free(method: BIO_METHOD | None) -> None:
    """Give a type up; nothing for None. Source: BIO_meth_new(3)."""
    if method is not None:
        if not isinstance(method, BIO_METHOD):
            raise TypeError(f"a BIO_METHOD is needed, not {method!r}")
        method.free()


# ---- BIO --------------------------------------------------------------------

BIO_find_type = _bio(BIO.find_type, "BIO_find_type")
BIO_method_type = _bio(BIO.method_type, "BIO_method_type")
BIO_method_name = _bio(BIO.method_name, "BIO_method_name")
BIO_set_next = _bio(BIO.set_next, "BIO_set_next")
BIO_read = _bio(BIO.read, "BIO_read")
BIO_write = _bio(BIO.write, "BIO_write")
BIO_gets = _bio(BIO.gets, "BIO_gets")
BIO_puts = _bio(BIO.puts, "BIO_puts")
BIO_int_ctrl = _bio(BIO.int_ctrl, "BIO_int_ctrl")
BIO_ptr_ctrl = _bio(BIO.ptr_ctrl, "BIO_ptr_ctrl")
BIO_callback_ctrl = _bio(BIO.callback_ctrl, "BIO_callback_ctrl")
BIO_reset = _bio(BIO.reset, "BIO_reset")
BIO_seek = _bio(BIO.seek, "BIO_seek")
BIO_tell = _bio(BIO.tell, "BIO_tell")
BIO_flush = _bio(BIO.flush, "BIO_flush")
BIO_eof = _bio(BIO.eof, "BIO_eof")
BIO_set_close = _bio(BIO.set_close, "BIO_set_close")
BIO_get_close = _bio(BIO.get_close, "BIO_get_close")
BIO_pending = _bio(BIO.pending, "BIO_pending")
BIO_wpending = _bio(BIO.wpending, "BIO_wpending")
BIO_ctrl_pending = _bio(BIO.ctrl_pending, "BIO_ctrl_pending")
BIO_ctrl_wpending = _bio(BIO.ctrl_wpending, "BIO_ctrl_wpending")
BIO_get_flags = _bio(BIO.get_flags, "BIO_get_flags")
BIO_set_flags = _bio(BIO.set_flags, "BIO_set_flags")
BIO_clear_flags = _bio(BIO.clear_flags, "BIO_clear_flags")
BIO_test_flags = _bio(BIO.test_flags, "BIO_test_flags")
BIO_should_retry = _bio(BIO.should_retry, "BIO_should_retry")
BIO_should_read = _bio(BIO.should_read, "BIO_should_read")
BIO_should_write = _bio(BIO.should_write, "BIO_should_write")
BIO_should_io_special = _bio(BIO.should_io_special, "BIO_should_io_special")
BIO_retry_type = _bio(BIO.retry_type, "BIO_retry_type")
BIO_get_retry_flags = _bio(BIO.get_retry_flags, "BIO_get_retry_flags")
BIO_set_retry_read = _bio(BIO.set_retry_read, "BIO_set_retry_read")
BIO_set_retry_write = _bio(BIO.set_retry_write, "BIO_set_retry_write")
BIO_set_retry_special = _bio(BIO.set_retry_special, "BIO_set_retry_special")
BIO_clear_retry_flags = _bio(BIO.clear_retry_flags, "BIO_clear_retry_flags")
BIO_copy_next_retry = _bio(BIO.copy_next_retry, "BIO_copy_next_retry")
BIO_get_retry_BIO = _bio(BIO.get_retry_BIO, "BIO_get_retry_BIO")
BIO_get_retry_reason = _bio(BIO.get_retry_reason, "BIO_get_retry_reason")
BIO_set_retry_reason = _bio(BIO.set_retry_reason, "BIO_set_retry_reason")
BIO_set_callback_ex = _bio(BIO.set_callback_ex, "BIO_set_callback_ex")
BIO_get_callback_ex = _bio(BIO.get_callback_ex, "BIO_get_callback_ex")
BIO_set_callback = _bio(BIO.set_callback, "BIO_set_callback")
BIO_get_callback = _bio(BIO.get_callback, "BIO_get_callback")
BIO_set_callback_arg = _bio(BIO.set_callback_arg, "BIO_set_callback_arg")
BIO_get_callback_arg = _bio(BIO.get_callback_arg, "BIO_get_callback_arg")
BIO_set_data = _bio(BIO.set_data, "BIO_set_data")
BIO_get_data = _bio(BIO.get_data, "BIO_get_data")
BIO_set_ex_data = _bio(BIO.set_ex_data, "BIO_set_ex_data")
BIO_get_ex_data = _bio(BIO.get_ex_data, "BIO_get_ex_data")
BIO_get_ex_new_index = BIO.get_ex_new_index
BIO_set_init = _bio(BIO.set_init, "BIO_set_init")
BIO_get_init = _bio(BIO.get_init, "BIO_get_init")
BIO_set_shutdown = _bio(BIO.set_shutdown, "BIO_set_shutdown")
BIO_get_shutdown = _bio(BIO.get_shutdown, "BIO_get_shutdown")
BIO_set_mem_eof_return = _bio(BIO.set_mem_eof_return, "BIO_set_mem_eof_return")
BIO_get_mem_data = _bio(BIO.get_mem_data, "BIO_get_mem_data")
BIO_make_bio_pair = _bio(BIO.make_bio_pair, "BIO_make_bio_pair")
BIO_destroy_bio_pair = _bio(BIO.destroy_bio_pair, "BIO_destroy_bio_pair")
BIO_shutdown_wr = _bio(BIO.shutdown_wr, "BIO_shutdown_wr")
BIO_set_write_buf_size = _bio(BIO.set_write_buf_size, "BIO_set_write_buf_size")
BIO_get_write_buf_size = _bio(BIO.get_write_buf_size, "BIO_get_write_buf_size")
BIO_get_write_guarantee = _bio(
    BIO.get_write_guarantee, "BIO_get_write_guarantee"
)
BIO_get_read_request = _bio(BIO.get_read_request, "BIO_get_read_request")
BIO_ctrl_get_write_guarantee = _bio(
    BIO.ctrl_get_write_guarantee, "BIO_ctrl_get_write_guarantee"
)
BIO_ctrl_get_read_request = _bio(
    BIO.ctrl_get_read_request, "BIO_ctrl_get_read_request"
)
BIO_ctrl_reset_read_request = _bio(
    BIO.ctrl_reset_read_request, "BIO_ctrl_reset_read_request"
)
BIO_nread0 = _bio(BIO.nread0, "BIO_nread0")
BIO_nread = _bio(BIO.nread, "BIO_nread")
BIO_nwrite0 = _bio(BIO.nwrite0, "BIO_nwrite0")
BIO_nwrite = _bio(BIO.nwrite, "BIO_nwrite")
BIO_set_fd = _bio(BIO.set_fd, "BIO_set_fd")
BIO_get_fd = _bio(BIO.get_fd, "BIO_get_fd")
BIO_up_ref = _bio(BIO.up_ref, "BIO_up_ref")

# ---- BIO_METHOD ------------------------------------------------------------

BIO_meth_set_write = _meth(BIO_METHOD.set_write, "BIO_meth_set_write")
BIO_meth_get_write = _meth(BIO_METHOD.get_write, "BIO_meth_get_write")
BIO_meth_set_read = _meth(BIO_METHOD.set_read, "BIO_meth_set_read")
BIO_meth_get_read = _meth(BIO_METHOD.get_read, "BIO_meth_get_read")
BIO_meth_set_puts = _meth(BIO_METHOD.set_puts, "BIO_meth_set_puts")
BIO_meth_get_puts = _meth(BIO_METHOD.get_puts, "BIO_meth_get_puts")
BIO_meth_set_gets = _meth(BIO_METHOD.set_gets, "BIO_meth_set_gets")
BIO_meth_get_gets = _meth(BIO_METHOD.get_gets, "BIO_meth_get_gets")
BIO_meth_set_ctrl = _meth(BIO_METHOD.set_ctrl, "BIO_meth_set_ctrl")
BIO_meth_get_ctrl = _meth(BIO_METHOD.get_ctrl, "BIO_meth_get_ctrl")
BIO_meth_set_create = _meth(BIO_METHOD.set_create, "BIO_meth_set_create")
BIO_meth_get_create = _meth(BIO_METHOD.get_create, "BIO_meth_get_create")
BIO_meth_set_destroy = _meth(BIO_METHOD.set_destroy, "BIO_meth_set_destroy")
BIO_meth_get_destroy = _meth(BIO_METHOD.get_destroy, "BIO_meth_get_destroy")
BIO_meth_set_callback_ctrl = _meth(
    BIO_METHOD.set_callback_ctrl, "BIO_meth_set_callback_ctrl"
)
BIO_meth_get_callback_ctrl = _meth(
    BIO_METHOD.get_callback_ctrl, "BIO_meth_get_callback_ctrl"
)
