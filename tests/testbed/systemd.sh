#!/usr/bin/env bash
# A small Debian with systemd for the test of packaging/ingestd.service: made once by debootstrap, kept in the cache of
# the testbed, with a virtual environment of what ingestd needs at /opt/ingestd. The test boots it with systemd-nspawn.
#
#   systemd.sh install    prints the folder of its root file system
#
# It needs root, debootstrap and systemd-nspawn (Debian: debootstrap, systemd-container) and pip.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PACKAGES=systemd,systemd-sysv,dbus,libnss-systemd,python3-venv
PYTHON=3.11 # of Debian 12
PIP=(python3 -m pip --disable-pip-version-check --quiet)
work=

requirements() {
    python3 -c 'import sys, tomllib; print(*tomllib.load(sys.stdin.buffer)["project"]["dependencies"], sep="\n")' \
        <"$ROOT/pyproject.toml"
}

# In the machine without booting it: systemd-nspawn would wait for a cgroup of its own.
inside() { chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }

install() {
    ((EUID == 0)) || die "root is needed for a machine with systemd"
    local command folder
    for command in debootstrap systemd-nspawn; do
        command -v "$command" >/dev/null || die "$command is needed for a machine with systemd"
    done
    folder="$CACHE/systemd-$({ requirements && cat "$ROOT/constraints.txt" "${BASH_SOURCE[0]}"; } | sha256sum | cut -c -12)"
    lock systemd
    if [[ ! -d $folder ]]; then
        work=$(mktemp -d "$CACHE/.systemd-XXXXXX")
        trap 'rm -rf "$work"' EXIT
        requirements >"$work/requirements.txt"
        "${PIP[@]}" download --python-version "$PYTHON" --only-binary :all: --dest "$work/wheels" \
            --constraint "$ROOT/constraints.txt" --requirement "$work/requirements.txt" >"$work/pip.log" 2>&1 &
        local download=$!
        debootstrap --variant=minbase --include="$PACKAGES" bookworm "$work/root" >"$work/debootstrap.log" 2>&1 || {
            tail -n 5 "$work/debootstrap.log" >&2
            die "debootstrap failed"
        }
        wait "$download" || { cat "$work/pip.log" >&2 && die "the packages could not be fetched"; }
        mv "$work/wheels" "$work/requirements.txt" "$work/root/tmp"
        inside python3 -m venv /opt/ingestd
        inside /opt/ingestd/bin/pip --disable-pip-version-check --quiet install --no-index --find-links /tmp/wheels \
            --requirement /tmp/requirements.txt
        inside useradd --system --home-dir /var/lib/ingestd --shell /usr/sbin/nologin ingestd
        rm -rf "$work/root/tmp/wheels" "$work/root/var/cache/apt" "$work/root/var/lib/apt/lists"
        mv "$work/root" "$folder"
    fi
    echo "$folder"
}

case ${1:-} in
    install) install ;;
    *) die "usage: systemd.sh install" ;;
esac
