import hashlib
from pathlib import Path

import pytest

from ingestd.config.parser import parse_string
from ingestd.jobs.import_places import Checks, ImportBusyError, Place, Places, destination_of, digest

ANY = Path("any")


def outputs(text: str) -> str:
    return destination_of(parse_string(f"input {{ stdin {{ }} }} {text}", {}).outputs)


def test_the_destination_is_what_the_outputs_say() -> None:
    plain = outputs("output { store { } }")
    assert plain == outputs('filter { mutate { add_tag => "x" } }\n\noutput {\n  store {\n}}')
    assert plain != outputs('output { store { index => "x-%{+YYYY}" } }')
    assert plain != outputs("output { stdout { } }")


def test_a_file_that_has_grown_is_found_again(tmp_path: Path) -> None:
    head = b"first line\n"
    places = Places(tmp_path, "d")
    with places.held():
        place = places.new(head, Path("a.log"))
        places.save(Place(place.origin, place.head, place.head_bytes, 11, digest(head), 11, "a.log"))
    again = Places(tmp_path, "d")
    with again.held():
        assert [one.offset for one in again.candidates(head + b"second line\n", ANY)] == [11]
        assert again.candidates(b"other line\n", ANY) == again.candidates(b"first", ANY) == []
    other = Places(tmp_path, "e")
    with other.held():
        assert other.candidates(head, ANY) == []


def test_a_few_first_bytes_do_not_make_a_file_the_same(tmp_path: Path) -> None:
    places = Places(tmp_path, "d")
    with places.held():
        places.save(places.new(b"{", Path("a")))
        places.save(places.new(b"", Path("empty")))
    places = Places(tmp_path, "d")
    with places.held():
        assert places.candidates(b"{}", Path("b")) == places.candidates(b"", Path("empty")) == []
        assert len(places.candidates(b"{", Path("b"))) == len(places.candidates(b"{}", Path("a"))) == 1


def test_what_is_under_way_is_noted(tmp_path: Path) -> None:
    places = Places(tmp_path, "d")
    with places.held():
        places.save(Place("a", "", 0, 5, under_way=True))
        places.save(Place("b", "", 0, 7, under_way=True))
    after_a_kill = Places(tmp_path, "d")
    with after_a_kill.held():
        assert after_a_kill.under_way() == {"a": 5, "b": 7}
    places.settle()
    with after_a_kill.held():
        assert after_a_kill.under_way() == {}


def test_files_that_begin_alike_have_streams_of_their_own(tmp_path: Path) -> None:
    places = Places(tmp_path, "d")
    with places.held():
        one = places.new(b"x", Path("one"))
        places.remember(one)
        two = places.new(b"x", Path("two"))
    assert two.origin == f"{one.origin}.1"
    assert one.origin == Places(tmp_path, "d").new(b"x", Path("elsewhere")).origin


def test_a_place_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "f00-d.json").write_bytes(b'{"origin":')
    places = Places(tmp_path, "d")
    with places.held():
        assert places.candidates(b"x", ANY) == []


def test_one_import_at_a_time(tmp_path: Path) -> None:
    with Places(tmp_path, "d").held(), pytest.raises(ImportBusyError), Places(tmp_path, "e").held():
        pass
    with Places(tmp_path, "d").held():
        pass


def test_checks_are_digests_of_all_before() -> None:
    checks = Checks()
    for part in (b"abc", b"de", b"f"):
        checks.add(part)
    assert (checks.size, checks.digest) == (6, digest(b"abcdef"))
    assert checks.at(2) == (0, digest(b""))
    assert checks.at(4) == (3, digest(b"abc"))
    assert checks.at(6) == (6, hashlib.blake2b(b"abcdef", digest_size=16).hexdigest())
