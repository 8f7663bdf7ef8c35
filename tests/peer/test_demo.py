"""The page that `make demo` shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pyssl import demo, demo_peer
from tests.clauses import clause
from tests.peer import openssl_cli

PEERS = [
    pytest.param(
        "openssl",
        marks=pytest.mark.skipif(
            not openssl_cli.FOUND, reason="the peer is not installed"
        ),
    ),
    "pyssl",
]


@clause(
    "HS-5", "HS-6", "HS-8", "HS-9", "METH-1", "PAIR-15", "PAIR-16", "GE-10"
)
@pytest.mark.parametrize("peer", PEERS)
def test_demo_shows_a_handshake_over_each_kind_of_bio(peer, capsys):
    assert demo.main(["--peer", peer]) == 0

    page = capsys.readouterr().out
    assert page.count("TLSv1.3, TLS_AES_256_GCM_SHA384, X25519") == 6
    assert page.count("CN=localhost,O=pyssl demo") == 6
    assert page.count("nohtyP ni nettirw OIB a revo") == 1
    assert "-> -1   WANT_READ" in page
    assert "-> -1   WANT_WRITE" in page
    assert "-> -1   WANT_CONNECT" in page
    assert "6 of 6" in page
    assert "\033" not in page
    assert all(len(line) < 80 for line in page.splitlines())


def test_demo_without_openssl_serves_itself(monkeypatch, capsys):
    monkeypatch.setattr(demo_peer, "has_openssl", lambda: False)

    assert demo.main([]) == 0
    assert "The server is pyssl itself" in capsys.readouterr().out


def test_demo_with_an_openssl_that_fails_serves_itself(monkeypatch, capsys):
    def refuse(*_: Path) -> None:
        raise demo_peer.PeerError("unknown option -addext")

    monkeypatch.setattr(demo_peer, "has_openssl", lambda: True)
    monkeypatch.setattr(demo_peer, "_make_certificate", refuse)

    assert demo.main([]) == 0
    page = capsys.readouterr().out
    assert "unknown option -addext" in page
    assert "The server is pyssl itself" in page


def test_demo_whose_client_trusts_nobody_fails_and_says_why(
    monkeypatch, capsys
):
    real = demo_peer.Peer.connect

    def connect(peer):
        monkeypatch.setattr(demo_peer, "HOST", "other.test")
        return real(peer)

    monkeypatch.setattr(demo_peer.Peer, "connect", connect)

    assert demo.main(["--peer", "pyssl"]) == 1
    page = capsys.readouterr().out
    assert page.count("FAILED: SSL_do_handshake(ssl)") == 6
    assert "certificate verify failed" in page
    assert "0 of 6" in page


def test_demo_on_a_terminal_is_in_colour():
    class Terminal:
        text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

    terminal = Terminal()
    demo.Page(terminal).call("SSL_accept(ssl)", 1)

    assert terminal.text.startswith("\033[32m")


@pytest.mark.skipif(not openssl_cli.FOUND, reason="no openssl")
def test_demo_leaves_no_process_behind(monkeypatch, capsys):
    started = []
    real = subprocess.Popen

    def popen(*args, **kwargs):
        started.append(real(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)

    assert demo.main(["--peer", "openssl"]) == 0
    assert started
    assert all(child.returncode is not None for child in started)
