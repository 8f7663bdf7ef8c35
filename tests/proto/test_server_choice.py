"""RFC 8446 4.1.1: what a server chooses of an offer, and whom it asks."""

from __future__ import annotations

from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause

AES128 = "TLS_AES_128_GCM_SHA256"
AES256 = "TLS_AES_256_GCM_SHA384"
CHACHA = "TLS_CHACHA20_POLY1305_SHA256"

OURS = p.SSL_OP_CIPHER_SERVER_PREFERENCE
FIRST = p.SSL_OP_PRIORITIZE_CHACHA

# Numbers of the curves in libcrypto's table of objects.
X25519, P256, P384 = 1034, 415, 715

WANT_READ = (-1, p.SSL_ERROR_WANT_READ)
FAILED = (-1, p.SSL_ERROR_SSL)


def make(
    client: Optional[str] = None,
    server: Optional[str] = None,
    groups: tuple[str, str] = ("", ""),
    options: int = 0,
    context: Optional[p.SSL_CTX] = None,
) -> links.MemLink:
    """Make a link with these lists of suites and of groups."""
    made = links.make_contexts()
    ends = links.make_ends(made[0], context or made[1])
    p.SSL_set_options(ends[1], options)
    for ssl, suites, names in zip(ends, (client, server), groups):
        if suites is not None:
            assert p.SSL_set_ciphersuites(ssl, suites) == 1
        if names:
            assert p.SSL_set1_groups_list(ssl, names) == 1
    return links.MemLink(*ends)


def suite_of(ssl: p.SSL) -> str:
    """Give the name of the suite in use."""
    return p.SSL_CIPHER_get_name(p.SSL_get_current_cipher(ssl))


def fault_of(ssl: p.SSL) -> int:
    """Handshake with an SSL that must fail; give the reason."""
    assert links.outcome(ssl, p.SSL_do_handshake(ssl)) == FAILED
    return links.ssl_reasons()[-1]


def fails(link: links.MemLink, reason: int, alert: int) -> None:
    """The server refuses the first hello, and the client is told."""
    assert p.SSL_do_handshake(link.client) == -1
    link.move()
    assert fault_of(link.server) == reason
    link.move()
    assert fault_of(link.client) == 1000 + alert


@clause("RFC 8446 4.1.1", "OPT-2")
@pytest.mark.parametrize(
    ("client", "server", "options", "chosen"),
    [
        ((AES256, AES128), (AES128, AES256), 0, AES256),
        ((AES128, AES256), (AES256, AES128), 0, AES128),
        ((AES256, AES128), (AES128, AES256), OURS, AES128),
        ((AES128, AES256, CHACHA), (CHACHA, AES256), 0, AES256),
        ((AES128, AES256, CHACHA), (CHACHA, AES256), OURS, CHACHA),
        ((CHACHA, AES128), (AES128, CHACHA), OURS, AES128),
        ((CHACHA, AES128), (AES128, CHACHA), OURS | FIRST, CHACHA),
        ((CHACHA, AES128), (AES128, AES256), OURS | FIRST, AES128),
        ((AES256, CHACHA), (AES256, CHACHA), OURS | FIRST, AES256),
        ((AES256, CHACHA), (CHACHA, AES256), OURS | FIRST, CHACHA),
        ((AES256, CHACHA), (CHACHA, AES256), FIRST, AES256),
    ],
)
def test_server_chooses_the_suite_by_the_order_its_options_name(
    client: tuple[str, ...],
    server: tuple[str, ...],
    options: int,
    chosen: str,
) -> None:
    link = make(":".join(client), ":".join(server), options=options)

    link.established()

    assert suite_of(link.client) == suite_of(link.server) == chosen


@clause("RFC 8446 4.1.1", "HS-18")
@pytest.mark.parametrize("options", [0, OURS, OURS | FIRST])
def test_server_without_a_common_suite_sends_handshake_failure(
    options: int,
) -> None:
    link = make(AES128, f"{AES256}:{CHACHA}", options=options)

    fails(link, p.SSL_R_NO_SHARED_CIPHER, 40)


@clause("RFC 8446 4.1.1", "RFC 8446 4.1.4", "RFC 8446 4.2.8", "HS-26")
@pytest.mark.parametrize(
    ("client", "server", "chosen", "retried"),
    [
        ("X25519:P-256", "P-256:X25519", X25519, False),
        ("P-256:X25519", "X25519:P-256", P256, False),
        ("X25519:P-384", "P-384", P384, True),
        ("X25519:P-256:P-384", "P-384:P-256", P384, True),
        ("X25519:P-521:P-256", "P-256:P-521", P256, True),
        ("P-521:X25519", "X25519", X25519, True),
    ],
)
def test_server_takes_a_share_it_has_or_asks_for_its_best_group(
    client: str, server: str, chosen: int, retried: bool
) -> None:
    link = make(groups=(client, server))

    results = link.handshake()

    turns = 2 if retried else 1
    assert results == [WANT_READ] * 2 * turns + [(1, 0)] * 2
    for ssl in (link.client, link.server):
        assert p.SSL_get_negotiated_group(ssl) == chosen
    link.send(link.client, b"there")
    link.send(link.server, b"back")


@clause("RFC 8446 4.1.1", "HS-18")
def test_server_without_a_common_group_sends_handshake_failure() -> None:
    link = make(groups=("X25519:P-256", "P-384:P-521"))

    fails(link, p.SSL_R_NO_SUITABLE_KEY_SHARE, 40)


class Callbacks:
    """Registers the four callbacks of a server and notes their calls."""

    def __init__(self, **results: Any) -> None:
        self.calls: list[str] = []
        self.results = results
        self.context = links.make_contexts()[1]
        p.SSL_CTX_set_client_hello_cb(self.context, self._hello, None)
        p.SSL_CTX_set_tlsext_servername_callback(self.context, self._name)
        p.SSL_CTX_set_cert_cb(self.context, self._cert, None)
        p.SSL_CTX_set_alpn_select_cb(self.context, self._alpn, None)

    def _result(self, who: str, usual: Any) -> Any:
        self.calls.append(who)
        planned = self.results.get(who, usual)
        return planned.pop(0) if isinstance(planned, list) else planned

    def _hello(self, _ssl: p.SSL, alert: list[int], _arg: Any) -> Any:
        alert[0] = p.SSL_AD_ACCESS_DENIED
        return self._result("hello", p.SSL_CLIENT_HELLO_SUCCESS)

    def _name(self, _ssl: p.SSL, alert: list[int], _arg: Any) -> Any:
        alert[0] = p.SSL_AD_ACCESS_DENIED
        return self._result("name", p.SSL_TLSEXT_ERR_OK)

    def _cert(self, _ssl: p.SSL, _arg: Any) -> Any:
        return self._result("cert", 1)

    def _alpn(self, _ssl: p.SSL, _offer: bytes, _arg: Any) -> Any:
        return self._result("alpn", (p.SSL_TLSEXT_ERR_OK, b"h2"))

    def link(self, **wishes: Any) -> links.MemLink:
        """Make a link with a client that offers protocols."""
        link = make(context=self.context, **wishes)
        assert p.SSL_set_alpn_protos(link.client, b"\x02h2\x02h3") == 0
        p.SSL_set_verify(link.client, p.SSL_VERIFY_NONE, None)
        return link


ALL = ["hello", "name", "cert", "alpn"]
# The name is asked for with each hello, the others once (SNI-3).
RETRIED = [*ALL, "name"]


def all_calls(groups: tuple[str, str]) -> list[str]:
    """Give the callbacks in order, with or without a retry."""
    return RETRIED if any(groups) else ALL


@clause("SNI-3", "SNI-9", "ALPN-2", "ALPN-5", "CERT-20")
@pytest.mark.parametrize(
    "groups", [("", ""), ("X25519:P-384", "P-384")], ids=["direct", "retry"]
)
def test_server_asks_the_callbacks_in_order(
    groups: tuple[str, str],
) -> None:
    said = Callbacks()
    link = said.link(groups=groups)

    link.established()

    assert said.calls == all_calls(groups)
    assert p.SSL_get0_alpn_selected(link.client) == b"h2"
    assert p.SSL_get0_alpn_selected(link.server) == b"h2"


@clause("HS-25", "GE-12", "GE-13")
@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("hello", p.SSL_ERROR_WANT_CLIENT_HELLO_CB),
        ("cert", p.SSL_ERROR_WANT_X509_LOOKUP),
    ],
)
@pytest.mark.parametrize(
    "groups", [("", ""), ("X25519:P-384", "P-384")], ids=["direct", "retry"]
)
def test_server_suspended_by_a_callback_asks_that_one_again(
    who: str, code: int, groups: tuple[str, str]
) -> None:
    said = Callbacks(**{who: [-1, -1, 1]})
    link = said.link(groups=groups)
    p.SSL_do_handshake(link.client)
    link.move()

    for _ in range(2):
        result = p.SSL_do_handshake(link.server)
        assert links.outcome(link.server, result) == (-1, code)
        assert link.move() == (0, 0)

    link.established()
    calls = all_calls(groups)
    at = ALL.index(who)
    assert said.calls == [*calls[:at], who, who, *calls[at:]]


@clause("SNI-3", "SNI-9", "ALPN-2", "HS-18")
@pytest.mark.parametrize(
    ("who", "result", "reason", "alert"),
    [
        ("hello", 0, p.SSL_R_CALLBACK_FAILED, p.SSL_AD_ACCESS_DENIED),
        ("name", 2, p.SSL_R_CALLBACK_FAILED, p.SSL_AD_ACCESS_DENIED),
        ("cert", 0, p.SSL_R_CERT_CB_ERROR, p.SSL_AD_INTERNAL_ERROR),
        (
            "alpn",
            (2, b""),
            p.SSL_R_NO_APPLICATION_PROTOCOL,
            p.SSL_AD_NO_APPLICATION_PROTOCOL,
        ),
    ],
)
def test_server_refused_by_a_callback_asks_no_further(
    who: str, result: Any, reason: int, alert: int
) -> None:
    said = Callbacks(**{who: result})
    link = said.link()

    fails(link, reason, alert)

    assert said.calls == ALL[: ALL.index(who) + 1]


@clause("SNI-3", "ALPN-2", "ALPN-5")
def test_server_told_to_leave_name_and_protocol_goes_on_without() -> None:
    said = Callbacks(name=3, alpn=(3, b""))
    link = said.link()

    link.established()

    assert said.calls == ALL
    assert p.SSL_get0_alpn_selected(link.client) == b""
    assert p.SSL_get0_alpn_selected(link.server) == b""


@clause("ALPN-3", "HS-18")
def test_client_given_a_protocol_it_did_not_offer_aborts() -> None:
    link = Callbacks(alpn=(0, b"spdy")).link()
    assert link.step() == (WANT_READ, WANT_READ)

    assert fault_of(link.client) == p.SSL_R_BAD_EXTENSION

    link.move()
    assert fault_of(link.server) == 1000 + p.SSL_AD_ILLEGAL_PARAMETER
