"""What calls on a connection do to the error queue: ERR-4 to ERR-7."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

import pyssl as p
from pyssl import err
from tests.api import links
from tests.clauses import clause
from tests.pki import ca

ROOT = Path(__file__).resolve().parents[2]
STALE = 0x0A000086  # something an earlier call left


@clause("ERR-5")
def test_success_leaves_no_entry() -> None:
    link = links.connected(client_auth=True)
    link.send(link.client, b"there")
    link.send(link.server, b"and back")
    assert p.SSL_shutdown(link.client) == 0
    link.move()
    assert p.SSL_shutdown(link.server) in (0, 1)

    assert p.ERR_peek_error() == 0


@clause("ERR-5")
def test_retry_leaves_no_entry() -> None:
    link = links.make_link()

    for _ in range(3):
        ret = p.SSL_do_handshake(link.client)
        assert links.outcome(link.client, ret) == (-1, 2)
        assert p.ERR_peek_error() == 0


@clause("ERR-5")
@pytest.mark.parametrize(
    "call",
    [
        lambda ctx: p.SSL_CTX_use_certificate_chain_file(ctx, "/nonexistent"),
        lambda ctx: p.SSL_CTX_use_PrivateKey_file(ctx, "/nonexistent", 1),
        lambda ctx: p.SSL_CTX_use_certificate_file(ctx, "/nonexistent", 77),
        p.SSL_CTX_check_private_key,
        lambda ctx: p.SSL_CTX_load_verify_locations(ctx, "/nonexistent", None),
        lambda ctx: p.SSL_CTX_set_ciphersuites(ctx, "NOTHING-KNOWN"),
    ],
)
def test_setter_that_fails_leaves_an_entry(
    call: Callable[[p.SSL_CTX], int],
) -> None:
    ctx = p.SSL_CTX_new(p.TLS_method())

    assert call(ctx) == 0
    assert p.ERR_get_error() != 0


@clause("ERR-5", "ERR-6")
def test_fatal_failure_ends_with_the_reason_and_dead_calls_add_none() -> None:
    raw = links.make_link()
    p.SSL_do_handshake(raw.client)
    links.put(raw.client_in, b"GET / HTTP/1.0\r\n\r\n")

    ret = p.SSL_do_handshake(raw.client)
    assert links.outcome(raw.client, ret) == (-1, 1)
    codes = err.drain()
    assert codes
    assert p.ERR_GET_LIB(codes[-1]) == p.ERR_LIB_SSL

    assert p.SSL_do_handshake(raw.client) == -1
    assert p.ERR_peek_error() == 0


@clause("ERR-6")
def test_entries_of_libcrypto_precede_the_entry_of_ssl(tmp_path: Path) -> None:
    path = tmp_path / "bad.pem"
    path.write_bytes(
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    )
    ctx = p.SSL_CTX_new(p.TLS_method())

    assert p.SSL_CTX_use_certificate_file(ctx, str(path), 1) == 0

    libraries = [p.ERR_GET_LIB(code) for code in err.drain()]
    assert len(libraries) >= 2
    assert libraries[-1] == p.ERR_LIB_SSL
    assert p.ERR_LIB_SSL not in libraries[:-1]


@clause("ERR-4", "ERR-7")
@pytest.mark.parametrize(
    "call",
    [
        lambda ssl: p.SSL_read(ssl, bytearray(10)),
        lambda ssl: p.SSL_peek(ssl, bytearray(10)),
        lambda ssl: p.SSL_write(ssl, b"x"),
        p.SSL_pending,
        lambda ssl: p.SSL_get_error(ssl, -1),
        p.SSL_shutdown,
        p.SSL_do_handshake,
    ],
)
def test_call_on_an_established_connection_leaves_old_entries(
    call: Callable[[p.SSL], Any],
) -> None:
    link = links.connected()
    err.put_code(STALE)

    call(link.client)

    assert p.ERR_get_error() == STALE


@clause("ERR-4", "HS-4")
@pytest.mark.parametrize(
    "call", [p.SSL_do_handshake, p.SSL_connect, p.SSL_accept]
)
def test_handshake_call_with_work_to_do_empties_the_queue(
    call: Callable[[p.SSL], int],
) -> None:
    link = links.make_link()
    err.put_code(STALE)

    ret = call(link.client)

    assert links.outcome(link.client, ret) == (-1, 2)
    assert p.ERR_peek_error() == 0


@clause("ERR-7")
def test_entries_of_one_thread_do_not_disturb_another() -> None:
    link = links.connected()
    err.put_code(STALE)
    seen: list[tuple[int, int]] = []

    def other() -> None:
        ret = p.SSL_read(link.client, bytearray(10))
        seen.append(links.outcome(link.client, ret))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()

    assert seen == [(-1, 2)]
    assert err.drain() == [STALE]


def test_example_of_the_readme_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    theirs = ca.leaf(names=("example.org",))
    (tmp_path / "ca.pem").write_bytes(theirs.ca_pem)
    monkeypatch.chdir(tmp_path)
    ctx = p.SSL_CTX_new(p.TLS_server_method())
    links.use_identity(ctx, theirs)
    server = p.SSL_new(ctx)
    p.SSL_set_accept_state(server)
    inbound, outbound = p.BIO_new(p.BIO_s_mem()), p.BIO_new(p.BIO_s_mem())
    p.SSL_set_bio(server, inbound, outbound)

    def send(data: bytes) -> None:
        links.put(inbound, bytes(data))
        p.SSL_do_handshake(server)

    names = {"send": send, "receive": lambda: links.take(outbound)}
    exec(compile(found[1], "README.md", "exec"), names)

    assert p.SSL_is_init_finished(server)
    assert p.SSL_get_servername(server, 0) == "example.org"
