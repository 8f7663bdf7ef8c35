"""What was on the wire, opened with a key log (contract section 6.11).

`Capture` gathers the key log lines and the bytes of a mem link; then
`messages(side)` gives the handshake messages that the side sent, and
`records(side)` what every record held.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyssl as p
from tests.api.links import MemLink, make_ends, outcome, take
from tests.forge import keys, messages

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23


def log_of(ctx: p.SSL_CTX) -> list[str]:
    """Keep the key log lines of a context's connections."""
    lines: list[str] = []
    p.SSL_CTX_set_keylog_callback(ctx, lambda _, line: lines.append(line))
    return lines


def secrets_of(lines: list[str]) -> dict[str, bytes]:
    """Give the secrets by label; a label twice is an error."""
    found = {}
    for line in lines:
        label, _, secret = line.split(" ")
        assert label not in found, line
        found[label] = bytes.fromhex(secret)
    return found


def split_records(data: bytes) -> list[bytes]:
    """Split a stream into whole records."""
    found = []
    while data:
        size = 5 + int.from_bytes(data[3:5], "big")
        assert len(data) >= size
        found.append(data[:size])
        data = data[size:]
    return found


def hello_of(stream: bytes) -> messages.ClientHello:
    """Parse the ClientHello that a stream begins with."""
    first = split_records(stream)[0]
    assert first[0] == HANDSHAKE
    (kind, body), *_ = messages.split(first[5:])
    assert kind == messages.CLIENT_HELLO
    return messages.ClientHello.parse(body)


def suite_of(ssl: p.SSL) -> keys.Suite:
    """Give the suite that was agreed, as the forge knows it."""
    cipher = p.SSL_get_current_cipher(ssl)
    assert cipher is not None
    return keys.SUITES[p.SSL_CIPHER_get_protocol_id(cipher)]


class Capture:
    """A mem link whose bytes and secrets are kept."""

    def __init__(self, client_ctx: p.SSL_CTX, server_ctx: p.SSL_CTX) -> None:
        self.lines = log_of(client_ctx)
        self.server_lines = log_of(server_ctx)
        self.link = MemLink(*make_ends(client_ctx, server_ctx))
        self.sent = {"client": b"", "server": b""}

    def step(self, side: str) -> tuple[int, int]:
        """Call one side's handshake and carry over what it wrote."""
        ssl = getattr(self.link, side)
        result = outcome(ssl, p.SSL_do_handshake(ssl))
        self.carry(side)
        return result

    def carry(self, side: str) -> None:
        """Carry over what a side wrote."""
        out = take(getattr(self.link, f"{side}_out"))
        other = "server" if side == "client" else "client"
        if out:
            into = getattr(self.link, f"{other}_in")
            assert p.BIO_write(into, out) == len(out)
        self.sent[side] += out

    def run(self, rounds: int = 3) -> Capture:
        """Call client and server in turn."""
        for _ in range(rounds):
            self.step("client")
            self.step("server")
        return self

    def records(self, side: str) -> Iterator[tuple[int, bytes]]:
        """Give the type and the content of each record of a side."""
        suite = suite_of(self.link.client)
        found = secrets_of(self.lines or self.server_lines)
        side_log = side.upper()
        guard = keys.Protection(
            suite, found[f"{side_log}_HANDSHAKE_TRAFFIC_SECRET"], "handshake"
        )
        for record in split_records(self.sent[side]):
            if record[0] != DATA:
                yield record[0], record[5:]
                continue
            kind, content = guard.open(record)
            yield kind, content
            if kind == HANDSHAKE and _ends(content):
                guard = keys.Protection(
                    suite, found[f"{side_log}_TRAFFIC_SECRET_0"], "application"
                )

    def messages(self, side: str) -> list[tuple[int, bytes]]:
        """Give the handshake messages of a side: type and body."""
        joined = b"".join(
            content
            for kind, content in self.records(side)
            if kind == HANDSHAKE
        )
        return list(messages.split(joined))

    def message(self, side: str, kind: int) -> bytes:
        """Give the body of the one message of a type."""
        (found,) = [b for k, b in self.messages(side) if k == kind]
        return found

    def extensions(self) -> dict[int, bytes]:
        """Give what the server's EncryptedExtensions holds."""
        body = self.message("server", messages.ENCRYPTED_EXTENSIONS)
        parsed = messages.EncryptedExtensions.parse(body)
        return dict(parsed.extensions or [])


def _ends(content: bytes) -> bool:
    """Tell whether the handshake messages of a record end with Finished.

    The messages of these tests are never cut between records.
    """
    return any(k == messages.FINISHED for k, _ in messages.split(content))
