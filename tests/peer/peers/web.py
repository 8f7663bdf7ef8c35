"""curl, and nginx as a reverse proxy: TLS below HTTP."""

from __future__ import annotations

import contextlib
import http.server
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from tests.peer.openssl_cli import LOOPBACK, PATIENCE, Peer, file_of
from tests.peer.peers.base import Conversation, Facts
from tests.peer.peers.cases import PAYLOAD, Case
from tests.peer.peers.tools import AskingOnce, Serving, Tool, on_free_port
from tests.pki import ca

# OpenSSL's own names.
GROUPS = {
    "X25519": "X25519",
    "P-256": "prime256v1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
}


class Curl(Tool):
    """curl, which posts the payload and prints what it gets."""

    name = "curl"
    style = "http"
    needs = ("curl",)
    asks = ("curl", "--version")

    def can(self, case: Case) -> Optional[str]:
        """Follow what the tool does."""
        if case.role == "client":
            return "is a client only"
        if case.scenario == "early":
            return "sends no early data"
        if case.group == "X25519MLKEM768":
            return "its OpenSSL is older than the group"
        return None

    @contextlib.contextmanager
    def connect(self, case: Case, port: int) -> Iterator[Conversation]:
        """Let curl post the payload once a connection."""
        new = case.version == "1.3"
        words = [
            *("--silent", "--show-error", "--noproxy", "*", "-H", "Expect:"),
            *("--max-time", str(int(PATIENCE)), "--http1.1"),
            *("--resolve", f"localhost:{port}:{LOOPBACK}"),
            *("--cacert", file_of(ca.authority().cert_pem)),
            *("--tlsv" + case.version, "--tls-max", case.version),
            *("--tls13-ciphers" if new else "--ciphers", case.suite),
            *("--curves", ":".join(GROUPS[name] for name in case.groups)),
            *("--data-binary", "@" + file_of(PAYLOAD)),
        ]
        if case.scenario == "client-auth":
            words += ["--cert", file_of(case.client.chain_pem)]
            words += ["--key", file_of(case.client.key_pem)]
        words += [f"https://localhost:{port}/"] * case.connections

        def play(child: Peer) -> list[Facts]:
            assert child.wait() == 0, child.said
            whole = child.said.count(PAYLOAD.decode()) == case.connections
            return [{"echo": whole} for _ in range(case.connections)]

        work = AskingOnce(lambda: Peer(*words, command="curl"), play)
        try:
            yield work
        finally:
            work.stop()


class _Echo(http.server.BaseHTTPRequestHandler):
    """What stands behind the proxy: it gives back what is posted."""

    def do_POST(self) -> None:
        """Answer with the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr notice;
worker_rlimit_nofile 256;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_protocols TLSv{version};
    {suites};
    ssl_ecdh_curve {groups};
    ssl_session_cache shared:sessions:1m;
    ssl_early_data {early};
    ssl_client_certificate {ca};
    ssl_verify_client {verify};
    server {{
        listen {host}:{port} ssl;
        location / {{ proxy_pass http://{host}:{behind}; }}
    }}
}}
"""


class Nginx(Tool):
    """nginx, which ends TLS before a server of HTTP."""

    name = "nginx"
    style = "http"
    early = "stream"
    needs = ("nginx",)
    asks = ("nginx", "-v")

    def can(self, case: Case) -> Optional[str]:
        """Follow what the server does."""
        if case.role == "server":
            return "is a server only"
        if case.group == "X25519MLKEM768":
            return "its OpenSSL is older than the group"
        return None

    @contextlib.contextmanager
    def serve(self, case: Case) -> Iterator[Conversation]:
        """Run nginx with the case's certificate, suite and group."""
        behind = http.server.ThreadingHTTPServer((LOOPBACK, 0), _Echo)
        thread = threading.Thread(target=behind.serve_forever, daemon=True)
        thread.start()
        groups = (case.group,) if case.scenario == "retry" else case.groups
        if case.version == "1.3":
            suites = f"ssl_conf_command Ciphersuites {case.suite}"
        else:
            suites = f"ssl_ciphers {case.suite}"
        values = {
            "cert": file_of(case.server.chain_pem),
            "key": file_of(case.server.key_pem),
            "version": case.version,
            "suites": suites,
            "groups": ":".join(GROUPS[name] for name in groups),
            "ca": file_of(ca.authority().ca_pem),
            "verify": "on" if case.scenario == "client-auth" else "off",
            "early": "on" if case.scenario == "early" else "off",
            "host": LOOPBACK,
            "behind": behind.server_address[1],
        }

        with tempfile.TemporaryDirectory(prefix="pyssl-nginx-") as folder:

            def start(port: int) -> Peer:
                path = Path(folder) / "nginx.conf"
                text = CONFIGURATION.format(folder=folder, port=port, **values)
                path.write_text(text, "ascii")
                words = ("-c", str(path), "-p", folder)
                return Peer(*words, command="nginx")

            try:
                with on_free_port(start, r"OS: Linux") as (child, port):
                    yield Serving(child, port, case.connections)
            finally:
                behind.shutdown()
                behind.server_close()
                thread.join(PATIENCE)
