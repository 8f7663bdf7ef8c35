"""musts.md and musts12.md name tests and rows that exist."""

from __future__ import annotations

import fnmatch
import importlib
import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# The list, and what its names of files leave out.
LISTS = {"musts.md": "test_rfc8446_", "musts12.md": "test_"}


def _inventory(prefix: str) -> set[str]:
    """Give the names of files, functions and rows, as a list has them."""
    names = {"dead", "tests/forge/victim.py"}
    for path in HERE.glob(
        f"{prefix}rfc*.py" if prefix == "test_" else f"{prefix}*.py"
    ):
        names.add(path.stem[len(prefix) :])
        if path.stem == Path(__file__).stem:
            continue
        module = importlib.import_module(f"tests.proto.{path.stem}")
        for name, found in vars(module).items():
            if not name.startswith("test_"):
                continue
            names.add(name[len("test_") :])
            for mark in getattr(found, "pytestmark", []):
                if mark.name == "parametrize" and mark.args[0] == "case":
                    names.update(param.id for param in mark.args[1])
    return names


NAMES = {name: _inventory(prefix) for name, prefix in LISTS.items()}
RULES = [
    (name, line)
    for name in LISTS
    for line in (HERE / name).read_text("utf-8").splitlines()
    if line.startswith("- ")
]


def _known(word: str, names: set[str]) -> bool:
    """Is it a file, a function, a row, or a pattern of one?"""
    pattern = word.replace("…", "*")
    pattern = pattern.replace("[", "[[]")
    return bool(fnmatch.filter(names, pattern))


@pytest.mark.parametrize(
    ("name", "line"), RULES, ids=[f"{n}-{r[2:40]}" for n, r in RULES]
)
def test_rule_names_a_test_or_says_why_not(name: str, line: str) -> None:
    words = re.findall(r"`([^`]+)`", line)
    for word in words:
        function, _, row = word.rstrip("]").partition("[")
        assert _known(function, NAMES[name]), word
        assert not row or _known(row, NAMES[name]), word
    assert words or "Does not apply" in line


def _sections(name: str) -> set[str]:
    """Give the beginnings of the rules of a list."""
    return {rule[2:] for found, rule in RULES if found == name}


def test_rules_of_each_section_are_listed() -> None:
    sections = {re.split(r"[ :]", rule)[0] for rule in _sections("musts.md")}
    for one in ("4", "4.1.2", "4.1.3", "4.1.4", "4.2", "4.2.1", "4.2.3"):
        assert one in sections
    for one in ("4.2.8", "4.2.11", "4.3.1", "4.3.2", "4.4.2", "4.4.3"):
        assert one in sections
    for one in ("4.4.4", "4.6.1", "4.6.2", "4.6.3", "5", "5.1", "5.2"):
        assert one in sections
    for one in ("5.4", "6", "6.1", "6.2"):
        assert one in sections


def test_rules_of_each_section_of_tls12_are_listed() -> None:
    sections = {
        " ".join(re.split(r"[ :]", rule)[:2])
        for rule in _sections("musts12.md")
    }
    for one in ("6.2.1", "6.2.3", "7.1", "7.2", "7.3", "7.4.1.1", "7.4.1.2"):
        assert f"5246 {one}" in sections
    for one in ("3", "4", "5", "6", "8", "9"):
        assert f"5246 7.4.{one}" in sections
    for one in ("4279 2", "4279 5.3", "5489 2", "8442 3"):
        assert one in sections
    for one in ("5077 3.3", "5288 3", "5746 3.4", "5746 3.6", "7507 3"):
        assert one in sections
    for one in ("7627 5.3", "7905 2", "8422 5.4", "8422 5.11", "8446 4.1.3"):
        assert one in sections
