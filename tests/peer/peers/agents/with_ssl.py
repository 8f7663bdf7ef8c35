"""An agent on a module with the interface of the library's ssl.

python with_ssl.py ssl|utls|rtls
"""

import importlib
import sys

import common

CURVES = {
    "X25519": "X25519",
    "P-256": "prime256v1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
    "X25519MLKEM768": "X25519MLKEM768",
}


class SslConn(common.Conn):
    """An SSLSocket."""

    def __init__(self, sock, name, server):
        self.sock = sock
        self.name = name
        self.server = server

    def read(self):
        return self.sock.recv(common.PIECE)

    def write(self, data):
        self.sock.sendall(data)

    def close(self):
        bare = self.sock.unwrap()
        if self.name == "rtls":
            bare.settimeout(common.PATIENCE)
            bare.recv(common.PIECE)
            bare.close()
            return None
        return True

    def facts(self):
        # utls gives another certificate of the chain as server.
        shown = None
        if not (self.name == "utls" and self.server):
            shown = self.sock.getpeercert(True)
        return {
            "version": self.sock.version(),
            "suite": self.sock.cipher()[0],
            "reused": getattr(self.sock, "session_reused", None),
            "shown": shown.hex() if shown else None,
        }


class Stack(common.Stack):
    """The module."""

    # rtls does not tell of a close_notify that comes by itself.
    hears_end = sys.argv[1] != "rtls"

    def __init__(self, name):
        self.ssl = importlib.import_module(name)

    def version(self):
        return self.ssl.OPENSSL_VERSION

    def _context(self, case, protocol):
        ssl = self.ssl
        ctx = ssl.SSLContext(protocol)
        only = {"1.2": "TLSv1_2", "1.3": "TLSv1_3"}[case["version"]]
        ctx.minimum_version = getattr(ssl.TLSVersion, only)
        ctx.maximum_version = getattr(ssl.TLSVersion, only)
        if case["version"] == "1.2":
            ctx.set_ciphers(case["suite"])
        if case["cert"]:
            ctx.load_cert_chain(case["cert"], case["key"])
        return ctx

    def server(self, case):
        ctx = self._context(case, self.ssl.PROTOCOL_TLS_SERVER)
        one = case["scenario"] == "retry"
        if self.ssl.__name__ == "ssl":
            one |= case["version"] == "1.2" and not case["client_auth"]
        if self.ssl.__name__ == "utls":
            one |= case["version"] == "1.2" or case["group"] == "P-521"
        if one and self.ssl.__name__ != "rtls":
            ctx.set_ecdh_curve(CURVES[case["group"]])
        if case["client_auth"]:
            ctx.load_verify_locations(case["ca"])
            ctx.verify_mode = self.ssl.CERT_REQUIRED
        return ctx

    def client(self, case):
        ctx = self._context(case, self.ssl.PROTOCOL_TLS_CLIENT)
        ctx.load_verify_locations(case["ca"])
        return ctx

    def accept(self, ctx, sock, case):
        return SslConn(
            ctx.wrap_socket(
                sock, server_side=True, suppress_ragged_eofs=False
            ),
            self.ssl.__name__,
            True,
        )

    def connect(self, ctx, sock, case, session):
        more = {} if session is None else {"session": session}
        return SslConn(
            ctx.wrap_socket(
                sock,
                server_hostname=case["host"],
                suppress_ragged_eofs=False,
                **more,
            ),
            self.ssl.__name__,
            False,
        )

    def session(self, conn):
        return conn.sock.session


common.main(Stack(sys.argv[1]))
