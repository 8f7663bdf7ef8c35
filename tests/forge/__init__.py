"""An independent TLS 1.3 peer whose every octet a test can change.

See `tests.forge.peer` for how a test bends it, `tests.forge.messages` for the
messages, and `tests.forge.victim` for the drive against `pyssl`.
"""

from __future__ import annotations

from tests.forge.keys import ForgeError
from tests.forge.peer import Alert, ForgeClient, ForgeServer, Peer, Record

__all__ = [
    "Alert",
    "ForgeClient",
    "ForgeError",
    "ForgeServer",
    "Peer",
    "Record",
]
