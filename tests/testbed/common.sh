# Shared by elasticsearch.sh and kafka.sh: downloads, JDKs, accounts, processes. Sourced, not run.
#
# Environment
#   TESTBED_CACHE    where unpacked servers live (default ~/.cache/ingestd-testbed)
#   TESTBED_TIMEOUT  seconds to wait for a server to answer, default 240
#   TESTBED_USER     account that runs the server when the caller is root, default nobody
#   TESTBED_JAVA_HOME, JAVA_HOME   JDKs looked at before those in /usr/lib/jvm
set -euo pipefail

CACHE=${TESTBED_CACHE:-${HOME:?}/.cache/ingestd-testbed}
TIMEOUT=${TESTBED_TIMEOUT:-240}
RUN_USER=${TESTBED_USER:-nobody}
DEPENDENCY_PLUGIN=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
# For JVMs that live shortly: the first compiler alone, and no check of classes that are known to be sound.
LIGHT_JAVA=(-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote)

say() { echo "${0##*/}: $*" >&2; }
die() { say "$@"; exit 1; }

# lock NAME: two callers that install the same server wait for each other. Held until the script ends.
lock() {
    mkdir -p "$CACHE"
    exec 9>"$CACHE/.lock-$1"
    flock 9
}

# maven REPOSITORY ARGS...: each installation has its own local repository, because Maven's may not
# be shared by two running Mavens.
maven() {
    local repository=$1 log=$1/maven.log
    shift
    command -v mvn >/dev/null || die "mvn is needed to get the servers"
    mkdir -p "$repository"
    mvn -B -ntp -Dmaven.repo.local="$repository" "$@" >"$log" 2>&1 || {
        grep -m 5 ERROR "$log" >&2 || tail -n 20 "$log" >&2
        return 1
    }
}

jdk_major() {
    local version
    [[ -x $1/bin/java && -r $1/release ]] || return 1
    version=$(sed -n 's/^JAVA_VERSION="\([^"]*\)".*/\1/p' "$1/release")
    echo "${version%%[.+-]*}"
}

# find_jdk MIN MAX: prints the home of a JDK in that range: one that was named, else the lowest.
find_jdk() {
    local home major best='' best_major=1000
    for home in "${TESTBED_JAVA_HOME:-}" "${JAVA_HOME:-}"; do
        [[ -n $home ]] && major=$(jdk_major "$home") || continue
        if ((major >= $1 && major <= $2)); then echo "$home"; return; fi
    done
    for home in /usr/lib/jvm/*; do
        major=$(jdk_major "$home") || continue
        if ((major >= $1 && major <= $2 && major < best_major)); then best=$home best_major=$major; fi
    done
    [[ -n $best ]] || die "a JDK from $1 to $2 is needed: none in JAVA_HOME or /usr/lib/jvm"
    echo "$best"
}

# as_user COMMAND...: these servers refuse to run as root.
as_user() {
    if ((EUID == 0)); then
        setpriv --reuid "$RUN_USER" --regid "$(id -g "$RUN_USER")" --clear-groups --inh-caps=-all \
            env HOME="$DATA" "$@"
    else
        "$@"
    fi
}

# own_data PATHS...: hands the paths under $DATA to the account that runs the server.
own_data() {
    ((EUID == 0)) || return 0
    chown -R "$RUN_USER:" "$@"
    chown "$RUN_USER:" "$DATA"
    as_user test -w "$1" || die "user $RUN_USER cannot reach $DATA: choose a folder outside private homes"
}

# reachable HOME FILE: prints HOME, or a (hard-linked) copy of it under $DATA when the cache lies in
# root's private home, where the account that runs the server may not read.
reachable() {
    if ((EUID != 0)) || as_user test -r "$1/$2" 2>/dev/null; then echo "$1"; return; fi
    rm -rf "$DATA/home"
    cp -al "$1" "$DATA/home" 2>/dev/null || { rm -rf "$DATA/home"; cp -a "$1" "$DATA/home"; }
    echo "$DATA/home"
}

# running DATA: is the process of this folder alive, and still the one we started?
running() {
    local pid
    [[ -s $1/server.pid ]] || return 1
    pid=$(<"$1/server.pid")
    [[ -d /proc/$pid ]] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$1"
}

# stop_server DATA: by its process id only; asked first, killed after 30 s.
stop_server() {
    local data pid i
    [[ -d $1 ]] || return 0
    data=$(cd "$1" && pwd)
    if running "$data"; then
        pid=$(<"$data/server.pid")
        kill "$pid" 2>/dev/null || true
        for ((i = 0; i < 300; i++)); do
            [[ -d /proc/$pid ]] || break
            sleep 0.1
        done
        if [[ -d /proc/$pid ]]; then kill -9 "$pid" 2>/dev/null || true; fi
    fi
    rm -f "$data/server.pid"
    rm -rf "$data/home"
}
