"""What the load generator and the server for it have in common."""

from __future__ import annotations

import os

import pyssl

VERSIONS = {"1.2": pyssl.TLS1_2_VERSION, "1.3": pyssl.TLS1_3_VERSION}


class LoadError(Exception):
    """Something did not work; the text says what, the same each time."""


def must(what: str, result: int) -> None:
    """Refuse a result other than 1.

    Errors:
        LoadError: with what the error queue tells.
    """
    if result != 1:
        raise LoadError(f"{what}: {queue_words() or 'refused'}")


def limit(ctx: pyssl.SSL_CTX, version: str, groups: str) -> None:
    """Keep a context to a version and to groups.

    Args:
        ctx: The context.
        version: A key of VERSIONS; "" for all of them.
        groups: Names parted by colons, best first; "" for the defaults.

    Errors:
        LoadError: unknown names.
    """
    if version:
        if version not in VERSIONS:
            raise LoadError(f"version {version}: there are 1.2 and 1.3")
        must("version", ctx.set_min_proto_version(VERSIONS[version]))
        must("version", ctx.set_max_proto_version(VERSIONS[version]))
    if groups:
        must(f"groups {groups}", ctx.set1_groups_list(groups))


def queue_words() -> str:
    """Empty the error queue; give its reasons, each once, the oldest first."""
    found: list[str] = []
    while code := pyssl.ERR_get_error():
        reason = pyssl.ERR_GET_REASON(code)
        if pyssl.ERR_SYSTEM_ERROR(code):
            found.append(os.strerror(reason))
        else:
            text = pyssl.ERR_reason_error_string(code)
            found.append(text or f"reason {reason}")
    return ", ".join(dict.fromkeys(found))


def reason(ssl: pyssl.SSL, error: int) -> str:
    """Say why a call failed, and leave an empty error queue.

    Args:
        ssl: The object that was called.
        error: What its `get_error` said.
    """
    words = queue_words()
    verified = ssl.get_verify_result()
    if verified != pyssl.X509_V_OK:
        why = pyssl.X509_verify_cert_error_string(verified)
        words = f"{words} ({why})" if words else why
    if words:
        return words
    if error == pyssl.SSL_ERROR_ZERO_RETURN:
        return "the peer closed"
    return "the connection broke"
