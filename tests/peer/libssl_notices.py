"""What OpenSSL's info and message callbacks say, in a process of its own.

    python libssl_notices.py chain.pem key.pem

Handshakes over memory BIOs, client first, in both versions, without and with
a client certificate, and with a client that knows no CA; then writes of each
side, in TLS 1.3 with a key update, and a shutdown of each. Gives JSON: for
each of these, and each side, a list of calls, each [name, what it returned,
[notice ...]], where a notice is ["info", where, ret, state] or ["msg", sent,
version, type, hex of the bytes].
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any

SSL = ctypes.CDLL("libssl.so.3")
CRYPTO = ctypes.CDLL("libcrypto.so.3")
P = ctypes.c_void_p
INFO = ctypes.CFUNCTYPE(None, P, ctypes.c_int, ctypes.c_int)
MSG = ctypes.CFUNCTYPE(
    None, ctypes.c_int, ctypes.c_int, ctypes.c_int, P, ctypes.c_size_t, P, P
)
for name in ("SSL_CTX_new", "TLS_method", "SSL_new", "SSL_state_string"):
    getattr(SSL, name).restype = P
for name in ("BIO_new", "BIO_s_mem"):
    getattr(CRYPTO, name).restype = P

NOW: list[Any] = []


@INFO  # type: ignore[untyped-decorator,unused-ignore]
def info(ssl: int, where: int, ret: int) -> None:
    """Note what the info callback is told."""
    state = ctypes.string_at(SSL.SSL_state_string(P(ssl))).decode()
    NOW.append(["info", where, ret, state])


@MSG  # type: ignore[untyped-decorator,unused-ignore]
def msg(
    sent: int, version: int, kind: int, at: int, n: int, ssl: int, arg: int
) -> None:
    """Note what the message callback is told."""
    del ssl, arg
    data = ctypes.string_at(at, n).hex()
    NOW.append(["msg", sent, version, kind, data])


class Side:
    """One end on two memory BIOs."""

    def __init__(self, ctx: Any, server: bool) -> None:
        self.ssl = P(SSL.SSL_new(ctx))
        self.inward = P(CRYPTO.BIO_new(P(CRYPTO.BIO_s_mem())))
        self.outward = P(CRYPTO.BIO_new(P(CRYPTO.BIO_s_mem())))
        for bio in (self.inward, self.outward):
            # An empty one asks for a retry.
            CRYPTO.BIO_ctrl(bio, 130, ctypes.c_long(-1), None)
        SSL.SSL_set_bio(self.ssl, self.inward, self.outward)
        if server:
            SSL.SSL_set_accept_state(self.ssl)
        else:
            SSL.SSL_set_connect_state(self.ssl)
        self.calls: list[Any] = []

    def call(self, name: str, *arguments: Any) -> int:
        """Call a function and keep the notices."""
        NOW.clear()
        ret = int(getattr(SSL, name)(self.ssl, *arguments))
        self.calls.append([name, ret, list(NOW)])
        return ret


def carry(a: Side, b: Side) -> None:
    """Move what one side wrote to the other."""
    buf = ctypes.create_string_buffer(1 << 16)
    n = CRYPTO.BIO_read(a.outward, buf, len(buf))
    if n > 0:
        CRYPTO.BIO_write(b.inward, buf, n)


def run(
    version: int,
    chain: str,
    key: str,
    auth: bool = False,
    broken: bool = False,
) -> Any:
    """Connect, talk and close once."""
    ctxs = []
    for server in (False, True):
        ctx = P(SSL.SSL_CTX_new(P(SSL.TLS_method())))
        SSL.SSL_CTX_ctrl(ctx, 123, ctypes.c_long(version), None)
        SSL.SSL_CTX_ctrl(ctx, 124, ctypes.c_long(version), None)
        if server or auth:
            SSL.SSL_CTX_use_certificate_chain_file(ctx, chain.encode())
            SSL.SSL_CTX_use_PrivateKey_file(ctx, key.encode(), 1)
            SSL.SSL_CTX_load_verify_locations(ctx, chain.encode(), None)
        if server and auth:
            SSL.SSL_CTX_set_verify(ctx, 3, None)
        if broken and not server:
            SSL.SSL_CTX_set_verify(ctx, 1, None)
        SSL.SSL_CTX_set_info_callback(ctx, info)
        SSL.SSL_CTX_callback_ctrl(ctx, 15, msg)
        ctxs.append(ctx)
    client, server = Side(ctxs[0], False), Side(ctxs[1], True)
    done = [0, 0]
    for _ in range(4):
        for i, (a, b) in enumerate(((client, server), (server, client))):
            if done[i] == 1:
                continue
            done[i] = a.call("SSL_do_handshake")
            carry(a, b)
    if done == [1, 1]:
        buf = ctypes.create_string_buffer(100)
        for a, b in ((client, server), (server, client)):
            a.call("SSL_write", b"hello", 5)
            carry(a, b)
            b.call("SSL_read", buf, 100)
            if version == 0x0304:
                a.call("SSL_key_update", 0)
                a.call("SSL_write", b"hello", 5)
                carry(a, b)
                b.call("SSL_read", buf, 100)
        for a, b in ((client, server), (server, client)):
            a.call("SSL_shutdown")
            carry(a, b)
            b.call("SSL_read", buf, 100)
    return {"client": client.calls, "server": server.calls}


def main() -> None:
    """Print everything."""
    found = {}
    chain, key = sys.argv[1:3]
    for version in (0x0303, 0x0304):
        found[f"{version}-plain"] = run(version, chain, key)
        found[f"{version}-auth"] = run(version, chain, key, auth=True)
        found[f"{version}-broken"] = run(version, chain, key, broken=True)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
