"""What an SSL_CTX and an SSL say about the records that they send."""

from __future__ import annotations

from typing import Any

from pyssl._ffi import lib, number
from pyssl.notices import callback
from pyssl.padding import Padding, PaddingCallback
from pyssl.settings import Settings

_FRAGMENT_MIN, _FRAGMENT_MAX = 512, 16384

_put = lib.pys_settings_set_number


class RecordSettings(Settings):
    """Length and padding of records."""

    __slots__ = ()

    def set_max_send_fragment(self, m: int) -> int:
        """Limit the content of the records that we send.

        A peer that asked for shorter ones gets them (RFC 8449).

        Args:
            m: Bytes, 512 to 16384, which is the default.

        Returns:
            1; 0 for another number, with nothing changed.

        Source: SSL_CTX_set_max_send_fragment(3).
        """
        self._snapshot()
        if not _FRAGMENT_MIN <= number(m, "m") <= _FRAGMENT_MAX:
            return 0

        def change(fresh: Any) -> bool:
            split = lib.pys_settings_number(fresh, lib.PYS_SPLIT_FRAGMENT)
            _put(fresh, lib.PYS_SEND_FRAGMENT, m)
            _put(fresh, lib.PYS_SPLIT_FRAGMENT, min(split, m))
            return True

        return int(self._change(change))

    def set_split_send_fragment(self, m: int) -> int:
        """Limit the content of records of application data.

        A write seals several records at a time; each gets so much of it,
        and of handshake messages as much as `set_max_send_fragment` allows.

        Args:
            m: Bytes, 1 to what `set_max_send_fragment` allows. A lower
                limit there lowers this one, too.

        Returns:
            1; 0 for another number, with nothing changed.

        Source: SSL_CTX_set_split_send_fragment(3).
        """
        most = self._number(lib.PYS_SEND_FRAGMENT)
        if not 1 <= number(m, "m") <= most:
            return 0
        self._set_number(lib.PYS_SPLIT_FRAGMENT, m)
        return 1

    def set_block_padding(self, block_size: int) -> int:
        """Pad the protected records of TLS 1.3 that we send.

        Args:
            block_size: Content, type and padding are a multiple of it, 2 to
                16384 bytes, as far as a record may be so long; 0 or 1 for
                no padding, as by default.

        Returns:
            1; 0 for another number, with nothing changed.

        Source: SSL_CTX_set_block_padding(3); RFC 8446 5.4.
        """
        return self.set_block_padding_ex(block_size, block_size)

    def set_block_padding_ex(
        self, app_block_size: int, hs_block_size: int
    ) -> int:
        """As `set_block_padding`, with two sizes.

        Args:
            app_block_size: For application data.
            hs_block_size: For handshake messages and alerts.

        Source: SSL_CTX_set_block_padding_ex(3).
        """
        self._snapshot()
        sizes = (
            number(app_block_size, "app_block_size"),
            number(hs_block_size, "hs_block_size"),
        )
        if not all(0 <= size <= _FRAGMENT_MAX for size in sizes):
            return 0
        data, other = (0 if size == 1 else size for size in sizes)

        def change(fresh: Any) -> bool:
            _put(fresh, lib.PYS_PAD_DATA, data)
            _put(fresh, lib.PYS_PAD_OTHER, other)
            return True

        return int(self._change(change))

    # ---- padding by a callback ---------------------------------------------

    def _padding(self) -> Padding | None:
        """Give who is asked, or None if nobody ever was."""
        raise NotImplementedError

    def _keep_padding(self, padding: Padding) -> None:
        """Take who is asked."""
        raise NotImplementedError

    def set_record_padding_callback(self, cb: PaddingCallback | None) -> int:
        """Set who says how the protected records of TLS 1.3 are padded.

        It is asked for each record that has room: of data, of messages and
        of alerts. What the block sizes say does not count meanwhile. That
        takes a call to Python for each record; `set_block_padding` does not.

        Args:
            cb: `cb(ssl, type, length, arg)` gives the bytes of padding, 0
                or more; what does not fit is cut off. type: SSL3_RT_ALERT,
                SSL3_RT_HANDSHAKE or SSL3_RT_APPLICATION_DATA. length: bytes
                of content and its type. An exception, or anything but such
                a number, ends the connection: nothing goes out unpadded.
                None: the block sizes count again.

        Returns:
            1.

        Source: SSL_CTX_set_record_padding_callback(3); RFC 8446 5.4;
        contract PAD-2.
        """
        self._snapshot()
        before = self._padding()
        arg = None if before is None else before[1]
        self._keep_padding((callback(cb), arg))
        self._set_number(lib.PYS_PAD_ASKED, int(cb is not None))
        return 1

    def set_record_padding_callback_arg(self, arg: Any) -> None:
        """Set what the padding callback gets as its arg."""
        self._snapshot()
        before = self._padding()
        self._keep_padding((None if before is None else before[0], arg))

    def get_record_padding_callback_arg(self) -> Any:
        """Give what the padding callback gets as its arg; None at first."""
        self._snapshot()
        padding = self._padding()
        return None if padding is None else padding[1]
