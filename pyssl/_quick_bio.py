"""The part of _quick.py that BIO and BIO_METHOD are made on."""

from __future__ import annotations

from typing import Any, Optional


class Method:
    """What BIO() looks at in a BIO_METHOD."""

    __slots__ = ("_kind",)

    _kind: int  # enum pys_bio_kind; -1: it is written in Python

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        """Begin as one in Python."""
        self = super().__new__(cls)
        self._kind = -1
        return self


class Bio:
    """What BIO is made on."""

    __slots__ = (
        "_c",
        "_callback",
        "_callback_arg",
        "_callback_ex",
        "_data",
        "_duplex",
        "_dying",
        "_epoch",
        "_ex",
        "_holds",
        "_init",
        "_inside",
        "_keep",
        "_method",
        "_mirror",
        "_native_kind",
        "_next",
        "_parked",
        "_plain",
        "_prev",
        "_refs",
        "_shutdown",
        "_views",
    )

    _c: Any  # the core's object, or None
    _callback: Any
    _callback_arg: Any
    _callback_ex: Any
    _data: Any
    _duplex: bool
    _dying: bool
    _epoch: int
    _ex: Optional[dict[int, Any]]
    _holds: int  # of others than the user
    _init: int
    _inside: Optional[dict[int, int]]
    _keep: Any
    _method: Any
    _mirror: Any
    _native_kind: bool
    _next: Any
    _parked: Optional[BaseException]
    _plain: bool  # of the core, and nobody's callback is called
    _prev: Any
    _refs: int  # of the user
    _shutdown: int
    _views: Optional[list[memoryview]]

    _lock: Any  # left to BIO

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        """Begin with nothing."""
        self = super().__new__(cls)
        self._c = self._mirror = self._method = None
        self._callback = self._callback_arg = self._callback_ex = None
        self._data = self._ex = self._keep = self._parked = None
        self._next = self._prev = self._inside = self._views = None
        self._epoch = self._holds = self._refs = 0
        self._init = self._shutdown = 0
        self._native_kind = self._plain = self._duplex = self._dying = False
        return self

    def __init__(self, method: Any) -> None:
        self._make(method)

    def __del__(self) -> None:
        if self._method is None or self._dying:
            return
        self._dying = True
        self._refs = 0
        self._collected()

    def _adopt(self, owner: Any, _address: int, /) -> None:
        """Begin with an object of the core.

        Errors:
            RuntimeError: there is one already.
        """
        if self._c is not None:
            raise RuntimeError("it is there already")
        self._c = owner

    def _usable(self) -> None:
        """Refuse a BIO that the user gave up, but for who is inside."""
        if self._refs <= 0:
            self._usable_inside()

    def _source(self) -> Any:
        """Give the C object; it lives while the caller mentions it."""
        c = self._c
        if c is None:
            raise ValueError("this BIO was freed")
        return c

    # ---- counting ----------------------------------------------------------

    def _hold(self) -> None:
        """Keep the BIO alive for someone other than the user.

        Errors:
            ValueError: it is too late.
        """
        with self._lock:
            self._source()
            self._holds += 1

    def _drop_core(self) -> bool:
        """Let the C object go unless it is held; True if it did."""
        with self._lock:
            if self._holds > 0:
                return False
            owner, self._c = self._c, None
        del owner  # which may run any code
        return True

    def _drop_hold(self) -> bool:
        """End a hold; True if the end of the BIO begins with that."""
        with self._lock:
            self._holds -= 1
            return self._begin_end()

    def _add_user(self) -> None:
        """Add a reference of the user.

        Errors:
            ValueError: there is none.
        """
        with self._lock:
            self._check_user()
            self._refs += 1

    def _end_user(self) -> bool:
        """End a reference of the user, as `_drop_hold`.

        Errors:
            ValueError: there is none.
        """
        with self._lock:
            self._check_user()
            self._refs -= 1
            return self._begin_end()

    def _count(self) -> int:
        """Give how many have it."""
        with self._lock:
            return self._refs + self._holds

    def _check_user(self) -> None:
        if self._refs <= 0:
            raise ValueError("this BIO was freed")

    def _begin_end(self) -> bool:
        last = self._holds <= 0 and self._refs <= 0 and not self._dying
        self._dying = self._dying or last
        return last

    # ---- the calls ---------------------------------------------------------

    def free(self) -> int:
        """Give up one reference; at the last one, destroy the BIO.

        An SSL or a chain that keeps the BIO goes on using it.

        Returns:
            1, or what the BIO's callback answered if that was <= 0: then
            the BIO stays, with its reference.

        Errors:
            ValueError: no reference is left.

        Source: BIO_free(3) RETURN VALUES.
        """
        return self._free()

    def make_bio_pair(self, other: Any) -> int:
        """Tie two halves together.

        Returns:
            1, or 0 with BIO_R_IN_USE if either has its other half.
        """
        return self._make_bio_pair(other)

    def pending(self) -> int:
        """Give the bytes that can be read."""
        return self._pending()

    def read(self, buf: Any, n: int | None = None) -> int:
        """Read into a buffer.

        Args:
            buf: writable, C-contiguous bytes-like object.
            n: most bytes to read; the size of the buffer if not given.

        Returns:
            Bytes read, maybe fewer than asked; 0 for n <= 0; else 0 or -1:
            see `should_retry`; -2: the type does not read.

        Errors:
            BIO_R_UNINITIALIZED, BIO_R_UNSUPPORTED_METHOD in the queue; an
            exception of an operation in Python is passed on.

        Source: BIO_read(3) RETURN VALUES.
        """
        return self._read(buf, n)

    def write(self, data: Any, n: int | None = None) -> int:
        """Write from a buffer.

        Args:
            data: C-contiguous bytes-like object.
            n: bytes to write; all of the buffer if not given.

        Returns:
            Bytes written, maybe fewer than given; else as `read`.

        Errors:
            As `read`; BIO_R_WRITE_TO_READ_ONLY_BIO, BIO_R_BROKEN_PIPE.

        Source: BIO_write(3) RETURN VALUES.
        """
        return self._write(data, n)

    # ---- left to BIO -------------------------------------------------------

    def _free(self) -> int:
        raise NotImplementedError

    def _make_bio_pair(self, other: Any) -> int:
        raise NotImplementedError

    def _pending(self) -> int:
        raise NotImplementedError

    def _read(self, buf: Any, n: int | None) -> int:
        raise NotImplementedError

    def _usable_inside(self) -> None:
        raise NotImplementedError

    def _write(self, data: Any, n: int | None) -> int:
        raise NotImplementedError

    def _make(self, method: Any) -> None:
        raise NotImplementedError

    def _collected(self) -> None:
        raise NotImplementedError


def hold_plain(first: Bio, second: Bio, /) -> bool:
    """Hold two BIOs at once; False, nothing done, if one is not plain.

    Nor is one that the user gave up held: its holders alone may use it.
    """
    with first._lock:
        plain = _are_plain(first, second)
        if plain:
            first._holds += 1
            second._holds += 1
    return plain


def release_plain(first: Bio | None, second: Bio | None, /) -> bool:
    """End what hold_plain began; False, nothing done, if more goes with it.

    A plain BIO that the user has, too, hears nothing and stays.
    """
    if first is None or second is None:
        return first is second
    with first._lock:
        plain = _are_plain(first, second)
        if plain:
            first._holds -= 1
            second._holds -= 1
    return plain


def _are_plain(first: Bio, second: Bio) -> bool:
    return first._plain and second._plain and first._refs > 0 < second._refs
