"""The explorer's tools: keys, downloads, completion, views, panels, zones, columns, rows.

Each is tested on every screen, or in both languages if it does not depend on the width.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, expect

from ingestd.web.api.views import BUILT_IN
from tests.e2e.dashboard.conftest import Site
from tests.e2e.dashboard.history import FAILED_MS, HOSTS, SLOW_MS, ZONE
from tests.e2e.dashboard.screens import OpenPage, bars, in_both_languages, on_every_screen, tips_are_beside

QUICK = [
    "tab=words&range=30d&zone=utc",
    "range=30d&level=WARNING&zone=utc&traces=1",
    "q=status_code%3A%5B500+TO+599%5D&range=30d&zone=utc",
    "tab=visitors&range=30d&zone=utc",
]
"""Where the views lead that are built in, from a page that shows 30 days in UTC."""
BOXES = """cards => cards.map(card => {
    const { left, top, width, height } = card.getBoundingClientRect();
    return [left + scrollX, top + scrollY, width, height].map(Math.round);
})"""
"""Where each card is, and its size."""
FEW = [
    "range=30d&q=level:ERROR",
    "tab=words&range=30d&q=search_word:jeju",
    "tab=problems&range=30d",
    "tab=visitors&range=30d&q=search_word:jeju",
]
HOLES = """main => {
    const { paddingLeft, paddingRight } = getComputedStyle(main), page = main.getBoundingClientRect();
    const left = page.left + parseFloat(paddingLeft), right = page.right - parseFloat(paddingRight);
    const shown = [...main.querySelectorAll(".card, .sidebar")].filter(card => card.checkVisibility());
    const boxes = shown.map(card => card.getBoundingClientRect()).sort((a, b) => a.left - b.left);
    return shown.filter(card => {
        const y = card.getBoundingClientRect().top + 1;
        const beside = boxes.filter(box => box.top <= y && y <= box.bottom);
        const starts = [...beside.map(box => box.left), right], ends = [left, ...beside.map(box => box.right)];
        return starts.some((start, at) => start > Math.max(...ends.slice(0, at + 1)) + 24);
    }).map(card => card.outerHTML.slice(0, 200));
}"""
"""Cards with an empty place beside their upper edge, wider than what is between two cards."""
ELSEWHERE = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


def in_window(part: Locator) -> bool:
    """Return whether all of a part's width can be seen."""
    box, width = part.bounding_box(), part.page.viewport_size
    assert box is not None
    assert width is not None
    return box["x"] >= 0 and box["x"] + box["width"] <= width["width"]


@on_every_screen
def test_keys(page: OpenPage) -> None:
    page.go("range=30d")
    keyboard, focused = page.page.keyboard, page.page.locator("tr.row:has(.open:focus)")
    detail, dialog, box = (
        page.page.locator("tr.detail"),
        page.page.get_by_role("dialog"),
        page.page.get_by_role("combobox"),
    )
    ids = page.rows.evaluate_all("rows => rows.map(row => row.dataset.id)")
    for key, expected in [("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)]:
        keyboard.press(key)
        expect(focused).to_have_attribute("data-id", ids[expected])
    keyboard.press("Enter")
    expect(detail).to_have_count(1)
    page.shot("keys-event")
    keyboard.press("j")
    expect(focused).to_have_attribute("data-id", ids[1])
    keyboard.press("k")
    keyboard.press("Escape")
    expect(detail).to_have_count(0)
    of_hangul = "new KeyboardEvent('keydown', { key: 'ㅓ', code: 'KeyJ', bubbles: true })"
    page.page.evaluate(f"document.body.dispatchEvent({of_hangul})")
    expect(focused).to_have_attribute("data-id", ids[1])
    keyboard.press("/")
    expect(box).to_be_focused()
    keyboard.press("?")
    expect(box).to_have_value("?")  # in a box a key is text
    box.fill("")
    keyboard.press("Escape")
    keyboard.press("Escape")
    expect(box).not_to_be_focused()
    keyboard.press("?")
    names = ["search", "next", "previous", "open", "close", "help"]
    expect(dialog.locator("kbd")).to_have_text(["/", "j", "k", "Enter", "Esc", "?"])
    expect(dialog.locator("dd")).to_have_text([page.text(f"keys.{name}") for name in names])
    page.shot("keys")
    dialog.get_by_role("switch").uncheck()
    keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    keyboard.press("/")
    expect(box).not_to_be_focused()


@in_both_languages
def test_download_of_what_is_shown(page: OpenPage, site: Site) -> None:
    page.go("range=30d&q=level:ERROR&cols=status_code")
    failures = [sent for sent in reversed(site.history.sent) if sent.level == "ERROR"]
    choices = page.page.get_by_role("dialog", name=page.text("download.title"))

    def download(form: str, *, whole: bool = False) -> bytes:
        page.button("download.title").click()
        if whole:
            choices.get_by_role("switch").uncheck()
        choice = choices.locator(f"[data-format={form}]")
        expect(choice).to_have_text(page.text(f"download.{form}"))
        assert in_window(choices)
        page.shot(f"download-{form}")
        with page.page.expect_download() as waiting:
            choice.click()
        assert waiting.value.suggested_filename.endswith(f".{form}")
        return Path(waiting.value.path()).read_bytes()

    rows = list(csv.reader(io.StringIO(download("csv").decode("utf-8-sig"), newline="")))
    assert rows[0] == ["'@timestamp", "level", "status_code", "message"]
    assert [row[1:] for row in rows[1:]] == [["ERROR", "500", sent.message] for sent in failures]
    events = [json.loads(line) for line in download("ndjson", whole=True).splitlines()]
    assert [event["stack_trace"] for event in events] == [sent.more["stack_trace"] for sent in failures]
    assert download("parquet", whole=True).startswith(b"PAR1")


@on_every_screen
def test_completion_of_fields_values_and_operators(page: OpenPage, site: Site) -> None:
    page.go("range=30d")
    box, options = page.page.get_by_role("combobox"), page.page.get_by_role("option")
    texts, kinds = options.locator(".option-text"), options.locator(".option-kind")
    box.fill("")
    box.press_sequentially("WOR")
    expect(texts.first).to_have_text("search_word")
    expect(kinds.first).to_have_text(page.text("search.field"))
    page.shot("completion-fields")
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "option-0")
    box.press("Enter")
    expect(box).to_have_value("search_word:")
    expect(texts).to_contain_text(["서울 맛집", "부산 여행"])
    box.press_sequentially("제")
    expect(texts).to_have_text(["제주 렌터카"])
    expect(kinds).to_have_text(["5"])
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value('search_word:"제주 렌터카" ')
    expect(texts).to_have_text(["AND", "OR", "NOT"])
    expect(kinds.first).to_have_text(page.text("search.operator"))
    page.shot("completion-operators")
    options.nth(1).click()
    expect(box).to_have_value('search_word:"제주 렌터카" OR ')
    box.press_sequentially("level:err")
    expect(texts).to_have_text(["ERROR"])
    page.shot("completion-values")
    assert page.fits
    options.first.click()
    expect(box).to_have_value('search_word:"제주 렌터카" OR level:ERROR ')
    box.press("Enter")
    page.settled()
    expected = [sent for sent in site.history.sent if sent.word == "제주 렌터카" or sent.level == "ERROR"]
    assert page.total == len(expected)
    expect(options).to_have_count(0)


@in_both_languages
def test_completion_of_a_path_and_of_an_unfinished_syllable(page: OpenPage, site: Site) -> None:
    page.go("range=30d")
    box, options = page.page.get_by_role("combobox"), page.page.get_by_role("option")
    keyboard = page.page.context.new_cdp_session(page.page)
    box.fill("")
    box.press_sequentially("request_path:/se")
    expect(options.locator(".option-text")).to_have_text(["/search"])
    options.first.click()
    expect(box).to_have_value(r'request_path:("/search" OR /search\?*) ')
    box.press("Enter")
    assert page.settled().total == sum(bool(sent.word) for sent in site.history.sent)
    box.fill("")
    box.press_sequentially("search_word:")
    expect(options.first).to_contain_text("서울 맛집")
    for text in ("ㅂ", "부"):
        keyboard.send("Input.imeSetComposition", {"text": text, "selectionStart": 1, "selectionEnd": 1})
        expect(box).to_have_value(f"search_word:{text}")
    expect(options.locator(".option-text")).to_have_text(["부산 여행"])
    key = "new KeyboardEvent('keydown', { key: 'ArrowDown', isComposing: true, bubbles: true })"
    box.evaluate(f"box => box.dispatchEvent({key})")
    expect(box).not_to_have_attribute("aria-activedescendant", "option-0")
    options.first.click()
    expect(box).to_have_value('search_word:"부산 여행" ')
    expect(box).to_be_focused()
    keyboard.detach()
    box.fill("")
    box.press("Enter")


@on_every_screen
def test_panels_of_any_field(page: OpenPage, site: Site) -> None:
    page.go("range=30d&compare=1")
    failures = sum(sent.level == "ERROR" for sent in site.history.sent)
    form, sections = page.page.locator(".panel-form"), page.page.locator(".panels > section")
    ready = page.page.get_by_role("dialog", name=page.text("panel.add"))

    def add(kind: str, metric: str = "", **values: str) -> None:
        page.button("panel.add").click()
        form.locator("[name=kind]").select_option(label=page.text(f"panel.{kind}"))
        if metric:
            form.locator("[name=metric]").select_option(label=page.text(f"metric.{metric}"))
        for name, value in values.items():
            form.locator(f"[name={name}]").fill(value)
        page.shot(f"panel-form-{kind}")
        assert in_window(ready)
        form.get_by_role("button", name=page.text("panel.submit")).click()
        page.settled()

    add("number", "max", field="duration_ms")
    number = page.region("panel.of", metric=page.text("metric.max"), field="duration_ms")
    expect(number.locator(".number-value")).to_have_text(re.compile(rf"^{FAILED_MS:,}"))
    add("percentiles", field="status_code", by="level")
    rows = page.region("panel.by.title", field="status_code", by="level").locator("tbody tr")
    expect(rows.filter(has_text="ERROR")).to_contain_text(f"{failures}500500500")
    add("histogram", field="search_word")
    jeju = page.region("panel.over.time", field="search_word").locator(".legend-item", has_text="jeju")
    expect(jeju).to_have_count(1)
    add("top", field="status_code")
    expect(page.region("top.field", field="status_code").locator(".top-value")).to_contain_text(["404", "500"])
    page.settled()
    page.shot("panels", full=True)
    assert page.fits
    found = sections.count()
    page.reload()
    expect(sections).to_have_count(found)
    number.get_by_role("button").click()
    expect(sections).to_have_count(found - 1)
    jeju.click()
    assert page.settled().total == sum(sent.word == "jeju" for sent in site.history.sent)
    page.go("charts=~number,~nonsense~a,~histogram~%2525")  # an address that was cut
    expect(sections).to_have_count(5)


@on_every_screen
def test_more_values_move_nothing(page: OpenPage) -> None:
    page.go("range=30d&charts=@timestamp")  # every event has another one
    panel = page.region("top.field", field="@timestamp")
    rows, cards = panel.locator(".top-row"), page.still().page.locator(".card")
    expect(rows).to_have_count(7)
    before = cards.evaluate_all(BOXES)
    assert len(before) > 4
    for key, count in [("top.more", 50), ("top.less", 7)]:
        panel.get_by_role("button", name=page.text(key), exact=True).click()
        expect(rows).to_have_count(count)
        page.shot(key)
        assert cards.evaluate_all(BOXES) == before
        assert page.fits


@on_every_screen
def test_a_page_with_few_events_has_no_empty_halves(page: OpenPage) -> None:
    for state in FEW:
        page.go(state)
        assert page.page.locator("main").evaluate(HOLES) == [], state
        assert page.fits
        page.shot(f"few-{FEW.index(state)}", full=True)


@on_every_screen
def test_panels_of_paths(page: OpenPage, site: Site) -> None:
    """How long requests take; how many there are, how often, and the share of those that fail."""
    page.go("range=30d")
    searches = sum(bool(sent.word) for sent in site.history.sent)
    failures = sum(sent.level == "ERROR" for sent in site.history.sent)
    ready = page.page.get_by_role("dialog", name=page.text("panel.add"))
    for name in ("duration", "errors"):
        page.button("panel.add").click()
        ready.get_by_role("button", name=page.text(f"panel.ready.{name}")).click()
        page.settled()
    durations = page.region("panel.by.title", field="duration_ms", by="request_path").locator("tbody tr")
    table = page.region("panel.errors.by", by="request_path")
    errors = table.locator("tbody tr")
    expect(durations.locator("th")).to_contain_text(["/search", "/checkout/결제"])
    expect(durations.nth(0).locator("td")).to_have_text([str(searches), "40", "250", str(SLOW_MS)])
    expect(durations.nth(1).locator("td")).to_have_text([str(failures), *[f"{FAILED_MS:,}"] * 3])
    expect(table.locator("thead th").last).to_have_text(page.text("panel.share"))
    for number, count, wrong, share in [(0, searches, 0, "0%"), (1, failures, failures, "100%")]:
        cells = errors.nth(number).locator("td")
        expect(cells).to_have_text([str(count), re.compile(r"^0\.\d+$"), str(wrong), share])
        assert float(cells.nth(1).inner_text()) == pytest.approx(count / (30 * 24 * 60), rel=0.1)
    page.shot("paths")
    assert page.fits
    errors.nth(1).get_by_role("button").click()
    page.settled()
    expect(errors).to_have_count(1)
    expect(durations).to_have_count(1)
    assert page.total == failures


@on_every_screen
def test_the_period_before(page: OpenPage, site: Site) -> None:
    page.go("range=7d")
    page.button("chart.compare").click()
    line, stage = page.page.locator(".histogram .per"), page.page.locator(".stage")
    expect(page.page.locator("path.before")).to_have_count(1)
    page.settled()
    earlier = [bar.rpartition(";")[2] for bar in bars(stage)]
    seen = sum(int("".join(filter(str.isdigit, text))) for text in earlier)
    assert line.inner_text().partition(" · ")[0] == page.text("chart.before", n=seen)
    sent = site.history.between(site.history.now - dt.timedelta(days=14), site.history.now - dt.timedelta(days=7))
    assert abs(seen - len(sent)) <= 1  # an event at the edge
    assert "compare=1" in page.state
    assert tips_are_beside(page.region("chart.title"))
    page.shot("compare")


@in_both_languages
def test_zones(page: OpenPage, site: Site) -> None:
    since, until = (time.astimezone(dt.UTC) for time in site.history.incident)
    page.go("range=7d")
    button, picker = page.page.locator(".button.range"), page.page.locator(".range-panel")
    button.click()
    picker.locator("[data-zone=utc]").click()
    expect(button).to_have_text(f"{page.text('range.7d')} · UTC")
    button.click()
    picker.locator("[name=from]").fill(f"{since:%Y-%m-%d %H:%M}")
    picker.locator("[name=to]").fill(f"{until:%H:%M}")
    picker.locator("[name=to]").press("Enter")
    expected = site.history.between(*site.history.incident)
    times = [sent.time.astimezone(dt.UTC).strftime("%H:%M:%S.000") for sent in reversed(expected)]
    expect(page.rows.locator("time")).to_have_text(times)
    page.shot("utc")
    status = re.compile("/api/status")
    answer = {"health": {}, "site_zone": ELSEWHERE.key}
    page.page.route(status, lambda route: route.fulfill(json=answer))
    page.go("range=7d")
    page.reload()  # the choice is remembered
    expect(button).to_contain_text("UTC")
    page.go("range=7d&zone=site")
    expect(button).to_have_text(f"{page.text('range.7d')} · {ELSEWHERE.key}")
    newest = site.history.sent[-1].time.astimezone(ELSEWHERE)
    expect(page.rows.locator("time").first).to_have_text(newest.strftime("%H:%M:%S.%f")[:-3])
    button.click()
    zones = ["zone.browser", "zone.utc", "zone.site"]
    expect(picker.locator("[data-zone]")).to_have_text([page.text(zone) for zone in zones])
    page.shot("zones")
    page.page.keyboard.press("Escape")
    page.page.unroute(status)


@on_every_screen
def test_views_are_saved_shared_and_deleted(page: OpenPage) -> None:
    page.go("range=7d&level=ERROR&cols=status_code&charts=%7Enumber%7Emax%7Estatus_code")
    name = f"장애 <b>{page.screen}</b>"
    menu, form = page.page.locator("[data-views]"), page.page.locator(".view-form")
    view = page.page.locator(f'[data-view="{name}"]')
    menu.click()
    form.locator("[name=name]").fill(name)
    form.get_by_role("button", name=page.text("views.save")).click()
    expect(view).to_have_attribute("aria-current", "true")
    saved = page.state
    page.page.evaluate("localStorage.clear()")
    page.go("range=30d").reload()  # the views are those of everyone
    expect(view).not_to_have_attribute("aria-current", "true")
    expect(view).to_have_attribute("href", f"#{saved}")
    view.click()
    page.settled()
    assert page.state == saved
    expect(page.page.locator(".number-value")).to_have_text("500")
    assert set(page.levels) == {"ERROR"}
    menu.click()
    share = page.page.get_by_role("button", name=f"{page.text('views.copy')}: {name}")
    expect(share).to_be_visible()
    page.shot("views")
    assert in_window(page.page.locator(".view-menu"))
    page.page.get_by_role("button", name=f"{page.text('views.delete')}: {name}").click()
    expect(view).to_have_count(0)
    page.go("q=" + "a" * 8000)
    form.locator("[name=name]").fill("long")
    form.get_by_role("button", name=page.text("views.save")).click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    page.page.keyboard.press("Escape")
    page.go("range=30d").reload()
    expect(page.page.locator("[data-quick]")).to_have_count(4)
    expect(view).to_have_count(0)


@on_every_screen
def test_the_quick_views_are_views_that_stay(page: OpenPage) -> None:
    page.go("range=30d&zone=utc&cols=status_code")
    quick, rows = page.page.locator("[data-quick]"), page.page.locator(".view-list li")
    titles = [page.text(f"quick.{view.built_in}") for view in BUILT_IN]
    expect(quick).to_have_text(titles)
    if page.screen.language == "en":
        assert titles == [view.name for view in BUILT_IN]
    for link, state in zip(quick.all(), QUICK, strict=True):
        link.click()
        page.settled()
        assert page.state == state
        expect(link).to_have_attribute("aria-current", "true")
    page.page.locator("[data-views]").click()
    expect(rows.locator(".view-name")).to_have_text(titles)
    expect(rows.get_by_role("button")).to_have_text([page.text("views.copy")] * 4)  # and none to delete it
    form = page.page.locator(".view-form")
    form.locator("[name=name]").fill(titles[0])
    form.get_by_role("button", name=page.text("views.save")).click()
    expect(form.get_by_role("alert")).to_have_text(page.text("views.builtin", name=titles[0]))
    page.shot("quick-views")
    expect(quick).to_have_text(titles)


@on_every_screen
def test_what_happened_around_an_event(page: OpenPage, site: Site) -> None:
    """Whatever is searched for."""
    since, until = (quote(time.astimezone(dt.UTC).isoformat()) for time in site.history.incident)
    page.go(f"from={since}&to={until}&level=ERROR&q=checkout")
    expect(page.rows).to_have_count(3)
    failure = page.rows.nth(1).get_attribute("data-id")
    page.rows.nth(1).locator(".open").click()
    page.button("record.around").click()
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
    expect(page.rows.locator("time")).to_have_text([clock(sent.time) for sent in of_host])
    expect(page.page.locator(".chip")).to_have_count(1)
    expect(page.page.locator(".chip-text")).to_contain_text(f"host: {HOSTS[0]}")
    expect(page.page.get_by_role("combobox")).to_have_value("")
    page.shot("context")
    assert page.fits
    page.reload()
    expect(centre).to_have_attribute("data-id", failure or "")
    page.page.go_back()
    expect(page.rows).to_have_count(3)
    expect(centre).to_have_count(0)


@on_every_screen
def test_columns_are_sorted_within_what_is_shown(page: OpenPage) -> None:
    page.go("range=30d&cols=status_code")
    codes, sorting = page.page.locator("td.cell-value"), page.page.locator("[data-sorting]")

    def order(sort: str) -> None:
        sorting.click()
        page.page.locator(f"[data-sort='{sort}']").click()

    for sort, first in [("status_code", "200"), ("-status_code", "500")]:
        order(sort)
        expect(codes.locator(".message").first).to_contain_text(first)
        shown = [text.strip() for text in codes.all_text_contents()]
        filled = [int(code) for code in shown if code]
        assert filled == sorted(filled, reverse=sort.startswith("-"))
        assert shown == [*map(str, filled), *[""] * (len(shown) - len(filled))]
    expect(page.page.locator(".sort")).to_contain_text(page.text("sort.within", n=100))
    expect(page.page.locator("tr.day")).to_have_count(0)
    page.shot("sorted")
    assert page.fits
    times: list[list[str]] = []
    for sort, name in [("@timestamp", "table.oldest"), ("", "table.newest")]:
        order(sort)
        expect(sorting).to_have_text(page.text(name))
        expect(page.page.locator("tr.day").first).to_be_visible()
        found = page.page.locator(".cell-time time").evaluate_all("times => times.map(time => time.dateTime)")
        times.append(found)
    assert times == [sorted(times[0]), [*reversed(times[0])]]
    expect(page.page.locator("tr.day").first).to_be_visible()
    expect(page.page.locator("td.cell-message").first).to_be_visible()  # the message stays


@on_every_screen
def test_columns_are_moved_sized_and_named(page: OpenPage) -> None:
    page.go("range=30d&cols=status_code,search_word&q=" + quote("search_word:jeju"))
    if page.screen.is_phone:
        columns_of_cards(page)
        return
    names = page.page.locator("th .sort-by")
    page.button("column.left", field="search_word").click()
    expect(names).to_have_text(["search_word", "status_code"])
    head = page.page.get_by_role("columnheader").filter(has_text="status_code")
    head.get_by_role("button", name="status_code", exact=True).click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    edge = page.page.get_by_role("separator", name=page.text("column.size", field="status_code"))
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
    page.shot("columns")
    state = page.state
    page.reload()
    assert page.state == state
    expect(names).to_have_text(["search_word", "status_code ↑"])


def columns_of_cards(page: OpenPage) -> None:
    """On a phone a row is a card, whose lines are moved and removed in the menu of the order."""
    name = "cells => cells.map(cell => getComputedStyle(cell, '::before').content)"
    cells, listed = page.rows.first.locator("td.cell-value"), page.page.locator(".column-list .column-name")
    assert cells.evaluate_all(name) == ['"status_code"', '"search_word"']
    page.page.locator("[data-sorting]").click()
    buttons = page.page.locator(".column-list").get_by_role("button")
    buttons.and_(page.button("column.left", field="search_word")).click()
    expect(listed).to_have_text(["search_word", "status_code"])
    assert cells.evaluate_all(name) == ['"search_word"', '"status_code"']
    assert "cols=search_word%2Cstatus_code" in page.state
    page.shot("columns")
    assert in_window(page.page.locator(".column-list"))
    sizes = buttons.evaluate_all("buttons => buttons.map(button => [button.offsetWidth, button.offsetHeight])")
    assert len(sizes) == 4
    assert min(map(min, sizes)) >= 40
    buttons.and_(page.button("table.drop", field="search_word")).click()
    expect(listed).to_have_text(["status_code"])
    assert cells.evaluate_all(name) == ['"status_code"']


@on_every_screen
def test_a_row_has_its_exception_and_unfolds_to_the_site_s_own_frames(page: OpenPage, site: Site) -> None:
    page.go("range=30d&q=NoneType%20OR%20level:ERROR")
    failures = [sent for sent in reversed(site.history.sent) if sent.level == "ERROR"]
    row = page.rows.first
    expect(row.locator(".has-stack")).to_contain_text("TypeError: unsupported operand")
    expect(row.locator(".badge")).to_have_text("ERROR")
    expect(page.rows.locator("time")).to_have_text([clock(sent.time) for sent in failures])
    row.locator(".open").click()
    record = page.page.locator(".record")
    stack = record.get_by_role("group", name=page.text("record.stack"))
    expect(stack).to_contain_text("line 88, in checkout")
    expect(stack.get_by_text("base.py")).to_be_hidden()
    frames = stack.get_by_role("button", name=page.text("record.frames", n=2))
    frames.click()
    expect(stack.get_by_text("base.py")).to_be_visible()
    expect(frames).to_have_attribute("aria-expanded", "true")
    expect(stack.locator("mark").first).to_have_text("NoneType")
    value = record.locator(".field", has_text="@timestamp").locator(".field-text")
    assert value.inner_text().split()[1:] == [clock(failures[0].time), "+09:00"]
    assert re.fullmatch(r"[\dT:.-]+Z", value.get_attribute("title") or "")
    page.shot("row")
    assert page.fits


@in_both_languages
def test_matches_are_marked_in_columns_and_fields_and_paths_are_readable(page: OpenPage) -> None:
    page.go("range=30d&cols=search_word&q=" + quote('search_word:"제주 렌터카" AND search'))
    expect(page.page.locator("td.cell-value mark").first).to_have_text("제주 렌터카")
    expect(page.rows.first.locator("td.cell-message")).to_contain_text("/search?q=제주+렌터카")
    page.rows.first.locator(".open").click()
    fields = page.page.locator(".record .field")
    expect(fields.filter(has_text="search_word").locator("mark").first).to_have_text("제주 렌터카")
    expect(fields.filter(has_text="message").locator("mark").first).to_have_text("search")
    page.shot("marks")


def clock(time: dt.datetime) -> str:
    """Return a time as the page shows it where the browser is."""
    return time.astimezone(ZONE).strftime("%H:%M:%S.%f")[:-3]
