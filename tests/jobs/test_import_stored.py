from ingestd.jobs.import_stored import stored_ids
from ingestd.stores.base import Hit

STREAM, OTHER = "f" + "0" * 20, "f" + "1" * 20 + ".1"
KEYS = [f"{STREAM}-000000000000", f"{STREAM}-00000000000a", f"{STREAM}-00000000000a-1", f"{OTHER}-000000000001"]
IDS = [*KEYS, "w-1", ""]
HITS = [Hit("i", event_id, b"{}", "") for event_id in IDS]


def test_ids_of_imports() -> None:
    assert stored_ids(HITS) == {"i": set(IDS[:4])}
    assert stored_ids([]) == {}


def test_ids_of_some_streams_behind_an_offset() -> None:
    assert stored_ids(HITS, {STREAM: 10}) == {"i": set(IDS[1:3])}
    assert stored_ids(HITS, {OTHER: 0, "none": 0}) == {"i": {IDS[3]}}
