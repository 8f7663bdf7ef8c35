"""The command: python -m pyssl."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from pyssl.versions import as_text, versions


def main(argv: Sequence[str] | None = None) -> int:
    """Tell what is installed.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pyssl",
        description="Tells versions and features. See also pyssl.demo and "
        "pyssl.bench.",
    )
    parser.add_argument(
        "--version", action="store_true", help="for people (the default)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(argv)
    text = json.dumps(versions(), indent=1) if options.json else as_text()
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
