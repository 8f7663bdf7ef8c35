"""Other implementations of TLS, each behind the same few calls."""

from __future__ import annotations

from tests.peer.peers import compiled, gnutls, nss, python, tools, web
from tests.peer.peers.base import Peer

PEERS: tuple[Peer, ...] = (
    tools.OpenSSL(),
    python.Stdlib(),
    python.PyOpenSSL(),
    python.Utls(),
    python.Rtls(),
    gnutls.GnuTLS(),
    nss.NSS(),
    web.Curl(),
    web.Nginx(),
    compiled.Go(),
    compiled.Java(),
    compiled.Node(),
    python.Tlslite(),
)
