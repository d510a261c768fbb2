#!/usr/bin/env bash
# Set up everything a target needs: Python, the virtual environment, packages, system libraries.
# Usage: scripts/setup.sh run|gui|dev|docs
# PYTHON names another Python, VENV another environment, CONSTRAINTS another file of versions.
#   run  the engine alone        gui  with napari and Qt        dev  with the test tools as well
#   docs the tools that build the documentation site
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-run}
venv=${VENV:-.venv}
constraints=${CONSTRAINTS:-constraints.txt}

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1; fi
}

apt_install() { # packages...
    command -v apt-get >/dev/null || return 1
    say "Installing system packages: $*"
    { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2
}

find_python() {
    for name in "${PYTHON:-}" python3.12 python3.11 python3.13 python3; do
        [ -n "$name" ] && command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null &&
            { command -v "$name"; return; }
    done
    return 1
}

python=$(find_python) || { apt_install python3 python3-venv python3-pip && python=$(find_python); } || {
    say "Python 3.11, 3.12 or 3.13 is needed and was not found. Install one (macOS: brew install python@3.12), or set PYTHON to it."
    exit 1
}

if [ ! -x "$venv/bin/pip" ]; then
    rm -rf "$venv"
    "$python" -m venv "$venv" >/dev/null 2>&1 || {
        rm -rf "$venv"
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$version-venv" || apt_install python3-venv || {
            say "Python's venv module is missing. Install it: sudo apt-get install python3-venv"
            exit 1
        }
        "$python" -m venv "$venv"
    }
fi

case $what in
    run) extras="" ;;
    gui) extras="[gui]" ;;
    dev) extras="[gui,zoo,research,distributed,precomputed,dev]" ;;
    docs) extras="" ;;
    *) say "Unknown set-up $what: run, gui, dev or docs."; exit 2 ;;
esac
state=$(cat pyproject.toml "$constraints" | cksum)
stamp="$venv/.set-up-$what"
if [ "$(cat "$stamp" 2>/dev/null)" != "$state" ]; then
    say "Installing Python packages into $venv (a few minutes the first time)"
    # The site is made from the sources: it needs neither torch nor the package.
    wanted=(-c "$constraints" -e ".$extras")
    if [ "$what" = docs ]; then
        wanted=()
        while read -r package; do wanted+=("$package"); done < <("$venv/bin/python" -c '
import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["project"]["optional-dependencies"]["docs"], sep="\n")')
    fi
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${wanted[@]}" 2> >(grep -v '^WARNING' >&2)
    printf '%s' "$state" > "$stamp"
fi

# The window needs OpenGL and Qt's X11 libraries; tests and the tour need a virtual display.
if { [ "$what" = gui ] || [ "$what" = dev ]; } && [ "$(uname)" = Linux ]; then
    needed="xvfb xauth x11-utils xdotool libegl1 libgl1 libgl1-mesa-dri libglx-mesa0 libxkbcommon-x11-0
        libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0
        libxcb-shape0 libxcb-xinerama0 libdbus-1-3 libfontconfig1"
    missing=""
    if command -v dpkg-query >/dev/null; then
        for package in $needed; do
            dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
        done
    elif ! command -v xvfb-run >/dev/null; then
        missing="$needed"
    fi
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086
        apt_install $missing || say "These system packages are missing and could not be installed:$missing. Install them with the system's package manager."
    fi
fi
