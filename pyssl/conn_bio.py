"""The BIOs of an SSL (SSL_set_bio(3), SSL_set_fd(3); contract 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyssl import err
from pyssl._ffi import AT_FIRST, ffi, hold_plain, lib
from pyssl.bio import BIO, BIO_new_socket
from pyssl.bio_life import BioLife
from pyssl.conn_base import ConnBase, raise_parked
from pyssl.const import (
    BIO_C_GET_FD,
    BIO_CTRL_POP,
    BIO_CTRL_PUSH,
    BIO_NOCLOSE,
    BIO_TYPE_DESCRIPTOR,
    BIO_TYPE_SOCKET,
    ERR_LIB_BIO,
    ERR_R_MALLOC_FAILURE,
)

_set_bio = lib.pys_conn_set_bio


class Attached(ConnBase):
    """Attaching and asking for BIOs."""

    __slots__ = ()

    def _set_bio(self, rbio: BIO | None, wbio: BIO | None) -> None:
        """As `set_bio`, whatever the two are."""
        if not (
            type(rbio) is BIO
            and type(wbio) is BIO
            and self._alone(self._attach_first, rbio, wbio)
        ):
            self._exchange((rbio, wbio), lambda: (rbio, wbio))

    def _attach_first(self, conn: Any, rbio: BIO, wbio: BIO) -> bool:
        """Attach plain BIOs where none were; False for any other case."""
        if self._rbio is not None or self._wbio is not None:
            return False
        if not hold_plain(rbio, wbio):
            return False
        self._rbio, self._wbio = rbio, wbio
        self._read_epoch, self._write_epoch = rbio._epoch, wbio._epoch
        _set_bio(conn, rbio._c, wbio._c)
        return True

    def _exchange(
        self,
        given: Iterable[BIO | None],
        pick: Callable[[], tuple[BIO | None, BIO | None]],
    ) -> None:
        """Check what the caller gives, then hold what pick answers."""
        for bio in given:
            if bio is not None:
                if not isinstance(bio, BIO):
                    raise TypeError("a BIO or None is needed")
                bio._usable()
        gone: list[BIO] = self._alone(lambda conn: self._attach(conn, *pick()))
        if gone:
            for bio in gone:
                bio._release()
            raise_parked(gone)
        self._raise_parked()

    def _attach(
        self, conn: Any, rbio: BIO | None, wbio: BIO | None
    ) -> list[BIO]:
        """Exchange the BIOs; gives the holds that are to be ended."""
        old = (self._rbio, self._wbio)
        if rbio is old[0] and wbio is old[1]:
            return []
        gone = [bio for bio in old if bio is not None]
        _hold(bio for bio in (rbio, wbio) if bio is not None)
        for bio in _distinct(old):
            if bio is not rbio and bio is not wbio:
                bio._notify(BIO_CTRL_POP)
        self._rbio, self._wbio = rbio, wbio
        self._pass_bios(conn)
        for bio in _distinct((rbio, wbio)):
            if bio not in old:
                bio._notify(BIO_CTRL_PUSH)
        return gone

    def _pass_bios(self, conn: Any) -> None:
        """Tell the core what it reads and writes."""
        rbio, wbio = self._rbio, self._wbio
        self._read_epoch = 0 if rbio is None else rbio._epoch
        self._write_epoch = 0 if wbio is None else wbio._epoch
        self._quick_read = self._quick_write = AT_FIRST
        _set_bio(
            conn,
            ffi.NULL if rbio is None else rbio._native(),
            ffi.NULL if wbio is None else wbio._native(),
        )

    def _stale(self) -> bool:
        """Tell whether a BIO has come to be answered by Python."""
        rbio, wbio = self._rbio, self._wbio
        return (rbio is not None and rbio._epoch != self._read_epoch) or (
            wbio is not None and wbio._epoch != self._write_epoch
        )

    def set0_rbio(self, rbio: BIO | None) -> None:
        """Read from a BIO; the other direction stays.

        Source: SSL_set_bio(3).
        """
        self._exchange((rbio,), lambda: (rbio, self._wbio))

    def set0_wbio(self, wbio: BIO | None) -> None:
        """Write to a BIO; the other direction stays.

        Source: SSL_set_bio(3).
        """
        self._exchange((wbio,), lambda: (self._rbio, wbio))

    def get_rbio(self) -> BIO | None:
        """Give the BIO that is read. Source: SSL_get_rbio(3)."""
        self._alive()
        return self._rbio

    def get_wbio(self) -> BIO | None:
        """Give the BIO that is written. Source: SSL_get_rbio(3)."""
        self._alive()
        return self._wbio

    def set_fd(self, fd: int) -> int:
        """Read and write a descriptor, which is never closed here.

        Returns:
            1, or 0 with an entry when memory is short.

        Source: SSL_set_fd(3); contract FDS-1.
        """
        bio = _socket(fd)
        if bio is None:
            return 0
        self.set_bio(bio, bio)
        return 1

    def set_rfd(self, fd: int) -> int:
        """Read a descriptor: 1, or 0 with an entry.

        Source: SSL_set_fd(3); contract FDS-2.
        """
        bio = _shared(self._wbio, fd) or _socket(fd)
        if bio is None:
            return 0
        self._exchange((), lambda: (bio, self._wbio))
        return 1

    def set_wfd(self, fd: int) -> int:
        """Write a descriptor: 1, or 0 with an entry.

        Source: SSL_set_fd(3); contract FDS-2.
        """
        bio = _shared(self._rbio, fd) or _socket(fd)
        if bio is None:
            return 0
        self._exchange((), lambda: (self._rbio, bio))
        return 1

    def get_rfd(self) -> int:
        """Give the descriptor that is read, -1 if there is none.

        Source: SSL_get_fd(3); contract FDS-4.
        """
        self._alive()
        return _descriptor(self._rbio)

    get_fd = get_rfd

    def get_wfd(self) -> int:
        """Give the descriptor that is written, -1 if there is none.

        Source: SSL_get_fd(3); contract FDS-4.
        """
        self._alive()
        return _descriptor(self._wbio)


def _hold(bios: Iterable[BIO]) -> None:
    """Hold all, or none if another thread has freed one."""
    held: list[BIO] = []
    try:
        for bio in bios:
            bio._hold()
            held.append(bio)
    except ValueError:
        for bio in held:
            bio._release()
        raise


def _distinct(bios: Iterable[BIO | None]) -> list[BIO]:
    """Give each BIO once."""
    found: list[BIO] = []
    for bio in bios:
        if bio is not None and all(bio is not other for other in found):
            found.append(bio)
    return found


def _descriptor(bio: BioLife | None) -> int:
    """Give the descriptor behind a chain of BIOs, -1 if there is none."""
    while bio is not None:
        method = bio._method
        if method.type & BIO_TYPE_DESCRIPTOR and isinstance(bio, BIO):
            if bio._has(method._ctrl):
                return bio._ctrl(BIO_C_GET_FD, 0, None)
            return -1
        bio = bio._next
    return -1


def _socket(fd: int) -> BIO | None:
    """Make a socket BIO for fd; None with an entry."""
    try:
        return BIO_new_socket(fd, BIO_NOCLOSE)
    except MemoryError:
        err.put(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE)
        return None


def _shared(other: BIO | None, fd: int) -> BIO | None:
    """Give the other direction's BIO, if it is a socket BIO for fd."""
    if (
        other is not None
        and other._method.type == BIO_TYPE_SOCKET
        and _descriptor(other) == fd
    ):
        return other
    return None
