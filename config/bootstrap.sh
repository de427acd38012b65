#!/usr/bin/env bash
# Makes .venv from the hash-locked requirements. Asks nothing; the second run is instant.
#
#   config/bootstrap.sh          what the service and `make demo` need
#   config/bootstrap.sh checks   also the tools of `make check`
#   config/bootstrap.sh tests    also a browser and a Chinese font for it
#
# Needs Python 3.11 or later. Where Debian or Ubuntu lack a package and this runs as root, it installs the
# package; otherwise it says which command to run. PYTHON=/path/to/python chooses an interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=${1:-run}
venv=.venv

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

apt_updated=
apt_install() {
    is_root && command -v apt-get >/dev/null || return 1
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "$apt_updated" ]; then
        apt-get update -qq -o Acquire::Retries=3 </dev/null >&2 || return 1
        apt_updated=yes
    fi
    apt-get install -y -qq --no-install-recommends -o Acquire::Retries=3 "$@" </dev/null >&2
}

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3.12 python3.11 python3.13 python3.14 python3 python; do
        if command -v "$name" >/dev/null && recent "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

choose_python() {
    python=$(find_python) && return
    apt_install python3 python3-venv || true
    python=$(find_python) && return
    apt_install python3.12 python3.12-venv || apt_install python3.11 python3.11-venv || true
    python=$(find_python) || fail \
        "Python 3.11 or later is needed and none was found." \
        "Install it (Debian, Ubuntu: apt-get install python3 python3-venv) and run this again," \
        "or name one: PYTHON=/path/to/python3 $0 $mode"
}

# Debian keeps ensurepip in a package of its own; without it a virtual environment has no pip.
make_venv() {
    choose_python
    local version
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    rm -rf "$venv"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install "python$version-venv" || apt_install python3-venv || true
    fi
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv "$venv"
    elif "$python" -m virtualenv --version >/dev/null 2>&1; then
        "$python" -m virtualenv -q "$venv"
    elif command -v uv >/dev/null; then
        uv venv -q --seed --python "$python" "$venv"
    else
        fail "This Python ($python) cannot make a virtual environment: ensurepip is missing." \
            "Run as root: apt-get install python$version-venv" \
            "or, for yourself: $python -m pip install --user virtualenv; then run this again."
    fi
}

digest() { "$venv/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; }

# The file .venv/installed names the lock file this environment was made from.
install_from() {
    local lock=$1 line
    line="$(digest "$lock") $lock"
    if ! grep -qsxF "$line" "$venv/installed"; then
        echo "Installing $lock into $venv ..." >&2
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
            -r "$lock" </dev/null >&2
        echo "$line" >"$venv/installed"
    fi
}

compile_catalogues() {
    local po
    for po in app/translations/*/LC_MESSAGES/messages.po; do
        if [ -e "$po" ] && [ ! "${po%.po}.mo" -nt "$po" ]; then
            "$venv/bin/pybabel" --quiet compile --input-file "$po" --output-file "${po%.po}.mo" \
                --locale "$(basename "$(dirname "$(dirname "$po")")")"
        fi
    done
}

# Prints the browser the tests would drive; fails when there is none that runs.
browser() {
    "$venv/bin/python" -m tests.browser 2>/dev/null
}

install_browser() {
    browser >/dev/null && return
    echo "Installing a Chromium for the browser tests ..." >&2
    # Ubuntu's package of that name is only a pointer to a snap, which a container cannot run.
    if ! { grep -qs '^ID=debian' /etc/os-release && apt_install chromium; }; then
        if is_root; then
            "$venv/bin/python" -m playwright install --with-deps chromium </dev/null >&2 || true
        else
            "$venv/bin/python" -m playwright install chromium </dev/null >&2 || true
        fi
    fi
    browser >/dev/null || fail \
        "The browser tests need Chromium, and none could be installed." \
        "Run as root: apt-get update && apt-get install -y --no-install-recommends chromium" \
        "(or: $venv/bin/python -m playwright install --with-deps chromium), then run this again."
}

# Pages are measured at 320 pixels, so the browser must have real Chinese type: the one the PDFs use.
install_font() {
    command -v fc-list >/dev/null && [ -n "$(fc-list :lang=zh-cn family 2>/dev/null)" ] && return
    local place=${XDG_DATA_HOME:-$HOME/.local/share}/fonts font
    font=$("$venv/bin/python" -c 'from config import fonts; print(fonts.font_paths()[0] / fonts.FILE)')
    mkdir -p "$place"
    ln -sf "$font" "$place/$(basename "$font")"
}

case $mode in run | checks | tests) ;; *) fail "usage: $0 [run|checks|tests]" ;; esac

# Two makes at once wait for each other.
mkdir -p var
if command -v flock >/dev/null; then
    exec 9>var/bootstrap.lock
    flock 9
fi

"$venv/bin/python" -c '' 2>/dev/null || make_venv
if [ "$mode" = run ]; then
    # The development lock holds everything the other holds, at the same versions.
    grep -qsxF "$(digest requirements-dev.lock) requirements-dev.lock" "$venv/installed" ||
        install_from requirements.lock
else
    install_from requirements-dev.lock
fi
compile_catalogues
if [ "$mode" = tests ]; then
    install_browser
    install_font
fi
