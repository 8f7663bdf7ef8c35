"""The kept inputs of the fuzzer (make fuzz runs them, and goes on)."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz import __main__ as fuzz, seed


def test_corpus_is_small_and_known() -> None:
    files = [path for path in fuzz.CORPUS.glob("*/*") if path.is_file()]

    assert {path.parent.name for path in files} == {
        target.corpus for target in fuzz.TARGETS.values()
    }
    assert sum(path.stat().st_size for path in files) < 200_000
    assert max(path.stat().st_size for path in files) <= 8192


def test_first_inputs_come_from_the_vectors() -> None:
    hellos = list(seed.hellos())

    assert len(hellos) >= 47
    assert all(text[0] == 1 for text in hellos)
    assert all(seed.is_message(text) for text in seed.messages())
    assert {text[0] for text in seed.messages()} >= {1, 2, 4, 8, 11, 15, 20}


def test_programs_get_certificates_and_first_inputs(tmp_path: Path) -> None:
    fuzz.certificates(tmp_path / "certificates.c")
    seed.write(tmp_path)

    text = (tmp_path / "certificates.c").read_text("utf-8")
    assert text.count("BEGIN") == 3
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        target.corpus for target in fuzz.TARGETS.values()
    }
