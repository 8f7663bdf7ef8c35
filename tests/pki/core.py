"""The pki layer of the core for tests, through the hooks of pys_test.h.

`new_cert`, `new_key` and `new_trust` make handles that free themselves;
`verify` runs one verification and gives its `Verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from pyssl._ffi import bytes_of, ffi, lib, own
from pyssl.err import ERR_GET_LIB, ERR_GET_REASON

SSL, X509, PEM, ASN1 = 20, 11, 9, 13


class Fault:
    """A fault to hand to the core, and what is in it afterwards."""

    def __init__(self) -> None:
        """Make an empty one."""
        self.c = ffi.new("pys_fault *")
        self.c.alert = self.c.alert_received = -1

    @property
    def codes(self) -> list[tuple[int, int]]:
        """Library and reason of each entry, oldest first."""
        return [
            (ERR_GET_LIB(code), ERR_GET_REASON(code))
            for code in self.c.codes[0 : self.c.n_codes]
        ]


def new_cert(der: bytes) -> Any:
    """Decode a certificate that must be good."""
    fault = Fault()
    handle = lib.pys_cert_from_der(der, len(der), fault.c)
    assert handle != ffi.NULL, fault.codes
    return own(handle, lib.pys_cert_free)


def cert_der(handle: Any) -> bytes:
    """Give a borrowed certificate's DER, none for NULL."""
    if handle == ffi.NULL:
        return b""
    size = ffi.new("size_t *")
    return bytes_of(lib.pys_cert_der(handle, size), size[0])


def load_key(
    data: bytes, passphrase: Optional[bytes] = None, der: bool = False
) -> tuple[Any, list[tuple[int, int]]]:
    """Load a private key: the handle or None, and the entries."""
    fault = Fault()
    if der:
        handle = lib.pys_key_from_der(data, len(data), fault.c)
    else:
        given = ffi.NULL if passphrase is None else passphrase
        handle = lib.pys_key_from_pem(
            data, len(data), given, len(passphrase or b""), fault.c
        )
    if handle == ffi.NULL:
        return None, fault.codes
    return own(handle, lib.pys_key_free), fault.codes


def new_key(pem: bytes) -> Any:
    """Load a private key that must be good."""
    key, codes = load_key(pem)
    assert key is not None, codes
    return key


def new_trust(*pems: bytes) -> Any:
    """Make a store of what the texts hold."""
    trust = own(lib.pys_trust_new(), lib.pys_trust_free)
    for pem in pems:
        fault = Fault()
        assert lib.pys_trust_add_pem(trust, pem, len(pem), fault.c)
        assert fault.codes == []
    return trust


@dataclass
class Verdict:
    """What a verification said; events are (ok, error, depth)."""

    result: int
    depth: int
    events: list[tuple[int, int, int]] = field(default_factory=list)
    peername: str = ""

    @property
    def errors(self) -> list[tuple[int, int]]:
        """Error and depth of the events that are errors."""
        return [(error, depth) for ok, error, depth in self.events if not ok]


def try_verify(
    chain: Sequence[bytes],
    trust: Any = None,
    *,
    server: bool = True,
    depth: int = -1,
    level: int = 1,
    flags: int = 0,
    hosts: Iterable[Union[str, bytes]] = (),
    remember: bool = False,
) -> tuple[bool, Verdict]:
    """Run a verification: whether it could run, and its verdict."""
    certs = [new_cert(der) for der in chain]
    names = [h.encode() if isinstance(h, str) else h for h in hosts]
    held = [ffi.from_buffer("char[]", name) for name in names]
    kept = {
        "chain": ffi.new("pys_cert *[]", certs),
        "hosts": ffi.new("char *[]", held),
        "host_lens": ffi.new("size_t[]", [len(name) for name in names]),
    }
    job = ffi.new(
        "pys_test_job *",
        {
            "trust": ffi.NULL if trust is None else trust,
            "n_chain": len(certs),
            "server": server,
            "depth": depth,
            "security_level": level,
            "host_flags": flags,
            "n_hosts": len(names),
            "remember": remember,
            **kept,
        },
    )
    out = ffi.new("pys_test_verdict *")
    ran = bool(lib.pys_test_verify(job, out))
    n = out.n_events
    events = zip(out.ok[0:n], out.error[0:n], out.depths[0:n])
    peername = ffi.string(out.peername).decode()
    return ran, Verdict(out.result, out.depth, list(events), peername)


def verify(chain: Sequence[bytes], trust: Any = None, **how: Any) -> Verdict:
    """Run a verification that can run."""
    ran, verdict = try_verify(chain, trust, **how)
    assert ran
    return verdict
