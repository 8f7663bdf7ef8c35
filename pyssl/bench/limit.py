"""The limit: what no TLS on our libcrypto can do without.

For each scenario the primitives of its protocol are listed, side by side,
and measured in every round through the core's own crypto layer. What pyssl
spends beyond their sum is its own: messages, records, Python.

The counts are those of the RFCs with everything left out that does not
depend on the peer or the moment (the early secret without a PSK, for one).
A chain that is remembered costs no signature check.
"""

from __future__ import annotations

from time import perf_counter_ns, process_time_ns
from typing import NamedTuple, Optional, Union

from pyssl import primitive
from pyssl.bench import pki
from pyssl.bench.peers.base import Setup
from pyssl.bench.peers.wires import tied
from pyssl.bench.scenarios import Sample
from pyssl.pkey import EVP_PKEY

_SUITES = {
    ("1.3", False): "TLS_AES_256_GCM_SHA384",
    ("1.2", False): "ECDHE-ECDSA-AES256-GCM-SHA384",
    ("1.3", True): "TLS_AES_128_GCM_SHA256",
    ("1.2", True): "ECDHE-ECDSA-AES128-GCM-SHA256",
}
_SCHEMES = {
    "p256": "ecdsa_secp256r1_sha256",
    "rsa2048": "rsa_pss_rsae_sha256",
    "ed25519": "ed25519",
}
_CHAIN_SCHEMES = {**_SCHEMES, "rsa2048": "rsa_pkcs1_sha256"}

# Bytes: what a signature is made of, and of a certificate; a flight of
# certificate, signature and Finished; a Finished alone; hellos.
_SIGNED = 130
_TBS = 300
_CERT = 450
_REST = 350
_HELLOS = 450
_FINISHED = 52
_HMAC = 60

# At least so often is a primitive done at a time.
_LEAST = 4
_SLICE_NS = 300_000

# What a message goes through a socket at a time.
_CARRIED = 1000


class Step(NamedTuple):
    """A primitive that a side does so often in an operation."""

    side: str
    kind: str
    name: str
    size: int
    times: float


def of_handshake(setup: Setup, remembered: bool) -> list[Step]:
    """List the primitives of a handshake.

    Args:
        setup: What the ends are.
        remembered: The chain was verified before.
    """
    old = setup.version == "1.2"
    suite = _SUITES[setup.version, setup.small]
    certs = 0 if setup.resumed else setup.chain + int(setup.mutual)
    flight = _CERT * certs + _REST * (not setup.resumed) + _FINISHED
    steps = []
    for side in ("client", "server"):
        if not (old and setup.resumed):
            steps += _exchange(setup, side, old)
        if not setup.resumed:
            steps += _signatures(setup, side, remembered)
        steps += [
            Step(side, "hash", suite, _HELLOS + flight, 1),
            Step(side, "hmac", suite, _HMAC, _hmacs(setup)),
            Step(side, "key", suite, 0, 2 if old else 4),
        ]
    steps += _flights(setup, suite, _FINISHED if old else flight)
    if setup.early:
        steps += [
            Step("client", "seal", suite, 64, 1),
            Step("server", "open", suite, 64, 1),
        ]
    return steps


def _exchange(setup: Setup, side: str, old: bool) -> list[Step]:
    """List the halves of the key exchange: who speaks first makes both."""
    first = (side == "server") if old else (side == "client")
    kind = "share" if first else "respond"
    return [Step(side, kind, setup.group, 0, 1)]


def _signatures(setup: Setup, side: str, remembered: bool) -> list[Step]:
    """List what is signed and verified."""
    scheme, found = _SCHEMES[setup.cert], []
    if side == "server" or setup.mutual:
        found.append(Step(side, "sign", scheme, _SIGNED, 1))
    if side == "client" or setup.mutual:
        found.append(Step(side, "verify", scheme, _SIGNED, 1))
        if not remembered:
            certs = setup.chain if side == "client" else 1
            chain = _CHAIN_SCHEMES[setup.cert]
            found.append(Step(side, "check", chain, _TBS, certs))
    return found


def _hmacs(setup: Setup) -> int:
    """Count the HMACs of the key schedule.

    TLS 1.3, RFC 8446 7.1: three extracts, two derived, four traffic
    secrets, exporter, resumption, a key and an IV for each of four, two
    Finished keys and two Finished; with a PSK its binder, four more, and
    the ticket's own PSK. TLS 1.2, RFC 5246 5: two an output block; master
    secret (two blocks), keys (two), two Finished.
    """
    if setup.version == "1.2":
        return 8 if setup.resumed else 12
    return 21 + 6 * setup.resumed + 4 * setup.early


def _flights(setup: Setup, suite: str, flight: int) -> list[Step]:
    """List the records that are sealed and opened."""
    back = _FINISHED
    if setup.mutual and setup.version == "1.3":
        back += _CERT + _REST
    return [
        Step("server", "seal", suite, flight, 1),
        Step("client", "open", suite, flight, 1),
        Step("client", "seal", suite, back, 1),
        Step("server", "open", suite, back, 1),
    ]


def of_messages(setup: Setup, size: int) -> list[Step]:
    """List the primitives of a message."""
    suite = _SUITES[setup.version, setup.small]
    return [
        Step("client", "seal", suite, size, 1),
        Step("server", "open", suite, size, 1),
    ]


class Limit:
    """The steps of a scenario, ready to be measured."""

    def __init__(self, setup: Setup, steps: list[Step], ways: int = 1) -> None:
        """Keep what is to be measured; ways: operations in one."""
        pem = pki.server(setup.cert).key.encode()
        self._key = EVP_PKEY.from_pem(pem)
        self._steps = steps
        self._ways = ways

    def sample(self) -> Optional[Sample]:
        """Measure each step.

        Returns:
            One operation; None if libcrypto has not all of it.
        """
        parts: dict[str, float] = {}
        known: dict[Step, float] = {}
        for step in self._steps:
            plain = step._replace(side="", times=1)
            if plain not in known:
                cost = self._cost(step)
                if cost is None:
                    return None
                known[plain] = cost
            spent = known[plain] * step.times * self._ways
            parts[step.side] = parts.get(step.side, 0.0) + spent
        total = int(sum(parts.values()))
        whole = {side: int(spent) for side, spent in parts.items()}
        return Sample(1, total, total, whole)

    def _cost(self, step: Step) -> Optional[float]:
        """Measure a step, in ns."""
        wish = (step.kind, step.name, step.size)
        first = primitive.spent_ns(*wish, _LEAST, self._key)
        if first is None:
            return None
        times = max(_LEAST, _LEAST * _SLICE_NS // max(first, 1))
        spent = primitive.spent_ns(*wish, times, self._key)
        return None if spent is None else spent / times


class RawSocket:
    """What carries a message where no TLS is: a pair of Python's sockets."""

    def __init__(self, size: int) -> None:
        """Keep how many bytes a message has on the socket."""
        self._size = size

    def sample(self) -> Optional[Sample]:
        """Send and receive.

        Returns:
            What was carried; None if the sockets have no room for a message.
        """
        size, buffer = self._size, bytearray(self._size)
        message = bytes(size)
        one, other = tied()
        with one, other:
            send, receive = one.send, other.recv_into
            wall, cpu = perf_counter_ns(), process_time_ns()
            for _ in range(_CARRIED):
                if send(message) != size or receive(buffer) != size:
                    return None
            cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
        return Sample(_CARRIED, cpu, wall, {})


Line = Union[Limit, RawSocket]
