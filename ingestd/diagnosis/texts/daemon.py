"""The texts of findings about the daemon, its data folder and the server."""

from __future__ import annotations

from collections.abc import Mapping

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
    "disk.good": ("{free} of {total} are free", "{total} 중 {free}가 비어 있습니다"),
    "disk.low": ("only {free} of {total} are free", "{total} 중 {free}만 비어 있습니다"),
    "disk.full": (
        "the disk is almost full: {free} of {total} are free",
        "디스크가 거의 찼습니다: {total} 중 {free}만 비어 있습니다",
    ),
    "rights.good": ("the data folder belongs to {owner}", "데이터 폴더의 소유자는 {owner}입니다"),
    "rights.unreadable": ("{folder} cannot be read by this user", "이 사용자는 {folder}를 읽을 수 없습니다"),
    "rights.foreign": (
        "files in the data folder belong to users other than {owner}: {files}",
        "데이터 폴더에 {owner}가 아닌 사용자의 파일이 있습니다: {files}",
    ),
    "rights.secrets": ("every user may read {files}", "모든 사용자가 {files}를 읽을 수 있습니다"),
    "sealing.good": ("all past days are sealed", "지난 날짜가 모두 봉인(압축)되었습니다"),
    "sealing.late": (
        "past days that are not sealed: {days:day} ({size}): {indices}",
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
        "no location database is installed: the map stays empty",
        "위치 데이터베이스가 없어 지도가 비어 있습니다",
    ),
    "geoip.good": ("the location database is from {date}", "위치 데이터 날짜: {date}"),
    "geoip.old": ("the location database is {days:day} old", "위치 데이터가 나온 지 {days}일 지났습니다"),
    "geoip.package": (
        "a location database is installed, but not the package that reads it",
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
