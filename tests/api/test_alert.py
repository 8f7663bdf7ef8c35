"""Alerts in words: contract section 7.5."""

from __future__ import annotations

import re

import pytest

from pyssl.alert import (
    SSL_alert_desc_string,
    SSL_alert_desc_string_long,
    SSL_alert_type_string,
    SSL_alert_type_string_long,
)
from tests.clauses import CONTRACT, clause


def table() -> dict[int, tuple[str, str]]:
    """Read numbers, letters and words from the contract."""
    text = CONTRACT.read_text("utf-8")
    text = text[text.index("- **ERR-20**") : text.index("- **ERR-21**")]
    cells = r"\| (\d+) \| ([^|]+) \| [^|]+ \| ([A-Z]{2}) (?=\|)"
    found = re.findall(cells, text)
    return {int(n): (letters, words) for n, words, letters in found}


@clause("ERR-21")
@pytest.mark.parametrize(
    ("level", "letter", "word"),
    [(1, "W", "warning"), (2, "F", "fatal"), (0, "U", "unknown")]
    + [(n, "U", "unknown") for n in (3, 255)],
)
def test_alert_type_is_told_from_the_level(
    level: int, letter: str, word: str
) -> None:
    for number in (0, 40, 255):
        assert SSL_alert_type_string(level << 8 | number) == letter
        assert SSL_alert_type_string_long(level << 8 | number) == word


@clause("ERR-21")
@pytest.mark.parametrize("level", [0, 1, 2, 7])
def test_alert_words_and_letters_of_every_number(level: int) -> None:
    known = table()
    assert len(known) == 34
    for number in range(256):
        letters, words = known.get(number, ("UK", "unknown"))
        assert SSL_alert_desc_string(level << 8 | number) == letters
        assert SSL_alert_desc_string_long(level << 8 | number) == words
