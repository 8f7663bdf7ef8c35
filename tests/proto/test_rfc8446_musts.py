"""musts.md names tests and rows that exist."""

from __future__ import annotations

import fnmatch
import importlib
import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PREFIX = "test_rfc8446_"


def _inventory() -> tuple[set[str], set[str], set[str]]:
    """Give the names of files, functions and rows, as musts.md has them."""
    files, functions, rows = set(), set(), set()
    for path in HERE.glob(f"{PREFIX}*.py"):
        files.add(path.stem[len(PREFIX) :])
        if path.stem == Path(__file__).stem:
            continue
        module = importlib.import_module(f"tests.proto.{path.stem}")
        for name, found in vars(module).items():
            if not name.startswith("test_"):
                continue
            functions.add(name[len("test_") :])
            for mark in getattr(found, "pytestmark", []):
                if mark.name == "parametrize" and mark.args[0] == "case":
                    rows.update(param.id for param in mark.args[1])
    return files, functions, rows


FILES, FUNCTIONS, ROWS = _inventory()
LINES = (HERE / "musts.md").read_text("utf-8").splitlines()
RULES = [line for line in LINES if line.startswith("- ")]


def _known(word: str) -> bool:
    """Is it a file, a function, a row, or a pattern of one?"""
    pattern = word.replace("…", "*")
    pattern = pattern.replace("[", "[[]")
    names = FILES | FUNCTIONS | ROWS | {"dead", "tests/forge/victim.py"}
    return bool(fnmatch.filter(names, pattern))


@pytest.mark.parametrize("line", RULES, ids=[r[2:40] for r in RULES])
def test_rule_names_a_test_or_says_why_not(line: str) -> None:
    words = re.findall(r"`([^`]+)`", line)
    for word in words:
        function, _, row = word.rstrip("]").partition("[")
        assert _known(function), word
        assert not row or _known(row), word
    assert words or re.search(r"later:|Does not apply|record layer", line)


def test_rules_of_each_section_are_listed() -> None:
    sections = {re.split(r"[ :]", rule[2:])[0] for rule in RULES}
    for one in ("4", "4.1.2", "4.1.3", "4.1.4", "4.2", "4.2.1", "4.2.3"):
        assert one in sections
    for one in ("4.2.8", "4.2.11", "4.3.1", "4.3.2", "4.4.2", "4.4.3"):
        assert one in sections
    for one in ("4.4.4", "4.6.1", "4.6.2", "4.6.3", "5", "5.1", "5.2"):
        assert one in sections
    for one in ("5.4", "6", "6.1", "6.2"):
        assert one in sections
