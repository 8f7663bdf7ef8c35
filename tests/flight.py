"""The legal orders of handshake messages, worked out from the core's steps.

`python -m tests.flight` (make table) prints them.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

RETRIED, CLIENT_AUTH, CLIENT_CERT, PSK = 1, 2, 4, 32
FLAGS = {
    "retry": RETRIED,
    "client auth": CLIENT_AUTH,
    "client certificate": CLIENT_CERT,
    "PSK": PSK,
}
# What an optional step depends on: the sender's own decision.
OPTIONAL = {"HelloRetryRequest": RETRIED, "CertificateRequest": CLIENT_AUTH}
CLIENT = 0


class Step(NamedTuple):
    """A row of csrc/handshake/flight.c."""

    name: str
    type: int
    sender: int
    when: int
    unless: int
    optional: bool


def steps() -> list[Step]:
    """Read the rows from the core."""
    from pyssl._ffi import ffi, lib

    row = ffi.new("pys_test_step *")
    found = []
    while lib.pys_test_step_at(len(found), row):
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


def order(flags: int) -> list[Step]:
    """Give the messages of a handshake for which these facts hold."""
    return [
        step
        for step in steps()
        if step.when & flags == step.when
        and not step.unless & flags
        and (not step.optional or OPTIONAL[step.name] & flags)
    ]


def legal(flags: int) -> bool:
    """Tell whether the facts can hold together."""
    if flags & CLIENT_CERT and not flags & CLIENT_AUTH:
        return False
    return not (flags & PSK and flags & CLIENT_AUTH)


def every_order() -> dict[tuple[str, ...], list[str]]:
    """Expand the rows over all facts: facts to names of steps."""
    found = {}
    for picked in itertools.product((False, True), repeat=len(FLAGS)):
        facts = tuple(n for n, yes in zip(FLAGS, picked) if yes)
        flags = sum(FLAGS[name] for name in facts)
        if legal(flags):
            found[facts] = [step.name for step in order(flags)]
    return found


def main() -> None:
    """Print every order with its facts."""
    import tests.conftest  # noqa: F401  (puts the test core in place)

    senders = {step.name: step.sender for step in steps()}
    for facts, names in every_order().items():
        print(", ".join(facts) or "full handshake")
        for name in names:
            print("   ", "->" if senders[name] == CLIENT else "<-", name)
        print()


if __name__ == "__main__":
    main()
