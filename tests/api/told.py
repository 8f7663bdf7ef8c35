"""What an SSL tells its info and message callbacks, kept call by call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyssl as p
from tests.api.links import MemLink, make_contexts, make_ends

# ("info", where, ret, state) or ("msg", sent, version, type, hex).
Notice = tuple[Any, ...]

LOOP, EXIT, START, DONE = 0x01, 0x02, 0x10, 0x20
READ_ALERT, WRITE_ALERT = 0x4004, 0x4008
CONNECT, ACCEPT = 0x1000, 0x2000
CCS, ALERT, MESSAGE, HEADER, INNER = 20, 21, 22, 256, 257


class Ear:
    """Both callbacks of one SSL or SSL_CTX, and what they heard."""

    def __init__(self) -> None:
        self.heard: list[Notice] = []

    def info(self, ssl: p.SSL, where: int, ret: int) -> None:
        self.heard.append(("info", where, ret, p.SSL_state_string(ssl)))

    def msg(
        self,
        sent: int,
        version: int,
        kind: int,
        data: bytes,
        ssl: p.SSL,
        arg: Any,
    ) -> None:
        assert isinstance(data, bytes)
        assert isinstance(ssl, p.SSL)
        del arg
        self.heard.append(("msg", sent, version, kind, data.hex()))

    def of(self, holder: Any) -> Ear:
        """Listen to an SSL or SSL_CTX."""
        holder.set_info_callback(self.info)
        holder.set_msg_callback(self.msg)
        return self

    def take(self) -> list[Notice]:
        """Give what was heard since, and forget it."""
        found, self.heard = self.heard, []
        return found

    @property
    def infos(self) -> list[tuple[int, int, str]]:
        return infos(self.heard)

    @property
    def msgs(self) -> list[tuple[int, int, int, str]]:
        return msgs(self.heard)


def infos(heard: Iterable[Notice]) -> list[tuple[int, int, str]]:
    """Give (where, ret, state) of the info notices."""
    return [(n[1], n[2], n[3]) for n in heard if n[0] == "info"]


def msgs(heard: Iterable[Notice]) -> list[tuple[int, int, int, str]]:
    """Give (sent, version, type, hex) of real messages."""
    return [
        (n[1], n[2], n[3], n[4])
        for n in heard
        if n[0] == "msg" and n[3] < HEADER
    ]


def loops(heard: Iterable[Notice]) -> list[str]:
    """Give the states of the LOOP notices, repeats once."""
    found: list[str] = []
    for where, _, state in infos(heard):
        if where & LOOP and where & 0xFF == LOOP and found[-1:] != [state]:
            found.append(state)
    return found


def kinds(heard: Iterable[Notice]) -> list[tuple[int, int, int]]:
    """Give (sent, type, first byte) of the real messages."""
    return [(n[0], n[2], int(n[3][:2], 16)) for n in msgs(heard)]


class Watched:
    """A client and a server on memory BIOs, with an ear at each."""

    def __init__(self, version: int = 0, **wishes: Any) -> None:
        contexts = make_contexts(version=version, **wishes)
        self.client_ear = Ear().of(contexts[0])
        self.server_ear = Ear().of(contexts[1])
        self.link = MemLink(*make_ends(*contexts))
        self.client, self.server = self.link.client, self.link.server

    def ear(self, ssl: p.SSL) -> Ear:
        return self.client_ear if ssl is self.client else self.server_ear

    def call(self, ssl: p.SSL, name: str, *arguments: Any) -> tuple[int, Any]:
        """Call a function; give its result and what it told."""
        ear = self.ear(ssl)
        ear.take()
        ret = getattr(p, name)(ssl, *arguments)
        self.link.move()
        return ret, ear.take()

    def established(self) -> Watched:
        """Shake hands and forget what was told."""
        self.link.established()
        self.client_ear.take()
        self.server_ear.take()
        return self
