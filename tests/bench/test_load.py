"""The load generator and the server for it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest

import pyssl
from pyssl.bench import ends, load, pki, serve

PATIENCE = 60.0
SMALL = 0.05  # seconds in which nothing is to come


class Heard:
    """Stands in for locust's events."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.request = SimpleNamespace(fire=lambda **k: self.calls.append(k))

    def names(self) -> list[str]:
        """Give what was told, in order, with a mark for what failed."""
        return [
            f"{'! ' if one['exception'] else ''}{one['name']}"
            for one in self.calls
        ]

    def failure(self) -> str:
        """Give the words of the last call, which failed."""
        assert isinstance(self.calls[-1]["exception"], load.LoadError)
        return str(self.calls[-1]["exception"])


class Running:
    """A server in a thread of its own."""

    def __init__(self, ctx: pyssl.SSL_CTX, **more: Any) -> None:
        self.server = serve.Server(ctx, **more)
        self.host = f"localhost:{self.server.address[1]}"
        self._thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def user(self, **more: Any) -> tuple[load.TlsLoad, Heard]:
        """Make a user of it."""
        return user(host=self.host, ca="p256", **more)


def user(**options: Any) -> tuple[load.TlsLoad, Heard]:
    """Make a user as locust does, with a stand-in for its environment."""
    heard = Heard()

    class One(load.TlsLoad):
        tls = load.Options(**options)

    one = One()
    one.host = None
    one.environment = SimpleNamespace(events=heard, parsed_options=None)
    one.on_start()
    return one, heard


@pytest.fixture
def running() -> Iterator[Running]:
    with Running(serve.context("p256")) as one:
        yield one


# ---- a user ----------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_user_resumes_after_its_first_handshake(
    running: Running, version: str
) -> None:
    one, heard = running.user(version=version, resume=True)
    for _ in range(3):
        one.tasks[0](one)

    shaken = heard.names()[1::2]
    assert heard.names()[::2] == ["connect"] * 3
    assert shaken[0] == "handshake (full)"
    assert shaken[1:] == ["handshake (resumed)"] * 2
    assert {call["request_type"] for call in heard.calls} == {"TCP", "TLS"}
    assert all(call["response_time"] > 0 for call in heard.calls)
    counts = finished(running)
    assert (counts["full"], counts["resumed"]) == (1, 2)
    assert set(counts) == {"full", "resumed"}  # nothing went wrong


def finished(running: Running) -> dict[str, int]:
    """End a server, and give what it counted."""
    running.__exit__()
    return dict(running.server.counts)


def test_user_does_not_resume_unless_asked(running: Running) -> None:
    one, heard = running.user()
    for _ in range(2):
        one.connect()

    assert heard.names() == ["connect", "handshake (full)"] * 2


def test_ticket_that_is_not_sent_makes_full_handshakes() -> None:
    with Running(serve.context("p256", tickets=0)) as running:
        one, heard = running.user(resume=True)
        for _ in range(2):
            one.connect()
    assert heard.names() == ["connect", "handshake (full)"] * 2


@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
def test_exchange_sends_while_it_reads(running: Running, size: int) -> None:
    one, heard = running.user(message=bytes(size), answer=size)
    one.connect()

    assert heard.names()[-1] == "exchange"
    assert heard.calls[-1]["response_length"] == size
    assert finished(running)["bytes"] == size


def test_options_choose_group(running: Running) -> None:
    ctx = serve.context("p256", groups="P-384")
    with Running(ctx) as other:
        one, heard = other.user(groups="P-384")
        one.connect()
        assert heard.names() == ["connect", "handshake (full)"]
        one, heard = other.user(groups="X25519")
        one.connect()
        assert heard.names() == ["connect", "! handshake (full)"]
        assert "alert handshake failure" in heard.failure()


# ---- failures --------------------------------------------------------------


def test_failure_tells_the_reason_of_the_error_queue(
    running: Running,
) -> None:
    one, heard = running.user(name="elsewhere.example")
    one.connect()

    assert heard.names() == ["connect", "! handshake (full)"]
    assert heard.failure() == (
        "handshake: certificate verify failed (hostname mismatch)"
    )
    assert pyssl.ERR_peek_error() == 0
    counts = finished(running)
    assert counts == {"sslv3 alert bad certificate": 1}


def test_root_that_is_not_trusted_is_told(running: Running) -> None:
    one, heard = user(host=running.host, ca="rsa2048")
    one.connect()

    assert "certificate verify failed (" in heard.failure()


def test_nobody_who_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    one, heard = user(host=f"127.0.0.1:{port}", ca="p256")
    one.connect()

    assert heard.names() == ["! connect"]
    assert heard.failure() == "Connection refused"


def test_silence_is_told_once_the_time_is_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        one, heard = user(host=f"127.0.0.1:{port}", ca="p256", timeout=SMALL)
        one.connect()
    assert heard.names() == ["connect", "! handshake (full)"]
    assert heard.failure() == "handshake: timed out"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "unexpected eof while reading"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong version number"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "sslv3 alert handshake failure"),
    ],
)
def test_stranger_is_told(answer: bytes, words: str) -> None:
    def one_time() -> None:
        sock, _ = stranger.accept()
        with sock:
            assert sock.recv(65536)
            sock.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        thread = threading.Thread(target=one_time)
        thread.start()
        one, heard = user(host=f"127.0.0.1:{port}", ca="p256")
        one.connect()
        thread.join(PATIENCE)
    assert heard.failure() == f"handshake: {words}"


def test_answer_that_does_not_come_is_told(running: Running) -> None:
    one, heard = running.user(message=b"abc", answer=4, timeout=1.0)
    one.connect()

    assert heard.names()[-1] == "! exchange"
    assert heard.failure() == "exchange: timed out"
    assert heard.calls[-1]["response_length"] == 0


def test_answer_cut_short_by_the_peer_is_told() -> None:
    with Running(serve.context("p256"), idle=SMALL) as running:
        one, heard = running.user(answer=1)
        one.connect()
        assert heard.failure().startswith("exchange: ")
        assert finished(running)["idle"] == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"version": "1.1"}, "version 1.1"),
        ({"groups": "unheard-of"}, "groups unheard-of"),
        ({"ca": "/nonexistent"}, "trust in /nonexistent: "),
        ({"host": "a:b"}, "a:b is no host:port"),
        ({"host": "name.invalid"}, "name.invalid: "),
    ],
)
def test_wrong_option_is_refused_at_the_start(
    wrong: dict[str, str], words: str
) -> None:
    with pytest.raises(load.LoadError) as refused:
        user(**wrong)

    assert words in str(refused.value)
    assert pyssl.ERR_peek_error() == 0


def test_name_too_long_is_a_failure_of_the_handshake(
    running: Running,
) -> None:
    one, heard = running.user(name="n" * 300)
    one.connect()

    assert heard.names() == ["connect", "! handshake (full)"]
    assert heard.failure().startswith("name nnn")


# ---- the command line ------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.test", ("a.test", 443)),
        ("a.test:8443", ("a.test", 8443)),
        ("tls://a.test:1/", ("a.test", 1)),
        ("https://a.test/", ("a.test", 443)),
        ("[::1]", ("::1", 443)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_address_is_read(text: str, found: tuple[str, int]) -> None:
    assert load.address(text) == found


@pytest.mark.parametrize("text", ["", ":1", "a:", "a:0", "a:65536", "a:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(load.LoadError):
        load.address(text)


def parsed(*words: str) -> argparse.Namespace:
    """Read words as locust's parser does."""
    parser = argparse.ArgumentParser()
    load.add_options(parser)
    return parser.parse_args(words)


def test_options_are_read_from_the_command_line(running: Running) -> None:
    words = ["--tls-ca", "p256", "--tls-send", r"hi\r\n", "--tls-read", "4"]
    heard, one = Heard(), load.TlsLoad()
    one.host = running.host
    one.environment = SimpleNamespace(
        events=heard, parsed_options=parsed(*words, "--tls-pause", "0.5")
    )
    one.on_start()
    one.connect()

    assert one.wait_time() == 0.5
    assert heard.names() == ["connect", "handshake (full)", "exchange"]
    found = load.options_of(parsed(*words), None)
    assert found.message == b"hi\r\n"
    assert found.host == "localhost:443"
    assert load.options_of(parsed(), "h") == load.Options("h")
    with pytest.raises(load.LoadError, match="--tls-send"):
        load.options_of(parsed("--tls-send", r"\x"), None)
    with pytest.raises(load.LoadError, match="--tls-send"):
        load.options_of(parsed("--tls-send", "\u20ac"), None)


def test_machine_without_locust_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(load, "find_spec", lambda _: None)

    assert load.main([]) == 1
    assert "pip install 'pyssl-tls[load]'" in capsys.readouterr().err


# ---- the server ------------------------------------------------------------


def test_server_takes_no_more_than_it_may() -> None:
    with Running(serve.context("p256"), most=1) as running:
        place = running.server.address
        with contextlib.closing(socket.create_connection(place)):
            one, heard = running.user(timeout=SMALL)
            one.connect()
            assert heard.failure() == "handshake: timed out"
        one, heard = running.user()
        one.connect()
        assert heard.names() == ["connect", "handshake (full)"]


def test_server_closes_what_is_open_when_it_ends(running: Running) -> None:
    ctx = load.context(load.Options(ca="p256"))
    ssl = pyssl.SSL(ctx)
    with socket.create_connection(running.server.address) as sock:
        ssl.set_fd(sock.fileno())
        ssl.set_connect_state()
        assert ssl.do_handshake() == 1
        assert (ssl.write(b"x"), ssl.read(bytearray(1))) == (1, 1)
        assert finished(running) == {"full": 1, "bytes": 1}
        ret = ssl.read(bytearray(1))
        assert ssl.get_error(ret) == pyssl.SSL_ERROR_ZERO_RETURN
    running.server.stop()  # again, and late


def test_server_listens_on_ipv6_too() -> None:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError as e:
        pytest.skip(f"no IPv6 here: {e}")
    place = ("::1", 0)
    with Running(serve.context("p256"), place=place) as running:
        port = running.server.address[1]
        one, heard = user(host=f"[::1]:{port}", name=pki.HOST, ca="p256")
        one.connect()
    assert heard.names() == ["connect", "handshake (full)"]


def test_server_ends_by_itself() -> None:
    server = serve.Server(serve.context("p256"))

    assert server.run(seconds=SMALL) == {}


def test_server_waits_where_no_connection_can_be_taken(
    running: Running,
) -> None:
    class Empty:
        """A listener of a process without a descriptor left."""

        def __init__(self, inner: socket.socket) -> None:
            self.inner, self.refused = inner, 0

        def accept(self) -> Any:
            self.refused += 1
            if self.refused == 1:
                raise OSError(24, "Too many open files")
            return self.inner.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    server = serve.Server(serve.context("p256"))
    server._listener = Empty(server._listener)  # type: ignore[assignment]
    thread = threading.Thread(target=server.run)
    thread.start()
    one, heard = user(host=f"localhost:{server.address[1]}", ca="p256")
    one.connect()
    server.stop()
    thread.join(PATIENCE)

    assert heard.names() == ["connect", "handshake (full)"]
    assert server.counts["accept: Too many open files"] == 1


def test_server_serves_files(tmp_path: Path) -> None:
    with pki.as_files("ed25519") as files:
        who = serve.Identity(files.server, files.server_key)
        ctx = serve.context(who, version="1.3")
        root = Path(files.root).read_text("ascii")
    path = tmp_path / "root.pem"
    path.write_text(root, "ascii")
    with Running(ctx) as running:
        one, heard = user(host=running.host, ca=str(path))
        one.connect()
    assert heard.names() == ["connect", "handshake (full)"]
    with pytest.raises(ends.LoadError, match="certificate: "):
        serve.context(serve.Identity("/nonexistent", "/nonexistent"))


@contextlib.contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the server's command; lend it with where it listens."""
    command = [sys.executable, "-m", "pyssl.bench.serve", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            host, _, port = line.split()[-1].rpartition(":")
            assert line.startswith("serving at ")
            assert host == "127.0.0.1"
            yield process, f"localhost:{port}"
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> Any:
    """End the server as a person would; give its last words."""
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return json.loads(said)


def test_command_serves_until_it_is_told_to_end() -> None:
    with serving("--version", "1.2") as (process, host):
        one, heard = user(host=host, ca="p256")
        one.connect()
        assert ended(process) == {"full": 1}
    assert heard.names() == ["connect", "handshake (full)"]


def test_command_tells_what_it_cannot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert serve.main(["--files", "/nonexistent", "/nonexistent"]) == 1
    assert "No such file" in capsys.readouterr().err
    assert serve.main(["--groups", "unheard-of"]) == 1
    assert "unheard-of" in capsys.readouterr().err


# ---- locust itself ---------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def locust(
    *words: str, out: Optional[int] = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    """Start locust with our user."""
    command = [sys.executable, "-m", "pyssl.bench.load", *words]
    clean = {k: v for k, v in os.environ.items() if k[:6] != "LOCUST"}
    return subprocess.Popen(
        command, stdout=out, stderr=subprocess.DEVNULL, text=True, env=clean
    )


@pytest.mark.skipif(find_spec("locust") is None, reason="no locust here")
@pytest.mark.parametrize("wrong", [False, True])
def test_locust_runs_our_user_on_two_workers(wrong: bool) -> None:
    port = str(free_port())
    with serving() as (process, host):
        wish = ["--host", host, "--tls-ca", "p256", "--tls-resume"]
        wish += ["--tls-send", "hello", "--tls-read", "5"]
        if wrong:
            wish += ["--tls-name", "elsewhere.example"]
        workers = [
            locust("--worker", "--master-port", port, *wish) for _ in "ab"
        ]
        master = locust(
            *("--headless", "--json", "-u", "4", "-r", "4", "-t", "2s"),
            *("--master", "--expect-workers", "2", "--master-bind-port"),
            *(port, "--master-bind-host", "127.0.0.1", *wish),
            out=subprocess.PIPE,
        )
        try:
            said, _ = master.communicate(timeout=PATIENCE)
            codes = [one.wait(PATIENCE) for one in workers]
        finally:
            for one in (master, *workers):
                one.kill()
        counts = ended(process)
    rows = {row["name"]: row for row in json.loads(said)}
    assert rows["connect"]["num_requests"] >= 4
    if wrong:
        assert rows["handshake (full)"]["num_failures"] > 0
        assert master.returncode == 1
        return
    assert codes == [0, 0]
    assert master.returncode == 0
    assert rows["handshake (full)"]["num_requests"] == 4  # one a user
    assert rows["handshake (resumed)"]["num_requests"] > 0
    assert rows["exchange"]["num_requests"] > 0
    assert all(row["num_failures"] == 0 for row in rows.values())
    assert counts["full"] == 4
