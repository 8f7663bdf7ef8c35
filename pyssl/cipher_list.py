"""The control strings of SSL_CTX_set_cipher_list(3) and ciphers(1).

They choose among the suites of TLS 1.2 (CIPH-1, CIPH-2). A string is a row
of elements, and each one moves suites between two lists: those that are
chosen, and those that may still be.
"""

from __future__ import annotations

import re
from typing import Callable, NamedTuple

from pyssl._ffi import lib, text_of
from pyssl.const import SSL_R_INVALID_COMMAND, SSL_R_NO_CIPHER_MATCH

_KIND = lib.PYS_KIND_SUITE
# An element: its prefix, words in a row; then a separator or the next one.
_ELEMENT = re.compile(
    r"([-+!@]|(?![-+!@]))([\w.=-]+(?:\+[\w.=-]+)*)", re.ASCII
)
_SEPARATORS = re.compile(r"[:;, ]*")
_IGNORED = re.compile(r"[^:;, ]*")
_LEVEL = re.compile(r"SECLEVEL=([0-5])")
_FIRST = "DEFAULT"


class Chosen(NamedTuple):
    """What a control string says.

    Attributes:
        ids: Code points of suites of TLS 1.2, best first; at least one.
        level: The security level that it sets, or None.
    """

    ids: list[int]
    level: int | None


class _Suite(NamedTuple):
    """What the words look at."""

    id: int
    names: tuple[str, str]
    bits: int


def is_tls13(id: int) -> bool:
    """Tell whether a suite is of TLS 1.3 (RFC 8446 B.4)."""
    return id >> 8 == 0x13


def _known() -> list[_Suite]:
    """Give the suites of TLS 1.2 in our order of preference."""
    found: list[_Suite] = []
    for at in range(lib.PYS_LIST_MAX):
        id = int(lib.pys_id_at(_KIND, at))
        if id == 0:
            break
        if not is_tls13(id):
            names = (
                text_of(lib.pys_name_of(_KIND, id)) or "",
                text_of(lib.pys_suite_standard_name(id)) or "",
            )
            found.append(_Suite(id, names, int(lib.pys_suite_bits(id))))
    return found


def _with(part: str) -> Callable[[_Suite], bool]:
    """Select by a part of the name."""
    return lambda suite: part in suite.names[0]


def _with_psk(suite: _Suite) -> bool:
    """Select what needs a key and no certificate (RFC 5489)."""
    return "-PSK-" in suite.names[0]


def _with_certificate(suite: _Suite) -> bool:
    return not _with_psk(suite)


def _all(suite: _Suite) -> bool:
    del suite
    return True


def _none(suite: _Suite) -> bool:
    del suite
    return False


# There are no suites but ECDHE and ECDHE-PSK with an AEAD, so words for
# anything else select nothing: RSA is the key exchange, SHA256 and SHA384
# are the MACs.
_SETS: dict[str, Callable[[_Suite], bool]] = {
    "ALL": _all,
    "HIGH": _all,
    "MEDIUM": _none,
    "AES": _with("AES"),
    "AES128": _with("AES128"),
    "AES256": _with("AES256"),
    "AESGCM": _with("GCM"),
    "AEAD": _all,
    "CHACHA20": _with("CHACHA20"),
    "ECDHE": _with_certificate,
    "EECDH": _with_certificate,
    "kECDHE": _with_certificate,
    "kEECDH": _with_certificate,
    "ECDSA": _with("-ECDSA-"),
    "aECDSA": _with("-ECDSA-"),
    "RSA": _none,
    "aRSA": _with("-RSA-"),
    "kRSA": _none,
    "PSK": _with_psk,
    "kECDHEPSK": _with_psk,
    "aPSK": _with_psk,
    "kPSK": _none,
    "aNULL": _none,
    "eNULL": _none,
    "NULL": _none,
    "SHA256": _none,
    "SHA384": _none,
    "TLSv1.2": _all,
}


def _selects(words: list[str], suite: _Suite) -> bool:
    """Tell whether a suite is in all the sets of "A+B"."""
    return all(
        word in suite.names or _SETS.get(word, _none)(suite) for word in words
    )


class _Lists:
    """The chosen suites, and those that may still be chosen."""

    def __init__(self) -> None:
        """Begin with nothing chosen."""
        self.chosen: list[_Suite] = []
        self.idle = self._everything = _known()
        self.level: int | None = None

    def _part(
        self, suites: list[_Suite], words: list[str]
    ) -> tuple[list[_Suite], list[_Suite]]:
        """Split a list: what the words select, and the rest."""
        hit = [suite for suite in suites if _selects(words, suite)]
        return hit, [suite for suite in suites if suite not in hit]

    def append(self, words: list[str]) -> None:
        """No prefix: choose, behind those that are chosen."""
        hit, self.idle = self._part(self.idle, words)
        self.chosen += hit

    def remove(self, words: list[str]) -> None:
        """A minus: no longer chosen; it may be again."""
        hit, self.chosen = self._part(self.chosen, words)
        self.idle = hit + self.idle

    def move(self, words: list[str]) -> None:
        """A plus: those that are chosen go to the end."""
        hit, self.chosen = self._part(self.chosen, words)
        self.chosen += hit

    def ban(self, words: list[str]) -> None:
        """An exclamation mark: out for good."""
        self.chosen = self._part(self.chosen, words)[1]
        self.idle = self._part(self.idle, words)[1]

    def command(self, word: str) -> bool:
        """An at sign: sort, or set the level; False for anything else."""
        level = _LEVEL.fullmatch(word)
        if level is not None:
            self.level = int(level[1])
        elif word == "STRENGTH":
            self.chosen.sort(key=lambda suite: -suite.bits)
        else:
            return False
        return True

    def obey(self, prefix: str, text: str) -> bool:
        """Obey one element; False if it is malformed."""
        if prefix == "@":
            return self.command(text)
        act = {"-": self.remove, "+": self.move, "!": self.ban}
        act.get(prefix, self.append)(text.split("+"))
        return True

    def read(self, text: str) -> bool:
        """Obey all elements of a string; False if one is malformed."""
        at = 0
        while True:
            at = _end(_SEPARATORS, text, at)
            if at == len(text):
                return True
            found = _ELEMENT.match(text, at)
            if found is None or not self.obey(found[1], found[2]):
                return False
            at = found.end()
            if not self._knows(found[2]):
                at = _end(_IGNORED, text, at)
            elif text.startswith("+", at):
                return False

    def _knows(self, words: str) -> bool:
        return all(
            word in _SETS or any(word in s.names for s in self._everything)
            for word in words.split("+")
        )


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Give the place behind what a pattern passes over."""
    found = pattern.match(text, at)
    return at if found is None else found.end()


def parse(text: str) -> Chosen | int:
    """Choose the suites of TLS 1.2 that a control string says.

    Args:
        text: Elements parted by colons, semicolons, commas or spaces.

    Returns:
        The choice; or the reason for refusing it: SSL_R_NO_CIPHER_MATCH if
        nothing is left, SSL_R_INVALID_COMMAND for a malformed element.

    Errors:
        TypeError: not a str.

    Source: ciphers(1), CIPHER LIST FORMAT; contract CIPH-1, CIPH-2.
    """
    if not isinstance(text, str):
        raise TypeError(f"a text is needed, not {text!r}")
    lists = _Lists()
    if text.startswith(_FIRST):
        lists.append(["ALL"])
        text = text[len(_FIRST) :]
    if not lists.read(text):
        return SSL_R_INVALID_COMMAND
    if not lists.chosen:
        return SSL_R_NO_CIPHER_MATCH
    return Chosen([suite.id for suite in lists.chosen], lists.level)
