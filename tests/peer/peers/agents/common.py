"""The part that all agents in Python share; it needs the library alone.

An agent reads one order a line, as JSON, and answers on one line:

    {"do": "version"}                  {"version": "..."}
    {"do": "serve", ...case}           {"port": n}, then {"done": [facts]}
    {"do": "connect", ...case}         {"done": [facts]}

or {"error": "..."} for the last two. A server sends all it got back once
"size" bytes came, then reads until close_notify and answers it; a client
sends "size" bytes, awaits them back, closes and awaits close_notify.
"""

import json
import socket
import sys
import traceback

PATIENCE = 10
PIECE = 16384


class Stack:
    """The stack; an agent has more methods, see `serve` and `connect`.

    Attributes:
        hears_end: A read tells that close_notify came.
    """

    hears_end = True


class Conn:
    """One connection of the stack: what an agent has to provide."""

    def read(self):
        """Give some bytes; b"" at close_notify."""
        raise NotImplementedError

    def write(self, data):
        """Send all of it."""
        raise NotImplementedError

    def close(self):
        """Send close_notify, await the peer's; True if it was seen."""
        raise NotImplementedError

    def facts(self):
        """Give what is known of the connection."""
        raise NotImplementedError


def payload(case):
    """Give the bytes a client sends."""
    block = bytes(range(256)) * 64
    return (block * (case["size"] // len(block) + 1))[: case["size"]]


def read_all(conn, size):
    """Read until size bytes came."""
    got = bytearray()
    while len(got) < size:
        piece = conn.read()
        if not piece:
            raise EOFError(f"closed after {len(got)} bytes")
        got += piece
    return bytes(got)


def serve(stack, case):
    """Be the server of a case."""
    context = stack.server(case)
    done = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        say(port=listener.getsockname()[1])
        for _ in range(case["connections"]):
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(PATIENCE)
                conn = stack.accept(context, sock, case)
                conn.write(read_all(conn, case["size"]))
                facts = conn.facts()
                if stack.hears_end:
                    facts["closed"] = conn.read() == b""
                conn.close()
                done.append(facts)
    return done


def connect(stack, case):
    """Be the client of a case."""
    context = stack.client(case)
    done = []
    session = None
    for _ in range(case["connections"]):
        address = ("127.0.0.1", case["port"])
        with socket.create_connection(address, PATIENCE) as sock:
            conn = stack.connect(context, sock, case, session)
            data = payload(case)
            conn.write(data)
            back = read_all(conn, len(data))
            facts = conn.facts()
            facts["echo"] = back == data
            session = stack.session(conn)
            facts["closed"] = conn.close()
            done.append(facts)
    return done


def say(**words):
    """Answer on a line."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main(stack):
    """Follow orders until there are no more."""
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "version":
            say(version=stack.version())
            continue
        work = serve if order["do"] == "serve" else connect
        try:
            say(done=work(stack, order))
        except Exception as e:  # noqa: BLE001 - the test hears of it
            say(
                error=f"{type(e).__name__}: {e}",
                at=traceback.format_exc(),
            )
