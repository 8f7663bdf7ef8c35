"""Independent TLS 1.3 and 1.2 peers whose every octet a test can change.

See `tests.forge.peer` for how a test bends them, `tests.forge.messages` and
`tests.forge.messages12` for the messages, and `tests.forge.victim` for the
drive against `pyssl`.
"""

from __future__ import annotations

from tests.forge.keys import ForgeError
from tests.forge.keys12 import Session12
from tests.forge.peer import Alert, ForgeClient, ForgeServer, Peer, Record
from tests.forge.peer12 import ForgeClient12, ForgeServer12, Peer12

__all__ = [
    "Alert",
    "ForgeClient",
    "ForgeClient12",
    "ForgeError",
    "ForgeServer",
    "ForgeServer12",
    "Peer",
    "Peer12",
    "Record",
    "Session12",
]
