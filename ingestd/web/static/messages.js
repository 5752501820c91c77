/** Every text of the page, in both languages. */

const en = {
  "nav.main": "Main", "nav.logs": "Logs", "nav.visitors": "Visitors", "nav.status": "Status",
  "header.theme": "Dark or light", "header.language": "한국어", "header.signout": "Sign out", "header.skip": "Skip to the content",
  "header.healthy": "Healthy", "header.unhealthy": "Needs attention", "header.away": "Not reachable",

  "range.15m": "Last 15 minutes", "range.1h": "Last hour", "range.4h": "Last 4 hours", "range.24h": "Last 24 hours",
  "range.7d": "Last 7 days", "range.30d": "Last 30 days", "range.today": "Today", "range.yesterday": "Yesterday",
  "time.choose": "Time range", "time.absolute": "From – to", "time.from": "From", "time.to": "To", "time.apply": "Show",
  "time.now": "now", "time.help": "14:00 · 11-22 14:00 · 2026-11-22 · -2h · now", "time.zone": "Times are in {zone}",
  "time.error.from": "“From” is not a time.", "time.error.to": "“To” is not a time.", "time.error.order": "“To” is not after “From”.",
  "time.wider": "Zoom out", "time.earlier": "Earlier", "time.later": "Later",

  "search.label": "Search the logs", "search.placeholder": "Search: a word, or level:ERROR AND search_word:\"seoul\"",
  "search.run": "Search", "search.clear": "Clear the search", "search.recent": "Recent searches", "search.forget": "Forget them",
  "search.syntax": "field:value · \"two words\" · AND OR NOT · status_code:[500 TO 599] · path:/api/*",
  "refresh.now": "Refresh", "refresh.auto": "Auto refresh", "refresh.off": "Off", "refresh.every": "Every {text}",
  "live.start": "Live", "live.stop": "Stop", "live.pause": "Pause", "live.resume": "Resume", "live.on": "Live tail", "live.waiting": "Waiting for new events…",
  "live.held": { one: "{n} new event held back", other: "{n} new events held back" }, "live.lost": "Connection lost, trying again…",

  "level.label": "Least level", "level.all": "All levels", "level.OTHER": "Other", "level.up": "{level} +",
  "quick.label": "Quick views", "quick.words": "Top searches, 30 days", "quick.problems": "Warnings with stack traces",
  "quick.server": "Server errors (5xx)", "quick.visitors": "Where visitors come from",
  "filters.label": "Filters", "filters.clear": "Clear all", "filters.remove": "Remove the filter {text}", "filters.flip": "Turn the filter {text} around", "filters.not": "not",

  "chart.title": "Events over time", "chart.events": { one: "{n} event", other: "{n} events" }, "chart.per": "{text} per bar",
  "chart.keys": "Arrow keys move along the bars, Shift with them marks a range, Enter zooms in.",
  "chart.none": "No events here", "chart.bar": "{time}: {text}", "chart.hint": "Drag across the bars to zoom in", "chart.only": "Show only {level}",

  "top.words": "Top search words", "top.paths": "Top paths", "top.status": "Status codes", "top.levels": "Levels",
  "top.field": "Top {field}", "top.none": "No values in this range", "top.in": "Show only {field}: {value}", "top.out": "Leave out {field}: {value}",
  "top.more": "More", "top.less": "Fewer", "top.close": "Close", "top.loading": "Loading",

  "fields.title": "Fields", "fields.find": "Find a field", "fields.sample": { one: "of the newest event", other: "of the newest {n} events" },
  "fields.add": "Add {field} as a column", "fields.drop": "Remove the column {field}", "fields.chart": "Chart all values", "fields.unchart": "Remove the chart",
  "fields.in": "In {share} of these events", "fields.none": "No field has this name",

  "table.title": "Events", "table.time": "Time", "table.level": "Level", "table.message": "Message", "table.more": "Load older events",
  "table.end": "These are all.", "table.traces": "Stack traces", "table.open": "Show all fields", "table.newest": "newest first",
  "table.drop": "Remove the column {field}", "table.took": "{ms} ms",
  "record.stack": "Stack trace", "record.fields": "Fields", "record.json": "JSON", "record.copy": "Copy", "record.copied": "Copied",
  "record.around": "5 minutes around it", "record.index": "Index", "record.in": "Show only this value", "record.out": "Leave this value out", "record.column": "As a column",

  "none.title": "No events match", "none.text": "Nothing in {range} matches this question.", "none.newest": "The newest event is of {time}.",
  "none.wider": "Last 30 days", "none.clear": "Clear search and filters", "none.jump": "Go there",
  "error.title": "This did not work", "error.retry": "Try again", "error.away": "ingestd does not answer. Is it running?", "error.403": "Not allowed.",
  "error.504": "The question took too long. A shorter time range helps.", "error.other": "The server answered with an error.",
  "loading": "Loading…",

  "setup.title": "Waiting for the first event", "setup.text": "The store is empty. Two steps, and your Django site's logs are here.",
  "setup.step1": "Install the handler", "setup.step2": "Put this into settings.py and start the site", "setup.or": "Or send one line to try it",
  "setup.listening": "Listening on {address}", "setup.watch": "This page goes on by itself as soon as something arrives.", "setup.nowhere": "No input listens for TCP: see the status page.",
  "setup.copy": "Copy", "setup.copied": "Copied",

  "map.title": "Visitors by country", "map.words": "Top search words: {country}", "map.choose": "Choose a country on the map or in the list to see what is searched for there.",
  "map.none": "No event in this range has a country.", "map.logs": "Show the logs", "map.all": "All countries", "map.share": "{n} events, {share}", "map.list": "Countries",
  "map.howto": "How to see countries here", "map.howto1": "Put a country database in place (DB-IP Lite, GeoLite2 or the CC0 data of @ip-location-db):",
  "map.howto2": "New events then get their country from the visitor's address.", "map.less": "few", "map.much": "many", "country.XK": "Kosovo",

  "status.title": "Status", "status.received": "Received", "status.delivered": "Delivered", "status.persecond": "{n} /s", "status.queue": "In the queue",
  "status.dead": "Dead letters", "status.audit": "Audit", "status.balanced": "Balanced", "status.unbalanced": "Does not add up",
  "status.audit.text": "received = delivered + duplicates + dead letters + dropped + queued",
  "status.duplicates": "Duplicates", "status.dropped": "Dropped", "status.queued": "Queued",
  "status.inputs": "Inputs", "status.outputs": "Outputs", "status.name": "Name", "status.kind": "Kind", "status.address": "Address", "status.events": "Events",
  "status.bytes": "Bytes", "status.connections": "Connections", "status.pipeline": "Pipeline", "status.reason": "Reason", "status.stage": "Stage", "status.count": "Count",
  "status.nodead": "None: every event could be read and stored.", "status.indices": "Indices", "status.index": "Index", "status.day": "Day", "status.size": "Size",
  "status.age": "Age", "status.backup": "Backup", "status.delete": "Will be deleted", "status.never": "–", "status.noindices": "No index yet.",
  "status.workers": "Workers", "status.workers.text": "{running} of {wanted} running", "status.version": "Version", "status.uptime": "Up for", "status.store": "Store",
  "status.store.local": "Built in", "status.geoip": "Countries", "status.geoip.none": "No database. To see countries:", "status.geoip.date": "Database of {date}",
  "status.total": { one: "{n} index", other: "{n} indices" }, "status.health": "Health", "status.ready": "All is well", "status.notready": "Needs attention",
  "unit.d": "d", "unit.h": "h", "unit.min": "min", "unit.s": "s",
};

const ko = {
  "nav.main": "주 메뉴", "nav.logs": "로그", "nav.visitors": "방문자", "nav.status": "상태",
  "header.theme": "어둡게 또는 밝게", "header.language": "English", "header.signout": "로그아웃", "header.skip": "본문으로 건너뛰기",
  "header.healthy": "정상", "header.unhealthy": "확인 필요", "header.away": "응답 없음",

  "range.15m": "최근 15분", "range.1h": "최근 1시간", "range.4h": "최근 4시간", "range.24h": "최근 24시간",
  "range.7d": "최근 7일", "range.30d": "최근 30일", "range.today": "오늘", "range.yesterday": "어제",
  "time.choose": "기간", "time.absolute": "직접 입력", "time.from": "시작", "time.to": "끝", "time.apply": "보기",
  "time.now": "지금", "time.help": "14:00 · 11-22 14:00 · 2026-11-22 · -2h · 지금", "time.zone": "시간대: {zone}",
  "time.error.from": "시작 시각을 알 수 없습니다.", "time.error.to": "끝 시각을 알 수 없습니다.", "time.error.order": "끝이 시작보다 뒤여야 합니다.",
  "time.wider": "넓게 보기", "time.earlier": "이전", "time.later": "다음",

  "search.label": "로그 검색", "search.placeholder": "검색어 또는 level:ERROR AND search_word:\"서울 맛집\"",
  "search.run": "검색", "search.clear": "검색어 지우기", "search.recent": "최근 검색", "search.forget": "모두 지우기",
  "search.syntax": "필드:값 · \"두 단어\" · AND OR NOT · status_code:[500 TO 599] · path:/api/*",
  "refresh.now": "새로 고침", "refresh.auto": "자동 새로 고침", "refresh.off": "끔", "refresh.every": "{text}마다",
  "live.start": "실시간", "live.stop": "중지", "live.pause": "일시 정지", "live.resume": "계속", "live.on": "실시간 보기", "live.waiting": "새 이벤트를 기다리는 중…",
  "live.held": "새 이벤트 {n}건 대기 중", "live.lost": "연결이 끊겨 다시 연결하는 중…",

  "level.label": "최소 레벨", "level.all": "모든 레벨", "level.OTHER": "기타", "level.up": "{level} 이상",
  "quick.label": "바로 보기", "quick.words": "30일 인기 검색어", "quick.problems": "경고와 스택 추적",
  "quick.server": "서버 오류 (5xx)", "quick.visitors": "방문자 국가",
  "filters.label": "필터", "filters.clear": "모두 지우기", "filters.remove": "필터 {text} 제거", "filters.flip": "필터 {text} 뒤집기", "filters.not": "제외",

  "chart.title": "시간별 이벤트", "chart.events": "이벤트 {n}건", "chart.per": "막대당 {text}",
  "chart.keys": "화살표 키로 막대를 옮기고, Shift와 함께 누르면 범위를 선택하고, Enter로 확대합니다.",
  "chart.none": "이벤트가 없습니다", "chart.bar": "{time}: {text}", "chart.hint": "막대를 끌어서 확대", "chart.only": "{level}만 보기",

  "top.words": "인기 검색어", "top.paths": "인기 경로", "top.status": "상태 코드", "top.levels": "레벨",
  "top.field": "{field} 상위", "top.none": "이 기간에는 값이 없습니다", "top.in": "{field}: {value} 만 보기", "top.out": "{field}: {value} 제외",
  "top.more": "더 보기", "top.less": "줄이기", "top.close": "닫기", "top.loading": "불러오는 중",

  "fields.title": "필드", "fields.find": "필드 찾기", "fields.sample": "최신 이벤트 {n}건 기준",
  "fields.add": "{field} 열 추가", "fields.drop": "{field} 열 제거", "fields.chart": "전체 값 차트", "fields.unchart": "차트 제거",
  "fields.in": "이 이벤트의 {share}에 있음", "fields.none": "그런 이름의 필드가 없습니다",

  "table.title": "이벤트", "table.time": "시각", "table.level": "레벨", "table.message": "메시지", "table.more": "이전 이벤트 더 보기",
  "table.end": "모두 표시했습니다.", "table.traces": "스택 추적", "table.open": "모든 필드 보기", "table.newest": "최신순",
  "table.drop": "{field} 열 제거", "table.took": "{ms} ms",
  "record.stack": "스택 추적", "record.fields": "필드", "record.json": "JSON", "record.copy": "복사", "record.copied": "복사됨",
  "record.around": "앞뒤 5분 보기", "record.index": "인덱스", "record.in": "이 값만 보기", "record.out": "이 값 제외", "record.column": "열로 추가",

  "none.title": "일치하는 이벤트가 없습니다", "none.text": "{range}에는 이 질문에 맞는 이벤트가 없습니다.", "none.newest": "가장 최근 이벤트: {time}",
  "none.wider": "최근 30일", "none.clear": "검색과 필터 지우기", "none.jump": "그때로 이동",
  "error.title": "처리하지 못했습니다", "error.retry": "다시 시도", "error.away": "ingestd가 응답하지 않습니다. 실행 중인지 확인하세요.", "error.403": "권한이 없습니다.",
  "error.504": "시간이 너무 오래 걸렸습니다. 기간을 줄여 보세요.", "error.other": "서버가 오류로 응답했습니다.",
  "loading": "불러오는 중…",

  "setup.title": "첫 이벤트를 기다리고 있습니다", "setup.text": "저장소가 비어 있습니다. 두 단계면 Django 사이트의 로그가 여기에 보입니다.",
  "setup.step1": "핸들러 설치", "setup.step2": "settings.py에 붙여 넣고 사이트를 시작하세요", "setup.or": "또는 한 줄을 보내 시험해 보세요",
  "setup.listening": "{address}에서 수신 중", "setup.watch": "무언가 도착하면 이 페이지가 바로 바뀝니다.", "setup.nowhere": "TCP 입력이 없습니다. 상태 페이지를 확인하세요.",
  "setup.copy": "복사", "setup.copied": "복사됨",

  "map.title": "국가별 방문자", "map.words": "인기 검색어: {country}", "map.choose": "지도나 목록에서 국가를 고르면 그곳의 검색어를 볼 수 있습니다.",
  "map.none": "이 기간에는 국가가 있는 이벤트가 없습니다.", "map.logs": "로그 보기", "map.all": "모든 국가", "map.share": "{n}건, {share}", "map.list": "국가",
  "map.howto": "국가를 보려면", "map.howto1": "국가 데이터베이스를 설치하세요 (DB-IP Lite, GeoLite2 또는 @ip-location-db의 CC0 데이터):",
  "map.howto2": "그 뒤의 이벤트부터 방문자 주소로 국가를 알 수 있습니다.", "map.less": "적음", "map.much": "많음", "country.XK": "코소보",

  "status.title": "상태", "status.received": "수신", "status.delivered": "전달", "status.persecond": "초당 {n}", "status.queue": "대기열",
  "status.dead": "처리 못한 이벤트", "status.audit": "대조", "status.balanced": "일치", "status.unbalanced": "불일치",
  "status.audit.text": "수신 = 전달 + 중복 + 처리 못함 + 버림 + 대기",
  "status.duplicates": "중복", "status.dropped": "버림", "status.queued": "대기",
  "status.inputs": "입력", "status.outputs": "출력", "status.name": "이름", "status.kind": "종류", "status.address": "주소", "status.events": "이벤트",
  "status.bytes": "바이트", "status.connections": "연결", "status.pipeline": "파이프라인", "status.reason": "이유", "status.stage": "단계", "status.count": "건수",
  "status.nodead": "없음: 모든 이벤트를 읽고 저장했습니다.", "status.indices": "인덱스", "status.index": "인덱스", "status.day": "날짜", "status.size": "크기",
  "status.age": "경과", "status.backup": "백업", "status.delete": "삭제 예정", "status.never": "–", "status.noindices": "아직 인덱스가 없습니다.",
  "status.workers": "작업 프로세스", "status.workers.text": "{wanted}개 중 {running}개 실행 중", "status.version": "버전", "status.uptime": "가동 시간", "status.store": "저장소",
  "status.store.local": "내장", "status.geoip": "국가", "status.geoip.none": "데이터베이스가 없습니다. 국가를 보려면:", "status.geoip.date": "{date} 데이터베이스",
  "status.total": "인덱스 {n}개", "status.health": "건강 상태", "status.ready": "정상", "status.notready": "확인 필요",
  "unit.d": "일", "unit.h": "시간", "unit.min": "분", "unit.s": "초",
};

export const messages = { en, ko };
