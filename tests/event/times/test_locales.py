"""Names of months and weekdays."""

from __future__ import annotations

import pytest

from ingestd.event.times.locales import find_names

LANGUAGES = ["cs", "da", "de", "en", "es", "fi", "fr", "it", "ja", "ko", "nb", "nl", "pl", "pt", "ru", "sv", "tr", "zh"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_reads_as_itself(language: str) -> None:
    names = find_names(language)
    assert [len(names.months), len(names.short_months)] == [12, 12]
    assert [len(names.weekdays), len(names.short_weekdays), len(names.halves), len(names.eras)] == [7, 7, 2, 2]
    for first, shown, read in [
        (1, names.months, names.read_months),
        (1, names.short_months, names.read_months),
        (1, names.weekdays, names.read_weekdays),
        (1, names.short_weekdays, names.read_weekdays),
        (0, names.halves, names.read_halves),
        (0, names.eras, names.read_eras),
    ]:
        for number, name in enumerate(shown, first):
            assert {read[name], read[name.lower()], read[name.upper()]} == {number}


@pytest.mark.parametrize("language", LANGUAGES)
def test_longer_names_are_tried_first(language: str) -> None:
    lengths = [len(name) for name in find_names(language).read_months]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("locale", "same"),
    [("fr-FR", "fr"), ("fr_CA", "fr"), ("no", "nb"), ("nn-NO", "nb"), ("EN-us", "en"), ("zh-Hans-CN", "zh")],
)
def test_only_the_language_counts(locale: str, same: str) -> None:
    assert find_names(locale) is find_names(same)


@pytest.mark.parametrize("locale", ["", "xx", "klingon", "%{locale}"])
def test_unknown_locale(locale: str) -> None:
    with pytest.raises(ValueError, match="is not known; known languages: cs da de en"):
        find_names(locale)
