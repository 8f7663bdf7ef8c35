"""Shakes hands with an installed pyssl, in memory; for a clean environment.

    python wheels/smoke.py

Run it outside the source tree. It needs the command openssl for a key and a
certificate, and nothing from Python but pyssl.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
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


def connect(cert: str, key: str) -> tuple[pyssl.SSL, pyssl.SSL]:
    """Join a verifying client and a server by two memory BIOs."""
    ctx = new(pyssl.SSL_CTX_new(pyssl.TLS_server_method()))
    done = pyssl.SSL_CTX_use_certificate_chain_file(ctx, cert)
    must(done == 1, "loading the certificate")
    done = pyssl.SSL_CTX_use_PrivateKey_file(ctx, key, pyssl.SSL_FILETYPE_PEM)
    must(done == 1, "loading the key")
    server = new(pyssl.SSL_new(ctx))
    pyssl.SSL_set_accept_state(server)

    ctx = new(pyssl.SSL_CTX_new(pyssl.TLS_client_method()))
    done = pyssl.SSL_CTX_load_verify_locations(ctx, cert, None)
    must(done == 1, "loading the trust store")
    pyssl.SSL_CTX_set_verify(ctx, pyssl.SSL_VERIFY_PEER, None)
    client = new(pyssl.SSL_new(ctx))
    must(pyssl.SSL_set1_host(client, HOST) == 1, "setting the name")
    pyssl.SSL_set_connect_state(client)

    up = new(pyssl.BIO_new(pyssl.BIO_s_mem()))
    down = new(pyssl.BIO_new(pyssl.BIO_s_mem()))
    pyssl.SSL_set_bio(client, down, up)
    pyssl.SSL_set_bio(server, up, down)
    return client, server


def main() -> int:
    """Shake hands, send a line, and look for libssl in the process."""
    with tempfile.TemporaryDirectory() as folder:
        client, server = connect(*make_certificate(Path(folder)))
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
    maps = Path("/proc/self/maps")
    if maps.exists():
        must("libssl" not in maps.read_text("utf-8"), "being without libssl")
    print(f"smoke: {pyssl.SSL_get_version(client)} from {pyssl.__file__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
