"""Names of months, weekdays, AM/PM and eras, by language.

Printed names are those of the Unicode CLDR, which Java has used since version 9. Parsers accept the long and the
short names, the short ones also without their full stop, and the names of older Java versions (``Mär``, ``lö``), so
that old logs keep working; as in Joda-Time as written here, in lower case or in upper case.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class LocaleNames:
    """The names of one language. Lists are in calendar order; weeks start on Monday.

    ``read_*`` map every spelling that a parser accepts to its number: months 1 to 12, weekdays 1 (Monday) to 7,
    ``halves`` 0 (AM) and 1 (PM), eras 0 (BC) and 1 (AD).
    """

    months: list[str]
    short_months: list[str]
    weekdays: list[str]
    short_weekdays: list[str]
    halves: list[str]
    eras: list[str]
    read_months: dict[str, int]
    read_weekdays: dict[str, int]
    read_halves: dict[str, int]
    read_eras: dict[str, int]


def find_names(locale: str) -> LocaleNames:
    """Return the names for a locale: ``fr``, ``fr-FR`` or ``fr_FR``; only the language counts.

    Raises:
        ValueError: The language is not known.
    """
    language = locale.replace("_", "-").split("-")[0].lower()
    language = {"no": "nb", "nn": "nb"}.get(language, language)
    if language not in _ROWS:
        raise ValueError(f"locale {locale!r} is not known; known languages: {' '.join(sorted(_ROWS))}")
    return _names(language)


@lru_cache
def _names(language: str) -> LocaleNames:
    row = _ROWS[language]
    months, short_months, weekdays, short_weekdays, halves, eras = [text.split("|") for text in row.texts]
    return LocaleNames(
        months, short_months, weekdays, short_weekdays, halves, eras,
        _spellings({**row.months_too, **_numbered(short_months, 1), **_numbered(months, 1)}),
        _spellings({**row.weekdays_too, **_numbered(short_weekdays, 1), **_numbered(weekdays, 1)}),
        _spellings({**_numbered(["AM", "PM"], 0), **_numbered(halves, 0)}),
        _spellings({**_numbered(["BC", "AD"], 0), **_numbered(["BCE", "CE"], 0), **_numbered(eras, 0)}),
    )  # fmt: skip


def _numbered(names: list[str], first: int) -> dict[str, int]:
    plain = {name.removesuffix("."): number for number, name in enumerate(names, first)}
    return plain | {name: number for number, name in enumerate(names, first)}


def _spellings(numbers: dict[str, int]) -> dict[str, int]:
    """Add the names in lower and upper case, longest first: a parser takes the longest match."""
    spelt = {form: number for name, number in numbers.items() for form in (name.lower(), name.upper(), name)}
    return dict(sorted(spelt.items(), key=lambda item: -len(item[0])))


class _LocaleRow:
    """The entry of one language in the table below: months, weekdays, AM/PM and eras; more names to accept."""

    def __init__(
        self,
        *texts: str,
        months_too: dict[str, int] | None = None,
        weekdays_too: dict[str, int] | None = None,
    ) -> None:
        self.texts = texts
        self.months_too = months_too or {}
        self.weekdays_too = weekdays_too or {}


_ROWS = {
    "en": _LocaleRow(
        "January|February|March|April|May|June|July|August|September|October|November|December",
        "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec",
        "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
        "Mon|Tue|Wed|Thu|Fri|Sat|Sun",
        "AM|PM",
        "BC|AD",
    ),
    "de": _LocaleRow(
        "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember",
        "Jan.|Feb.|März|Apr.|Mai|Juni|Juli|Aug.|Sept.|Okt.|Nov.|Dez.",
        "Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag",
        "Mo.|Di.|Mi.|Do.|Fr.|Sa.|So.",
        "AM|PM",
        "v. Chr.|n. Chr.",
        months_too={"Mär": 3, "Mrz": 3, "Jun": 6, "Jul": 7, "Sep": 9},
    ),
    "fr": _LocaleRow(
        "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
        "janv.|févr.|mars|avr.|mai|juin|juil.|août|sept.|oct.|nov.|déc.",
        "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche",
        "lun.|mar.|mer.|jeu.|ven.|sam.|dim.",
        "AM|PM",
        "av. J.-C.|ap. J.-C.",
    ),
    "es": _LocaleRow(
        "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre",
        "ene|feb|mar|abr|may|jun|jul|ago|sept|oct|nov|dic",
        "lunes|martes|miércoles|jueves|viernes|sábado|domingo",
        "lun|mar|mié|jue|vie|sáb|dom",
        "a. m.|p. m.",
        "a. C.|d. C.",
        months_too={"sep": 9},
    ),
    "it": _LocaleRow(
        "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre",
        "gen|feb|mar|apr|mag|giu|lug|ago|set|ott|nov|dic",
        "lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica",
        "lun|mar|mer|gio|ven|sab|dom",
        "AM|PM",
        "a.C.|d.C.",
    ),
    "pt": _LocaleRow(
        "janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro",
        "jan.|fev.|mar.|abr.|mai.|jun.|jul.|ago.|set.|out.|nov.|dez.",
        "segunda-feira|terça-feira|quarta-feira|quinta-feira|sexta-feira|sábado|domingo",
        "seg.|ter.|qua.|qui.|sex.|sáb.|dom.",
        "AM|PM",
        "a.C.|d.C.",
    ),
    "nl": _LocaleRow(
        "januari|februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december",
        "jan.|feb.|mrt.|apr.|mei|jun.|jul.|aug.|sep.|okt.|nov.|dec.",
        "maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag",
        "ma|di|wo|do|vr|za|zo",
        "a.m.|p.m.",
        "v.Chr.|n.Chr.",
    ),
    "pl": _LocaleRow(
        "stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia",
        "sty|lut|mar|kwi|maj|cze|lip|sie|wrz|paź|lis|gru",
        "poniedziałek|wtorek|środa|czwartek|piątek|sobota|niedziela",
        "pon.|wt.|śr.|czw.|pt.|sob.|niedz.",
        "AM|PM",
        "p.n.e.|n.e.",
        weekdays_too={"Pn": 1, "Cz": 4, "So": 6, "N": 7},
    ),
    "ru": _LocaleRow(
        "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря",
        "янв.|февр.|мар.|апр.|мая|июн.|июл.|авг.|сент.|окт.|нояб.|дек.",
        "понедельник|вторник|среда|четверг|пятница|суббота|воскресенье",
        "пн|вт|ср|чт|пт|сб|вс",
        "AM|PM",
        "до н. э.|н. э.",
        months_too={"фев": 2, "сен": 9, "ноя": 11},
    ),
    "ko": _LocaleRow(
        "1월|2월|3월|4월|5월|6월|7월|8월|9월|10월|11월|12월",
        "1월|2월|3월|4월|5월|6월|7월|8월|9월|10월|11월|12월",
        "월요일|화요일|수요일|목요일|금요일|토요일|일요일",
        "월|화|수|목|금|토|일",
        "오전|오후",
        "BC|AD",
    ),
    "ja": _LocaleRow(
        "1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月",
        "1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月",
        "月曜日|火曜日|水曜日|木曜日|金曜日|土曜日|日曜日",
        "月|火|水|木|金|土|日",
        "午前|午後",
        "紀元前|西暦",
    ),
    "zh": _LocaleRow(
        "一月|二月|三月|四月|五月|六月|七月|八月|九月|十月|十一月|十二月",
        "1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月",
        "星期一|星期二|星期三|星期四|星期五|星期六|星期日",
        "周一|周二|周三|周四|周五|周六|周日",
        "上午|下午",
        "公元前|公元",
    ),
    "sv": _LocaleRow(
        "januari|februari|mars|april|maj|juni|juli|augusti|september|oktober|november|december",
        "jan.|feb.|mars|apr.|maj|juni|juli|aug.|sep.|okt.|nov.|dec.",
        "måndag|tisdag|onsdag|torsdag|fredag|lördag|söndag",
        "mån|tis|ons|tors|fre|lör|sön",
        "fm|em",
        "f.Kr.|e.Kr.",
        months_too={"mar": 3, "jun": 6, "jul": 7},
        weekdays_too={"må": 1, "ti": 2, "on": 3, "to": 4, "fr": 5, "lö": 6, "sö": 7},
    ),
    "da": _LocaleRow(
        "januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december",
        "jan.|feb.|mar.|apr.|maj|jun.|jul.|aug.|sep.|okt.|nov.|dec.",
        "mandag|tirsdag|onsdag|torsdag|fredag|lørdag|søndag",
        "man.|tir.|ons.|tor.|fre.|lør.|søn.",
        "AM|PM",
        "f.Kr.|e.Kr.",
        weekdays_too={"ma": 1, "ti": 2, "on": 3, "to": 4, "fr": 5, "lø": 6, "sø": 7},
    ),
    "nb": _LocaleRow(
        "januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember",
        "jan.|feb.|mar.|apr.|mai|jun.|jul.|aug.|sep.|okt.|nov.|des.",
        "mandag|tirsdag|onsdag|torsdag|fredag|lørdag|søndag",
        "man.|tir.|ons.|tor.|fre.|lør.|søn.",
        "a.m.|p.m.",
        "f.Kr.|e.Kr.",
        weekdays_too={"ma": 1, "ti": 2, "on": 3, "to": 4, "fr": 5, "lø": 6, "sø": 7},
    ),
    "fi": _LocaleRow(
        "tammikuuta|helmikuuta|maaliskuuta|huhtikuuta|toukokuuta|kesäkuuta|heinäkuuta|elokuuta|syyskuuta|lokakuuta|marraskuuta|joulukuuta",
        "tammik.|helmik.|maalisk.|huhtik.|toukok.|kesäk.|heinäk.|elok.|syysk.|lokak.|marrask.|jouluk.",
        "maanantaina|tiistaina|keskiviikkona|torstaina|perjantaina|lauantaina|sunnuntaina",
        "ma|ti|ke|to|pe|la|su",
        "ap.|ip.",
        "eKr.|jKr.",
        weekdays_too={
            "maanantai": 1,
            "tiistai": 2,
            "keskiviikko": 3,
            "torstai": 4,
            "perjantai": 5,
            "lauantai": 6,
            "sunnuntai": 7,
        },
    ),
    "tr": _LocaleRow(
        "Ocak|Şubat|Mart|Nisan|Mayıs|Haziran|Temmuz|Ağustos|Eylül|Ekim|Kasım|Aralık",
        "Oca|Şub|Mar|Nis|May|Haz|Tem|Ağu|Eyl|Eki|Kas|Ara",
        "Pazartesi|Salı|Çarşamba|Perşembe|Cuma|Cumartesi|Pazar",
        "Pzt|Sal|Çar|Per|Cum|Cmt|Paz",
        "ÖÖ|ÖS",
        "MÖ|MS",
    ),
    "cs": _LocaleRow(
        "ledna|února|března|dubna|května|června|července|srpna|září|října|listopadu|prosince",
        "led|úno|bře|dub|kvě|čvn|čvc|srp|zář|říj|lis|pro",
        "pondělí|úterý|středa|čtvrtek|pátek|sobota|neděle",
        "po|út|st|čt|pá|so|ne",
        "dop.|odp.",
        "př. n. l.|n. l.",
        months_too={"Čer": 6},
    ),
}
