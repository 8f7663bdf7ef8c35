"""Orders to the forge that many tables use: each gives a `Case.bend`."""

from __future__ import annotations

from typing import Any, Callable

from tests.forge import messages as m

Bend = Callable[[Any], None]


def on(name: str, change: Callable[[Any], Any]) -> Bend:
    """Let change see a message; what it returns goes out instead."""
    return lambda forge: forge.on(name, lambda _peer, found: change(found))


def fields(name: str, **values: Any) -> Bend:
    """Give fields of a message other values."""
    return lambda forge: forge.set(name, **values)


def put(name: str, kind: int, data: bytes) -> Bend:
    """Replace the content of an extension, or append the extension."""
    return on(name, lambda found: found.put(kind, data))


def drop(name: str, *kinds: int) -> Bend:
    """Take extensions out."""

    def change(found: Any) -> None:
        for kind in kinds:
            found.drop(kind)

    return on(name, change)


def double(name: str, kind: int) -> Bend:
    """Repeat an extension."""
    return on(name, lambda found: found.double(kind))


def twice(name: str) -> Bend:
    """Send a message twice."""
    return on(name, lambda found: [found, found])


def swap(name: str, kind: int, body: bytes) -> Bend:
    """Send another message instead."""
    return on(name, lambda found: [m.Raw(kind, body)])


def body(name: str, change: Callable[[bytes], bytes]) -> Bend:
    """Change the octets of a message's body."""
    return on(name, lambda found: [m.Raw(found.kind, change(found.body()))])


def trailing(name: str) -> Bend:
    """Put an octet behind the body."""
    return body(name, lambda whole: whole + b"\0")


def cut(name: str, at: int) -> Bend:
    """Send the first octets of the body only, with a fitting length."""
    return body(name, lambda whole: whole[:at])


def leave(name: str) -> Bend:
    """Leave a message out."""
    return on(name, lambda found: [])


def ahead(name: str, *others: Any) -> Bend:
    """Send other messages before a message."""
    return on(name, lambda found: [*others, found])


def both(*bends: Bend) -> Bend:
    """Give several orders."""

    def bend(forge: Any) -> None:
        for one in bends:
            one(forge)

    return bend


def then_record(name: str, kind: int, data: bytes) -> Bend:
    """Send a record by hand before a message."""
    return lambda forge: forge.before(
        name, lambda peer: peer.record(kind, data)
    )


def then_clear(name: str, kind: int, data: bytes) -> Bend:
    """Send a record in the clear before a message."""
    return lambda forge: forge.before(
        name, lambda peer: peer.clear(kind, data)
    )


def size_of(name: str, forge: Any, run: Callable[[], Any]) -> int:
    """Tell the length of a message's body by running undisturbed once."""
    found: list[int] = []
    forge.on(name, lambda _peer, got: found.append(len(got.body())))
    run()
    return found[0]
