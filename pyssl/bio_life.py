"""The life of a BIO: its count, its chain, its flags, its callbacks.

A BIO is a C object of the core with a count of its own. The count begins at
one for the user's reference; whoever else keeps the BIO (an SSL, the link of
a chain) holds it. At zero references and no holder it is destroyed; a BIO
that the user gave up but that is still held goes on working for its holders
only. No pointer can dangle: the C object is freed by the last Python object
that mentions it.

The pump of the core reads and writes a native BIO (a type of the core, no
callback set) by itself. For any other it gets a foreign BIO, whose
questions bio_core answers. A native BIO that gets a callback changes
over for good, and `_epoch` tells who attached it.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from threading import get_ident
from typing import Any, Optional, Union

from pyssl._ffi import Bio, Owner, ffi, lib, own
from pyssl.bio_method import BIO_METHOD
from pyssl.const_bio import (
    BIO_CB_CTRL,
    BIO_CB_FREE,
    BIO_CB_GETS,
    BIO_CB_READ,
    BIO_CB_RETURN,
    BIO_CB_WRITE,
)
from pyssl.exdata import Registry

# cb(b, oper, argp, len, argi, argl, ret, processed) -> ret, or a pair of
# ret and processed; the old style is cb(b, oper, argp, argi, argl, ret).
CallbackEx = Callable[..., Union[int, "tuple[int, int]"]]
Callback = Callable[..., int]

# READ, WRITE, IO_SPECIAL and SHOULD_RETRY.
RETRY_BITS = 15
_LONG_BITS = 8 * ffi.sizeof("long") - 1

# Which direction an operation belongs to, for its retry flags.
NEITHER, READING, WRITING = -1, 0, 1

_new = lib.pys_bio_new
_free = lib.pys_bio_free
_FOREIGN = lib.PYS_BIO_FOREIGN
_PAIR = lib.PYS_BIO_PAIR
_DUPLEX = (lib.PYS_BIO_SOCKET, lib.PYS_BIO_FD)

_cast = ffi.cast
_ADDRESS = ffi.typeof("uintptr_t")

# For links, and for counts where they are not C's; entered again when the
# garbage collector finds BIOs.
LOCK = threading.RLock()


def number(value: Any, what: str) -> int:
    """Check an int that the core takes as a long."""
    if not isinstance(value, int):
        raise TypeError(f"{what}: an int is needed")
    if not -(1 << _LONG_BITS) <= value < 1 << _LONG_BITS:
        raise ValueError(f"{what}: out of range")
    return int(value)


def descriptor(value: Any) -> int:
    """Check the number of a file descriptor."""
    fd = number(value, "a descriptor")
    if not -(1 << 31) <= fd < 1 << 31:
        raise ValueError("a descriptor: out of range")
    return fd


def result(value: Any, what: str) -> int:
    """Check an int that a Python operation or callback returned."""
    if not isinstance(value, int):
        raise TypeError(f"{what} must return an int")
    if not -(1 << 31) <= value < 1 << 31:
        raise ValueError(f"{what} returned a number out of range")
    return int(value)


class BioLife(Owner, Bio):
    """What a BIO is without its operations.

    What it keeps, and who counts, stands in _quick.py and in csrc/quick,
    which takes its place. The classes that build on this one add nothing.
    """

    __slots__ = ("__weakref__",)

    _registry = Registry()
    _method: BIO_METHOD
    _next: Optional[BioLife]
    _prev: Optional[weakref.ref[BioLife]]
    _callback_ex: Optional[CallbackEx]
    _callback: Optional[Callback]

    # Of no bytecode, so that no signal gets between two of them.
    _lock = LOCK
    _pointer = staticmethod(partial(_cast, ffi.typeof("pys_bio *")))
    _owned = staticmethod(partial(ffi.gc, destructor=_free))
    _disowned = staticmethod(partial(ffi.gc, destructor=None))

    def _make(self, method: BIO_METHOD) -> None:
        """Do what BIO() does, in all its cases."""
        if not self._begin(method):
            raise ValueError("the create function of this type failed")

    def _begin(
        self, method: BIO_METHOD, c: Any = None, free: Any = _free
    ) -> bool:
        """Set up a new BIO; False if the type's create function says no."""
        if not isinstance(method, BIO_METHOD):
            raise TypeError("a BIO_METHOD is needed")
        if method._freed:
            method._check()  # which refuses
        if self._dying or self._c is not None:
            raise RuntimeError("a BIO is made only once")
        self._dying = True  # until it is whole
        kind = method._kind
        native = kind >= 0
        if c is None:
            c = _new(kind if native else _FOREIGN)
        c = own(c, free)
        self._adopt(c, int(_cast(_ADDRESS, c)))
        self._method = method
        self._native_kind = self._plain = native
        self._duplex = kind in _DUPLEX
        self._refs = 1
        self._inside = None if native else {}
        self._shutdown = 1
        self._views = [] if kind == _PAIR else None
        create = method._create
        self._init = int(create is None)
        if self._registry.watched:
            self._registry.made(self)
        if create is not None and not self._create(create):
            self._forget()
            self._refs = 0
            self._drop_core()
            return False
        self._dying = False
        return True

    def _create(self, create: Callable[..., Any]) -> bool:
        """Run the type's create function."""
        before = self._enter(NEITHER)
        try:
            return bool(create(self))
        except BaseException:
            self._forget()
            raise
        finally:
            self._leave(before)

    # ---- life ----------------------------------------------------------

    def _usable_inside(self) -> None:
        """Refuse a BIO that the user gave up, but for who is inside.

        While the core works with a BIO in this thread, its operations and
        callbacks, and those of the BIOs before it in the chain, may use it
        all the same.
        """
        me = get_ident()
        bio: BioLife | None = self
        while bio is not None:
            if bio._inside is not None and me in bio._inside:
                return
            bio = bio._before()
        raise ValueError("this BIO was freed")

    def _release(self) -> None:
        """End a hold; an exception of the destruction is parked."""
        try:
            self._let_go()
        except BaseException as e:  # noqa: BLE001 (raised by its taker)
            self._park(e)

    def _let_go(self) -> None:
        """End a hold, and destroy the BIO if nobody has it any more."""
        if self._drop_hold():
            self._destroy()

    def _drop_user(self) -> int:
        """End one reference of the user; BIO_free(3) without its checks."""
        return self._destroy() if self._end_user() else 1

    def _collected(self) -> None:
        """End a BIO that nobody mentions any more."""
        if (
            not self._plain
            or self._next is not None
            or self._views
            or self._registry.watched
        ):
            self._destroy(collected=True)
        else:  # nobody is to hear of it, nothing is cut
            self._drop_core()

    def _destroy(self, *, collected: bool = False) -> int:
        """Ask the callback, run the destroy function, free the C object.

        The garbage collector may find a BIO together with an SSL that still
        points to it in C, and a callback may give an SSL what is about to
        go: then the C object is left to go with the two.

        Returns:
            1, or what a callback <= 0 said; then the BIO has its reference
            again.
        """
        ret = -1  # what an exception counts as
        try:
            ret = self._farewell()
        finally:
            if ret <= 0:
                self._refs = 1
                self._dying = False
        if ret <= 0:
            return ret
        raised: BaseException | None = None
        try:
            self._depart(collected)
        except BaseException as e:  # noqa: BLE001 (raised below)
            raised = e
        self._drop_views()
        with LOCK:
            after = self._cut()
        if self._drop_core():
            self._mirror = None
            self._keep = None
        if after is not None:
            after._let_go()
        if raised is not None:
            raise raised
        return 1

    def _farewell(self) -> int:
        """Ask the callback whether the BIO may be destroyed (BIO-3)."""
        if self._callback_ex is None and self._callback is None:
            return 1
        with self._as_if_inside():
            return self._call(BIO_CB_FREE, None, 0, 0, 0, 1, None)[0]

    def _depart(self, collected: bool) -> None:
        """Run the type's destroy function, then the free callbacks."""
        method = self._method
        try:
            if method._finish is not None:
                with self._as_if_inside():
                    method._finish(self, collected)
            elif method._destroy is not None:
                with self._as_if_inside():
                    method._destroy(self)
        finally:
            self._forget()

    def _forget(self) -> None:
        """Give up the application's data (EXD-2)."""
        values, self._ex = self._ex, None
        if self._registry.watched:
            self._registry.gone(self, values)

    @contextlib.contextmanager
    def _as_if_inside(self) -> Iterator[None]:
        """Let this thread use a BIO that has no reference any more."""
        if self._inside is None:
            self._inside = {}
        me = get_ident()
        before = self._inside.get(me)
        self._inside[me] = NEITHER
        try:
            yield
        finally:
            self._outside(before)

    def _park(self, raised: BaseException) -> None:
        """Keep the first exception until somebody can raise it (CV-7)."""
        if self._parked is None:
            self._parked = raised

    def _take_exception(self) -> BaseException | None:
        """Give the parked exception, once."""
        raised, self._parked = self._parked, None
        return raised

    def _drop_views(self) -> None:
        """Make the views of a pair's memory invalid (PAIR-14).

        A view that somebody exported further cannot be taken back; the
        memory behind it lives on.
        """
        views = self._views
        while views:
            with contextlib.suppress(BufferError, IndexError):
                views.pop().release()

    # ---- chain ---------------------------------------------------------

    def _before(self) -> BioLife | None:
        """Give the BIO before this one in the chain."""
        prev = self._prev
        return None if prev is None else prev()

    def _last(self) -> BioLife:
        """Give the end of the chain."""
        bio = self
        while bio._next is not None:
            bio = bio._next
        return bio

    def _join(self, after: BioLife) -> None:
        """Link; with the lock held."""
        self._next = after
        after._prev = weakref.ref(self)
        after._hold()

    def _cut(self) -> BioLife | None:
        """Unlink what follows; with the lock held.

        Returns:
            The BIO that followed; the caller ends its hold, later.
        """
        after = self._next
        if after is not None:
            self._next = None
            after._prev = None
        return after

    def _link(self, end: BioLife, tail: BioLife | None) -> None:
        """Put tail behind end, a BIO of this chain; cut off the rest."""
        loose: list[BioLife | None] = []
        with LOCK:
            if tail is not None:
                if end is tail or _follows(tail, end):
                    raise ValueError("the chain would become a circle")
                before = tail._before()
                tail._hold()  # until it is linked
                loose.append(tail)
                if before is not None:
                    loose.append(before._cut())
            loose.append(end._cut())
            if tail is not None:
                end._join(tail)
        let_all_go(loose)

    # ---- flags ---------------------------------------------------------

    def _enter(self, writing: int) -> int | None:
        """Begin an operation in Python: held, and its direction known."""
        if self._inside is None:
            self._inside = {}
        me = get_ident()
        before = self._inside.get(me)
        if writing == NEITHER and before is not None:
            writing = before
        self._hold()
        self._inside[me] = writing
        return before

    def _leave(self, before: int | None) -> None:
        """End an operation that _enter began."""
        self._outside(before)
        self._let_go()

    def _outside(self, before: int | None) -> None:
        """Restore what _inside said of this thread."""
        if self._inside is None:
            return
        if before is None:
            self._inside.pop(get_ident(), None)
        else:
            self._inside[get_ident()] = before

    def _direction(self) -> int:
        """Tell which operation of this BIO the thread is in."""
        if not self._inside:
            return NEITHER
        return self._inside.get(get_ident(), NEITHER)

    def _change_flags(self, put: int, clear: int) -> None:
        """Set and clear flags, for the direction that is at work."""
        c = self._source()
        writing = self._direction()
        if writing != NEITHER:
            lib.pys_bio_side_flags(c, writing, put, clear)
        else:
            lib.pys_bio_clear_flags(c, clear)
            lib.pys_bio_set_flags(c, put)
        self._sync(NEITHER)

    def _change_reason(self, reason: int) -> None:
        """Set the reason of a special retry."""
        c = self._source()
        writing = self._direction()
        if writing != NEITHER:
            lib.pys_bio_side_reason(c, writing, reason)
        else:
            lib.pys_bio_set_reason(c, reason)
        self._sync(NEITHER)

    def _sync(self, writing: int) -> None:
        """Show the state of a native BIO in its foreign mirror."""
        mirror = self._mirror
        if mirror is None:
            return
        c = self._source()
        one_only = self._duplex and writing != NEITHER
        for side in (writing,) if one_only else (READING, WRITING):
            flags = lib.pys_bio_retry(c, side)
            lib.pys_bio_side_flags(mirror, side, flags, RETRY_BITS)
            reason = lib.pys_bio_reason(c, side)
            lib.pys_bio_side_reason(mirror, side, reason)
            errno = lib.pys_bio_errno(c, side)
            lib.pys_bio_side_errno(mirror, side, errno)

    # ---- callbacks -----------------------------------------------------

    def _retune(self) -> None:
        """Settle who works with the BIO after a callback was set."""
        called = self._callback_ex is not None or self._callback is not None
        if not called or not self._native_kind:
            return
        with LOCK:  # who has got a mirror keeps it
            if self._mirror is not None:
                return
            mirror = own(_new(_FOREIGN), _free)
            self._plain = False
            self._mirror = mirror
            self._sync(NEITHER)
            self._epoch += 1
            lib.pys_bio_hand_over(self._source())

    def _call(
        self,
        oper: int,
        argp: Any,
        length: int,
        argi: int,
        argl: int,
        ret: int,
        processed: int | None,
    ) -> tuple[int, int]:
        """Call the callback, if there is one.

        Returns:
            Its result, and the count of bytes that it left.
        """
        count = processed or 0
        call_ex = self._callback_ex
        if call_ex is not None:
            got = call_ex(self, oper, argp, length, argi, argl, ret, processed)
            if isinstance(got, tuple) and len(got) == 2:
                count = result(got[1], "a BIO callback")
                got = got[0]
            return result(got, "a BIO callback"), count
        call = self._callback
        if call is None:
            return ret, count
        bare = oper & ~BIO_CB_RETURN
        counted = oper != bare and bare != BIO_CB_CTRL
        if bare in {BIO_CB_READ, BIO_CB_WRITE, BIO_CB_GETS}:
            argi = length
        if counted and ret > 0:
            ret = count
        ret = result(call(self, oper, argp, argi, argl, ret), "a callback")
        return (1, ret) if counted and ret > 0 else (ret, count)


def checked(bio: Any) -> BioLife:
    """Check an argument that must be a BIO in use."""
    if not isinstance(bio, BioLife):
        raise TypeError("a BIO is needed")
    bio._usable()
    return bio


def let_all_go(loose: list[BioLife | None]) -> None:
    """End a hold of each; the first exception is raised at the end."""
    raised: BaseException | None = None
    for bio in loose:
        try:
            if bio is not None:
                bio._let_go()
        except BaseException as e:  # noqa: BLE001 (raised below)
            raised = raised or e
    if raised is not None:
        raise raised


def _follows(bio: BioLife, after: BioLife) -> bool:
    """Tell whether after stands somewhere behind bio."""
    step = bio._next
    while step is not None and step is not after:
        step = step._next
    return step is not None
