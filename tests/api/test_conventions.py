"""What holds for every function: CV-1, CV-4, CV-7, CV-10."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import pytest

import pyssl as p
from tests.api.links import (
    Answer,
    MemLink,
    PyLink,
    connected,
    make_contexts,
    make_ends,
    outcome,
    py_end,
    reasons,
)
from tests.clauses import clause
from tests.forge import ForgeClient, ForgeServer, messages as m
from tests.forge.victim import (
    CLEAR,
    Victim,
    client as forged_client,
    refused,
    server as forged_server,
)
from tests.pki import ca


class Oops(Exception):
    """What the callbacks raise."""


# ---- CV-1 -----------------------------------------------------------------


@clause("CV-1")
def test_every_function_is_a_method_too() -> None:
    renamed = {
        "SSL_state": "get_state",
        "SSL_get1_peer_certificate": "get_peer_certificate",
        "SSL_set1_curves": "set1_groups",
        "SSL_set1_curves_list": "set1_groups_list",
        "SSL_get_cipher": "get_cipher_name",
        "SSL_get0_certificate": "get_certificate",
        "SSL_get0_session": "get_session",
    }
    seen = 0
    for name in dir(p):
        function = getattr(p, name)
        if not name.startswith("SSL_") or not inspect.isfunction(function):
            continue
        parameters = list(inspect.signature(function).parameters)
        if not parameters or parameters[0] != "self":
            continue
        kind: Any = p.SSL
        prefix = "SSL_"
        if name.startswith("SSL_CTX_"):
            kind, prefix = p.SSL_CTX, "SSL_CTX_"
        elif name.startswith("SSL_CIPHER_"):
            kind, prefix = p.SSL_CIPHER, "SSL_CIPHER_"
        elif name.startswith("SSL_SESSION_"):
            kind, prefix = p.SSL_SESSION, "SSL_SESSION_"
        method = renamed.get(f"SSL_{name[len(prefix) :]}")
        assert hasattr(kind, method or name[len(prefix) :]), name
        seen += 1
    assert seen > 150


@clause("CV-1", "HS-17", "CV-9")
def test_all_values_of_a_failure_can_be_asked_for() -> None:
    ssl, py = py_end(False)

    def fail(b: p.BIO, _: object) -> int:
        p.BIO_clear_retry_flags(b)
        p.ERR_raise(77, 1)
        p.ERR_raise(2, 2)
        return -1

    p.BIO_meth_set_write(py.method, fail)
    ret = ssl.do_handshake()

    assert (ret, ssl.get_error(ret), ssl.want()) == (-1, 1, p.SSL_WRITING)
    assert isinstance(ssl.last_errno(), int)
    assert reasons() == [(77, 1), (2, 2)]


# ---- CV-4 -----------------------------------------------------------------

OLD = [0x0002, 0x0300, 0x0301, 0x0302, 0xFEFF, 0xFEFD]


@clause("CV-4")
def test_old_versions_have_constants_and_nothing_else() -> None:
    assert p.SSL3_VERSION == 0x0300
    assert p.TLS1_VERSION == 0x0301
    assert p.TLS1_1_VERSION == 0x0302
    assert p.DTLS1_VERSION == 0xFEFF
    assert p.DTLS1_2_VERSION == 0xFEFD
    for version in OLD:
        ctx = p.SSL_CTX(p.TLS_method())
        assert p.SSL_CTX_set_max_proto_version(ctx, version) == 0


@clause("CV-4", "HS-18")
@pytest.mark.parametrize("version", OLD)
def test_client_refuses_a_server_of_an_old_version(version: int) -> None:
    forge = ForgeServer(ca.leaf())

    def age(_: Any, hello: Any) -> None:
        hello.version = version
        hello.drop(m.SUPPORTED_VERSIONS)

    forge.on("server_hello", age)
    victim = forged_client(forge)

    refused(victim, victim.handshake(), 70, 258, CLEAR)


def old_hello(version: int, listed: bool) -> Victim:
    """Give a server that got the ClientHello of an old client."""
    forge = ForgeClient()

    def age(_: Any, hello: Any) -> None:
        hello.version = version
        if listed:
            hello.put(
                m.SUPPORTED_VERSIONS, b"\x02" + version.to_bytes(2, "big")
            )
        else:
            hello.drop(m.SUPPORTED_VERSIONS)

    forge.on("client_hello", age)
    # What is later than TLS 1.2 and has no list is TLS 1.2: not here.
    victim = forged_server(forge, version=p.TLS1_3_VERSION)
    forge.start()
    victim.deliver()
    return victim


@clause("CV-4", "HS-18")
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("version", OLD)
def test_server_refuses_a_client_of_an_old_version(
    version: int, listed: bool
) -> None:
    victim = old_hello(version, listed)

    refused(victim, victim.handshake(), 70, 258, CLEAR)


# ---- CV-7 -----------------------------------------------------------------


@clause("CV-7", "METH-8", "HS-17")
@pytest.mark.parametrize("operation", ["read", "write", "flush"])
def test_exception_of_a_bio_comes_out_and_the_call_may_be_repeated(
    operation: str,
) -> None:
    link = PyLink(*make_ends())
    link.client_py.tell(operation, Answer(error=Oops("first")))

    with pytest.raises(Oops, match="first"):
        p.SSL_do_handshake(link.client)
    assert p.SSL_get_error(link.client, -1) == 5
    assert reasons() == []
    link.established()
    data = b"data"
    if operation == "read":
        link.client_py.tell("read", Answer(error=Oops("second")))
        with pytest.raises(Oops, match="second"):
            p.SSL_read(link.client, bytearray(1))
    else:
        link.client_py.tell(operation, Answer(error=Oops("second")))
        with pytest.raises(Oops, match="second"):
            p.SSL_write(link.client, data)
        assert p.SSL_write(link.client, data) == 4
        link.move()
        assert p.SSL_read(link.server, bytearray(9)) == 4
    link.send(link.server, b"unharmed")


@clause("CV-7", "HS-18")
@pytest.mark.parametrize("answer", [Oops("oops"), "a text", None, 1.5])
@pytest.mark.parametrize("which", ["hello", "cert"])
def test_callback_that_fails_counts_as_its_failure_value(
    which: str, answer: Any
) -> None:
    client_ctx, server_ctx = make_contexts()

    def callback(*_: object) -> Any:
        if isinstance(answer, Oops):
            raise answer
        return answer

    if which == "hello":
        p.SSL_CTX_set_client_hello_cb(server_ctx, callback, None)
    else:
        p.SSL_CTX_set_cert_cb(server_ctx, callback, None)
    link = MemLink(*make_ends(client_ctx, server_ctx))
    p.SSL_do_handshake(link.client)
    link.move()

    raised = Oops if isinstance(answer, Oops) else TypeError
    with pytest.raises(raised):
        p.SSL_do_handshake(link.server)
    # The C work is done: the alert is out, the object is dead.
    assert p.SSL_state_string(link.server) == "SSLERR"
    assert reasons()[-1] == (20, 234 if which == "hello" else 377)
    link.move()
    assert outcome(link.client, p.SSL_do_handshake(link.client)) == (-1, 1)
    assert reasons() == [(20, 1080)]
    # It is raised once.
    assert p.SSL_do_handshake(link.server) == -1


@clause("CV-7", "KLOG-1")
def test_exception_of_the_key_log_does_not_disturb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client_ctx, server_ctx = make_contexts()
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)

    def log(ssl: p.SSL, line: str) -> None:
        raise Oops(line)

    p.SSL_CTX_set_keylog_callback(client_ctx, log)
    MemLink(*make_ends(client_ctx, server_ctx)).established()

    assert len(seen) >= 4
    assert all(isinstance(one.exc_value, Oops) for one in seen)


# ---- CV-10 ----------------------------------------------------------------


@clause("CV-10")
@pytest.mark.parametrize(
    "name",
    [
        "SSL_dup",
        "SSL_CTX_set_tlsext_use_srtp",
        "SSL_set_tlsext_use_srtp",
        "SSL_get_selected_srtp_profile",
        "SSL_CTX_set_srp_username",
        "SSL_CTX_SRP_CTX_init",
        "SSL_CTX_set_next_proto_select_cb",
        "SSL_CTX_set_next_protos_advertised_cb",
        "SSL_get0_next_proto_negotiated",
        "SSL_COMP_get_compression_methods",
        "SSL_get_current_compression",
        "SSL_waiting_for_async",
        "SSL_get_all_async_fds",
        "DTLS_method",
        "DTLS_client_method",
        "DTLS_server_method",
        "DTLSv1_listen",
        "SSLv23_method",
        "TLSv1_method",
        "TLSv1_2_method",
        "BIO_s_file",
        "BIO_new_file",
        "BIO_s_datagram",
        "BIO_new_dgram",
        "BIO_f_md",
        "BIO_f_cipher",
        "BIO_f_base64",
        "BIO_get_mem_ptr",
        "BIO_set_mem_buf",
        "BUF_MEM_new",
    ],
)
def test_what_is_out_of_scope_is_not_there(name: str) -> None:
    assert not hasattr(p, name)


@clause("CV-10", "CV-4")
def test_no_compression_is_agreed() -> None:
    link = connected()
    assert p.SSL_get_version(link.client) == "TLSv1.3"
    assert p.SSL_get_options(link.client) & p.SSL_OP_NO_COMPRESSION
