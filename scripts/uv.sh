#!/bin/sh
# Makes .venv-uv, the small environment that builds all others: uv, from the Python package index.
# Needs a Python of 3.11 or later; PYTHON=/path/to/python chooses one.
set -eu
cd "$(dirname "$0")/.."

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "mailbox-service needs Python 3.11 or later: install it, or name one with make PYTHON=..." >&2
    exit 1
fi

# Debian ships Python without ensurepip; the package that brings it is named after the version.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        DEBIAN_FRONTEND=noninteractive apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package"
    else
        echo "this Python cannot make environments; type: sudo apt-get install $package" >&2
        exit 1
    fi
fi

"$python" -m venv --clear .venv-uv
.venv-uv/bin/python -m pip install -q --disable-pip-version-check --require-hashes \
    -r requirements/tools.txt
