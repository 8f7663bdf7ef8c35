"""What the interop matrix runs: cases, and a small set that covers pairs.

A case is one point of version x cipher x group x kind of certificate x
scenario x role. `everything()` gives all that TLS allows, `pairwise` picks of
some cases a few that hold every pair of values those cases hold.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from tests.peer.openssl_cli import file_of
from tests.pki import ca

VERSIONS = ("1.2", "1.3")
CIPHERS = ("AES128-GCM", "AES256-GCM", "CHACHA20")
GROUPS = ("X25519", "P-256", "P-384", "P-521", "X25519MLKEM768")
SCENARIOS = ("full", "resumed", "client-auth", "retry", "early")
ROLES = ("client", "server")  # ours

# The groups that are the curve of a kind of certificate.
CURVES = {"p256": "P-256", "p384": "P-384", "p521": "P-521"}

# What clients of today send shares for if nobody tells them.
DEFAULT_SHARES = ("X25519", "X25519MLKEM768")

HASHES = {"AES128-GCM": "SHA256", "AES256-GCM": "SHA384", "CHACHA20": ""}

# RFC 8446 B.4, RFC 5289 3.2, RFC 7905 2.
NUMBERS = {
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    "ECDHE-ECDSA-AES128-GCM-SHA256": 0xC02B,
    "ECDHE-ECDSA-AES256-GCM-SHA384": 0xC02C,
    "ECDHE-RSA-AES128-GCM-SHA256": 0xC02F,
    "ECDHE-RSA-AES256-GCM-SHA384": 0xC030,
    "ECDHE-RSA-CHACHA20-POLY1305": 0xCCA8,
    "ECDHE-ECDSA-CHACHA20-POLY1305": 0xCCA9,
}

# 100 KiB that goes each way: lines, so that tools of the command line can
# carry it, and none begins with a letter that is a command to one of them.
PAYLOAD = b"".join(
    (b"%04d " % i + b"0123456789abcdef" * 64)[:1023] + b"\n"
    for i in range(100)
)

# What goes as early data where it is not the beginning of the payload.
EARLY = b"0-RTT: early words\n"


@dataclass(frozen=True)
class Case:
    """One handshake, or two if a session is resumed, and the data after it.

    Attributes:
        version: "1.2" or "1.3", the only one of our side.
        cipher: The only one of our side.
        group: The only one of our side, but see `first`.
        kind: Of both certificates, one of `ca.KINDS`.
        scenario: One of SCENARIOS.
        role: Ours.
    """

    version: str
    cipher: str
    group: str
    kind: str
    scenario: str
    role: str

    def __str__(self) -> str:
        values = (getattr(self, f.name) for f in fields(self))
        return "-".join(values)

    @property
    def suite(self) -> str:
        """The man pages' name of the suite."""
        digest = HASHES[self.cipher]
        if self.version == "1.3":
            name = self.cipher.replace("-", "_").replace("AES", "AES_")
            name = name.replace("CHACHA20", "CHACHA20_POLY1305")
            return f"TLS_{name}_{digest or 'SHA256'}"
        auth = "RSA" if self.kind.startswith("rsa") else "ECDSA"
        rest = f"{self.cipher}-{digest}" if digest else "CHACHA20-POLY1305"
        return f"ECDHE-{auth}-{rest}"

    @property
    def standard(self) -> str:
        """The suite's name in the registry."""
        if self.version == "1.3":
            return self.suite
        name = self.suite.replace("-", "_").replace("AES", "AES_")
        if self.cipher == "CHACHA20":
            name += "_SHA256"
        kx, auth, rest = name.split("_", 2)
        return f"TLS_{kx}_{auth}_WITH_{rest}"

    @property
    def number(self) -> int:
        """The suite's number."""
        return NUMBERS[self.suite]

    @property
    def first(self) -> str:
        """The group a client of the scenario "retry" sends a share for."""
        return "P-256" if self.group == "X25519" else "X25519"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups a client offers, best first.

        Before TLS 1.3 they name the curves of certificates, too (RFC 8422
        5.1.1), and servers refuse a client that lacks theirs.
        """
        if self.scenario == "retry":
            return (self.first, self.group)
        curve = CURVES.get(self.kind, self.group)
        if self.version == "1.3" or curve == self.group:
            return (self.group,)
        return (self.group, curve)

    @property
    def connections(self) -> int:
        """How many are made, one after the other."""
        return 2 if self.scenario in ("resumed", "early") else 1

    @property
    def server(self) -> ca.Identity:
        """The server's certificate."""
        return ca.leaf(self.kind, **self._usage())

    @property
    def client(self) -> ca.Identity:
        """The client's certificate, if it needs one."""
        return ca.leaf(
            self.kind, names=("client",), key_label="client", **self._usage()
        )

    def _usage(self) -> dict[str, Any]:
        """Let an RSA key be used for all that NSS wants of one."""
        if self.kind != "rsa":
            return {}
        return {"key_usage": ("digital_signature", "key_encipherment")}

    def told(self) -> dict[str, Any]:
        """Give what an agent in another process must know."""
        own = self.server if self.role == "client" else self.client
        shows = self.role == "client" or self.scenario == "client-auth"
        return {
            **asdict(self),
            "suite": self.suite,
            "standard": self.standard,
            "number": self.number,
            "first": self.first,
            "groups": ":".join(self.groups),
            "connections": self.connections,
            "size": len(PAYLOAD),
            "host": "localhost",
            "cert": file_of(own.chain_pem) if shows else "",
            "key": file_of(own.key_pem) if shows else "",
            "both": file_of(own.chain_pem + own.key_pem) if shows else "",
            "ca": file_of(ca.authority().ca_pem),
            "client_auth": self.scenario == "client-auth",
        }


def _legal(case: Case) -> bool:
    """Tell whether the version has it."""
    if case.version == "1.3":
        return True
    return case.group != "X25519MLKEM768" and case.scenario not in (
        "retry",  # RFC 8446 4.1.4
        "early",  # RFC 8446 4.2.10
    )


def everything() -> list[Case]:
    """Give all cases that TLS allows."""
    axes = (VERSIONS, CIPHERS, GROUPS, ca.KINDS, SCENARIOS, ROLES)
    made = (Case(*values) for values in itertools.product(*axes))
    return [case for case in made if _legal(case)]


def _pairs(case: Case) -> set[tuple[str, str]]:
    """Give each pair of the case's values, and each with the role."""
    values = [f"{f.name}={getattr(case, f.name)}" for f in fields(case)]
    return set(itertools.combinations(values, 2))


def pairwise(cases: Iterable[Case]) -> list[Case]:
    """Pick cases until every pair of values that some case holds is in.

    Each turn takes the first case that brings the most new pairs, so the
    choice is the same each time.
    """
    left = {case: _pairs(case) for case in cases}
    missing: set[tuple[str, str]] = set().union(*left.values())
    chosen: list[Case] = []
    while missing:
        best = max(left, key=lambda case: len(left[case] & missing))
        missing -= left.pop(best)
        chosen.append(best)
    return chosen
