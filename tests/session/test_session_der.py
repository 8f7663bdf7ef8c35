"""The DER form of sessions: what OpenSSL 3 reads and writes (SESS-10)."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from pyssl._ffi import ffi, lib
from tests.clauses import clause
from tests.pki.ca import authority, der_item, leaf, pem
from tests.pki.core import ASN1, SSL
from tests.session.core import (
    FULL12,
    FULL13,
    decoded,
    fails_at_each_allocation,
    from_der,
    growth,
    needs_memory_figures,
    octets,
    session,
    to_der,
    view,
)

FULL = {"1.2": FULL12, "1.3": FULL13}
NOW = 1_800_000_000

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl"
)


def number(n: int) -> bytes:
    """Encode an INTEGER."""
    return der_item(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def text(data: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return der_item(4, data)


def inside(n: int, content: bytes) -> bytes:
    """Encode [n] EXPLICIT."""
    return der_item(0xA0 + n, content)


VERSION = number(1)
TLS13, TLS12 = number(0x0304), number(0x0303)
SUITE, NO_ID, SECRET = text(b"\x13\x01"), text(b""), text(b"k" * 32)


def whole(*parts: bytes) -> bytes:
    """Encode a SEQUENCE."""
    return der_item(0x30, b"".join(parts))


def with_rest(*rest: bytes) -> bytes:
    """Encode a session of TLS 1.3 with these optional items."""
    return whole(VERSION, TLS13, SUITE, NO_ID, SECRET, *rest)


def ask_libssl(cases: list[bytes]) -> list[tuple[Any, Any]]:
    """Let OpenSSL decode: (encoding again, used), or (None, entry)."""
    script = Path(__file__).with_name("libssl_der.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        input="".join(f"{one.hex()}\n" for one in cases),
        capture_output=True,
        text=True,
        check=False,
        # The sanitizers' library is for our core alone.
        env={},
        timeout=300,
    )
    if "libssl.so.3" in done.stderr:
        pytest.skip("no libssl.so.3 to compare with")
    assert done.returncode == 0, done.stderr
    answers: list[tuple[Any, Any]] = []
    for line in done.stdout.splitlines():
        first, second = line.split()
        if first == "-":
            library, reason = second.split(":")
            answers.append((None, (int(library), int(reason))))
        else:
            answers.append((bytes.fromhex(first), int(second)))
    assert len(answers) == len(cases)
    return answers


# ---- there and back ---------------------------------------------------------


@clause("SESS-10")
@pytest.mark.parametrize("version", FULL)
def test_der_keeps_everything_but_the_rest_of_the_chain(version: str) -> None:
    chain = [leaf().cert_der, authority().cert_der]
    made = session(chain=chain, **FULL[version])

    again = decoded(to_der(made))

    assert view(again) == {**view(made), "chain": chain[:1]}


@clause("SESS-10")
def test_der_of_a_small_session_is_byte_for_byte_what_it_should_be() -> None:
    made = session(
        version=0x0304, suite=0x1301, secret=b"k" * 32, time=1, timeout=200
    )

    assert to_der(made) == bytes.fromhex(
        "3043 020101 02020304 04021301 0400 0420"
        + "6b" * 32
        + "a103020101 a204020200c8 a4020400 b303020100"
    )


@clause("SESS-10")
def test_der_is_read_to_its_end_and_no_further() -> None:
    first, second = (to_der(session(**one)) for one in FULL.values())

    made, used, codes = from_der(first + second + b"rest")
    assert (used, codes) == (len(first), [])
    assert view(made) == view(decoded(first))
    made, used, _ = from_der((first + second)[used:])
    assert used == len(second)
    assert view(made) == view(decoded(second))


@clause("SESS-10")
@pytest.mark.parametrize("size", [1, 126, 127, 128, 255, 256, 65535])
def test_der_holds_tickets_of_every_length(size: int) -> None:
    made = session(**{**FULL13, "ticket": b"t" * size})

    assert view(decoded(to_der(made))) == view(made)


@pytest.mark.parametrize("value", [0, 1, 0x7F, 0x80, 0xFF, 0x8000, 2**32 - 1])
def test_der_holds_numbers_of_every_length(value: int) -> None:
    made = session(**{**FULL13, "age_add": value, "time": value})

    again = view(decoded(to_der(made)))

    assert again["age_add"] == again["time"] == value
    assert again["made_ms"] == 1000 * value


def test_der_goes_out_only_if_there_is_room_for_all() -> None:
    made = session(**FULL13)
    size = len(to_der(made))
    room = ffi.new("uint8_t[]", b"\xee" * size)

    assert lib.pys_session_der(made, room, size - 1) == size
    assert bytes(room)[:size] == b"\xee" * size
    assert lib.pys_session_der(made, room, size + 1) == size
    assert bytes(room)[:size] == to_der(made)


def test_der_of_a_session_without_a_suite_is_none() -> None:
    assert to_der(session()) == b""
    assert to_der(session(version=0x0304, suite=0x1301)) != b""


@clause("RFC 5077 3.4")
@pytest.mark.parametrize("version", FULL)
def test_der_of_a_ticket_without_an_id_gets_the_id_of_the_ticket(
    version: str,
) -> None:
    made = session(**{**FULL[version], "id": b""})
    hashed = hashlib.sha256(FULL13["ticket"]).digest()

    assert octets(decoded(to_der(made)), "ID") == hashed
    assert octets(made, "ID") == b""


def test_der_without_times_takes_the_readers() -> None:
    lib.pys_test_set_now(NOW * 1000 + 999)

    seen = view(decoded(with_rest()))

    assert (seen["time"], seen["timeout"]) == (NOW, 3)
    assert seen["made_ms"] == NOW * 1000


def test_der_of_times_of_zero_stays_zero() -> None:
    seen = view(
        decoded(to_der(session(**{**FULL13, "time": 0, "timeout": 0})))
    )

    assert (seen["time"], seen["timeout"]) == (0, 0)


@clause("RFC 7627 5.3")
def test_der_says_extended_for_tls_1_2_alone() -> None:
    def flag(full: dict[str, Any], extended: bool) -> bool:
        made = session(**{**full, "extended": extended})
        return bool(view(decoded(to_der(made)))["extended"])

    assert flag(FULL12, True)
    assert not flag(FULL12, False)
    assert not flag(FULL13, True)


def test_der_of_an_odd_verify_result_is_never_read_as_success() -> None:
    made = session(**{**FULL13, "verify_result": 2**31 - 1})
    assert view(decoded(to_der(made)))["verify_result"] == 2**31 - 1

    refused = with_rest(inside(5, number(2**32)))
    assert from_der(refused)[2] == [(ASN1, 223)]


def test_der_without_a_secret_is_read_and_serves_nobody() -> None:
    made = decoded(whole(VERSION, TLS13, SUITE, NO_ID, text(b"")))

    assert view(made)["not_resumable"]
    assert not lib.pys_session_resumable(made)
    assert lib.pys_session_resumable(decoded(with_rest()))


def test_der_passes_over_what_we_have_no_use_for() -> None:
    made = decoded(
        with_rest(
            der_item(0x80, b"key arg"),
            inside(1, number(1000)),
            inside(2, number(300)),
            inside(7, text(b"hint")),
            inside(8, text(b"psk")),
            inside(11, text(b"\0")),
            inside(12, text(b"srp")),
            inside(13, number(2**62)),
            inside(17, number(4)),
            inside(18, text(b"data")),
            inside(19, number(29)),
        )
    )

    assert view(made)["group"] == 29
    assert to_der(made) == with_rest(
        inside(1, number(1000)),
        inside(2, number(300)),
        inside(4, text(b"")),
        inside(8, text(b"psk")),
        inside(19, number(29)),
    )


@clause("SESS-10")
def test_der_read_or_written_without_memory_fails_cleanly() -> None:
    made = session(chain=[leaf().cert_der], **FULL12)
    data = to_der(made)

    def read() -> bool:
        # Decoding the certificate again must ask for memory again.
        lib.pys_test_forget_certs()
        again, _, codes = from_der(data)
        assert (again is None) is (codes != [])
        return again is not None

    assert fails_at_each_allocation(lambda: to_der(made) != b"") > 2
    assert fails_at_each_allocation(read) > 4
    lib.pys_test_fail_alloc(1)
    assert from_der(data)[2] == [(ASN1, 0xC0100)]


@needs_memory_figures
def test_der_read_and_written_many_times_leaves_no_memory_behind() -> None:
    made = session(chain=[leaf().cert_der], **FULL13)
    data = to_der(made)

    def work() -> None:
        for _ in range(1000):
            assert to_der(made) == data
            assert from_der(data)[0] is not None
            assert from_der(data[:-1])[0] is None

    assert growth(work) < 2**20


# ---- what must not be read --------------------------------------------------

# First as OpenSSL has it: both must name the same library and reason.
ALIKE = {
    "nothing": (b"", ASN1, 224),
    "another tag": (b"\x31\0", ASN1, 168),
    "a primitive sequence": (
        der_item(0x10, VERSION + TLS13 + SUITE + NO_ID + SECRET),
        ASN1,
        149,
    ),
    "an empty sequence": (whole(), ASN1, 121),
    "a header cut short": (b"\x30", ASN1, 123),
    "a length cut short": (b"\x30\x82\x01", ASN1, 123),
    "content cut short": (with_rest()[:-1], ASN1, 155),
    "an item longer than the whole": (
        whole(VERSION, TLS13, SUITE, NO_ID, b"\x04\x21" + b"k" * 32),
        ASN1,
        155,
    ),
    "no secret": (whole(VERSION, TLS13, SUITE, NO_ID), ASN1, 121),
    "no version": (whole(VERSION), ASN1, 121),
    "items in a wrong order": (
        with_rest(inside(2, number(1)), inside(1, number(1))),
        ASN1,
        168,
    ),
    "an item twice": (
        with_rest(inside(2, number(1)), inside(2, number(1))),
        ASN1,
        168,
    ),
    "an unknown item": (with_rest(inside(20, number(1))), ASN1, 168),
    "a tag of two bytes": (
        with_rest(b"\xbf\x14\x03\x02\x01\x01"),
        ASN1,
        168,
    ),
    "a primitive [2]": (with_rest(der_item(0x82, number(1))), ASN1, 120),
    "an empty [2]": (with_rest(inside(2, b"")), ASN1, 224),
    "two items in [2]": (with_rest(inside(2, number(1) * 2)), ASN1, 119),
    "two items in [4]": (with_rest(inside(4, text(b"") * 2)), ASN1, 119),
    "a text as a number": (with_rest(inside(2, text(b"1"))), ASN1, 168),
    "a number as a text": (with_rest(inside(4, number(1))), ASN1, 168),
    "a padded number": (
        with_rest(inside(14, der_item(2, b"\0\1"))),
        ASN1,
        221,
    ),
    "a padded 127": (
        with_rest(inside(14, der_item(2, b"\0\x7f"))),
        ASN1,
        221,
    ),
    "a padded negative number": (
        with_rest(inside(14, der_item(2, b"\xff\x80"))),
        ASN1,
        221,
    ),
    "a negative number": (
        with_rest(inside(14, der_item(2, b"\xff"))),
        ASN1,
        226,
    ),
    "more than 32 bits": (with_rest(inside(14, number(2**32))), ASN1, 223),
    "more than 64 bits": (with_rest(inside(1, number(2**64))), ASN1, 223),
    "much more than 64 bits": (
        with_rest(inside(1, number(2**200))),
        ASN1,
        223,
    ),
    "no certificate": (with_rest(inside(3, whole(VERSION))), ASN1, 168),
    "an empty certificate": (with_rest(inside(3, b"")), ASN1, 224),
    "a certificate and more": (
        with_rest(inside(3, leaf().cert_der + number(1))),
        ASN1,
        119,
    ),
    "another form": (
        whole(number(2), TLS13, SUITE, NO_ID, SECRET),
        SSL,
        254,
    ),
    "another protocol": (
        whole(VERSION, number(0x0500), SUITE, NO_ID, SECRET),
        SSL,
        259,
    ),
    "no method of compression": (
        with_rest(inside(11, text(b""))),
        SSL,
        271,
    ),
    "two methods of compression": (
        with_rest(inside(11, text(b"\0\1"))),
        SSL,
        271,
    ),
    "half a suite": (
        whole(VERSION, TLS13, text(b"\x13"), NO_ID, SECRET),
        SSL,
        137,
    ),
    "a suite and more": (
        whole(VERSION, TLS13, text(b"\x13\1\1"), NO_ID, SECRET),
        SSL,
        137,
    ),
}

# What OpenSSL takes, or refuses without a word.
OURS = {
    "an indefinite length": (
        b"\x30\x80" + with_rest()[2:] + b"\0\0",
        ASN1,
        123,
    ),
    "a length longer than needed": (
        b"\x30\x81" + with_rest()[1:],
        ASN1,
        123,
    ),
    "two bytes for a length of one": (
        b"\x30\x82\0" + with_rest()[1:],
        ASN1,
        123,
    ),
    "three bytes for a length of two": (
        b"\x30\x83\x00\x01\x00" + bytes(256),
        ASN1,
        123,
    ),
    "four bytes of length": (
        b"\x30\x84\x00\x00\x00\x2f" + with_rest()[2:],
        ASN1,
        123,
    ),
    "an octet string in parts": (
        whole(VERSION, TLS13, SUITE, NO_ID, der_item(0x24, SECRET)),
        ASN1,
        168,
    ),
    "a number without content": (
        with_rest(inside(14, der_item(2, b""))),
        ASN1,
        222,
    ),
    "a time before 1970": (
        with_rest(inside(1, der_item(2, b"\xff"))),
        ASN1,
        226,
    ),
    "a time without end": (with_rest(inside(1, number(2**62))), ASN1, 223),
    "a timeout without end": (
        with_rest(inside(2, number(2**63 - 1))),
        ASN1,
        223,
    ),
    "TLS 1.1": (
        whole(VERSION, number(0x0302), SUITE, NO_ID, text(b"k" * 48)),
        SSL,
        259,
    ),
    "suite 0": (
        whole(VERSION, TLS13, text(b"\0\0"), NO_ID, SECRET),
        SSL,
        249,
    ),
    "a suite with CBC": (
        whole(VERSION, TLS12, text(b"\xc0\x14"), NO_ID, text(b"k" * 48)),
        SSL,
        249,
    ),
    "a suite of another protocol": (
        whole(VERSION, TLS13, text(b"\xc0\x2c"), NO_ID, SECRET),
        SSL,
        249,
    ),
    "an id of 33 bytes": (
        whole(VERSION, TLS13, SUITE, text(b"i" * 33), SECRET),
        ASN1,
        151,
    ),
    "an id context of 33 bytes": (
        with_rest(inside(4, text(b"c" * 33))),
        ASN1,
        151,
    ),
    "a secret of 513 bytes": (
        whole(VERSION, TLS13, SUITE, NO_ID, text(b"k" * 513)),
        ASN1,
        151,
    ),
    "a master secret of 32 bytes": (
        whole(VERSION, TLS12, text(b"\xc0\x2c"), NO_ID, SECRET),
        ASN1,
        152,
    ),
    "a name of 256 bytes": (with_rest(inside(6, text(b"n" * 256))), ASN1, 151),
    "a name with a NUL": (with_rest(inside(6, text(b"a\0b"))), ASN1, 124),
    "a ticket of 65536 bytes": (
        with_rest(inside(10, text(b"t" * 65536))),
        ASN1,
        151,
    ),
    "a protocol of 256 bytes": (
        with_rest(inside(16, text(b"p" * 256))),
        ASN1,
        151,
    ),
    "a group of 17 bits": (with_rest(inside(19, number(65536))), ASN1, 223),
}


@clause("SESS-10")
@pytest.mark.parametrize("name", [*ALIKE, *OURS])
def test_der_that_is_not_a_session_is_refused(name: str) -> None:
    data, library, reason = {**ALIKE, **OURS}[name]

    made, used, codes = from_der(data)

    assert made is None
    assert used == 0
    assert codes[0] == (library, reason)


@clause("SESS-10")
def test_der_is_refused_for_the_reason_that_openssl_gives() -> None:
    answers = ask_libssl([data for data, _, _ in ALIKE.values()])

    for name, answer in zip(ALIKE, answers):
        assert answer == (None, ALIKE[name][1:]), name


@clause("SESS-10")
def test_der_cut_anywhere_is_refused() -> None:
    data = to_der(session(chain=[leaf().cert_der], **FULL13))

    for size in range(len(data)):
        made, _, codes = from_der(data[:size])
        assert made is None, size
        assert codes[0][0] == ASN1


# ---- against OpenSSL --------------------------------------------------------


@clause("SESS-10")
def test_der_of_ours_is_what_openssl_would_write() -> None:
    cases = [
        to_der(session(chain=[leaf(kind).cert_der], **full))
        for kind in ("p256", "rsa", "ed25519")
        for full in FULL.values()
    ]
    cases.append(to_der(session(**{**FULL12, "ticket": b""})))
    cases.append(with_rest(inside(1, number(5)), inside(2, number(5))))
    cases[-1] = to_der(decoded(cases[-1]))

    assert ask_libssl(cases) == [(one, len(one)) for one in cases]


@clause("SESS-10")
@pytest.mark.parametrize("version", FULL)
def test_der_with_a_changed_byte_is_read_as_openssl_reads_it_or_not_at_all(
    version: str,
) -> None:
    full = {**FULL[version], "ticket": b"t" * 20}
    cert = leaf().cert_der
    data = to_der(session(chain=[cert], **full))
    # In the certificate OpenSSL sets some oddities right when it writes.
    from_cert = data.index(cert)
    places = {*range(len(data))} - {*range(from_cert, from_cert + len(cert))}
    accepted: dict[bytes, tuple[int, dict[str, Any]]] = {}
    for place in sorted(places):
        for change in (0x01, 0x80, 0xFF, data[place]):
            changed = bytearray(data)
            changed[place] ^= change
            made, used, codes = from_der(bytes(changed))
            assert (made is None) is (codes != [])
            if made is not None:
                accepted[bytes(changed)] = used, view(made)

    answers = ask_libssl(list(accepted))

    assert len(accepted) > len(places)
    for (case, (used, seen)), (again, length) in zip(
        accepted.items(), answers
    ):
        assert length == used, case.hex()
        theirs = view(decoded(again))
        # OpenSSL takes an empty time for now, and an empty timeout for 3.
        for name in ("time", "made_ms", "timeout"):
            if seen[name] == 0:
                theirs[name] = 0
        assert theirs == seen


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_der_of_any_shape_is_read_or_refused_in_words(
    data: st.DataObject,
) -> None:
    base = to_der(session(**data.draw(st.sampled_from([FULL12, FULL13]))))
    start = data.draw(st.integers(0, len(base)))
    end = data.draw(st.integers(start, len(base)))
    middle = data.draw(st.binary(max_size=40))

    made, used, codes = from_der(base[:start] + middle + base[end:])

    assert (made is None) is (codes != [])
    if made is not None:
        assert view(decoded(to_der(made))) == {
            **view(made),
            "id": octets(decoded(to_der(made)), "ID"),
        }
        assert used > 0


# ---- with OpenSSL's tools on loopback ---------------------------------------


def openssl(*words: str, stdin: bytes = b"") -> bytes:
    """Run the tool; it must succeed."""
    done = subprocess.run(
        ["openssl", *words],
        input=stdin,
        capture_output=True,
        check=False,
        env=tool_env(),
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tool_env() -> dict[str, str]:
    """Keep the sanitizers' library out of other programs."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin"}


@contextmanager
def server(folder: Path, *options: str) -> Iterator[str]:
    """Run openssl s_server; give its address."""
    made = leaf()
    (folder / "cert.pem").write_bytes(made.cert_pem)
    (folder / "key.pem").write_bytes(made.key_pem)
    words = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-rev"]
    words += ["-cert", "cert.pem", "-key", "key.pem", *options]
    process = subprocess.Popen(
        words,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=tool_env(),
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            found = re.match(rb"ACCEPT (\S+:\d+)", line)
            if found is not None:
                yield found[1].decode()
                break
        else:
            pytest.fail("s_server did not start")
    finally:
        process.kill()
        process.communicate()


def client(folder: Path, address: str, *words: str) -> bytes:
    """Run openssl s_client until an answer came; give what it printed."""
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", address, *words],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=tool_env(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"hello\n")
    process.stdin.flush()
    seen = b""
    # The tickets of TLS 1.3 come before the answer.
    while b"olleh" not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    rest, _ = process.communicate(timeout=60)
    return seen + rest


def unwrap(path: Path) -> bytes:
    """Read a PEM file's DER."""
    return openssl(
        "asn1parse", "-in", str(path), "-noout", "-out", "/dev/stdout"
    )


# s_server takes no ALPN for the certificate of a second name.
BY_NAME = ("-servername", "second.test", "-cert2", "cert.pem")
BY_NAME += ("-key2", "key.pem")
BY_ALPN = ("-alpn", "h2")


@needs_openssl
@clause("SESS-10", "SESS-3")
@pytest.mark.parametrize("options", [BY_NAME, BY_ALPN], ids=["name", "alpn"])
@pytest.mark.parametrize(
    ("ask", "protocol"),
    [
        (("-tls1_2",), "TLSv1.2"),
        (("-tls1_2", "-no_ticket"), "TLSv1.2"),
        (("-tls1_3",), "TLSv1.3"),
    ],
    ids=["1.2 ticket", "1.2 id", "1.3"],
)
def test_der_of_openssl_goes_through_us_and_resumes_there(
    tmp_path: Path, ask: tuple[str, ...], protocol: str, options: Any
) -> None:
    ask += options[:2]
    with server(tmp_path, *options) as address:
        first = client(tmp_path, address, *ask, "-sess_out", "theirs.pem")
        assert b"\nNew, " in first
        theirs = unwrap(tmp_path / "theirs.pem")
        made = decoded(theirs)
        ours = to_der(made)
        (tmp_path / "ours.pem").write_bytes(
            pem("SSL SESSION PARAMETERS", ours)
        )
        second = client(tmp_path, address, *ask, "-sess_in", "ours.pem")

    seen = view(made)
    assert ours == theirs
    assert seen["alpn"] == (b"h2" if options == BY_ALPN else b"")
    assert seen["name"] == (b"second.test" if options == BY_NAME else b"")
    assert seen["chain"] == [leaf().cert_der]
    assert (seen["ticket"] == b"") is ("-no_ticket" in ask)
    assert f"\nReused, {protocol}".encode() in second


@needs_openssl
@clause("SESS-10")
@pytest.mark.parametrize("version", FULL)
def test_der_of_ours_is_told_in_words_by_openssl(
    tmp_path: Path, version: str
) -> None:
    full = FULL[version]
    made = session(chain=[leaf().cert_der], **full)
    path = tmp_path / "ours.der"
    path.write_bytes(to_der(made))

    told = openssl("sess_id", "-inform", "DER", "-in", str(path), "-text")

    def line(name: str, value: str) -> bool:
        pattern = rf"^ *{re.escape(name)} *: {re.escape(value)}"
        return re.search(pattern, told.decode(), re.MULTILINE) is not None

    secret = "Resumption PSK" if version == "1.3" else "Master-Key"
    assert line("Protocol", f"TLSv{version}")
    assert line("Session-ID", full["id"].hex().upper())
    assert line("Session-ID-ctx", full["id_context"].hex().upper())
    assert line(secret, full["secret"].hex().upper())
    assert line("TLS session ticket lifetime hint", "86400 (seconds)")
    assert line("Start Time", str(full["time"]))
    assert line("Timeout", "7200 (sec)")
    assert line("Verify return code", "18")
    extended = "yes" if version == "1.2" else "no"
    assert line("Extended master secret", extended)
    assert (b"Max Early Data: 16384" in told) is (version == "1.3")
    assert b"BEGIN SSL SESSION PARAMETERS" in told
