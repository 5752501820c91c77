#!/usr/bin/env bash
# A real database of countries for the tests: fetched once with npm, kept in the cache of the testbed.
#
#   geoip.sh install    prints the path of the database
#
# From the package @ip-location-db/geo-whois-asn-country-mmdb (CC0; its data comes from the NRO, CC BY 4.0). The
# version is fixed, so that the tests may say where an address is.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

NAME=geo-whois-asn-country
VERSION=2.3.2026061719
work=

install() {
    local folder="$CACHE/geoip-$VERSION"
    lock geoip
    if [[ ! -s $folder/$NAME.mmdb ]]; then
        command -v npm >/dev/null || die "npm is needed to get the database"
        work=$(mktemp -d "$CACHE/.geoip-XXXXXX")
        trap 'rm -rf "$work"' EXIT
        (cd "$work" && npm pack --silent "@ip-location-db/$NAME-mmdb@$VERSION" >npm.log 2>&1) || {
            tail -n 5 "$work/npm.log" >&2
            die "the database could not be fetched"
        }
        tar -xzf "$work"/*.tgz -C "$work" "package/$NAME.mmdb"
        mkdir -p "$folder"
        mv "$work/package/$NAME.mmdb" "$folder/$NAME.mmdb"
    fi
    echo "$folder/$NAME.mmdb"
}

case ${1:-} in
    install) install ;;
    *) die "usage: geoip.sh install" ;;
esac
