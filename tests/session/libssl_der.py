"""OpenSSL's d2i_SSL_SESSION and i2d_SSL_SESSION, in a process of its own.

    python libssl_der.py < cases > answers

A case is a line of hex. An answer is a line: the encoding written again, in
hex, and the length used; or "-" and the first error entry, library:reason.
"""

from __future__ import annotations

import ctypes
import sys


def main() -> None:
    """Answer line by line."""
    ssl = ctypes.CDLL("libssl.so.3")
    crypto = ctypes.CDLL("libcrypto.so.3")
    pointer = ctypes.POINTER(ctypes.c_void_p)
    ssl.d2i_SSL_SESSION.restype = ctypes.c_void_p
    ssl.d2i_SSL_SESSION.argtypes = [ctypes.c_void_p, pointer, ctypes.c_long]
    ssl.i2d_SSL_SESSION.argtypes = [ctypes.c_void_p, pointer]
    ssl.SSL_SESSION_free.argtypes = [ctypes.c_void_p]
    crypto.ERR_get_error.restype = ctypes.c_ulong
    for line in sys.stdin:
        data = bytes.fromhex(line)
        block = ctypes.create_string_buffer(data, len(data) + 1)
        start = ctypes.addressof(block)
        at = ctypes.c_void_p(start)
        crypto.ERR_clear_error()
        made = ssl.d2i_SSL_SESSION(None, ctypes.byref(at), len(data))
        if not made:
            code = crypto.ERR_get_error()
            print("-", f"{code >> 23 & 0xFF}:{code & 0x7FFFFF}")
            continue
        size = ssl.i2d_SSL_SESSION(made, None)
        out = ctypes.create_string_buffer(size + 1)
        to = ctypes.c_void_p(ctypes.addressof(out))
        ssl.i2d_SSL_SESSION(made, ctypes.byref(to))
        ssl.SSL_SESSION_free(made)
        print(out.raw[:size].hex() or "none", (at.value or start) - start)


if __name__ == "__main__":
    main()
