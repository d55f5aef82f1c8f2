"""The command line: one file a verb. Verbs import what is heavy only when they run."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from plait import __version__
from plait.cli.audit import audit_app
from plait.cli.calibrate import calibrate
from plait.cli.card import card
from plait.cli.compare import compare
from plait.cli.demo import demo
from plait.cli.desks import WithDesks
from plait.cli.detect import detect
from plait.cli.drift import drift
from plait.cli.evaluate import evaluate
from plait.cli.explain import explain
from plait.cli.export import export
from plait.cli.fair import fair
from plait.cli.fit import fit
from plait.cli.inspect import inspect
from plait.cli.keys import keys_app
from plait.cli.list import list_parts
from plait.cli.nearest import nearest
from plait.cli.overview import overview
from plait.cli.predict import predict
from plait.cli.pretrain import pretrain
from plait.cli.report import report
from plait.cli.serve import serve
from plait.cli.stress import stress
from plait.cli.swap import swap
from plait.cli.tune import tune
from plait.cli.watch import watch
from plait.cli.windows import windows
from plait.errors import PlaitError, unknown

__all__ = ["app", "main"]

OK, OURS, THEIRS = 0, 1, 2  # exit codes: done, our mistake, the user's input


def app() -> typer.Typer:
    """The commands of ``plait``."""
    made = typer.Typer(
        name="plait",
        cls=WithDesks,
        help="Learn from every kind of financial evidence at once, and judge what was learned.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_plait)
    verbs: tuple[Callable[..., None], ...] = (
        inspect,
        fit,
        pretrain,
        nearest,
        tune,
        predict,
        evaluate,
        calibrate,
        compare,
        explain,
        overview,
        fair,
        drift,
        stress,
        detect,
        list_parts,
        report,
        card,
        demo,
        serve,
        swap,
        export,
        watch,
        windows,
    )
    for verb in verbs:
        made.command(verb.__name__.removesuffix("_parts"))(verb)
    for group in (keys_app, audit_app):
        made.add_typer(group())
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 2 the user's input was wrong (one line says how), 1 the mistake is ours, 3 a
    gate that was asked for says no."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to stop
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return app()(args=arguments, prog_name="plait", standalone_mode=False) or OK
    except typer.TyperException as error:
        return _refuse(_usage(error))
    except PlaitError as error:
        return _refuse(str(error))
    except Exception as error:  # the outermost place: what reaches it is a defect of ours, and is shown as one
        traceback.print_exc()
        print(f"plait: internal error: {type(error).__name__}; please report it with the lines above", file=sys.stderr)
        return OURS


def _refuse(said: str) -> int:
    print(f"plait: error: {' '.join(said.split())}", file=sys.stderr)
    return THEIRS


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the command line, the nearest option suggested."""
    option: str | None = getattr(error, "option_name", None)
    context: Any = getattr(error, "ctx", None)
    if option is None or context is None or "No such option" not in str(error):
        return error.format_message()
    known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    return str(unknown("option", option, known))


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


def _plait(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass
