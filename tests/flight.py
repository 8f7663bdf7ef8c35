"""The legal orders of handshake messages, worked out from the core's steps.

`python -m tests.flight` (make table) prints them.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

RETRIED, CLIENT_AUTH, CLIENT_CERT, PSK = 1, 2, 4, 32
RESUMED, TICKET, EARLY, STATUS = 64, 128, 256, 512
TLS13, TLS12, POST = 0x0304, 0x0303, 0
FLAGS = {
    TLS13: {
        "retry": RETRIED,
        "client auth": CLIENT_AUTH,
        "client certificate": CLIENT_CERT,
        "PSK": PSK,
        "early data": EARLY,
    },
    POST: {
        "client certificate": CLIENT_CERT,
    },
    TLS12: {
        "client auth": CLIENT_AUTH,
        "client certificate": CLIENT_CERT,
        "PSK": PSK,
        "resumed": RESUMED,
        "ticket": TICKET,
        "status": STATUS,
    },
}
# What an optional step depends on: the sender's own decision. Tickets of TLS
# 1.3 belong to no order: they come when the handshake is over.
OPTIONAL = {
    "HelloRetryRequest": RETRIED,
    "CertificateRequest": CLIENT_AUTH,
    "NewSessionTicket": 0,
    "CertificateStatus": STATUS,
}
CLIENT = 0


class Step(NamedTuple):
    """A row of csrc/handshake/flight.c."""

    name: str
    type: int
    sender: int
    when: int
    unless: int
    optional: bool


def steps(version: int = TLS13) -> list[Step]:
    """Read the rows of a version from the core."""
    from pyssl._ffi import ffi, lib

    row = ffi.new("pys_test_step *")
    found = []
    while lib.pys_test_step_at(version, len(found), row):
        found.append(
            Step(
                ffi.string(row.name).decode(),
                row.type,
                getattr(row, "from"),
                row.when,
                row.unless,
                row.optional,
            )
        )
    return found


def order(version: int, flags: int) -> list[Step]:
    """Give the messages of a handshake for which these facts hold."""
    return [
        step
        for step in steps(version)
        if step.when & flags == step.when
        and not step.unless & flags
        and (not step.optional or OPTIONAL[step.name] & flags)
    ]


def legal(flags: int) -> bool:
    """Tell whether the facts can hold together."""
    if flags & CLIENT_CERT and not flags & CLIENT_AUTH:
        return False
    if flags & EARLY and (flags & RETRIED or not flags & PSK):
        return False
    if flags & PSK and flags & RESUMED:
        return False
    return not (flags & (PSK | RESUMED) and flags & CLIENT_AUTH)


def every_order(version: int) -> dict[tuple[str, ...], list[str]]:
    """Expand the rows over all facts: facts to names of steps."""
    found = {}
    known = FLAGS[version]
    for picked in itertools.product((False, True), repeat=len(known)):
        facts = tuple(n for n, yes in zip(known, picked) if yes)
        flags = sum(known[name] for name in facts)
        if version == POST or legal(flags):
            found[facts] = [step.name for step in order(version, flags)]
    return found


def main() -> None:
    """Print every order with its facts."""
    import tests.conftest  # noqa: F401  (puts the test core in place)

    lists = ((TLS13, "TLS 1.3"), (TLS12, "TLS 1.2"), (POST, "afterwards"))
    for version, name in lists:
        senders = {step.name: step.sender for step in steps(version)}
        for facts, names in every_order(version).items():
            print(f"{name}:", ", ".join(facts) or "full handshake")
            for one in names:
                print("   ", "->" if senders[one] == CLIENT else "<-", one)
            print()


if __name__ == "__main__":
    main()
