"""A key log in a file, beside the callback or alone (contract 6.11)."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import pyssl as p
from pyssl import keylog
from tests.api.links import MemLink, make_contexts, make_ends
from tests.clauses import clause

TLS12, TLS13 = p.TLS1_2_VERSION, p.TLS1_3_VERSION
BOTH = pytest.mark.parametrize("version", [TLS12, TLS13])
LINES = {TLS12: 1, TLS13: 5}


def connect(contexts: tuple[p.SSL_CTX, p.SSL_CTX]) -> MemLink:
    """Shake hands once."""
    link = MemLink(*make_ends(*contexts))
    link.established()
    return link


@clause("KLOG-1", "KLOG-2")
@BOTH
def test_file_and_callback_get_the_same_lines(
    version: int, tmp_path: Path
) -> None:
    contexts = make_contexts(version=version)
    files = [tmp_path / "client", tmp_path / "server"]
    seen: list[str] = []
    contexts[0].set_keylog_callback(lambda end, line: seen.append(line))
    for ctx, file in zip(contexts, files):
        ctx.set_keylog_file(file)
        assert ctx.get_keylog_file() == str(file)
    connect(contexts)

    text = files[0].read_text("ascii")
    assert text.endswith("\n")
    assert text.splitlines() == seen
    assert len(seen) == LINES[version]
    assert sorted(files[1].read_text("ascii").splitlines()) == sorted(seen)


@clause("KLOG-1")
def test_new_file_is_for_its_owner_and_an_old_one_is_added_to(
    tmp_path: Path,
) -> None:
    contexts = make_contexts()
    file = tmp_path / "keys"
    before = os.umask(0)
    try:
        contexts[0].set_keylog_file(os.fsencode(file))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    connect(contexts)
    contexts[0].set_keylog_file(str(file))
    connect(contexts)
    lines = file.read_text("ascii").splitlines()
    assert len(lines) == 2 * LINES[TLS13]
    assert len({line.split(" ")[1] for line in lines}) == 2


@clause("KLOG-1")
def test_none_ends_the_file_and_leaves_the_callback(tmp_path: Path) -> None:
    contexts = make_contexts()
    seen: list[str] = []
    file = tmp_path / "keys"
    contexts[0].set_keylog_file(file)
    contexts[0].set_keylog_callback(lambda end, line: seen.append(line))
    contexts[0].set_keylog_file(None)
    assert contexts[0].get_keylog_file() is None
    connect(contexts)
    assert len(seen) == LINES[TLS13]
    assert file.read_text("ascii") == ""

    contexts[0].set_keylog_file(file)
    contexts[0].set_keylog_callback(None)
    assert contexts[0].get_keylog_callback() is None
    seen.clear()
    connect(contexts)
    assert seen == []
    assert len(file.read_text("ascii").splitlines()) == LINES[TLS13]


@clause("KLOG-1")
def test_file_that_cannot_be_opened_is_an_exception(tmp_path: Path) -> None:
    contexts = make_contexts()
    file = tmp_path / "keys"
    contexts[0].set_keylog_file(file)
    with pytest.raises(FileNotFoundError):
        contexts[0].set_keylog_file(tmp_path / "none" / "keys")
    with pytest.raises(IsADirectoryError):
        contexts[0].set_keylog_file(tmp_path)
    wrong: Any = 1
    with pytest.raises(TypeError):
        contexts[0].set_keylog_file(wrong)
    with pytest.raises(ValueError, match="null"):
        contexts[0].set_keylog_file("a\0b")
    connect(contexts)
    assert len(file.read_text("ascii").splitlines()) == LINES[TLS13]
    contexts[0].free()
    for call in (
        lambda: contexts[0].set_keylog_file(None),
        contexts[0].get_keylog_file,
        contexts[0].use_keylog_environment,
    ):
        with pytest.raises(ValueError, match="freed"):
            call()


@clause("KLOG-1", "CV-7")
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_line_that_cannot_be_written_is_unraisable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)
    contexts = make_contexts()
    seen: list[str] = []
    contexts[0].set_keylog_callback(lambda end, line: seen.append(line))
    contexts[0].set_keylog_file("/dev/full")
    connect(contexts)
    assert len(seen) == LINES[TLS13]
    assert [one.exc_type for one in raised] == [OSError] * LINES[TLS13]


def test_line_is_one_write_and_goes_on_after_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = make_contexts()
    contexts[0].set_keylog_file(tmp_path / "keys")
    sizes: list[int] = []
    write = os.write

    def count(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(keylog.os, "write", count)
    connect(contexts)
    lines = (tmp_path / "keys").read_text("ascii").splitlines()
    assert sizes == [len(line) + 1 for line in lines]

    monkeypatch.setattr(keylog.os, "write", lambda fd, d: write(fd, d[:50]))
    connect(contexts)
    more = (tmp_path / "keys").read_text("ascii").splitlines()
    assert [len(one) for one in more[len(lines) :]] == [
        len(one) for one in lines
    ]


@pytest.mark.threads
def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    contexts = make_contexts()
    for ctx in contexts:  # two descriptors on one file
        ctx.set_keylog_file(tmp_path / "keys")
    errors: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(10):
                connect(contexts)
        except BaseException as e:  # noqa: BLE001 - told to the test
            errors.append(e)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    lines = (tmp_path / "keys").read_text("ascii").splitlines()
    assert len(lines) == 2 * 40 * LINES[TLS13]
    for line in lines:
        label, random, secret = line.split(" ")
        assert label.isupper() or label[-1] == "0"
        assert (len(random), len(secret)) == (64, 96)


# ---- the environment --------------------------------------------------------


def test_variable_counts_only_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(file))
    contexts = make_contexts()
    connect(contexts)
    assert not file.exists()
    assert contexts[0].use_keylog_environment() is True
    assert contexts[0].get_keylog_file() == str(file)
    connect(contexts)
    assert len(file.read_text("ascii").splitlines()) == LINES[TLS13]


@pytest.mark.parametrize("value", [None, ""])
def test_variable_that_is_not_set_changes_nothing(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = make_contexts()
    contexts[0].set_keylog_file(tmp_path / "keys")
    if value is None:
        monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    else:
        monkeypatch.setenv("SSLKEYLOGFILE", value)
    assert contexts[0].use_keylog_environment() is False
    assert contexts[0].get_keylog_file() == str(tmp_path / "keys")


def test_variable_with_a_bad_path_is_an_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys"))
    with pytest.raises(FileNotFoundError):
        make_contexts()[0].use_keylog_environment()


def test_interpreter_that_ignores_the_environment_has_no_variable(
    tmp_path: Path,
) -> None:
    file = tmp_path / "keys"
    script = f"import sys; sys.path[:] = {sys.path!r}; import pyssl as p;"
    script += "print(p.SSL_CTX().use_keylog_environment())"
    done = subprocess.run(
        [
            sys.executable,
            "-E",
            "-c",
            script,
        ],
        env={**os.environ, "SSLKEYLOGFILE": str(file)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
    assert not file.exists()


# ---- the standard library's file --------------------------------------------


@clause("KLOG-1", "KLOG-2")
@BOTH
def test_file_is_that_of_the_standard_library(
    version: int, tmp_path: Path
) -> None:
    contexts = make_contexts(version=version)
    contexts[1].set_keylog_file(tmp_path / "ours")
    end = make_ends(*contexts)[1]
    inward, outward = p.BIO_new(p.BIO_s_mem()), p.BIO_new(p.BIO_s_mem())
    assert inward is not None
    assert outward is not None
    p.SSL_set_bio(end, inward, outward)

    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.keylog_filename = str(tmp_path / "theirs")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = ctx.wrap_bio(there, back)
    for _ in range(3):
        try:
            peer.do_handshake()
        except ssl.SSLWantReadError:
            pass
        else:
            assert not back.pending or version
        data = back.read()
        if data:
            p.BIO_write(inward, data)
        p.SSL_do_handshake(end)
        size = p.BIO_ctrl_pending(outward)
        if size:
            raw = bytearray(size)
            p.BIO_read(outward, raw)
            there.write(raw)
    assert p.SSL_is_init_finished(end)

    def lines(name: str) -> list[str]:
        found = (tmp_path / name).read_text("ascii").splitlines()
        return sorted(one for one in found if one[0] != "#")

    assert lines("ours") == lines("theirs")
    assert len(lines("ours")) == LINES[version]
