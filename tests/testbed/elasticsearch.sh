#!/usr/bin/env bash
# Real Elasticsearch and OpenSearch single nodes for tests, from Maven Central. Linux only.
#
#   elasticsearch.sh install VERSION
#   elasticsearch.sh start   VERSION PORT DATA_DIR     (prints the URL)
#   elasticsearch.sh stop    DATA_DIR
#   elasticsearch.sh jdk     VERSION                   (prints the JDK it would run on)
#
# VERSION   9.5.3, 8.19.21, 7.17.29, 6.8.23, opensearch-3.8.0, opensearch-2.19.6, ...
#
# Environment: see common.sh, and
#   TESTBED_HEAP         JVM heap, default 512m
#   TESTBED_PLUGINS      OpenSearch 3: plugins put together from their jars: repository-s3, analysis-nori
#   TESTBED_S3_ENDPOINT  of the client "default" of repository-s3, which has the keys "test" and "test-secret"
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

HEAP=${TESTBED_HEAP:-512m}
PLUGINS=${TESTBED_PLUGINS:-}
KEYSTORE=$(realpath "$(dirname "${BASH_SOURCE[0]}")")/opensearch.keystore
# No test uses them, the servers without them start sooner, and the newer Elasticsearch comes without them.
UNUSED_MODULES=(aggs-matrix-stats cache-common ingest-common ingest-geoip ingest-user-agent lang-expression lang-mustache
    opensearch-dashboards parent-join percolator rank-eval repository-url rule-framework search-pipeline-common
    store-subdirectory transport-grpc tribe)

# Sets FLAVOUR, NUMBER, MAJOR, GROUP, ARTIFACT, HOME_DIR and the range of JDKs.
parse_version() {
    FLAVOUR=elasticsearch NUMBER=$1
    [[ $1 == opensearch-* ]] && FLAVOUR=opensearch NUMBER=${1#opensearch-}
    [[ $NUMBER =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "not a version: $1"
    MAJOR=${NUMBER%%.*} MAX_JDK=99
    case $FLAVOUR-$MAJOR in
        elasticsearch-6) MIN_JDK=8 MAX_JDK=17 ;;
        elasticsearch-7) MIN_JDK=11 MAX_JDK=17 ;;
        elasticsearch-8) MIN_JDK=17 ;;
        opensearch-2) MIN_JDK=11 MAX_JDK=21 ;;
        elasticsearch-9|opensearch-3) MIN_JDK=21 ;;
        *) die "no such server: $1" ;;
    esac
    GROUP=org.elasticsearch.distribution.integ-test-zip
    ARTIFACT=$FLAVOUR
    if [[ $FLAVOUR == opensearch ]]; then GROUP=org.opensearch.distribution.integ-test-zip; fi
    # Of Elasticsearch 6 there is no stripped distribution: the one without X-Pack is the smallest.
    if [[ $FLAVOUR-$MAJOR == elasticsearch-6 ]]; then GROUP=org.elasticsearch.distribution.zip ARTIFACT=elasticsearch-oss; fi
    HOME_DIR=$CACHE/servers/$1
}

# OpenSearch publishes its plugins as plain jars: put the folder together here.
add_opensearch_plugin() {
    local name=$1 dir=$2 work=$3 class jar stem other
    case $name in
        repository-s3) class=org.opensearch.repositories.s3.S3RepositoryPlugin ;;
        analysis-nori) class=org.opensearch.plugin.analysis.nori.AnalysisNoriPlugin ;;
        *) die "unknown OpenSearch plugin: $name" ;;
    esac
    cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>testbed</groupId><artifactId>plugin</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.opensearch.plugin</groupId><artifactId>$name</artifactId><version>$NUMBER</version>
  </dependency></dependencies>
</project>
POM
    maven "$work/m2" -f "$work/pom.xml" "$DEPENDENCY_PLUGIN:copy-dependencies" -DincludeScope=runtime \
        -DoutputDirectory="$work/jars" || die "cannot get plugin $name $NUMBER"
    cat >"$work/jars/plugin-descriptor.properties" <<TXT
name=$name
description=$name from its published jars
version=$NUMBER
opensearch.version=$NUMBER
java.version=21
classname=$class
TXT
    if [[ $name == repository-s3 ]]; then
        cat >"$work/jars/plugin-security.policy" <<'TXT'
grant {
  permission java.lang.RuntimePermission "accessDeclaredMembers";
  permission java.lang.RuntimePermission "getClassLoader";
  permission java.lang.RuntimePermission "setContextClassLoader";
  permission java.lang.RuntimePermission "accessUserInformation";
  permission java.lang.reflect.ReflectPermission "suppressAccessChecks";
  permission java.net.NetPermission "setDefaultAuthenticator";
  permission java.net.SocketPermission "*", "connect,resolve";
  permission java.util.PropertyPermission "*", "read,write";
  permission java.io.FilePermission "config", "read";
};
TXT
    fi
    # A jar that the server has too may not come a second time ("jar hell").
    for jar in "$work"/jars/*.jar; do
        stem=${jar##*/}
        stem=${stem%-[0-9]*.jar}
        for other in "$dir"/lib/"$stem"-[0-9]*.jar; do
            if [[ -e $other ]]; then rm -f "$jar"; fi
        done
    done
    chmod -R a+rX "$work/jars"
    mv "$work/jars" "$dir/plugins/$name"
}

install_server() {
    local work plugin module
    parse_version "$1"
    lock "$1"
    work=$CACHE/work-$1
    rm -rf "$work"
    mkdir -p "$work"
    if [[ ! -e $HOME_DIR/.complete ]]; then
        command -v unzip >/dev/null || die "unzip is needed"
        say "getting $FLAVOUR $NUMBER"
        maven "$work/m2" "$DEPENDENCY_PLUGIN:get" -Dartifact="$GROUP:$ARTIFACT:$NUMBER:zip" -Dtransitive=false ||
            die "cannot get $FLAVOUR $NUMBER"
        unzip -q "$work/m2/${GROUP//./\/}/$ARTIFACT/$NUMBER/$ARTIFACT-$NUMBER.zip" -d "$work/unpacked"
        mkdir -p "$CACHE/servers" "$work"/unpacked/*/plugins
        chmod -R a+rX "$work/unpacked"
        rm -rf "$HOME_DIR"
        mv "$work"/unpacked/*/ "$HOME_DIR"
        touch "$HOME_DIR/.complete"
    fi
    if [[ $FLAVOUR == opensearch && $MAJOR -ge 3 ]]; then
        for plugin in $PLUGINS; do
            [[ -d $HOME_DIR/plugins/$plugin ]] && continue
            say "adding plugin $plugin"
            add_opensearch_plugin "$plugin" "$HOME_DIR" "$work"
        done
    fi
    for module in "${UNUSED_MODULES[@]}"; do rm -rf "$HOME_DIR/modules/$module"; done
    rm -rf "$work"
    exec 9>&-
    echo "$HOME_DIR"
}

uses_s3() { [[ -d $HOME_DIR/plugins/repository-s3 && -n ${TESTBED_S3_ENDPOINT:-} ]]; }

write_config() {
    local conf=$1 port=$2 transport=transport.port
    if ((MAJOR < 7)); then transport=transport.tcp.port; fi
    rm -rf "$conf"
    cp -r "$HOME_DIR/config" "$conf"
    # These lines name folders inside the shared, read-only server, choose the collector for big heaps, or keep Java
    # from using what it has prepared of its own classes.
    sed -i -e '/Xlog:gc/d' -e '/Xloggc/d' -e '/PrintGC/d' -e '/GCLogFile/d' -e '/PrintTenuring/d' -e '/HeapDump/d' -e '/ErrorFile/d' \
        -e '/UseG1GC/d' -e '/UseConcMarkSweepGC/d' -e '/CMSInitiating/d' -e '/G1ReservePercent/d' -e '/InitiatingHeapOccupancyPercent/d' -e '/G1HeapRegionSize/d' \
        -e '/incubator\.vector/d' "$conf/jvm.options"
    cat >"$conf/$FLAVOUR.yml" <<YML
cluster.name: testbed-$port
node.name: testbed
path.data: $DATA/data
path.logs: $DATA/logs
path.repo: ["$DATA/snapshots"]
network.host: 127.0.0.1
http.port: $port
# Any free port: nothing but this node talks on it.
$transport: 0
discovery.type: single-node
cluster.routing.allocation.disk.threshold_enabled: false
YML
    if [[ $FLAVOUR == elasticsearch && $MAJOR -ge 7 ]]; then echo "xpack.security.enabled: false" >>"$conf/$FLAVOUR.yml"; fi
    if uses_s3; then
        # The keys "test" and "test-secret", with no password. OpenSearch's own tool took 3 s to put them in.
        cp "$KEYSTORE" "$conf/opensearch.keystore"
        cat >>"$conf/$FLAVOUR.yml" <<YML
s3.client.default.endpoint: $TESTBED_S3_ENDPOINT
s3.client.default.path_style_access: true
s3.client.default.region: us-east-1
YML
    fi
}

# The scripts of Elasticsearch 6 and 7 and of OpenSearch start up to six JVMs before the server's: to look at the version
# of Java, for a password, to put these options together.
start_without_script() {
    local prefix=es main=org.elasticsearch.bootstrap.Elasticsearch
    local -a options=(-Xss1m -Djava.awt.headless=true -Dfile.encoding=UTF-8 -Djna.nosys=true
        -XX:-OmitStackTraceInFastThrow -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true
        -Dio.netty.recycler.maxCapacityPerThread=0 -Dio.netty.allocator.numDirectArenas=0
        -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true -Dlog4j2.formatMsgNoLookups=true
        "-Djava.io.tmpdir=$DATA/tmp")
    case $FLAVOUR-$MAJOR in
        elasticsearch-6) options+=(-Djava.locale.providers=COMPAT) ;;
        elasticsearch-7) options+=(-Djava.locale.providers=SPI,COMPAT --add-opens=java.base/java.io=ALL-UNNAMED) ;;
        opensearch-3)
            prefix=opensearch main=org.opensearch.bootstrap.OpenSearch
            options+=(-Djava.locale.providers=SPI,CLDR --add-opens=java.base/java.nio=ALL-UNNAMED
                # Of the agent, which checks who opens files and sockets, only what the server calls.
                "-Xbootclasspath/a:$(echo "$HOME_DIR"/agent/opensearch-agent-bootstrap-*.jar)"
                -Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1)
            ;;
    esac
    # shellcheck disable=SC2016
    as_user env -C "$HOME_DIR" "${ENVS[@]}" setsid sh -c 'echo $$ >"$0" && exec "$@"' "$DATA/server.pid" \
        "$JDK/bin/java" "${options[@]}" "${JAVA_OPTIONS[@]}" \
        -D$prefix.path.home="$HOME_DIR" -D$prefix.path.conf="$DATA/config" \
        -D$prefix.distribution.flavor=oss -D$prefix.distribution.type=zip -D$prefix.bundled_jdk=false \
        -cp "$HOME_DIR/lib/*" $main -d >>"$DATA/logs/start.log" 2>&1 </dev/null &
}

wait_until_green() {
    local port=$1 health='' begun=$SECONDS deadline=$((SECONDS + TIMEOUT))
    while ((SECONDS < deadline)); do
        # Curl costs more than a look at the port, which is opened last of all.
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null &&
            health=$(curl -s -m 2 "http://127.0.0.1:$port/_cluster/health" || true)
        [[ $health == *'"status":"green"'* ]] && return
        # OpenSearch 2 goes to the background before it has written its process id, which takes long on a busy machine.
        if ((SECONDS > begun + 90)) && ! running "$DATA"; then
            tail -n 20 "$DATA/logs/start.log" >&2
            die "the server died: see $DATA/logs"
        fi
        sleep 0.3
    done
    die "not green after $TIMEOUT s: ${health:-no answer}"
}

start_server() {
    local version=$1 port=$2 prefix=ES
    [[ $port =~ ^[0-9]+$ ]] || die "not a port: $port"
    mkdir -p "$3"
    DATA=$(cd "$3" && pwd)
    running "$DATA" && die "already running in $DATA"
    install_server "$version" >/dev/null
    JDK=$(find_jdk "$MIN_JDK" "$MAX_JDK")
    [[ $FLAVOUR == opensearch ]] && prefix=OPENSEARCH
    mkdir -p "$DATA"/{data,logs,tmp,snapshots}
    write_config "$DATA/config" "$port"
    own_data "$DATA"/{data,logs,tmp,snapshots,config}
    HOME_DIR=$(reachable "$HOME_DIR" config/jvm.options)
    # Short-lived and small: the serial collector, the first compiler alone, and no second look at classes that are
    # known to be sound, start in about half the CPU time.
    JAVA_OPTIONS=("-Xms$HEAP" "-Xmx$HEAP" -XX:-AlwaysPreTouch -XX:+UseSerialGC "${LIGHT_JAVA[@]}")
    ENVS=("${prefix}_JAVA_HOME=$JDK" "JAVA_HOME=$JDK" "${prefix}_PATH_CONF=$DATA/config" "${prefix}_TMPDIR=$DATA/tmp"
        "LIBFFI_TMPDIR=$DATA/tmp" "${prefix}_JAVA_OPTS=${JAVA_OPTIONS[*]}" "CLI_JAVA_OPTS=${LIGHT_JAVA[*]}")
    cd "$DATA"
    case $FLAVOUR-$MAJOR in
        elasticsearch-[67]|opensearch-3) start_without_script ;;
        *)
            as_user env "${ENVS[@]}" "$HOME_DIR/bin/$FLAVOUR" -d -p "$DATA/server.pid" >>"$DATA/logs/start.log" 2>&1 \
                </dev/null || { tail -n 20 "$DATA/logs/start.log" >&2; die "start failed"; }
            ;;
    esac
    wait_until_green "$port"
    echo "http://127.0.0.1:$port"
}

case ${1:-}-$# in
    install-2) install_server "$2" ;;
    start-4) start_server "$2" "$3" "$4" ;;
    stop-2) stop_server "$2" ;;
    jdk-2) parse_version "$2"; find_jdk "$MIN_JDK" "$MAX_JDK" ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
