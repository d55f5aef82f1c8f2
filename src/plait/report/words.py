"""The fixed words of reports: one table a language, in `languages/` of this package and of those that add to it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from plait.errors import unknown

__all__ = ["LANGUAGES", "Words"]

LANGUAGES = ("en", "zh")


class Words:
    """Words by key in one language, with values put in.

    Parameters
    ----------
    language
        ``"en"`` or ``"zh"``.
    beside
        A package whose own `languages/` has further words, which come first.

    Raises
    ------
    ConfigError
        If there is no table for the language.
    """

    def __init__(self, language: str = "en", beside: str | None = None) -> None:
        if language not in LANGUAGES:
            raise unknown("language", language, LANGUAGES)
        self.language = language
        self._beside = beside
        self._table = _table(language) if beside is None else {**_table(language), **_table(language, beside)}

    def __call__(self, key: str, **values: Any) -> str:
        """The words at `key`, which must be there, with `values` in their places."""
        return self._table[key].format(**values)

    def name(self, group: str, name: str) -> str:
        """What one of an open set of names is called (``name("metric", "roc_auc")``); an unknown one as it is."""
        return self._table.get(f"{group}.{name}", name.replace("_", " "))

    def drawn(self, key: str, **values: Any) -> str:
        """As words of a picture: in English where no font at hand has the characters."""
        from plait.report.canvas import readable

        said = self(key, **values)
        return said if readable(said) == said else Words("en", self._beside)(key, **values)

    def drawn_name(self, group: str, name: str) -> str:
        """`name`, as words of a picture."""
        from plait.report.canvas import readable

        said = self.name(group, name)
        return said if readable(said) == said else Words("en", self._beside).name(group, name)


@cache
def _table(language: str, package: str = "plait.report") -> dict[str, str]:
    """Key to words, nested keys joined by dots."""
    import yaml

    nested = yaml.safe_load(files(package).joinpath(f"languages/{language}.yaml").read_text("utf-8"))
    return {f"{group}.{key}": words.strip() for group, own in nested.items() for key, words in own.items()}
