"""In which encoding a text was written, and whether one was read in the wrong one."""

from __future__ import annotations

import re

__all__ = ["garbled", "guess"]

CHINESE = 0.6  # share of the characters beyond ASCII from which those of GB 2312, the common ones, tell GB 18030
LATIN = 0.5  # share of accented letters in a text that no European language has

# UTF-8 read as Windows-1252 or Latin-1, bytes that were lost, and what GBK makes of them.
_TRACES = re.compile(
    "[ÂÃÐÑÅ][\u0080-\u00bf\u2018-\u201d\u2020-\u2026€™œžŸ]|[åæäçèé][\u0080-\u00bf][\u0080-\u00bf]"
    "|â€|ï»¿|ï¿½|\ufffd|锟斤拷|烫烫烫"
)
_HIGH = re.compile("[\u00a1-\u00ff]")
_HAN = re.compile("[\u4e00-\u9fff]")


def garbled(text: str) -> bool:
    """Whether a text shows that its bytes were read in the wrong encoding.

    Found are UTF-8 read as Windows-1252 (``Ã©`` for ``é``), lost bytes (U+FFFD), and GB 18030 read as Latin-1.
    """
    if text.isascii():
        return False
    if found := _TRACES.search(text):
        return found.group()[0] not in "ÂÃÐÑÅåæäçèé" or _undone(text, found.start())
    high = _HIGH.findall(text)
    if len(high) < 4 or len(high) < LATIN * len(text.replace(" ", "")):
        return False
    try:
        again = text.encode("latin-1").decode("gb18030")
    except UnicodeError:
        return False
    return len(_HAN.findall(again)) * 2 >= len(high) * 0.9


def _undone(text: str, at: int) -> bool:
    """Whether the signs from `at` on become one character of UTF-8 when the mistake is undone."""
    for wrong in ("cp1252", "latin-1"):
        for length in (2, 3, 4):
            try:
                if len(text[at : at + length].encode(wrong).decode("utf-8")) == 1:
                    return True
            except UnicodeError:
                continue
    return False


def guess(data: bytes) -> str:
    """The likeliest encoding of bytes: utf-8, utf-16, gb18030, cp1252 or latin-1."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    some = data[:200_000]
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    try:
        text = some.decode("gb18030", "strict" if len(some) == len(data) else "ignore")
    except UnicodeDecodeError:
        text = ""
    beyond = [sign for sign in text if not sign.isascii()]
    if beyond and sum(map(_simple, beyond)) >= CHINESE * len(beyond):
        return "gb18030"
    try:
        some.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _simple(sign: str) -> bool:
    """Whether GB 2312 has a sign: what Latin letters happen to make in GB 18030 mostly lies beyond it."""
    try:
        return len(sign.encode("gb2312")) == 2
    except UnicodeEncodeError:
        return False
