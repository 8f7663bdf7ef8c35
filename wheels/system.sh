#!/bin/sh
# Looks for the tools that building and testing need; installs what is missing
# with apt-get where that is allowed, and says what to install where it is not.
set -eu

python=${PYTHON:-python3}

if ! command -v "$python" >/dev/null 2>&1; then
    echo "Python 3.9 or later is needed (Debian: apt-get install python3)" >&2
    exit 1
fi

missing=""
need() { # need PACKAGE COMMAND...: the package, if the command fails
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

has_header() {
    "$python" -c 'import os, sysconfig, sys
p = os.path.join(sysconfig.get_path("include"), "Python.h")
sys.exit(not os.path.exists(p))'
}

has_libc() { # the compiler alone does not bring the C library's headers
    echo "#include <stdlib.h>" | ${CC:-cc} -E -
}

cc=${CC:-cc}
need gcc command -v "${cc##* }"
need libc6-dev has_libc
need pkg-config command -v pkg-config
need libssl-dev pkg-config --exists libcrypto
need python3-dev has_header
need python3-venv "$python" -c "import ensurepip, venv"
need openssl command -v openssl
need curl command -v curl
need make command -v make
need perl command -v perl
need binutils command -v objdump

# Tools of some commands only: WITH="clang cmake" sh wheels/system.sh
for tool in ${WITH:-}; do
    need "$tool" command -v "$tool"
done

[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    fi
fi
if command -v apt-get >/dev/null 2>&1 &&
    { [ "$(id -u)" -eq 0 ] || [ -n "$as_root" ]; }; then
    echo "installing:$missing"
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
            --no-install-recommends $missing >/dev/null
    exit 0
fi
echo "please install first (Debian's names):$missing" >&2
exit 1
