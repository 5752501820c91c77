#!/usr/bin/env bash
# Gets the servers of the end-to-end tests in parallel, so that the tests need not wait for downloads.
#
#   install.sh [VERSION...]     (default: those that the tests use)
set -euo pipefail
export TESTBED_PLUGINS=${TESTBED_PLUGINS-repository-s3}
cd "$(dirname "${BASH_SOURCE[0]}")"
(($#)) || set -- 9.5.3 8.19.21 7.17.29 6.8.23 opensearch-3.8.0
pids=()
for version in "$@"; do
    bash elasticsearch.sh install "$version" </dev/null &
    pids+=($!)
done
bash kafka.sh install 4.3.1 </dev/null >/dev/null &
pids+=($!)
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
