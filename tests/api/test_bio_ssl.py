"""BIO_f_ssl(3)."""

from __future__ import annotations

import errno
import gc
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any, Optional

import pytest

import pyssl as p
from tests.api import links
from tests.api.bios import UNINITIALIZED, UNSUPPORTED, custom, read
from tests.clauses import clause
from tests.peer_std import std_server

READ_RETRY, WRITE_RETRY, SPECIAL_RETRY = 9, 10, 12


def made(bio: Optional[p.BIO]) -> p.BIO:
    assert bio is not None
    return bio


def tls(ctx: p.SSL_CTX, client: int, after: Optional[p.BIO] = None) -> p.BIO:
    """Make an SSL BIO, in front of another."""
    bio = made(p.BIO_new_ssl(ctx, client))
    if after is not None:
        p.BIO_push(bio, after)
    if client:
        p.SSL_set_tlsext_host_name(p.BIO_get_ssl(bio), links.HOST)
        p.SSL_set1_host(p.BIO_get_ssl(bio), links.HOST)
    return bio


class Ends:
    """Two SSL BIOs on the halves of a pair."""

    def __init__(self, size: int = 0, **wishes: Any) -> None:
        self.halves = [made(one) for one in p.BIO_new_bio_pair(size, size)]
        if size:  # nobody would read the tickets
            wishes["tickets"] = 0
        client_ctx, server_ctx = links.make_contexts(**wishes)
        self.client = tls(client_ctx, 1, self.halves[0])
        self.server = tls(server_ctx, 0, self.halves[1])

    def shake(self) -> Ends:
        done: set[int] = set()
        for _ in range(10000):
            for i, bio in enumerate((self.client, self.server)):
                ret = p.BIO_do_handshake(bio)
                if ret == 1:
                    done.add(i)
                else:
                    assert p.BIO_should_retry(bio), links.reasons()
            if len(done) == 2:
                return self
        raise AssertionError("no end of it")


# ---- moving bytes -----------------------------------------------------------


@clause("FSSL-1", "FSSL-3", "BIO-21")
def test_two_ssl_bios_on_a_pair_talk() -> None:
    ends = Ends()
    ssl = p.BIO_get_ssl(ends.client)
    assert p.SSL_get_rbio(ssl) is p.SSL_get_wbio(ssl) is ends.halves[0]
    ends.shake()
    assert p.BIO_do_handshake(ends.client) == 1  # also when already done
    assert p.BIO_write(ends.client, b"hello") == 5
    assert read(ends.server, 3) == (3, b"hel")
    assert p.BIO_pending(ends.server) == 2
    assert read(ends.server, 9) == (2, b"lo")
    assert p.BIO_puts(ends.server, "back") == 4
    assert read(ends.client, 99) == (4, b"back")
    assert p.BIO_number_written(ends.client) == 5
    assert p.BIO_number_read(ends.server) == 5
    assert (p.BIO_flush(ends.client), links.reasons()) == (1, [])


@clause("FSSL-1")
@pytest.mark.parametrize("version", [p.TLS1_2_VERSION, p.TLS1_3_VERSION])
def test_first_io_does_the_handshake(version: int) -> None:
    ends = Ends(version=version)
    sent = False
    for _ in range(20):
        sent = sent or p.BIO_write(ends.client, b"early bird") == 10
        got, data = read(ends.server, 99)
        if got > 0:
            assert (sent, data) == (True, b"early bird")
            break
        assert p.BIO_should_retry(ends.server)
    else:
        raise AssertionError("nothing came")
    assert p.SSL_version(p.BIO_get_ssl(ends.client)) == version
    assert links.reasons() == []


@clause("FSSL-2", "PAIR-16")
def test_flags_mirror_what_ssl_get_error_says() -> None:
    ends = Ends(size=300)
    assert p.BIO_do_handshake(ends.server) == -1
    assert p.BIO_get_retry_flags(ends.server) == READ_RETRY
    assert p.BIO_get_retry_BIO(ends.server)[0] is ends.halves[1]
    seen = set()
    for _ in range(100):
        for bio in (ends.client, ends.server):
            if p.BIO_do_handshake(bio) <= 0:
                seen.add(p.BIO_get_retry_flags(bio))
    assert seen == {READ_RETRY, WRITE_RETRY}
    assert read(ends.client, 9) == (-1, b"")
    assert p.BIO_get_retry_flags(ends.client) == READ_RETRY
    assert p.BIO_write(ends.client, b"x" * 1000) == -1
    assert p.BIO_get_retry_flags(ends.client) == WRITE_RETRY
    got = b""
    while p.BIO_write(ends.client, b"x" * 1000) != 1000:
        got += read(ends.server, 2000)[1]
    while len(got) < 1000:
        got += read(ends.server, 2000)[1]
    assert got == b"x" * 1000
    assert p.BIO_get_retry_flags(ends.client) == 0


@clause("FSSL-2", "GE-11", "GE-12", "HS-23")
@pytest.mark.parametrize(
    ("set_reason", "flags", "reason"),
    [
        (p.BIO_RR_CONNECT, SPECIAL_RETRY, p.BIO_RR_CONNECT),
        (p.BIO_RR_ACCEPT, SPECIAL_RETRY, p.BIO_RR_ACCEPT),
        (p.BIO_RR_SSL_X509_LOOKUP, 0, 0),
        (99, 0, 0),
    ],
)
def test_special_retry_of_the_bio_behind(
    set_reason: int, flags: int, reason: int
) -> None:
    def wait(b: p.BIO, view: memoryview) -> int:
        p.BIO_clear_retry_flags(b)
        p.BIO_set_retry_special(b)
        p.BIO_set_retry_reason(b, set_reason)
        return -1

    after = custom(write=wait, ctrl=lambda *a: 0)
    bio = tls(links.make_contexts()[0], 1, after)
    for _ in range(2):
        assert p.BIO_do_handshake(bio) == -1
        assert p.BIO_get_retry_flags(bio) == flags
        assert p.BIO_get_retry_reason(bio) == reason


@clause("FSSL-2", "GE-12")
def test_certificate_callback_that_waits_is_a_special_retry() -> None:
    ends = Ends()
    server = p.BIO_get_ssl(ends.server)
    answers = [-1, 1]
    p.SSL_set_cert_cb(server, lambda ssl, arg: answers.pop(0), None)
    assert p.BIO_do_handshake(ends.client) == -1
    assert read(ends.server, 3)[0] == -1
    assert p.BIO_get_retry_flags(ends.server) == SPECIAL_RETRY
    reason = p.BIO_get_retry_reason(ends.server)
    assert reason == p.BIO_RR_SSL_X509_LOOKUP
    ends.shake()


@clause("FSSL-2", "HS-16")
def test_failure_sets_no_flags() -> None:
    ends = Ends()
    p.BIO_do_handshake(ends.client)
    p.BIO_shutdown_wr(ends.halves[1])
    assert p.BIO_do_handshake(ends.client) == -1
    assert p.BIO_get_retry_flags(ends.client) == 0
    assert links.ssl_reasons() == [294]
    assert read(ends.client, 3)[0] <= 0
    assert p.BIO_get_retry_flags(ends.client) == 0


@clause("FSSL-4", "RW-10")
def test_read_after_close_notify_is_the_end() -> None:
    ends = Ends().shake()
    p.BIO_write(ends.server, b"last")
    assert p.BIO_ssl_shutdown(ends.server) is None
    assert p.BIO_eof(ends.client) == 0
    assert read(ends.client, 9) == (4, b"last")
    assert read(ends.client, 9) == (0, b"")
    assert p.BIO_get_retry_flags(ends.client) == 0
    assert (p.BIO_eof(ends.client), links.reasons()) == (1, [])
    both = p.SSL_SENT_SHUTDOWN | p.SSL_RECEIVED_SHUTDOWN
    p.BIO_ssl_shutdown(ends.client)
    assert p.SSL_get_shutdown(p.BIO_get_ssl(ends.client)) == both


@clause("FSSL-4", "BIO-19", "BIO-25")
def test_pending_flush_and_the_rest_go_where_they_belong() -> None:
    ends = Ends().shake()
    while p.BIO_pending(ends.client):  # tickets
        assert read(ends.client, 1)[0] == -1
    before = p.BIO_wpending(ends.halves[0])
    assert p.BIO_write(ends.server, b"x" * 100) == 100
    assert p.BIO_pending(ends.client) == p.BIO_pending(ends.halves[0]) > 100
    assert read(ends.client, 1)[0] == 1
    assert p.BIO_pending(ends.client) == 99
    assert p.BIO_write(ends.client, b"y") == 1
    assert p.BIO_wpending(ends.client) == p.BIO_wpending(ends.halves[0])
    assert p.BIO_wpending(ends.client) > before
    assert p.BIO_gets(ends.client, 9) == -2
    assert p.ERR_get_error() == UNSUPPORTED
    assert p.BIO_get_write_buf_size(ends.client) == 17408  # the pair's
    assert p.BIO_get_fd(ends.client) == 0  # unknown to a pair


# ---- the SSL ----------------------------------------------------------------


@clause("FSSL-7", "FSSL-6", "BIO-18", "CV-2")
def test_bio_without_an_ssl() -> None:
    bio = links.new_bio(p.BIO_f_ssl())
    assert p.BIO_method_type(bio) == p.BIO_TYPE_SSL == 0x207
    assert p.BIO_method_name(bio) == "ssl"
    assert (p.BIO_get_init(bio), p.BIO_get_ssl(bio)) == (0, None)
    assert (read(bio, 3)[0], p.BIO_write(bio, b"x")) == (-1, -1)
    assert [p.ERR_get_error(), p.ERR_get_error()] == [UNINITIALIZED] * 2
    for call in (p.BIO_do_handshake, p.BIO_pending, p.BIO_flush, p.BIO_reset):
        assert call(bio) == 0
    assert p.BIO_set_ssl_mode(bio, 1) == 0
    p.BIO_set_init(bio, 1)  # a lie
    assert (read(bio, 3)[0], p.BIO_write(bio, b"x")) == (-1, -1)
    assert [p.ERR_get_error(), p.ERR_get_error()] == [UNINITIALIZED] * 2
    for bad in (None, 5, bio):
        with pytest.raises(TypeError):
            p.BIO_set_ssl(bio, bad, 0)
    assert p.BIO_set_ssl(links.new_bio(p.BIO_s_mem()), 5, 0) == 0
    with pytest.raises(TypeError):
        p.BIO_new_ssl(None, 1)
    assert p.BIO_free(bio) == 1


@clause("FSSL-7")
def test_set_ssl_takes_its_bio_into_the_chain() -> None:
    ssl = links.make_ends()[0]
    mem = links.new_bio(p.BIO_s_mem())
    p.SSL_set_bio(ssl, mem, mem)
    bio = links.new_bio(p.BIO_f_ssl())
    assert p.BIO_set_ssl(bio, ssl, p.BIO_NOCLOSE) == 1
    assert p.BIO_get_ssl(bio) is ssl
    assert (p.BIO_next(bio), p.BIO_get_close(bio)) == (mem, p.BIO_NOCLOSE)
    # The other way round: the BIO was there first.
    other = links.new_bio(p.BIO_f_ssl())
    end = links.new_bio(p.BIO_s_mem())
    p.BIO_push(other, end)
    second = links.make_ends()[0]
    assert p.BIO_set_ssl(other, second, p.BIO_CLOSE) == 1
    assert p.SSL_get_rbio(second) is p.SSL_get_wbio(second) is end
    # A third SSL takes the place of the second.
    third = links.make_ends()[0]
    assert p.BIO_set_ssl(other, third, p.BIO_CLOSE) == 1
    assert p.BIO_get_ssl(other) is third
    assert p.SSL_get_rbio(third) is end


@clause("FSSL-7", "HS-40")
def test_mode_is_client_or_server() -> None:
    client_ctx, server_ctx = links.make_contexts(verify=False)
    ends = Ends()
    for bio, ctx, mode in (
        (ends.client, server_ctx, 0),
        (ends.server, client_ctx, 1),
    ):
        p.BIO_set_ssl(bio, links.new_ssl(ctx), p.BIO_CLOSE)
        assert p.BIO_set_ssl_mode(bio, mode) == 1
    ends.shake()
    assert p.SSL_is_server(p.BIO_get_ssl(ends.client)) == 1
    assert p.SSL_is_server(p.BIO_get_ssl(ends.server)) == 0


@clause("FSSL-7", "SESS-3")
def test_session_goes_from_one_chain_to_another() -> None:
    client_ctx, server_ctx = links.make_contexts()
    first = Ends()
    chains = []
    for _ in range(2):
        halves = [made(one) for one in p.BIO_new_bio_pair(0, 0)]
        ends = Ends.__new__(Ends)
        ends.halves = halves
        ends.client = tls(client_ctx, 1, halves[0])
        ends.server = tls(server_ctx, 0, halves[1])
        chains.append(ends)
    old, new = chains
    old.shake()
    assert read(old.client, 9)[0] == -1  # takes the tickets
    top = links.new_bio(p.BIO_f_buffer())
    p.BIO_push(top, new.client)
    assert p.BIO_ssl_copy_session_id(top, old.client) == 1
    new.shake()
    assert p.SSL_session_reused(p.BIO_get_ssl(new.client)) == 1
    mem = links.new_bio(p.BIO_s_mem())
    assert p.BIO_ssl_copy_session_id(mem, old.client) == 0
    assert p.BIO_ssl_copy_session_id(new.client, mem) == 0
    without = links.new_bio(p.BIO_f_ssl())
    assert p.BIO_ssl_copy_session_id(without, first.client) == 0
    with pytest.raises(TypeError):
        p.BIO_ssl_copy_session_id(None, mem)


@clause("FSSL-6", "BIO-5", "CV-3")
def test_close_flag_frees_the_ssl_with_the_bio() -> None:
    ends = Ends()
    ssl = p.BIO_get_ssl(ends.client)
    assert p.BIO_get_close(ends.client) == p.BIO_CLOSE
    assert p.BIO_free(ends.client) == 1
    with pytest.raises(ValueError, match="freed"):
        p.SSL_do_handshake(ssl)
    # Its BIO is let go, and lives as long as the wrapper has it.
    assert p.BIO_write(ends.halves[0], b"x") == 1


@clause("FSSL-6", "CV-3")
def test_ssl_stays_without_the_close_flag() -> None:
    ends = Ends()
    ssl = p.BIO_get_ssl(ends.client)
    assert p.BIO_set_close(ends.client, p.BIO_NOCLOSE) == 1
    assert p.BIO_free(ends.client) == 1
    assert p.SSL_do_handshake(ssl) == -1
    assert p.SSL_get_error(ssl, -1) == p.SSL_ERROR_WANT_READ
    p.SSL_free(ssl)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_do_handshake(ssl)


@clause("FSSL-6", "CV-3", "CTX-4")
def test_bio_takes_a_reference_of_its_own() -> None:
    ssl = links.make_ends()[0]
    for close, then, users in ((1, 1, 1), (1, 0, 1), (0, 1, 1), (0, 0, 1)):
        bio = links.new_bio(p.BIO_f_ssl())
        assert p.BIO_set_ssl(bio, ssl, close) == 1
        assert ssl._refs == users + close
        assert p.BIO_set_close(bio, then) == 1
        assert ssl._refs == users + then
        assert p.BIO_free(bio) == 1
        assert ssl._refs == users
    bio = links.new_bio(p.BIO_f_ssl())
    p.BIO_set_ssl(bio, ssl, p.BIO_CLOSE)
    p.SSL_free(ssl)  # the user's
    assert p.SSL_want(ssl) == p.SSL_NOTHING
    p.BIO_free(bio)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_want(ssl)
    bio = links.new_bio(p.BIO_f_ssl())
    with pytest.raises(ValueError, match="freed"):
        p.BIO_set_ssl(bio, ssl, p.BIO_CLOSE)
    other = links.make_ends()[0]
    p.BIO_set_ssl(bio, other, p.BIO_NOCLOSE)
    p.SSL_free(other)
    with pytest.raises(ValueError, match="freed"):
        p.BIO_do_handshake(bio)
    assert p.BIO_free(bio) == 1


@clause("FSSL-6", "CV-3", "METH-5")
def test_bio_that_is_collected_leaves_the_ssl_to_its_user() -> None:
    ends = Ends().shake()
    ssl = p.BIO_get_ssl(ends.client)
    del ends.client
    gc.collect()
    # Closed, but not freed under the hands of who has it.
    assert p.SSL_get_shutdown(ssl) & p.SSL_SENT_SHUTDOWN
    assert read(ends.server, 3)[0] == 0


@clause("FSSL-6", "CV-3")
def test_chain_that_nobody_has_is_collected_with_its_ssl() -> None:
    gone: list[str] = []
    end = custom(destroy=lambda b: gone.append("end") or 1, ctrl=lambda *a: 1)
    bio = tls(links.make_contexts()[0], 1, end)
    p.SSL_set_ex_data(p.BIO_get_ssl(bio), 0, bio)  # a circle
    p.BIO_set_data(end, bio)
    del bio, end
    gc.collect()
    assert gone == ["end"]


@clause("FSSL-6", "SD-1")
@pytest.mark.parametrize("close", [0, 1])
def test_freeing_shuts_the_connection_down(close: int) -> None:
    ends = Ends().shake()
    p.BIO_set_close(ends.client, close)
    p.ERR_put_error(p.ERR_LIB_USER, 0, 77, "", 0)
    assert p.BIO_free(ends.client) == 1
    assert links.reasons() == [(p.ERR_LIB_USER, 77)]
    assert read(ends.server, 9) == (0, b"")
    code = p.SSL_get_error(p.BIO_get_ssl(ends.server), 0)
    assert code == p.SSL_ERROR_ZERO_RETURN


@clause("FSSL-6", "SD-9")
@pytest.mark.parametrize("when", ["before", "during", "dead", "closed"])
def test_freeing_at_another_time_sends_and_queues_nothing(when: str) -> None:
    ends = Ends()
    if when == "closed":
        ends.shake()
        p.BIO_ssl_shutdown(ends.client)
    elif when == "dead":
        p.BIO_write(ends.halves[1], b"no TLS at all")
        assert p.BIO_do_handshake(ends.client) == -1
    elif when == "during":
        assert p.BIO_do_handshake(ends.client) == -1
    links.reasons()
    before = p.BIO_pending(ends.halves[1])
    assert p.BIO_free(ends.client) == 1
    assert (p.BIO_pending(ends.halves[1]), links.reasons()) == (before, [])


@clause("FSSL-6", "CV-8")
def test_free_while_another_thread_reads_the_ssl() -> None:
    a, b = socket.socketpair()
    with a, b:
        client_ctx, server_ctx = links.make_contexts(tickets=0)
        bio = tls(client_ctx, 1, p.BIO_new_socket(a.fileno(), 0))
        other = tls(server_ctx, 0, p.BIO_new_socket(b.fileno(), 0))
        thread = threading.Thread(target=lambda: p.BIO_do_handshake(other))
        thread.start()
        assert p.BIO_do_handshake(bio) == 1
        thread.join(20)
        results: list[Any] = []
        reader = threading.Thread(target=lambda: results.append(read(bio, 9)))
        reader.start()
        while bio._keep.ssl is None or not bio._keep.ssl._reader:
            assert reader.is_alive()
        p.BIO_free(bio)  # its reader ends first
        assert p.BIO_write(other, b"word") == 4
        reader.join(20)
        assert results == [(4, b"word")]
    links.reasons()


# ---- chains -----------------------------------------------------------------


@clause("FSSL-8", "BIO-9")
def test_pop_detaches_the_bio_behind() -> None:
    ends = Ends().shake()
    ssl = p.BIO_get_ssl(ends.client)
    top = links.new_bio(p.BIO_f_buffer())
    p.BIO_push(top, ends.client)
    assert p.SSL_get_rbio(ssl) is ends.halves[0]
    assert p.BIO_pop(top) is ends.client  # another one's pop
    assert p.SSL_get_rbio(ssl) is ends.halves[0]
    assert p.BIO_pop(ends.client) is ends.halves[0]
    assert p.SSL_get_rbio(ssl) is p.SSL_get_wbio(ssl) is None
    assert p.BIO_get_init(ends.halves[0]) == 1  # it lives
    assert p.BIO_write(ends.client, b"x") == -1
    links.reasons()
    p.BIO_push(ends.client, ends.halves[0])
    assert p.BIO_write(ends.client, b"x") == 1
    assert read(ends.server, 9) == (1, b"x")


@clause("FSSL-5", "CLR-1")
def test_reset_closes_and_begins_anew_in_the_same_role() -> None:
    ends = Ends().shake()
    assert p.BIO_reset(ends.client) == 0  # the pair's answer
    assert p.SSL_in_before(p.BIO_get_ssl(ends.client)) == 1
    assert p.BIO_pending(ends.halves[1]) == 0  # the pair forgot it, too
    assert p.BIO_reset(ends.server) == 0
    assert p.SSL_is_server(p.BIO_get_ssl(ends.server)) == 1
    ends.shake()
    p.BIO_write(ends.client, b"again")
    assert read(ends.server, 9) == (5, b"again")
    alone = made(p.BIO_new_ssl(links.make_contexts()[0], 1))
    assert p.BIO_reset(alone) == 1


@clause("FSSL-3", "BUF-3", "FSSL-4")
def test_lines_through_buffer_ssl_and_pair() -> None:
    ends = Ends()
    client = links.new_bio(p.BIO_f_buffer())
    server = links.new_bio(p.BIO_f_buffer())
    p.BIO_push(client, ends.client)
    p.BIO_push(server, ends.server)
    for _ in range(3):
        p.BIO_do_handshake(client)  # finds its way
        p.BIO_do_handshake(server)
    assert p.BIO_do_handshake(client) == p.BIO_do_handshake(server) == 1
    assert p.BIO_puts(client, "one\n") == 4
    assert p.BIO_puts(client, "two\nthr") == 7
    assert p.BIO_gets(server, 99) == -1
    assert p.BIO_get_retry_flags(server) == READ_RETRY
    assert p.BIO_get_retry_BIO(server)[0] is ends.halves[1]
    assert p.BIO_flush(client) == 1
    assert p.BIO_gets(server, 99) == b"one\n"
    assert p.BIO_get_ssl(server) is p.BIO_get_ssl(ends.server)
    assert p.BIO_gets(server, 99) == b"two\n"
    assert p.BIO_gets(server, 99) == b"thr"
    assert p.BIO_get_retry_flags(server) == READ_RETRY
    p.BIO_ssl_shutdown(client)
    assert p.BIO_gets(server, 99) == 0
    p.BIO_free_all(client)
    p.BIO_free_all(server)
    assert links.reasons() == []


@clause("BUF-1", "RW-20", "FSSL-2")
@pytest.mark.parametrize("size", [1, 100, 5000])
def test_buffer_repeats_what_the_ssl_could_not_write(size: int) -> None:
    ends = Ends(size=size).shake()
    top = links.new_bio(p.BIO_f_buffer())
    p.BIO_push(top, ends.client)
    data = bytes(range(256)) * 80
    sent, got = 0, b""
    while len(got) < len(data):
        if sent < len(data):
            sent += max(p.BIO_write(top, data[sent : sent + 3000]), 0)
        else:
            p.BIO_flush(top)
        got += read(ends.server, 9000)[1]
        assert links.reasons() == []
    assert got == data


@clause("FSSL-2", "RW-20")
def test_other_bytes_after_a_write_to_be_repeated_are_refused() -> None:
    ends = Ends(size=100).shake()
    assert p.BIO_write(ends.client, b"a" * 500) == -1
    assert p.BIO_write(ends.client, b"b" * 500) == -1
    assert links.ssl_reasons() == [p.SSL_R_BAD_WRITE_RETRY]
    assert p.BIO_get_retry_flags(ends.client) == 0


@clause("FSSL-1", "METH-1", "OWN-1")
@pytest.mark.parametrize("size", [60, 0])
def test_tls_inside_tls(size: int) -> None:
    """An SSL whose BIO is an SSL BIO; short writes at both levels."""
    ends = Ends(size=size)
    client, server = links.make_ends(tickets=0)
    p.SSL_set_bio(client, ends.client, ends.client)
    p.SSL_set_bio(server, ends.server, ends.server)
    done: set[int] = set()
    for _ in range(5000):
        for i, ssl in enumerate((client, server)):
            ret = p.SSL_do_handshake(ssl)
            code = p.SSL_get_error(ssl, ret)
            assert code in {0, 2, 3}, links.reasons()
            if ret == 1:
                done.add(i)
        if len(done) == 2:
            break
    assert done == {0, 1}
    data, got = b"wrapped" * 300, b""
    wrote = -1
    for _ in range(5000):
        if wrote <= 0:
            wrote = p.SSL_write(client, data)
        else:
            p.BIO_flush(ends.client)
        buf = bytearray(9999)
        got += bytes(buf[: max(p.SSL_read(server, buf), 0)])
        if len(got) == len(data):
            break
    assert (wrote, got) == (len(data), data)
    p.SSL_shutdown(client)
    p.SSL_set_bio(client, None, None)
    assert p.SSL_get_rbio(p.BIO_get_ssl(ends.client)) is ends.halves[0]


@clause("FSSL-9", "RW-28")
def test_renegotiation_is_noted_and_never_done() -> None:
    bio = made(p.BIO_new_ssl(links.make_contexts()[0], 1))
    numbers = [p.BIO_set_ssl_renegotiate_bytes(bio, 1000)]
    numbers.append(p.BIO_set_ssl_renegotiate_timeout(bio, 100))
    numbers.append(p.BIO_set_ssl_renegotiate_bytes(bio, 511))
    assert numbers == [0, 0, 1000]
    assert p.BIO_set_ssl_renegotiate_bytes(bio, 512) == 1000
    assert p.BIO_set_ssl_renegotiate_bytes(bio, 512) == 512
    assert p.BIO_set_ssl_renegotiate_timeout(bio, 100) == 100
    assert p.BIO_get_num_renegotiates(bio) == 0


@clause("BIO-37", "FSSL-1")
def test_callback_stands_around_the_operations() -> None:
    ends = Ends().shake()
    seen: list[int] = []

    def callback(*a: Any) -> int:
        seen.append(a[1])
        return int(a[6])

    p.BIO_set_callback_ex(ends.client, callback)
    assert p.BIO_write(ends.client, b"x") == 1
    assert p.BIO_pending(ends.client) >= 0
    assert p.BIO_free(ends.client) == 1
    assert seen == [3, 0x83, 6, 0x86, 1]


@clause("BIO-27", "BIO-28", "INFO-1")
def test_info_callback_is_the_one_of_the_ssl() -> None:
    ends = Ends()
    top = links.new_bio(p.BIO_f_buffer())
    p.BIO_push(top, ends.client)
    assert p.BIO_get_info_callback(top) == (1, None)
    seen: list[int] = []

    def hear(ssl: p.SSL, where: int, ret: int) -> None:
        seen.append(where)

    assert p.BIO_set_info_callback(top, hear) == 1  # finds its way
    assert p.BIO_get_info_callback(ends.client) == (1, hear)
    ends.shake()
    assert p.SSL_CB_HANDSHAKE_START in seen
    assert p.BIO_callback_ctrl(ends.client, 99, hear) == -2
    assert p.ERR_get_error() == UNSUPPORTED
    without = links.new_bio(p.BIO_f_ssl())
    assert p.BIO_set_info_callback(without, hear) == 0
    assert p.BIO_get_info_callback(without) == (0, None)


@clause("CV-7", "METH-8")
def test_exception_of_the_bio_behind_is_raised() -> None:
    def fail(b: p.BIO, view: memoryview) -> int:
        raise OSError("cut")

    bio = tls(links.make_contexts()[0], 1, custom(write=fail))
    for call in (p.BIO_do_handshake, lambda b: p.BIO_write(b, b"x")):
        with pytest.raises(OSError, match="cut"):
            call(bio)


# ---- real peers -------------------------------------------------------------


@pytest.fixture
def peer() -> Iterator[Any]:
    """A server of the standard library that sends each line back."""
    with std_server() as found:
        yield found


def say(bio: p.BIO, line: bytes) -> Any:
    """Send a line and wait for the answer, blocking or not."""
    data = line
    while (ret := p.BIO_write(bio, data)) <= 0:
        wait(bio)
    assert ret == len(data)
    while p.BIO_flush(bio) <= 0:
        wait(bio)
    answer = b""
    while not answer.endswith(b"\n"):
        got, more = read(bio, 99)
        answer += more
        if got <= 0:
            wait(bio)
    return answer


def wait(bio: p.BIO) -> None:
    assert p.BIO_should_retry(bio), links.reasons()
    fd = p.BIO_get_fd(bio)
    reads = [fd] if p.BIO_should_read(bio) else []
    writes = [] if reads else [fd]
    if p.BIO_should_io_special(bio):
        assert p.BIO_get_retry_reason(bio) == p.BIO_RR_CONNECT
    assert any(select.select(reads, writes, [], 20))


@clause("FSSL-1", "FSSL-2", "FSSL-3", "CONN-1", "CONN-3", "GE-10")
@pytest.mark.parametrize("nonblocking", [0, 1])
@pytest.mark.parametrize("buffered", [False, True])
def test_chain_that_connects_talks_to_the_standard_library(
    peer: Any, nonblocking: int, buffered: bool
) -> None:
    ctx, _ = links.make_contexts()
    make = p.BIO_new_buffer_ssl_connect if buffered else p.BIO_new_ssl_connect
    bio = made(make(ctx))
    ssl = p.BIO_get_ssl(bio)
    p.SSL_set_tlsext_host_name(ssl, links.HOST)
    p.SSL_set1_host(ssl, links.HOST)
    assert p.BIO_set_conn_hostname(bio, f"127.0.0.1:{peer.port}") == 1
    assert p.BIO_set_nbio(bio, nonblocking) == 1
    for _ in range(2):
        special = 0
        while p.BIO_do_connect(bio) <= 0:
            special += p.BIO_should_io_special(bio)
            wait(bio)
        assert special <= nonblocking * 10
        assert p.BIO_do_handshake(bio) == 1
        assert say(bio, b"a line\n") == b"a line\n"
        p.BIO_ssl_shutdown(bio)
        assert p.BIO_reset(bio) == 0  # and once more
    p.BIO_free_all(bio)
    assert links.reasons() == []


@clause("FSSL-2", "CONN-2", "GE-3")
def test_chain_to_a_closed_port_fails_with_the_system_error() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        bio = made(p.BIO_new_ssl_connect(links.make_contexts()[0]))
        name = "{}:{}".format(*sock.getsockname())
        p.BIO_set_conn_hostname(bio, name)
        assert p.BIO_do_connect(bio) == -1
        assert p.BIO_get_retry_flags(bio) == 0
    want = [
        (p.ERR_LIB_SYS, errno.ECONNREFUSED),
        (p.ERR_LIB_BIO, p.BIO_R_CONNECT_ERROR),
    ]
    assert links.reasons() == want
