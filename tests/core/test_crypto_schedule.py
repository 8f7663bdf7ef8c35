"""The key schedule, transcript and records of published traces."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from tests.clauses import clause
from tests.core import crypto_core
from tests.core.crypto_core import Core, unhex

GROUPS = {"x25519": 0x1D, "secp256r1": 0x17}
SUITES = {
    "TLS_AES_128_GCM_SHA256": (crypto_core.AES_128_GCM, 16),
    "TLS_AES_256_GCM_SHA384": (crypto_core.AES_256_GCM, 32),
}
TYPES = {"handshake": 22, "application_data": 23, "alert": 21}
ALL = [
    *crypto_core.vectors("rfc8448")["traces"],
    *crypto_core.vectors("tls13_sha384_trace")["traces"],
]
# How many records of a trace are protected.
PROTECTED = {
    "simple_1rtt": 7,
    "resumed_0rtt": 8,
    "hello_retry_request": 4,
    "client_auth": 4,
    "compat_mode": 4,
    "illustrated_tls13": 9,
}
KDF = [unhex(v) for v in crypto_core.vectors("tls13_kdf")["vectors"]]
HYBRID = unhex(crypto_core.vectors("x25519mlkem768")["vectors"][0])


@pytest.fixture(scope="module")
def core() -> Core:
    return crypto_core.core()


class Schedule:
    """A pys_keys13, walked by its steps."""

    def __init__(self, core: Core, alg: int, psk: bytes = b""):
        self.core, self.alg = core, alg
        self.keys = core.ffi.new("pys_keys13 *")
        value = core.rd(psk)
        assert core.lib.pys_keys13_early(
            self.keys, core.scratch, alg, value.rd
        )

    def handshake(self, shared: bytes, seen: bytes) -> None:
        value = self.core.rd(shared)
        assert self.core.lib.pys_keys13_handshake(
            self.keys, self.core.scratch, value.rd, seen
        )

    def master(self, seen: bytes) -> None:
        assert self.core.lib.pys_keys13_master(
            self.keys, self.core.scratch, seen
        )

    def resume(self, seen: bytes) -> None:
        assert self.core.lib.pys_keys13_resumption(
            self.keys, self.core.scratch, seen
        )

    def __getattr__(self, name: str) -> bytes:
        return bytes(getattr(self.keys, name))[: self.core.hash_len(self.alg)]


class Transcript:
    """A pys_transcript."""

    def __init__(self, core: Core):
        self.core = core
        self.raw = core.ffi.gc(
            core.ffi.new("pys_transcript *"), core.lib.pys_transcript_wipe
        )
        assert core.lib.pys_transcript_init(self.raw)

    def add(self, message: bytes) -> bool:
        value = self.core.rd(message)
        return bool(self.core.lib.pys_transcript_add(self.raw, value.rd))

    def start(self, alg: int) -> bool:
        return bool(self.core.lib.pys_transcript_start(self.raw, alg))

    def retry(self) -> bool:
        return bool(self.core.lib.pys_transcript_retry(self.raw))

    def now(self) -> bytes | None:
        out = self.core.ffi.new("uint8_t[48]")
        if not self.core.lib.pys_transcript_now(self.raw, out):
            return None
        return bytes(out)[: self.core.hash_len(self.raw.alg)]


class Trace:
    """One trace: its steps with values in bytes, followed by the core."""

    def __init__(self, data: dict[str, Any]):
        self.name = data["name"]
        self.alg = crypto_core.HASH_NAMES[data["hash"]]
        self.aead, self.n_key = SUITES[data["cipher_suite"]]
        self.psk = bytes.fromhex(data.get("psk", ""))
        self.steps = [
            {**step, **unhex(step["fields"])}
            for step in data["steps"]
            if "same_as" not in step
        ]

    def of(self, op: str, **wanted: str) -> list[dict[str, Any]]:
        return [
            step
            for step in self.steps
            if step["op"] == op
            and all(step.get(key) == value for key, value in wanted.items())
        ]

    def derived(self, label: str) -> bytes:
        (step,) = self.of("derive_secret", label=f"tls13 {label}")
        return step["expanded"]

    def step(self, n: int) -> dict[str, Any]:
        (found,) = [step for step in self.steps if step["n"] == n]
        return found

    def messages(self) -> list[tuple[str, str, bytes]]:
        """Give sender, type and bytes of what the transcript is over."""
        found = [
            (step["who"], step["message_type"], step["message"])
            for step in self.of("construct_message")
            if step["message_type"] != "NewSessionTicket"
        ]
        if self.psk:
            # The message as constructed lacks its binders.
            hello = self.of("send_record")[0]["payload"]
            found[0] = ("client", "ClientHello", hello)
        return found

    def shared(self) -> bytes:
        (step,) = self.of("extract_secret", secret_name="handshake")
        return step["ikm"]


TRACES = [Trace(data) for data in ALL]
each_trace = pytest.mark.parametrize("trace", TRACES, ids=lambda t: t.name)


@clause("RFC 8446 7.1", "RFC 8446 4.4.1", "RFC 8446 4.4.4")
@each_trace
def test_schedule_gives_every_secret_of_the_trace(core, trace) -> None:
    seen = Transcript(core)
    keys = Schedule(core, trace.alg, trace.psk)
    messages = trace.messages()
    retried = [kind for _, kind, _ in messages].count("ServerHello") == 2
    hellos = 0
    finished = 0
    assert keys.stage == trace.of("extract_secret")[0]["secret"]

    for who, kind, message in messages:
        if kind == "ServerHello" and hellos == 0:
            assert seen.start(trace.alg)
        hellos += kind == "ServerHello"
        if retried and kind == "ServerHello" and hellos == 1:
            assert seen.retry()
        if kind == "Finished":
            base = getattr(keys, f"{who}_handshake")
            made = core.finished(trace.alg, base, seen.now())
            assert message == b"\x14\0\0" + bytes([len(made)]) + made
            finished += 1
        assert seen.add(message)
        if kind == "ServerHello" and hellos == 1 + retried:
            keys.handshake(trace.shared(), seen.now())
            handshake = trace.of("extract_secret", secret_name="handshake")
            assert keys.stage == handshake[0]["secret"]
        if kind == "Finished" and who == "server":
            keys.master(seen.now())
    keys.resume(seen.now())

    assert finished == 2
    master = trace.of("extract_secret", secret_name="master")
    assert keys.stage == master[0]["secret"]
    assert keys.client_handshake == trace.derived("c hs traffic")
    assert keys.server_handshake == trace.derived("s hs traffic")
    assert keys.client_traffic == trace.derived("c ap traffic")
    assert keys.server_traffic == trace.derived("s ap traffic")
    assert keys.exporter == trace.derived("exp master")
    assert keys.resumption == trace.derived("res master")


@clause("RFC 8446 7.1")
@each_trace
def test_each_derived_value_of_the_trace_is_expand_labels(core, trace) -> None:
    n = core.hash_len(trace.alg)
    ops = ("derive_secret", "generate_resumption_secret")
    steps = [step for op in ops for step in trace.of(op)]
    for step in steps:
        label = step["label"].encode().removeprefix(b"tls13 ")
        made = core.expand_label(
            trace.alg, step["prk"], label, step["hash"], n
        )
        assert made == step["expanded"]
        assert core.expand(trace.alg, step["prk"], step["info"], n) == made
    assert len(steps) >= 7


@clause("RFC 8446 7.1")
@each_trace
def test_each_extracted_secret_of_the_trace_is_hkdf_extracts(
    core, trace
) -> None:
    steps = trace.of("extract_secret")
    for step in steps:
        made = core.extract(trace.alg, step["salt"], step["ikm"])
        assert made == step["secret"]
    assert len(steps) == 3


@clause("RFC 8446 7.3")
@each_trace
def test_each_key_and_iv_of_the_trace_comes_from_its_secret(
    core, trace
) -> None:
    steps = trace.of("derive_traffic_keys")
    for step in steps:
        made = core.traffic(trace.alg, step["prk"], trace.n_key)
        assert made == (step["key_expanded"], step["iv_expanded"])
    assert len(steps) >= 4


@clause("RFC 8446 4.2.11.2", "RFC 8446 4.4.4")
def test_psk_binder_of_the_trace_is_a_finished_value(core) -> None:
    (trace,) = [t for t in TRACES if t.psk]
    (step,) = trace.of("calculate_psk_binder")

    made = core.finished(trace.alg, step["prk"], step["binder_hash"])

    assert made == step["finished"]


@clause("RFC 8446 4.4.4")
@each_trace
def test_finished_over_another_hash_is_another(core, trace) -> None:
    step = trace.of("calculate_finished")[0]
    n = core.hash_len(trace.alg)

    one = core.finished(trace.alg, step["prk"], bytes(n))
    other = core.finished(trace.alg, step["prk"], bytes(n - 1) + b"\1")

    assert one != other
    assert step["finished"] not in (one, other)


@clause("RFC 8446 7.4.2", "RFC 8446 7.4.1", "RFC 8446 4.2.8.2")
@each_trace
def test_key_shares_of_the_trace_agree_on_its_secret(core, trace) -> None:
    pairs = trace.of("create_key_pair")
    for pair in pairs:
        core.fix_share(GROUPS[pair["group"]], pair["private_key"])
        share = core.share(GROUPS[pair["group"]])
        assert share.public() == pair["public_key"]
    (server,) = [p for p in pairs if p["who"] == "server"]
    client = [p for p in pairs if p["who"] == "client"][-1]
    group = GROUPS[server["group"]]

    core.fix_share(group, server["private_key"])
    there = core.respond(group, client["public_key"])
    core.fix_share(group, client["private_key"])
    here = core.share(group).derive(server["public_key"])

    assert there.share == server["public_key"]
    assert there.secret == here.secret == trace.shared()


@clause("RFC 8446 5.2", "RFC 8446 5.3")
@each_trace
def test_each_protected_record_of_the_trace_opens_and_seals_again(
    core, trace
) -> None:
    records = [s for s in trace.of("send_record") if "protection" in s]
    for step in records:
        keys = trace.step(step["protection"]["keys_step"])
        number = step["protection"]["sequence_number"].to_bytes(12, "big")
        iv = keys["iv_expanded"]
        nonce = bytes(a ^ b for a, b in zip(iv, number))
        whole = step["complete_record"]
        kind = bytes([TYPES[step["content_type"]]])
        key = keys["key_expanded"]

        opener = core.aead(trace.aead, key, False)
        text = opener.open(nonce, whole[:5], whole[5:])
        sealer = core.aead(trace.aead, key, True)
        sealed = sealer.seal(nonce, whole[:5], step["payload"], kind)

        assert text == step["payload"] + kind
        assert sealed == whole[5:]
        flipped = whole[5:-1] + bytes([whole[-1] ^ 1])
        assert opener.open(nonce, whole[:5], flipped) is None
    assert len(records) == PROTECTED[trace.name]


def _leaf(message: bytes) -> Any:
    """Give the public key of a Certificate message's first entry."""
    at = 4 + 1 + message[4] + 3
    n = int.from_bytes(message[at : at + 3], "big")
    der = message[at + 3 : at + 3 + n]
    return x509.load_der_x509_certificate(der).public_key()


@clause("RFC 8446 4.4.3")
@each_trace
def test_each_certificate_verify_of_the_trace_verifies(core, trace) -> None:
    messages = trace.messages()
    checked = 0
    for i, (who, kind, message) in enumerate(messages):
        if kind != "CertificateVerify":
            continue
        seen = Transcript(core)
        hellos = [k for _, k, _ in messages[:i]].count("ServerHello")
        for _, before, part in messages[:i]:
            if before == "ServerHello" and not seen.raw.started:
                assert seen.start(trace.alg)
                if hellos == 2:
                    assert seen.retry()
            assert seen.add(part)
        role = b"TLS 1.3, " + who.encode() + b" CertificateVerify"
        content = b" " * 64 + role + b"\0" + seen.now()
        (certificate,) = [
            part
            for sender, k, part in messages[:i]
            if (sender, k) == (who, "Certificate")
        ]
        key = core.public_key(
            _leaf(certificate).public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            )
        )
        scheme = int.from_bytes(message[4:6], "big")

        assert core.fits(scheme, key)
        assert core.verify(key, scheme, content, message[8:])
        assert not core.verify(key, scheme, content[1:], message[8:])
        swapped = message[8:-1] + bytes([message[-1] ^ 1])
        assert not core.verify(key, scheme, content, swapped)
        checked += 1
    want = {"resumed_0rtt": 0, "client_auth": 2}
    assert checked == want.get(trace.name, 1)


@clause("RFC 8446 7.1")
@pytest.mark.parametrize("vector", KDF, ids=lambda v: v["id"])
def test_schedule_gives_the_acvp_secrets(core, vector) -> None:
    alg = crypto_core.HASH_NAMES[vector["hash"]]
    n = core.hash_len(alg)
    seen = Transcript(core)
    hashes = []
    assert seen.start(alg)
    for name in (
        "hello_client",
        "hello_server",
        "finished_server",
        "finished_client",
    ):
        assert seen.add(vector[name])
        hashes.append(seen.now())

    keys = Schedule(core, alg, vector["psk"] or b"")
    early = {
        label: core.expand_label(alg, keys.stage, label, hashes[0], n)
        for label in (b"c e traffic", b"e exp master")
    }
    keys.handshake(vector["dhe"] or bytes(n), hashes[1])
    keys.master(hashes[2])
    keys.resume(hashes[3])

    assert early[b"c e traffic"] == vector["client_early_traffic_secret"]
    assert early[b"e exp master"] == vector["early_exporter_master_secret"]
    made = {
        "client_handshake": "client_handshake_traffic_secret",
        "server_handshake": "server_handshake_traffic_secret",
        "client_traffic": "client_application_traffic_secret",
        "server_traffic": "server_application_traffic_secret",
        "exporter": "exporter_master_secret",
        "resumption": "resumption_master_secret",
    }
    for ours, theirs in made.items():
        assert getattr(keys, ours) == vector[theirs]


@clause("RFC 8446 7.1")
@pytest.mark.parametrize(
    "case", HYBRID["key_schedule"], ids=lambda v: v["hash"]
)
def test_schedule_takes_the_64_bytes_of_the_hybrid(core, case) -> None:
    alg = crypto_core.HASH_NAMES[case["hash"]]
    want = unhex(case)
    keys = Schedule(core, alg)

    keys.handshake(HYBRID["shared_secret"], want["transcript_hash"])

    assert keys.stage == want["handshake_secret"]
    assert keys.client_handshake == want["client_handshake_traffic_secret"]
    assert keys.server_handshake == want["server_handshake_traffic_secret"]


@clause("RFC 8446 7.1")
@pytest.mark.parametrize("alg", [0, 1])
def test_schedule_without_a_psk_is_that_of_a_psk_of_zeros(core, alg) -> None:
    n = core.hash_len(alg)
    walked = []
    for psk in (b"", bytes(n), b"", b"psk" * 10):
        keys = Schedule(core, alg, psk)
        early = keys.stage
        keys.handshake(b"s" * 32, b"h" * n)
        keys.master(b"H" * n)
        walked.append((early, keys.client_handshake, keys.stage))

    assert walked[0] == walked[1] == walked[2]
    assert all(a != b for a, b in zip(walked[0], walked[3]))


@clause("RFC 8446 7.2")
@pytest.mark.parametrize("alg", [0, 1])
def test_next_traffic_secret_is_expand_label_of_the_last(core, alg) -> None:
    n = core.hash_len(alg)
    secret = core.ffi.new("uint8_t[]", bytes(range(n)))
    want = core.expand_label(alg, bytes(range(n)), b"traffic upd", b"", n)

    assert core.lib.pys_keys13_update(core.scratch, alg, secret)

    assert bytes(secret)[:n] == want
    assert core.lib.pys_keys13_update(core.scratch, alg, secret)
    assert bytes(secret)[:n] == core.expand_label(
        alg, want, b"traffic upd", b"", n
    )


@clause("RFC 8446 7.5", "EKM-2")
@pytest.mark.parametrize("alg", [0, 1])
@pytest.mark.parametrize("context", [b"", b"some context"])
@pytest.mark.parametrize("n", [1, 32, 100])
def test_exporter_is_the_rfcs_formula(core, alg, context, n) -> None:
    digest = [hashlib.sha256, hashlib.sha384][alg]
    size = core.hash_len(alg)
    exporter = bytes(range(size))
    base = core.expand_label(
        alg, exporter, b"EXPORTER-x", digest().digest(), size
    )
    want = core.expand_label(
        alg, base, b"exporter", digest(context).digest(), n
    )

    made = core.export(alg, exporter, b"EXPORTER-x", context, n)

    assert made == want


@clause("RFC 8446 7.5")
def test_exporter_beyond_its_limits_is_refused(core) -> None:
    most = 255 * 32

    assert core.export(0, bytes(32), b"l" * 249, b"", most) is not None
    assert core.export(0, bytes(32), b"l" * 250, b"", 32) is None
    assert core.export(0, bytes(32), b"l", b"", most + 1) is None
    assert core.export(0, bytes(32), b"l", bytes(1 << 16), 32) is not None


@clause("RFC 8446 4.4.1")
def test_transcript_before_its_start_keeps_and_has_no_hash(core) -> None:
    seen = Transcript(core)
    assert seen.add(b"a")
    assert seen.now() is None
    assert not seen.retry()
    assert seen.add(b"bc")

    assert seen.start(0)

    assert seen.now() == hashlib.sha256(b"abc").digest()
    assert not seen.start(0)
    assert seen.add(b"d")
    assert seen.now() == hashlib.sha256(b"abcd").digest()


@clause("RFC 8446 4.4.1", "message_hash stands for the first ClientHello")
@pytest.mark.parametrize(("alg", "name"), [(0, "sha256"), (1, "sha384")])
def test_transcript_after_a_retry_begins_with_message_hash(
    core, alg, name
) -> None:
    first = hashlib.new(name, b"hello 1").digest()
    seen = Transcript(core)
    assert seen.add(b"hello 1")
    assert seen.start(alg)
    assert seen.retry()

    assert seen.add(b"retry")

    want = b"\xfe\0\0" + bytes([len(first)]) + first + b"retry"
    assert seen.now() == hashlib.new(name, want).digest()


def test_transcript_keeps_no_more_than_its_limit(core) -> None:
    seen = Transcript(core)
    assert seen.add(bytes(1 << 18))

    assert not seen.add(b"x")
