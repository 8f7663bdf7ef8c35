"""The error queue: contract section 7."""

from __future__ import annotations

import errno
import io
import os
import re
import threading
from pathlib import Path

import pytest

from pyssl import const, const_reason, err
from pyssl._ffi import ffi, lib
from pyssl.const import (
    ERR_LIB_BIO,
    ERR_LIB_PEM,
    ERR_LIB_SSL,
    ERR_LIB_SYS,
    ERR_LIB_X509,
    ERR_TXT_STRING,
    SSL_ERROR_SSL,
    SSL_ERROR_SYSCALL,
    SSL_ERROR_WANT_READ,
    SSL_ERROR_WANT_WRITE,
    SSL_ERROR_WANT_X509_LOOKUP,
    SSL_ERROR_ZERO_RETURN,
)
from tests.clauses import CONTRACT, clause

VERIFY_FAILED = 0x0A000086
UNEXPECTED_EOF = 0x0A000126
RESET = 0x80000068


def push(*codes: int) -> None:
    for code in codes:
        err.put_code(code)


def queued() -> list[int]:
    return err.drain()


# ---- 7.1 reading and clearing ----------------------------------------------


@clause("ERR-1")
def test_queue_of_a_new_thread_is_empty_and_its_own() -> None:
    push(VERIFY_FAILED)
    seen: list[int] = []

    def other() -> None:
        seen.append(err.ERR_peek_error())
        push(RESET)
        seen.append(err.ERR_get_error())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()

    assert seen == [0, RESET]
    assert queued() == [VERIFY_FAILED]


@clause("ERR-1")
def test_queue_ends_with_its_thread() -> None:
    seen: list[int] = []

    def work(code: int) -> None:
        seen.append(err.ERR_peek_error())
        push(code)

    for code in (1, 2):
        thread = threading.Thread(target=work, args=(code,))
        thread.start()
        thread.join()

    assert seen == [0, 0]


@clause("ERR-1")
def test_remove_thread_state_begins_anew() -> None:
    push(RESET)
    before = err.thread_state()

    err.ERR_remove_thread_state()

    assert err.ERR_peek_error() == 0
    assert err.thread_state() is not before


@clause("ERR-1")
def test_remove_thread_state_of_another_thread_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        err.ERR_remove_thread_state(5)  # type: ignore[arg-type]


@clause("ERR-2", "ERR-3")
def test_get_takes_oldest_and_peeks_leave_everything() -> None:
    push(11, 12, 13)

    assert err.ERR_peek_error() == 11
    assert err.ERR_peek_last_error() == 13
    assert err.ERR_peek_error() == 11
    assert [err.ERR_get_error() for _ in range(4)] == [11, 12, 13, 0]


@clause("ERR-2")
def test_every_form_on_an_empty_queue_gives_zero() -> None:
    assert err.ERR_get_error() == 0
    assert err.ERR_peek_error() == 0
    assert err.ERR_peek_last_error() == 0
    assert err.ERR_get_error_line() == (0, "", 0)
    assert err.ERR_peek_error_line() == (0, "", 0)
    assert err.ERR_peek_last_error_line() == (0, "", 0)
    assert err.ERR_get_error_line_data() == (0, "", 0, "", 0)
    assert err.ERR_peek_error_line_data() == (0, "", 0, "", 0)
    assert err.ERR_peek_last_error_line_data() == (0, "", 0, "", 0)
    assert err.ERR_get_error_all() == (0, "", 0, "", "", 0)
    assert err.ERR_peek_error_all() == (0, "", 0, "", "", 0)
    assert err.ERR_peek_last_error_all() == (0, "", 0, "", "", 0)


@clause("ERR-2")
def test_line_and_data_forms_tell_where_and_why() -> None:
    err.ERR_put_error(ERR_LIB_SSL, 0, 134, "a.c", 17)
    err.put(ERR_LIB_BIO, 120, "no descriptor")
    first = VERIFY_FAILED
    last = err.ERR_PACK(ERR_LIB_BIO, 0, 120)

    assert err.ERR_peek_error_line() == (first, "a.c", 17)
    assert err.ERR_peek_error_line_data() == (first, "a.c", 17, "", 0)
    assert err.ERR_peek_error_all() == (first, "a.c", 17, "", "", 0)
    assert err.ERR_peek_last_error_line() == (last, "", 0)
    assert err.ERR_peek_last_error_line_data() == (
        last,
        "",
        0,
        "no descriptor",
        ERR_TXT_STRING,
    )
    assert err.ERR_peek_last_error_all()[4:] == ("no descriptor", 2)
    assert err.ERR_get_error_line() == (first, "a.c", 17)
    assert err.ERR_get_error_line_data()[3:] == ("no descriptor", 2)
    assert err.ERR_get_error_all()[0] == 0


@clause("ERR-2")
def test_raise_notes_the_callers_place() -> None:
    err.ERR_raise(ERR_LIB_SSL, 134)
    err.ERR_raise_data(ERR_LIB_SYS, errno.ENOENT, "a file")

    code, file, line, func, text, flags = err.ERR_get_error_all()
    assert (code, text, flags) == (VERIFY_FAILED, "", 0)
    assert file == __file__
    assert line > 0
    assert func == "test_raise_notes_the_callers_place"
    code, file, _, func, text, flags = err.ERR_get_error_all()
    assert code == 0x80000002
    assert (file, text, flags) == (__file__, "a file", ERR_TXT_STRING)
    assert func == "test_raise_notes_the_callers_place"


@clause("ERR-3")
def test_sixteenth_entry_drives_out_the_oldest() -> None:
    push(*range(1, 16))
    assert err.ERR_peek_error() == 1

    push(*range(16, 21))

    assert queued() == list(range(6, 21))


@clause("ERR-4")
def test_clear_empties_this_threads_queue_only() -> None:
    push(1, 2)
    ready, go = threading.Event(), threading.Event()
    left: list[int] = []

    def other() -> None:
        push(3)
        ready.set()
        go.wait(10)
        left.extend(queued())

    thread = threading.Thread(target=other)
    thread.start()
    assert ready.wait(10)
    err.ERR_clear_error()
    go.set()
    thread.join()

    assert err.ERR_get_error() == 0
    assert left == [3]


@clause("ERR-6")
def test_libcrypto_entries_of_bad_pem_come_first_and_in_order() -> None:
    text = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    fault = ffi.new("pys_fault *")
    used = ffi.new("size_t *")

    cert = lib.pys_cert_from_pem(text, len(text), used, fault)
    assert cert == ffi.NULL
    err.put_fault(fault)
    err.put(ERR_LIB_SSL, const.ERR_R_PEM_LIB)

    codes = queued()
    assert len(codes) >= 2
    assert all(err.ERR_GET_LIB(code) != ERR_LIB_SSL for code in codes[:-1])
    assert codes[:-1] == list(fault.codes[0 : fault.n_codes])
    assert err.ERR_error_string(codes[-1]).endswith("::PEM lib")


@clause("ERR-6")
def test_put_fault_keeps_the_order_of_its_codes() -> None:
    fault = ffi.new("pys_fault *")
    fault.codes = [5, 4, 3, 9, 9, 9, 9, 9]
    fault.n_codes = 3

    err.put_fault(fault)
    err.put_fault(fault[0])

    assert queued() == [5, 4, 3, 5, 4, 3]


@clause("ERR-8")
def test_mark_of_an_empty_queue_is_refused() -> None:
    assert err.ERR_set_mark() == 0
    push(1)
    assert err.ERR_pop_to_mark() == 0
    assert err.ERR_peek_error() == 0


@clause("ERR-8")
def test_pop_to_mark_drops_what_is_newer_and_the_mark() -> None:
    push(1, 2)
    assert err.ERR_set_mark() == 1
    push(3, 4)

    assert err.ERR_pop_to_mark() == 1
    assert err.ERR_peek_last_error() == 2
    assert err.ERR_pop_to_mark() == 0
    assert queued() == []


@clause("ERR-8")
def test_marks_nest_also_on_one_entry() -> None:
    push(1)
    assert err.ERR_set_mark() == 1
    assert err.ERR_set_mark() == 1
    push(2)
    assert err.ERR_set_mark() == 1
    push(3)

    assert err.ERR_pop_to_mark() == 1
    assert err.ERR_peek_last_error() == 2
    assert err.ERR_pop_to_mark() == 1
    assert err.ERR_peek_last_error() == 1
    assert err.ERR_pop_to_mark() == 1
    assert err.ERR_peek_last_error() == 1
    assert err.ERR_pop_to_mark() == 0


@clause("ERR-8")
def test_mark_leaves_with_the_entry_that_carries_it() -> None:
    push(1)
    err.ERR_set_mark()
    push(2)
    assert err.ERR_get_error() == 1

    assert err.ERR_pop_to_mark() == 0
    assert queued() == []


@clause("ERR-9")
def test_print_errors_writes_a_line_each_and_empties_the_queue() -> None:
    err.ERR_put_error(ERR_LIB_SSL, 0, 134, "a.c", 17)
    err.put_sys(errno.ECONNRESET, "by whom")
    out = io.BytesIO()

    err.ERR_print_errors(out)

    me = f"{threading.get_ident():X}"
    reset = os.strerror(errno.ECONNRESET)
    assert out.getvalue().decode() == (
        f"{me}:error:0A000086:SSL routines::certificate verify failed:"
        "a.c:17:\n"
        f"{me}:error:80000068:system library::{reset}::0:by whom\n"
    )
    assert err.ERR_peek_error() == 0


@clause("ERR-9")
def test_print_errors_to_a_text_file_says_the_same() -> None:
    push(VERIFY_FAILED)
    out = io.StringIO()

    err.ERR_print_errors_fp(out)

    assert out.getvalue().endswith("::certificate verify failed::0:\n")
    assert err.ERR_peek_error() == 0


@clause("ERR-9")
def test_print_errors_cb_stops_at_a_result_of_zero() -> None:
    push(1, 2, 3)
    seen: list[tuple[str, object]] = []
    u = object()

    def cb(line: str, given: object) -> int:
        seen.append((line, given))
        return 2 - len(seen)

    err.ERR_print_errors_cb(cb, u)

    assert len(seen) == 2
    assert all(given is u for _, given in seen)
    assert queued() == [3]


# ---- 7.2 codes -------------------------------------------------------------


@clause("ERR-10")
@pytest.mark.parametrize(
    ("code", "library", "reason", "fatal"),
    [
        (0, 0, 0, 0),
        (VERIFY_FAILED, 20, 134, 0),
        (RESET, 2, 104, 0),
        (0xFFFFFFFF, 2, 0x7FFFFFFF, 0),
        (0x0A0C0100, 20, 0xC0100, 1),
        (0x0A080106, 20, 0x80106, 0),
        (0x7FFFFFFF, 255, 0x7FFFFF, 1),
    ],
)
def test_accessors_take_a_code_apart(
    code: int, library: int, reason: int, fatal: int
) -> None:
    assert err.ERR_GET_LIB(code) == library
    assert err.ERR_GET_REASON(code) == reason
    assert err.ERR_GET_FUNC(code) == 0
    assert err.ERR_FATAL_ERROR(code) == fatal
    assert err.ERR_SYSTEM_ERROR(code) == (code >> 31)


@clause("ERR-10", "ERR-11")
@pytest.mark.parametrize("library", [0, 1, 20, 128, 255])
@pytest.mark.parametrize("reason", [0, 1, 1120, 0xC0103, 0x7FFFFF])
def test_pack_inverts_the_accessors(library: int, reason: int) -> None:
    code = err.ERR_PACK(library, 77, reason)

    assert err.ERR_GET_LIB(code) == library
    assert err.ERR_GET_REASON(code) == reason


@clause("ERR-11")
def test_pack_gives_the_codes_of_the_contract() -> None:
    assert err.ERR_PACK(ERR_LIB_SSL, 0, 134) == VERIFY_FAILED
    assert err.ERR_PACK(ERR_LIB_SSL, 9, 294) == UNEXPECTED_EOF
    err.put_sys(errno.ECONNRESET)
    err.put(ERR_LIB_SYS, errno.ECONNRESET)
    err.ERR_put_error(ERR_LIB_SYS, 0, errno.ECONNRESET, "", 0)
    assert queued() == [RESET, RESET, RESET]


@clause("ERR-12")
def test_libraries_have_the_numbers_of_the_contract() -> None:
    line = next(
        s
        for s in CONTRACT.read_text("utf-8").splitlines()
        if "**ERR-12**" in s
    )
    pairs = re.findall(r"([A-Z][A-Z0-9]+) (\d+)[,.]", line)
    assert len(pairs) == 24
    for name, number in pairs:
        assert getattr(const, f"ERR_LIB_{name}") == int(number)


@clause("ERR-13")
def test_common_reasons_have_the_numbers_of_the_contract() -> None:
    assert const.ERR_R_MALLOC_FAILURE == 0xC0100
    assert const.ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED == 0xC0101
    assert const.ERR_R_PASSED_NULL_PARAMETER == 0xC0102
    assert const.ERR_R_INTERNAL_ERROR == 0xC0103
    assert const.ERR_R_DISABLED == 0xC0104
    assert const.ERR_R_PASSED_INVALID_ARGUMENT == 0x80106
    for name in ("SYS", "BN", "PEM", "X509", "ASN1", "SSL", "BIO"):
        library = getattr(const, f"ERR_LIB_{name}")
        assert getattr(const, f"ERR_R_{name}_LIB") == 0x80000 + library


@clause("ERR-13", "ERR-15")
@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (const.ERR_R_MALLOC_FAILURE, "malloc failure"),
        (const.ERR_R_INTERNAL_ERROR, "internal error"),
        (const.ERR_R_PEM_LIB, "PEM lib"),
    ],
)
@pytest.mark.parametrize("library", [ERR_LIB_SSL, ERR_LIB_BIO, ERR_LIB_X509])
def test_common_reasons_have_a_text_in_every_library(
    library: int, reason: int, text: str
) -> None:
    code = err.ERR_PACK(library, 0, reason)

    assert err.ERR_reason_error_string(code) == text


# ---- 7.3 text --------------------------------------------------------------


@clause("ERR-15", "ERR-16")
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            VERIFY_FAILED,
            "error:0A000086:SSL routines::certificate verify failed",
        ),
        (
            UNEXPECTED_EOF,
            "error:0A000126:SSL routines::unexpected eof while reading",
        ),
        (0x0A00270F, "error:0A00270F:SSL routines::reason(9999)"),
        (0x64000005, "error:64000005:lib(200)::reason(5)"),
        (0, "error:00000000:lib(0)::reason(0)"),
        (0x0480006C, "error:0480006C:PEM routines::no start line"),
        (0x0A000000, "error:0A000000:SSL routines::reason(0)"),
    ],
)
def test_error_string_names_code_library_and_reason(
    code: int, text: str
) -> None:
    assert err.ERR_error_string(code) == text


@clause("ERR-16", "ERR-17")
@pytest.mark.parametrize("number", [errno.ENOENT, errno.EPIPE, 104, 0, 9999])
def test_system_error_has_the_systems_words(number: int) -> None:
    code = 0x80000000 | number

    assert err.ERR_error_string(code) == (
        f"error:{code:08X}:system library::{os.strerror(number)}"
    )
    assert err.ERR_lib_error_string(code) == "system library"
    assert err.ERR_reason_error_string(code) is None


@clause("ERR-17")
@pytest.mark.parametrize(
    ("library", "text"),
    [
        (ERR_LIB_SYS, "system library"),
        (ERR_LIB_X509, "x509 certificate routines"),
        (ERR_LIB_SSL, "SSL routines"),
        (ERR_LIB_BIO, "BIO routines"),
        (ERR_LIB_PEM, "PEM routines"),
        (200, None),
        (0, None),
    ],
)
def test_library_text_or_none(library: int, text: str | None) -> None:
    assert err.ERR_lib_error_string(err.ERR_PACK(library, 0, 1)) == text


@clause("ERR-17")
def test_unknown_reasons_have_no_text() -> None:
    assert err.ERR_reason_error_string(0x0A00270F) is None
    assert err.ERR_reason_error_string(0x64000005) is None
    assert err.ERR_reason_error_string(0) is None
    assert err.ERR_func_error_string(VERIFY_FAILED) is None


@clause("ERR-17")
def test_every_ssl_reason_is_its_name_in_words() -> None:
    reasons = {
        name: number
        for name, number in vars(const_reason).items()
        if name.startswith("SSL_R_")
    }
    assert len(reasons) > 300
    assert len(set(reasons.values())) == len(reasons)
    for name, number in reasons.items():
        words = name[len("SSL_R_") :].lower().replace("_", " ")
        code = err.ERR_PACK(ERR_LIB_SSL, 0, number)
        assert err.ERR_reason_error_string(code) == words
        assert err.ERR_error_string(code) == (
            f"error:{code:08X}:SSL routines::{words}"
        )


@clause("ERR-18")
@pytest.mark.parametrize("n", [-1, 0, 1, 2, 10, 24, 25, 26, 200, None])
def test_error_string_n_keeps_within_its_length(n: int | None) -> None:
    room = bytearray(b"#" * 40)
    whole = "error:00000000:lib(0)::reason(0)"

    assert err.ERR_error_string_n(0, room, n) == whole

    size = 40 if n is None else max(0, min(n, 40))
    text = whole.encode()[: max(0, size - 1)]
    written = text + b"\0" if size else b""
    assert bytes(room) == written + b"#" * (40 - len(written))


@clause("ERR-18")
def test_error_string_n_takes_any_writable_buffer_or_none() -> None:
    whole = "error:00000000:lib(0)::reason(0)"

    assert err.ERR_error_string_n(0) == whole
    assert err.ERR_error_string_n(0, bytearray()) == whole
    with pytest.raises(TypeError):
        err.ERR_error_string_n(0, b"bytes")
    with pytest.raises(TypeError):
        err.ERR_error_string_n(0, 5)


# ---- 7.4, 7.5 reasons and alerts -------------------------------------------


def contract_reasons() -> dict[str, int]:
    text = CONTRACT.read_text("utf-8")
    table = text[text.index("### 7.4") : text.index("- **ERR-19**")]
    found: dict[str, int] = {}
    for names, numbers in re.findall(
        r"\| ([A-Z0-9_]+(?: / [A-Z0-9_]+)*) \| (\d+(?: / \d+)*)(?= \|)", table
    ):
        pairs = zip(names.split(" / "), numbers.split(" / "))
        found.update((name, int(number)) for name, number in pairs)
    return found


@clause("ERR-19")
def test_reasons_have_the_numbers_of_the_contract() -> None:
    reasons = contract_reasons()
    assert len(reasons) == 64
    for name, number in reasons.items():
        assert getattr(const, f"SSL_R_{name}") == number


@clause("ERR-19")
def test_reasons_of_the_core_are_those_of_the_constants() -> None:
    text = (Path(CONTRACT).parents[1] / "csrc/base/fault.h").read_text("utf-8")
    pairs = re.findall(r"PYS_R_([A-Z0-9_]+) = (\d+)", text)
    assert len(pairs) > 60
    for name, number in pairs:
        if name == "INVALID_SESSION_ID":
            assert int(number) == const.SSL_R_INVALID_SESSION_ID
        assert getattr(const, f"SSL_R_{name}") == int(number)


def contract_alerts() -> list[tuple[int, str, str]]:
    text = CONTRACT.read_text("utf-8")
    table = text[text.index("- **ERR-20**") : text.index("- **ERR-21**")]
    cells = r"\| (\d+) \| ([^|]+) \| ([^|]+) \| [A-Z]{2} (?=\|)"
    return [
        (int(n), words, name) for n, words, name in re.findall(cells, table)
    ]


@clause("ERR-20")
def test_alert_reasons_have_their_names_and_numbers() -> None:
    alerts = contract_alerts()
    assert len(alerts) == 34
    for number, _, name in alerts:
        if number == 0:
            continue
        assert getattr(const, f"SSL_R_{name}") == 1000 + number
        code = err.ERR_PACK(ERR_LIB_SSL, 0, 1000 + number)
        words = name.lower().replace("_", " ")
        assert err.ERR_reason_error_string(code) == words


@clause("ERR-20")
def test_alert_without_a_constant_is_a_number_without_text() -> None:
    known = {number for number, _, _ in contract_alerts()}
    for number in set(range(1, 256)) - known:
        code = err.ERR_PACK(ERR_LIB_SSL, 0, 1000 + number)
        assert err.ERR_reason_error_string(code) is None
        assert err.ERR_error_string(code).endswith(f"reason({1000 + number})")


@clause("ERR-20")
def test_ad_constants_are_the_alerts_numbers() -> None:
    numbers = {number for number, _, _ in contract_alerts()}
    constants = {
        name: value
        for name, value in vars(const).items()
        if name.startswith("SSL_AD_") and name != "SSL_AD_REASON_OFFSET"
    }
    assert set(constants.values()) == numbers
    assert const.SSL_AD_REASON_OFFSET == 1000


# ---- the exceptions --------------------------------------------------------


@clause("CV-1")
def test_raise_fault_carries_the_drained_codes_oldest_first() -> None:
    push(RESET)
    fault = ffi.new("pys_fault *")
    fault.codes[0] = 0x0480006C
    fault.codes[1] = VERIFY_FAILED
    fault.n_codes = 2

    with pytest.raises(err.Error) as info:
        err.raise_fault(fault, "SSL_CTX_use_certificate")

    assert info.value.codes == (RESET, 0x0480006C, VERIFY_FAILED)
    assert info.value.ssl_error == SSL_ERROR_SSL
    assert info.value.ret == 0
    assert info.value.errno == 0
    assert (info.value.library, info.value.reason) == (ERR_LIB_SSL, 134)
    assert str(info.value).startswith(
        "SSL_CTX_use_certificate: error:0A000086:SSL routines::"
        "certificate verify failed; error:0480006C:"
    )
    assert err.ERR_peek_error() == 0


@clause("CV-1")
@pytest.mark.parametrize(
    ("ssl_error", "kind"),
    [
        (SSL_ERROR_SSL, err.Error),
        (SSL_ERROR_WANT_READ, err.WantReadError),
        (SSL_ERROR_WANT_WRITE, err.WantWriteError),
        (SSL_ERROR_WANT_X509_LOOKUP, err.WantX509LookupError),
        (SSL_ERROR_SYSCALL, err.SyscallError),
        (SSL_ERROR_ZERO_RETURN, err.ZeroReturnError),
        (12, err.Error),
    ],
)
def test_make_error_picks_the_class_and_keeps_the_facts(
    ssl_error: int, kind: type[err.Error]
) -> None:
    made = err.make_error("SSL_read", -1, ssl_error, errno.EPIPE)

    assert type(made) is kind
    assert made.ret == -1
    assert made.ssl_error == ssl_error
    assert made.codes == ()
    assert made.errno == errno.EPIPE
    assert (made.library, made.reason) == (0, 0)
    assert str(made) == f"SSL_read: {os.strerror(errno.EPIPE)}"


@clause("CV-1")
def test_error_without_facts_still_says_something() -> None:
    assert str(err.make_error("", 0, 6)) == "the peer closed the connection"
    assert str(err.make_error("SSL_read", -1, 12)) == "SSL_read: failed"
    assert str(err.Error()) == "failed"


@clause("CV-9")
def test_thread_state_keeps_errno_for_its_thread() -> None:
    state = err.thread_state()
    state.errno = errno.ECONNRESET
    seen: list[int] = []

    thread = threading.Thread(
        target=lambda: seen.append(err.thread_state().errno)
    )
    thread.start()
    thread.join()
    os.path.exists("/nonexistent")  # it sets the C errno

    assert err.thread_state() is state
    assert state.errno == errno.ECONNRESET
    assert seen == [0]
    state.errno = 0
