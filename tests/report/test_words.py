"""Reports say the same in both languages, and every word that is asked for is there."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest
import yaml

import plait
from plait.errors import ConfigError
from plait.report.numbers import between, number, percent, signed
from plait.report.words import LANGUAGES, Words

REPORT = Path(plait.__file__).parent / "report"
TABLES = {
    language: yaml.safe_load((REPORT / "languages" / f"{language}.yaml").read_text("utf-8")) for language in LANGUAGES
}
PLACES = Formatter()


def flat(language: str) -> dict[str, str]:
    return {f"{group}.{key}": words for group, own in TABLES[language].items() for key, words in own.items()}


def places(words: str) -> set[str]:
    return {name for _, name, _, _ in PLACES.parse(words) if name}


def test_both_languages_have_the_same_keys_and_places() -> None:
    english, chinese = flat("en"), flat("zh")
    assert set(english) == set(chinese)
    assert not [key for key in english if places(english[key]) != places(chinese[key])]
    assert not [key for key in english if english[key].count("|") != chinese[key].count("|")]


def test_every_key_in_the_code_is_there() -> None:
    known = flat("en")
    code = "\n".join(path.read_text("utf-8") for path in REPORT.rglob("*.py"))
    code += (REPORT / "templates" / "report.html").read_text("utf-8")
    used = set(re.findall(r"say(?:\.drawn)?\(\s*[\"']([a-z]+\.[a-z_]+)[\"']", code))
    assert used
    assert not used - set(known)


def test_an_unknown_language_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ConfigError, match="allowed: en, zh"):
        Words("fr")


def test_names_of_an_open_set_stay_as_they_are() -> None:
    assert Words("zh").name("metric", "log_loss") == "对数损失"
    assert Words("zh").name("metric", "my_metric") == "my metric"


def test_numbers_are_short_and_undefined_ones_a_dash() -> None:
    assert [number(x) for x in (0.8025, 0, 0.0001, 12.34, 12345.6, float("nan"), None, -0.5)] == [
        "0.802",
        "0.000",
        "1e−04",
        "12.3",
        "12,346",
        "–",
        "–",
        "−0.500",
    ]
    assert (between(0.1, 0.2), between(float("nan"), 1)) == ("[0.100, 0.200]", "–")
    assert (percent(0.1234), percent(1.0), percent(0.0), percent(None)) == ("12.3%", "100%", "0%", "–")
    assert (signed(0.5), signed(-0.5)) == ("+0.500", "−0.500")
