"""Events that go to an output together."""

from __future__ import annotations

from ingestd.event.batch import Batch


def batch() -> Batch:
    keys: tuple[int | str, ...] = (0, 255, "0000000000ff-1")
    return Batch.of_events([{"n": n} for n in range(len(keys))], keys, "o", 0)


def test_ids_rise_in_their_stream() -> None:
    ids = batch().ids()
    assert list(ids) == ["o-000000000000", "o-0000000000ff", "o-0000000000ff-1"]
    assert list(ids) == sorted(ids)


def test_fill() -> None:
    assert batch().ids().fill(b'{"_id":"%b","x":"100%"}')[:2] == [
        b'{"_id":"o-000000000000","x":"100%"}',
        b'{"_id":"o-0000000000ff","x":"100%"}',
    ]


def test_part() -> None:
    part = batch().part([2, 0])
    assert (len(part), part.documents(), part.column("n")) == (2, [b'{"n":2}', b'{"n":0}'], [2, 0])
    assert list(part.ids()) == ["o-0000000000ff-1", "o-000000000000"]


def test_documents_are_made_once() -> None:
    one = batch()
    assert one.documents() is one.documents()
    assert one.events() == one.fields(("n",)) == [{"n": 0}, {"n": 1}, {"n": 2}]
