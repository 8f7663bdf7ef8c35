"""An agent on pyOpenSSL."""

import common
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

CURVES = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}


class OpenConn(common.Conn):
    """A Connection."""

    def __init__(self, conn):
        self.conn = conn

    def read(self):
        try:
            return self.conn.recv(common.PIECE)
        except SSL.ZeroReturnError:
            return b""

    def write(self, data):
        self.conn.sendall(data)

    def close(self):
        if not self.conn.shutdown():
            self.conn.shutdown()
        return self.conn.get_shutdown() & SSL.RECEIVED_SHUTDOWN != 0

    def facts(self):
        shown = self.conn.get_peer_certificate(as_cryptography=False)
        if shown is not None:
            kind = crypto.FILETYPE_ASN1
            shown = crypto.dump_certificate(kind, shown).hex()
        return {
            "version": self.conn.get_protocol_version_name(),
            "suite": self.conn.get_cipher_name(),
            "reused": None,
            "shown": shown,
        }


class Stack(common.Stack):
    """The module."""

    def version(self):
        return SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()

    def _context(self, case, method):
        ctx = SSL.Context(method)
        only = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
        ctx.set_min_proto_version(only[case["version"]])
        ctx.set_max_proto_version(only[case["version"]])
        if case["version"] == "1.2":
            ctx.set_cipher_list(case["suite"].encode())
        else:
            ctx.set_tls13_ciphersuites(case["suite"].encode())
        if case["cert"]:
            ctx.use_certificate_chain_file(case["cert"])
            ctx.use_privatekey_file(case["key"])
        return ctx

    def server(self, case):
        ctx = self._context(case, SSL.TLS_SERVER_METHOD)
        ctx.set_session_id(b"interop")
        if case["scenario"] == "retry" and case["group"] in CURVES:
            ctx.set_tmp_ecdh(CURVES[case["group"]])
        if case["client_auth"]:
            ctx.load_verify_locations(case["ca"])
            ctx.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        return ctx

    def client(self, case):
        ctx = self._context(case, SSL.TLS_CLIENT_METHOD)
        ctx.load_verify_locations(case["ca"])
        ctx.set_verify(SSL.VERIFY_PEER)
        return ctx

    def _patient(self, sock):
        # A timeout makes the socket non-blocking, which is not for this.
        import struct

        sock.settimeout(None)
        limit = struct.pack("ll", common.PATIENCE, 0)
        for option in (common.socket.SO_RCVTIMEO, common.socket.SO_SNDTIMEO):
            sock.setsockopt(common.socket.SOL_SOCKET, option, limit)
        return sock

    def accept(self, ctx, sock, case):
        conn = SSL.Connection(ctx, self._patient(sock))
        conn.set_accept_state()
        conn.do_handshake()
        return OpenConn(conn)

    def connect(self, ctx, sock, case, session):
        conn = SSL.Connection(ctx, self._patient(sock))
        conn.set_tlsext_host_name(case["host"].encode())
        if session is not None:
            conn.set_session(session)
        conn.set_connect_state()
        conn.do_handshake()
        return OpenConn(conn)

    def session(self, conn):
        return conn.conn.get_session()


common.main(Stack())
