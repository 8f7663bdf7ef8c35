"""RFC 8448 and one SHA-384 trace, replayed from both sides.

One side is ours; the published bytes are the other. Random values, key
shares and what depends on the other implementation's choices (ClientHello,
EncryptedExtensions, certificates, signatures, cookie) are put in; all that
follows from them - secrets, keys, Finished, records - must come out as
published, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyssl._ffi import ffi, lib
from tests.clauses import clause
from tests.pki import ca

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
TYPES = {
    "ClientHello": 1,
    "EncryptedExtensions": 8,
    "Certificate": 11,
    "CertificateRequest": 13,
    "CertificateVerify": 15,
}
COOKIE, TICKET = 255, 253
# Their servers put the extensions of a ServerHello in another order.
OTHER_ORDER = {("sha384", "ServerHello"), ("resumed_0rtt", "ServerHello")}
GROUPS = {"x25519": 0x001D, "secp256r1": 0x0017}
COMPAT = 0x100000
NO_COMPRESSION = 0x20000
NO_ANTI_REPLAY = 0x1000000
RECORD_LIMIT = 16385
CLOSING = (lib.PYS_IO_DONE, lib.PYS_IO_MOVED)
CERT_KINDS = {"client_auth": ("p256", "rsa")}
COMPAT_TRACES = ("compat_mode", "sha384")


def _traces() -> dict[str, Any]:
    """Read every full-handshake trace by its name."""
    found = {}
    for name in ("rfc8448", "tls13_sha384_trace"):
        data = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
        for trace in data["traces"]:
            found[trace["name"]] = trace["steps"]
    found["sha384"] = found.pop(next(n for n in found if n not in NAMES), None)
    return found


NAMES = (
    "simple_1rtt",
    "resumed_0rtt",
    "hello_retry_request",
    "client_auth",
    "compat_mode",
)
TRACES = _traces()
RESUMED = {"resumed_0rtt": TRACES.pop("resumed_0rtt")}


def _value(step: dict[str, Any], field: str) -> bytes:
    return bytes.fromhex(step["fields"][field])


class Trace:
    """One trace, seen from the side that is ours."""

    def __init__(self, name: str, who: str) -> None:
        self.name = name
        self.who = who
        self.steps = {**TRACES, **RESUMED}[name]

    def of(self, op: str, who: str) -> list[dict[str, Any]]:
        return [s for s in self.steps if s["op"] == op and s["who"] == who]

    def messages(self, who: str) -> list[tuple[str, bytes]]:
        made = self.of("construct_message", who)
        return [(s["message_type"], _value(s, "message")) for s in made]

    def records(self) -> Iterator[tuple[str, str, bytes, bytes]]:
        """Give who, content type, record and content, in order."""
        for step in self.steps:
            if step["op"] == "send_record":
                yield (
                    step["who"],
                    step["content_type"],
                    _value(step, "complete_record"),
                    _value(step, "payload"),
                )


def _inject(trace: Trace) -> None:
    """Put in what our side of the trace chose or drew."""
    for step in trace.of("create_key_pair", trace.who):
        private = _value(step, "private_key")
        lib.pys_test_put_share(GROUPS[step["group"]], private, len(private))
    drawn = b""
    for kind, message in trace.messages(trace.who):
        if kind == "ClientHello" and not drawn:
            drawn += message[6:38] + message[39 : 39 + message[38]]
        if kind == "ServerHello" and not _is_retry(message):
            drawn += message[6:38]
        if kind == "ServerHello" and _is_retry(message):
            cookie = message.index(bytes.fromhex("002c0074")) + 6
            lib.pys_test_put_message(COOKIE, message[cookie:], 114)
    lib.pys_test_put_random(drawn, len(drawn))


def _is_retry(server_hello: bytes) -> bool:
    return server_hello[6:10] == bytes.fromhex("cf21ad74")


def _settings(trace: Trace) -> Any:
    s = ffi.gc(lib.pys_settings_new(), lib.pys_settings_free)
    options = NO_COMPRESSION
    options |= COMPAT if trace.name in COMPAT_TRACES else 0
    lib.pys_settings_set_number(s, lib.PYS_OPTIONS, options)
    lib.pys_settings_set_number(s, lib.PYS_RECORD_LIMIT, RECORD_LIMIT)
    lib.pys_settings_set_number(s, lib.PYS_NUM_TICKETS, 0)
    lib.pys_settings_set_number(s, lib.PYS_MIN_VERSION, 0x0304)
    asks = 1 << lib.PYS_ASK_VERIFY | lib.PYS_HEAR_KEYLOG
    lib.pys_settings_set_number(s, lib.PYS_ASKS, asks)
    if trace.who == "server" and trace.name == "client_auth":
        lib.pys_settings_set_number(s, lib.PYS_VERIFY_MODE, 1)
    if trace.name == "hello_retry_request":
        order = [0x17] if trace.who == "server" else [0x1D, 0x17]
        assert lib.pys_settings_set_list(
            s, lib.PYS_KIND_GROUP, order, len(order)
        )
    else:
        assert lib.pys_settings_set_list(s, lib.PYS_KIND_GROUP, [0x1D], 1)
    server, client = CERT_KINDS.get(trace.name, ("rsa", None))
    kind = server if trace.who == "server" else client
    if kind is not None:
        _use(s, ca.leaf(kind))
    return s


def _use(settings: Any, identity: ca.Identity) -> None:
    """Load a certificate; what is sent is replaced by the trace's."""
    f = ffi.new("pys_fault *")
    der = identity.cert_der
    cert = lib.pys_cert_from_der(ffi.from_buffer(der), len(der), f)
    key = lib.pys_key_from_der(identity.key_der, len(identity.key_der), f)
    assert lib.pys_settings_use_cert(settings, cert, f)
    assert lib.pys_settings_use_key(settings, key, f)
    lib.pys_cert_free(cert)
    lib.pys_key_free(key)


class Side:
    """Our side of a trace, on two memory BIOs."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.settings = _settings(trace)
        self.rbio = ffi.gc(lib.pys_bio_new(lib.PYS_BIO_MEM), lib.pys_bio_free)
        self.wbio = ffi.gc(lib.pys_bio_new(lib.PYS_BIO_MEM), lib.pys_bio_free)
        self.conn = ffi.gc(lib.pys_conn_new(self.settings), lib.pys_conn_free)
        role = lib.PYS_SERVER if trace.who == "server" else lib.PYS_CLIENT
        lib.pys_conn_set_bio(self.conn, self.rbio, self.wbio)
        lib.pys_conn_set_role(self.conn, role)
        if trace.who == "client":
            assert lib.pys_conn_set_server_name(self.conn, b"server", 6)
        self.left = [
            (TYPES.get(kind, 2), message)
            for kind, message in trace.messages(trace.who)
            if kind in TYPES or (trace.name, kind) in OTHER_ORDER
        ]

    def step(self) -> None:
        """Run the handshake on as far as it goes."""
        queued: set[int] = set()
        while self.left and self.left[0][0] not in queued:
            kind, message = self.left.pop(0)
            lib.pys_test_put_message(kind, message, len(message))
            queued.add(kind)
        io = lib.pys_conn_handshake(self.conn)
        while io == lib.PYS_IO_ASK:
            lib.pys_conn_answer(self.conn, lib.PYS_GO_ON, 0, ffi.NULL, 0)
            io = lib.pys_conn_handshake(self.conn)
        fault = lib.pys_conn_fault(self.conn)
        assert io in (lib.PYS_IO_DONE, lib.PYS_IO_WANT_READ), (
            io,
            fault.alert,
            [hex(c) for c in fault.codes],
        )

    def sent(self) -> bytes:
        """Take what was written."""
        n = lib.pys_bio_ctrl(self.wbio, 10, 0)
        out = ffi.new("uint8_t[]", max(n, 1))
        return bytes(ffi.buffer(out, lib.pys_bio_read(self.wbio, out, n)))

    def feed(self, data: bytes) -> None:
        assert lib.pys_bio_write(self.rbio, data, len(data)) == len(data)

    def read(self) -> bytes:
        out = ffi.new("uint8_t[16384]")
        got = lib.pys_conn_read(self.conn, out, 16384, False)
        return bytes(ffi.buffer(out, max(got, 0)))

    def write(self, data: bytes) -> None:
        assert lib.pys_conn_write(self.conn, data, len(data)) == len(data)

    def open(self) -> bool:
        return bool(lib.pys_conn_phase(self.conn) == lib.PYS_OPEN)


def _split(stream: bytes) -> list[bytes]:
    """Cut a stream into records."""
    out = []
    while stream:
        n = 5 + int.from_bytes(stream[3:5], "big")
        out.append(stream[:n])
        stream = stream[n:]
    return out


def _replay(trace: Trace) -> tuple[Side, list[bytes], list[bytes]]:
    """Run a whole trace; give what we sent and what we should have."""
    side = Side(trace)
    _inject(trace)  # behind the settings, which draw ticket keys
    sent: list[bytes] = []
    expected: list[bytes] = []
    for who, content, record, payload in trace.records():
        if who != trace.who:
            side.feed(record)
            continue
        expected.append(record)
        if not side.open():
            side.step()
        if content == "application_data":
            side.read()
            side.write(payload)
        elif content == "alert":
            side.read()
            assert lib.pys_conn_shutdown(side.conn) in CLOSING
        sent += _split(side.sent())
    return side, sent, expected


def _own_tickets(trace: Trace) -> bool:
    """A trace whose server sends tickets: those are not ours to make."""
    kinds = [kind for kind, _ in trace.messages("server")]
    return trace.who == "server" and "NewSessionTicket" in kinds


@clause("RFC 8446 4.1.2", "RFC 8446 4.4", "RFC 8446 7.1")
@pytest.mark.parametrize("name", sorted(TRACES))
def test_trace_when_replayed_as_client_is_byte_exact(name: str) -> None:
    side, sent, expected = _replay(Trace(name, "client"))

    assert sent == expected
    assert side.open()


@clause("RFC 8446 4.1.3", "RFC 8446 4.1.4", "RFC 8446 4.4", "RFC 8446 7.1")
@pytest.mark.parametrize("name", sorted(TRACES))
def test_trace_when_replayed_as_server_is_byte_exact(name: str) -> None:
    trace = Trace(name, "server")
    side, sent, expected = _replay(trace)

    if name == "sha384":
        # Its server puts each message in a record of its own.
        assert sent[:2] == expected[:2]
    elif _own_tickets(trace):
        assert sent[:2] == expected[:2]
    else:
        assert sent == expected
    assert side.open() or name == "sha384"


@clause("KLOG-2", "RFC 8446 7.1")
@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("name", sorted(TRACES))
def test_trace_when_replayed_logs_the_published_secrets(
    name: str, who: str
) -> None:
    side, _, _ = _replay(Trace(name, who))
    secrets = [
        s["fields"].get("expanded", "")
        for s in TRACES[name]
        if s["op"] == "derive_secret"
    ]
    lines = []
    while (line := lib.pys_conn_next_keylog(side.conn)) != ffi.NULL:
        lines.append(ffi.string(line).decode().split())

    assert [words[0] for words in lines] == [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ]
    assert all(words[2] in secrets for words in lines)


# ---- resumed, with early data ----------------------------------------------


def _hello(trace: Trace) -> bytes:
    """The whole ClientHello; the trace constructs it up to the binders."""
    return next(payload for _, _, _, payload in trace.records())


def _session(trace: Trace) -> tuple[Any, int]:
    """The session of the trace before, and its age as the client says it."""
    hello = _hello(trace)
    early = next(
        s for s in trace.of("extract_secret", "client") if "ikm" in s["fields"]
    )
    psk = _value(early, "ikm")
    # RFC 8446 4.2.11: one identity, its length and age, one binder.
    binders = 2 + 1 + 32
    ticket = hello[: -binders - 4]
    at = ticket.rindex(bytes.fromhex("0029")) + 2 + 2 + 2
    size = int.from_bytes(hello[at : at + 2], "big")
    ticket = ticket[at + 2 :]
    assert len(ticket) == size
    age = int.from_bytes(hello[-binders - 4 : -binders], "big")

    # Its age is not veiled, as it was made at the beginning of time.
    lib.pys_test_set_now(age)
    s = ffi.gc(lib.pys_session_new(), lib.pys_session_free)
    for which, value in (
        (lib.PYS_SESSION_VERSION, 0x0304),
        (lib.PYS_SESSION_SUITE, 0x1301),
        (lib.PYS_SESSION_MAX_EARLY_DATA, 1024),
        (lib.PYS_SESSION_TIME, age // 1000),
        (lib.PYS_SESSION_LIFE, 7200),
    ):
        assert lib.pys_session_set_number(s, which, value)
    for which, value in (
        (lib.PYS_SESSION_SECRET, psk),
        (lib.PYS_SESSION_NAME, b"server"),
        (lib.PYS_SESSION_TICKET, ticket),
    ):
        assert lib.pys_session_set_bytes(s, which, value, len(value))
    return s, age


def _logged(side: Side) -> dict[str, str]:
    """Give the secrets that a side has logged."""
    found = {}
    while (line := lib.pys_conn_next_keylog(side.conn)) != ffi.NULL:
        label, _, secret = ffi.string(line).decode().split()
        found[label] = secret
    return found


@clause("RFC 8446 2.3", "RFC 8446 4.2.11.2", "RFC 8446 4.5", "RFC 8446 7.1")
def test_resumed_trace_when_replayed_as_client_is_byte_exact() -> None:
    trace = Trace("resumed_0rtt", "client")
    side = Side(trace)
    lib.pys_conn_set_session(side.conn, _session(trace)[0])
    _inject(trace)
    sent: list[bytes] = []
    expected: list[bytes] = []
    for n, (who, content, record, payload) in enumerate(trace.records()):
        if who != "client":
            side.feed(record)
            continue
        expected.append(record)
        if content == "application_data" and n == 1:
            kind, _ = side.left.pop(0)
            hello = _hello(trace)
            lib.pys_test_put_message(kind, hello, len(hello))
            took = lib.pys_conn_write_early(side.conn, payload, len(payload))
            assert took == len(payload)
        elif n > 1 and not side.open():
            side.step()
        if side.open() and content == "application_data":
            side.write(payload)
        elif content == "alert":
            side.read()
            assert lib.pys_conn_shutdown(side.conn) in CLOSING
        sent += _split(side.sent())

    assert sent == expected
    assert side.open()
    assert lib.pys_conn_early_status(side.conn) == 2
    assert _logged(side) == _published(trace)


def _published(trace: Trace) -> dict[str, str]:
    """Give the secrets of the trace under the labels of the key log."""
    published = {
        s["label"]: s["fields"]["expanded"]
        for s in trace.steps
        if s["op"] == "derive_secret" and "expanded" in s["fields"]
    }
    return {
        "CLIENT_EARLY_TRAFFIC_SECRET": published["tls13 c e traffic"],
        "EARLY_EXPORTER_SECRET": published["tls13 e exp master"],
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET": published["tls13 c hs traffic"],
        "SERVER_HANDSHAKE_TRAFFIC_SECRET": published["tls13 s hs traffic"],
        "CLIENT_TRAFFIC_SECRET_0": published["tls13 c ap traffic"],
        "SERVER_TRAFFIC_SECRET_0": published["tls13 s ap traffic"],
        "EXPORTER_SECRET": published["tls13 exp master"],
    }


def _seal(settings: Any, session: Any) -> None:
    """Let the server take the trace's ticket for one of its own."""
    key = bytes(range(80))
    keys = ffi.gc(lib.pys_ticket_keys_new(), lib.pys_ticket_keys_free)
    assert lib.pys_ticket_keys_set(keys, key, 1)
    assert lib.pys_settings_set_ticket_keys(settings, key, 1)
    out = ffi.new("uint8_t[4096]")
    n = lib.pys_test_ticket_seal(keys, session, out, 4096)
    assert 0 < n < 4096
    lib.pys_test_put_message(TICKET, out, n)


@clause("RFC 8446 2.3", "RFC 8446 4.2.11.2", "RFC 8446 4.5", "RFC 8446 7.1")
def test_resumed_trace_when_replayed_as_server_is_byte_exact() -> None:
    trace = Trace("resumed_0rtt", "server")
    session, _ = _session(trace)
    side = Side(trace)
    for which, value in (
        (lib.PYS_MAX_EARLY_DATA, 1024),
        # Nobody remembers what was before this server began.
        (lib.PYS_OPTIONS, NO_COMPRESSION | NO_ANTI_REPLAY),
    ):
        lib.pys_settings_set_number(side.settings, which, value)
    _seal(side.settings, session)
    _inject(trace)
    while side.left:
        kind, message = side.left.pop(0)
        lib.pys_test_put_message(kind, message, len(message))
    sent: list[bytes] = []
    expected: list[bytes] = []
    early = b""
    out, n = ffi.new("uint8_t[99]"), ffi.new("size_t *")
    last = ffi.new("bool *")
    for who, content, record, payload in trace.records():
        if who == "client":
            side.feed(record)
        else:
            expected.append(record)
        while not last[0]:
            n[0] = 99
            io = lib.pys_conn_read_early(side.conn, out, n, last)
            if io != lib.PYS_IO_DONE:
                assert io == lib.PYS_IO_WANT_READ
                break
            early += b"" if last[0] else bytes(ffi.buffer(out, n[0]))
        if last[0] and not side.open():
            side.step()
        if who == "server" and content == "application_data":
            side.read()
            side.write(payload)
        elif who == "server" and content == "alert":
            side.read()
            assert lib.pys_conn_shutdown(side.conn) in CLOSING
        sent += _split(side.sent())

    assert early == b"ABCDEF"
    assert sent == expected
    assert lib.pys_conn_early_status(side.conn) == 2
    assert _logged(side) == _published(trace)
