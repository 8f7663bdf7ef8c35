"""RFC 8446 4.6.2: authentication after the handshake, with a bent peer."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.forge import bend, keys, messages as m
from tests.forge.peer import ForgeClient, ForgeServer
from tests.forge.victim import (
    APPLICATION,
    DECODE,
    DECRYPT,
    ILLEGAL,
    MISSING,
    UNEXPECTED,
    UNSUPPORTED,
    Victim,
    client,
    refused,
    server,
    works,
)
from tests.pki import ca

SERVER, CLIENT = ca.leaf(), ca.leaf(key_label="client")
SCHEMES = (m.SIGNATURE_ALGORITHMS, m.vec(2, m.u16s([0x0403, 0x0804, 0x0807])))
OFFER: m.Extensions = [(m.POST_HANDSHAKE_AUTH, b"")]


class Asker(ForgeServer):
    """A server that asks on the open connection."""

    def __init__(self, **how: Any) -> None:
        super().__init__(identity=SERVER, **how)
        self.base = b""
        self.asked: list[tuple[bytes, bytes]] = []
        self.answers: list[bool] = []

    def offered(self) -> bool:
        """Tell whether the client may be asked."""
        return self.hellos[-1].has(m.POST_HANDSHAKE_AUTH)

    def ask(
        self,
        context: bytes = b"one",
        extensions: Optional[m.Extensions] = None,
    ) -> None:
        """Send a CertificateRequest."""
        if not self.base:
            self.base = self.schedule.messages
        given = [SCHEMES] if extensions is None else extensions
        request = bytes(m.CertificateRequest(context, given))
        self.asked.append((context, request))
        self.send(request)
        self.flush()

    def handle(self, whole: bytes) -> None:
        """Check an answer as strictly as a handshake."""
        kind, body = whole[0], whole[4:]
        if not self.done:
            super().handle(whole)
            return
        if kind == m.CERTIFICATE:
            context, request = self.asked.pop(0)
            assert m.Certificate.parse(body).context == context
            self.schedule.messages = self.base + request
            self.check_chain(body)
        elif kind == m.CERTIFICATE_VERIFY:
            self.check_signature(body)
        else:
            assert kind == m.FINISHED
            assert self.opener is not None
            self.check_finished(body, self.opener.secret)
            self.answers.append(bool(self.peer_chain))
            return
        self.schedule.add(whole)


class Answerer(ForgeClient):
    """A client that is asked on the open connection."""

    def __init__(self, offer: bool = True, **how: Any) -> None:
        super().__init__(extensions=OFFER if offer else [], **how)
        self.requests: list[bytes] = []
        self.base = b""

    def handle(self, whole: bytes) -> None:
        """Keep requests; they are answered by `reply`."""
        if self.done and whole[0] == m.CERTIFICATE_REQUEST:
            if not self.base:
                self.base = self.schedule.messages
            self.requests.append(whole)
            return
        super().handle(whole)

    def reply(self, own: Optional[ca.Identity] = CLIENT) -> None:
        """Answer the last request."""
        request = self.requests[-1]
        self.identity = own
        self.schedule.messages = self.base + request
        context = m.CertificateRequest.parse(request[4:]).context
        assert self.sealer is not None
        self.done = False
        self.authenticate(context, self.sealer.secret)
        self.done = True


def asked(own: Optional[ca.Identity] = CLIENT, offer: bool = True) -> Victim:
    """Make a `pyssl` client that is established with an `Asker`."""

    def prepare(ssl: p.SSL) -> None:
        p.SSL_set_post_handshake_auth(ssl, int(offer))
        if own is not None:
            assert p.SSL_use_certificate_ASN1(ssl, own.cert_der) == 1
            assert p.SSL_use_PrivateKey_ASN1(0, ssl, own.key_der) == 1

    victim = client(Asker(), prepare)
    assert victim.handshake() == (1, 0), links.reasons()
    return victim


def asking(mode: int = p.SSL_VERIFY_PEER, **how: Any) -> Victim:
    """Make a `pyssl` server that has sent a request to an `Answerer`."""

    def prepare(ssl: p.SSL) -> None:
        p.SSL_set_verify(ssl, mode | p.SSL_VERIFY_POST_HANDSHAKE, None)

    forge = Answerer(**how)
    victim = server(forge, prepare, client_auth=True, client=CLIENT)
    forge.start()
    victim.deliver()
    assert victim.handshake() == (1, 0), links.reasons()
    assert p.SSL_verify_client_post_handshake(victim.ssl) == 1
    assert victim.peer.handshake() == (1, 0)
    victim.deliver()
    assert len(forge.requests) == 1
    return victim


# ---- the client ------------------------------------------------------------


@clause("RFC 8446 4.2.6", "RFC 8446 4.6.2")
@pytest.mark.parametrize("offer", [False, True])
def test_client_offers_it_if_it_is_switched_on(offer: bool) -> None:
    victim = asked(offer=offer)

    assert victim.forge.offered() == offer


@clause("RFC 8446 4.6.2", "RFC 8446 4.4.1", "RFC 8446 4.4.4")
@pytest.mark.parametrize("own", [CLIENT, None], ids=["own", "none"])
@pytest.mark.parametrize("context", [b"", b"x", b"c" * 255])
def test_client_answers_with_the_context(
    own: Optional[ca.Identity], context: bytes
) -> None:
    victim = asked(own)
    victim.forge.ask(context)
    victim.read()

    assert victim.forge.answers == [own is not None]
    victim.forge.ask(b"second")
    victim.forge.update()
    victim.forge.ask(b"third")
    victim.read()
    works(victim)


@clause("RFC 8446 4.6.2", "RFC 8446 4.6.3")
def test_client_answers_under_the_keys_that_it_has_then() -> None:
    victim = asked()
    victim.forge.update(request=1)
    victim.read()
    assert victim.peer.write(b"x") == (1, 0)
    victim.deliver()
    victim.forge.ask()
    victim.read()

    assert victim.forge.answers == [True]


@clause("RFC 8446 4.6.2", "RFC 8446 4.4.2.2", "RFC 8446 4.3.2")
def test_client_without_a_fitting_key_sends_no_certificate() -> None:
    victim = asked()
    only = [(m.SIGNATURE_ALGORITHMS, m.vec(2, m.u16s([0x0807])))]
    victim.forge.ask(extensions=only)
    victim.read()

    assert victim.forge.answers == [False]
    works(victim)


def twice(forge: Any) -> None:
    """Ask with the same context again."""
    forge.ask(b"same")
    forge.ask(b"other")
    forge.ask(b"same")


def flood(forge: Any) -> None:
    """Ask without end."""
    for i in range(40):
        forge.ask(b"%d" % i)


def request(*parts: bytes) -> Callable[[Any], None]:
    """Send a CertificateRequest with this body."""
    body = b"".join(parts)
    return lambda forge: forge.send(bytes(m.Raw(m.CERTIFICATE_REQUEST, body)))


def half_and_data(forge: Any) -> None:
    """Put data between the fragments of a request."""
    forge.record(22, bytes(m.CertificateRequest(b"x", [SCHEMES]))[:9])
    forge.write(b"data")


BAD_REQUESTS: list[tuple[str, Callable[[Any], Any], int, Optional[int]]] = [
    ("context reused", twice, ILLEGAL, 282),
    ("without end", flood, UNEXPECTED, 244),
    ("no schemes", lambda f: f.ask(extensions=[]), MISSING, 112),
    (
        "empty schemes",
        lambda f: f.ask(extensions=[(13, b"\0\0")]),
        DECODE,
        None,
    ),
    (
        "extension of another message",
        lambda f: f.ask(extensions=[SCHEMES, (m.KEY_SHARE, b"\0\x1d")]),
        ILLEGAL,
        110,
    ),
    (
        "extension twice",
        lambda f: f.ask(extensions=[SCHEMES, SCHEMES]),
        ILLEGAL,
        110,
    ),
    ("trailing byte", request(b"\1x", m.block([SCHEMES]), b"\0"), DECODE, 159),
    ("cut short", request(b"\1x\0"), DECODE, None),
    ("empty", request(b""), DECODE, None),
    ("too long", lambda f: f.record(22, b"\x0d\x03\0\0"), DECODE, 152),
    ("data within it", half_and_data, UNEXPECTED, 293),
    (
        "Certificate",
        lambda f: f.send(bytes(m.Certificate(b"", []))),
        UNEXPECTED,
        244,
    ),
    ("Finished", lambda f: f.send(bytes(m.Finished(b"1"))), UNEXPECTED, 244),
]


@clause("RFC 8446 4.6.2", "RFC 8446 4.3.2", "HS-18", "HS-22")
@pytest.mark.parametrize(
    ("how", "alert", "reason"),
    [pytest.param(*row[1:], id=row[0]) for row in BAD_REQUESTS],
)
def test_client_refuses_a_bad_request(
    how: Callable[[Any], Any], alert: int, reason: Optional[int]
) -> None:
    victim = asked()
    how(victim.forge)
    _, result = victim.read()

    refused(victim, result, alert, reason, APPLICATION)


@clause("RFC 8446 4.2.6", "RFC 8446 4.6.2")
def test_client_that_offered_nothing_refuses_a_request() -> None:
    victim = asked(offer=False)
    victim.forge.ask()
    _, result = victim.read()

    refused(victim, result, UNEXPECTED, 244, APPLICATION)


@clause("RFC 8446 4.6.2")
def test_contexts_are_forgotten_in_their_order() -> None:
    """Memory is bounded: of long contexts the last four are known."""
    victim = asked()
    for i in range(12):
        victim.forge.ask(bytes([i]) * 250)
        victim.forge.write(b"x")
        victim.read()
    victim.forge.ask(bytes([0]) * 250)
    victim.read()
    assert len(victim.forge.answers) == 13
    victim.forge.ask(bytes([11]) * 250)
    _, result = victim.read()

    refused(victim, result, ILLEGAL, 282, APPLICATION)


# ---- the server ------------------------------------------------------------


@clause("RFC 8446 4.6.2", "RFC 8446 4.4.1", "RFC 8446 4.4.4")
@pytest.mark.parametrize("own", [CLIENT, None], ids=["own", "none"])
def test_server_takes_an_answer(own: Optional[ca.Identity]) -> None:
    victim = asking()
    victim.forge.write(b"before")
    victim.forge.update()
    victim.forge.reply(own)
    data, _ = victim.read()

    assert data == b"before"
    found = p.SSL_get_peer_certificate(victim.ssl)
    assert (found.der if found else None) == (own.cert_der if own else None)
    works(victim)


@clause("RFC 8446 4.3.2", "RFC 8446 4.6.2")
def test_server_never_repeats_a_context() -> None:
    victim = asking()
    for _ in range(5):
        victim.forge.reply()
        victim.read()
        assert p.SSL_verify_client_post_handshake(victim.ssl) == 1
        assert victim.peer.handshake() == (1, 0)
        victim.deliver()
    requests = map(bytes, victim.forge.requests)
    contexts = {m.CertificateRequest.parse(r[4:]).context for r in requests}

    assert len(contexts) == 6
    assert all(len(context) == 32 for context in contexts)


def between(name: str) -> bend.Bend:
    """Put data before a message of the answer."""
    return lambda f: f.before(
        name, lambda peer: (peer.flush(), peer.write(b"x"))
    )


def key_update(forge: Any) -> None:
    """Change the keys within the answer."""

    def change(peer: Any) -> None:
        peer.flush()
        peer.send(bytes(m.KeyUpdate(0)))
        peer.flush()

    forge.before("finished", change)


def wrong_base(forge: Any) -> None:
    """Make the Finished with the handshake's key."""
    forge.on(
        "finished",
        lambda peer, _: [m.Finished(peer.schedule.verify_data(peer.traffic))],
    )


def old_transcript(forge: Any) -> None:
    """Sign as if the messages of the handshake alone counted."""

    def sign(peer: Any, _: Any) -> Any:
        kept = peer.schedule.messages
        peer.schedule.messages = peer.base
        signed = peer.signed(0x0403)
        peer.schedule.messages = kept
        return [signed]

    forge.on("certificate_verify", sign)


def bad_signature(forge: Any) -> None:
    """Sign something else."""
    data = keys.covered(b"\0" * 32, False)
    signature = keys.sign(CLIENT.key, 0x0403, data)
    forge.set("certificate_verify", signature=signature)


BAD_ANSWERS: list[tuple[str, bend.Bend, int, Optional[int]]] = [
    ("empty context", bend.fields("certificate", context=b""), ILLEGAL, None),
    (
        "wrong context",
        bend.fields("certificate", context=b"x" * 32),
        ILLEGAL,
        None,
    ),
    (
        "wrong Finished",
        bend.fields("finished", verify_data=bytes(32)),
        DECRYPT,
        149,
    ),
    ("Finished of the handshake", wrong_base, DECRYPT, 149),
    ("short Finished", bend.fields("finished", verify_data=b""), DECODE, None),
    ("signature of something else", bad_signature, DECRYPT, 123),
    ("signature of the handshake", old_transcript, DECRYPT, 123),
    (
        "scheme that was not offered",
        bend.fields("certificate_verify", scheme=0x0201),
        ILLEGAL,
        370,
    ),
    (
        "no CertificateVerify",
        bend.on("certificate_verify", lambda _: []),
        UNEXPECTED,
        244,
    ),
    ("Certificate twice", bend.twice("certificate"), UNEXPECTED, 244),
    (
        "no Finished",
        bend.swap("finished", m.CERTIFICATE_VERIFY, b""),
        UNEXPECTED,
        244,
    ),
    (
        "data before CertificateVerify",
        between("certificate_verify"),
        UNEXPECTED,
        244,
    ),
    ("data before Finished", between("finished"), UNEXPECTED, 244),
    ("KeyUpdate before Finished", key_update, UNEXPECTED, 244),
    (
        "dummy change_cipher_spec",
        bend.then_clear("finished", 20, b"\1"),
        UNEXPECTED,
        None,
    ),
    ("bytes behind Finished", bend.trailing("finished"), DECODE, None),
    (
        "extension not asked for",
        bend.on(
            "certificate",
            lambda c: [
                m.Certificate(
                    c.context, [(c.entries[0][0], [(5, b"\1\0\0\0")])]
                )
            ],
        ),
        UNSUPPORTED,
        217,
    ),
]


@clause("RFC 8446 4.6.2", "RFC 8446 4.4.2", "HS-18", "HS-22")
@pytest.mark.parametrize(
    ("how", "alert", "reason"),
    [pytest.param(*row[1:], id=row[0]) for row in BAD_ANSWERS],
)
def test_server_refuses_a_bad_answer(
    how: bend.Bend, alert: int, reason: Optional[int]
) -> None:
    victim = asking()
    how(victim.forge)
    victim.forge.reply()
    _, result = victim.read()

    refused(victim, result, alert, reason, APPLICATION)


@clause("RFC 8446 4.6.2", "RFC 8446 4.4.2.4")
def test_server_that_demands_one_refuses_none() -> None:
    demand = p.SSL_VERIFY_PEER | p.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    victim = asking(demand)
    victim.forge.reply(None)
    _, result = victim.read()

    refused(victim, result, 116, 199, APPLICATION)


@clause("RFC 8446 4.6.2")
@pytest.mark.parametrize("kind", [m.CERTIFICATE, m.CERTIFICATE_VERIFY, 20, 13])
def test_server_refuses_what_it_did_not_ask_for(kind: int) -> None:
    victim = asking()
    victim.forge.reply()
    victim.read()
    victim.forge.send(bytes(m.Raw(kind, b"\0\0\0\0")))
    victim.forge.flush()
    _, result = victim.read()

    refused(victim, result, UNEXPECTED, 244, APPLICATION)


@clause("RFC 8446 4.6.2")
def test_server_refuses_a_second_answer() -> None:
    victim = asking()
    victim.forge.reply()
    victim.read()
    victim.forge.reply()
    _, result = victim.read()

    refused(victim, result, UNEXPECTED, 244, APPLICATION)


@clause("RFC 8446 4.2.6", "RFC 8446 4.2")
def test_offer_must_be_empty() -> None:
    forge = Answerer(offer=False)
    forge.hello.extensions.append((m.POST_HANDSHAKE_AUTH, b"\0"))
    victim = server(forge)
    forge.start()
    victim.deliver()

    refused(victim, victim.handshake(), DECODE, None, "clear")
