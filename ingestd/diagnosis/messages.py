"""The texts of the findings, in English and Korean: a sentence for each code, and what to do.

Placeholders are ``{name}``, or ``{name:event}`` for a number of events. The values are text already; a fix may have
several lines.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "ko")

SENTENCES: Mapping[str, tuple[str, str]] = {
    "daemon.running": ("ingestd is running (process {pid})", "ingestd가 실행 중입니다(프로세스 {pid})"),
    "daemon.down": (
        "no ingestd is running on {folder}: nothing is received",
        "{folder}에서 실행 중인 ingestd가 없어 아무것도 수신되지 않습니다",
    ),
    "daemon.unread": (
        "its pages cannot be read, so its connections and Kafka are not checked: {reason}",
        "데몬의 페이지를 읽을 수 없어 연결과 Kafka는 점검하지 않았습니다: {reason}",
    ),
    "store.unavailable": ("the store cannot be queried: {reason}", "저장소를 조회할 수 없습니다: {reason}"),
    "records.arriving": (
        "{total:event} in the last hour: {access:access line}, {django:record} of Django, {others:other}",
        "최근 1시간 이벤트 {total}건: 접속 로그 {access}건, Django 기록 {django}건, 그 밖에 {others}건",
    ),
    "records.quiet": (
        "nothing arrived in the last hour; the newest event is of {newest}",
        "최근 1시간 동안 들어온 것이 없습니다. 마지막 이벤트: {newest}",
    ),
    "records.none": ("no events yet", "아직 이벤트가 없습니다"),
    "access.arriving": ("access lines arrive from {loggers}", "접속 로그가 들어옵니다: {loggers}"),
    "access.missing": (
        "{total:record}, {django} of them of Django, and no access line: "
        "paths, status codes and search words are missing",
        "기록 {total}건(Django {django}건)이 들어왔지만 접속 로그가 없어 경로, 상태 코드, 검색어를 알 수 없습니다",
    ),
    "access.twice": (
        "the same requests come from {loggers} and from a web server in front: visits count twice",
        "같은 요청이 {loggers}와(과) 앞단 웹 서버 양쪽에서 들어와 방문이 두 번 집계됩니다",
    ),
    "access.twice_client": (
        "the same requests come from {loggers} and from the middleware AccessLog of ingestd-django: visits count twice",
        "같은 요청이 {loggers}와(과) ingestd-django의 AccessLog 미들웨어 양쪽에서 들어와 방문이 두 번 집계됩니다",
    ),
    "format.version": (
        "records of python-logstash come in version {version}",
        "python-logstash 기록은 버전 {version}입니다",
    ),
    "format.both": (
        "records of python-logstash come in version 0 and in version 1; both are understood",
        "python-logstash 기록이 버전 0과 1로 들어옵니다. 둘 다 처리됩니다",
    ),
    "format.other": (
        "no record of python-logstash among the last ones received",
        "최근에 받은 것 중 python-logstash 기록이 없습니다",
    ),
    "clock.good": (
        "timestamps are within {seconds} s of the time of receipt; days are those of {zone}",
        "시각과 수신 시각의 차이가 {seconds}초 이내입니다. 날짜 기준 시간대: {zone}",
    ),
    "clock.zone": (
        "timestamps of {host} are {hours} h {direction}: it sends local time as if it were UTC",
        "{host}의 시각이 {hours}시간 어긋나 있습니다({direction}): 현지 시각을 UTC로 보내고 있습니다",
    ),
    "clock.skew": (
        "timestamps of {host} are {minutes:minute} {direction} the time of receipt",
        "{host}의 시각이 수신 시각과 {minutes}분 차이 납니다({direction})",
    ),
    "clock.future": (
        "{count:event} with a time in the future",
        "미래 시각을 가진 이벤트가 {count}건 있습니다",
    ),
    "zone.differs": (
        "these settings cut days in {zone}, the daemon last ran with {daemon}",
        "이 설정의 날짜 기준 시간대는 {zone}이지만, 데몬은 마지막으로 {daemon}(으)로 실행되었습니다",
    ),
    "zone.changed": (
        "the time zone of days changed at {time} from {before} to {zone}; days stored before keep {before}",
        "날짜 기준 시간대가 {time}에 {before}에서 {zone}(으)로 바뀌었습니다. 그 전의 날짜는 {before} 기준입니다",
    ),
    "clients.good": ("visits come from {count:address} or more", "방문 주소가 {count}개 이상입니다"),
    "clients.single": (
        "all {total} visits come from {address}, a private address such as a proxy's",
        "방문 {total}건의 주소가 모두 사설 주소 {address}입니다. 프록시의 주소일 수 있습니다",
    ),
    "clients.missing": ("no access line has a client address", "접속 로그에 방문자 주소가 없습니다"),
    "senders.good": ("every connection sends what its input is for", "모든 연결이 입력에 맞는 형식으로 보냅니다"),
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
    "disk.good": ("{free} of {total} are free", "{total} 중 {free}가 비어 있습니다"),
    "disk.low": ("only {free} of {total} are free", "{total} 중 {free}만 비어 있습니다"),
    "disk.full": (
        "the disk is almost full: {free} of {total} are free",
        "디스크가 거의 찼습니다: {total} 중 {free}만 비어 있습니다",
    ),
    "rights.good": ("the data folder belongs to {owner}", "데이터 폴더의 소유자는 {owner}입니다"),
    "rights.unreadable": ("{folder} cannot be read by this user", "이 사용자는 {folder}를 읽을 수 없습니다"),
    "rights.foreign": (
        "files in the data folder belong to other users than {owner}: {files}",
        "데이터 폴더에 {owner}가 아닌 사용자의 파일이 있습니다: {files}",
    ),
    "rights.secrets": ("every user may read {files}", "모든 사용자가 {files}를 읽을 수 있습니다"),
    "sealing.good": ("all days that are over are sealed", "지난 날짜가 모두 봉인(압축)되었습니다"),
    "sealing.late": (
        "not sealed although over: {days:day} ({size}): {indices}",
        "봉인(압축)되지 않은 지난 날짜 {days}개({size}): {indices}",
    ),
    "sealing.failed": ("{index} cannot be sealed: {reason}", "{index}: 봉인(압축)할 수 없습니다: {reason}"),
    "deadletters.none": ("no dead letters in the last hour", "최근 1시간 동안 데드 레터가 없습니다"),
    "deadletters.some": (
        "{count:dead letter} in the last hour",
        "최근 1시간 동안 이벤트 {count}건이 데드 레터가 되었습니다",
    ),
    "backup.good": ("days are backed up to {repository}", "날짜별로 {repository}에 백업됩니다"),
    "backup.off": ("backups are turned off", "백업을 사용하지 않습니다"),
    "backup.later": ("there is no repository: nothing is backed up", "백업 저장소가 없어 백업하지 않습니다"),
    "backup.none": (
        "{days:day} stored, and none backed up",
        "저장된 날짜 {days}개 중 백업된 것이 없습니다",
    ),
    "backup.misconfigured": ("{reason}", "{reason}"),
    "backup.missing": (
        "{days:past day} without a verified backup in {repository}: {indices}",
        "{repository}에 검증된 백업이 없는 날짜 {days}개: {indices}",
    ),
    "retention.good": ("days are deleted: {rules}", "보관 규칙: {rules}"),
    "retention.none": ("ingestd deletes no days", "ingestd는 아무 날짜도 삭제하지 않습니다"),
    "retention.failed": (
        "the last run of backup and retention failed for {index}: {reason}",
        "마지막 백업·보관 작업이 {index}에서 실패했습니다: {reason}",
    ),
    "retention.overdue": (
        "{days:day} older than retention keeps, but not deleted: {indices}",
        "보관 기간이 지났지만 삭제되지 않은 날짜 {days}개: {indices}",
    ),
    "geoip.none": (
        "no database of locations is installed: the map stays empty",
        "위치 데이터베이스가 없어 지도가 비어 있습니다",
    ),
    "geoip.good": ("locations are of {date}", "위치 데이터 날짜: {date}"),
    "geoip.old": ("locations are {days:day} old", "위치 데이터가 {days}일 지났습니다"),
    "geoip.package": (
        "a database of locations is installed, but not the package that reads it",
        "위치 데이터베이스는 있지만 읽는 패키지가 없습니다",
    ),
    "server.good": ("{server}, {health}", "{server}, {health}"),
    "server.unsupported": ("{server} is older than {oldest}", "{server}은(는) {oldest}보다 오래되었습니다"),
    "server.red": ("{server} is red: some shards are missing", "{server} 상태가 red입니다: 일부 샤드가 없습니다"),
    "server.disk": (
        "a disk of {server} is {percent} % full; above 95 % it makes its indices read-only",
        "{server}의 디스크가 {percent}% 찼습니다. 95%를 넘으면 인덱스가 읽기 전용이 됩니다",
    ),
    "template.current": ("the index template is current", "인덱스 템플릿이 최신입니다"),
    "template.missing": (
        "the index template is missing: the server guesses the types of fields",
        "인덱스 템플릿이 없어 서버가 필드 타입을 추측합니다",
    ),
    "template.older": ("the index template is of an older version", "인덱스 템플릿이 이전 버전입니다"),
    "template.foreign": (
        "the index template is your own",
        "직접 만든 인덱스 템플릿을 사용합니다",
    ),
    "fields.ignored": (
        "{index} has {fields} fields, the limit is {limit}: fields that are new in it are not searchable",
        "{index}의 필드가 {fields}개입니다(한도 {limit}). 새 필드는 검색되지 않습니다",
    ),
    "fields.rejected": (
        "{index} has {fields} fields, the limit is {limit}: events with a new field become dead letters",
        "{index}의 필드가 {fields}개입니다(한도 {limit}). 새 필드가 있는 이벤트는 dead letter가 됩니다",
    ),
}

FIXES: Mapping[str, tuple[str, str]] = {
    "daemon.down": (
        "ingestd run --data-dir {folder}\nor, under systemd: systemctl start ingestd; its data is in /var/lib/ingestd",
        "ingestd run --data-dir {folder}\nsystemd에서는 systemctl start ingestd (데이터는 /var/lib/ingestd)",
    ),
    "daemon.unread": (
        "Use the settings of the daemon, its address (http) and token (http_token): --settings FILE",
        "데몬의 설정, 즉 주소(http)와 토큰(http_token)을 사용하세요: --settings FILE",
    ),
    "store.unavailable": ("Check its address and its log.", "주소와 로그를 확인하세요."),
    "records.quiet": (
        "Do the senders run, and have they this host and port? A Django site has them in LOGGING: docs/production.md.",
        "보내는 쪽이 실행 중인지, host와 port가 맞는지 확인하세요. Django는 LOGGING에 있습니다: docs/production.md",
    ),
    "records.none": (
        "Point what sends logs at ingestd; a Django site with LOGGING, best with ingestd-django: docs/production.md.",
        "로그를 보내는 쪽이 ingestd를 가리키게 하세요. Django는 LOGGING에서, ingestd-django를 권합니다: "
        "docs/production.md",
    ),
    "access.missing": (
        "Add the middleware of ingestd-django, or what the server of your site needs; files are sent as "
        "docs/production.md says.\n{recipe}",
        "ingestd-django의 미들웨어를 추가하거나 사이트의 서버에 맞게 추가하세요. 파일을 보내는 방법: "
        "docs/production.md\n{recipe}",
    ),
    "access.twice": (
        "Send the access lines of one of them: remove {loggers} from LOGGING, or stop sending the file.",
        "한쪽만 보내세요: LOGGING에서 {loggers}를 빼거나 파일 전송을 멈추세요.",
    ),
    "access.twice_client": (
        "Keep the middleware, and remove {loggers} from LOGGING.",
        "미들웨어만 남기고 LOGGING에서 {loggers}를 빼세요.",
    ),
    "clock.zone": (
        "Send times in UTC or with an offset, such as 2026-11-22T10:00:00+09:00.",
        "UTC 또는 오프셋이 있는 시각(예: 2026-11-22T10:00:00+09:00)을 보내세요.",
    ),
    "clock.skew": (
        "Synchronise the clocks of both machines: timedatectl set-ntp true",
        "두 서버의 시계를 맞추세요: timedatectl set-ntp true",
    ),
    "clock.future": (
        "Look at them: ingestd search --since {since}\nIf they are lines of Daphne, uWSGI or runserver, which name no "
        "time zone, set line_timezone to TIME_ZONE of the site's settings.py.",
        "확인: ingestd search --since {since}\n시간대가 없는 Daphne, uWSGI, runserver의 로그라면 line_timezone을 "
        "사이트 settings.py의 TIME_ZONE으로 설정하세요.",
    ),
    "zone.differs": (
        "Use the settings of the daemon: --settings FILE. Or leave index_timezone out: the data folder remembers it.",
        "데몬의 설정을 사용하세요: --settings FILE. index_timezone을 빼도 됩니다. 데이터 폴더가 기억합니다.",
    ),
    "zone.changed": (
        "If that was not meant, set index_timezone to {before} in the daemon's ingestd.toml, and restart it.",
        "의도한 것이 아니라면 데몬의 ingestd.toml에서 index_timezone을 {before}(으)로 설정하고 다시 시작하세요.",
    ),
    "clients.single": (
        "Pass the client's address on. nginx: {nginx}\n{servers}",
        "방문자 주소를 전달하세요. nginx: {nginx}\n{servers}",
    ),
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
    "disk.low": (
        "Delete old days (ingestd prune --dry-run), or set retention.max_bytes or retention.keep_free.",
        "오래된 날짜를 지우거나(ingestd prune --dry-run) retention.max_bytes, retention.keep_free를 설정하세요.",
    ),
    "disk.full": (
        "Make room now: when it is full, inputs stop reading. ingestd prune --dry-run",
        "바로 공간을 확보하세요. 가득 차면 수신이 멈춥니다. ingestd prune --dry-run",
    ),
    "rights.unreadable": (
        "Run the command as the user of the daemon: sudo ingestd doctor --data-dir {folder}",
        "데몬의 사용자로 실행하세요: sudo ingestd doctor --data-dir {folder}",
    ),
    "rights.foreign": ("chown -R {owner} {folder}", "chown -R {owner} {folder}"),
    "rights.secrets": ("chmod 600 {files}", "chmod 600 {files}"),
    "sealing.late": (
        "They are slow to query and take several times the space. The log of the daemon says why: look for sealer.",
        "조회가 느리고 공간을 몇 배 더 씁니다. 데몬 로그에서 sealer를 찾아 이유를 확인하세요.",
    ),
    "sealing.failed": (
        "It is tried again after a while, and its events stay. Make room if the disk is full; "
        "restore the day if a file is damaged: ingestd restore --help",
        "잠시 뒤 다시 시도하며 이벤트는 그대로 남습니다. 디스크가 찼으면 공간을 확보하고, "
        "파일이 손상되었으면 그 날짜를 복원하세요: ingestd restore --help",
    ),
    "deadletters.some": (
        "See why: ingestd deadletters list; after the cause is fixed: ingestd deadletters replay",
        "이유 확인: ingestd deadletters list, 해결한 뒤: ingestd deadletters replay",
    ),
    "backup.later": (
        'ingestd repository add --help; or set backup.repository = "none"',
        'ingestd repository add --help, 또는 backup.repository = "none"',
    ),
    "backup.none": (
        'ingestd repository add --help; if you want no backups: backup.repository = "none"',
        'ingestd repository add --help, 백업이 필요 없으면 backup.repository = "none"',
    ),
    "backup.missing": ("ingestd backup --missing", "ingestd backup --missing"),
    "retention.none": (
        "Set retention.max_age or retention.max_bytes.",
        "retention.max_age나 retention.max_bytes를 설정하세요.",
    ),
    "retention.failed": ("ingestd prune --dry-run", "ingestd prune --dry-run"),
    "retention.overdue": ("ingestd prune --dry-run", "ingestd prune --dry-run"),
    "geoip.none": ("{command}", "{command}"),
    "geoip.old": ("ingestd geoip install --refresh", "ingestd geoip install --refresh"),
    "geoip.package": ("{command}", "{command}"),
    "server.unsupported": ("Upgrade the server.", "서버를 업그레이드하세요."),
    "server.red": (
        "GET _cluster/allocation/explain says why.",
        "GET _cluster/allocation/explain으로 이유를 확인하세요.",
    ),
    "server.disk": (
        "Make room, or delete old indices: ingestd prune --dry-run",
        "공간을 확보하거나 오래된 인덱스를 지우세요: ingestd prune --dry-run",
    ),
    "template.missing": (
        "The daemon installs it when it starts, unless manage_template is false; it applies to new indices.",
        "manage_template이 false가 아니면 데몬이 시작할 때 설치하며, 새 인덱스부터 적용됩니다.",
    ),
    "fields.ignored": (
        "Find the events with so many keys and put those into one text field; the next day's index starts empty.",
        "키가 지나치게 많은 이벤트를 찾아 그 키들을 텍스트 필드 하나에 담으세요. 다음 날 인덱스는 새로 시작합니다.",
    ),
    "fields.rejected": (
        "Find the events with so many keys (ingestd deadletters list), or raise index.mapping.total_fields.limit of "
        "the index; then: ingestd deadletters replay",
        "키가 지나치게 많은 이벤트를 찾거나(ingestd deadletters list) 인덱스의 index.mapping.total_fields.limit를 "
        "올린 뒤 ingestd deadletters replay를 실행하세요.",
    ),
    "template.older": (
        "Restart the daemon: it replaces the template; the new one applies to new indices.",
        "데몬을 다시 시작하면 템플릿이 바뀌고, 새 인덱스부터 적용됩니다.",
    ),
}


_VALUES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("direction", "ahead"): ("ahead", "빠름"),
    ("direction", "ahead of"): ("ahead of", "빠름"),
    ("direction", "behind"): ("behind", "늦음"),
    ("host", ""): ("records without a host", "호스트가 없는 레코드"),
}
"""How values that are no names or numbers are written."""


class _Value(str):
    """A value; with a noun as its format it is a number: ``1 event``, ``2,000 events``."""

    def __format__(self, noun: str) -> str:
        if not noun:
            return str(self)
        ending = "" if self == "1" else "es" if noun.endswith("s") else "s"
        return f"{self} {noun}{ending}"


def sentence(code: str, values: Mapping[str, str], language: str = "en") -> str:
    """Return the sentence of a code. Raises KeyError for an unknown code, or a value that is missing."""
    at = LANGUAGES.index(language)
    written = {
        name: _Value(_VALUES[name, value][at] if (name, value) in _VALUES else value) for name, value in values.items()
    }
    return SENTENCES[code][at].format_map(written)


def fix_text(code: str, values: Mapping[str, str], language: str = "en") -> str:
    """Return what to do about a code; empty: nothing. Raises KeyError for a value that is missing."""
    texts = FIXES.get(code)
    return texts[LANGUAGES.index(language)].format_map(values) if texts else ""
