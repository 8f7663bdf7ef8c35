"""The peers that are known, and finding those that are installed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from pyssl.bench.peers.base import Peer

# Name: module and class. The first is the one that this is about.
PEERS = {
    "pyssl": ("pyssl_peer", "PysslPeer"),
    "pyssl-forgetful": ("pyssl_peer", "ForgetfulPeer"),
    "stdlib": ("ssl_peers", "StdlibPeer"),
    "pyopenssl": ("pyopenssl_peer", "PyOpenSSLPeer"),
    "utls": ("ssl_peers", "UtlsPeer"),
    "rtls": ("ssl_peers", "RtlsPeer"),
    "pyrtls": ("pyrtls_peer", "PyrtlsPeer"),
    "mbedtls": ("mbedtls_peer", "MbedtlsPeer"),
    "m2crypto": ("m2crypto_peer", "M2CryptoPeer"),
    "wolfssl": ("wolfssl_peer", "WolfsslPeer"),
    "tlslite": ("tlslite_peer", "TlslitePeer"),
}

# What the others are compared with.
BASELINE = "pyssl"


def find_peers(
    names: Iterable[str],
) -> tuple[list[Peer], dict[str, str]]:
    """Make the peers whose packages are installed.

    Args:
        names: Keys of PEERS.

    Returns:
        The peers, and for each other name why it is missing.
    """
    found: list[Peer] = []
    missing: dict[str, str] = {}
    for name in dict.fromkeys(names):
        module, kind = PEERS[name]
        try:
            made = getattr(import_module(f"{__name__}.{module}"), kind)()
        except ImportError as e:
            missing[name] = str(e)
        else:
            found.append(made)
    return found, missing
