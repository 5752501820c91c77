"""Documents for the built-in store: what the default pipeline makes of the records of a busy Django site.

The record as the handler sent it, ASCII with escapes, the pipeline's additions spliced in as UTF-8. 20,000
different search words, a few of them most of the time, in some messages as well; more events by day than by night.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from tests.bench.events import make_lines

DAY_S = 86_400
_TOWNS, _WHAT = (
    "서울 부산 대구 인천 광주 대전 울산 세종 수원 강남 홍대 제주 경주 전주 여수 속초 강릉 판교 분당 일산",
    "맛집 카페 여행 날씨 호텔 병원 학원 부동산 전세 원룸 축제 지도 버스 주차 영화 공연 배달 꽃집 서점 시장",
)
_MORE = ["", *(f" {number}번" for number in range(1, 50))]
WORDS = [f"{town} {what}{more}" for more, what, town in itertools.product(_MORE, _WHAT.split(), _TOWNS.split())]
PROBLEMS = 50
_COUNTRIES = ["KR"] * 90 + ["US", "JP", "CN", "VN", "DE", "GB", "FR", "SG", "TW", "TH"]


def documents(count: int, day: datetime, seed: int) -> Iterator[tuple[list[bytes], list[str]]]:
    """Yield batches of at most 2,000 documents of one day, in order of time, with their ids."""
    chance = random.Random(seed)
    shapes = [_shape(json.loads(line), number) for number, line in enumerate(make_lines(5000, seed))]
    moments = sorted(_second(chance) for _ in range(count))
    ranks = [int(len(WORDS) ** chance.random()) - 1 for _ in range(4096)]  # as many of each power of ten: Zipf
    for begin in range(0, count, 2000):
        batch = [
            _document(shapes[chance.randrange(5000)], day, second, WORDS[ranks[chance.randrange(4096)]], chance)
            for second in moments[begin : begin + 2000]
        ]
        yield batch, [f"{seed:04x}-{begin + at:012x}" for at in range(len(batch))]


def _second(chance: random.Random) -> float:
    """Return a second of the day; at 16:00 there is five times as much as at 4:00."""
    while True:
        second = chance.random() * DAY_S
        if chance.random() < 0.6 - 0.4 * math.cos((second / DAY_S - 1 / 6) * 2 * math.pi):
            return second


def _shape(record: dict[str, object], number: int) -> tuple[str, bool]:
    """Return a record as a template, and whether it is a search."""
    message = str(record["message"])
    if message.startswith("Not Found: /favicon-1"):
        message = record["message"] = "결제 실패: ESCAPED"
    search = "?q=" in message
    added: dict[str, object] = {"client_ip": "203.0.113.1CLIENT", "geoip": {"country_code2": "COUNTRY"}}
    if message.startswith('"'):
        method, path = message[1:].split(" ")[:2]
        added |= {"method": method, "request_path": path, "bytes": int(message.rsplit(" ", 1)[1])}
        added["visit"] = True
    elif (request := str(record.get("request", ""))).startswith("<WSGIRequest: "):
        method, path = request.removeprefix("<WSGIRequest: ").split(" ", 1)
        added |= {"method": method, "request_path": path.strip("'>"), "visit": False}
    if "stack_trace" in record:
        problem = number % PROBLEMS
        added |= {"problem": f"{problem:012x}", "problem_title": f"Error in views.detail_{problem}"}
    text = json.dumps(record)[:-1] + ", " + json.dumps(added)[1:]
    if search:
        word = message.split("?q=")[1].partition("&")[0]
        text = text.replace(word, "QUOTED")[:-1] + ', "search_word": "WORD"}'
    return text.replace(str(record["@timestamp"]), "TIMESTAMP"), search


def _document(shape: tuple[str, bool], day: datetime, second: float, word: str, chance: random.Random) -> bytes:
    text, search = shape
    time = (day + timedelta(seconds=second)).isoformat(timespec="milliseconds") + "Z"
    text = text.replace("TIMESTAMP", time).replace("CLIENT", str(chance.randrange(100)))
    text = text.replace("COUNTRY", chance.choice(_COUNTRIES))
    if "ESCAPED" in text:
        text = text.replace("ESCAPED", json.dumps(word)[1:-1])
    if search:
        text = text.replace("QUOTED", quote_plus(word)).replace("WORD", word)
    return text.encode()
