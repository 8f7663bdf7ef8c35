"""Failure with evidence: what an SSL knows about its handshake.

`SSL.report()` works at any time. After a failure it holds what the error
queue cannot: both sides' alerts, the chain as the peer sent it, where its
verification failed, and what each side offered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyssl import err, names
from pyssl._ffi import bytes_of, ffi, lib, text_of
from pyssl.alert import SSL_alert_desc_string_long
from pyssl.x509 import X509

if TYPE_CHECKING:
    from pyssl.conn_base import ConnBase
_VERSIONS = {
    0x0300: "SSLv3",
    0x0301: "TLSv1",
    0x0302: "TLSv1.1",
    0x0303: "TLSv1.2",
    0x0304: "TLSv1.3",
}


@dataclass(frozen=True)
class Offer:
    """What one side offered, as names where known, else as 0x1234.

    A server's own lists are what it would accept. Empty lists: not known,
    or not offered.
    """

    versions: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    alpn: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Report:
    """What is known about a handshake.

    Attributes:
        role: "client", "server", or "" before there is one.
        state: SSL_state_string_long(3).
        established: The handshake is complete and nothing fatal happened.
        alert_sent, alert_received: Alert numbers, or None.
        reason: The newest code's reason, an SSL_R_ number mostly; 0 if
            nothing failed.
        codes: Every code of the failure, oldest first.
        verify_result: An X509_V_ code.
        failing_depth: Where verification failed, 0 for the leaf; None if
            it did not.
        failing_cert: The certificate there, if the peer sent it.
        peer_chain: The peer's certificates as sent, leaf first.
        own_offer, peer_offer: What was offered.
        version, suite, group: What was agreed so far, or None.
        alpn: The protocol chosen, b"" for none.
    """

    role: str = ""
    state: str = ""
    established: bool = False
    alert_sent: int | None = None
    alert_received: int | None = None
    reason: int = 0
    codes: tuple[int, ...] = ()
    verify_result: int = 0
    failing_depth: int | None = None
    failing_cert: X509 | None = None
    peer_chain: tuple[X509, ...] = ()
    own_offer: Offer = field(default_factory=Offer)
    peer_offer: Offer = field(default_factory=Offer)
    version: str | None = None
    suite: str | None = None
    group: str | None = None
    alpn: bytes = b""

    @property
    def failed(self) -> bool:
        """Whether something fatal happened."""
        return bool(self.codes)

    @property
    def alert_sent_text(self) -> str | None:
        """The words for the alert sent."""
        return _words(self.alert_sent)

    @property
    def alert_received_text(self) -> str | None:
        """The words for the alert received."""
        return _words(self.alert_received)

    @property
    def reason_text(self) -> str:
        """The words for the newest code, "" if nothing failed."""
        if not self.codes:
            return ""
        code = self.codes[-1]
        return err.ERR_reason_error_string(code) or f"reason({self.reason})"

    @property
    def verify_text(self) -> str:
        """Libcrypto's words for `verify_result`."""
        return names.X509_verify_cert_error_string(self.verify_result)

    def __str__(self) -> str:
        """Say it in lines for people."""
        return "\n".join(_lines(self))


def _words(alert: int | None) -> str | None:
    return None if alert is None else SSL_alert_desc_string_long(alert)


def _lines(report: Report) -> list[str]:
    """Write the lines of `str(report)`."""
    who = report.role or "no role"
    if report.failed:
        lines = [f"{who}: handshake failed: {report.reason_text}"]
    elif report.established:
        lines = [f"{who}: established"]
    else:
        lines = [f"{who}: {report.state}"]
    for name, alert in (
        ("alert sent", report.alert_sent),
        ("alert received", report.alert_received),
    ):
        if alert is not None:
            lines.append(f"  {name}: {alert} {_words(alert)}")
    lines += [f"  error: {err.ERR_error_string(c)}" for c in report.codes]
    agreed = [report.version, report.suite, report.group]
    lines.append(f"  agreed: {', '.join(a for a in agreed if a) or 'nothing'}")
    if report.alpn:
        lines.append(f"  protocol: {report.alpn!r}")
    lines += _chain_lines(report)
    for name, offer in (
        ("own", report.own_offer),
        ("peer's", report.peer_offer),
    ):
        lines += _offer_lines(name, offer)
    return lines


def _chain_lines(report: Report) -> list[str]:
    """Write the peer's chain and the verdict on it."""
    lines = []
    if report.verify_result:
        where = ""
        if report.failing_depth is not None:
            where = f" at depth {report.failing_depth}"
        lines.append(
            f"  verification: {report.verify_result} "
            f"{report.verify_text}{where}"
        )
    for depth, certificate in enumerate(report.peer_chain):
        lines.append(f"  certificate {depth}: {certificate.subject}")
    return lines


def _offer_lines(name: str, offer: Offer) -> list[str]:
    """Write the lists of one side that are not empty."""
    lists = (
        ("versions", offer.versions),
        ("suites", offer.suites),
        ("groups", offer.groups),
        ("schemes", offer.schemes),
        ("protocols", tuple(repr(p) for p in offer.alpn)),
    )
    return [
        f"  {name} {what}: {' '.join(items)}" for what, items in lists if items
    ]


def make_report(ssl: ConnBase) -> Report:
    """Gather what an SSL knows."""
    return ssl._facts(lambda conn: _gather(ssl, conn))


def _gather(ssl: ConnBase, conn: Any) -> Report:
    fault = lib.pys_conn_fault(conn)
    codes = tuple(fault.codes[0 : fault.n_codes])
    chain = tuple(
        _certificate(conn, i) for i in range(lib.pys_conn_n_peer_certs(conn))
    )
    depth = int(lib.pys_conn_verify_depth(conn))
    result = int(lib.pys_conn_verify_result(conn))
    version = int(lib.pys_conn_version(conn))
    suite, group = lib.pys_conn_suite(conn), lib.pys_conn_group(conn)
    n = ffi.new("size_t *")
    return Report(
        role={lib.PYS_CLIENT: "client", lib.PYS_SERVER: "server"}.get(
            ssl._role, ""
        ),
        state=text_of(lib.pys_conn_state_text(conn, True)) or "",
        established=lib.pys_conn_phase(conn) == lib.PYS_OPEN,
        alert_sent=_alert(fault.alert) if codes else None,
        alert_received=_alert(fault.alert_received),
        reason=err.ERR_GET_REASON(codes[-1]) if codes else 0,
        codes=codes,
        verify_result=result,
        failing_depth=depth if result and depth >= 0 else None,
        failing_cert=chain[depth] if 0 <= depth < len(chain) else None,
        peer_chain=chain,
        own_offer=_offer(conn, lib.pys_conn_own_offer),
        peer_offer=_offer(conn, lib.pys_conn_peer_offer),
        version=_version(version) if version else None,
        suite=names.name_of(lib.PYS_KIND_SUITE, suite) if suite else None,
        group=names.name_of(lib.PYS_KIND_GROUP, group) if group else None,
        alpn=bytes_of(lib.pys_conn_alpn(conn, n), n[0]),
    )


def _certificate(conn: Any, i: int) -> X509:
    return X509(lib.pys_conn_peer_cert(conn, i))


def _alert(number: int) -> int | None:
    return None if number == lib.PYS_NO_ALERT else int(number)


def _version(number: int) -> str:
    return _VERSIONS.get(number, f"{number:#06x}")


def _offer(conn: Any, get: Any) -> Offer:
    """Read the lists of one side."""

    def raw(which: int) -> bytes:
        n = ffi.new("size_t *")
        return bytes_of(get(conn, which, n), n[0])

    def numbers(which: int) -> list[int]:
        data = raw(which)
        return [
            int.from_bytes(data[i : i + 2], "big")
            for i in range(0, len(data) - 1, 2)
        ]

    def named(which: int, kind: int) -> tuple[str, ...]:
        return tuple(names.name_of(kind, id) for id in numbers(which))

    return Offer(
        versions=tuple(map(_version, numbers(lib.PYS_OFFER_VERSIONS))),
        suites=named(lib.PYS_OFFER_SUITES, lib.PYS_KIND_SUITE),
        groups=named(lib.PYS_OFFER_GROUPS, lib.PYS_KIND_GROUP),
        schemes=named(lib.PYS_OFFER_SCHEMES, lib.PYS_KIND_SCHEME),
        alpn=tuple(names.split_protos(raw(lib.PYS_OFFER_ALPN)) or ()),
    )
