"""Threads: CV-8, and what belongs to a thread (CV-5, CV-9, GE-4).

`make tsan` runs these under the thread sanitizer.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import queue
import random
import threading
from typing import Any, Callable

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    PairLink,
    PyLink,
    SockLink,
    connected,
    in_thread,
    make_contexts,
    make_ends,
    outcome,
    read,
    reasons,
)
from tests.clauses import clause
from tests.pki import ca

pytestmark = pytest.mark.threads

SECONDS = 60.0


def together(*works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own; their results, in order.

    An exception of one is raised here; one that hangs is a failure.
    """
    running = [in_thread(work) for work in works]
    for thread, _ in running:
        thread.join(SECONDS)
        assert not thread.is_alive(), "a thread hangs"
    for _, found in running:
        if isinstance(found[0], BaseException):
            raise found[0]
    return [found[0] for _, found in running]


def blocking(**wishes: Any) -> SockLink:
    """Give an established connection on a blocking socket pair."""
    link = SockLink(*make_ends(**wishes))
    assert link.handshake() == [(1, 0), (1, 0)], reasons()
    return link


def blocks(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start work that is going to wait; it must not come back by itself."""
    begun = threading.Event()

    def run() -> Any:
        begun.set()
        return work()

    thread, found = in_thread(run)
    assert begun.wait(SECONDS)
    thread.join(0.1)
    assert thread.is_alive(), found
    return thread, found


def finish(thread: threading.Thread, found: list[Any]) -> Any:
    """Wait for the end of work that could go on."""
    thread.join(SECONDS)
    assert not thread.is_alive(), "it goes on waiting"
    return found[0]


def read_exactly(ssl: p.SSL, size: int) -> bytes:
    """Read that many bytes from a blocking connection."""
    got = bytearray()
    buf = bytearray(16384)
    while len(got) < size:
        n = p.SSL_read(ssl, buf, min(len(buf), size - len(got)))
        assert n > 0, (outcome(ssl, n), reasons())
        got += buf[:n]
    return bytes(got)


# ---- two threads, two ends ------------------------------------------------


@clause("CV-8", "HS-5")
@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_blocking_client_and_server_threads_complete(kind: str) -> None:
    with SockLink(*make_ends(kind=kind, client_auth=True)) as link:

        def one(ssl: p.SSL, say: bytes, hear: bytes) -> Any:
            done = outcome(ssl, p.SSL_do_handshake(ssl))
            assert p.SSL_write(ssl, say) == len(say)
            assert read_exactly(ssl, len(hear)) == hear
            return done, outcome(ssl, p.SSL_shutdown(ssl))[0]

        results = together(
            lambda: one(link.client, b"ping", b"pong"),
            lambda: one(link.server, b"pong", b"ping"),
        )
    assert results == [((1, 0), 0)] * 2


@clause("CV-8", "PAIR-18")
def test_two_threads_on_the_halves_of_one_pair_complete() -> None:
    link = PairLink(*make_ends(), size=5000)
    data = random.Random(1).randbytes(50_000)

    def patiently(ssl: p.SSL, call: Callable[[], int]) -> int:
        while True:
            ret, code = outcome(ssl, call())
            if code not in (2, 3):
                return ret

    def client() -> int:
        ssl = link.client
        assert patiently(ssl, lambda: p.SSL_do_handshake(ssl)) == 1
        return patiently(ssl, lambda: p.SSL_write(ssl, data))

    def server() -> bytes:
        ssl, got, buf = link.server, bytearray(), bytearray(5000)
        while len(got) < len(data):
            n = patiently(ssl, lambda: p.SSL_read(ssl, buf))
            assert n > 0, reasons()
            got += buf[:n]
        return bytes(got)

    assert together(client, server) == [len(data), data]


@clause("CV-8")
def test_shared_contexts_serve_many_threads_at_once() -> None:
    client_ctx, server_ctx = make_contexts(client_auth=True)

    def work() -> int:
        for i in range(10):
            link = MemLink(*make_ends(client_ctx, server_ctx))
            link.established()
            link.send(link.client, b"%d" % i)
            assert reasons() == []
        return 1

    assert together(*[work] * 4) == [1] * 4


@clause("CV-8", "CTX-3")
def test_context_may_change_while_others_use_it() -> None:
    client_ctx, server_ctx = make_contexts()
    over = threading.Event()
    leaf = ca.leaf()

    def change() -> int:
        n = 0
        while not over.is_set():
            n += 1
            p.SSL_CTX_set_options(server_ctx, p.SSL_OP_NO_TICKET)
            p.SSL_CTX_clear_options(server_ctx, p.SSL_OP_NO_TICKET)
            groups = ("X25519:P-256", "P-256:X25519")[n % 2]
            assert p.SSL_CTX_set1_groups_list(server_ctx, groups) == 1
            assert p.SSL_CTX_use_certificate_chain_mem(
                server_ctx, leaf.chain_pem
            )
            assert p.SSL_CTX_use_PrivateKey_ASN1(0, server_ctx, leaf.key_der)
            p.SSL_CTX_set_keylog_callback(
                client_ctx, (None, lambda ssl, line: None)[n % 2]
            )
        return n

    def work() -> int:
        try:
            for _ in range(15):
                link = MemLink(*make_ends(client_ctx, server_ctx))
                link.established()
        finally:
            over.set()
        return 1

    changes, *done = together(change, work, work)
    assert changes > 1
    assert done == [1, 1]


# ---- a reader and a writer ------------------------------------------------


@clause("CV-8")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
@pytest.mark.parametrize("peek", [False, True])
def test_writer_finishes_while_a_reader_is_blocked(
    server: bool, peek: bool
) -> None:
    with blocking() as link:
        ssl = link.server if server else link.client
        other = link.peer_of(ssl)
        buf = bytearray(10)
        call = p.SSL_peek if peek else p.SSL_read
        reader = blocks(lambda: call(ssl, buf))
        for size in (1, 100, 16384, 40_000):
            data = bytes([size & 255]) * size
            writer = in_thread(functools.partial(p.SSL_write, ssl, data))
            assert read_exactly(other, size) == data
            assert finish(*writer) == size
        assert reader[0].is_alive()

        assert p.SSL_write(other, b"at last") == 7
        assert finish(*reader) == 7
        assert buf[:7] == b"at last"


@clause("CV-8")
def test_reader_finishes_while_a_writer_is_blocked() -> None:
    with blocking() as link:
        ssl, other = link.client, link.server
        data = random.Random(2).randbytes(4_000_000)
        writer = blocks(lambda: p.SSL_write(ssl, data))
        for i in range(5):
            assert p.SSL_write(other, b"message %d" % i) == 9
            assert read(ssl) == b"message %d" % i
            assert p.SSL_pending(ssl) == 0
        assert writer[0].is_alive()

        assert read_exactly(other, len(data)) == data
        assert finish(*writer) == len(data)


@clause("CV-8", "SD-1", "SD-3")
def test_shutdown_does_not_wait_for_a_blocked_reader() -> None:
    with blocking() as link:
        buf = bytearray(1)
        reader = blocks(lambda: p.SSL_read(link.client, buf))

        closer = in_thread(lambda: p.SSL_shutdown(link.client))
        assert finish(*closer) == 0
        assert reader[0].is_alive()
        got = p.SSL_read(link.server, bytearray(1))
        assert outcome(link.server, got) == (0, 6)
        assert p.SSL_shutdown(link.server) == 1
        assert finish(*reader) == 0
        assert p.SSL_get_shutdown(link.client) == 3
        assert p.SSL_shutdown(link.client) == 1


@clause("CV-8", "METH-1")
def test_writer_finishes_while_a_reader_is_blocked_in_a_python_bio() -> None:
    link = PyLink(*make_ends())
    link.established()
    ssl, py = link.client, link.client_py
    arrived: queue.Queue[bytes] = queue.Queue()

    def wait(b: p.BIO, n: int) -> bytes:
        if not py.incoming:
            py.incoming += arrived.get(timeout=SECONDS)
        data = bytes(py.incoming[:n])
        del py.incoming[:n]
        return data

    p.BIO_meth_set_read(py.method, wait)
    buf = bytearray(10)
    reader = blocks(lambda: p.SSL_read(ssl, buf))
    for i in range(5):
        writer = in_thread(functools.partial(p.SSL_write, ssl, b"%d" % i))
        assert finish(*writer) == 1
        link.server_py.incoming += py.outgoing
        py.outgoing.clear()
        assert read(link.server) == b"%d" % i
    assert reader[0].is_alive()

    p.SSL_write(link.server, b"answer")
    arrived.put(bytes(link.server_py.outgoing))
    assert finish(*reader) == 6
    assert buf[:6] == b"answer"


@clause("CV-8", "HS-46")
def test_questions_do_not_wait_for_a_blocked_reader() -> None:
    with blocking() as link:
        ssl = link.client
        reader = blocks(lambda: p.SSL_read(ssl, bytearray(1)))

        def ask() -> None:
            assert p.SSL_is_init_finished(ssl)
            assert p.SSL_state_string(ssl) == "SSLOK"
            assert p.SSL_get_shutdown(ssl) == 0
            assert p.SSL_pending(ssl) == p.SSL_has_pending(ssl) == 0
            assert p.SSL_get_version(ssl) == "TLSv1.3"
            assert p.SSL_get_peer_certificate(ssl) is not None
            assert p.SSL_get_error(ssl, 1) == 0
            assert p.SSL_want(ssl) in (1, 3)
            assert p.SSL_get_fd(ssl) == link.client_sock.fileno()
            out = bytearray(32)
            assert p.SSL_export_keying_material(ssl, out, "EXPORTER-x") == 1
            assert p.SSL_key_update(ssl, 0) == 1

        finish(*in_thread(ask))
        assert reader[0].is_alive()
        p.SSL_write(link.server, b"x")
        assert finish(*reader) == 1


@clause("CV-8", "RW-29")
def test_full_duplex_with_key_updates_loses_nothing() -> None:
    size = 600_000
    streams = [random.Random(seed).randbytes(size) for seed in (3, 4)]

    def write(ssl: p.SSL, data: bytes, seed: int) -> bytes:
        cut, at = random.Random(seed), 0
        while at < len(data):
            if cut.random() < 0.05:
                assert p.SSL_key_update(ssl, cut.randrange(2)) == 1
            part = data[at : at + cut.randrange(1, 40_000)]
            assert p.SSL_write(ssl, part) == len(part), reasons()
            at += len(part)
        return hashlib.sha256(data).digest()

    def take(ssl: p.SSL) -> bytes:
        return hashlib.sha256(read_exactly(ssl, size)).digest()

    with blocking() as link:
        found = together(
            lambda: write(link.client, streams[0], 5),
            lambda: take(link.server),
            lambda: write(link.server, streams[1], 6),
            lambda: take(link.client),
        )
    assert found[0] == found[1]
    assert found[2] == found[3]


@clause("CV-8", "HS-20")
@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_reader_and_writer_may_both_begin_with_the_handshake(
    server: bool,
) -> None:
    with SockLink(*make_ends()) as link:
        ssl = link.server if server else link.client
        other = link.peer_of(ssl)

        def peer() -> bytes:
            assert p.SSL_write(other, b"pong") == 4
            return read_exactly(other, 4)

        found = together(
            lambda: read_exactly(ssl, 4),
            lambda: p.SSL_write(ssl, b"ping"),
            peer,
        )
        assert found == [b"pong", 4, b"ping"]


@clause("CV-8", "HS-18", "RW-33")
def test_fault_of_the_reader_ends_the_writer() -> None:
    with blocking() as link:
        ssl = link.client
        writer = blocks(lambda: p.SSL_write(ssl, bytes(4_000_000)))
        # A record that does not authenticate.
        link.server_sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        got = p.SSL_read(ssl, bytearray(1))
        assert outcome(ssl, got) == (-1, 1)
        assert reasons() == [(20, 281)]

        # Everything the writer has sealed is read, then comes the alert.
        while True:
            n = p.SSL_read(link.server, bytearray(16384))
            if n <= 0:
                break
        assert outcome(link.server, n) == (-1, 1)
        assert reasons() == [(20, 1020)]
        link.server_sock.close()
        assert finish(*writer) in (4_000_000, -1)
        assert outcome(ssl, p.SSL_write(ssl, b"x")) == (-1, 5)


# ---- many threads on one object -------------------------------------------


@clause("CV-8")
def test_many_writers_and_readers_are_put_in_a_row() -> None:
    n_threads, n_each, size = 4, 25, 1000
    got: list[bytes] = []
    lock = threading.Lock()
    total = n_threads * n_each

    with blocking() as link:

        def write(mark: int) -> int:
            for i in range(n_each):
                record = bytes([mark, i]) * (size // 2)
                assert p.SSL_write(link.client, record) == size
            return 1

        def take() -> int:
            # Each read gives one whole record, to whichever thread.
            for _ in range(total // n_threads):
                record = read(link.server)
                with lock:
                    got.append(record)
            return 1

        works: list[Callable[[], Any]] = [take] * n_threads
        works += [functools.partial(write, mark) for mark in range(n_threads)]
        assert together(*works) == [1] * 2 * n_threads

    wanted = [
        bytes([mark, i]) * (size // 2)
        for mark in range(n_threads)
        for i in range(n_each)
    ]
    assert sorted(got) == sorted(wanted)


@clause("CV-8", "HS-19")
def test_many_threads_may_shake_hands_on_one_object() -> None:
    with SockLink(*make_ends()) as link:
        works = [
            lambda ssl=ssl: outcome(ssl, p.SSL_do_handshake(ssl))
            for ssl in (link.client, link.server)
            for _ in range(3)
        ]

        assert together(*works) == [(1, 0)] * 6


@clause("CV-8")
@pytest.mark.parametrize("seed", range(4))
def test_any_use_by_any_thread_never_crashes(seed: int) -> None:
    link = connected()
    ends = (link.client, link.server)
    uses: list[Callable[[p.SSL], Any]] = [
        p.SSL_do_handshake,
        lambda ssl: p.SSL_read(ssl, bytearray(100)),
        lambda ssl: p.SSL_peek(ssl, bytearray(100)),
        lambda ssl: p.SSL_write(ssl, bytes(50)),
        lambda ssl: link.move(),
        p.SSL_pending,
        p.SSL_has_pending,
        p.SSL_want,
        lambda ssl: p.SSL_get_error(ssl, -1),
        p.SSL_state_string,
        p.SSL_get_version,
        p.SSL_get_peer_certificate,
        p.SSL_get_peer_cert_chain,
        lambda ssl: p.SSL_set_options(ssl, p.SSL_OP_NO_TICKET),
        lambda ssl: p.SSL_set_mode(ssl, p.SSL_MODE_ENABLE_PARTIAL_WRITE),
        lambda ssl: p.SSL_key_update(ssl, 0),
        p.SSL_get_servername,
        lambda ssl: ssl.report(),
        repr,
    ]
    rare: list[Callable[[p.SSL], Any]] = [
        p.SSL_clear,
        p.SSL_shutdown,
        p.SSL_set_connect_state,
        p.SSL_set_accept_state,
        lambda ssl: link.attach(),
        lambda ssl: p.SSL_set_bio(ssl, None, None),
    ]

    def work(number: int) -> int:
        choose = random.Random(seed * 100 + number)
        for _ in range(300):
            group = rare if choose.random() < 0.02 else uses
            # Two threads may move the bytes at once.
            with contextlib.suppress(AssertionError):
                choose.choice(group)(choose.choice(ends))
        p.ERR_clear_error()
        return 1

    assert together(*[lambda n=n: work(n) for n in range(5)]) == [1] * 5
    # What is left is still an object that can begin anew.
    for ssl in ends:
        assert p.SSL_clear(ssl) == 1
    p.SSL_set_connect_state(link.client)
    p.SSL_set_accept_state(link.server)
    for ssl in ends:
        p.SSL_clear_mode(ssl, p.SSL_MODE_ENABLE_PARTIAL_WRITE)
    link.attach()
    link.established()
    link.send(link.client, b"alive")


@clause("CV-8", "CV-3", "CTX-4")
def test_free_waits_for_the_thread_that_is_inside() -> None:
    with blocking() as link:
        ssl = link.client
        reader = blocks(lambda: p.SSL_read(ssl, bytearray(10)))
        freer = blocks(lambda: p.SSL_free(ssl))

        assert p.SSL_write(link.server, b"last") == 4
        assert finish(*reader) == 4
        assert finish(*freer) is None
        with pytest.raises(ValueError, match="freed"):
            p.SSL_read(ssl, bytearray(1))


@clause("CV-8", "CV-3")
def test_free_among_many_threads_never_crashes() -> None:
    for _ in range(20):
        link = connected()
        ssl = link.client

        def work(ssl: p.SSL = ssl) -> str:
            try:
                for _ in range(2000):
                    p.SSL_write(ssl, b"x")
                    p.SSL_read(ssl, bytearray(1))
                    p.SSL_get_version(ssl)
                    p.SSL_get_error(ssl, -1)
                    p.ERR_clear_error()
            except ValueError:
                return "freed"
            return "done"

        def free(ssl: p.SSL = ssl) -> str:
            for _ in range(50):
                p.SSL_want(ssl)
            p.SSL_free(ssl)
            return "free"

        *found, last = together(work, work, free)
        assert last == "free"
        assert set(found) <= {"freed", "done"}


@clause("CV-8", "OWN-6")
def test_set_bio_waits_for_the_thread_that_is_inside() -> None:
    with blocking() as link:
        ssl = link.client
        reader = blocks(lambda: p.SSL_read(ssl, bytearray(10)))
        setter = blocks(lambda: p.SSL_set_bio(ssl, None, None))

        assert p.SSL_write(link.server, b"last") == 4
        assert finish(*reader) == 4
        assert finish(*setter) is None
        assert p.SSL_get_rbio(ssl) is None


# ---- what a thread has for itself -----------------------------------------


@clause("CV-5", "GE-2", "GE-4", "HS-4")
def test_queue_of_each_thread_is_its_own() -> None:
    client_ctx, server_ctx = make_contexts()
    barrier = threading.Barrier(3)

    def spoil() -> list[tuple[int, int]]:
        for _ in range(3):
            p.ERR_raise(77, 5)
        barrier.wait(SECONDS)
        barrier.wait(SECONDS)
        return reasons()

    def work() -> list[tuple[int, int]]:
        barrier.wait(SECONDS)
        link = MemLink(*make_ends(client_ctx, server_ctx))
        link.established()
        got = p.SSL_read(link.client, bytearray(1))
        assert outcome(link.client, got) == (-1, 2)
        found = reasons()
        barrier.wait(SECONDS)
        return found

    assert together(spoil, work, work) == [[(77, 5)] * 3, [], []]


@clause("CV-9", "CV-8", "GE-8")
def test_errno_of_each_thread_is_its_own() -> None:
    ends = [make_ends()[0] for _ in range(2)]
    barrier = threading.Barrier(2)

    def fails() -> int:
        p.SSL_set_fd(ends[0], -1)
        assert outcome(ends[0], p.SSL_do_handshake(ends[0])) == (-1, 5)
        barrier.wait(SECONDS)
        return ends[0].last_errno()

    def breaks() -> int:
        with SockLink(ends[1], make_ends()[1]) as link:
            link.server_sock.close()
            assert outcome(ends[1], p.SSL_do_handshake(ends[1])) == (-1, 5)
            barrier.wait(SECONDS)
            return ends[1].last_errno()

    assert together(fails, breaks) == [9, 32]


@clause("CV-8")
def test_other_threads_run_while_one_waits() -> None:
    with blocking() as link:
        reader = blocks(lambda: p.SSL_read(link.client, bytearray(1)))
        count = 0
        for _ in range(100_000):
            count += 1
        assert count == 100_000
        assert reader[0].is_alive()
        p.SSL_write(link.server, b"x")
        assert finish(*reader) == 1
