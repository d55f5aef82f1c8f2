"""How names, identity numbers, cards, phones, mails and addresses are written, in English and in Chinese.

Patterns find candidates; what has a check digit is checked: Chinese resident identities (GB 11643, ISO 7064 MOD 11-2),
cards (Luhn, ISO/IEC 7812-1), bank accounts (IBAN, ISO 13616, MOD 97-10).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

__all__ = ["KINDS", "Span", "is_chinese_name", "is_full_name", "is_kind", "spans"]


class Span(NamedTuple):
    """Characters `start` to `end` of a text, and what they are."""

    kind: str
    start: int
    end: int


_GIVEN_NAMES = (
    "aaron adam adrian alan albert alex alexander alexandra alice alicia allison amanda amber amy andrea andrew angela "
    "anita ann anna anne anthony antonio arthur ashley austin barbara benjamin beth betty beverly billy bobby bonnie "
    "bradley brandon brenda brian bruce bryan carl carlos carmen carol caroline carolyn catherine charles charlotte "
    "cheryl chris christian christina christine christopher cindy claire connie craig crystal curtis cynthia daniel "
    "danielle david dawn deborah debra denise dennis diana diane donald donna doris dorothy douglas dylan edith edward "
    "elaine eleanor elena elizabeth ellen emily emma eric erica erin ernest ethan eugene evelyn florence frances "
    "francis frank gabriel gary george gerald gloria gregory hannah harold harry heather helen henry holly howard ian "
    "irene isabella jack jacob jacqueline james jamie jane janet janice jason jean jeffrey jennifer jeremy jesse "
    "jessica jill joan joann joe john johnny jonathan jose joseph joshua joyce juan juanita judith judy julia julie "
    "justin karen katherine kathleen kathryn kathy katie keith kelly kenneth kevin kimberly kyle larry laura lauren "
    "lawrence leo leslie lillian linda lisa logan lois lori louis louise lucas lucy luis lucia luke lynn madison "
    "marcus margaret maria marie marilyn mario mark martha martin mary matthew megan melanie melissa michael michelle "
    "miguel mildred mohamed mohammed monica nancy natalie nathan nicholas nicole noah norma olivia oliver oscar pamela "
    "patricia patrick paul paula peter philip phillip phyllis rachel ralph randy raymond rebecca ricardo richard "
    "robert roberto robin roger ronald rose roy russell ruth ryan samantha samuel sandra sara sarah scott sean sharon "
    "shawn sheila shirley sofia sophia stephanie stephen steven susan sylvia tammy tanya teresa terry theodore theresa "
    "thomas tiffany timothy tina todd tom tyler vanessa veronica victor victoria vincent virginia walter wanda wayne "
    "wendy wesley william zachary"
)
_GIVEN = frozenset(_GIVEN_NAMES.split())
_NO_SURNAMES = frozenset({"account", "auto", "bank", "consolidation", "corporation", "group", "inc", "llc", "loan"})
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    "陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_DOUBLE = "欧阳|司马|上官|诸葛|皇甫|尉迟|慕容|令狐"
_WORD = r"(?:[A-Z]['’])?[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]+(?:-[A-ZÀ-ÖØ-Þ]?[a-zß-öø-ÿ]+)?"
_FULL_NAME = re.compile(rf"({_WORD})(?: (?:[A-Z]\.?|{_WORD}))?[ ]({_WORD})")
_CHINESE_NAME = re.compile(rf"(?:(?:{_DOUBLE})[\u4e00-\u9fff]{{1,2}}|[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})")

_STREETS = (
    "Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Terrace|"
    "Parkway|Pkwy|Highway|Hwy|Way"
)
_PATTERNS: dict[str, re.Pattern[str]] = {
    "email": re.compile(
        r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}(?![\w@])", re.ASCII
    ),
    "resident_id": re.compile(
        r"(?<![0-9A-Za-z])[1-9]\d{5}[ -]?(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
        r"[ -]?\d{3}[\dXx](?![0-9A-Za-z])"
    ),
    "iban": re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![0-9A-Za-z])"),
    "card": re.compile(
        r"(?<![\d.,-])(?<!\d )[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,4}(?:[ -]?\d{1,3})?(?![\d-])"
        r"|(?<![\d.,-])3[47]\d{2}[ -]?\d{6}[ -]?\d{5}(?!\d)"
    ),
    "ssn": re.compile(
        r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"
        r"|(?i:\bSSN:? ?|\bsocial security (?:number|no\.?):? ?(?:is )?)(\d{3}[ -]?\d{2}[ -]?\d{4})(?!\d)"
    ),
    "passport": re.compile(r"(?i:passport|护照)\D{0,24}?(?<![0-9A-Za-z])([A-Z]{1,2}\d{6,8}|\d{9})(?![0-9A-Za-z])"),
    "phone": re.compile(
        r"(?<![\d+.-])(?:(?:\+|00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\d-])"  # Chinese mobiles
        r"|(?<![\d-])0\d{2,3}-\d{7,8}(?![\d-])"  # Chinese landlines
        r"|(?<![\d+.-])(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])"  # North America
        r"[2-9]\d{2}[ .-]\d{4}(?![\d-])"
        r"|(?<![\d+])\+[1-9](?:[ .()-]{0,2}\d){7,14}(?!\d)"  # E.164
    ),
    "address": re.compile(
        rf"\b\d{{1,5}}[A-Z]? (?:[NSEW]\.? )?(?:[A-Z][A-Za-z'.]+ |\d{{1,3}}(?:st|nd|rd|th) ){{1,3}}"
        rf"(?:{_STREETS})\b(?:\.(?=,| (?:Apt|Suite|Ste|Unit|#)))?"
        r"(?:,? ?(?:Apt|Apartment|Suite|Ste|Unit|#)\.? ?\w{1,5})?"
        r"|\b[Pp]\.? ?[Oo]\.? ?[Bb]ox \d{1,6}\b"
        r"|(?:[\u4e00-\u9fff]{2,7}?(?:省|自治区|市|区|县|镇|乡)){0,4}"
        r"[\u4e00-\u9fff]{1,8}(?:路|街|大道|巷|弄|胡同)[\u4e00-\u9fff\d]{0,6}?\d{1,5}(?:弄|号)"
        r"(?:[0-9A-Za-z\u4e00-\u9fff-]{0,10}?(?:室|楼|单元|栋|幢|座)){0,3}"
    ),
    "name": re.compile(
        rf"(?:\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? |(?i:\bmy name is |\bname: ?))"
        rf"((?:{_WORD})(?: [A-Z]\.)?(?: {_WORD}){{0,2}})"
        r"|(?:我叫|我是|姓名[：:]? ?|本人|借款人|客户|联系人)"
        rf"((?:{_DOUBLE})[\u4e00-\u9fff]{{1,2}}|[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})"
        r"(?=[,，。.;；、!！\s]|$|先生|女士|身份|电话|手机)"
        rf"|((?:{_DOUBLE}|[{_SURNAMES}])[\u4e00-\u9fff]{{0,2}}?)(?:先生|女士|小姐)"
    ),
}
KINDS = tuple(_PATTERNS)
_NUMBERS = frozenset({"resident_id", "iban", "card", "ssn", "passport", "phone"})
_SIX_DIGITS = re.compile(r"\d(?:[^\d\n]{0,3}\d){5}")

_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "NL"), 18),
    **dict.fromkeys(("SI",), 19),
    **dict.fromkeys(("AT", "EE", "LT", "LU", "KZ"), 20),
    **dict.fromkeys(("CH", "HR", "LV", "LI"), 21),
    **dict.fromkeys(("BG", "DE", "GB", "IE", "GE", "BH"), 22),
    **dict.fromkeys(("AE", "IL"), 23),
    **dict.fromkeys(("CZ", "ES", "PK", "RO", "SA", "SE", "SK"), 24),
    **dict.fromkeys(("PT", "IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC", "SM"), 27),
    **dict.fromkeys(("HU", "PL", "CY"), 28),
    **dict.fromkeys(("MT",), 31),
}
_ISSUERS = re.compile(
    r"4(\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|6(?:011|4[4-9]\d|5\d\d)\d{12}|62\d{14,17}|3[47]\d{13}|35\d{14}"
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _bare(text: str) -> str:
    return re.sub(r"[ -]", "", text)


def _resident(text: str) -> bool:
    digits = _bare(text).upper()
    try:
        date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14]))
    except ValueError:
        return False
    total = sum(int(sign) * weight for sign, weight in zip(digits[:17], _ID_WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == digits[17]


def _iban(text: str) -> bool:
    account = _bare(text)
    if _IBAN_LENGTHS.get(account[:2]) != len(account):
        return False
    return int("".join(str(int(sign, 36)) for sign in account[4:] + account[:4])) % 97 == 1


def _card(text: str) -> bool:
    digits = _bare(text)
    if not _ISSUERS.fullmatch(digits) or len(set(digits)) < 2:
        return False
    total = 0
    for place, sign in enumerate(reversed(digits)):
        twice = int(sign) * (1 + place % 2)
        total += twice - 9 * (twice > 9)
    return total % 10 == 0


_CHECKS: dict[str, Callable[[str], bool]] = {"resident_id": _resident, "iban": _iban, "card": _card}


def spans(text: str, kinds: tuple[str, ...] = KINDS) -> list[Span]:
    """What a text holds of these kinds, in order; where two overlap, the kind that comes first in `KINDS` stays."""
    found: list[Span] = []
    numbered = _SIX_DIGITS.search(text) is not None
    for kind in KINDS:
        if kind not in kinds or (kind == "email" and "@" not in text):
            continue
        if kind in _NUMBERS and not numbered:
            continue
        for start, end in _of(kind, text):
            if all(end <= other.start or start >= other.end for other in found):
                found.append(Span(kind, start, end))
    return sorted(found, key=lambda span: span.start)


def _of(kind: str, text: str) -> Iterator[tuple[int, int]]:
    check = _CHECKS.get(kind)
    for match in _PATTERNS[kind].finditer(text):
        inner = next((i for i in range(1, (match.re.groups or 0) + 1) if match.group(i)), 0)
        if check is None or check(match.group(inner)):
            yield match.span(inner)


def is_full_name(text: str) -> bool:
    """Whether a whole text is a Western name: a common given name, perhaps a middle one, and a surname."""
    found = _FULL_NAME.fullmatch(text.strip())
    return found is not None and found.group(1).lower() in _GIVEN and found.group(2).lower() not in _NO_SURNAMES


def is_chinese_name(text: str) -> bool:
    """Whether a whole text may be a Chinese name: a common surname, and one or two characters."""
    return _CHINESE_NAME.fullmatch(text.strip()) is not None


def is_kind(kind: str, digits: str) -> bool:
    """Whether a whole number, written out, is one of this kind."""
    return spans(digits, (kind,)) == [Span(kind, 0, len(digits))]
