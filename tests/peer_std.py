"""A server of the standard library that sends each line back."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.pki import ca


@dataclass
class StdServer:
    """Where it listens."""

    port: int


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with contextlib.suppress(OSError):
            _echo(context.wrap_socket(sock, server_side=True))


def _echo(sock: ssl.SSLSocket) -> None:
    with sock, sock.makefile("rwb") as file:
        for line in file:
            file.write(line)
            file.flush()


@contextlib.contextmanager
def std_server() -> Iterator[StdServer]:
    """Run the server in a thread, on a free port."""
    identity = ca.leaf("p256")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_bytes(identity.chain_pem)
        key.write_bytes(identity.key_pem)
        context.load_cert_chain(chain, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=_serve, args=(listener, context), daemon=True
        )
        thread.start()
        yield StdServer(listener.getsockname()[1])
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(20)
