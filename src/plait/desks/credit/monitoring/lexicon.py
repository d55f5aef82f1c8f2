"""Words of trouble in English and Chinese: found where they are meant, quoted, and not where they are denied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from plait.contracts import Place
from plait.data.personal import hidden
from plait.errors import ConfigError

__all__ = ["Hit", "hits", "sentence_around", "terms_of"]

# A pattern, and how grave it is: 1 worth knowing, 2 a concern, 3 grave.
ENGLISH: Mapping[str, float] = {
    r"bankrupt\w*|insolven\w*|liquidat(?:ion|ed|or)|receivership|winding[- ]up": 3,
    r"default(?:ed|s)? on|(?:declared|in) default|foreclos\w*|repossess\w*|seiz(?:ed|ure)|frozen|froze": 3,
    r"fraud\w*|embezzl\w*|money laundering|forged|arrested|indicted|criminal charges?": 3,
    r"sued|lawsuits?|litigation|court order|judgment against|garnish\w*|tax lien|evict\w*": 2,
    r"laid off|lay-?offs?|made redundant|lost (?:his|her|their|the|my) job|unemployed|furlough\w*": 2,
    r"(?:missed|late on|behind (?:on|with)) (?:\w+ ){0,5}?(?:payments?|instalments?)": 2,
    r"payments?(?: \w+){0,5}? (?:were|was|is|are) (?:missed|late|returned)|bounced|overdue|in arrears|past due": 2,
    r"collection agenc\w+|debt collectors?|payday loans?|unpaid (?:wages|invoices|taxes|bills)": 2,
    r"profit warning|downgrad\w+|delist\w+|credit watch|going concern": 2,
    r"restructur\w+|cash[- ]?flow problems?|loss of (?:a |its |the )?(?:main |largest )?(?:customer|contract)": 1,
}
CHINESE: Mapping[str, float] = {
    "破产|清算|资不抵债|倒闭|跑路|爆雷|失信|被执行|老赖": 3,
    "冻结|查封|扣押|违约|诈骗|挪用|洗钱|刑事": 3,
    "起诉|诉讼|立案|仲裁|判决|吊销": 2,
    "裁员|失业|下岗|欠薪|停业|停产|关店": 2,
    "逾期|拖欠|催收|欠款|断供|网贷": 2,
    "评级下调|下调评级|退市|资金链|亏损": 1,
}
SENTENCE = re.compile(r"[^.!?;。！？；\n]+[.!?;。！？；]?")
CLAUSE = re.compile(r"[,，、:：()（）]|\bbut\b|\balthough\b|\bhowever\b|但是?|然而|不过")
# Before the word, in its clause: what takes it back. "not only" takes nothing back.
DENIED_BEFORE = re.compile(
    r"(?:\b(?:no|not|never|without|neither|nor|den(?:y|ies|ied|ying)|avoid(?:ed|s)?|avert(?:ed|s)?|false)\b|n['’]t\b)"
    r"(?!\s+only\b)(?:\W+[\w'’-]+){0,4}\W*$"
    r"|(?:没有?|从?未曾?|并未|无|不是|并非|不存在|不会)(?:有|被|过|任何|出现|发生|存在|进入|申请|面临|其他)*$"
    r"|(?:否认|澄清|辟谣|避免)[^，。；]{0,8}$",
    re.IGNORECASE,
)
DENIED_AFTER = re.compile(
    r"^(?:\W+[\w'’-]+){0,5}?\W+(?:denied|dismissed|unfounded|untrue|false|withdrawn|averted|avoided)\b"
    r"|^[^，。；]{0,6}(?:不实|谣言|已撤诉|已撤销|已解除|已解封)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Hit:
    """A word of trouble.

    Parameters
    ----------
    term
        As it stands in the text.
    weight
        1 worth knowing, 2 a concern, 3 grave.
    quote
        The sentence around it, personal data replaced by tokens.
    place
        Where the sentence stands in the text.
    """

    term: str
    weight: float
    quote: str
    place: Place


def terms_of(given: Mapping[str, float | str]) -> dict[str, float]:
    """A user's own words, and how grave each is.

    Raises
    ------
    ConfigError
        If a word is empty or a weight is no number from 0 (which silences the word) to 3.
    """
    made = {}
    for word, said in given.items():
        try:
            weight = float(said)
        except ValueError:
            weight = -1.0
        if not word.strip() or not 0 <= weight <= 3:
            raise ConfigError(
                f"term {word!r} with weight {said!r} is no word of trouble; give WORD=1, 2 or 3 (0: ignore)"
            )
        made[word.strip().lower()] = weight
    return made


def hits(text: str, terms: Mapping[str, float] | None = None) -> tuple[Hit, ...]:
    """Words of trouble in a text that are not denied there, in order; one a sentence, the gravest.

    Parameters
    ----------
    text
        English, Chinese, or both.
    terms
        Own words with their weights, beside the built-in ones; weight 0 silences a word.

    Notes
    -----
    A word is denied by a negation up to four words before it in its clause ("never missed a payment", 从未逾期), or by
    a word that takes it back behind it ("rumours of insolvency were denied", 破产传闻不实). This is a small list that
    people can read and extend, not a model of language: irony and hints escape it.
    """
    own = terms or {}
    mine = {
        rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word): each for word, each in own.items() if each
    }
    silent = {word for word, weight in own.items() if not weight}
    patterns = [
        (re.compile(rf"\b(?:{p})\b" if p in ENGLISH else p, re.IGNORECASE), weight)
        for p, weight in {**ENGLISH, **CHINESE, **mine}.items()
    ]
    found = []
    for sentence in SENTENCE.finditer(text):
        said = sentence.group()
        best: tuple[float, str] | None = None
        for pattern, weight in patterns:
            for match in pattern.finditer(said):
                meant = match.group().strip().lower() not in silent and not _denied(said, match.start(), match.end())
                if meant and (best is None or weight > best[0]):
                    best = (weight, match.group().strip())
        if best is not None:
            quote = hidden(said.strip())
            place = Place("span", (float(sentence.start()), float(sentence.end())), quote)
            found.append(Hit(best[1], best[0], quote, place))
    return tuple(found)


def sentence_around(text: str, place: Place) -> Place:
    """The sentence that a span of a text begins in, personal data replaced by tokens."""
    begin = place.where[0]
    for found in SENTENCE.finditer(text):
        if found.start() <= begin < found.end():
            return Place("span", (float(found.start()), float(found.end())), hidden(found.group().strip()))
    return Place("span", place.where, hidden(place.label))


def _denied(sentence: str, start: int, end: int) -> bool:
    before = CLAUSE.split(sentence[:start])[-1]
    return bool(DENIED_BEFORE.search(before) or DENIED_AFTER.search(sentence[end:]))
