"""What the dashboard's page does beyond the six questions, on the built-in store."""

from __future__ import annotations

import datetime as dt
import re
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, quote

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.daemon import Daemon, free_port
from tests.e2e.dashboard.browser import Dashboard, LateAnswer
from tests.e2e.dashboard.conftest import Open, Site, running
from tests.e2e.dashboard.history import HOSTILE
from tests.processes import sleeping
from tests.waiting import WAIT_SECONDS, wait_until

MOST_BYTES = 200_000
FIRST_PAINT = """new Promise(done => new PerformanceObserver(list => {
    if (list.getEntriesByName("first-contentful-paint").length) done();
}).observe({ type: "paint", buffered: true }))"""
ASK_ELSEWHERE = """() => {
    const address = "https://example.org/";
    fetch(address).catch(() => {});
    import(address).catch(() => {});
    new Image().src = address;
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address });
    const frame = Object.assign(document.createElement("iframe"), { src: address });
    document.head.append(style);
    document.body.append(frame);
}"""
MODULES = re.compile(r"/(?!theme\.)\w+\.js$")
README = Path(__file__).parents[3] / "README.md"


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


def open_first(page: Dashboard, level: str) -> None:
    """Unfold the newest event of a level."""
    page.page.locator(f"tr.row.lv-{level.lower()}").first.get_by_role("button", name="Show all fields").click()


class TestFilters:
    def test_click_filters_in_and_out(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        everything = page.total
        words = dict(page.values("Top search words"))
        page.panel("Top search words").get_by_role("button", name="Show only Top search words: jeju").click()
        assert page.settled().total == words["jeju"]
        assert page.values("Top search words") == [("jeju", words["jeju"])]
        page.page.get_by_role("button", name="Invert the filter search_word: jeju").click()
        assert page.settled().total == everything - words["jeju"]
        page.shot("chips")
        page.page.get_by_role("button", name="Remove the filter search_word: jeju").click()
        assert page.settled().total == everything
        page.panel("Status codes").locator(".top-row", has_text="404").hover()
        page.panel("Status codes").get_by_role("button", name="Exclude Status codes: 404").click()
        assert page.settled().total == everything - sum(sent.level == "WARNING" for sent in site.history.sent)

    def test_paths_are_without_their_queries(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        searches = sum(bool(sent.word) for sent in site.history.sent)
        failures = sum(sent.level == "ERROR" for sent in site.history.sent)
        assert page.values("Top paths") == [("/search", searches), ("/checkout/결제", failures)]
        page.panel("Top paths").get_by_role("button", name="Show only Top paths: /checkout/결제").click()
        assert page.settled().total == failures
        page.page.get_by_role("button", name="Remove the filter request_path: /checkout/결제").click()
        page.settled()
        page.panel("Top paths").get_by_role("button", name="Show only Top paths: /search").click()
        assert page.settled().total == searches

    def test_values_of_an_event_filter(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d&level=ERROR", again=True)
        open_first(page, "ERROR")
        page.page.get_by_role("button", name="Show only tags: checkout").click()
        assert page.settled().total == sum(sent.level == "ERROR" for sent in site.history.sent)
        page.page.get_by_role("button", name="Invert the filter tags: checkout").click()
        assert page.settled().total == 0
        page.page.get_by_role("button", name="Clear search and filters").click()
        assert page.settled().total == len(site.history.sent)

    def test_field_list_adds_columns_and_charts(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        page.page.get_by_role("button", name="Add search_word as a column").click()
        expect(page.page.locator("thead")).to_contain_text("search_word")
        expect(page.page.locator("td.cell-value").filter(has_text="서울 맛집").first).to_be_visible()
        page.page.get_by_role("button", name=re.compile("^status_code")).click()
        page.page.get_by_role("button", name="Chart all values").click()
        page.settled()
        assert ("500", sum(sent.status == 500 for sent in site.history.sent)) in page.values("Top status_code")
        page.shot("columns")
        assert page.state == "range=30d&cols=search_word&charts=status_code"


class TestState:
    def test_a_reload_restores_everything(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=7d").ask("message:search*")
        page.panel("Top search words").get_by_role("button", name="Show only Top search words: 서울 맛집").click()
        page.settled()
        page.page.get_by_role("button", name="INFO +").click()
        before = (page.settled().state, page.total, page.messages)
        page.page.reload()
        page.settled()
        assert (page.state, page.total, page.messages) == before
        expect(page.page.get_by_role("combobox")).to_have_value("message:search*")
        expect(page.page.get_by_role("button", name="INFO +")).to_have_attribute("aria-pressed", "true")
        expect(page.page.get_by_role("button", name="Time range")).to_contain_text("Last 7 days")

    def test_back_and_forward(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        everything = page.total
        page.ask("level:ERROR")
        failures = page.total
        page.page.go_back()
        assert page.settled().total == everything
        expect(page.page.get_by_role("combobox")).to_have_value("")
        page.page.go_forward()
        assert page.settled().total == failures

    def test_recent_searches(self, site: Site, visit: Open) -> None:
        page = visit(site.url).ask("level:ERROR").ask("서울").ask("")
        box = page.page.get_by_role("combobox")
        box.press("ArrowDown")
        assert page.page.get_by_role("option").all_inner_texts() == ["서울", "level:ERROR"]
        box.press("ArrowDown")
        box.press("Enter")
        page.settled()
        assert page.state == "q=level%3AERROR"


class TestQueryBox:
    def test_a_wrong_query_is_marked_at_its_place(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "level=WARNING&f=" + quote('type="django"'), again=True).ask(
            '  level:INFO AND search_word:"서울'
        )
        expect(page.page.get_by_role("alert").filter(has_text="quote")).to_be_visible()
        expect(page.page.locator(".query-mark mark")).to_have_text('"서울')
        expect(page.page.get_by_role("combobox")).to_have_attribute("aria-invalid", "true")
        page.shot("error")
        page.ask("level:WARNING")
        expect(page.page.locator(".query-error")).to_be_hidden()

    def test_a_wrong_query_is_explained_in_the_language_of_the_page(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "q=" + quote("🙂 AND level:(ERROR"), locale="ko-KR", wait=False)
        error = page.page.locator(".query-error")
        expect(error).to_contain_text("괄호가 닫히지 않았습니다")
        expect(error).to_contain_text(") 를 추가하세요")
        expect(error.locator("mark")).to_have_text("(")

    def test_words_that_were_found_are_marked(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True).ask('"not found" AND level:WARNING')
        expect(page.rows.first.locator("mark")).to_have_text(["WARNING", "Not Found"])

    def test_a_slash_goes_to_the_box(self, site: Site, visit: Open) -> None:
        page = visit(site.url, again=True)
        page.page.keyboard.press("/")
        expect(page.page.get_by_role("combobox")).to_be_focused()


class TestEvents:
    def test_an_event_unfolds_to_everything(self, site: Site, visit: Open) -> None:
        page = visit(site.url, again=True).ask("level:>=WARNING")
        page.panel("Levels").get_by_role("button", name="Show only Levels: ERROR").click()
        page.settled()
        open_first(page, "ERROR")
        record = page.page.locator(".record")
        expect(record.get_by_role("group", name="Stack trace")).to_contain_text("in checkout")
        expect(record.locator(".field", has_text="status_code")).to_contain_text("500")
        record.get_by_role("button", name="JSON").click()
        expect(record.get_by_role("group", name="JSON")).to_contain_text('"level": "ERROR"')
        expect(record.get_by_role("group", name="JSON").locator("mark")).to_have_text(["ERROR"])
        page.shot("event")
        record.get_by_role("button", name="Explain").click()
        steps = record.get_by_role("group", name="Explain")
        expect(steps.get_by_role("row").nth(1)).to_contain_text("default.conf:")
        expect(steps).to_contain_text("Goes to store_0 · logstash-")
        expect(steps.locator("mark").last).to_have_text("ERROR")
        page.shot("why", full=True)
        record.get_by_role("button", name="Surrounding events").click()
        expect(page.page.locator("tr.row.centre")).to_be_visible()
        assert page.settled().total >= 3
        state = parse_qs(page.state)
        assert state.keys() & {"q", "f", "level"} <= {"f"}
        assert "ERROR" not in "".join(state.get("f", []))

    def test_older_events_come_on_demand(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d")
        assert page.rows.count() == 100
        while (more := page.page.get_by_role("button", name="Load older events")).count():
            before = page.rows.count()
            more.click()
            page.page.wait_for_function("count => document.querySelectorAll('tr.row').length > count", arg=before)
        assert page.rows.count() == len(site.history.sent)

    def test_a_late_failure_is_not_shown_below_other_events(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d")
        late = LateAnswer(page.page, "/api/search.*after=")
        page.page.get_by_role("button", name="Load older events").click()
        late.wait()
        page.ask("level:ERROR")
        foot = page.page.locator(".table-foot").inner_text()
        late.arrive(status=503)
        expect(page.page.locator(".table-foot")).to_have_text(foot)

    def test_older_events_come_during_the_live_tail(self, site: Site, visit: Open) -> None:
        """It asks again every few seconds, for everything but the events."""
        page = visit(site.url, "range=30d")
        page.page.get_by_role("button", name="Live", exact=True).click()
        page.settled()
        late = LateAnswer(page.page, "/api/search.*after=")
        page.page.get_by_role("button", name="Load older events").click()
        late.wait()
        page.page.get_by_role("button", name="Refresh", exact=True).click()
        page.settled()
        late.arrive()
        expect(page.rows).to_have_count(200)
        expect(page.page.get_by_role("button", name="Load older events")).to_be_enabled()

    def test_the_live_tail_starts_once_the_events_are_there(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "tab=status")
        late = LateAnswer(page.page, "/api/search")
        page.page.evaluate("location.hash = 'range=30d&live'")
        late.wait()
        late.arrive(status=503)
        expect(page.rows).to_have_count(100)  # the next refresh asks again

    def test_a_late_answer_does_not_hide_the_values_of_another_query(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d&charts=message")
        late = LateAnswer(page.page, "/api/top.*n=50")
        page.panel("Top message").get_by_role("button", name="More", exact=True).click()
        late.wait()
        page.ask("level:ERROR")
        late.arrive()
        assert [value for value, _ in page.values("Top message")] == ["Internal Server Error: /checkout"]

    def test_data_is_text_and_nothing_else(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "cols=search_word,message", again=True)
        assert HOSTILE in dict(page.values("Top search words"))
        open_first(page, "INFO")
        assert page.page.locator("img").count() == 0

    def test_the_policy_complains_of_what_would_be_asked_elsewhere(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "tab=alerts")
        page.page.evaluate(ASK_ELSEWHERE)
        for policy in ("connect-src", "img-src", "style-src", "script-src", "default-src"):
            complaint = f'Content Security Policy directive: "{policy}'
            wait_until(partial(page.heard, complaint), complaint)
        page.complaints.clear()

    def test_a_page_that_goes_elsewhere_is_noticed(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "tab=alerts")
        elsewhere = f"{site.url.replace('127.0.0.1', 'localhost')}/static/icon.svg"
        page.page.goto(elsewhere)
        assert page.complaints == [f"went to {elsewhere}"]
        page.complaints.clear()

    def test_nothing_found_says_where_something_is(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", again=True)
        expect(page.page.get_by_role("heading", name="No events match")).to_be_visible()
        page.page.get_by_role("button", name="Go there").click()
        assert page.settled().total > 0


class TestLive:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Iterator[Site]:
        """A daemon of its own: what is sent here would be counted elsewhere."""
        with running(tmp_path) as site:
            yield site

    def test_new_events_come_by_themselves_and_wait_while_held(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "level=WARNING")
        page.page.get_by_role("button", name="Live", exact=True).click()
        expect(page.page.locator(".tail")).to_contain_text("Waiting for new events")
        send(site, "first of the live tail")
        expect(page.rows.first).to_contain_text("first of the live tail")
        page.shot("live")
        page.page.get_by_role("button", name="Pause").click()
        send(site, "second of the live tail")
        expect(page.page.locator(".tail")).to_contain_text("1 new event waiting")
        expect(page.rows.first).to_contain_text("first of the live tail")
        page.page.get_by_role("button", name="Resume").click()
        expect(page.rows.first).to_contain_text("second of the live tail")
        page.page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.page.locator(".tail")).to_be_hidden()


def send(site: Site, message: str) -> None:
    """Send a warning and, for the filter to have something to leave out, a line of INFO."""
    now = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
    event = {"@timestamp": now, "@version": "1", "level": "WARNING", "message": message}
    site.daemon.send([event, event | {"level": "INFO", "message": "not asked for"}])


class TestStatus:
    def test_shows_what_comes_in_and_adds_up(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "tab=status", again=True)
        expect(page.panel("Audit")).to_contain_text("Balanced")
        expect(page.panel("Inputs")).to_contain_text(f"127.0.0.1:{site.daemon.port}")
        days = {sent.time.astimezone(dt.UTC).date() for sent in site.history.sent}
        expect(page.panel("Indices").locator("tbody tr")).to_have_count(len(days))
        expect(page.panel("Countries").or_(page.page.locator(".facts"))).to_contain_text("ingestd geoip install")
        page.shot("status", full=True)


class TestLooks:
    @pytest.mark.sampled(usual=4)
    @pytest.mark.parametrize("tab", ["logs", "words", "problems", "visitors", "alerts", "status"])
    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("light", {}),
            ("dark", {"color_scheme": "dark"}),
            ("korean-dark", {"color_scheme": "dark", "locale": "ko-KR"}),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_looks(self, site: Site, visit: Open, name: str, options: dict[str, object], tab: str) -> None:
        page = visit(site.url, f"tab={tab}&range=30d", again=True, **options)
        page.shot("look")
        dark = page.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)"
        assert dark == ("dark" in name)

    def test_korean_and_english(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", locale="ko-KR")
        assert page.page.title() == "로그 · ingestd"
        assert page.values("인기 검색어")[0][0] == "서울 맛집"
        page.page.get_by_role("button", name="English").click()
        page.page.wait_for_selector("html[lang=en]")
        page.settled()
        assert page.page.title() == "Logs · ingestd"
        assert page.state == "range=30d"
        page.page.reload()
        expect(page.page.locator("html")).to_have_attribute("lang", "en")

    def test_a_chosen_theme_stays(self, site: Site, visit: Open) -> None:
        page = visit(site.url)
        page.page.get_by_role("button", name="Dark or light theme").click()
        page.page.reload()
        expect(page.page.locator("html")).to_have_attribute("data-theme", "dark")


class TestRows:
    def test_a_row_shows_its_exception_and_unfolds_the_site_s_own_frames(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d&q=NoneType%20OR%20level:ERROR", again=True)
        row = page.page.locator("tr.row.lv-error").first
        expect(row.locator(".has-stack")).to_contain_text("TypeError: unsupported operand")
        open_first(page, "ERROR")
        stack = page.page.locator(".record .stack")
        expect(stack).to_contain_text("line 88, in checkout")
        expect(stack.get_by_text("base.py")).to_be_hidden()
        frames = stack.get_by_role("button", name="2 library frames")
        frames.click()
        expect(stack.get_by_text("base.py")).to_be_visible()
        expect(frames).to_have_attribute("aria-expanded", "true")
        expect(stack.locator("mark").first).to_have_text("NoneType")

    def test_matches_are_marked_in_columns_and_fields(self, site: Site, visit: Open) -> None:
        page = visit(
            site.url, "range=30d&cols=search_word&q=" + quote('search_word:"제주 렌터카" AND search'), again=True
        )
        expect(page.page.locator("td.cell-value mark").first).to_have_text("제주 렌터카")
        open_first(page, "INFO")
        fields = page.page.locator(".record .field")
        expect(fields.filter(has_text="search_word").locator("mark").first).to_have_text("제주 렌터카")
        expect(fields.filter(has_text="message").locator("mark").first).to_have_text("search")

    def test_the_time_of_an_unfolded_row_is_the_row_s(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        open_first(page, "INFO")
        shown = page.page.locator("tr.opened .cell-time").inner_text()
        value = page.page.locator(".record .field", has_text="@timestamp").locator(".field-text")
        assert value.inner_text().split()[1:] == [shown, "+09:00"]
        assert re.fullmatch(r"[\dT:.-]+Z", value.get_attribute("title") or "")

    @pytest.mark.parametrize("width", [1440, 390])
    def test_the_tip_does_not_cover_its_bar(self, site: Site, visit: Open, width: int) -> None:
        page = visit(site.url, "range=30d", viewport={"width": width, "height": 1000}, again=True)
        stage = page.still().page.locator(".stage").bounding_box()
        assert stage is not None
        for part in (0.2, 0.5, 0.98):
            page.page.mouse.move(stage["x"] + part * stage["width"], stage["y"] + 60)
            expect(page.page.locator(".tip")).to_be_visible()
            tip, bar = (page.page.locator(name).bounding_box() for name in (".tip", ".brush"))
            assert tip is not None
            assert bar is not None
            beside = tip["x"] >= bar["x"] + bar["width"] or tip["x"] + tip["width"] <= bar["x"]
            assert beside or tip["y"] + tip["height"] <= bar["y"]

    def test_nothing_found_leaves_no_empty_panels(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "q=nothinglikethis", again=True)
        expect(page.page.get_by_role("heading", name="No events match")).to_be_visible()
        expect(page.panel("Top search words")).to_be_hidden()
        page.ask("")
        expect(page.panel("Top search words")).to_be_visible()


class TestWeight:
    def test_first_load_is_small(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", cold=True)
        page.page.get_by_role("link", name="Visitors", exact=True).click()
        page.page.wait_for_selector(".world")
        page.page.get_by_role("link", name="Status").click()
        page.settled()
        sizes = page.page.evaluate(
            """() => performance.getEntries().filter(entry => /static|\\/$|\\/#/.test(entry.name))
                 .map(entry => entry.transferSize || 0).reduce((all, size) => all + size, 0)"""
        )
        assert 20_000 < sizes < MOST_BYTES
        page.page.reload()
        page.settled()
        again = page.page.evaluate(
            """() => performance.getEntriesByType("resource").filter(entry => /static/.test(entry.name))
                 .map(entry => entry.transferSize)"""
        )
        assert len(again) > 60
        assert sum(again) == 0, "what the browser has is not asked for"

    def test_first_paint_waits_for_three_files_and_no_query(self, site: Site, visit: Open) -> None:
        """The outline is there before any module, and the page before any answer, however long these take."""
        page = visit(site.url)
        page.page.goto("about:blank")
        modules, questions, ended = list[Route](), list[Route](), list[str]()

        def hold(route: Route) -> None:
            (questions if "/api/" in route.request.url else modules).append(route)

        for pattern in (MODULES, re.compile("/api/")):
            page.page.route(pattern, hold)
        page.page.on("requestfinished", lambda request: ended.append(request.url))
        page.page.goto(f"{site.url}/#range=30d", wait_until="commit")
        page.page.evaluate(FIRST_PAINT)
        expect(page.page.locator(".skeleton").first).to_be_visible()
        names = {url.partition("#")[0].rpartition("/")[2] for url in ended if url.startswith(site.url)}
        assert names <= {"", "app.css", "theme.js", "icon.svg"}
        page.page.route(MODULES, lambda route: route.continue_())  # from now on
        for route in modules:
            route.continue_()
        expect(page.page.get_by_role("combobox")).to_be_visible()
        expect(page.page.locator(".tab")).to_have_count(6)
        expect(page.page.locator("main.first[aria-busy='true'] .top-list:empty").first).to_be_visible()
        expect(page.page.locator("main.first .table-scroll")).to_be_visible()
        assert not [url for url in ended if "/api/" in url]
        page.page.route(re.compile("/api/"), lambda route: route.continue_())
        for route in questions:
            route.continue_()
        assert page.settled().total == len(site.history.sent)

    def test_every_module_is_preloaded(self, site: Site, visit: Open) -> None:
        """A module that is found only while another one loads costs a round trip."""
        page = visit(site.url, cold=True)
        links = page.page.locator("link[rel=modulepreload]")
        preloaded = set(links.evaluate_all("links => links.map(link => link.href)"))
        files = page.page.evaluate("performance.getEntriesByType('resource').map(file => file.name)")
        loaded = {url for url in files if url.endswith(".js")}
        assert {url.rpartition("/")[2] for url in loaded - preloaded} == {"app.js", "theme.js"}
        assert preloaded <= loaded


class TestEmptyStore:
    def test_shows_what_to_paste_and_goes_on_at_the_first_event(self, tmp_path: Path, visit: Open) -> None:
        port = free_port()
        with Daemon(tmp_path, "--port", str(port)) as daemon:
            page = visit(
                daemon.url,
                locale="ko-KR",
                viewport={"width": 390, "height": 844},
                permissions=["clipboard-read", "clipboard-write"],
            )
            page.page.route(re.compile("/api/(search|histogram|top)"), lambda _: None)
            page.page.reload()  # it waits for no query
            expect(page.page.get_by_role("heading", name="첫 이벤트를 기다리고 있습니다")).to_be_visible()
            expect(page.page.locator(".step").first).to_be_visible()
            page.shot("empty-phone", full=True)
            page.resize(1440)
            page.page.get_by_role("button", name="English").click()
            expect(page.page.get_by_role("heading", name="Waiting for the first event")).to_be_visible()
            page.page.unroute_all(behavior="ignoreErrors")
            steps = page.page.locator(".step")
            expect(page.page.get_by_role("tab").first).to_have_text("ingestd-django")
            expect(steps).to_have_count(5)  # package, port, settings.py, check; or a line
            page.shot("empty")
            blocks = re.findall(r"```python\n([^`]*LOGGING = .*?)```", README.read_text("utf-8"), re.DOTALL)
            assert steps.nth(2).locator("pre").inner_text() == blocks[0]
            page.page.get_by_role("tab", name="runserver").click()
            expect(steps).to_have_count(3)
            copy = steps.nth(1).get_by_role("button", name="Copy")
            copy.click()
            pasted = page.page.evaluate("navigator.clipboard.readText()")
            assert pasted == blocks[1].replace("5959", str(port))
            copied = steps.nth(1).locator("[data-label]")
            copied.click()  # once more, while it says that it is done
            expect(copied).to_have_text("Copy")
            gunicorn = page.page.get_by_role("tab", name="gunicorn")
            gunicorn.click()
            expect(gunicorn).to_have_attribute("aria-selected", "true")
            expect(page.page.get_by_text("gunicorn --access-logfile - mysite.wsgi")).to_be_visible()
            page.page.keyboard.press("ArrowRight")
            expect(page.page.get_by_role("tab", name="uvicorn")).to_be_focused()
            for _ in range(3):
                page.page.keyboard.press("ArrowRight")
            expect(page.page.get_by_text(f"/dev/tcp/127.0.0.1/{port}")).to_be_visible()
            page.shot("empty-nginx")
            page.page.get_by_role("tab", name="runserver").click()
            trial = steps.nth(2).locator("pre").inner_text()
            subprocess.run(["sh", "-c", trial], check=True, timeout=WAIT_SECONDS)
            expect(page.rows).to_have_count(1)
            assert page.settled().values("Top search words") == [("hello", 1)]

    def test_a_page_that_was_left_stays_left(self, tmp_path: Path, visit: Open) -> None:
        with Daemon(tmp_path) as daemon:
            page = visit(daemon.url)
            late = LateAnswer(page.page, "/api/indices$")
            late.wait()
            page.page.get_by_role("link", name="Status").click()
            page.settled()
            late.arrive(json={"indices": [{"index": "logstash-2026.11.22", "day": "2026-11-22", "events": 1}]})
            assert page.state == "tab=status"


class TestDoctor:
    LINE: ClassVar = {"@version": "1", "logger_name": "django.request", "level": "ERROR", "message": "Not Found: /x"}

    @pytest.mark.parametrize(("language", "text"), [("en", "no access line"), ("ko", "접속 로그가 없어")])
    def test_names_what_is_missing_until_dismissed(self, tmp_path: Path, visit: Open, language: str, text: str) -> None:
        with sleeping("gunicorn"), Daemon(tmp_path) as daemon:  # other tests may have other servers running
            daemon.send([self.LINE])
            daemon.wait_for_delivery(1)
            page = visit(daemon.url, f"lang={language}")
            banner = page.page.locator(".doctor")
            expect(banner).to_contain_text(text)
            banner.locator("summary", has_text=text).click()
            expect(banner.locator(".code").first).to_be_visible()
            expect(banner).to_contain_text('"gunicorn.access": {"handlers"')
            page.shot(f"doctor-{language}")
            banner.locator(".banner-head button").click()
            expect(banner).to_be_hidden()
            with page.page.expect_response(lambda response: "/api/doctor" in response.url):
                page.page.reload()
            page.page.wait_for_timeout(300)
            expect(banner).to_be_hidden()
            assert page.complaints == []


class TestAccess:
    def test_a_session_below_a_prefix(self, tmp_path: Path, visit: Open) -> None:
        """It survives a reload of the page, one of the settings and a restart of the daemon, not a sign-out."""
        at = "--http", f"127.0.0.1:{free_port()}"
        with Daemon(tmp_path, *at, http_password="long and secret", http_prefix="/logs") as daemon:
            page = visit(f"{daemon.url.removesuffix('/logs')}/logs", wait=False)
            page.shot("sign-in")
            page.page.get_by_label("Password").fill("wrong")
            page.page.get_by_role("button", name="Sign in").click()
            expect(page.page.get_by_role("alert")).to_have_text("The password is wrong.")
            page.page.get_by_label("Password").fill("long and secret")
            page.page.get_by_role("button", name="Sign in").click()
            heading = page.page.get_by_role("heading", name="Waiting for the first event")
            expect(page.settled().page.get_by_role("button", name="Sign out")).to_be_visible()
            page.page.reload()
            expect(heading).to_be_visible()
            narrow = visit(
                f"{daemon.url.removesuffix('/logs')}/logs",
                wait=False,
                locale="ko-KR",
                viewport={"width": 390, "height": 844},
            )
            narrow.page.locator("input[type=password]").fill("long and secret")
            narrow.page.get_by_role("button", name="로그인").click()
            narrow_heading = narrow.page.get_by_role("heading", name="첫 이벤트를 기다리고 있습니다")
            expect(narrow_heading).to_be_visible()
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for("every process runs the new config")
            page.page.reload()
            expect(heading).to_be_visible()
            daemon.stop()
            daemon.start()
            daemon.wait_until_ready()
            page.page.reload()
            expect(heading).to_be_visible()
            narrow.page.reload()
            expect(narrow_heading).to_be_visible()
            assert narrow.settled().page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.page.get_by_role("button", name="Sign out").click()
            expect(page.page.get_by_label("Password")).to_be_visible()
            page.page.goto(f"{page.url}/")
            expect(page.page.get_by_label("Password")).to_be_visible()


class TestAway:
    def test_a_daemon_that_is_gone_is_reported(self, tmp_path: Path, visit: Open) -> None:
        with Daemon(tmp_path) as daemon:
            page = visit(daemon.url, "tab=status")
            daemon.stop()
            for tab in ("logs", "visitors", "status"):
                page.page.evaluate("tab => { location.hash = `tab=${tab}&range=1h`; }", tab)
                page.page.wait_for_selector(f"[data-tab={tab}][aria-current]")
                alert = page.settled().page.get_by_role("alert").filter(has_text="ingestd does not respond")
                expect(alert).to_be_visible()
                page.shot(f"away-{tab}")
