import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestd.stores.export.excel import excel_text
from ingestd.stores.export.formats import write_csv, write_parquet


def _parquet(documents: list[Any], folder: Path) -> list[dict[str, Any]]:
    with (folder / "t.parquet").open("wb") as file:
        write_parquet([json.dumps(document).encode() for document in documents], file, (), folder)
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT * FROM read_parquet(?)", [str(folder / "t.parquet")])
        names = [column[0] for column in rows.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def test_parquet_of_values_that_disagree(tmp_path: Path) -> None:
    documents = [{"a": 1, "b": [1, 2], "Level": "x", "level": 1, 'q"': True}, {"a": "1", "c": {"d": 0.5}}]
    assert _parquet(documents, tmp_path) == [
        {"level": 1, "Level_1": "x", "a": "1", "b": "[1,2]", "c.d": None, 'q"': True},
        {"level": None, "Level_1": None, "a": "1", "b": None, "c.d": 0.5, 'q"': None},
    ]


def test_parquet_of_nothing(tmp_path: Path) -> None:
    assert _parquet([], tmp_path) == []


def test_csv_of_nothing(tmp_path: Path) -> None:
    target = io.BytesIO()
    write_csv([], target, (), tmp_path)
    assert target.getvalue() == b"\r\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        ("\n=1", "'\n=1"),
        ("＝1", "'＝1"),
        ("-5", "-5"),
        ("+82", "+82"),
        ("-1.5e-7", "-1.5e-7"),
        ("a=b", "a=b"),
        ("서울", "서울"),
        ("", ""),
    ],
)
def test_formulas_are_text(value: str, expected: str) -> None:
    assert excel_text(value) == expected
