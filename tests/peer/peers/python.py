"""Peers that are modules of Python."""

from __future__ import annotations

from typing import Optional

from tests.peer.peers.agent import PythonPeer
from tests.peer.peers.cases import CURVES, DEFAULT_SHARES, Case


class Stdlib(PythonPeer):
    """The standard library's ssl, on the system's OpenSSL."""

    name = "stdlib ssl"
    script = "with_ssl.py"
    module = "ssl"

    def can(self, case: Case) -> Optional[str]:
        """Follow what the module lets one set."""
        if case.scenario == "early":
            return "has no calls for early data"
        if case.group == "X25519MLKEM768":
            return "its OpenSSL is older than the group"
        turn = (case.scenario, case.role, case.group)
        if turn == ("retry", "server", "X25519"):
            return "sends a share for X25519 and for no other group"
        if (case.version, case.scenario) == ("1.2", "client-auth"):
            curve = CURVES.get(case.kind, case.group)
            if case.role == "client" and curve != case.group:
                return "takes one curve, for shares and certificates alike"
        return None


class PyOpenSSL(PythonPeer):
    """pyOpenSSL, on the OpenSSL that cryptography ships."""

    name = "pyOpenSSL"
    script = "with_pyopenssl.py"
    module = "OpenSSL"

    def can(self, case: Case) -> Optional[str]:
        """Follow what the module lets one set."""
        if case.scenario == "early":
            return "has no calls for early data"
        turn = (case.scenario, case.role)
        if turn == ("retry", "server") and case.group in DEFAULT_SHARES:
            return f"sends a share for {case.group} by itself"
        if turn == ("retry", "client") and case.group not in CURVES.values():
            return f"cannot be told to take {case.group} alone"
        return None


class Utls(PythonPeer):
    """utls, on BoringSSL."""

    name = "utls (BoringSSL)"
    script = "with_ssl.py"
    module = "utls"

    def can(self, case: Case) -> Optional[str]:
        """Follow what BoringSSL and the module know."""
        if case.scenario == "early":
            return "has no calls for early data"
        if case.kind in ("rsapss", "ed448"):
            return f"has no keys of the kind {case.kind}"
        if case.role == "server":
            if case.group == "P-521":
                return "offers no P-521"
            if (case.version, case.scenario) == ("1.3", "resumed"):
                return "as client it offers no session of TLS 1.3"
            if case.scenario == "retry" and case.group in DEFAULT_SHARES:
                return f"sends a share for {case.group} by itself"
        verifies = case.role == "server" or case.scenario == "client-auth"
        if verifies and case.kind in ("p521", "ed25519"):
            return f"offers no signature scheme of {case.kind}"
        return None


class Rtls(PythonPeer):
    """rtls, on rustls."""

    name = "rtls (rustls)"
    script = "with_ssl.py"
    module = "rtls"

    def can(self, case: Case) -> Optional[str]:
        """Follow what rustls and the module know."""
        if case.scenario == "early":
            return "has no calls for early data"
        if case.kind in ("rsapss", "ed448"):
            return f"has no keys of the kind {case.kind}"
        if case.group == "P-521":
            return "has no P-521"
        if case.scenario == "retry":
            if case.role == "client":
                return "cannot be told to take one group alone"
            if case.group in DEFAULT_SHARES:
                return f"sends a share for {case.group} by itself"
        if case.scenario == "resumed":
            return "the module keeps no sessions"
        if (case.version, case.kind) == ("1.2", "p521"):
            return "has no P-521, which such certificates need in TLS 1.2"
        return None


class Tlslite(PythonPeer):
    """tlslite-ng, TLS in Python alone."""

    name = "tlslite-ng"
    slow = True
    script = "with_tlslite.py"
    module = "tlslite"

    def can(self, case: Case) -> Optional[str]:
        """Follow what the package has."""
        if case.scenario == "early":
            return "has no early data"
        if case.group == "X25519MLKEM768":
            return "needs another package for the group"
        return None
