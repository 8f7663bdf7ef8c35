"""Peers that several tests share: one process for each command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Callable

import pytest

from tests.peer import interop_table, openssl_cli
from tests.pki import ca

# Gives the server of an identity and options, started on first use.
Servers = Callable[..., openssl_cli.Server]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Start servers that live as long as the tests of a module run."""
    running: dict[object, openssl_cli.Server] = {}
    with contextlib.ExitStack() as stack:

        def get(identity: ca.Identity, *options: str) -> openssl_cli.Server:
            key = (identity.cert_der, options)
            if key not in running:
                server = openssl_cli.Server(identity, *options)
                running[key] = stack.enter_context(server)
            return running[key]

        yield get


def pytest_terminal_summary(terminalreporter) -> None:
    """Print the interop matrix, if it was run."""
    interop_table.show(terminalreporter)
