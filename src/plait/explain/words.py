"""Explanations in words: a few plain sentences a row, in English or Chinese."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plait.contracts import Exhibit, Place
from plait.errors import unknown
from plait.explain.explanation import CellShares, ColumnShares, Explanation, SourceShares

__all__ = ["LANGUAGES", "check_language", "texts"]

MOST = 5  # sources told one by one
LITTLE = 0.05  # of the largest share: what moves the prediction less is told as a list
PLACES = 2  # named of a cell, and columns of a source
LONGEST = 60  # characters quoted of a text


@dataclass(frozen=True)
class Language:
    """How a language says it.

    Parameters
    ----------
    phrases
        By name, with fields in braces.
    points
        From a change of a probability to percentage points in words.
    place
        A place in words, of a cell.
    listed
        From names to a list.
    apart, stop, space
        Between clauses, after a sentence, and between sentences.
    capital
        Sentences begin with one.
    """

    phrases: Mapping[str, str]
    points: Callable[[float], str]
    place: Callable[[Place, CellShares], str]
    listed: Callable[[Sequence[str]], str]
    apart: str
    stop: str
    space: str
    capital: bool

    def say(self, phrase: str, **fields: str) -> str:
        return self.phrases[phrase].format(**fields)

    def joined(self, clauses: Sequence[str]) -> str:
        """Clauses as a sentence."""
        sentence = self.apart.join(clauses) + self.stop
        return sentence[:1].upper() + sentence[1:] if self.capital else sentence


def texts(explanation: Explanation, language: str = "en") -> list[str]:
    """A few sentences a row: the prediction, what each source adds to it, and by which columns and places.

    Raises
    ------
    ConfigError
        If the language is unknown (allowed: ``"en"``, ``"zh"``).
    """
    check_language(language)
    said = LANGUAGES[language]
    return [_row(explanation, row, said) for row in range(len(explanation))]


def check_language(language: str) -> None:
    """Refuse a language that is not known.

    Raises
    ------
    ConfigError
        If it is unknown.
    """
    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)


def _row(explanation: Explanation, row: int, said: Language) -> str:
    sentences = [_head(explanation, row, said)]
    if explanation.sources is not None:
        sentences += _sources(explanation, explanation.sources, row, said)
    elif explanation.columns is not None:
        sentences += _columns(explanation.columns, row, said)
    else:
        sentences += _cells(explanation, row, said)
    return said.space.join(sentences)


def _sources(explanation: Explanation, sources: SourceShares, row: int, said: Language) -> list[str]:
    """What the sources add, the large shares one by one; which hardly count, and which are missing."""
    amount, values, error = _amounts(explanation, said), sources.values[row], sources.error[row]
    here = sources.present[row]
    order = [int(i) for i in np.argsort(-np.abs(values), kind="stable") if here[i]]
    told = [i for i in order[:MOST] if abs(values[i]) > LITTLE * np.abs(values).max()]
    clauses = []
    for i in told:
        name, value = sources.sources[i], float(values[i])
        clause = said.say("adds" if value > 0 else "takes", source=name, amount=amount(abs(value)))
        clause += said.say("unsure", amount=amount(float(error[i]))) if error[i] > 0 else ""
        clauses.append(clause + _because(explanation, row, name, value, said))
    sentences = [said.joined(clauses)] if clauses else []
    if rest := [sources.sources[i] for i in order if i not in told]:
        sentences.append(said.joined([said.say("little", sources=said.listed(rest))]))
    if gone := [name for name, seen in zip(sources.sources, here, strict=True) if not seen]:
        sentences.append(said.joined([said.say("missing" if here.any() else "unknown", sources=said.listed(gone))]))
    return sentences


def _head(explanation: Explanation, row: int, said: Language) -> str:
    """The prediction, and how far it is from what is predicted of a row of which nothing is known."""
    kind, event = _kind(explanation), _event(explanation, row)
    shown = {"score": "{:+.2f}".format, "value": "{:,.4g}".format, "chance": _percent}[kind]
    prediction = float(explanation.prediction[row])
    what, number = said.say(kind, event=event), shown(prediction)
    if explanation.sources is None:
        return said.joined([said.say("only", what=what, number=number)])
    base = float(explanation.sources.base[row])
    amount = _amounts(explanation, said)(abs(prediction - base))
    told = "same" if number == shown(base) else "above" if prediction > base else "below"
    return said.joined([said.say(told, what=what, number=number, amount=amount, base=shown(base))])


def _kind(explanation: Explanation) -> str:
    return "score" if explanation.scale == "score" else "value" if explanation.output is None else "chance"


def _event(explanation: Explanation, row: int) -> str:
    """What the explained class is called: the target where it says so by itself (1, true), else target = label."""
    if explanation.output is None:
        return explanation.target or "value"
    label = explanation.output[row]
    if explanation.target is None:
        return str(label) if isinstance(label, str) else f"class {label}"
    yes = str(label).lower() in ("1", "1.0", "true", "yes")
    return explanation.target if yes else f"{explanation.target} = {label}"


def _because(explanation: Explanation, row: int, source: str, value: float, said: Language) -> str:
    """By what a source adds or takes: places of its cell, or else columns of a source with several."""
    names: list[tuple[str, float]] = []
    for cell in explanation.cells:
        if cell.row == row and cell.source == source and len(cell.places) > 1:
            names += [(said.place(p, cell), float(v)) for p, v in zip(cell.places, cell.values, strict=True)]
    columns = explanation.columns
    if not names and columns is not None:
        own = [i for i, name in enumerate(columns.sources) if name == source]
        names = [(columns.columns[i], float(columns.values[row, i])) for i in own] if len(own) > 1 else []
    names.sort(key=lambda pair: -abs(pair[1]))
    most = max((abs(share) for _, share in names), default=0.0)
    with_it = [name for name, share in names if share * value > 0 and abs(share) > most / 4][:PLACES]
    against = [name for name, share in names if share * value < 0 and abs(share) > most / 2][:1]
    told = said.say("mainly", names=said.listed(with_it)) if with_it else ""
    return told + (said.say("against", names=said.listed(against)) if against else "")


def _columns(columns: ColumnShares, row: int, said: Language) -> list[str]:
    """What the columns add to the score, where no sources were asked for."""
    values = columns.values[row]
    order = np.argsort(-np.abs(values), kind="stable")[:MOST]
    clauses = [
        said.say("adds" if values[i] > 0 else "takes", source=columns.columns[i], amount=f"{abs(values[i]):.2f}")
        for i in order
        if abs(values[i]) > LITTLE * np.abs(values).max()
    ]
    if not clauses:
        return []
    base, score = f"{columns.base[row]:+.2f}", f"{columns.score[row]:+.2f}"
    return [said.joined([said.say("scored", base=base, score=score, rest=clauses[0]), *clauses[1:]])]


def _cells(explanation: Explanation, row: int, said: Language) -> list[str]:
    """The strongest places of each cell, where nothing else was asked for."""
    clauses = []
    for cell in explanation.cells:
        if cell.row == row:
            most = np.argsort(-np.abs(cell.values), kind="stable")[:PLACES]
            names = said.listed([said.place(cell.places[i], cell) for i in most])
            clauses.append(said.say("inside", source=cell.source, names=names))
    return [said.joined(clauses)] if clauses else []


def _amounts(explanation: Explanation, said: Language) -> Callable[[float], str]:
    kind = _kind(explanation)
    if kind == "chance":
        return said.points
    return lambda value: f"{value:.2f}" if kind == "score" else f"{value:,.3g}"


def _percent(share: float) -> str:
    digits = 0 if 0.01 <= share <= 0.99 else 2 if 0.0001 < share < 0.9999 else 4
    return f"{100 * share:.{digits}f}%"


def _digits(points: float) -> str:
    """Percentage points, one digit behind the point where they are few."""
    points *= 100
    return f"{points:.0f}" if points >= 9.95 else f"{points:.1f}".removesuffix(".0") if points >= 0.05 else "0.1"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _quoted(place: Place, cell: CellShares, marks: str) -> str:
    """The words of a single item, where items are words."""
    begin, end = int(place.where[0]), int(place.where[-1])
    if place.kind != "items" or end - begin != 1 or not isinstance(cell.exhibit.values, tuple):
        return ""
    item = cell.exhibit.values[begin] if begin < len(cell.exhibit.values) else None
    return marks.format(_short(item.values)) if isinstance(item, Exhibit) and isinstance(item.values, str) else ""


# English


def _english_points(value: float) -> str:
    told = "less than 0.1" if value < 0.0005 else _digits(value)
    return f"{told} point" + ("" if told == "1" else "s")


def _english_place(place: Place, cell: CellShares) -> str:
    before = {
        "span": "the words '{}'",
        "box": "the area {}",
        "seconds": "what is heard at {}",
        "frames": "what is seen at {}",
        "points": "the part {}",
        "link": "the link to {}",
    }
    return before.get(place.kind, "{}").format(_short(place.label)) + _quoted(place, cell, " ('{}')")


def _english_list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# Chinese


def _chinese_points(value: float) -> str:
    return "不到0.1个百分点" if value < 0.0005 else f"{_digits(value)}个百分点"


def _chinese_place(place: Place, cell: CellShares) -> str:
    begin, end = place.where[0], place.where[-1]
    if place.kind == "span":
        return f"词句“{_short(place.label)}”"
    if place.kind == "box":
        left, top, right, bottom = (round(100 * share) for share in place.where)
        return f"横向{left}%至{right}%、纵向{top}%至{bottom}%的区域"
    if place.kind == "points":
        x, y, z, radius = place.where
        return f"以({x:.2f}, {y:.2f}, {z:.2f})为中心、半径{radius:.2f}的部分"
    if place.kind in ("seconds", "frames"):
        return f"第{round(begin, 2):g}至{round(end, 2):g}秒的" + ("声音" if place.kind == "seconds" else "画面")
    if place.kind == "link":
        others = int(end - begin)
        name = place.label.split(" and ")[0] if others > 1 else place.label
        return f"与{name}等{others}个对象的联系" if others > 1 else f"与{name}的联系"
    unit = {"steps": "步", "records": "条记录", "items": "项"}[place.kind]
    number = f"{begin + 1:.0f}" if end - begin == 1 else f"{begin + 1:.0f}至{end:.0f}"
    return f"第{number}{unit}" + _quoted(place, cell, "“{}”")


def _chinese_list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else "、".join(names[:-1]) + "和" + names[-1]


LANGUAGES: Mapping[str, Language] = {
    "en": Language(
        {
            "chance": "the probability of {event}",
            "value": "the prediction of {event}",
            "score": "the score of {event}",
            "above": "{what} is {number}, {amount} above the base of {base} for a row of which nothing is known",
            "below": "{what} is {number}, {amount} below the base of {base} for a row of which nothing is known",
            "same": "{what} is {number}, as for a row of which nothing is known",
            "only": "{what} is {number}",
            "adds": "the {source} adds {amount}",
            "takes": "the {source} takes away {amount}",
            "scored": "from {base} to {score} on the scale of scores, {rest}",
            "inside": "in the {source}, {names} count most",
            "mainly": ", above all by {names}",
            "against": " (against it: {names})",
            "unsure": " (give or take {amount})",
            "little": "hardly anything comes from {sources}",
            "missing": "missing: {sources}",
            "unknown": "nothing is known of it; missing: {sources}",
        },
        _english_points,
        _english_place,
        _english_list,
        apart="; ",
        stop=".",
        space=" ",
        capital=True,
    ),
    "zh": Language(
        {
            "chance": "{event} 的概率",
            "value": "{event} 的预测值",
            "score": "{event} 的分数",
            "above": "{what}为 {number}，比一无所知时的基准 {base} 高 {amount}",
            "below": "{what}为 {number}，比一无所知时的基准 {base} 低 {amount}",
            "same": "{what}为 {number}，与一无所知时相同",
            "only": "{what}为 {number}",
            "adds": "{source} 使其升高 {amount}",
            "takes": "{source} 使其降低 {amount}",
            "scored": "按分数计，从 {base} 到 {score}：{rest}",
            "inside": "{source} 中作用最大的是{names}",
            "mainly": "，主要由于{names}",
            "against": "（{names}起相反作用）",
            "unsure": "（误差约 {amount}）",
            "little": "{sources} 几乎没有影响",
            "missing": "缺失：{sources}",
            "unknown": "对此行一无所知；缺失：{sources}",
        },
        _chinese_points,
        _chinese_place,
        _chinese_list,
        apart="；",
        stop="。",
        space="",
        capital=False,
    ),
}
