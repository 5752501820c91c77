"""Dictionaries of the filter ``translate``: files in YAML, JSON and CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from ingestd.event.jsontext import NotJsonError, loads

Dictionary = dict[str, Any]


class DictionaryError(ValueError):
    """A file cannot be read, or is not a dictionary. The message names the file."""


def is_yaml(path: Path) -> bool:
    """Return whether the name is that of a YAML file."""
    return path.suffix.lower() in (".yaml", ".yml")


def read_dictionary(path: Path, max_chars: int | None = None) -> Dictionary:
    """Return the entries of a file, in the format that its extension names; keys are texts, as they are written.

    Args:
        path: A file ``*.yaml``, ``*.yml``, ``*.json`` or ``*.csv`` (two columns), in UTF-8.
        max_chars: Refuse a longer YAML file.

    Raises:
        DictionaryError: The file cannot be read, or has another format.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise DictionaryError(f"{path} must be a file .yaml, .yml, .json or .csv")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if max_chars is not None and is_yaml(path) and len(text) > max_chars:
            raise DictionaryError(f"{path} has more than {max_chars} characters, see yaml_dictionary_code_point_limit")
        found = read(text)
    except OSError as error:
        raise DictionaryError(f"dictionary_path: cannot read {path}: {error.strerror}") from None
    except DictionaryError:
        raise
    except (ValueError, RecursionError, csv.Error) as error:
        raise DictionaryError(f"dictionary_path: cannot read {path}: {error}") from None
    if type(found) is not dict:
        raise DictionaryError(f"{path} is not a dictionary: keys with values")
    return found


def _read_json(text: str) -> Any:
    try:
        return loads(text.encode())
    except NotJsonError as error:
        raise ValueError(str(error)) from None


def _read_csv(text: str) -> Dictionary:
    rows = csv.reader(text.splitlines(keepends=True), strict=True)
    return {row[0]: row[1] if len(row) > 1 else None for row in rows if row}


def _read_yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 -- only if a config needs it

    try:
        return yaml.load(text, _yaml_loader()) or {}  # noqa: S506 -- a kind of safe loader
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


@cache
def _yaml_loader() -> Any:
    """Return a loader that leaves keys and dates as they are written, and makes only what JSON has."""
    import yaml  # noqa: PLC0415

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
            self.flatten_mapping(node)
            return {
                str(key.value) if isinstance(key, yaml.ScalarNode) else repr(self.construct_object(key, deep=True)): (
                    self.construct_object(value, deep=True)
                )
                for key, value in node.value
            }

    def mapping(loader: Any, node: Any) -> dict[str, Any]:
        made: dict[str, Any] = loader.construct_mapping(node)
        return made

    def ordered(loader: Any, node: Any) -> dict[str, Any]:
        """Return a list of single pairs as one dictionary."""
        return {key: value for part in node.value for key, value in loader.construct_mapping(part).items()}

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_constructor("tag:yaml.org,2002:set", mapping)
    Loader.add_constructor("tag:yaml.org,2002:omap", ordered)
    for written in ("timestamp", "binary"):
        Loader.add_constructor(f"tag:yaml.org,2002:{written}", lambda loader, node: loader.construct_scalar(node))
    return Loader


_READERS: dict[str, Callable[[str], Any]] = {
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".json": _read_json,
    ".csv": _read_csv,
}
