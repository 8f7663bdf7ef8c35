"""The certificates of the benchmark: made once, valid from 2020 to 2126.

The keys are published here and protect nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The name in the leaf, and another that must not match it.
HOST = "localhost"
WRONG_HOST = "elsewhere.example"

# ECDSA P-256, SHA-256; may sign leaves only.
CA_PEM = """\
-----BEGIN CERTIFICATE-----
MIIBcDCCARagAwIBAgIBATAKBggqhkjOPQQDAjAdMRswGQYDVQQDDBJweXNzbCBi
ZW5jaG1hcmsgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMB0x
GzAZBgNVBAMMEnB5c3NsIGJlbmNobWFyayBDQTBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABOIIc+R0vDq4g3OTRRf8WCpf79xOUpw146MVf74H6kkZdhDIPlsUpVvq
LrnnamhO34G787XKq9UQr1SUeeTiMFGjRTBDMBIGA1UdEwEB/wQIMAYBAf8CAQAw
DgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBSW6zu5ChoOjrYHb4x/i83Vp2rncDAK
BggqhkjOPQQDAgNIADBFAiBzkXpfJ0gHaFEoPzl8gf2A0T7gIkmPGAoQVR6mOGey
zgIhALsZfI5rfuy5CknyKAfXL1HQ/5qAIjHJwnHN4wCCkw/r
-----END CERTIFICATE-----
"""

# ECDSA P-256 under that CA; names localhost.
LEAF_PEM = """\
-----BEGIN CERTIFICATE-----
MIIBsDCCAVWgAwIBAgIBAjAKBggqhkjOPQQDAjAdMRswGQYDVQQDDBJweXNzbCBi
ZW5jaG1hcmsgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBQx
EjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKIB
4+Y6lqWadpzVqy6dlGQV4iLBAc0Gher9OK0cZ5WMpseiLvpQVR6I6PjB00RjvQeg
Bjz+VqMRcVcTW2yq/KmjgYwwgYkwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMC
B4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwFAYDVR0RBA0wC4IJbG9jYWxob3N0MB0G
A1UdDgQWBBSWpleAe1SgWdhVDdPkdGXlS6xiQTAfBgNVHSMEGDAWgBSW6zu5ChoO
jrYHb4x/i83Vp2rncDAKBggqhkjOPQQDAgNJADBGAiEAxeAEj/gYXtCSdK6QPPKG
QDNF+K1wKv41IqT22CiGa5ICIQCBH0zM30sU3ZzbWxVLGFkgZ1RTYDYPQuvB8fS7
63RfdQ==
-----END CERTIFICATE-----
"""

LEAF_KEY_PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqAX6jXAzpuo0BcC4
XMZRbZrzfzwKixua05BgFvJI+iShRANCAASiAePmOpalmnac1asunZRkFeIiwQHN
BoXq/TitHGeVjKbHoi76UFUeiOj4wdNEY70HoAY8/lajEXFXE1tsqvyp
-----END PRIVATE KEY-----
"""


@contextmanager
def as_files() -> Iterator[tuple[str, str]]:
    """Lend the certificates to a package that reads files only.

    Yields:
        The path of the CA, and that of the server's key and leaf. The files
        are gone afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        ca, server = Path(folder, "ca.pem"), Path(folder, "server.pem")
        ca.write_text(CA_PEM, "ascii")
        server.write_text(LEAF_KEY_PEM + LEAF_PEM, "ascii")
        yield str(ca), str(server)
