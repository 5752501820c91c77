"""``ingestd`` whose outputs have a defect: they fail on whatever has the word ``poison`` in it, with an odd error."""

from __future__ import annotations

from typing import Any

from ingestd.cli.main import main
from ingestd.plugins.outputs.file import FileOutput
from ingestd.plugins.outputs.stdout import Stdout
from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.local.append_logs.writer import LocalWriter


def poison(owner: Any, name: str) -> None:
    """Let a function fail if the word is in its arguments."""
    sound = getattr(owner, name)

    def faulty(*arguments: Any, **options: Any) -> Any:
        if any(
            b"poison" in (bytes(argument) if isinstance(argument, memoryview) else repr(argument).encode())
            for argument in arguments
        ):
            raise KeyError(name)
        return sound(*arguments, **options)

    setattr(owner, name, faulty)


if __name__ == "__main__":
    poison(LocalWriter, "append")
    poison(FileOutput, "_file")
    poison(Stdout, "_write")
    poison(ElasticClient, "bulk")
    main()
