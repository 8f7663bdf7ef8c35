"""Our server against `openssl s_client`."""

from __future__ import annotations

import contextlib
import re

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer import openssl_cli
from tests.peer.openssl_cli import (
    Client,
    Listener,
    Server,
    own_options,
    trust_options,
)
from tests.peer.talk import (
    ALERT,
    GROUPS,
    OPTIONAL,
    REQUIRED,
    SUITES,
    other_root,
    server_end,
)
from tests.pki import ca

pytestmark = pytest.mark.skipif(
    not openssl_cli.FOUND, reason="the peer is not installed"
)

# The words of s_client for what was agreed.
GROUP_WORDS = {
    "X25519": "X25519, 253 bits",
    "P-256": "ECDH, prime256v1, 256 bits",
    "P-384": "ECDH, secp384r1, 384 bits",
    "P-521": "ECDH, secp521r1, 521 bits",
}
SIGNATURE_WORDS = {
    "rsa": "RSA-PSS",
    "rsapss": "RSA-PSS",
    "p256": "ECDSA",
    "p384": "ECDSA",
    "p521": "ECDSA",
    "ed25519": "[Ee]d25519",
    "ed448": "[Ee]d448",
}

NAME = ("-servername", "localhost", "-verify_hostname", "localhost")


@pytest.fixture(scope="module")
def listener():
    with Listener() as made:
        yield made


@contextlib.contextmanager
def talking(listener, *options, own=None, trust=None, **wishes):
    """Let s_client connect to our server; no handshake is done yet.

    Args:
        listener: Where the server listens.
        options: More of the command line.
        own: The server's identity.
        trust: Whose root the client trusts; the server's if left out.
        wishes: As `server_end`.
    """
    own = own or ca.leaf()
    trusted = trust_options(trust or own)
    client = Client(listener.port, *trusted, *NAME, *options)
    with client, server_end(listener.accept(), own, **wishes) as end:
        yield client, end


@clause("HS-1", "HS-5", "HS-13", "RFC 8446 9.1", "RFC 8446 9.2")
@pytest.mark.parametrize("kind", ca.KINDS)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("suite", SUITES)
def test_server_accepting_one_choice_agrees_on_it(
    listener, suite, group, kind
):
    wishes = {"own": ca.leaf(kind), "suites": suite, "groups": group}

    with talking(listener, "-brief", **wishes) as (client, end):
        end.establish()
        assert end.agreed == ("TLSv1.3", suite, group)
        client.expect("^Protocol version: TLSv1.3$")
        client.expect(f"^Ciphersuite: {suite}$")
        client.expect(f"^Signature type: {SIGNATURE_WORDS[kind]}$")
        client.expect("^Verification: OK$")
        client.expect("^Verified peername: localhost$")
        client.expect(f"^Server Temp Key: {GROUP_WORDS[group]}$")
        client.send("question")
        assert end.read_line() == b"question\n"
        end.write(b"answer\n")
        client.expect("^answer$")
        client.send("Q")
        end.answer_close()
        end.sock.close()
        assert client.wait() == 0


@clause("HS-35", "CIPH-3", "CIPH-4")
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("group", GROUPS)
def test_server_with_default_settings_takes_what_is_offered(
    listener, suite, group
):
    offer = ("-ciphersuites", suite, "-groups", group)

    with talking(listener, "-brief", *offer) as (client, end):
        end.establish()
        assert end.agreed == ("TLSv1.3", suite, group)
        client.expect(f"^Server Temp Key: {GROUP_WORDS[group]}$")


@clause("CERT-6")
def test_server_with_an_intermediate_sends_its_chain(listener):
    deep = ca.leaf("ed25519", issuer=ca.intermediate("p521"))

    with talking(listener, "-brief", own=deep) as (client, end):
        end.establish()
        client.expect("^Verification: OK$")


@clause("CERT-3", "RFC 8446 4.4.2.2")
@pytest.mark.parametrize(
    ("schemes", "kind"),
    [
        ("ECDSA+SHA256", "p256"),
        ("ECDSA+SHA384", "p384"),
        ("RSA-PSS+SHA256", "rsa"),
        ("ed25519", "ed25519"),
    ],
)
def test_server_with_many_keys_uses_the_one_that_the_client_can_check(
    listener, schemes, kind
):
    # The CA's signature must be acceptable, too; one slot a type of key.
    offer = schemes if kind == "p256" else f"{schemes}:ECDSA+SHA256"
    kinds = ("rsa", "ed25519", "p256" if kind == "p256" else "p384")

    options = ("-brief", "-sigalgs", offer)
    with talking(listener, *options) as (client, end):
        ctx = p.SSL_CTX_new(p.TLS_server_method())
        for one in kinds:
            links.use_identity(ctx, ca.leaf(one))
        ssl = p.SSL_new(ctx)
        p.SSL_set_accept_state(ssl)
        assert p.SSL_set_fd(ssl, end.sock.fileno()) == 1
        assert links.outcome(ssl, p.SSL_do_handshake(ssl)) == (1, 0)
        client.expect(f"^Signature type: {SIGNATURE_WORDS[kind]}$")
        assert p.SSL_get_certificate(ssl) is not None


# ---- certificates of the client -------------------------------------------


@clause("VFY-1", "VFY-13", "VFY-14", "RFC 8446 4.3.2", "RFC 8446 4.4.3")
@pytest.mark.parametrize("mode", [REQUIRED, OPTIONAL])
@pytest.mark.parametrize("kind", ca.KINDS)
def test_server_asking_for_a_certificate_knows_the_client(
    listener, kind, mode
):
    name = f"client-{kind}"
    theirs = ca.leaf(kind, names=(name,), key_label="client")
    asks = {"clients": ca.authority(), "mode": mode}

    options = ("-brief", *own_options(theirs))
    with talking(listener, *options, **asks) as (client, end):
        end.establish()
        leaf = p.SSL_get_peer_certificate(end.ssl)
        assert (leaf.der, leaf.subject) == (theirs.cert_der, f"CN={name}")
        assert p.SSL_get_verify_result(end.ssl) == p.X509_V_OK
        client.send("hello")
        assert end.read_line() == b"hello\n"


@clause("VFY-14")
def test_server_sees_the_clients_chain_without_its_leaf(listener):
    middle = ca.intermediate("p384")
    theirs = ca.leaf(issuer=middle, key_label="client")

    options = ("-brief", *own_options(theirs))
    asks = {"clients": ca.authority()}
    with talking(listener, *options, **asks) as (_, end):
        end.establish()
        chain = p.SSL_get_peer_cert_chain(end.ssl)
        assert [x.der for x in chain] == [middle.cert_der]


@clause("VFY-1", "VFY-13")
def test_server_taking_a_client_without_certificate_goes_on(listener):
    asks = {"clients": ca.authority(), "mode": OPTIONAL}

    with talking(listener, "-brief", **asks) as (client, end):
        end.establish()
        assert p.SSL_get_peer_certificate(end.ssl) is None
        assert p.SSL_get_verify_result(end.ssl) == p.X509_V_OK
        client.send("hello")
        assert end.read_line() == b"hello\n"


@clause("VFY-1", "HS-18", "HS-22")
def test_server_without_the_certificate_it_demands_says_so(listener):
    asks = {"clients": ca.authority(), "mode": REQUIRED}

    with talking(listener, **asks) as (client, end):
        assert end.fail() == p.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
        assert end.handshake() == (-1, p.SSL_ERROR_SYSCALL)
        alert = p.SSL_AD_CERTIFICATE_REQUIRED
        assert end.ssl.report().alert_sent == alert
        client.expect(f"SSL alert number {alert}$")


FAULTS = {
    "unknown-authority": (
        lambda: ca.leaf(issuer=other_root(), key_label="client"),
        p.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        p.SSL_AD_UNKNOWN_CA,
    ),
    "self-signed": (
        lambda: ca.leaf(self_signed=True, key_label="client"),
        p.X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
        p.SSL_AD_UNKNOWN_CA,
    ),
    "expired": (
        lambda: ca.leaf(expired=True, key_label="client"),
        p.X509_V_ERR_CERT_HAS_EXPIRED,
        p.SSL_AD_CERTIFICATE_EXPIRED,
    ),
    "not-yet-valid": (
        lambda: ca.leaf(not_yet_valid=True, key_label="client"),
        p.X509_V_ERR_CERT_NOT_YET_VALID,
        p.SSL_AD_BAD_CERTIFICATE,
    ),
    "purpose": (
        lambda: ca.leaf(eku=("server",), key_label="client"),
        p.X509_V_ERR_INVALID_PURPOSE,
        p.SSL_AD_UNSUPPORTED_CERTIFICATE,
    ),
}


@clause("VFY-1", "VFY-16", "HS-18")
@pytest.mark.parametrize("mode", [REQUIRED, OPTIONAL])
@pytest.mark.parametrize("fault", FAULTS)
def test_server_refusing_a_client_tells_it_why(listener, fault, mode):
    make, result, alert = FAULTS[fault]
    asks = {"clients": ca.authority(), "mode": mode}

    with talking(listener, *own_options(make()), **asks) as (client, end):
        assert end.fail() == p.SSL_R_CERTIFICATE_VERIFY_FAILED
        assert p.SSL_get_verify_result(end.ssl) == result
        assert end.ssl.report().alert_sent == alert
        client.expect(f"SSL alert number {alert}$")


@clause("CCA-1")
def test_server_names_the_authorities_it_was_told(listener):
    asks = {"clients": ca.authority(), "mode": OPTIONAL}

    with talking(listener, **asks) as (client, end):
        root = p.X509.from_pem(ca.authority().cert_pem)
        assert p.SSL_add_client_CA(end.ssl, root) == 1
        end.establish()
        client.expect("^Acceptable client certificate CA names$")
        client.expect("^CN = pyssl test root$")


# ---- negotiation ----------------------------------------------------------

CLIENT_HELLO = r">>> TLS 1.3, Handshake \[length \w+\], ClientHello$"


@clause("HS-26", "CIPH-4", "RFC 8446 4.1.4", "RFC 8446 4.2.8")
@pytest.mark.parametrize("compatible", [True, False])
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("X25519:P-384", "P-384"),
        ("P-256:X25519", "X25519"),
        ("P-384:P-521", "P-521"),
        ("P-521:X25519:P-256", "P-256"),
    ],
)
def test_server_given_the_wrong_share_asks_again(
    listener, theirs, ours, suite, compatible
):
    options = ["-msg", "-groups", theirs]
    if not compatible:
        options.append("-no_middlebox")
    wishes = {"groups": ours, "suites": suite}

    with talking(listener, *options, **wishes) as (client, end):
        end.establish()
        assert end.agreed == ("TLSv1.3", suite, ours)
        client.expect(f"^Server Temp Key: {GROUP_WORDS[ours]}$")
        client.expect(r"Verify return code: 0 \(ok\)")
        assert len(re.findall(CLIENT_HELLO, client.said, re.MULTILINE)) == 2


@clause("HS-18", "CIPH-6")
@pytest.mark.parametrize(
    ("wishes", "options", "reason"),
    [
        (
            {"suites": SUITES[0]},
            ("-ciphersuites", SUITES[2]),
            p.SSL_R_NO_SHARED_CIPHER,
        ),
        (
            {"groups": "P-256"},
            ("-groups", "X25519"),
            p.SSL_R_NO_SUITABLE_KEY_SHARE,
        ),
        (
            {},
            ("-sigalgs", "ed25519"),
            p.SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
        ),
    ],
    ids=["suite", "group", "scheme"],
)
def test_server_with_nothing_in_common_sends_handshake_failure(
    listener, wishes, options, reason
):
    tls13 = ("-tls1_3", *options)
    with talking(listener, *tls13, **wishes) as (client, end):
        assert end.fail() == reason
        client.expect(f"SSL alert number {p.SSL_AD_HANDSHAKE_FAILURE}$")


@clause("HS-18", "VER-1", "RFC 8446 4.2.1")
def test_server_of_tls13_only_refuses_a_client_of_tls12(listener):
    with talking(listener, "-tls1_2") as (client, end):
        assert end.fail() == p.SSL_R_UNSUPPORTED_PROTOCOL
        report = end.ssl.report()
        assert report.alert_sent == p.SSL_AD_PROTOCOL_VERSION
        client.expect(f"SSL alert number {p.SSL_AD_PROTOCOL_VERSION}$")


@clause("HS-15", "ERR-20")
def test_server_whose_certificate_is_refused_hears_why(listener):
    with talking(listener, trust=other_root()) as (client, end):
        assert end.handshake() == (-1, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [ALERT + p.SSL_AD_UNKNOWN_CA]
        report = end.ssl.report()
        assert report.alert_received == p.SSL_AD_UNKNOWN_CA
        assert report.alert_sent is None
        client.expect("verify error:num=20")


@clause("SNI-2", "SNI-3")
@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("-servername", "second.test"), "second.test"),
        (("-noservername",), None),
    ],
)
def test_server_learns_the_name_that_the_client_wants(listener, options, name):
    heard = []

    def choose(ssl, alert, arg):
        heard.append((p.SSL_get_servername(ssl), alert[0], arg))
        return p.SSL_TLSEXT_ERR_OK

    client = Client(listener.port, *trust_options(ca.leaf()), *options)
    with client, server_end(listener.accept(), ca.leaf()) as end:
        ctx = p.SSL_get_SSL_CTX(end.ssl)
        p.SSL_CTX_set_tlsext_servername_callback(ctx, choose)
        p.SSL_CTX_set_tlsext_servername_arg(ctx, "arg")
        end.establish()
        assert heard == [(name, p.SSL_AD_UNRECOGNIZED_NAME, "arg")]
        assert p.SSL_get_servername(end.ssl) == name


@clause("ALPN-2", "ALPN-5", "RFC 7301 3.2")
@pytest.mark.parametrize(
    ("ours", "choice"),
    [
        ((b"http/1.1", b"h2"), b"http/1.1"),
        ((b"imap", b"h2"), b"h2"),
    ],
)
def test_server_chooses_a_protocol(listener, ours, choice):
    offer = ("-alpn", "h2,http/1.1")

    with talking(listener, *offer, alpn_choice=ours) as (client, end):
        end.establish()
        assert p.SSL_get0_alpn_selected(end.ssl) == choice
        client.expect(f"^ALPN protocol: {choice.decode()}$")


@clause("ALPN-2", "RFC 7301 3.2")
def test_server_without_a_common_protocol_refuses(listener):
    offer = ("-alpn", "h2")

    with talking(listener, *offer, alpn_choice=(b"imap",)) as (client, end):
        assert end.fail() == p.SSL_R_NO_APPLICATION_PROTOCOL
        alert = p.SSL_AD_NO_APPLICATION_PROTOCOL
        client.expect(f"SSL alert number {alert}$")


@clause("ALPN-2")
def test_server_without_an_opinion_leaves_the_protocol_open(listener):
    with talking(listener, "-alpn", "h2") as (client, end):
        end.establish()
        assert p.SSL_get0_alpn_selected(end.ssl) == b""
        client.expect("^No ALPN negotiated$")


@clause("RFC 8446 5.4", "RFC 8446 D.4", "RFC 8446 4.2")
@pytest.mark.parametrize(
    "options",
    [
        ("-record_padding", "1024"),
        ("-no_middlebox",),
        ("-max_send_frag", "512"),
        ("-nbio",),
        ("-status",),
        ("-fallback_scsv",),
        ("-enable_pha",),
    ],
    ids="".join,
)
def test_server_of_a_client_with_other_habits_works_the_same(
    listener, options
):
    line = bytes(range(32, 127)) * 40

    with talking(listener, *options) as (client, end):
        end.establish()
        client.send(line)
        assert end.read_line() == line + b"\n"
        end.write(b"that is all\n")
        client.expect("that is all$")


@clause("PAD-2", "RFC 8446 5.4")
@pytest.mark.parametrize("suite", SUITES)
def test_client_reads_what_a_callback_has_padded(listener, suite):
    line = bytes(range(32, 127)) * 40
    options = ("-ciphersuites", suite)

    with talking(listener, *options) as (client, end):
        p.SSL_set_record_padding_callback(
            end.ssl, lambda _, kind, n, arg: kind * n % 5000
        )
        end.establish()
        client.send(line)
        assert end.read_line() == line + b"\n"
        end.write(b"that is all\n")
        client.expect("that is all$")


@clause("EKM-1", "RFC 8446 7.5")
@pytest.mark.parametrize("suite", SUITES)
def test_server_exports_the_same_bytes_as_the_client(listener, suite):
    options = ("-keymatexport", "EXPORTER-test", "-keymatexportlen", "48")

    with talking(listener, *options, suites=suite) as (client, end):
        end.establish()
        out = bytearray(48)
        answer = p.SSL_export_keying_material(end.ssl, out, "EXPORTER-test")
        assert answer == 1
        theirs = client.expect(r"Keying material: ([0-9A-F]+)$")[1]
        assert bytes.fromhex(theirs) == out


@clause("RFC 9266 2")
def test_server_has_the_clients_tls_exporter(listener):
    label = "EXPORTER-Channel-Binding"
    options = ("-keymatexport", label, "-keymatexportlen", "32")

    with talking(listener, *options) as (client, end):
        end.establish()
        theirs = client.expect(r"Keying material: ([0-9A-F]+)$")[1]
        assert bytes.fromhex(theirs) == end.ssl.get_channel_binding()


@pytest.fixture(scope="module")
def ticket(tmp_path_factory):
    """Give the file of a session of another server, with early data."""
    path = tmp_path_factory.mktemp("session") / "session.pem"
    with Server(ca.leaf(), "-early_data") as server:
        options = ("-sess_out", str(path), *trust_options(ca.leaf()), *NAME)
        with Client(server.port, *options) as client:
            server.send("behind the tickets")
            client.expect("^behind the tickets$")
    assert path.exists()
    return path


@clause("RFC 8446 4.2.11", "a ticket that we do not know")
@pytest.mark.parametrize("groups", [None, "P-384"])
def test_server_shown_a_foreign_ticket_does_a_full_handshake(
    listener, ticket, groups
):
    resume = ("-sess_in", str(ticket))

    with talking(listener, *resume, groups=groups) as (client, end):
        end.establish()
        client.expect("^New, TLSv1.3")
        client.send("hello")
        assert end.read_line() == b"hello\n"


@clause("RFC 8446 4.2.10", "early data that is not accepted")
@pytest.mark.parametrize("groups", [None, "P-384"])
@pytest.mark.parametrize("size", [1, 5000, 16384])
def test_server_sent_early_data_passes_over_it(
    listener, ticket, tmp_path, size, groups
):
    early = tmp_path / "early"
    early.write_bytes(b"e" * size)
    resume = ("-sess_in", str(ticket), "-early_data", str(early))

    with talking(listener, *resume, groups=groups) as (client, end):
        end.establish()
        client.expect("^Early data was rejected$")
        client.send("late")
        assert end.read_line() == b"late\n"
        end.write(b"answer\n")
        client.expect("^answer$")


# ---- key updates ----------------------------------------------------------

IN = r"<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate$"
OUT = r">>> TLS 1.3, Handshake \[length 0005\], KeyUpdate$"


@clause("RW-29", "RW-12", "RFC 8446 4.6.3")
@pytest.mark.parametrize("suite", SUITES)
def test_server_follows_key_updates_of_the_client(listener, suite):
    with talking(listener, "-msg", suites=suite) as (client, end):
        end.establish()
        client.expect("Verify return code")
        for line in (b"first\n", b"second\n"):
            client.send("k")  # not asking for ours
            client.expect("KEYUPDATE")
            client.send(line[:-1])
            assert end.read_line() == line
        client.send("K")  # asking for ours
        client.expect("KEYUPDATE")
        client.send("third")
        assert end.read_line() == b"third\n"
        end.write(b"fourth\n")
        client.expect("^fourth$")
        assert len(re.findall(OUT, client.said, re.MULTILINE)) == 3
        assert len(re.findall(IN, client.said, re.MULTILINE)) == 1


@clause("RW-29", "RFC 8446 4.6.3")
@pytest.mark.parametrize("suite", SUITES)
def test_server_updating_its_keys_is_followed_by_the_client(listener, suite):
    with talking(listener, "-msg", suites=suite) as (client, end):
        end.establish()
        for line in (b"first\n", b"second\n"):
            assert p.SSL_key_update(end.ssl, 0) == 1
            end.write(line)
            client.expect(IN)
            client.expect(line.decode().strip())
        assert p.SSL_key_update(end.ssl, 1) == 1
        end.write(b"third\n")
        client.expect(IN)
        client.expect("^third$")
        client.send("fourth")
        assert end.read_line() == b"fourth\n"
        client.expect(OUT)
        end.write(b"fifth\n")
        client.expect("^fifth$")


# ---- the end --------------------------------------------------------------


@clause("SD-1", "SD-2", "RW-6")
def test_server_closing_first_is_answered(listener):
    with talking(listener) as (client, end):
        end.establish()
        end.write(b"last words\n")
        end.close()
        end.sock.close()
        client.expect("^last words$")
        client.expect("closed$")
        assert client.wait() == 0


@clause("RW-8", "HS-24")
def test_server_of_a_client_that_dies_sees_a_cut(listener):
    with talking(listener, "-quiet") as (client, end):
        end.establish()
        client.send("alive")
        assert end.read_line() == b"alive\n"
        client.kill()
        assert end.read_end() == (0, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [p.SSL_R_UNEXPECTED_EOF_WHILE_READING]


@clause("HS-16")
def test_server_of_a_client_that_says_nothing_sees_a_cut(listener):
    with server_end(_gone(listener), ca.leaf()) as end:
        assert end.fail() == p.SSL_R_UNEXPECTED_EOF_WHILE_READING


def _gone(listener):
    """Give a connection whose client has left without a byte."""
    with openssl_cli.connect(listener.port):
        pass
    return listener.accept()
