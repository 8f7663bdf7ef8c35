"""Alerts in words (SSL_alert_type_string(3), RFC 8446 6)."""

from __future__ import annotations

# Number: two letters, words (contract, section 7.5).
_ALERTS = {
    0: ("CN", "close notify"),
    10: ("UM", "unexpected_message"),
    20: ("BM", "bad record mac"),
    21: ("DC", "decryption failed"),
    22: ("RO", "record overflow"),
    30: ("DF", "decompression failure"),
    40: ("HF", "handshake failure"),
    41: ("NC", "no certificate"),
    42: ("BC", "bad certificate"),
    43: ("UC", "unsupported certificate"),
    44: ("CR", "certificate revoked"),
    45: ("CE", "certificate expired"),
    46: ("CU", "certificate unknown"),
    47: ("IP", "illegal parameter"),
    48: ("CA", "unknown CA"),
    49: ("AD", "access denied"),
    50: ("DE", "decode error"),
    51: ("CY", "decrypt error"),
    60: ("ER", "export restriction"),
    70: ("PV", "protocol version"),
    71: ("IS", "insufficient security"),
    80: ("IE", "internal error"),
    86: ("UK", "inappropriate fallback"),
    90: ("US", "user canceled"),
    100: ("NR", "no renegotiation"),
    109: ("UK", "missing extension"),
    110: ("UE", "unsupported extension"),
    111: ("CO", "certificate unobtainable"),
    112: ("UN", "unrecognized name"),
    113: ("BR", "bad certificate status response"),
    114: ("BH", "bad certificate hash value"),
    115: ("UP", "unknown PSK identity"),
    116: ("UK", "certificate required"),
    120: ("UK", "no application protocol"),
}

_UNKNOWN = ("UK", "unknown")


def SSL_alert_type_string(value: int) -> str:
    """Give the level of an alert as a letter: W, F, or U for unknown.

    Args:
        value: level << 8 | description, as an info callback gets it.

    Source: SSL_alert_type_string(3); contract ERR-21.
    """
    return {1: "W", 2: "F"}.get(value >> 8, "U")


def SSL_alert_type_string_long(value: int) -> str:
    """Give the level of an alert as a word.

    Source: SSL_alert_type_string(3).
    """
    return {1: "warning", 2: "fatal"}.get(value >> 8, "unknown")


def SSL_alert_desc_string(value: int) -> str:
    """Give two letters for an alert, UK for an unknown one.

    Source: SSL_alert_type_string(3).
    """
    return _ALERTS.get(value & 0xFF, _UNKNOWN)[0]


def SSL_alert_desc_string_long(value: int) -> str:
    """Give the words for an alert.

    Source: SSL_alert_type_string(3).
    """
    return _ALERTS.get(value & 0xFF, _UNKNOWN)[1]
