#!/usr/bin/env bash
# Writes packaging/requirements.txt and packaging/build-requirements.txt, the versions and hashes that the container
# image installs, after a change of the dependencies or of constraints.txt. It needs uv: https://docs.astral.sh/uv/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# lock FILE COMMENT ARGUMENTS...
lock() {
    local file=$1 comment=$2
    shift 2
    { echo "$comment" && uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-annotate "$@"; } >"$file.new"
    mv "$file.new" "$file"
}

lock packaging/requirements.txt \
    "# What ingestd needs, with hashes: pip install --require-hashes -r packaging/requirements.txt; by tools/lock.sh" \
    --constraint constraints.txt --extra geoip pyproject.toml
python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' |
    lock packaging/build-requirements.txt "# What builds the wheel, with hashes; by tools/lock.sh" --constraint constraints.txt -
