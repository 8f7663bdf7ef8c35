"""Shakes hands with an installed pyssl; for a clean environment.

    python wheels/smoke.py

In memory with itself, with X25519MLKEM768 where libcrypto has it, and over a
socket with `openssl s_server`. Run it outside the source tree. It needs the
command openssl, and nothing from Python but pyssl.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Optional, TypeVar

import pyssl

HOST = "smoke.example"
LINE = b"as good as built\n"

Thing = TypeVar("Thing")


def make_certificate(folder: Path) -> tuple[str, str]:
    """Make a self-signed certificate; give the paths of it and its key."""
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run(
        ["openssl", *command.split(), *names, "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    return cert, key


def must(done: bool, what: str) -> None:
    """Stop with the error queue if something did not work."""
    if not done:
        pyssl.ERR_print_errors_fp(sys.stderr)
        sys.exit(f"smoke: {what} failed")


def new(thing: Optional[Thing]) -> Thing:
    """Stop with the error queue if an object could not be made."""
    if thing is None:
        pyssl.ERR_print_errors_fp(sys.stderr)
        sys.exit("smoke: an object could not be made")
    return thing


def client_ctx(cert: str) -> pyssl.SSL_CTX:
    """Make a context that trusts one certificate and nothing else."""
    ctx = new(pyssl.SSL_CTX_new(pyssl.TLS_client_method()))
    done = pyssl.SSL_CTX_load_verify_locations(ctx, cert, None)
    must(done == 1, "loading the trust store")
    pyssl.SSL_CTX_set_verify(ctx, pyssl.SSL_VERIFY_PEER, None)
    return ctx


def default_ctx(cert: str) -> pyssl.SSL_CTX:
    """Make a context that trusts what the system does: SSL_CERT_FILE."""
    os.environ["SSL_CERT_FILE"] = cert
    ctx = new(pyssl.SSL_CTX_new(pyssl.TLS_client_method()))
    done = pyssl.SSL_CTX_set_default_verify_paths(ctx)
    must(done == 1, "finding the system's trust")
    pyssl.SSL_CTX_set_verify(ctx, pyssl.SSL_VERIFY_PEER, None)
    return ctx


def connect(
    cert: str, key: str, group: Optional[str] = None
) -> tuple[pyssl.SSL, pyssl.SSL]:
    """Join a verifying client and a server by two memory BIOs."""
    ctx = new(pyssl.SSL_CTX_new(pyssl.TLS_server_method()))
    done = pyssl.SSL_CTX_use_certificate_chain_file(ctx, cert)
    must(done == 1, "loading the certificate")
    done = pyssl.SSL_CTX_use_PrivateKey_file(ctx, key, pyssl.SSL_FILETYPE_PEM)
    must(done == 1, "loading the key")
    server = new(pyssl.SSL_new(ctx))
    pyssl.SSL_set_accept_state(server)

    client = new(pyssl.SSL_new(client_ctx(cert)))
    if group is not None:
        done = pyssl.SSL_set1_groups_list(client, group)
        must(done == 1, f"asking for {group}")
    must(pyssl.SSL_set1_host(client, HOST) == 1, "setting the name")
    pyssl.SSL_set_connect_state(client)

    up = new(pyssl.BIO_new(pyssl.BIO_s_mem()))
    down = new(pyssl.BIO_new(pyssl.BIO_s_mem()))
    pyssl.SSL_set_bio(client, down, up)
    pyssl.SSL_set_bio(server, up, down)
    return client, server


def in_memory(cert: str, key: str, group: Optional[str]) -> str:
    """Shake hands and send a line; give what was agreed on."""
    client, server = connect(cert, key, group)
    results = []
    for _ in range(2):
        for ssl in (client, server):
            ret = pyssl.SSL_do_handshake(ssl)
            results.append((ret, pyssl.SSL_get_error(ssl, ret)))
    must(results == [(-1, 2), (-1, 2), (1, 0), (1, 0)], f"{results}: it")
    must(pyssl.SSL_write(client, LINE) == len(LINE), "writing")
    buf = bytearray(100)
    got = pyssl.SSL_read(server, buf)
    must(bytes(buf[:got]) == LINE, "reading")
    agreed = pyssl.SSL_get0_group_name(client) or ""
    must(group in (None, agreed), f"{agreed}: the group")
    return f"{pyssl.SSL_get_version(client)} {agreed}"


def over_socket(cert: str, key: str) -> str:
    """Shake hands with `openssl s_server` and let it send a line back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = f"s_server -accept 127.0.0.1:{port} -naccept 1 -rev -quiet"
    server = subprocess.Popen(
        ["openssl", *command.split(), "-cert", cert, "-key", key],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with reach(port) as sock:
            sock.settimeout(None)
            ssl = new(pyssl.SSL_new(default_ctx(cert)))
            must(pyssl.SSL_set1_host(ssl, HOST) == 1, "setting the name")
            must(pyssl.SSL_set_fd(ssl, sock.fileno()) == 1, "the socket")
            must(pyssl.SSL_connect(ssl) == 1, "shaking hands over a socket")
            must(pyssl.SSL_write(ssl, LINE) == len(LINE), "writing")
            buf = bytearray(100)
            got = pyssl.SSL_read(ssl, buf)
            back = LINE.rstrip()[::-1] + b"\n"
            must(bytes(buf[:got]) == back, f"{bytes(buf[:got])!r}: reading")
            return f"{pyssl.SSL_get_version(ssl)} with openssl s_server"
    finally:
        server.kill()
        server.wait()


def reach(port: int) -> socket.socket:
    """Connect to a server that may still be starting."""
    until = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 20)
        except ConnectionRefusedError:
            must(time.monotonic() < until, "reaching the server")
            time.sleep(0.05)


def main() -> int:
    """Do it all, and look for libssl in the process."""
    known = pyssl.versions()
    groups = [None, *(g for g in known["groups"] if "MLKEM" in g)]
    with tempfile.TemporaryDirectory() as folder:
        cert, key = make_certificate(Path(folder))
        did = [in_memory(cert, key, group) for group in groups]
        did.append(over_socket(cert, key))
    maps = Path("/proc/self/maps")
    if maps.exists():
        must("libssl" not in maps.read_text("utf-8"), "being without libssl")
    made = f"{known['libcrypto']} ({known['linked']}), {known['primitives']}"
    print(f"smoke: {made}: {', '.join(did)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
