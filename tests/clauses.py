"""Which test proves which clause.

A test says it with the decorator `clause`; `python -m tests.clauses` lists
the clauses of docs/contract.md that no collected test cites and that
tests/clauses_later.txt does not put off with a reason.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = ROOT / "docs" / "contract.md"
LATER = ROOT / "tests" / "clauses_later.txt"

_ID = re.compile(r"[A-Z]+-\d+")
_RFC = re.compile(r"RFC \d+( |$)")
_DEFINITION = re.compile(r"^- \*\*([A-Z]+-\d+)\b", re.MULTILINE)


def _read_clauses() -> dict[str, int]:
    """Give each clause of the contract with its place in it."""
    found = _DEFINITION.findall(CONTRACT.read_text("utf-8"))
    twice = {one for one in found if found.count(one) > 1}
    if twice:
        raise ValueError(f"clauses defined twice: {sorted(twice)}")
    return {one: place for place, one in enumerate(found)}


CLAUSES = _read_clauses()


def clause(*ids: str) -> pytest.MarkDecorator:
    """Mark a test with what it proves.

    Args:
        ids: clauses of the contract ("HS-3") and RFC sections
            ("RFC 8446 4.2.1"). Words in a sentence may follow an RFC
            section, to say which of its rules is meant.

    Errors:
        ValueError: a clause that the contract does not have.
    """
    if not ids:
        raise ValueError("no clause named")
    after_rfc = False
    for one in ids:
        is_rfc = _RFC.match(one) is not None
        is_rule = after_rfc and " " in one
        if not (is_rfc or is_rule or one in CLAUSES):
            raise ValueError(f"the contract has no clause {one!r}")
        after_rfc = is_rfc or is_rule
    return pytest.mark.clause(*ids)


def later() -> dict[str, str]:
    """Read the clauses put off, with the reason of each."""
    listed: dict[str, str] = {}
    for line in LATER.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        one, _, reason = line.partition(" ")
        if one not in CLAUSES:
            raise ValueError(f"{LATER.name}: no clause {one!r}")
        if one in listed:
            raise ValueError(f"{LATER.name}: {one} stands there twice")
        if not reason.strip():
            raise ValueError(f"{LATER.name}: {one} without a reason")
        listed[one] = reason.strip()
    return listed


class _Cited:
    """A pytest plugin that notes what the collected tests cite."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.tests = 0
        self.failed: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(f"{report.nodeid}\n{report.longreprtext}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if item.get_closest_marker("skip") is not None:
                continue
            self.tests += 1
            for mark in item.iter_markers("clause"):
                self.ids.update(one for one in mark.args if one in CLAUSES)


def main() -> int:
    """Collect the suite, compare, report.

    Returns:
        0 if every clause is cited or put off, and none is both.
    """
    cited = _Cited()
    # Without a terminal reporter, so without the options that it takes.
    settings = "addopts=--strict-markers --import-mode=importlib"
    code = pytest.main(
        [
            "--collect-only",
            "-p",
            "no:terminal",
            "-o",
            settings,
            str(ROOT / "tests"),
        ],
        plugins=[cited],
    )
    if code != pytest.ExitCode.OK:
        print(*cited.failed, "the suite cannot be collected", sep="\n")
        return 1
    put_off = later()
    missing = [one for one in CLAUSES if one not in {*cited.ids, *put_off}]
    both = [one for one in CLAUSES if one in cited.ids and one in put_off]
    for one in missing:
        print(f"{one}: no test cites it")
    for one in both:
        print(f"{one}: cited, and yet put off in {LATER.name}")
    print(
        f"{len(CLAUSES)} clauses: {len(cited.ids)} cited by "
        f"{cited.tests} tests, {len(put_off)} put off, {len(missing)} missing"
    )
    return 1 if missing or both else 0


if __name__ == "__main__":
    sys.exit(main())
