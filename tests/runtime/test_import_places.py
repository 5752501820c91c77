import hashlib
from pathlib import Path

import pytest

from ingestd.config.parser import parse_string
from ingestd.runtime.import_places import BusyError, Checks, Place, Places, destination_of, digest


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
        assert [one.offset for one in again.candidates(head + b"second line\n")] == [11]
        assert again.candidates(b"other line\n") == again.candidates(b"first") == []
    other = Places(tmp_path, "e")
    with other.held():
        assert other.candidates(head) == []


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
        assert places.candidates(b"x") == []


def test_one_import_at_a_time(tmp_path: Path) -> None:
    with Places(tmp_path, "d").held(), pytest.raises(BusyError), Places(tmp_path, "e").held():
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
