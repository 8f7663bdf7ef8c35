"""A TLS 1.3 client and a TLS 1.3 server that misbehave on demand.

Both work on bytes: `feed` what the other side sent, `take` what is to go to
it. Left alone they follow RFC 8446. A test bends them:

- `on(name, hook)`: hook(peer, message) sees each message of that name before
  it goes out. It may change the message in place and return None, or return
  a list of what goes out instead: messages, bytes of whole messages, or
  functions that are called with the peer. An empty list leaves it out.
- `set(name, field=value, ...)`: the same for plain fields.
- `before(name, action)`, `after(name, action)`: action(peer) runs around it.
- `coalesce`, `fragment`, `padding`: how messages are cut into records.
- `record`, `clear`, `sealed`, `alert`, `ccs`, `raw`: records by hand;
  `mute` lets nothing out from then on.
- `sealer` and `opener` are the protections in force; they may be replaced.

Names of messages: client_hello, client_hello_2, retry, server_hello,
encrypted_extensions, certificate_request, certificate, certificate_verify,
finished, ticket.

What came from the other side is kept: `alerts` with the keys they were sealed
under ("clear", "handshake", "application"), `records`, `seen` messages,
`data`. A peer that breaks the rules towards the forge raises `ForgeError`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from cryptography.exceptions import InvalidTag

from tests.forge import keys, messages
from tests.forge.keys import ForgeError, Protection, Schedule, Share
from tests.forge.messages import Message

CCS, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23

Hook = Callable[[Any, Any], Optional[Sequence[Any]]]
Action = Callable[[Any], object]


@dataclass(frozen=True)
class Alert:
    """An alert that came, and the keys it came under."""

    level: int
    description: int
    epoch: str


@dataclass(frozen=True)
class Record:
    """A record that came: outer type, version, length; inner type."""

    outer: int
    version: int
    length: int
    inner: int
    epoch: str


class Peer:
    """What client and server have in common."""

    server: bool

    def __init__(self) -> None:
        self.schedule = Schedule()
        self.sealer: Optional[Protection] = None
        self.opener: Optional[Protection] = None
        self.coalesce = False
        self.fragment = 16384
        self.padding = 0
        self.muted = False
        self.done = False
        self.alerts: list[Alert] = []
        self.records: list[Record] = []
        self.seen: list[tuple[int, bytes]] = []
        self.data = bytearray()
        self.identity: Any = None
        self.peer_chain: list[bytes] = []
        self._hooks: dict[str, list[Hook]] = {}
        self._actions: dict[tuple[str, str], list[Action]] = {}
        self._in = bytearray()
        self._out = bytearray()
        self._partial = bytearray()
        self._waiting = bytearray()

    # ---- orders ---------------------------------------------------------

    def on(self, name: str, hook: Hook) -> None:
        """Let a hook see and change each message of a name."""
        self._hooks.setdefault(name, []).append(hook)

    def set(self, name: str, **fields: Any) -> None:
        """Give fields of a message other values."""

        def hook(peer: Any, message: Any) -> None:
            del peer
            for field, value in fields.items():
                if not hasattr(message, field):
                    raise AttributeError(f"{name} has no {field}")
                setattr(message, field, value)

        self.on(name, hook)

    def before(self, name: str, action: Action) -> None:
        """Run an action before each message of a name."""
        self._actions.setdefault(("before", name), []).append(action)

    def after(self, name: str, action: Action) -> None:
        """Run an action behind each message of a name."""
        self._actions.setdefault(("after", name), []).append(action)

    # ---- sending --------------------------------------------------------

    def emit(self, name: str, message: Message) -> None:
        """Send a message, bent by what was ordered for its name."""
        for action in self._actions.get(("before", name), []):
            action(self)
        items: Sequence[Any] = [message]
        for hook in self._hooks.get(name, []):
            answer = hook(self, message)
            if answer is not None:
                items = answer
        for item in items:
            if callable(item):
                item(self)
            else:
                self.send(self.as_sent(item))
        for action in self._actions.get(("after", name), []):
            action(self)

    def as_sent(self, item: Any) -> Any:
        """What `send` takes of a message."""
        return bytes(item)

    def send(self, message: bytes) -> None:
        """Send a whole message and keep it in the transcript."""
        if not self.done:
            self.schedule.add(message)
        self._waiting += message
        if not self.coalesce:
            self.flush()

    def flush(self) -> None:
        """Put messages that wait into records under the keys in force."""
        while self._waiting:
            self.record(HANDSHAKE, bytes(self._waiting[: self.fragment]))
            del self._waiting[: self.fragment]

    def record(
        self, kind: int, data: bytes, padding: Optional[int] = None
    ) -> None:
        """Send one record, protected if keys are in force."""
        if self.sealer is None:
            self.clear(kind, data)
            return
        zeros = self.padding if padding is None else padding
        self.sealed(data + bytes([kind]) + bytes(zeros))

    def sealed(self, inner: bytes, **header: Any) -> None:
        """Seal any TLSInnerPlaintext; header as `Protection.seal`."""
        assert self.sealer is not None, "no keys yet"
        self.raw(self.sealer.seal(inner, **header))

    def clear(
        self,
        kind: int,
        data: bytes,
        version: int = 0x0303,
        length: Optional[int] = None,
    ) -> None:
        """Send one record in the clear, with any header."""
        size = len(data) if length is None else length
        head = bytes([kind]) + messages.u16(version) + messages.u16(size)
        self.raw(head + data)

    def alert(self, description: int, level: int = 2) -> None:
        """Send an alert."""
        self.record(ALERT, bytes([level, description]))

    def ccs(self) -> None:
        """Send a change_cipher_spec in the clear (RFC 8446 D.4)."""
        self.clear(CCS, b"\x01")

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not self.muted:
            self._out += data

    def mute(self) -> None:
        """Send nothing more, whatever is ordered."""
        self.flush()
        self.muted = True

    def write(self, data: bytes) -> None:
        """Send application data in one record."""
        self.record(APPLICATION_DATA, data)

    def update(self, request: int = 0) -> None:
        """Send a KeyUpdate and change the sending keys."""
        assert self.sealer is not None, "no keys yet"
        self.send(bytes(messages.KeyUpdate(request)))
        self.flush()
        self.sealer = self.sealer.updated()

    def take(self) -> bytes:
        """Take what is to go to the other side."""
        out = bytes(self._out)
        self._out.clear()
        return out

    # ---- receiving ------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take what the other side sent, and answer it."""
        self._in += data
        while len(self._in) >= 5:
            size = int.from_bytes(self._in[3:5], "big")
            if len(self._in) < 5 + size:
                return
            whole = bytes(self._in[: 5 + size])
            del self._in[: 5 + size]
            self._open(whole)

    def _open(self, whole: bytes) -> None:
        outer, epoch, content = whole[0], "clear", whole[5:]
        kind = outer
        if outer == APPLICATION_DATA:
            if self.opener is None:
                raise ForgeError("application data in the clear")
            try:
                kind, content = self.opener.open(whole)
            except InvalidTag:
                raise ForgeError("a record that does not open") from None
            epoch = self.opener.epoch
        elif self.opener is not None and outer == HANDSHAKE:
            raise ForgeError("a handshake record in the clear")
        version = int.from_bytes(whole[1:3], "big")
        self.records.append(
            Record(outer, version, len(whole) - 5, kind, epoch)
        )
        self._dispatch(kind, content, epoch)

    def _dispatch(self, kind: int, content: bytes, epoch: str) -> None:
        if kind == ALERT:
            if len(content) != 2:
                raise ForgeError("an alert that is not two octets")
            self.alerts.append(Alert(content[0], content[1], epoch))
        elif kind == HANDSHAKE:
            if not content:
                raise ForgeError("an empty handshake record")
            self._partial += content
            self._messages()
        elif kind == APPLICATION_DATA:
            self.data += content
        elif kind != CCS or content != b"\x01" or epoch != "clear":
            raise ForgeError(f"a record of type {kind}: {content.hex()}")

    def _messages(self) -> None:
        while len(self._partial) >= 4:
            size = 4 + int.from_bytes(self._partial[1:4], "big")
            if len(self._partial) < size:
                return
            whole = bytes(self._partial[:size])
            del self._partial[:size]
            self.seen.append((whole[0], whole[4:]))
            if whole[0] == messages.KEY_UPDATE and self.done:
                assert self.opener is not None
                self.opener = self.opener.updated()
            else:
                self.handle(whole)

    def handle(self, whole: bytes) -> None:
        """Take one whole handshake message."""
        raise NotImplementedError

    # ---- the authentication block ---------------------------------------

    def authenticate(self, context: bytes, traffic: bytes) -> None:
        """Send Certificate, CertificateVerify if it has one, Finished."""
        if self.server or context is not None:
            chain = self.identity.chain_der if self.identity else ()
            entries: list[tuple[bytes, messages.Extensions]] = []
            entries += [(der, []) for der in chain]
            self.emit(
                "certificate", messages.Certificate(context or b"", entries)
            )
            if self.identity:
                scheme = keys.scheme_for(self.identity.key)
                if self.identity.kind == "rsapss":
                    scheme = 0x0809
                self.emit("certificate_verify", self.signed(scheme))
        self.emit(
            "finished",
            messages.Finished(self.schedule.verify_data(traffic)),
        )
        self.flush()

    def signed(
        self, scheme: int, as_server: Optional[bool] = None
    ) -> messages.CertificateVerify:
        """A CertificateVerify over the transcript as it stands."""
        side = self.server if as_server is None else as_server
        data = keys.covered(self.schedule.hash, side)
        signature = keys.sign(self.identity.key, scheme, data)
        return messages.CertificateVerify(scheme, signature)

    def check_signature(self, body: bytes) -> None:
        """Check the other side's CertificateVerify."""
        found = messages.CertificateVerify.parse(body)
        data = keys.covered(self.schedule.hash, not self.server)
        keys.verify(self.peer_chain[0], found.scheme, found.signature, data)

    def check_finished(self, body: bytes, traffic: bytes) -> None:
        """Check the other side's Finished."""
        if body != self.schedule.verify_data(traffic):
            raise ForgeError("the peer's Finished is wrong")

    def check_chain(self, body: bytes) -> None:
        """Keep the other side's chain."""
        found = messages.Certificate.parse(body)
        self.peer_chain = [der for der, _ in found.entries]


class ForgeServer(Peer):
    """A server.

    Args:
        identity: chain_der and key, as `tests.pki.ca.Identity` has them.
        suite: cipher suite to choose; the client's first that we know.
        group: group whose share to take; the client's first share.
        retry: group to ask for in a HelloRetryRequest, which None avoids.
        cookie: put into a HelloRetryRequest.
        request: ask for a client certificate; schemes of its
            signature_algorithms.
        tickets: NewSessionTickets behind the client's Finished.
        psk: key of the first identity of the client, which is taken; the
            suite then is of SHA-256.
        extensions: of the EncryptedExtensions.
    """

    server = True

    def __init__(
        self,
        identity: Any,
        suite: Optional[int] = None,
        group: Optional[int] = None,
        retry: Optional[int] = None,
        cookie: bytes = b"",
        request: Optional[list[int]] = None,
        tickets: int = 0,
        psk: bytes = b"",
        extensions: Optional[messages.Extensions] = None,
    ) -> None:
        super().__init__()
        self.identity = identity
        self.psk = psk
        self.suite, self.group = suite, group
        self.retry, self.cookie = retry, cookie
        self.request, self.tickets = request, tickets
        self.extensions = list(extensions or [])
        self.hellos: list[messages.ClientHello] = []
        self.retried = False
        self.client_traffic = b""
        self._next: tuple[bytes, bytes] = (b"", b"")

    def handle(self, whole: bytes) -> None:
        """Take one whole handshake message."""
        kind, body = whole[0], whole[4:]
        if kind == messages.CLIENT_HELLO:
            self.hellos.append(messages.ClientHello.parse(body))
            self.schedule.add(whole)
            self._hello()
            return
        if not self.hellos or self.done:
            raise ForgeError(f"message {kind} is not expected")
        if kind == messages.CERTIFICATE:
            self.check_chain(body)
        elif kind == messages.CERTIFICATE_VERIFY:
            self.check_signature(body)
        elif kind == messages.FINISHED:
            self.check_finished(body, self.client_traffic)
            self._complete(whole)
            return
        else:
            raise ForgeError(f"message {kind} is not expected")
        self.schedule.add(whole)

    def _hello(self) -> None:
        hello = self.hellos[-1]
        suite = self.suite
        if suite is None:
            suite = next(
                s
                for s in hello.suites
                if s in keys.SUITES
                and (not self.psk or keys.SUITES[s].hash == "sha256")
            )
        self.schedule.suite = keys.SUITES[suite]
        if (self.retry is not None or self.cookie) and not self.retried:
            self._ask_again(hello, suite)
            return
        self._flight(hello, suite)

    def _ask_again(self, hello: messages.ClientHello, suite: int) -> None:
        self.retried = True
        self.schedule.fold()
        again = messages.ServerHello(
            random=messages.RETRY_RANDOM,
            session_id=hello.session_id,
            suite=suite,
            extensions=[(messages.SUPPORTED_VERSIONS, b"\x03\x04")],
        )
        if self.retry is not None:
            again.put(messages.KEY_SHARE, messages.u16(self.retry))
        if self.cookie:
            again.put(messages.COOKIE, messages.vec(2, self.cookie))
        self.emit("retry", again)
        self.flush()
        if hello.session_id:
            self.ccs()

    def _flight(self, hello: messages.ClientHello, suite: int) -> None:
        shares = dict(hello.shares())
        group = self.group if self.group is not None else self.retry
        if group is None:
            group = next(
                g for g in shares if g == keys.X25519 or g in keys.CURVES
            )
        public, secret = Share(group).answer(shares[group])
        answer = messages.ServerHello(
            session_id=hello.session_id,
            suite=suite,
            extensions=[
                (messages.SUPPORTED_VERSIONS, b"\x03\x04"),
                (
                    messages.KEY_SHARE,
                    messages.server_share(group, public),
                ),
            ],
        )
        if self.psk:
            answer.put(messages.PRE_SHARED_KEY, b"\0\0")
            self.schedule.psk = self.psk
        self.emit("server_hello", answer)
        self.flush()
        if hello.session_id and not self.retried:
            self.ccs()
        self._encrypted(secret)

    def _encrypted(self, secret: bytes) -> None:
        used = self.schedule.suite
        self.client_traffic, traffic = self.schedule.secrets(secret)
        self.sealer = Protection(used, traffic, "handshake")
        self.opener = Protection(used, self.client_traffic, "handshake")
        self.emit(
            "encrypted_extensions",
            messages.EncryptedExtensions(list(self.extensions)),
        )
        if self.request is not None:
            schemes = messages.vec(2, messages.u16s(self.request))
            self.emit(
                "certificate_request",
                messages.CertificateRequest(
                    b"", [(messages.SIGNATURE_ALGORITHMS, schemes)]
                ),
            )
        if self.psk:
            data = self.schedule.verify_data(traffic)
            self.emit("finished", messages.Finished(data))
            self.flush()
        else:
            self.authenticate(b"", traffic)
        self._next = self.schedule.application()
        self.sealer = Protection(used, self._next[1], "application")

    def _complete(self, whole: bytes) -> None:
        self.schedule.add(whole)
        used = self.schedule.suite
        self.opener = Protection(used, self._next[0], "application")
        self.done = True
        for i in range(self.tickets):
            self.emit("ticket", messages.NewSessionTicket(nonce=bytes([i])))
        self.flush()


class ForgeClient(Peer):
    """A client. `start` sends the ClientHello.

    Args:
        identity: for a CertificateRequest; None answers it with no
            certificate.
        host: server_name to send.
        suites, groups, schemes: what to offer.
        shares: groups to send shares of; the first of groups.
        session_id: legacy_session_id; b"" is no compatibility mode.
        extensions: more extensions of the ClientHello.
        psks: identity and key of each external PSK to offer; bound to
            SHA-256.
        modes: psk_key_exchange_modes that go with them.
        spoil: changes the binders before they go out.
    """

    server = False

    def __init__(
        self,
        identity: Any = None,
        host: Optional[bytes] = b"localhost",
        suites: Sequence[int] = (keys.AES_128, keys.AES_256, keys.CHACHA),
        groups: Sequence[int] = (keys.X25519, keys.P256, keys.P384),
        schemes: Sequence[int] = (
            0x0403,
            0x0503,
            0x0603,
            0x0807,
            0x0808,
            0x0804,
            0x0809,
        ),
        shares: Optional[Sequence[int]] = None,
        session_id: Optional[bytes] = None,
        extensions: Optional[messages.Extensions] = None,
        psks: Sequence[tuple[bytes, bytes]] = (),
        modes: bytes = b"\x01",
        spoil: Optional[Callable[[list[bytes]], list[bytes]]] = None,
    ) -> None:
        super().__init__()
        self.psks, self.spoil = list(psks), spoil
        self.identity = identity
        offered = list(groups[:1]) if shares is None else list(shares)
        self.shares = {group: Share(group) for group in offered}
        self.hello = messages.ClientHello(suites=list(suites))
        if session_id is not None:
            self.hello.session_id = session_id
        self._extend(host, list(groups), list(schemes))
        self.hello.extensions += extensions or []
        if psks:
            self.hello.put(messages.PSK_MODES, messages.vec(1, modes))
            self.put_psks(self.hello)
        self.answer: Optional[messages.ServerHello] = None
        self.retry: Optional[messages.ServerHello] = None
        self.encrypted: Optional[messages.EncryptedExtensions] = None
        self.request: Optional[messages.CertificateRequest] = None
        self.traffic = b""
        self.server_traffic = b""

    def _extend(
        self, host: Optional[bytes], groups: list[int], schemes: list[int]
    ) -> None:
        hello = self.hello
        if host is not None:
            hello.put(messages.SERVER_NAME, messages.server_name(host))
        hello.put(messages.SUPPORTED_VERSIONS, b"\x02\x03\x04")
        hello.put(
            messages.SUPPORTED_GROUPS,
            messages.vec(2, messages.u16s(groups)),
        )
        hello.put(
            messages.SIGNATURE_ALGORITHMS,
            messages.vec(2, messages.u16s(schemes)),
        )
        hello.put(
            messages.KEY_SHARE,
            messages.client_shares(
                [(group, s.public) for group, s in self.shares.items()]
            ),
        )

    def put_psks(self, hello: messages.ClientHello) -> None:
        """Put the offer of PSKs at the end of a hello, binders unmade."""
        offered = [messages.vec(2, name) + bytes(4) for name, _ in self.psks]
        hello.drop(messages.PRE_SHARED_KEY)
        hello.put(
            messages.PRE_SHARED_KEY,
            messages.vec(2, b"".join(offered))
            + messages.vec(2, messages.vec(1, bytes(32)) * len(self.psks)),
        )

    def as_sent(self, item: Any) -> Any:
        """A hello gets the binders over what it has become."""
        raw = bytes(item)
        if (
            not isinstance(item, messages.ClientHello)
            or not self.psks
            or not item.has(messages.PRE_SHARED_KEY)
        ):
            return raw
        cut = raw[: -(2 + 33 * len(self.psks))]
        self.schedule.suite = keys.SUITES[keys.AES_128]
        binder = self.schedule.external_binder
        made = [binder(key, cut) for _, key in self.psks]
        if self.spoil is not None:
            made = self.spoil(made)
        joined = b"".join(messages.vec(1, one) for one in made)
        return cut + messages.vec(2, joined)

    def start(self) -> None:
        """Send the ClientHello."""
        self.emit("client_hello", self.hello)
        self.flush()

    def handle(self, whole: bytes) -> None:
        """Take one whole handshake message."""
        kind, body = whole[0], whole[4:]
        if self.done:
            if kind != messages.NEW_SESSION_TICKET:
                raise ForgeError(f"message {kind} is not expected")
            return
        if kind == messages.SERVER_HELLO:
            self._hello(messages.ServerHello.parse(body), whole)
            return
        if self.opener is None:
            raise ForgeError(f"message {kind} is not expected")
        if kind == messages.ENCRYPTED_EXTENSIONS:
            self.encrypted = messages.EncryptedExtensions.parse(body)
        elif kind == messages.CERTIFICATE_REQUEST:
            self.request = messages.CertificateRequest.parse(body)
        elif kind == messages.CERTIFICATE:
            self.check_chain(body)
        elif kind == messages.CERTIFICATE_VERIFY:
            self.check_signature(body)
        elif kind == messages.FINISHED:
            self.check_finished(body, self.server_traffic)
            self._complete(whole)
            return
        else:
            raise ForgeError(f"message {kind} is not expected")
        self.schedule.add(whole)

    def _hello(self, answer: messages.ServerHello, whole: bytes) -> None:
        if answer.session_id != self.hello.session_id:
            raise ForgeError("the session id is not echoed")
        if answer.get(messages.SUPPORTED_VERSIONS) != b"\x03\x04":
            raise ForgeError("the server did not choose TLS 1.3")
        self.schedule.suite = keys.SUITES[answer.suite]
        if answer.random == messages.RETRY_RANDOM:
            self._again(answer, whole)
            return
        self.schedule.add(whole)
        self.answer = answer
        if answer.has(messages.PRE_SHARED_KEY) and self.psks:
            chosen = answer.get(messages.PRE_SHARED_KEY)
            self.schedule.psk = self.psks[int.from_bytes(chosen, "big")][1]
        secret = self._secret(answer)
        self.traffic, self.server_traffic = self.schedule.secrets(secret)
        used = self.schedule.suite
        self.opener = Protection(used, self.server_traffic, "handshake")
        self._protect(Protection(used, self.traffic, "handshake"))

    def _protect(self, protection: Protection) -> None:
        """Send under handshake keys from now on."""
        if self.hello.session_id and self.retry is None:
            self.ccs()
        self.sealer = protection

    def _secret(self, answer: messages.ServerHello) -> bytes:
        """The (EC)DHE secret; zeros in psk_ke (RFC 8446 7.1)."""
        if self.schedule.psk and not answer.has(messages.KEY_SHARE):
            return bytes(self.schedule.suite.length)
        r = messages.Reader(answer.get(messages.KEY_SHARE))
        group, public = r.number(2), r.vec(2)
        r.end()
        return self.shares[group].secret(public)

    def _again(self, retry: messages.ServerHello, whole: bytes) -> None:
        if self.retry is not None:
            raise ForgeError("a second HelloRetryRequest")
        self.retry = retry
        self.schedule.fold()
        self.schedule.add(whole)
        hello = copy.deepcopy(self.hello)
        if retry.has(messages.KEY_SHARE):
            group = int.from_bytes(retry.get(messages.KEY_SHARE), "big")
            self.shares = {group: Share(group)}
            hello.put(
                messages.KEY_SHARE,
                messages.client_shares([(group, self.shares[group].public)]),
            )
        if retry.has(messages.COOKIE):
            hello.put(messages.COOKIE, retry.get(messages.COOKIE))
        if self.psks:
            self.put_psks(hello)
        self.hello = hello
        if hello.session_id:
            self.ccs()
        self.emit("client_hello_2", hello)
        self.flush()

    def _complete(self, whole: bytes) -> None:
        self.schedule.add(whole)
        used = self.schedule.suite
        mine, theirs = self.schedule.application()
        self.opener = Protection(used, theirs, "application")
        if self.request is not None:
            self.authenticate(self.request.context, self.traffic)
        else:
            self.emit(
                "finished",
                messages.Finished(self.schedule.verify_data(self.traffic)),
            )
            self.flush()
        self.sealer = Protection(used, mine, "application")
        self.done = True


AnyPeer = Union[ForgeClient, ForgeServer]
