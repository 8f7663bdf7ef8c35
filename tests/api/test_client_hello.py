"""The parsed ClientHello: real ones, broken ones, and the man page's calls."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from hypothesis import given, strategies as st

import pyssl as p
from pyssl.hello import ClientHello, is_grease
from tests.api.links import MemLink, connected, make_contexts, make_ends
from tests.clauses import clause
from tests.forge import messages as m

_FILE = Path(__file__).parent.parent / "vectors" / "client_hellos.json"
HELLOS: dict[str, dict[str, Any]] = {
    one["id"]: one
    for one in json.loads(_FILE.read_text("utf-8"))["client_hellos"]
}
each = pytest.mark.parametrize("name", sorted(HELLOS))

# Every property that reads an extension.
PROPERTIES = [
    name
    for name, value in vars(ClientHello).items()
    if isinstance(value, property)
]


def read(name: str) -> ClientHello:
    """Read a real hello."""
    return ClientHello.parse_message(bytes.fromhex(HELLOS[name]["handshake"]))


def hexes(numbers: Any) -> list[str]:
    """Write numbers as the vectors do."""
    return [f"{one:04x}" for one in numbers]


def plain(numbers: Any) -> list[int]:
    """Leave out what stands for nothing (RFC 8701)."""
    return [one for one in numbers if not is_grease(one)]


# ---- real hellos ----------------------------------------------------------


@each
@clause("RFC 8446 4.1.2", "RFC 8446 4.2")
def test_real_hello_is_read(name: str) -> None:
    hello, want = read(name), HELLOS[name]["summary"]

    assert f"{hello.legacy_version:04x}" == want["legacy_version"]
    assert len(hello.random) == 32
    assert len(hello.session_id) == want["session_id_length"]
    assert hexes(hello.cipher_suites) == want["cipher_suites"]
    assert hexes(hello.extension_types) == want["extensions"]
    assert hello.server_name == want["server_name"]
    assert [one.decode() for one in hello.alpn] == want["alpn"]
    assert hexes(hello.supported_versions) == want["supported_versions"]
    assert hexes(hello.groups) == want["supported_groups"]
    assert hexes(hello.signature_algorithms) == want["signature_algorithms"]
    assert hello.early_data == want["early_data"]
    assert bool(hello.psk_identities) == want["pre_shared_key"]
    assert len(hello.raw) + 4 == want["length"]
    grease = [*hello.cipher_suites, *hello.extension_types]
    assert any(map(is_grease, grease)) == want["grease"]
    for one in PROPERTIES:  # each can be read
        getattr(hello, one)


def ja3(hello: ClientHello) -> str:
    """Fingerprint a hello in the JA3 way."""
    parts = (
        hello.cipher_suites,
        hello.extension_types,
        hello.groups,
        hello.ec_point_formats,
    )
    lists = ["-".join(map(str, plain(part))) for part in parts]
    text = ",".join([str(hello.legacy_version), *lists])
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ja4(hello: ClientHello) -> str:
    """Fingerprint a hello in the JA4 way, over TCP."""
    names = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10"}
    names[0x0300] = "s3"
    suites, kinds = plain(hello.cipher_suites), plain(hello.extension_types)
    version = names.get(max(plain(hello.versions)), "00")  # a draft
    protocol = "00"
    if hello.alpn:
        first = hello.alpn[0].decode()
        protocol = first[0] + first[-1]
    head = "".join(
        (
            f"t{version}",
            "i" if hello.server_name is None else "d",
            f"{min(len(suites), 99):02}{min(len(kinds), 99):02}{protocol}",
        )
    )
    rest = ",".join(sorted(hexes(k for k in kinds if k not in (0, 16))))
    schemes = ",".join(hexes(plain(hello.signature_algorithms)))
    rest = f"{rest}_{schemes}" if schemes else rest
    tails = [
        hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12
        for text in (",".join(sorted(hexes(suites))), rest)
    ]
    return "_".join([head, *tails])


@each
def test_fingerprints_can_be_made_of_it(name: str) -> None:
    hello, want = read(name), HELLOS[name]["summary"]

    assert ja3(hello) == want["ja3"]
    assert ja4(hello) == want["ja4"]


@clause("RFC 8701 2")
def test_grease_is_sixteen_values() -> None:
    found = [one for one in range(65536) if is_grease(one)]
    assert found == [0x1010 * i + 0x0A0A for i in range(16)]


# ---- broken hellos --------------------------------------------------------


@each
@clause("RFC 8446 4.1.2", "RFC 8446 6.2")
def test_hello_cut_anywhere_is_a_value_error(name: str) -> None:
    body = read(name).raw
    for at in range(len(body)):
        if (
            at
            == len(body)
            - sum(4 + len(c) for _, c in read(name).extensions)
            - 2
        ):
            continue  # RFC 5246 7.4.1.2: no extensions at all is a hello
        with pytest.raises(ValueError, match=r"^ClientHello: .* early"):
            ClientHello.parse(body[:at])


HEAD = bytes.fromhex("0303") + bytes(32)
FULL = HEAD + bytes.fromhex("00000213010100")


@clause("RFC 8446 4.1.2")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "legacy_version ends early: 2 octets wanted, 0 left"),
        (HEAD[:33], "random ends early: 32 octets wanted, 31 left"),
        (HEAD + b"\x21" + bytes(33), "session_id of 33 octets"),
        (HEAD + b"\0\0\0", "cipher_suites of 0 octets, at least 2"),
        (HEAD + b"\0\0\x03abc", "cipher_suites of 3 octets, not even"),
        (HEAD + b"\0\0\2ab\0", "compression_methods of 0 octets, at least 1"),
        (FULL + b"\0", "length of extensions ends early"),
        (FULL + b"\0\0x", "1 octets left over"),
        (FULL + b"\0\1x", "type of extension ends early"),
        (FULL + b"\0\4\0\5\0\1", "extension 5 ends early: 1 octets wanted"),
        (FULL + b"\0\10\0\5\0\0\0\5\0\0", "extension 5 comes twice"),
    ],
)
def test_malformed_hello_says_where(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=f"^ClientHello: {words}"):
        ClientHello.parse(body)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"", "type ends early"),
        (b"\2\0\0\0", "type 2 is no ClientHello"),
        (b"\1\0\0\1", "body ends early"),
        (b"\1" + len(FULL).to_bytes(3, "big") + FULL + b"x", "1 octets left"),
    ],
)
def test_other_messages_are_refused(message: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ClientHello.parse_message(message)


def with_ext(kind: int, content: bytes) -> ClientHello:
    """Make a hello with one extension."""
    block = m.u16(kind) + m.vec(2, content)
    return ClientHello.parse(FULL + m.vec(2, block))


GOOD: list[tuple[str, int, str, object]] = [
    ("server_name", 0, "0006000003612e62", "a.b"),
    ("server_name", 0, "0004000001ff", "\\xff"),
    ("server_name", 0, "000401000161", None),
    ("max_fragment_length", 1, "02", 2),
    ("status_request", 5, "0100000000", 1),
    ("status_request", 5, "07", 7),
    ("groups", 10, "0004001d0017", (29, 23)),
    ("ec_point_formats", 11, "0100", (0,)),
    ("signature_algorithms", 13, "00020403", (0x0403,)),
    ("alpn", 16, "0006026832026833", (b"h2", b"h3")),
    ("asks_sct", 18, "", True),
    ("padding", 21, "000000", 3),
    ("extended_master_secret", 23, "", True),
    ("compress_certificate", 27, "020002", (2,)),
    ("record_size_limit", 28, "4001", 16385),
    ("delegated_credentials", 34, "00020403", (0x0403,)),
    ("session_ticket", 35, "", b""),
    ("session_ticket", 35, "61", b"a"),
    (
        "psk_identities",
        41,
        "0007000161000000050021" + "20" + "00" * 32,
        ((b"a", 5),),
    ),
    ("psk_binders", 41, "0007000161000000050021" + "20" + "00" * 32,
     (bytes(32),)),
    ("early_data", 42, "", True),
    ("supported_versions", 43, "0403040303", (0x0304, 0x0303)),
    ("versions", 43, "020304", (0x0304,)),
    ("cookie", 44, "000161", b"a"),
    ("psk_modes", 45, "020100", (1, 0)),
    ("certificate_authorities", 47, "0003000161", (b"a",)),
    ("post_handshake_auth", 49, "", True),
    ("signature_algorithms_cert", 50, "00020804", (0x0804,)),
    ("key_shares", 51, "0005001d000161", ((29, b"a"),)),
    ("key_shares", 51, "0000", ()),
    ("key_share_groups", 51, "0005001d000161", (29,)),
    ("renegotiation_info", 0xFF01, "00", b""),
    ("renegotiation_info", 0xFF01, "0161", b"a"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "content", "want"), GOOD)
def test_extension_is_read(
    name: str, kind: int, content: str, want: object
) -> None:
    hello = with_ext(kind, bytes.fromhex(content))

    assert getattr(hello, name) == want
    assert hello.extensions == ((kind, bytes.fromhex(content)),)
    assert hello.extension(kind) == bytes.fromhex(content)
    assert hello.extension(0x1234) is None


@pytest.mark.parametrize("name", PROPERTIES)
def test_missing_extension_is_none_or_empty(name: str) -> None:
    hello = ClientHello.parse(FULL)
    if name == "versions":
        assert hello.versions == (0x0303,)
    else:
        assert not getattr(hello, name)


BAD: list[tuple[str, int, str, str]] = [
    ("server_name", 0, "", "length of list ends early"),
    ("server_name", 0, "0000", "list of 0 octets"),
    ("server_name", 0, "0003000000", "name of 0 octets"),
    ("server_name", 0, "000400000161ff", "1 octets left over"),
    ("max_fragment_length", 1, "", "number ends early"),
    ("status_request", 5, "", "type ends early"),
    ("groups", 10, "0003001d00", "not even"),
    ("groups", 10, "0000", "list of 0 octets, at least 2"),
    ("ec_point_formats", 11, "00", "at least 1"),
    ("signature_algorithms", 13, "000404", "list ends early"),
    ("alpn", 16, "000100", "item of 0 octets"),
    ("alpn", 16, "00020361", "item ends early"),
    ("asks_sct", 18, "00", "1 octets left over"),
    ("early_data", 42, "00", "1 octets left over"),
    ("supported_versions", 43, "03030403", "not even"),
    ("cookie", 44, "0000", "cookie of 0 octets"),
    ("psk_modes", 45, "00", "at least 1"),
    ("key_shares", 51, "0004001d0000", "key of 0 octets"),
    ("key_shares", 51, "000100", "group ends early"),
    ("record_size_limit", 28, "400100", "1 octets left over"),
    ("renegotiation_info", 0xFF01, "", "ends early"),
    ("psk_identities", 41, "0000", "identities of 0 octets, at least 7"),
    ("psk_identities", 41, "000700016100000005", "binders ends early"),
    (
        "psk_binders",
        41,
        "0007000161000000050042" + ("20" + "00" * 32) * 2,
        "2 binders for 1 identities",
    ),
    (
        "psk_binders",
        41,
        "0007000161000000050021" + "1f" + "00" * 32,
        "binder of 31 octets, at least 32",
    ),
]


@pytest.mark.parametrize(("name", "kind", "content", "words"), BAD)
def test_malformed_extension_is_a_value_error_when_asked_for(
    name: str, kind: int, content: str, words: str
) -> None:
    hello = with_ext(kind, bytes.fromhex(content))

    with pytest.raises(ValueError, match=words):
        getattr(hello, name)


@given(name=st.sampled_from(sorted(HELLOS)), data=st.data())
def test_bent_hello_is_read_or_a_value_error(
    name: str, data: st.DataObject
) -> None:
    body = bytearray(read(name).raw)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    try:
        hello = ClientHello.parse(bytes(body))
    except ValueError:
        return
    assert hello.raw == body
    for one in PROPERTIES:
        try:
            getattr(hello, one)
        except ValueError as e:
            assert str(e)  # noqa: PT017 - any other exception is a bug


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_a_value_error(octets: bytes) -> None:
    for parse in (ClientHello.parse, ClientHello.parse_message):
        try:
            hello = parse(octets)
        except ValueError:
            continue
        assert octets.endswith(hello.raw)


def test_arguments_are_bytes_like() -> None:
    assert ClientHello.parse(bytearray(FULL)).raw == FULL
    for bad in ("text", None, 7):
        with pytest.raises(TypeError):
            ClientHello.parse(bad)  # type: ignore[arg-type]


# ---- in callbacks ---------------------------------------------------------


def at(
    ctx: p.SSL_CTX, where: str, look: Callable[[p.SSL], object]
) -> list[Any]:
    """Let look run in a callback of a server; what it found is the list."""
    found: list[Any] = []

    def note(ssl: p.SSL, result: Any) -> Any:
        found.append(look(ssl))
        return result

    if where == "hello":
        p.SSL_CTX_set_client_hello_cb(ctx, lambda s, _, __: note(s, 1))
    elif where == "name":
        p.SSL_CTX_set_tlsext_servername_callback(
            ctx, lambda s, _, __: note(s, 0)
        )
    elif where == "cert":
        p.SSL_CTX_set_cert_cb(ctx, lambda s, _: note(s, 1))
    else:
        p.SSL_CTX_set_alpn_select_cb(ctx, lambda s, _, __: note(s, (0, b"h2")))
    return found


@clause("SNI-9")
@pytest.mark.parametrize("where", ["hello", "name", "cert", "alpn"])
@pytest.mark.parametrize("version", [p.TLS1_2_VERSION, 0])
def test_callbacks_see_the_hello(where: str, version: int) -> None:
    client, server = make_contexts(version=version)
    assert p.SSL_CTX_set_alpn_protos(client, b"\x02h2") == 0
    found = at(server, where, p.SSL.client_hello)
    link = MemLink(*make_ends(client, server))
    assert link.server.client_hello() is None
    link.established()

    assert len(found) == 1
    hello: Optional[ClientHello] = found[0]
    assert hello is not None
    assert hello.server_name == "localhost"
    assert hello.alpn == (b"h2",)
    assert hello.versions[0] == (version or p.TLS1_3_VERSION)
    assert link.server.client_hello() is None
    assert link.client.client_hello() is None


@clause("SNI-9", "CV-1")
def test_calls_of_the_man_page_agree_with_the_hello() -> None:
    client, server = make_contexts()

    def look(ssl: p.SSL) -> tuple[Any, ...]:
        hello = ssl.client_hello()
        assert hello is not None
        assert p.SSL_client_hello_get0_ext(ssl, 0) == (1, hello.extension(0))
        assert p.SSL_client_hello_get0_ext(ssl, 0x1234) == (0, None)
        return hello, (
            p.SSL_client_hello_isv2(ssl),
            p.SSL_client_hello_get0_legacy_version(ssl),
            p.SSL_client_hello_get0_random(ssl),
            p.SSL_client_hello_get0_session_id(ssl),
            p.SSL_client_hello_get0_ciphers(ssl),
            p.SSL_client_hello_get0_compression_methods(ssl),
            p.SSL_client_hello_get1_extensions_present(ssl),
        )

    found = at(server, "hello", look)
    link = MemLink(*make_ends(client, server)).established()
    hello, calls = found[0]

    suites = b"".join(one.to_bytes(2, "big") for one in hello.cipher_suites)
    assert calls == (
        0,
        0x0303,
        hello.random,
        hello.session_id,
        suites,
        b"\0",
        (1, list(hello.extension_types)),
    )
    for ssl in (link.client, link.server):
        assert p.SSL_client_hello_isv2(ssl) == 0
        assert p.SSL_client_hello_get0_legacy_version(ssl) == 0
        assert p.SSL_client_hello_get0_random(ssl) == b""
        assert p.SSL_client_hello_get0_session_id(ssl) == b""
        assert p.SSL_client_hello_get0_ciphers(ssl) == b""
        assert p.SSL_client_hello_get0_compression_methods(ssl) == b""
        assert p.SSL_client_hello_get0_ext(ssl, 0) == (0, None)
        none = p.SSL_client_hello_get1_extensions_present(ssl)
        assert none == (0, None)


@clause("SNI-9", "SNI-3", "RFC 8446 4.1.2")
def test_after_a_retry_it_is_the_second_hello() -> None:
    client, server = make_contexts()
    assert p.SSL_CTX_set1_groups_list(client, "X25519:P-384") == 1
    assert p.SSL_CTX_set1_groups_list(server, "P-384") == 1
    found = at(server, "name", p.SSL.client_hello)
    MemLink(*make_ends(client, server)).established()

    assert [hello.key_share_groups for hello in found] == [(29,), (24,)]
    assert found[0].random == found[1].random


@clause("SNI-9", "HS-25")
def test_hello_can_be_asked_for_while_suspended() -> None:
    client, server = make_contexts()
    answers = iter([-1, 1])
    p.SSL_CTX_set_client_hello_cb(server, lambda *_: next(answers))
    link = MemLink(*make_ends(client, server))
    link.step()

    hello = link.server.client_hello()
    assert hello is not None
    assert hello.server_name == "localhost"
    link.established()


def test_hello_of_a_client_is_not_shown_to_itself() -> None:
    link = connected()
    assert link.client.client_hello() is None
