"""The command ``ingestd``. Subcommands are imported when they are called, so that ``run`` starts fast."""

from __future__ import annotations

import functools
import gc
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

import ingestd

COMMANDS = {  # name: module and click command
    "run": "ingestd.cli.commands.run:run",
    "check": "ingestd.cli.commands.check:check",
    "explain": "ingestd.cli.commands.explain:explain",
    "trace": "ingestd.cli.commands.trace:trace",
    "test": "ingestd.cli.commands.test:test",
    "migrate": "ingestd.cli.commands.migrate:migrate",
    "config": "ingestd.cli.commands.config:config",
    "reload": "ingestd.cli.commands.reload:reload",
    "upgrade": "ingestd.cli.commands.upgrade:upgrade",
    "indices": "ingestd.cli.commands.indices:indices",
    "search": "ingestd.cli.commands.search:search",
    "top": "ingestd.cli.commands.top:top",
    "words": "ingestd.cli.commands.words:words",
    "histogram": "ingestd.cli.commands.histogram:histogram",
    "problems": "ingestd.cli.commands.problems:problems",
    "aggregate": "ingestd.cli.commands.aggregate:aggregate",
    "sql": "ingestd.cli.commands.sql:sql",
    "tail": "ingestd.cli.commands.tail:tail",
    "export": "ingestd.cli.commands.export:export",
    "import": "ingestd.cli.commands.import_:import_",
    "prune": "ingestd.cli.commands.prune:prune",
    "repository": "ingestd.cli.commands.repository:repository",
    "backup": "ingestd.cli.commands.backup:backup",
    "restore": "ingestd.cli.commands.restore:restore",
    "reprocess": "ingestd.cli.commands.reprocess:reprocess",
    "doctor": "ingestd.cli.commands.doctor:doctor",
    "health": "ingestd.cli.commands.health:health",
    "alerts": "ingestd.cli.commands.alerts:alerts",
    "actions": "ingestd.cli.commands.actions:actions",
    "audit": "ingestd.cli.commands.audit:audit",
    "journal": "ingestd.cli.commands.journal:journal",
    "deadletters": "ingestd.cli.commands.deadletters:deadletters",
    "geoip": "ingestd.cli.commands.geoip:geoip",
    "kibana": "ingestd.cli.commands.kibana:kibana",
    "version": "ingestd.cli.commands.version:version",
}
ALIASES = {"replay": "reprocess"}
"""Former names of commands; they still work and are not listed."""


_GC_THRESHOLDS = (100_000, 20, 100)
"""A start makes many objects that stay; looking for garbage among them would take a tenth of its time."""


class LazyGroup(click.Group):
    """A group that imports the module of a subcommand when it is needed."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line. Errors have one form: ``error: ...`` on stderr, and the exit code."""
        gc.set_threshold(*_GC_THRESHOLDS)
        run: Callable[[], Any] = functools.partial(
            super().main, args, prog_name, complete_var, standalone_mode=False, **extra
        )
        if not standalone_mode:
            return run()
        try:
            code: Any = run()
        except click.ClickException as error:
            _show(error)
            code = error.exit_code
        except click.Abort:
            click.echo("aborted", err=True)
            code = 1
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands, in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, or None if it does not exist."""
        target = COMMANDS.get(ALIASES.get(cmd_name, cmd_name))
        if target is None:
            return None
        module, _, name = target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Return the subcommand named in ``args``; the error for an unknown name suggests a similar one."""
        if args and args[0] not in COMMANDS.keys() | ALIASES.keys() and not args[0].startswith("-"):
            from ingestd.suggest import did_you_mean  # noqa: PLC0415

            near = did_you_mean(args[0], COMMANDS)
            hint = f" Did you mean {near!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


def _show(error: click.ClickException) -> None:
    """Print an error; wrong usage comes with how to use the command."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and error.ctx is not None:
        click.echo(error.ctx.get_help(), err=True)
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        click.echo(context.get_usage(), err=True)
        click.echo(f"Try '{context.command_path} {context.help_option_names[0]}' for help.\n", err=True)
    from ingestd.cli.common.errors import show_error  # noqa: PLC0415

    show_error(f"error: {error.format_message()}")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(ingestd.__version__, "--version", "-V", prog_name="ingestd")
def main() -> None:
    """Receive, parse and store every log line: a Logstash replacement in pure Python that needs nothing else."""
