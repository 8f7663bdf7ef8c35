"""A client and a server that resume a session, with early data.

As their parents in `tests.forge.peer`, and as easily bent. One more name of
a message: end_of_early_data. `Ticket` is what both need of a session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from tests.forge import keys, messages
from tests.forge.keys import ForgeError, Protection
from tests.forge.peer import APPLICATION_DATA, ForgeClient, ForgeServer


@dataclass(frozen=True)
class Ticket:
    """What is known of a session (RFC 8446 4.6.1)."""

    ticket: bytes
    psk: bytes
    age_add: int
    suite: int


def identity(ticket: Ticket, age: int) -> bytes:
    """A PskIdentity (RFC 8446 4.2.11); age in milliseconds."""
    veiled = (age + ticket.age_add) % 2**32
    return messages.vec(2, ticket.ticket) + veiled.to_bytes(4, "big")


class EarlyClient(ForgeClient):
    """A client that offers a session and sends early data.

    Binders are made when a hello goes out, after all bending.

    Args:
        ticket: The session to resume.
        early: Contents of records to send behind the hello; None does not
            even offer early data.
        age: The age of the ticket that it tells, in milliseconds.
        before: Identities to offer before the good one.
    """

    def __init__(
        self,
        ticket: Ticket,
        early: Optional[Sequence[bytes]] = (b"early",),
        age: int = 0,
        before: Sequence[bytes] = (),
        **wishes: Any,
    ) -> None:
        super().__init__(**wishes)
        self.ticket, self.early = ticket, early
        self.bad_binder = False
        self.schedule.suite = keys.SUITES[ticket.suite]
        self.schedule.psk = ticket.psk
        self._handshake: Optional[Protection] = None
        size = self.schedule.suite.length
        offered = [*before, identity(ticket, age)]
        binders = messages.vec(1, bytes(size)) * len(offered)
        self.hello.put(messages.PSK_MODES, b"\x01\x01")
        if early is not None:
            self.hello.put(messages.EARLY_DATA, b"")
        self.hello.put(
            messages.PRE_SHARED_KEY,
            messages.vec(2, b"".join(offered)) + messages.vec(2, binders),
        )
        self._tail = 2 + len(binders)

    def send(self, message: bytes) -> None:
        """Send a whole message; a hello gets its binders."""
        hello = message[0] == messages.CLIENT_HELLO
        if hello and self.answer is None and self._resumes(message):
            head = message[: -self._tail]
            made = self.schedule.binder(head)
            if self.bad_binder:
                made = made[:-1] + bytes([made[-1] ^ 1])
            count = (self._tail - 2) // (1 + len(made))
            message = head + messages.vec(2, messages.vec(1, made) * count)
        super().send(message)

    def _resumes(self, message: bytes) -> bool:
        found = messages.ClientHello.parse(message[4:])
        return found.has(messages.PRE_SHARED_KEY)

    def start(self) -> None:
        """Send the ClientHello and the early data."""
        super().start()
        if self.early is None:
            return
        if self.hello.session_id:
            self.ccs()
        suite = self.schedule.suite
        self.sealer = Protection(suite, self.schedule.early_traffic(), "early")
        for data in self.early:
            self.write(data)

    def _hello(self, answer: messages.ServerHello, whole: bytes) -> None:
        if answer.random == messages.RETRY_RANDOM:
            if self.early is not None:
                self.hello.drop(messages.EARLY_DATA)
                self.sealer = None
        elif not answer.has(messages.PRE_SHARED_KEY):
            self.schedule.psk = b""
        super()._hello(answer, whole)

    def _protect(self, protection: Protection) -> None:
        self._handshake = protection
        if self.early is None or self.retry is not None:
            super()._protect(protection)

    def accepted(self) -> bool:
        """Has the server taken the early data?"""
        found = self.encrypted
        return found is not None and found.has(messages.EARLY_DATA)

    def _complete(self, whole: bytes) -> None:
        # What follows covers the server's Finished.
        self.schedule.add(whole)
        if self.accepted():
            self._application = self.schedule.application()
            end = messages.Raw(messages.END_OF_EARLY_DATA)
            self.emit("end_of_early_data", end)
            self.flush()
        self.sealer = self._handshake
        self._end()

    def _end(self) -> None:
        """Finished, and application keys."""
        used = self.schedule.suite
        mine, theirs = (
            self._application
            if self.accepted()
            else self.schedule.application()
        )
        self.opener = Protection(used, theirs, "application")
        if self.request is not None:
            self.authenticate(self.request.context, self.traffic)
        else:
            made = self.schedule.verify_data(self.traffic)
            self.emit("finished", messages.Finished(made))
            self.flush()
        self.sealer = Protection(used, mine, "application")
        self.done = True


class EarlyServer(ForgeServer):
    """A server that resumes a session and may take early data.

    Args:
        ticket: The session that clients offer.
        accept: Take early data.
        resume: Resume; else it makes a full handshake.
    """

    def __init__(
        self,
        ticket: Ticket,
        accept: bool = True,
        resume: bool = True,
        **wishes: Any,
    ) -> None:
        wishes.setdefault("suite", ticket.suite)
        super().__init__(**wishes)
        self.ticket, self.accept, self.resume = ticket, accept, resume
        self._handshake: Optional[Protection] = None
        self.early = bytearray()
        if accept:
            self.extensions.append((messages.EARLY_DATA, b""))
        if resume:
            self.schedule.psk = ticket.psk
            self.on("server_hello", _selects)

    def authenticate(self, context: bytes, traffic: bytes) -> None:
        """Send Finished alone when a session is resumed."""
        if not self.resume:
            super().authenticate(context, traffic)
            return
        made = self.schedule.verify_data(traffic)
        self.emit("finished", messages.Finished(made))
        self.flush()

    def _encrypted(self, secret: bytes) -> None:
        suite = keys.SUITES[self.ticket.suite]
        # The hello is all that the early keys cover.
        alone = keys.Schedule()
        alone.suite, alone.psk = suite, self.ticket.psk
        alone.messages = self._hello_bytes
        early = Protection(suite, alone.early_traffic(), "early")
        super()._encrypted(secret)
        self._handshake = self.opener
        if self.accept and self.resume:
            self.opener = early

    def _hello(self) -> None:
        self._hello_bytes = self.schedule.messages
        super()._hello()

    def handle(self, whole: bytes) -> None:
        """Take one whole handshake message."""
        if whole[0] != messages.END_OF_EARLY_DATA:
            super().handle(whole)
            return
        if self.opener is None or self.opener.epoch != "early":
            raise ForgeError("EndOfEarlyData out of its place")
        self.schedule.add(whole)
        self.opener = self._handshake

    def _open(self, whole: bytes) -> None:
        """Pass over what is early data and was not taken."""
        if whole[0] == APPLICATION_DATA and not self.accept and not self.done:
            if self.opener is None:
                return
            try:
                super()._open(whole)
            except ForgeError as e:
                if "does not open" not in str(e):
                    raise
            return
        super()._open(whole)

    def _dispatch(self, kind: int, content: bytes, epoch: str) -> None:
        if kind == APPLICATION_DATA and epoch == "early":
            self.early += content
        else:
            super()._dispatch(kind, content, epoch)


def _selects(peer: EarlyServer, hello: messages.ServerHello) -> None:
    """Say that the first identity is taken."""
    del peer
    hello.put(messages.PRE_SHARED_KEY, b"\0\0")
