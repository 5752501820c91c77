"""The texts of findings about inputs and outputs: what clients speak, datagrams, Kafka."""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, tuple[str, str]] = {
    "senders.good": ("every connection sends what its input expects", "모든 연결이 입력에 맞는 형식으로 보냅니다"),
    "senders.pickle": (
        "input {input}: {count:connection} from SocketHandler, whose pickles become dead letters",
        "입력 {input}: SocketHandler(pickle) 연결 {count}건, 데드 레터로 보관",
    ),
    "senders.syslog": (
        "input {input}: {count:connection} from syslog at an input for JSON: events tagged _jsonparsefailure",
        "입력 {input}: JSON 입력에 들어온 syslog 연결 {count}건, _jsonparsefailure 태그가 붙은 이벤트",
    ),
    "senders.syslog_nul": (
        "input {input}: {count:connection} from SysLogHandler at an input for JSON: events tagged _jsonparsefailure",
        "입력 {input}: JSON 입력에 들어온 SysLogHandler 연결 {count}건, _jsonparsefailure 태그가 붙은 이벤트",
    ),
    "senders.syslog_octet_counting": (
        "input {input}: {count:connection} from syslog with octet counting at an input for lines",
        "입력 {input}: 줄 단위 입력에 들어온 octet counting 방식의 syslog 연결 {count}건",
    ),
    "senders.gelf": (
        "input {input}: {count:connection} from GELF: events with GELF's field names",
        "입력 {input}: GELF 연결 {count}건, GELF 필드 이름 그대로 저장",
    ),
    "senders.beats": (
        "input {input}: {count:connection} from Beats to an input for lines: disconnected",
        "입력 {input}: 줄 단위 입력에 Beats 연결 {count}건, 연결을 끊음",
    ),
    "senders.http": (
        "input {input}: {count:connection} with HTTP, answered with status 400",
        "입력 {input}: HTTP 연결 {count}건, 상태 코드 400으로 응답",
    ),
    "senders.tls": (
        "input {input}: {count:connection} with TLS, which is not configured on this port: disconnected",
        "입력 {input}: 이 포트에 설정되지 않은 TLS 연결 {count}건, 연결을 끊음",
    ),
    "senders.proxy": (
        "input {input}: {count:connection} from a proxy that sends PROXY headers, which are skipped",
        "입력 {input}: PROXY 헤더를 보내는 프록시 연결 {count}건, 헤더를 건너뜀",
    ),
    "datagrams.dropped": (
        "input {input}: the kernel had no room for {count:datagram}, which are lost",
        "입력 {input}: 커널 버퍼가 가득 차 데이터그램 {count}건이 유실되었습니다",
    ),
    "kafka.good": (
        "{plugin}: Kafka at {servers} has {topics}",
        "{plugin}: {servers}의 Kafka에 {topics} 토픽이 있습니다",
    ),
    "kafka.read": (
        "{plugin}: {lag:record} of {topics} still to be read by the group {group}",
        "{plugin}: 그룹 {group}이(가) 아직 읽지 않은 {topics} 레코드 {lag}건",
    ),
    "kafka.lag": (
        "{plugin}: the group {group} is behind, {lag:record} of {topics} are still to be read",
        "{plugin}: 그룹 {group}이(가) 밀려 있습니다. 아직 읽지 않은 {topics} 레코드 {lag}건",
    ),
    "kafka.unavailable": (
        "{plugin}: Kafka at {servers} does not answer: {reason}",
        "{plugin}: {servers}의 Kafka가 응답하지 않습니다: {reason}",
    ),
    "kafka.topic": (
        "{plugin}: Kafka at {servers} has no topic {topics}",
        "{plugin}: {servers}의 Kafka에 {topics} 토픽이 없습니다",
    ),
}

FIXES: Mapping[str, tuple[str, str]] = {
    "senders.pickle": (
        "Use logstash.TCPLogstashHandler (package python-logstash) instead of logging.handlers.SocketHandler.",
        "SocketHandler 대신 logstash.TCPLogstashHandler(python-logstash 패키지)를 쓰세요.",
    ),
    "senders.syslog": (
        "From Python, use logstash.TCPLogstashHandler; for a syslog daemon, add an input syslog on another port.",
        "Python에서는 logstash.TCPLogstashHandler를 쓰고, syslog 데몬에는 syslog 입력을 다른 포트에 두세요.",
    ),
    "senders.syslog_nul": (
        "Use logstash.TCPLogstashHandler instead of SysLogHandler, or add an input syslog on another port.",
        "SysLogHandler 대신 logstash.TCPLogstashHandler를 쓰거나 syslog 입력을 다른 포트에 두세요.",
    ),
    "senders.syslog_octet_counting": (
        "Add an input syslog on another port, or end messages with a line feed (rsyslog: TCP_Framing traditional).",
        "syslog 입력을 다른 포트에 두거나, 메시지를 줄바꿈으로 끝내세요(rsyslog: TCP_Framing traditional).",
    ),
    "senders.gelf": (
        "Use logstash.TCPLogstashHandler instead of a GELF handler, or add an input gelf with use_tcp => true.",
        "GELF 핸들러 대신 logstash.TCPLogstashHandler를 쓰거나 use_tcp => true인 gelf 입력을 두세요.",
    ),
    "senders.beats": (
        "Add an input beats on a port of its own, usually 5044 (for the built-in pipeline set beats_port), and point "
        "Filebeat at it.",
        "다른 포트(보통 5044)에 beats 입력을 추가하거나(내장 파이프라인이면 beats_port 설정) Filebeat를 그 포트로 "
        "보내세요.",
    ),
    "senders.http": (
        "The dashboard, /metrics and /health have a port of their own (default 9600); send records as JSON lines over "
        "TCP, and let health checks ask /health.",
        "대시보드, /metrics, /health는 포트가 따로 있습니다(기본값 9600). 로그는 TCP로 JSON을 한 줄씩 보내고, 상태 "
        "확인은 /health로 하세요.",
    ),
    "senders.tls": (
        "Turn TLS off in the client (python-logstash-async: ssl_enable=False), or decrypt it in front of this port.",
        "클라이언트에서 TLS를 끄거나(python-logstash-async는 ssl_enable=False) 이 포트 앞에서 복호화하세요.",
    ),
    "senders.proxy": (
        "Set proxy_protocol => true on the input to get the clients' addresses, or turn it off in the proxy.",
        "클라이언트 주소가 필요하면 입력에 proxy_protocol => true를 쓰고, 아니면 프록시에서 끄세요.",
    ),
    "datagrams.dropped": (
        "Let the kernel keep more: sysctl -w net.core.rmem_max=33554432, also in /etc/sysctl.d, then restart.",
        "커널이 더 많이 보관하도록 sysctl -w net.core.rmem_max=33554432(/etc/sysctl.d에도)로 설정하고 다시 시작하세요.",
    ),
    "kafka.lag": (
        "If that keeps rising, add workers, up to one process for each partition: see docs/scale.md.",
        "계속 늘어나면 파티션 수만큼까지 워커를 추가하세요. docs/scale.md 참고.",
    ),
    "kafka.unavailable": (
        "Is it running, and is bootstrap_servers right? kafka-topics.sh --bootstrap-server {servers} --list\n"
        "What is received meanwhile waits in the journal.",
        "Kafka가 실행 중인지, bootstrap_servers가 맞는지 확인하세요. kafka-topics.sh --bootstrap-server {servers} "
        "--list\n그동안 받은 것은 저널에서 기다립니다.",
    ),
    "kafka.topic": (
        "kafka-topics.sh --bootstrap-server {servers} --create --topic {topic} --partitions 12 --replication-factor 3",
        "kafka-topics.sh --bootstrap-server {servers} --create --topic {topic} --partitions 12 --replication-factor 3",
    ),
}
