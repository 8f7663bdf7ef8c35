"""The C-named functions: contract section 0, and the calling convention."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pyssl as p
from pyssl import capi_bio, capi_hello, capi_ssl
from tests.api.links import (
    connected,
    make_ends,
    make_link,
    outcome,
    raw_client,
    reasons,
)
from tests.clauses import CONTRACT, ROOT, clause

FUNCTIONS = [
    (name, value)
    for module in (capi_ssl, capi_bio, capi_hello)
    for name, value in vars(module).items()
    if re.match(r"(SSL|BIO|X509)_", name) and inspect.isroutine(value)
]
KINDS = {
    "SSL_CTX_": p.SSL_CTX,
    "SSL_CIPHER_": p.SSL_CIPHER,
    "SSL_": p.SSL,
    "BIO_meth_": p.BIO_METHOD,
    "BIO_": p.BIO,
}

# Accept None: CV-2, BIO-21, BIO-25, BIO-28, CTX-1, and a cipher's name.
TAKE_NONE = {
    "BIO_free": 0,
    "BIO_vfree": None,
    "BIO_free_all": None,
    "BIO_pop": None,
    "BIO_next": None,
    "BIO_number_read": 0,
    "BIO_number_written": 0,
    "BIO_get_info_callback": (0, None),
    "BIO_meth_free": None,
    "SSL_free": None,
    "SSL_CTX_free": None,
    "SSL_CIPHER_get_name": "(NONE)",
}
# Their first argument is none of the objects, or they take None and more.
OTHERS = {
    "BIO_push",
    "BIO_ctrl",
    "BIO_set_info_callback",
    "SSL_CTX_new",
    "SSL_new",
    "SSL_CTX_get_ex_new_index",
    "SSL_get_ex_new_index",
    "BIO_get_ex_new_index",
    "SSL_CTX_use_PrivateKey_ASN1",
    "SSL_use_PrivateKey_ASN1",
    "SSL_load_client_CA_file",
}
METHODS = [
    (name, value)
    for name, value in FUNCTIONS
    if name not in TAKE_NONE and name not in OTHERS
]


def prefix_of(name: str) -> str:
    return next(one for one in KINDS if name.startswith(one))


@clause("CV-1")
def test_every_name_of_the_package_is_public_and_found_at_the_top() -> None:
    for name, value in FUNCTIONS:
        assert getattr(p, name) is value
        assert name in p.__all__
        assert inspect.getdoc(value)
    for name in ("SSL", "SSL_CTX", "BIO", "X509", "EVP_PKEY", "Report"):
        assert name in p.__all__
    assert p.__version__
    assert not [name for name in p.__all__ if name.startswith("_")]


@clause("CV-1")
def test_c_names_are_the_methods_of_their_objects() -> None:
    other_names = {
        "SSL_state": "get_state",
        "SSL_get_cipher": "get_cipher_name",
        "SSL_get1_peer_certificate": "get_peer_certificate",
        "SSL_CTX_get0_certificate": "get_certificate",
    }
    for name, value in METHODS:
        prefix = prefix_of(name)
        method = other_names.get(name, name[len(prefix) :])
        method = method.replace("set1_curves", "set1_groups")
        wanted = getattr(KINDS[prefix], method)
        assert inspect.unwrap(value) is wanted, name
        assert value.__name__ == name


def built() -> list[str]:
    """Names of functions that the contract's built sections speak of."""
    text = CONTRACT.read_text("utf-8")
    found: set[str] = set()
    for number in "124578":
        part = text[text.index(f"\n## {number}. ") :]
        part = part[: part.index("\n## ", 4)]
        found |= set(re.findall(r"`[a-z ]*\*?((?:SSL|ERR)_\w+)\(", part))
        found |= set(re.findall(r"\b(SSL_(?:get|set|in|is|want)_\w+)", part))
    return sorted(found - {"SSL_get_session", "SSL_set_session"})


@clause("CV-1")
@pytest.mark.parametrize("name", built())
def test_functions_of_the_built_sections_are_there(name: str) -> None:
    assert callable(getattr(p, name))


@clause("CV-10")
@pytest.mark.parametrize(
    "name",
    [
        "DTLS_method",
        "DTLSv1_2_method",
        "SSL_dup",
        "SSL_CTX_set_srp_username",
        "SSL_CTX_set_tlsext_use_srtp",
        "SSL_CTX_set_next_protos_advertised_cb",
        "SSL_COMP_add_compression_method",
        "SSL_waiting_for_async",
        "BIO_s_file",
        "BIO_s_datagram",
        "BIO_f_md",
        "BIO_f_cipher",
        "BIO_f_base64",
        "BIO_get_mem_ptr",
        "TLSv1_2_method",
    ],
)
def test_functions_out_of_scope_are_not_there(name: str) -> None:
    assert not hasattr(p, name)


@clause("CV-4", "CV-10")
def test_constants_out_of_scope_are_there() -> None:
    assert p.DTLS1_2_VERSION == 0xFEFD
    assert p.SSL_OP_NO_TLSv1 == 0x4000000
    assert p.SSL_ERROR_WANT_ASYNC == 9


@clause("CV-2")
@pytest.mark.parametrize("name", sorted(TAKE_NONE))
def test_functions_that_take_none_do_nothing(name: str) -> None:
    assert getattr(p, name)(None) == TAKE_NONE[name]
    assert reasons() == []


@clause("CV-2")
@pytest.mark.parametrize("wrong", [None, "text", 7])
@pytest.mark.parametrize(("name", "function"), METHODS)
def test_another_type_is_a_type_error(
    name: str, function: Any, wrong: Any
) -> None:
    with pytest.raises(TypeError, match=name):
        function(wrong)
    with pytest.raises(TypeError, match=name):
        function()
    assert reasons() == []


@clause("CV-2")
@pytest.mark.parametrize("name", sorted(set(TAKE_NONE) - {"BIO_meth_free"}))
def test_functions_that_take_none_take_nothing_else(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(p, name)("text")


@clause("CV-2")
def test_making_from_another_type_is_a_type_error() -> None:
    for make in (p.SSL_CTX_new, p.SSL_new):
        with pytest.raises(TypeError):
            make("TLS")  # type: ignore[arg-type]
    for use in (p.SSL_CTX_use_PrivateKey_ASN1, p.SSL_use_PrivateKey_ASN1):
        with pytest.raises(TypeError):
            use(0, None, b"")  # type: ignore[arg-type]
    for bio in (None, "text"):
        with pytest.raises(TypeError):
            p.BIO_push(bio, "tail")  # type: ignore[arg-type]
    assert p.BIO_push(None, None) is None
    assert p.BIO_ctrl(None, p.BIO_CTRL_PENDING) == 0
    assert p.BIO_set_info_callback(None, None) == 0
    ssl = make_link().client
    with pytest.raises(TypeError):
        p.SSL_set_bio(ssl, "bio", None)  # type: ignore[arg-type]


@clause("CV-2")
@pytest.mark.parametrize(
    "data",
    [b"data", bytearray(b"data"), memoryview(b"xdatax")[1:5]],
)
def test_any_contiguous_buffer_can_be_written(data: Any) -> None:
    link = connected()
    assert p.SSL_write(link.client, data) == 4
    link.move()
    buf = memoryview(bytearray(10))[2:8]
    assert p.SSL_read(link.server, buf) == 4
    assert bytes(buf) == b"data\0\0"


@clause("CV-2")
def test_buffers_of_a_wrong_kind_are_raised() -> None:
    ssl = connected().client
    for wrong in ("text", None, 7, memoryview(b"abcd")[::2]):
        with pytest.raises(TypeError):
            p.SSL_write(ssl, wrong)
    for wrong in (bytes(4), memoryview(b"abcd"), None, "text"):
        with pytest.raises(TypeError):
            p.SSL_read(ssl, wrong)
        with pytest.raises(TypeError):
            p.SSL_peek_ex(ssl, wrong)
    for call in (p.SSL_read, p.SSL_write):
        with pytest.raises(ValueError, match="5 bytes"):
            call(ssl, bytearray(4), 5)
    assert reasons() == []


@clause("CV-1", "RW-13", "RW-26")
def test_lengths_are_optional_and_out_parameters_are_returned() -> None:
    link = connected()
    assert p.SSL_write(link.client, b"abcdef", 4) == 4
    assert p.SSL_write_ex(link.client, b"xyz") == (1, 3)
    link.move()
    buf = bytearray(10)
    assert p.SSL_peek(link.server, buf, 2) == 2
    assert p.SSL_peek_ex(link.server, buf) == (1, 4)
    assert p.SSL_read(link.server, buf, 1) == 1
    assert p.SSL_read_ex(link.server, buf) == (1, 3)
    assert p.SSL_read_ex(link.server, buf, 2) == (1, 2)
    assert p.SSL_get0_alpn_selected(link.client) == b""
    first, second = p.BIO_new_bio_pair(10, 10)
    assert isinstance(first, p.BIO)
    assert isinstance(second, p.BIO)


@clause("RW-13", "RW-16", "RW-26", "HS-14")
def test_ex_forms_fail_alike_when_the_peer_closed_too_early() -> None:
    peer = raw_client()
    assert p.SSL_write_ex(peer.ssl, b"x") == (0, 0)
    assert p.SSL_get_error(peer.ssl, 0) == 2
    peer.feed("15 03 03 00 02 01 00")

    for _ in range(2):
        assert p.SSL_write_ex(peer.ssl, b"x") == (0, 0)
        assert p.SSL_get_error(peer.ssl, 0) == 6
        assert p.SSL_read_ex(peer.ssl, bytearray(1)) == (0, 0)
        assert p.SSL_get_error(peer.ssl, 0) == 6

    link = connected()
    assert p.SSL_write_ex(link.client, b"") == (1, 0)
    assert p.SSL_read_ex(link.client, bytearray(1)) == (0, 0)
    assert p.SSL_get_error(link.client, 0) == 2


@clause("CV-5", "GE-2")
def test_plain_functions_leave_older_entries_alone() -> None:
    link = connected()
    p.ERR_put_error(p.ERR_LIB_USER, 0, 1, "here", 1)

    assert outcome(link.client, p.SSL_write(link.client, b"x")) == (1, 0)
    buf = bytearray(1)
    assert outcome(link.client, p.SSL_read(link.client, buf)) == (-1, 1)
    assert reasons() == [(p.ERR_LIB_USER, 1)]
    assert outcome(link.client, p.SSL_read(link.client, buf)) == (-1, 2)


@clause("CV-6")
def test_dead_object_lives_again_after_clear() -> None:
    link = connected()
    link.end(link.client)
    ssl = link.client
    assert outcome(ssl, ssl.read(bytearray(1))) == (0, 1)
    assert reasons() == [(20, 294)]
    for call in (
        ssl.do_handshake,
        lambda: ssl.read(bytearray(1)),
        lambda: ssl.write(b"x"),
    ):
        assert outcome(ssl, call()) == (-1, 5)

    assert p.SSL_clear(ssl) == 1
    fresh = make_ends(ssl.get_SSL_CTX(), link.server.get_SSL_CTX())[1]
    link = type(link)(ssl, fresh)
    link.established()


@clause("CV-9", "HS-17")
def test_errno_of_a_transport_failure_can_be_asked_for_later() -> None:
    import errno
    import socket

    near, far = socket.socketpair()
    ssl = make_ends()[0]
    assert ssl.set_fd(near.fileno()) == 1
    far.close()
    with near:
        assert outcome(ssl, ssl.do_handshake()) == (-1, 5)
        with pytest.raises(FileNotFoundError):
            open("/no/such/file")  # noqa: SIM115 - its errno is another
        assert ssl.last_errno() == errno.EPIPE


def test_signatures_and_types_are_the_methods() -> None:
    for function in (p.SSL_read, p.SSL_peek):
        found = inspect.signature(function).parameters
        assert list(found) == ["self", "buf", "num"]
    assert (Path(p.__file__).parent / "py.typed").exists()


STAR = """
from pyssl import *
assert SSL_CTX_new(TLS_method()) is not None
assert SSL_ERROR_WANT_READ == 2
print([line for line in open("/proc/self/maps") if "libssl" in line])
"""


def test_libssl_is_not_loaded_and_star_import_works() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STAR],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"
