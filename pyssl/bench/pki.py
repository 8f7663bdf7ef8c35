"""The certificates of the benchmark, as a scenario asks for them.

Valid from 2020 to 2126, the same in every run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pyssl.bench.pki_data import DATA

# The name in the leaf, and another that must not match it.
HOST = "localhost"
WRONG_HOST = "elsewhere.example"

KINDS = tuple(DATA)
CHAINS = (1, 2, 3)


class Identity(NamedTuple):
    """A key with its certificates, PEM.

    Attributes:
        key: The private key.
        chain: The leaf first; the root is left out.
    """

    key: str
    chain: str


class Files(NamedTuple):
    """Paths of the same."""

    root: str
    server: str
    server_key: str
    client: str
    client_key: str


def root(kind: str) -> str:
    """Give the root that issued all of a kind."""
    return DATA[kind]["root"]


def server(kind: str, chain: int = 1) -> Identity:
    """Give a server's identity.

    Args:
        kind: One of KINDS.
        chain: Certificates that it sends, one of CHAINS.
    """
    found = DATA[kind]
    above = ["", found["ca1"], found["ca2"] + found["ca1"]][chain - 1]
    return Identity(found["key"], found[f"leaf{chain}"] + above)


def client(kind: str) -> Identity:
    """Give a client's identity; one certificate."""
    return Identity(DATA[kind]["client_key"], DATA[kind]["client"])


@contextmanager
def as_files(kind: str, chain: int = 1) -> Iterator[Files]:
    """Lend the certificates to a package that reads files only.

    Yields:
        Their paths. The files are gone afterwards.
    """
    ours, theirs = server(kind, chain), client(kind)
    texts = (root(kind), ours.chain, ours.key, theirs.chain, theirs.key)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, f"{name}.pem")) for name in Files._fields]
        for path, text in zip(paths, texts):
            Path(path).write_text(text, "ascii")
        yield Files(*paths)
