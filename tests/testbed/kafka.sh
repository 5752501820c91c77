#!/usr/bin/env bash
# A real Apache Kafka single node (KRaft) for tests, from Maven Central. Linux only.
#
#   kafka.sh install VERSION
#   kafka.sh start   VERSION PORT DATA_DIR     (prints the bootstrap address)
#   kafka.sh stop    DATA_DIR
#
# VERSION   4.3.1, 3.9.2, ... (4.4.0 does not resolve)
#
# Environment: see common.sh, and
#   TESTBED_HEAP   JVM heap, default 256m
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

HEAP=${TESTBED_HEAP:-256m}

install_kafka() {
    [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "not a version: $1"
    local home=$CACHE/kafka/$1 work=$CACHE/work-kafka-$1 slf4j
    lock "kafka-$1"
    if [[ ! -e $home/.complete ]]; then
        say "getting kafka $1 and its dependencies"
        rm -rf "$work"
        mkdir -p "$work" "$CACHE/kafka"
        cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>testbed</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$1</version>
  </dependency></dependencies>
</project>
POM
        maven "$work/m2" -f "$work/pom.xml" "$DEPENDENCY_PLUGIN:copy-dependencies" -DincludeScope=runtime \
            -DoutputDirectory="$work/home/libs" || die "cannot get kafka $1"
        # Kafka's jars come without a logger: take the plain one of the same version.
        slf4j=$(cd "$work/home/libs" && echo slf4j-api-*.jar)
        slf4j=${slf4j#slf4j-api-}
        slf4j=${slf4j%.jar}
        maven "$work/m2" "$DEPENDENCY_PLUGIN:copy" -Dartifact="org.slf4j:slf4j-simple:$slf4j" \
            -DoutputDirectory="$work/home/libs" || say "no logger: the server's log stays empty"
        chmod -R a+rX "$work/home"
        rm -rf "$home"
        mv "$work/home" "$home"
        touch "$home/.complete"
    fi
    rm -rf "$work"
    exec 9>&-
    echo "$home"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Prints a random one, as Kafka writes them.
uuid() { head -c 16 /dev/urandom | base64 | tr +/ -_ | tr -d =; }

write_config() {
    local port=$1 controller
    controller=$(free_port)
    cat >"$DATA/server.properties" <<TXT
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$DATA/data
num.partitions=1
auto.create.topics.enable=true
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
metadata.max.idle.interval.ms=0
TXT
}

start_kafka() {
    local version=$1 port=$2 home jdk deadline
    [[ $port =~ ^[0-9]+$ ]] || die "not a port: $port"
    mkdir -p "$3"
    DATA=$(cd "$3" && pwd)
    running "$DATA" && die "already running in $DATA"
    home=$(install_kafka "$version")
    jdk=$(find_jdk 17 99)
    mkdir -p "$DATA"/{logs,data}
    write_config "$port"
    own_data "$DATA"/{data,logs,server.properties}
    home=$(reachable "$home" .complete)
    cd "$DATA"
    local -a java=("$jdk/bin/java" "-Xms$HEAP" "-Xmx$HEAP" -XX:+UseSerialGC "${LIGHT_JAVA[@]}"
        -XX:+ExitOnOutOfMemoryError -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$home/libs/*")
    if [[ ! -e $DATA/data/meta.properties ]]; then
        # What kafka.tools.StorageTool would write, in a JVM of its own.
        printf '%s\n' version=1 node.id=1 cluster.id="$(uuid)" directory.id="$(uuid)" >"$DATA/data/meta.properties"
        own_data "$DATA/data"
    fi
    # shellcheck disable=SC2016
    as_user setsid sh -c 'echo $$ >"$0" && exec "$@"' "$DATA/server.pid" "${java[@]}" \
        kafka.Kafka "$DATA/server.properties" >>"$DATA/logs/server.log" 2>&1 </dev/null &
    deadline=$((SECONDS + TIMEOUT))
    while ((SECONDS < deadline)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "127.0.0.1:$port"; return; fi
        if ! running "$DATA" && ((SECONDS > deadline - TIMEOUT + 5)); then
            tail -n 20 "$DATA/logs/server.log" >&2
            die "the broker died: see $DATA/logs"
        fi
        sleep 0.3
    done
    die "no broker after $TIMEOUT s: see $DATA/logs"
}

case ${1:-}-$# in
    install-2) install_kafka "$2" ;;
    start-4) start_kafka "$2" "$3" "$4" ;;
    stop-2) stop_server "$2" ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
