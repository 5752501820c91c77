"""The explorer's tools: keys, downloads, completion, views, panels, in both languages, on a desktop and a phone."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.e2e.dashboard.browser import Dashboard
from tests.e2e.dashboard.conftest import Open, Site
from tests.e2e.dashboard.history import FAILED_MS, HOSTS, SLOW_MS, ZONE

pytestmark = pytest.mark.sampled(usual=2)  # one of the two screens, another each time

SCREENS: list[dict[str, Any]] = [
    {"locale": "en-US", "viewport": {"width": 1440, "height": 1000}},
    {"locale": "ko-KR", "viewport": {"width": 390, "height": 844}},
]


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


@pytest.fixture(params=SCREENS, ids=["desktop-en", "phone-ko"])
def screen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of a browser context: a screen and a language."""
    options: dict[str, Any] = request.param
    return options


class TestShortcuts:
    def test_j_and_k_move_and_enter_unfolds(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d", **screen)
        keyboard, focused = page.page.keyboard, page.page.locator("tr.row:has(.open:focus)")
        ids = page.rows.evaluate_all("rows => rows.map(row => row.dataset.id)")
        for key, expected in [("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)]:
            keyboard.press(key)
            expect(focused).to_have_attribute("data-id", ids[expected])
        keyboard.press("Enter")
        expect(page.page.locator("tr.detail")).to_have_count(1)
        keyboard.press("j")
        expect(focused).to_have_attribute("data-id", ids[1])
        keyboard.press("k")
        keyboard.press("Escape")
        expect(page.page.locator("tr.detail")).to_have_count(0)
        expect(focused).to_have_attribute("data-id", ids[0])

    def test_keys_of_a_korean_keyboard(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", locale="ko-KR")
        event = "new KeyboardEvent('keydown', { key: 'ㅓ', code: 'KeyJ', bubbles: true })"
        page.page.evaluate(f"document.body.dispatchEvent({event})")
        expect(page.page.locator("tr.row .open:focus")).to_have_count(1)

    def test_the_list_of_keys(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "", **screen)
        keyboard, box = page.page.keyboard, page.page.get_by_role("combobox")
        keyboard.press("/")
        expect(box).to_be_focused()
        keyboard.press("?")
        expect(box).to_have_value("?")  # in a box a key is text
        box.fill("")
        keyboard.press("Escape")
        keyboard.press("Escape")
        expect(box).not_to_be_focused()
        keyboard.press("?")
        dialog = page.page.get_by_role("dialog")
        expect(dialog.locator("kbd")).to_have_text(["/", "j", "k", "Enter", "Esc", "?"])
        page.shot("keys")
        dialog.get_by_role("switch").uncheck()
        keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        keyboard.press("/")
        expect(box).not_to_be_focused()


class TestDownload:
    def test_what_is_shown(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d&q=level:ERROR&cols=status_code", **screen)
        korean = screen["locale"] == "ko-KR"
        button = page.page.get_by_role("button", name="다운로드" if korean else "Download", exact=True)
        failures = [sent for sent in reversed(site.history.sent) if sent.level == "ERROR"]

        def download(form: str, *, whole: bool = False) -> bytes:
            button.click()
            choices = page.page.get_by_role("dialog")
            if whole:
                choices.get_by_role("switch").uncheck()
            page.shot(f"menu-{form}")
            with page.page.expect_download() as waiting:
                choices.locator(f"[data-format={form}]").click()
            assert waiting.value.suggested_filename.endswith(f".{form}")
            return Path(waiting.value.path()).read_bytes()

        excel = download("csv").decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(excel, newline="")))
        assert rows[0] == ["'@timestamp", "level", "status_code", "message"]
        assert [row[1:] for row in rows[1:]] == [["ERROR", "500", sent.message] for sent in failures]
        events = [json.loads(line) for line in download("ndjson", whole=True).splitlines()]
        assert [event["stack_trace"] for event in events] == [sent.more["stack_trace"] for sent in failures]
        assert download("parquet", whole=True).startswith(b"PAR1")


CONTEXTS = [  # id, text, the cursor at |; what is completed
    ("field", "sta|", ["sta", 0, ""]),
    ("negated", "-sta|", ["sta", 1, ""]),
    ("after_operator", "a AND sta|", ["sta", 6, "AND"]),
    ("operator", "level:ERROR |", ["", 12, "level:ERROR"]),
    ("bracket", "(le|", ["le", 1, ""]),
    ("value", "level:ER|", ["level", "ER", 6]),
    ("value_after_or", "a OR search_word:서|", ["search_word", "서", 17]),
    ("quoted", 'search_word:"서울 맛|', ["search_word", '"서울 맛', 12]),
    ("compared", "status_code:>=4|", ["status_code", "4", 14]),
    ("escaped_field", r"my\ field:x|", ["my field", "x", 10]),
    ("nested_field", "geoip.country_code2:|", ["geoip.country_code2", "", 20]),
    ("range", "status_code:[400 TO 4|", None),
    ("phrase", '"not fou|', None),
    ("within_a_word", "le|vel", None),
]


class TestCompletion:
    def test_what_stands_before_the_cursor(self, site: Site, visit: Open) -> None:
        found = visit(site.url).page.evaluate(
            """async (cases) => {
                const { contextAt } = await import("./static/completion.js");
                return Object.fromEntries(Object.entries(cases).map(([name, text]) => {
                    const found = contextAt(text.replace("|", ""), text.indexOf("|"));
                    const values = found && ("field" in found
                        ? [found.field, found.value, found.start] : [found.word, found.start, found.after]);
                    return [name, values];
                }));
            }""",
            {name: text for name, text, _ in CONTEXTS},
        )
        assert found == {name: expected for name, _, expected in CONTEXTS}

    def test_field_value_operator(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d", **screen)
        box, options = page.page.get_by_role("combobox"), page.page.get_by_role("option")
        box.press_sequentially("WOR")
        expect(options.locator(".option-text").first).to_have_text("search_word")
        page.shot("fields")
        box.press("ArrowDown")
        expect(box).to_have_attribute("aria-activedescendant", "option-0")
        box.press("Enter")
        expect(box).to_have_value("search_word:")
        expect(options.locator(".option-text")).to_contain_text(["서울 맛집", "부산 여행"])
        box.press_sequentially("제")
        expect(options.locator(".option-text")).to_have_text(["제주 렌터카"])
        expect(options.locator(".option-kind")).to_have_text(["5"])
        box.press("ArrowDown")
        box.press("Enter")
        expect(box).to_have_value('search_word:"제주 렌터카" ')
        expect(options.locator(".option-text")).to_have_text(["AND", "OR", "NOT"])
        options.nth(1).click()
        expect(box).to_have_value('search_word:"제주 렌터카" OR ')
        box.press_sequentially("level:err")
        expect(options.locator(".option-text")).to_have_text(["ERROR"])
        page.shot("values")
        options.first.click()
        expect(box).to_have_value('search_word:"제주 렌터카" OR level:ERROR ')
        box.press("Enter")
        page.settled()
        expected = [sent for sent in site.history.sent if sent.word == "제주 렌터카" or sent.level == "ERROR"]
        assert page.total == len(expected)
        expect(options).to_have_count(0)

    def test_an_unfinished_syllable_is_left_alone(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", locale="ko-KR")
        box, options = page.page.get_by_role("combobox"), page.page.get_by_role("option")
        keyboard = page.page.context.new_cdp_session(page.page)

        def compose(text: str) -> None:
            keyboard.send("Input.imeSetComposition", {"text": text, "selectionStart": 1, "selectionEnd": 1})

        box.press_sequentially("search_word:")
        expect(options.first).to_contain_text("서울 맛집")
        for text in ("ㅂ", "부"):
            compose(text)
            expect(box).to_have_value(f"search_word:{text}")
        expect(options.locator(".option-text")).to_have_text(["부산 여행"])
        key = "new KeyboardEvent('keydown', { key: 'ArrowDown', isComposing: true, bubbles: true })"
        box.evaluate(f"box => box.dispatchEvent({key})")
        expect(box).not_to_have_attribute("aria-activedescendant", "option-0")
        options.first.click()
        expect(box).to_have_value('search_word:"부산 여행" ')
        expect(box).to_be_focused()


class TestPanels:
    def test_of_any_field(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d", **screen)
        korean = screen["locale"] == "ko-KR"
        failures = sum(sent.level == "ERROR" for sent in site.history.sent)

        def add(kind: str, **values: str) -> Dashboard:
            page.page.get_by_role("button", name="패널 추가" if korean else "Add panel").click()
            form = page.page.locator(".panel-form")
            form.locator("[name=kind]").select_option(kind)
            if "metric" in values:
                form.locator("[name=metric]").select_option(values.pop("metric"))
            for name, value in values.items():
                form.locator(f"[name={name}]").fill(value)
            page.shot(f"form-{kind}")
            form.get_by_role("button").click()
            return page.settled()

        add("number", metric="max", field="status_code")
        expect(page.page.locator(".number-value")).to_have_text("500")
        add("percentiles", field="status_code", by="level")
        rows = page.page.locator(".panel-table tbody tr")
        expect(rows.locator("th", has_text="ERROR").locator("xpath=..")).to_contain_text(f"{failures}500500500")
        add("histogram", field="search_word")
        legend = page.page.locator(".panel.histogram .legend-item")
        expect(legend.filter(has_text="jeju")).to_have_count(1)
        add("top", field="status_code")
        page.shot("panels", full=True)
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = page.page.locator(".panels > section").count()
        page.page.reload()
        page.settled()
        expect(page.page.locator(".panels > section")).to_have_count(found)
        expect(page.page.locator(".number-value")).to_have_text("500")
        close = page.page.locator(".panel.number").get_by_role("button")
        close.click()
        page.settled()
        expect(page.page.locator(".panels > section")).to_have_count(found - 1)
        legend.filter(has_text="jeju").click()
        assert page.settled().total == sum(sent.word == "jeju" for sent in site.history.sent)

    def test_of_paths(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        """How long requests take; how many there are, how often, and the share of those that fail."""
        page = visit(site.url, "range=30d", **screen)
        searches = sum(bool(sent.word) for sent in site.history.sent)
        failures = sum(sent.level == "ERROR" for sent in site.history.sent)
        for number in (0, 1):
            page.page.locator(".histogram .table-tools [aria-haspopup]").click()
            page.page.locator(".choices > .choice").nth(number).click()
            page.settled()
        durations, errors = (page.page.locator(".panel-table").nth(number).locator("tbody tr") for number in (0, 1))
        expect(durations.locator("th")).to_contain_text(["/search", "/checkout"])
        expect(durations.nth(0).locator("td")).to_have_text([str(searches), "40", "250", str(SLOW_MS)])
        expect(durations.nth(1).locator("td")).to_have_text([str(failures), *[f"{FAILED_MS:,}"] * 3])
        for number, count, wrong, share in [(0, searches, 0, "0%"), (1, failures, failures, "100%")]:
            cells = errors.nth(number).locator("td")
            expect(cells).to_have_text([str(count), re.compile(r"^0\.\d+$"), str(wrong), share])
            assert float(cells.nth(1).inner_text()) == pytest.approx(count / (30 * 24 * 60), rel=0.1)
        page.shot("paths")
        errors.nth(1).get_by_role("button").click()
        page.settled()
        expect(errors).to_have_count(1)
        expect(durations).to_have_count(1)
        assert page.total == failures

    def test_an_address_that_was_cut(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "charts=~number,~nonsense~a,~histogram~%2525")
        expect(page.page.locator(".panels > section")).to_have_count(5)


class TestCompare:
    def test_the_period_before(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=7d", **screen)
        korean = screen["locale"] == "ko-KR"
        page.page.get_by_role("button", name="비교" if korean else "Compare").click()
        line = page.page.locator(".histogram .per")
        expect(line).to_contain_text("직전 기간" if korean else "in the period before")
        page.settled()
        expect(page.page.locator("path.before")).to_have_count(1)
        page.shot("compare")
        stage = page.page.locator(".stage")
        stage.focus()
        seen = 0
        for _ in range(int(stage.get_attribute("aria-valuemax") or 0) + 1):
            stage.press("ArrowRight")
            last = (stage.get_attribute("aria-valuetext") or "").rpartition(";")[2]
            seen += int("".join(filter(str.isdigit, last)))
        shown = line.inner_text().partition("·")[0]
        assert seen == int("".join(filter(str.isdigit, shown)))
        sent = site.history.between(site.history.now - dt.timedelta(days=14), site.history.now - dt.timedelta(days=7))
        assert abs(seen - len(sent)) <= 1  # an event at the edge
        assert "compare=1" in page.state


class TestZones:
    def test_of_what_is_shown_and_typed(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        since, until = (time.astimezone(dt.UTC) for time in site.history.incident)
        page = visit(site.url, "range=7d", **screen)
        korean = screen["locale"] == "ko-KR"
        button = page.page.get_by_role("button", name="기간:" if korean else "Time range:")
        button.click()
        page.page.locator("[data-zone=utc]").click()
        expect(button).to_contain_text("UTC")
        page.settled()
        button.click()
        page.page.locator("[name=from]").fill(f"{since:%Y-%m-%d %H:%M}")
        page.page.locator("[name=to]").fill(f"{until:%H:%M}")
        page.page.locator("[name=to]").press("Enter")
        page.settled()
        expected = site.history.between(*site.history.incident)
        times = [sent.time.astimezone(dt.UTC).strftime("%H:%M:%S.000") for sent in reversed(expected)]
        expect(page.rows.locator("time")).to_have_text(times)
        page.shot("utc")
        page.page.goto(f"{site.url}/#range=7d")  # the choice is remembered
        page.page.reload()
        page.settled()
        expect(button).to_contain_text("UTC")

    def test_that_of_the_site(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=7d")
        chosen = page.page.evaluate("fetch('api/status').then(answer => answer.json())")["site_zone"]
        assert ZoneInfo(chosen)
        page.page.route(
            re.compile("/api/status"), lambda route: route.fulfill(json={"health": {}, "site_zone": "America/New_York"})
        )
        page.page.goto("about:blank")
        page.open("range=7d&zone=site")
        expect(page.page.locator(".range-name")).to_have_text("Last 7 days · America/New_York")
        newest = site.history.sent[-1].time.astimezone(ZoneInfo("America/New_York"))
        expect(page.rows.locator("time").first).to_have_text(newest.strftime("%H:%M:%S.%f")[:-3])
        page.page.unroute_all(behavior="ignoreErrors")


class TestViews:
    def test_saved_shared_deleted(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        state = "range=7d&level=ERROR&cols=status_code&charts=%7Enumber%7Emax%7Estatus_code"
        page = visit(site.url, state, **screen)
        korean = screen["locale"] == "ko-KR"
        name = f"장애 <b>{screen['locale']}</b>"
        menu = page.page.locator("[data-views]")
        menu.click()
        form = page.page.locator(".view-form")
        form.locator("[name=name]").fill(name)
        page.shot("save")
        form.get_by_role("button").click()
        view = page.page.locator(f'[data-view="{name}"]')
        expect(view).to_have_attribute("aria-current", "true")
        saved = page.state
        other = visit(site.url, "", **screen)  # the views are those of everyone
        shared = other.page.locator(f'[data-view="{name}"]')
        expect(shared).not_to_have_attribute("aria-current", "true")
        assert (shared.get_attribute("href") or "").removeprefix("#") == saved
        shared.click()
        other.settled()
        assert other.state == saved
        expect(other.page.locator(".number-value")).to_have_text("500")
        assert set(other.levels) == {"ERROR"}
        menu.click()
        page.page.get_by_role("button", name=f"{'보기 삭제' if korean else 'Delete the view'}: {name}").click()
        expect(view).to_have_count(0)
        page.page.reload()
        expect(page.settled().page.locator("[data-quick]")).to_have_count(4)
        expect(view).to_have_count(0)

    def test_what_cannot_be_saved_is_said(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "q=" + "a" * 8000, wait=False)
        page.page.locator("[data-views]").click()
        form = page.page.locator(".view-form")
        form.locator("[name=name]").fill("long")
        form.get_by_role("button").click()
        expect(form.get_by_role("alert")).to_contain_text("at most 8,000 are allowed")


HOSTS_OF_EVENTS = [
    ({"host": "web-1"}, ["host", "web-1"]),
    ({"host": {"name": "web-2", "ip": ["10.0.0.1"]}}, ["host.name", "web-2"]),
    ({"host.name": "web-3"}, ["host.name", "web-3"]),
    ({"host": {"ip": "10.0.0.1"}, "hostname": "x"}, ["host.ip", "10.0.0.1"]),
    ({"host": {}, "message": "x"}, None),
]
RANGES = [  # events at second: how many, of 10 seconds each; the seconds around second 0 that are shown
    ("few", {0: 1}, [-3600, 3600]),
    ("many", {-20: 20, -10: 20, 0: 5, 10: 40, 20: 9}, [-20, 20]),
    ("at_once", {0: 100}, [0, 10]),
]


class TestContext:
    def test_hosts_and_ranges(self, site: Site, visit: Open) -> None:
        hosts, ranges = visit(site.url).page.evaluate(
            """async ([events, cases]) => {
                const { hostOf, rangeAround } = await import("./static/context.js");
                const base = Date.parse("2026-11-22T10:00:00Z");
                const buckets = (counts) => Object.entries(counts)
                    .map(([second, events]) => ({ time: base + 1000 * second, counts: { INFO: events } }))
                    .sort((a, b) => a.time - b.time)
                    .map(({ time, counts }) => ({ time: new Date(time).toISOString(), counts }));
                return [
                    events.map(hostOf).map((found) => found && [found.field, found.value]),
                    cases.map((counts) => rangeAround(buckets(counts), base).map((time) => (time - base) / 1000)),
                ];
            }""",
            [[event for event, _ in HOSTS_OF_EVENTS], [counts for _, counts, _ in RANGES]],
        )
        assert hosts == [host for _, host in HOSTS_OF_EVENTS]
        assert ranges == [expected for _, _, expected in RANGES]

    def test_of_an_event_whatever_is_searched_for(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        since, until = (quote(time.astimezone(dt.UTC).isoformat()) for time in site.history.incident)
        page = visit(site.url, f"from={since}&to={until}&level=ERROR&q=checkout", **screen)
        row = page.rows.nth(1)
        failure = row.get_attribute("data-id")
        row.locator(".open").click()
        page.page.locator(".record-bar .button.small").first.click()
        centre = page.page.locator("tr.row.centre")
        expect(centre).to_have_attribute("data-id", failure or "")
        expect(centre).to_be_in_viewport()
        page.settled()
        # All that its host has of that hour, on both sides: whatever it is, and nothing of another host.
        minutes = dt.timedelta(minutes=70)
        near = site.history.between(site.history.incident[0] - minutes, site.history.incident[1] + minutes)
        of_host = [sent for sent in reversed(near) if sent.host == HOSTS[0]]
        assert {"INFO", "ERROR"} == {sent.level for sent in of_host}
        assert page.total == len(of_host) < len(near)
        expect(page.rows.locator("time")).to_have_text(
            [f"{sent.time.astimezone(ZONE):%H:%M:%S}.000" for sent in of_host]
        )
        expect(page.page.locator(".chip")).to_have_count(1)
        expect(page.page.locator(".chip-text")).to_contain_text(f"host: {HOSTS[0]}")
        expect(page.page.get_by_role("combobox")).to_have_value("")
        page.shot("context")
        page.page.reload()
        page.settled()
        expect(centre).to_have_attribute("data-id", failure or "")
        page.page.go_back()
        page.settled()
        expect(page.rows).to_have_count(3)
        expect(centre).to_have_count(0)


class TestColumns:
    def test_sorted_within_what_is_shown(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d&cols=status_code", **screen)
        korean = screen["locale"] == "ko-KR"

        def order(sort: str) -> None:
            page.page.locator("[data-sorting]").click()
            page.page.locator(f"[data-sort='{sort}']").click()

        codes = page.page.locator("td.cell-value")
        for sort, ends in [("status_code", ["200", ""]), ("-status_code", ["500", ""])]:
            order(sort)
            expect(codes.first).to_have_text(ends[0])
            shown = codes.all_inner_texts()
            filled = [int(code) for code in shown if code]
            assert filled == sorted(filled, reverse=sort.startswith("-"))
            assert shown == [*map(str, filled), *[""] * (len(shown) - len(filled))]
        note = "표시된 100건 안에서" if korean else "within the 100 events shown"
        expect(page.page.locator(".sort")).to_contain_text(note)
        expect(page.page.locator("tr.day")).to_have_count(0)
        page.shot("sorted")
        order("")
        expect(page.page.locator("tr.day").first).to_be_visible()
        expect(page.page.locator("td.cell-message").first).to_be_visible()  # the message stays

    def test_moved_sized_and_sorted_by_their_heads(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d&cols=status_code,search_word")
        names = page.page.locator("th .sort-by")
        page.page.get_by_role("button", name="Move search_word to the left").click()
        expect(names).to_have_text(["search_word", "status_code"])
        head = page.page.get_by_role("columnheader").filter(has_text="status_code")
        head.get_by_role("button", name="status_code", exact=True).click()
        expect(head).to_have_attribute("aria-sort", "ascending")
        edge = page.page.get_by_role("separator", name="Width of the column status_code")
        edge.focus()
        before = head.bounding_box()
        for _ in range(5):
            edge.press("ArrowRight")
        assert "w=status_code" in page.state
        after = head.bounding_box()
        assert before is not None
        assert after is not None
        assert after["width"] == pytest.approx(before["width"] + 100, abs=5)
        expect(edge).to_be_focused()
        page.page.mouse.move(after["x"] + after["width"] - 6, after["y"] + 8)
        page.page.mouse.down()
        page.page.mouse.move(after["x"] + after["width"] + 44, after["y"] + 8, steps=4)
        page.page.mouse.up()
        expect(edge).to_have_attribute("aria-valuenow", re.compile(str(round(after["width"] + 50))[:2]))
        page.shot("sized")
        state = page.state
        page.page.reload()
        assert page.settled().state == state
        expect(names).to_have_text(["search_word", "status_code ↑"])
