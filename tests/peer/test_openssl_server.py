"""Our client against `openssl s_server`."""

from __future__ import annotations

import contextlib
import re

import pytest

import pyssl as p
from tests.api import links
from tests.clauses import clause
from tests.peer import openssl_cli
from tests.peer.openssl_cli import Server, own_options, trust_options
from tests.peer.talk import (
    ALERT,
    GROUPS,
    SCHEMES,
    SUITES,
    client_end,
    other_root,
)
from tests.pki import ca

pytestmark = pytest.mark.skipif(
    not openssl_cli.FOUND, reason="the peer is not installed"
)


@contextlib.contextmanager
def talking(*options, **wishes):
    """Start a server that types lines, and connect our client to it."""
    server = Server(ca.leaf(), *options)
    with server, client_end(server.connect(), ca.leaf(), **wishes) as end:
        end.establish()
        yield server, end


@clause("HS-1", "HS-5", "HS-13", "RFC 8446 9.1", "RFC 8446 9.2")
@pytest.mark.parametrize("kind", ca.KINDS)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("suite", SUITES)
def test_client_offering_one_choice_agrees_on_it(servers, suite, group, kind):
    server = servers(ca.leaf(kind), "-rev")
    wishes = {"suites": suite, "groups": group}

    with client_end(server.connect(), ca.leaf(kind), **wishes) as end:
        end.establish()
        assert end.agreed == ("TLSv1.3", suite, group)
        assert end.scheme.startswith(SCHEMES[kind])
        assert p.SSL_get_verify_result(end.ssl) == p.X509_V_OK
        assert p.SSL_get0_peername(end.ssl) == "localhost"
        leaf = p.SSL_get_peer_certificate(end.ssl)
        assert leaf.der == ca.leaf(kind).cert_der
        end.write(b"stressed desserts\n")
        assert end.read_line() == b"stressed desserts\n"
        end.close()
        server.expect(f"Ciphersuite: {suite}$")
        server.expect("CONNECTION CLOSED")


@clause("HS-1", "CIPH-4")
def test_client_with_default_settings_gets_a_modern_choice(servers):
    server = servers(ca.leaf(), "-rev")

    with client_end(server.connect(), ca.leaf()) as end:
        end.establish()
        assert end.agreed == ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519")


# ---- certificates of the server -------------------------------------------


@clause("VFY-14", "CERT-6")
def test_client_with_an_intermediate_sees_the_chain_as_sent(servers):
    deep = ca.leaf(issuer=ca.intermediate("rsa"))
    server = servers(deep, "-rev")

    with client_end(server.connect(), deep) as end:
        end.establish()
        chain = p.SSL_get_peer_cert_chain(end.ssl)
        assert tuple(x.der for x in chain) == deep.chain_der


FAULTS = {
    "unknown-authority": (
        lambda: ca.leaf(issuer=other_root()),
        "localhost",
        p.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        p.SSL_AD_UNKNOWN_CA,
    ),
    "self-signed": (
        lambda: ca.leaf(self_signed=True),
        "localhost",
        p.X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
        p.SSL_AD_UNKNOWN_CA,
    ),
    "expired": (
        lambda: ca.leaf(expired=True),
        "localhost",
        p.X509_V_ERR_CERT_HAS_EXPIRED,
        p.SSL_AD_CERTIFICATE_EXPIRED,
    ),
    "not-yet-valid": (
        lambda: ca.leaf(not_yet_valid=True),
        "localhost",
        p.X509_V_ERR_CERT_NOT_YET_VALID,
        p.SSL_AD_BAD_CERTIFICATE,
    ),
    "bad-signature": (
        lambda: ca.leaf(bad_signature=True),
        "localhost",
        p.X509_V_ERR_CERT_SIGNATURE_FAILURE,
        p.SSL_AD_DECRYPT_ERROR,
    ),
    "purpose": (
        lambda: ca.leaf(eku=("client",)),
        "localhost",
        p.X509_V_ERR_INVALID_PURPOSE,
        p.SSL_AD_UNSUPPORTED_CERTIFICATE,
    ),
    "host": (
        ca.leaf,
        "other.test",
        p.X509_V_ERR_HOSTNAME_MISMATCH,
        p.SSL_AD_BAD_CERTIFICATE,
    ),
    "address": (
        ca.leaf,
        "127.0.0.2",
        p.X509_V_ERR_IP_ADDRESS_MISMATCH,
        p.SSL_AD_BAD_CERTIFICATE,
    ),
}


@clause("VFY-1", "VFY-11", "VFY-13", "VFY-16", "HS-18")
@pytest.mark.parametrize("fault", FAULTS)
def test_client_refusing_a_certificate_tells_the_server_why(servers, fault):
    make, host, result, alert = FAULTS[fault]
    server = servers(make(), "-rev")

    with client_end(server.connect(), ca.leaf(), host) as end:
        assert end.fail() == p.SSL_R_CERTIFICATE_VERIFY_FAILED
        assert p.SSL_get_verify_result(end.ssl) == result
        report = end.ssl.report()
        assert (report.alert_sent, report.failing_depth) == (alert, 0)
        server.expect(f"SSL alert number {alert}$")


@clause("VFY-5", "VFY-13")
@pytest.mark.parametrize("fault", FAULTS)
def test_client_without_verification_goes_on_and_knows_why_not(servers, fault):
    make, host, result, _ = FAULTS[fault]
    server = servers(make(), "-rev")

    with client_end(server.connect(), ca.leaf(), host) as end:
        p.SSL_set_verify(end.ssl, p.SSL_VERIFY_NONE, None)
        end.establish()
        assert p.SSL_get_verify_result(end.ssl) == result
        end.write(b"on\n")
        assert end.read_line() == b"no\n"


@clause("VFY-16", "VFY-13")
@pytest.mark.parametrize("serials", [(4711,), ()], ids=["named", "unnamed"])
def test_client_with_a_revocation_list_refuses_who_is_named(servers, serials):
    leaf = ca.leaf(serial=4711)
    server = servers(leaf, "-rev")
    crl_check = 0x4  # X509_V_FLAG_CRL_CHECK
    store = p.TrustStore()
    crl = ca.revocations(ca.authority(), serials)
    assert store.load_mem(ca.authority().cert_pem + crl) == 1
    assert store.set_flags(crl_check) == 1

    with client_end(server.connect(), None, store=store) as end:
        if not serials:
            end.establish()
            return
        assert end.fail() == p.SSL_R_CERTIFICATE_VERIFY_FAILED
        result = p.SSL_get_verify_result(end.ssl)
        assert result == p.X509_V_ERR_CERT_REVOKED
        server.expect(f"SSL alert number {p.SSL_AD_CERTIFICATE_REVOKED}$")


@clause("VFY-10")
@pytest.mark.parametrize("host", ["127.0.0.1", "LocalHost", None])
def test_client_asking_for_a_name_that_is_there_verifies(servers, host):
    server = servers(ca.leaf(), "-rev")

    with client_end(server.connect(), ca.leaf(), host) as end:
        end.establish()
        assert p.SSL_get_verify_result(end.ssl) == p.X509_V_OK


# ---- certificates of the client -------------------------------------------

MUST = ("-Verify", "3")
MAY = ("-verify", "3")


@clause("VFY-1", "RFC 8446 4.4.2", "RFC 8446 4.4.3")
@pytest.mark.parametrize("demand", [MUST, MAY], ids=["required", "optional"])
@pytest.mark.parametrize("kind", ca.KINDS)
def test_client_with_a_certificate_is_known_to_the_server(
    servers, kind, demand
):
    server = servers(
        ca.leaf(), "-rev", *demand, *trust_options(ca.authority())
    )
    own = ca.leaf(kind, names=(f"client-{kind}",), key_label="client")

    with client_end(server.connect(), ca.leaf(), own=own) as end:
        end.establish()
        end.write(b"abc\n")
        assert end.read_line() == b"cba\n"
        server.expect(f"Peer certificate: CN = client-{kind}$")


@clause("CERT-6")
def test_client_with_an_intermediate_sends_its_chain(servers):
    server = servers(ca.leaf(), "-rev", *MUST, *trust_options(ca.authority()))
    own = ca.leaf(
        names=("deep client",), issuer=ca.intermediate(), key_label="client"
    )

    with client_end(server.connect(), ca.leaf(), own=own) as end:
        end.establish()
        end.write(b"abc\n")
        assert end.read_line() == b"cba\n"
        server.expect("Peer certificate: CN = deep client$")


@clause("VFY-1", "RFC 8446 4.4.2", "without a certificate")
def test_client_without_an_optional_certificate_goes_on(servers):
    server = servers(ca.leaf(), "-rev", *MAY, *trust_options(ca.authority()))

    with client_end(server.connect(), ca.leaf()) as end:
        end.establish()
        end.write(b"abc\n")
        assert end.read_line() == b"cba\n"
        server.expect("No peer certificate$")


REFUSED = {
    "missing": (None, p.SSL_AD_CERTIFICATE_REQUIRED),
    "unknown-authority": (
        lambda: ca.leaf(issuer=other_root(), key_label="client"),
        p.SSL_AD_UNKNOWN_CA,
    ),
    "expired": (
        lambda: ca.leaf(expired=True, key_label="client"),
        p.SSL_AD_CERTIFICATE_EXPIRED,
    ),
    "purpose": (
        lambda: ca.leaf(eku=("server",), key_label="client"),
        p.SSL_AD_UNSUPPORTED_CERTIFICATE,
    ),
}


@clause("HS-13", "HS-15", "HS-22", "RW-10", "RW-33", "ERR-20")
@pytest.mark.parametrize("fault", REFUSED)
def test_client_that_is_refused_learns_it_in_its_first_read(servers, fault):
    make, alert = REFUSED[fault]
    server = servers(ca.leaf(), "-rev", *MUST, *trust_options(ca.authority()))
    own = None if make is None else make()

    with client_end(server.connect(), ca.leaf(), own=own) as end:
        end.establish()
        assert end.read_end() == (-1, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [ALERT + alert]
        assert end.ssl.report().alert_received == alert
        assert end.read_end() == (-1, p.SSL_ERROR_SYSCALL)
        assert end.handshake() == (-1, p.SSL_ERROR_SYSCALL)
        server.expect("CONNECTION FAILURE")


@clause("CCA-2")
def test_client_sees_the_authorities_that_the_server_names(servers):
    server = servers(ca.leaf(), "-rev", *MAY, *trust_options(ca.authority()))

    with client_end(server.connect(), ca.leaf()) as end:
        end.establish()
        subject = ca.authority().cert.subject.public_bytes()
        assert p.SSL_get_client_CA_list(end.ssl) == [subject]


# ---- negotiation ----------------------------------------------------------

CLIENT_HELLO = r"<<< TLS 1.3, Handshake \[length \w+\], ClientHello$"


@clause("HS-26", "CIPH-4", "RFC 8446 4.1.4", "RFC 8446 4.2.8")
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("X25519:P-384", "P-384"),
        ("P-256:X25519", "X25519"),
        ("P-384:P-521", "P-521"),
        ("P-521:X25519:P-256", "P-256"),
    ],
)
def test_client_guessing_the_wrong_group_is_asked_again(ours, theirs, suite):
    wishes = {"suites": suite, "groups": ours}
    with talking("-msg", "-groups", theirs, **wishes) as (server, end):
        assert end.agreed == ("TLSv1.3", suite, theirs)
        end.write(b"second try\n")
        server.expect("second try$")
        assert len(re.findall(CLIENT_HELLO, server.said, re.MULTILINE)) == 2


@clause("RFC 8446 4.2.2")
@pytest.mark.parametrize("groups", ["X25519", "P-256:P-384"])
def test_client_asked_to_repeat_a_cookie_does(groups):
    # In this mode the peer cannot bear a ChangeCipherSpec, not even its own
    # client's.
    compatible = p.SSL_OP_ENABLE_MIDDLEBOX_COMPAT
    server = Server(ca.leaf(), "-stateless", "-msg")
    with server, client_end(server.connect(), None, groups=groups) as end:
        assert p.SSL_clear_options(end.ssl, compatible) & compatible == 0
        end.establish()
        end.write(b"cookie eaten\n")
        server.expect("cookie eaten$")
        assert len(re.findall(CLIENT_HELLO, server.said, re.MULTILINE)) == 2


@clause("HS-15", "ERR-20", "CIPH-6", "RFC 8446 4.1.1")
@pytest.mark.parametrize(
    ("wishes", "options"),
    [
        ({"suites": SUITES[0]}, ("-ciphersuites", SUITES[2])),
        ({"groups": "P-256"}, ("-groups", "X25519")),
        ({"schemes": "ed25519"}, ()),
    ],
    ids=["suite", "group", "scheme"],
)
def test_client_with_nothing_in_common_hears_handshake_failure(
    servers, wishes, options
):
    server = servers(ca.leaf(), "-rev", *options)

    with client_end(server.connect(), ca.leaf(), **wishes) as end:
        assert end.fail() == ALERT + p.SSL_AD_HANDSHAKE_FAILURE
        server.expect("CONNECTION FAILURE")


@clause("HS-15", "VER-1", "RFC 8446 4.2.1")
def test_client_of_tls13_only_hears_protocol_version_from_tls12(servers):
    server = servers(ca.leaf(), "-rev", "-tls1_2")

    with client_end(server.connect(), ca.leaf()) as end:
        assert end.fail() == ALERT + p.SSL_AD_PROTOCOL_VERSION
        report = end.ssl.report()
        assert report.alert_received == p.SSL_AD_PROTOCOL_VERSION
        assert report.alert_sent is None
        assert report.own_offer.versions == ("TLSv1.3",)
        server.expect("CONNECTION FAILURE")


@clause("SNI-1", "RFC 6066 3")
@pytest.mark.parametrize(
    ("host", "subject"),
    [
        ("second.test", "CN=second.test"),
        ("localhost", "CN=localhost"),
        (None, "CN=localhost"),
    ],
)
def test_client_naming_a_server_gets_its_certificate(servers, host, subject):
    second = ca.leaf(names=("second.test",), key_label="second")
    options = ["-servername", "second.test", *own_options(second, True)]
    server = servers(ca.leaf(), "-rev", *options)

    with client_end(server.connect(), ca.leaf(), host) as end:
        end.establish()
        assert p.SSL_get_peer_certificate(end.ssl).subject == subject


@clause("ALPN-1", "ALPN-5", "RFC 7301 3.1")
@pytest.mark.parametrize(
    ("offer", "choice"),
    [
        ((b"h2", b"http/1.1"), b"http/1.1"),
        ((b"h2",), b"h2"),
        ((), b""),
    ],
)
def test_client_offering_protocols_gets_the_servers_choice(
    servers, offer, choice
):
    server = servers(ca.leaf(), "-rev", "-alpn", "http/1.1,h2")

    with client_end(server.connect(), ca.leaf(), alpn=offer) as end:
        end.establish()
        assert p.SSL_get0_alpn_selected(end.ssl) == choice


@clause("ALPN-2", "HS-15", "RFC 7301 3.2")
def test_client_offering_no_protocol_of_the_server_is_refused(servers):
    server = servers(ca.leaf(), "-rev", "-alpn", "http/1.1,h2")

    with client_end(server.connect(), ca.leaf(), alpn=(b"imap",)) as end:
        assert end.fail() == ALERT + p.SSL_AD_NO_APPLICATION_PROTOCOL
        server.expect("SSL_accept|CONNECTION FAILURE")


@clause("RFC 8446 5.4", "RFC 8446 D.4", "RFC 8446 4.6.1")
@pytest.mark.parametrize(
    "options",
    [
        ("-record_padding", "1024"),
        ("-no_middlebox",),
        ("-max_send_frag", "512"),
        ("-nbio",),
        ("-num_tickets", "0"),
        ("-num_tickets", "9"),
        ("-no_ticket",),
    ],
    ids="".join,
)
def test_client_of_a_server_with_other_habits_works_the_same(servers, options):
    server = servers(ca.leaf(issuer=ca.intermediate()), "-rev", *options)
    line = bytes(range(32, 127)) * 40

    with client_end(server.connect(), ca.leaf()) as end:
        end.establish()
        end.write(line + b"\n")
        assert end.read_line() == line[::-1] + b"\n"
        end.close()


@clause("PAD-2", "RFC 8446 5.4")
def test_server_reads_what_a_callback_has_padded(servers):
    server = servers(ca.leaf(issuer=ca.intermediate()), "-rev")
    line = bytes(range(32, 127)) * 40

    with client_end(server.connect(), ca.leaf()) as end:
        p.SSL_set_record_padding_callback(
            end.ssl, lambda _, kind, n, arg: kind * n % 5000
        )
        end.establish()
        for _ in range(3):
            end.write(line + b"\n")
            assert end.read_line() == line[::-1] + b"\n"
        end.close()


@clause("EKM-1", "RFC 8446 7.5")
@pytest.mark.parametrize("suite", SUITES)
def test_client_exports_the_same_bytes_as_the_server(servers, suite):
    options = ("-keymatexport", "EXPORTER-test", "-keymatexportlen", "48")
    server = servers(ca.leaf(), *options)

    with client_end(server.connect(), ca.leaf(), suites=suite) as end:
        end.establish()
        out = bytearray(48)
        answer = p.SSL_export_keying_material(end.ssl, out, "EXPORTER-test")
        assert answer == 1
        theirs = server.expect(r"Keying material: ([0-9A-F]+)$")[1]
        assert bytes.fromhex(theirs) == out


@clause("RFC 9266 2")
def test_client_has_the_servers_tls_exporter(servers):
    label = "EXPORTER-Channel-Binding"
    options = ("-keymatexport", label, "-keymatexportlen", "32")
    server = servers(ca.leaf(), *options)

    with client_end(server.connect(), ca.leaf()) as end:
        end.establish()
        theirs = server.expect(r"Keying material: ([0-9A-F]+)$")[1]
        assert bytes.fromhex(theirs) == end.ssl.get_channel_binding()


# ---- key updates ----------------------------------------------------------

IN = r"<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate$"
OUT = r">>> TLS 1.3, Handshake \[length 0005\], KeyUpdate$"


@clause("RW-29", "RW-12", "RFC 8446 4.6.3")
@pytest.mark.parametrize("suite", SUITES)
def test_client_follows_key_updates_of_the_server(suite):
    with talking("-msg", suites=suite) as (server, end):
        for line in (b"first\n", b"second\n"):
            server.send("k")  # not asking for ours
            server.expect(OUT)
            server.send(line[:-1])
            assert end.read_line() == line
        server.send("K")  # asking for ours
        server.expect(OUT)
        server.send("third")
        assert end.read_line() == b"third\n"
        end.write(b"fourth\n")
        server.expect(IN)
        server.expect("^fourth$")
        assert len(re.findall(IN, server.said, re.MULTILINE)) == 1


@clause("RW-29", "RFC 8446 4.6.3")
@pytest.mark.parametrize("suite", SUITES)
def test_client_updating_its_keys_is_followed_by_the_server(suite):
    with talking("-msg", suites=suite) as (server, end):
        for line in (b"first\n", b"second\n"):
            assert p.SSL_key_update(end.ssl, 0) == 1
            end.write(line)
            server.expect(IN)
            server.expect(line.decode().strip())
        assert p.SSL_key_update(end.ssl, 1) == 1
        end.write(b"third\n")
        server.expect(IN)
        server.expect("^third$")
        server.send("fourth")
        assert end.read_line() == b"fourth\n"
        server.expect(OUT)
        end.write(b"fifth\n")
        server.expect("^fifth$")


# ---- the end --------------------------------------------------------------


@clause("RW-6", "RW-7", "SD-5")
def test_client_sees_the_server_close_behind_its_data(servers):
    server = servers(ca.leaf(), "-rev")

    with client_end(server.connect(), ca.leaf()) as end:
        end.establish()
        end.write(b"last words\nCLOSE\n")
        assert end.read_line() == b"sdrow tsal\n"
        end.answer_close()


@clause("RW-8", "HS-24")
def test_client_of_a_server_that_dies_sees_a_cut():
    with talking() as (server, end):
        server.send("alive")
        assert end.read_line() == b"alive\n"
        server.kill()
        assert end.read_end() == (0, p.SSL_ERROR_SSL)
        assert links.ssl_reasons() == [p.SSL_R_UNEXPECTED_EOF_WHILE_READING]
        assert p.SSL_state_string(end.ssl) == "SSLERR"


@clause("SD-1", "SD-2", "SD-13")
def test_client_closing_first_can_read_until_the_server_closes(servers):
    server = servers(ca.leaf(), "-rev")

    with client_end(server.connect(), ca.leaf()) as end:
        end.establish()
        assert p.SSL_shutdown(end.ssl) == 0
        end.answer_close()
        server.expect("CONNECTION CLOSED")
