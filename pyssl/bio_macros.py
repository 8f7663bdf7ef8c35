"""The functions of the pages that stand for one command of a type.

They can be given to the head of a chain: filters pass on what they do not
know.
"""

from __future__ import annotations

from typing import Any

from pyssl._ffi import source
from pyssl.bio_built import words
from pyssl.bio_ctrl import BioCommands
from pyssl.bio_life import number
from pyssl.const_bio import (
    BIO_C_DO_STATE_MACHINE,
    BIO_C_GET_ACCEPT,
    BIO_C_GET_BIND_MODE,
    BIO_C_GET_BUFF_NUM_LINES,
    BIO_C_GET_CONNECT,
    BIO_C_GET_SSL,
    BIO_C_GET_SSL_NUM_RENEGOTIATES,
    BIO_C_SET_ACCEPT,
    BIO_C_SET_BIND_MODE,
    BIO_C_SET_BUFF_READ_DATA,
    BIO_C_SET_BUFF_SIZE,
    BIO_C_SET_CONNECT,
    BIO_C_SET_NBIO,
    BIO_C_SET_SSL,
    BIO_C_SET_SSL_RENEGOTIATE_BYTES,
    BIO_C_SET_SSL_RENEGOTIATE_TIMEOUT,
    BIO_C_SSL_MODE,
)


class BioMacros(BioCommands):
    """BIO_s_connect(3), BIO_s_accept(3), BIO_f_buffer(3), BIO_f_ssl(3)."""

    __slots__ = ()

    # ---- BIO_f_buffer(3) -----------------------------------------------

    def set_buffer_size(self, size: int) -> int:
        """Resize both buffers, in bytes; below 4097 nothing changes.

        What is in a buffer that changes is lost.

        Returns:
            1; 0 for a size out of range, or if there is no such BIO.
        """
        return self.ctrl(BIO_C_SET_BUFF_SIZE, size)

    def set_read_buffer_size(self, size: int) -> int:
        """As `set_buffer_size`, for reading alone."""
        return self.int_ctrl(BIO_C_SET_BUFF_SIZE, size, 0)

    def set_write_buffer_size(self, size: int) -> int:
        """As `set_buffer_size`, for writing alone."""
        return self.int_ctrl(BIO_C_SET_BUFF_SIZE, size, 1)

    def set_buffer_read_data(self, buf: Any, num: int | None = None) -> int:
        """Set num bytes that are to be read before all others. Returns 1."""
        data = bytes(source(buf))
        if num is not None and not 0 <= number(num, "num") <= len(data):
            raise ValueError(f"{num} bytes of a buffer of {len(data)}")
        data = data[:num]
        return self.ctrl(BIO_C_SET_BUFF_READ_DATA, len(data), data)

    def get_buffer_num_lines(self) -> int:
        """Give how many newlines the bytes read and not yet given hold."""
        return self.ctrl(BIO_C_GET_BUFF_NUM_LINES)

    # ---- BIO_s_connect(3) ----------------------------------------------

    def set_conn_hostname(self, name: Any) -> int:
        """Set where to connect to.

        Args:
            name: "host", "host:port" or "[IPv6 address]:port", a string. A
                port in it takes the place of one set before.

        Returns:
            1, or 0 with an entry if this is no name.
        """
        text = words(name, "a host")
        return self.ctrl(BIO_C_SET_CONNECT, 0, text)

    def set_conn_port(self, port: Any) -> int:
        """Set the port: a string, a number or a name such as "https".

        Returns:
            1.
        """
        return self.ctrl(BIO_C_SET_CONNECT, 1, words(port, "a port"))

    def get_conn_hostname(self) -> str | None:
        """Give the host without the port, None if none was set."""
        found: str | None = self.ptr_ctrl(BIO_C_GET_CONNECT, 0)
        return found

    def get_conn_port(self) -> str | None:
        """Give the port as it was set, None if none was."""
        found: str | None = self.ptr_ctrl(BIO_C_GET_CONNECT, 1)
        return found

    def set_nbio(self, n: int) -> int:
        """Choose non-blocking I/O (1) or blocking (0), before it begins.

        Returns:
            1.
        """
        return self.ctrl(BIO_C_SET_NBIO, n)

    def do_connect(self) -> int:
        """Make the connection, and with TLS in the chain the handshake.

        Returns:
            1 once it is made; else 0 or -1, see `should_retry`.

        Errors:
            BIO_R_CONNECT_ERROR, BIO_R_NBIO_CONNECT_ERROR behind the system
                error; BIO_R_NO_HOSTNAME_OR_SERVICE_SPECIFIED,
                BIO_R_NO_PORT_DEFINED; ERR_R_SYS_LIB: the name has no
                address.

        Source: BIO_do_connect(3).
        """
        return self.ctrl(BIO_C_DO_STATE_MACHINE)

    # ---- BIO_s_accept(3) -----------------------------------------------

    def set_accept_name(self, name: Any) -> int:
        """Set where to listen: "host:port", "port"; "*" for any.

        Returns:
            1, or 0 with an entry if this is no name.
        """
        return self.ctrl(BIO_C_SET_ACCEPT, 0, words(name, "a name"))

    def set_accept_port(self, port: Any) -> int:
        """As `set_accept_name`: the page's "port" may hold a host, too."""
        return self.ctrl(BIO_C_SET_ACCEPT, 1, words(port, "a port"))

    def get_accept_name(self) -> str | None:
        """Give the address; what was set until it listens, None for any."""
        found: str | None = self.ptr_ctrl(BIO_C_GET_ACCEPT, 0)
        return found

    def get_accept_port(self) -> str | None:
        """Give the port; what was set until it listens, None if nothing."""
        found: str | None = self.ptr_ctrl(BIO_C_GET_ACCEPT, 1)
        return found

    def get_peer_name(self) -> str | None:
        """Give the address of who was accepted last, None if nobody was."""
        found: str | None = self.ptr_ctrl(BIO_C_GET_ACCEPT, 2)
        return found

    def get_peer_port(self) -> str | None:
        """Give the port of who was accepted last, None if nobody was."""
        found: str | None = self.ptr_ctrl(BIO_C_GET_ACCEPT, 3)
        return found

    def set_nbio_accept(self, n: int) -> int:
        """Let waiting for a connection ask for a retry (1), or block (0).

        Returns:
            1.
        """
        return self.ctrl(BIO_C_SET_ACCEPT, 2, "a" if number(n, "n") else None)

    def set_accept_bios(self, bio: Any) -> int:
        """Set a chain of which each connection gets a copy in front.

        Args:
            bio: filters that know BIO_CTRL_DUP; None for none.

        Returns:
            1.
        """
        if bio is not None and not isinstance(bio, BioCommands):
            raise TypeError("a BIO or None is needed")
        if bio is not None:
            bio._usable()
        return self.ctrl(BIO_C_SET_ACCEPT, 3, bio)

    def set_bind_mode(self, mode: int) -> int:
        """Set BIO_BIND_NORMAL or one of its kind. Returns 1, 0 if unknown."""
        return self.ctrl(BIO_C_SET_BIND_MODE, mode)

    def get_bind_mode(self) -> int:
        """Give what `set_bind_mode` set."""
        return self.ctrl(BIO_C_GET_BIND_MODE)

    def do_accept(self) -> int:
        """Listen, the first time; then wait for a connection.

        Returns:
            1 once done; else 0 or -1, see `should_retry`.

        Errors:
            BIO_R_NO_ACCEPT_ADDR_OR_SERVICE_SPECIFIED; behind a system
            error, BIO_R_UNABLE_TO_CREATE_SOCKET, BIO_R_UNABLE_TO_BIND_SOCKET,
            BIO_R_UNABLE_TO_LISTEN_SOCKET, BIO_R_ACCEPT_ERROR.

        Source: BIO_do_accept(3).
        """
        return self.ctrl(BIO_C_DO_STATE_MACHINE)

    # ---- BIO_f_ssl(3) --------------------------------------------------

    def set_ssl(self, ssl: Any, close: int) -> int:
        """Give an SSL BIO its SSL.

        Args:
            ssl: an SSL.
            close: BIO_CLOSE: the BIO has a reference, which goes with it.

        Returns:
            1, or 0 if the chain has no SSL BIO.
        """
        if ssl is None:
            raise TypeError("an SSL is needed, not None")
        return self.ctrl(BIO_C_SET_SSL, close, ssl)

    def get_ssl(self) -> Any:
        """Give the SSL of an SSL BIO, None where C says 0."""
        return self.ptr_ctrl(BIO_C_GET_SSL, 0)

    def set_ssl_mode(self, client: int) -> int:
        """Make the SSL a client (1) or a server (0).

        Returns:
            1, or 0 if there is no SSL.
        """
        return self.ctrl(BIO_C_SSL_MODE, client)

    def do_handshake(self) -> int:
        """Do the handshake: 1 once it is over, else see `should_retry`.

        Source: BIO_do_handshake(3).
        """
        return self.ctrl(BIO_C_DO_STATE_MACHINE)

    def set_ssl_renegotiate_bytes(self, num: int) -> int:
        """Note a number of bytes, 512 at least; nothing follows (RW-28).

        Returns:
            What it was before.
        """
        return self.ctrl(BIO_C_SET_SSL_RENEGOTIATE_BYTES, num)

    def set_ssl_renegotiate_timeout(self, seconds: int) -> int:
        """Note a time in seconds; nothing follows (RW-28).

        Returns:
            What it was before.
        """
        return self.ctrl(BIO_C_SET_SSL_RENEGOTIATE_TIMEOUT, seconds)

    def get_num_renegotiates(self) -> int:
        """Give how many renegotiations there were: none, so 0."""
        return self.ctrl(BIO_C_GET_SSL_NUM_RENEGOTIATES)
