"""The user for locust: `python -m pyssl.bench.load`, or a file like this.

    from pyssl.bench import load, locustfile

    class Reader(locustfile.TlsUser):
        tls = load.Options("example.test:443", resume=True)

What it does, and why so, stands in `load`.
"""

from __future__ import annotations

from gevent.socket import wait_read, wait_readwrite, wait_write
from locust import User, events

from pyssl.bench import load

_WAITS = {
    load.READ: wait_read,
    load.WRITE: wait_write,
    load.READ | load.WRITE: wait_readwrite,
}


def wait(descriptor: int, mask: int, seconds: float) -> bool:
    """Let other greenlets run until the socket is ready; False if late."""
    try:
        late = TimeoutError()
        _WAITS[mask](descriptor, timeout=seconds, timeout_exc=late)
    except TimeoutError:
        return False
    return True


class TlsUser(load.TlsLoad, User):  # type: ignore[misc, unused-ignore]
    """Connects, shakes hands, talks if told to, and closes."""

    wait_for = staticmethod(wait)


events.init_command_line_parser.add_listener(load.add_options)
