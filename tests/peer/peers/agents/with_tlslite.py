"""An agent on tlslite-ng."""

import common
import tlslite
from tlslite.api import (
    HandshakeSettings,
    SessionCache,
    TLSConnection,
    X509CertChain,
    parsePEMKey,
)
from tlslite.utils.cryptomath import getRandomBytes

CURVES = {
    "X25519": "x25519",
    "P-256": "secp256r1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
    "X25519MLKEM768": "x25519mlkem768",
}
CIPHERS = {
    "AES128-GCM": "aes128gcm",
    "AES256-GCM": "aes256gcm",
    "CHACHA20": "chacha20-poly1305",
}


class LiteConn(common.Conn):
    """A TLSConnection."""

    def __init__(self, conn):
        self.conn = conn

    def read(self):
        return bytes(self.conn.read(max=common.PIECE, min=1))

    def write(self, data):
        self.conn.write(data)

    def close(self):
        self.conn.closeSocket = False
        self.conn.close()
        return True

    def facts(self):
        session = self.conn.session
        chain = session.clientCertChain
        if self.conn._client:
            chain = session.serverCertChain
        shown = bytes(chain.x509List[0].bytes).hex() if chain else None
        return {
            "version": f"TLSv1.{self.conn.version[1] - 1}",
            "suite": session.cipherSuite,
            "reused": self.conn.resumed,
            "shown": shown,
        }


class Stack(common.Stack):
    """The module."""

    def version(self):
        return "tlslite-ng " + tlslite.__version__

    def _context(self, case):
        settings = HandshakeSettings()
        only = {"1.2": (3, 3), "1.3": (3, 4)}[case["version"]]
        settings.minVersion = settings.maxVersion = only
        # As client it compresses its certificate for servers that did not ask.
        settings.certificate_compression_send = []
        settings.certificate_compression_receive = []
        settings.cipherNames = [CIPHERS[case["cipher"]]]
        group = CURVES[case["group"]]
        settings.eccCurves = [group]
        settings.keyShares = [group]
        settings.defaultCurve = group
        if case["do"] == "connect" and case["scenario"] == "retry":
            first = CURVES[case["first"]]
            settings.eccCurves = [first, group]
            settings.keyShares = [first]
        own = {"p256": "secp256r1", "p384": "secp384r1", "p521": "secp521r1"}
        curve = own.get(case["kind"])
        # They limit the curves of certificates as well.
        missing = curve and curve not in settings.eccCurves
        if missing and case["scenario"] != "retry":
            settings.eccCurves.append(curve)
        chain = key = None
        if case["cert"]:
            chain = X509CertChain()
            with open(case["cert"]) as file:
                chain.parsePemList(file.read())
            with open(case["key"]) as file:
                key = parsePEMKey(file.read(), private=True)
        settings.ticketKeys = [getRandomBytes(32)]
        return settings, chain, key, SessionCache()

    server = client = _context

    def accept(self, context, sock, case):
        settings, chain, key, cache = context
        conn = TLSConnection(sock)
        conn.handshakeServer(
            certChain=chain,
            privateKey=key,
            reqCert=case["client_auth"],
            sessionCache=cache,
            settings=settings,
        )
        return LiteConn(conn)

    def connect(self, context, sock, case, session):
        settings, chain, key, _ = context
        conn = TLSConnection(sock)
        conn.handshakeClientCert(
            chain,
            key,
            session=session,
            settings=settings,
            serverName=case["host"],
        )
        return LiteConn(conn)

    def session(self, conn):
        return conn.conn.session


common.main(Stack())
