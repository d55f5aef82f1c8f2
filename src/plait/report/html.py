"""A report as one HTML file that asks for nothing: no script, no font, no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from plait.errors import MissingExtraError
from plait.report.page import Picture, Section
from plait.report.words import Words

__all__ = ["page"]

TYPES = {"svg": "image/svg+xml", "png": "image/png", "jpeg": "image/jpeg"}


def page(kicker: str, title: str, subtitle: str, sections: Sequence[Section], say: Words) -> str:
    """Sections as a whole page.

    The only style sheet stands in the page and is allowed by its SHA-256 in the page's content security policy; images
    are data; everything else is forbidden to load.

    Raises
    ------
    MissingExtraError
        If jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError:
        raise MissingExtraError("reports need jinja2: pip install 'plait[judge]'") from None
    here = files("plait.report").joinpath("templates")
    style = here.joinpath("style.css").read_text("utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: here.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["source"] = _source
    environment.filters["marked"] = _marked
    environment.tests["kind"] = _is_kind
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return environment.get_template("report.html").render(
        kicker=kicker,
        title=title,
        subtitle=subtitle,
        sections=sections,
        say=say,
        style=_Style(style),
        policy=policy,
        language={"zh": "zh-Hans"}.get(say.language, say.language),
    )


class _Style(str):
    """The package's own style sheet, which is not escaped."""

    def __html__(self) -> str:
        return str(self)


def _marked(text: str) -> list[tuple[str, bool]]:
    """Pieces of a text, and whether each stood between backticks: what is typed or read by a program."""
    return [(piece, bool(i % 2)) for i, piece in enumerate(text.split("`")) if piece]


def _source(picture: Picture) -> str:
    return f"data:{TYPES[picture.form]};base64,{base64.b64encode(picture.data).decode()}"


def _is_kind(block: Any, name: str) -> bool:
    return type(block).__name__ == name
