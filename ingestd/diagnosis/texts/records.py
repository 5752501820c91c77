"""The texts of findings about what is stored: records, access lines, times, clients."""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, tuple[str, str]] = {
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
    "clock.old": (
        "records arrive that were sent later, about {hours} h after their time; they say nothing about clocks",
        "시각보다 약 {hours}시간 늦게 보낸 레코드가 들어옵니다. 시계와는 관계없습니다",
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
        "these settings have days in {zone}, but the daemon last ran with {daemon}",
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
}

FIXES: Mapping[str, tuple[str, str]] = {
    "records.quiet": (
        "Are the senders running, and do they have this host and port? A Django site has them in LOGGING: "
        "docs/production.md.",
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
        "Unless they are old records that were sent later, synchronise the clocks of both machines: "
        "timedatectl set-ntp true",
        "나중에 보낸 오래된 레코드가 아니라면 두 서버의 시계를 맞추세요: timedatectl set-ntp true",
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
}
