"""A TLS 1.2 client and a TLS 1.2 server that misbehave on demand.

ECDHE with the six AEAD suites, or with a PSK and three more (RFC 5489, RFC
8442), extended master secret, session ids and tickets, client
authentication. A test bends them as it bends the peers of
`tests.forge.peer`, which tells how.

Names of messages: client_hello, server_hello, certificate,
server_key_exchange, certificate_request, server_hello_done,
client_key_exchange, certificate_verify, ticket, ccs, finished. Keys change
behind `ccs` whatever a hook makes of it.

Alerts came under "clear" or "sealed".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
    rsa,
)

from tests.forge import keys, keys12, messages as m, messages12 as m12
from tests.forge.keys import ForgeError, Share
from tests.forge.keys12 import SEALED, Schedule12, Session12
from tests.forge.peer import APPLICATION_DATA, CCS, Peer, Record

SCHEMES = (
    *(0x0403, 0x0503, 0x0603, 0x0807, 0x0808),
    *(0x0804, 0x0805, 0x0806, 0x0809, 0x0401, 0x0501, 0x0601),
)


class Peer12(Peer):
    """What client and server have in common."""

    schedule: Schedule12

    def __init__(self, identity: Any) -> None:
        super().__init__()
        self.identity = identity
        self.schedule = Schedule12()
        self.sealer: Any = None
        self.opener: Any = None
        self.extended = False
        self.resumed = False
        self.mine: Any = None
        self.theirs: Any = None
        self.ticket = b""
        self.lifetime = 0
        self.session_id = b""
        self.schemes_offered: list[int] = []
        self.finished_sent = b""

    @property
    def session(self) -> Session12:
        """What this connection leaves behind."""
        return Session12(
            self.session_id,
            self.ticket,
            self.schedule.master,
            self.schedule.suite.number,
            self.extended,
        )

    # ---- records --------------------------------------------------------

    def emit(self, name: str, message: Any) -> None:
        """Send a message, or a change_cipher_spec."""
        if name == "ccs":
            self.flush()
        super().emit(name, message)

    def send(self, message: Any) -> None:
        """Send a whole message and keep it in the transcript."""
        if isinstance(message, m12.ChangeCipherSpec):
            self.flush()
            self.record(CCS, message.content)
            return
        super().send(message)

    def as_sent(self, item: Any) -> Any:
        """A change_cipher_spec is no handshake message."""
        if isinstance(item, m12.ChangeCipherSpec):
            return item
        return super().as_sent(item)

    def record(
        self, kind: int, data: bytes, padding: Optional[int] = None
    ) -> None:
        """Send one record, protected if keys are in force."""
        del padding
        if self.sealer is None:
            self.clear(kind, data)
        else:
            self.raw(self.sealer.seal(kind, data))

    def change(self) -> None:
        """Send change_cipher_spec and take the new keys."""
        self.emit("ccs", m12.ChangeCipherSpec())
        self.flush()
        self.sealer = self.mine

    def key(self) -> None:
        """Make the keys of both directions from the master secret."""
        client, server = self.schedule.protections()
        self.mine, self.theirs = client, server
        if self.server:
            self.mine, self.theirs = server, client

    def finish(self) -> None:
        """Send change_cipher_spec and Finished."""
        self.change()
        self.finished_sent = self.schedule.finished(self.server)
        self.emit("finished", m.Finished(self.finished_sent))
        self.flush()

    def _open(self, whole: bytes) -> None:
        kind, epoch, content = whole[0], "clear", whole[5:]
        if self.opener is not None:
            epoch = SEALED
            try:
                kind, content = self.opener.open(whole)
            except InvalidTag:
                raise ForgeError("a record that does not open") from None
        version = int.from_bytes(whole[1:3], "big")
        self.records.append(
            Record(whole[0], version, len(whole) - 5, kind, epoch)
        )
        if kind == APPLICATION_DATA and not self.done:
            raise ForgeError("application data in a handshake")
        if kind != CCS:
            self._dispatch(kind, content, epoch)
            return
        if content != b"\x01" or self.theirs is None or self._partial:
            raise ForgeError("a change_cipher_spec where none may be")
        self.opener, self.theirs = self.theirs, None

    def check_finished12(self, body: bytes) -> None:
        """Check the other side's Finished and the keys it came under."""
        if self.opener is None:
            raise ForgeError("Finished before change_cipher_spec")
        if body != self.schedule.finished(not self.server):
            raise ForgeError("the peer's Finished is wrong")

    # ---- signatures -----------------------------------------------------

    def scheme(self, offered: Sequence[int]) -> int:
        """The first scheme offered that the key can make."""
        key = self.identity.key
        pss_only = self.identity.kind == "rsapss"
        for one in offered:
            if one in (0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601):
                fit = isinstance(key, rsa.RSAPrivateKey) and not pss_only
            elif one in (0x0809, 0x080A, 0x080B):
                fit = pss_only
            elif one in (0x0403, 0x0503, 0x0603):
                fit = isinstance(key, ec.EllipticCurvePrivateKey)
            elif one == 0x0807:
                fit = isinstance(key, ed25519.Ed25519PrivateKey)
            else:
                fit = one == 0x0808 and isinstance(key, ed448.Ed448PrivateKey)
            if fit:
                return one
        raise ForgeError("no scheme fits the key")

    def verified(self, scheme: int, signature: bytes, data: bytes) -> None:
        """Check a signature of the other side."""
        if scheme not in self.schemes_offered:
            raise ForgeError(f"scheme {scheme:#06x} was not offered")
        keys.verify(self.peer_chain[0], scheme, signature, data, pkcs1=True)

    def chain12(self) -> m12.Certificate:
        """The own chain, or an empty one."""
        chain = self.identity.chain_der if self.identity else ()
        return m12.Certificate(list(chain))


class ForgeServer12(Peer12):
    """A server.

    Args:
        identity: chain_der and key, as `tests.pki.ca.Identity` has them.
        suite: cipher suite to choose; the client's first that fits.
        group: group of the ServerKeyExchange; the client's first.
        scheme: signature scheme; the client's first that fits the key.
        extended: take extended_master_secret if it is offered.
        secure: answer secure renegotiation.
        session_id: of a new session.
        tickets: send a NewSessionTicket if the client asks for tickets.
        request: ask for a client certificate with these schemes; with a
            PSK none may (RFC 4279 2).
        resume: session to resume, if the client comes with it.
        extensions: more of the ServerHello.
        psks: keys by their identities; with any, a suite with a PSK is
            chosen unless `suite` is another.
        hint: of the ServerKeyExchange with a PSK.
    """

    server = True

    def __init__(
        self,
        identity: Any,
        suite: Optional[int] = None,
        group: Optional[int] = None,
        scheme: Optional[int] = None,
        extended: bool = True,
        secure: bool = True,
        session_id: bytes = b"",
        tickets: bool = False,
        request: Optional[list[int]] = None,
        resume: Optional[Session12] = None,
        extensions: Optional[m.Extensions] = None,
        psks: Optional[dict[bytes, bytes]] = None,
        hint: bytes = b"",
    ) -> None:
        super().__init__(identity)
        self.suite, self.group, self.wanted = suite, group, scheme
        self.psks, self.hint = psks or {}, hint
        self.client_identity: Optional[bytes] = None
        self.allows, self.secure = extended, secure
        self.session_id, self.tickets = session_id, tickets
        self.request, self.resume = request, resume
        self.extensions = list(extensions or [])
        self.hello = m.ClientHello()
        self.share: Optional[Share] = None
        self.announced = False

    def handle(self, whole: bytes) -> None:
        """Take one whole handshake message."""
        kind, body = whole[0], whole[4:]
        order = {
            m.CLIENT_HELLO: not self.schedule.messages,
            m.CERTIFICATE: self.request is not None and self.share,
            m.CLIENT_KEY_EXCHANGE: self.share is not None,
            m.CERTIFICATE_VERIFY: bool(self.peer_chain),
            m.FINISHED: self.opener is not None,
        }
        if self.done or not order.get(kind):
            raise ForgeError(f"message {kind} is not expected")
        if kind == m.CERTIFICATE_VERIFY:
            found = m.CertificateVerify.parse(body)
            data = self.schedule.messages
            self.verified(found.scheme, found.signature, data)
        elif kind == m.FINISHED:
            self.check_finished12(body)
        self.schedule.add(whole)
        if kind == m.CLIENT_HELLO:
            self._hello(m.ClientHello.parse(body))
        elif kind == m.CERTIFICATE:
            self.peer_chain = m12.Certificate.parse(body).chain
        elif kind == m.CLIENT_KEY_EXCHANGE:
            self._exchanged(body)
        elif kind == m.FINISHED and self.resumed:
            self.done = True
        elif kind == m.FINISHED:
            self._ticket()
            self.finish()
            self.done = True

    # ---- the first flight -----------------------------------------------

    def _hello(self, hello: m.ClientHello) -> None:
        self.hello = hello
        groups = m.numbers(hello.get(m.SUPPORTED_GROUPS)[2:])
        self.schemes_offered = list(SCHEMES)
        self.schedule.client_random = hello.random
        self.extended = self.allows and hello.has(m12.EXTENDED_MASTER_SECRET)
        self.resumed = self._known(hello)
        suite = self.suite
        if self.resumed and self.resume is not None:
            suite, self.extended = self.resume.suite, self.resume.extended
        if suite is None:
            suite = next(one for one in hello.suites if self._serves(one))
        self.schedule.suite = keys12.ALL_SUITES[suite]
        self._answer(hello, suite)
        if self.resumed and self.resume is not None:
            self.schedule.master = self.resume.master
            self.key()
            self._ticket()
            self.finish()
            return
        if self.group is None:
            self.group = next(g for g in groups if g in keys12.GROUPS)
        self._present(self.group)

    def _serves(self, suite: int) -> bool:
        if self.psks:
            return suite in keys12.PSK_SUITES
        return suite in keys12.SUITES and keys12.fits(suite, self.identity.key)

    def _known(self, hello: m.ClientHello) -> bool:
        if self.resume is None:
            return False
        if self.resume.ticket:
            return (
                hello.has(m.SESSION_TICKET)
                and hello.get(m.SESSION_TICKET) == self.resume.ticket
            )
        return hello.session_id == self.resume.id

    def _answer(self, hello: m.ClientHello, suite: int) -> None:
        answer = m.ServerHello(session_id=self.session_id, suite=suite)
        if self.resumed:
            answer.session_id = self.session_id = hello.session_id
        if self.secure and (
            hello.has(m12.RENEGOTIATION_INFO)
            or keys12.RENEGOTIATION_SCSV in hello.suites
        ):
            answer.put(m12.RENEGOTIATION_INFO, b"\0")
        if self.extended:
            answer.put(m12.EXTENDED_MASTER_SECRET, b"")
        if not self.resumed and hello.has(m12.POINT_FORMATS):
            answer.put(m12.POINT_FORMATS, b"\x01\0")
        if self.tickets and hello.has(m.SESSION_TICKET):
            self.announced = True
            answer.put(m.SESSION_TICKET, b"")
        answer.extensions += self.extensions
        self.schedule.server_random = answer.random
        self.emit("server_hello", answer)
        self.schedule.server_random = answer.random

    def _present(self, group: int) -> None:
        self.share = Share(group)
        public = self.share.public
        if self.schedule.suite.psk:
            self.emit(
                "server_key_exchange",
                m12.PskServerKeyExchange(
                    self.hint, group=group, public=public
                ),
            )
        else:
            self.emit("certificate", self.chain12())
            exchange = m12.ServerKeyExchange(group=group, public=public)
            self.emit("server_key_exchange", self.resign(exchange))
        if self.request is not None:
            self.emit(
                "certificate_request",
                m12.CertificateRequest(schemes=list(self.request)),
            )
        self.emit("server_hello_done", m12.ServerHelloDone())
        self.flush()

    def resign(
        self, exchange: m12.ServerKeyExchange, scheme: Optional[int] = None
    ) -> m12.ServerKeyExchange:
        """Sign a ServerKeyExchange as it stands (RFC 8422 5.4)."""
        offered = m.numbers(self.hello.get(m.SIGNATURE_ALGORITHMS)[2:])
        if scheme is None:
            scheme = self.wanted
        if scheme is None:
            scheme = self.scheme(offered)
        used = self.schedule
        data = used.client_random + used.server_random + exchange.params()
        exchange.scheme = scheme
        exchange.signature = keys.sign(self.identity.key, scheme, data)
        return exchange

    # ---- the second -----------------------------------------------------

    def _exchanged(self, body: bytes) -> None:
        if not self.schedule.suite.psk:
            self._secret(m12.ClientKeyExchange.parse(body).public)
            return
        found = m12.PskClientKeyExchange.parse(body)
        self.client_identity = found.identity
        if found.identity not in self.psks:
            raise ForgeError("an identity that nobody knows")
        self._secret(found.public, self.psks[found.identity])

    def _secret(self, public: bytes, psk: Optional[bytes] = None) -> None:
        if self.share is None:
            raise ForgeError("no share of ours")
        premaster = self.share.secret(public)
        if psk is not None:
            premaster = keys12.psk_premaster(premaster, psk)
        self.schedule.derive(premaster, self.extended)
        self.key()
        self.share = None

    def _ticket(self) -> None:
        if self.announced:
            ticket = m12.NewSessionTicket(ticket=keys.random_bytes(40))
            self.ticket = ticket.ticket
            self.emit("ticket", ticket)


class ForgeClient12(Peer12):
    """A client. `start` sends the ClientHello.

    Args:
        identity: for a CertificateRequest; None answers it with no
            certificate.
        host: server_name to send.
        suites, groups, schemes: what to offer; suites left out are those
            with a PSK if there is one, else those without.
        session_id: of the hello; that of the session where None.
        extended: offer extended_master_secret.
        secure: offer renegotiation_info.
        ticket: content of session_ticket; None is no extension.
        resume: session to come with.
        extensions: more of the ClientHello.
        psk: identity and key.
    """

    server = False

    def __init__(
        self,
        identity: Any = None,
        host: Optional[bytes] = b"localhost",
        suites: Optional[Sequence[int]] = None,
        groups: Sequence[int] = keys12.GROUPS,
        schemes: Sequence[int] = SCHEMES,
        session_id: Optional[bytes] = None,
        extended: bool = True,
        secure: bool = True,
        ticket: Optional[bytes] = None,
        resume: Optional[Session12] = None,
        extensions: Optional[m.Extensions] = None,
        psk: Optional[tuple[bytes, bytes]] = None,
    ) -> None:
        super().__init__(identity)
        self.resume, self.psk = resume, psk
        if suites is None:
            suites = list(keys12.PSK_SUITES if psk else keys12.SUITES)
        self.groups = list(groups)
        self.schemes_offered = list(schemes)
        if resume is not None and resume.ticket:
            ticket = resume.ticket
        if session_id is None and resume is not None:
            made = keys.random_bytes(32) if resume.ticket else resume.id
            session_id = made
        self.hello = m.ClientHello(
            session_id=session_id or b"", suites=list(suites)
        )
        if host is not None:
            self.hello.put(m.SERVER_NAME, m.server_name(host))
        for kind, values in (
            (m.SUPPORTED_GROUPS, groups),
            (m.SIGNATURE_ALGORITHMS, schemes),
        ):
            self.hello.put(kind, m.vec(2, m.u16s(list(values))))
        self.hello.put(m12.POINT_FORMATS, b"\x01\0")
        if extended:
            self.hello.put(m12.EXTENDED_MASTER_SECRET, b"")
        if secure:
            self.hello.put(m12.RENEGOTIATION_INFO, b"\0")
        if ticket is not None:
            self.hello.put(m.SESSION_TICKET, ticket)
        self.hello.extensions += extensions or []
        self.answer: Optional[m.ServerHello] = None
        self.exchange: Union[
            m12.ServerKeyExchange, m12.PskServerKeyExchange, None
        ] = None
        self.request: Optional[m12.CertificateRequest] = None

    def start(self) -> None:
        """Send the ClientHello."""
        self.emit("client_hello", self.hello)
        self.flush()

    def _expected(self, kind: int) -> bool:
        fresh = self.answer is not None and not self.resumed
        psk, got = self.schedule.suite.psk, self.exchange is not None
        return {
            m.SERVER_HELLO: self.answer is None,
            m.CERTIFICATE: fresh and not self.peer_chain and not psk,
            m.SERVER_KEY_EXCHANGE: (fresh if psk else bool(self.peer_chain))
            and not got,
            m.CERTIFICATE_REQUEST: got and not psk and not self.request,
            m.SERVER_HELLO_DONE: got,
            m.NEW_SESSION_TICKET: self.answer is not None
            and self.answer.has(m.SESSION_TICKET)
            and self.theirs is not None,
            m.FINISHED: self.opener is not None,
        }.get(kind, False)

    def handle(self, whole: bytes) -> None:
        """Take one whole handshake message."""
        kind, body = whole[0], whole[4:]
        if self.done or not self._expected(kind):
            raise ForgeError(f"message {kind} is not expected")
        if kind == m.FINISHED:
            self.check_finished12(body)
        self.schedule.add(whole)
        if kind == m.SERVER_HELLO:
            self._answered(m12.server_hello(body))
        elif kind == m.CERTIFICATE:
            self.peer_chain = m12.Certificate.parse(body).chain
        elif kind == m.SERVER_KEY_EXCHANGE:
            self._exchanged(body)
        elif kind == m.CERTIFICATE_REQUEST:
            self.request = m12.CertificateRequest.parse(body)
        elif kind == m.SERVER_HELLO_DONE:
            if body:
                raise ForgeError("octets in ServerHelloDone")
            self._flight()
        elif kind == m.NEW_SESSION_TICKET:
            found = m12.NewSessionTicket.parse(body)
            self.ticket, self.lifetime = found.ticket, found.lifetime
        elif kind == m.FINISHED:
            if self.resumed:
                self.finish()
            self.done = True

    def _answered(self, answer: m.ServerHello) -> None:
        if answer.version != 0x0303 or answer.suite not in self.hello.suites:
            raise ForgeError("the server chose what was not offered")
        offered = {kind for kind, _ in self.hello.extensions}
        if keys12.RENEGOTIATION_SCSV in self.hello.suites:
            offered.add(m12.RENEGOTIATION_INFO)
        if {kind for kind, _ in answer.extensions} - offered:
            raise ForgeError("an answer to nothing")
        self.answer = answer
        self.schedule.suite = keys12.ALL_SUITES[answer.suite]
        self.schedule.client_random = self.hello.random
        self.schedule.server_random = answer.random
        self.extended = answer.has(m12.EXTENDED_MASTER_SECRET)
        self.session_id = answer.session_id
        known = self.resume is not None and answer.session_id
        self.resumed = bool(known) and (
            answer.session_id == self.hello.session_id
        )
        if self.resumed and self.resume is not None:
            if self.resume.extended != self.extended:
                raise ForgeError("another kind of master secret (RFC 7627)")
            self.ticket = self.resume.ticket
            self.schedule.master = self.resume.master
            self.key()

    def _exchanged(self, body: bytes) -> None:
        exchange: Union[m12.ServerKeyExchange, m12.PskServerKeyExchange]
        if self.schedule.suite.psk:
            exchange = m12.PskServerKeyExchange.parse(body)
        else:
            exchange = m12.ServerKeyExchange.parse(body)
        if exchange.curve_type != 3 or exchange.group not in self.groups:
            raise ForgeError("a curve that was not offered")
        self.exchange = exchange
        if isinstance(exchange, m12.PskServerKeyExchange):
            return
        used = self.schedule
        data = used.client_random + used.server_random + exchange.params()
        self.verified(exchange.scheme, exchange.signature, data)

    def _flight(self) -> None:
        if self.exchange is None:
            raise ForgeError("no share of the server")
        if self.request is not None:
            self.emit("certificate", self.chain12())
        share = Share(keys12.checked(self.exchange.group))
        premaster = share.secret(self.exchange.public)
        message: m.Message = m12.ClientKeyExchange(share.public)
        if self.schedule.suite.psk:
            if self.psk is None:
                raise ForgeError("no key for the suite")
            identity, psk = self.psk
            message = m12.PskClientKeyExchange(identity, share.public)
            premaster = keys12.psk_premaster(premaster, psk)
        self.emit("client_key_exchange", message)
        self.schedule.derive(premaster, self.extended)
        self.key()
        if self.request is not None and self.identity:
            scheme = self.scheme(self.request.schemes)
            self.emit("certificate_verify", self.signed12(scheme))
        self.finish()

    def signed12(self, scheme: int) -> m.CertificateVerify:
        """A CertificateVerify over the messages so far (RFC 5246 7.4.8)."""
        data = self.schedule.messages
        signature = keys.sign(self.identity.key, scheme, data)
        return m.CertificateVerify(scheme, signature)
