"""Is personal data found in texts, whole and of its kind, and are numbers and words that look alike left alone?"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.judgement.leaks import wilson
from benchmarks.runner import Beside, Measured, Report, main
from plait.data.persons import KINDS, spans
from plait.data.read import read

EACH = 500
NEGATIVES = 2000

Rng = np.random.Generator

GIVEN = ("John", "Mary", "Carlos", "Priya", "Oluwaseun", "Emma", "Liam", "Chen", "Fatima", "Søren", "Anna", "Ivan")
FAMILY = ("Smith", "Garcia", "O'Brien", "Novak", "Patel", "Okafor", "Jensen", "Lee", "Thomas-Reed", "Kowalski")
SURNAMES = ("王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "欧阳", "司马", "覃", "岳")
CALLED = ("伟", "芳", "小明", "建国", "静", "雨桐", "子轩", "丽华")
STREETS = ("Oak", "Main", "Martin Luther King", "Elm", "Lake Shore", "42nd")
ENDS = ("Street", "St", "Ave", "Avenue", "Road", "Blvd", "Drive", "Ln", "Way")
CITIES = ("北京市朝阳区", "上海市浦东新区", "广东省深圳市南山区", "杭州市西湖区", "")
ROADS = ("人民路", "建设大街", "中山西路", "科技园南路", "长安街")


def digits(rng: Rng, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))


def grouped(text: str, rng: Rng, sizes: tuple[int, ...]) -> str:
    """As it is, or in groups with a space or hyphen between."""
    gap = rng.choice(["", " ", "-"])
    parts, start = [], 0
    for size in sizes:
        parts.append(text[start : start + size])
        start += size
    return str(gap).join([*parts, text[start:]] if start < len(text) else parts)


def resident(rng: Rng) -> str:
    area = f"{rng.integers(11, 66)}{digits(rng, 4)}"
    born = f"{rng.integers(1940, 2015)}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}"
    body = area + born + digits(rng, 3)
    weights = [2 ** (17 - place) % 11 for place in range(17)]
    total = sum(int(sign) * weight for sign, weight in zip(body, weights, strict=True))
    return body + "10X98765432"[total % 11]


def card_plain(rng: Rng) -> str:
    start, length = [("4", 16), ("51", 16), ("2221", 16), ("6011", 16), ("622126", 16), ("6222", 19), ("37", 15)][
        int(rng.integers(7))
    ]
    body = start + digits(rng, length - len(start) - 1)
    total = 0
    for place, sign in enumerate(reversed(body)):
        twice = int(sign) * (2 - place % 2)
        total += twice // 10 + twice % 10
    return body + str(-total % 10)


def card(rng: Rng) -> str:
    plain = card_plain(rng)
    return grouped(plain, rng, (4, 6, 5) if len(plain) == 15 else (4, 4, 4, 4))


def iban(rng: Rng) -> str:
    land, length = [("DE", 22), ("FR", 27), ("GB", 22), ("NL", 18), ("ES", 24), ("CH", 21), ("PL", 28)][
        int(rng.integers(7))
    ]
    body = ("ABNA" if land == "NL" else "NWBK" if land == "GB" else "") + digits(rng, 40)
    body = body[: length - 4]
    number = int("".join(str(int(sign, 36)) for sign in body + land + "00"))
    plain = f"{land}{98 - number % 97:02d}{body}"
    return plain if rng.random() < 0.5 else " ".join(plain[i : i + 4] for i in range(0, length, 4))


def ssn(rng: Rng) -> str:
    area = rng.choice([*range(1, 666), *range(667, 900)])
    return f"{area:03d}-{rng.integers(1, 100):02d}-{rng.integers(1, 10_000):04d}"


def phone(rng: Rng) -> str:
    near = f"{rng.integers(2, 10)}{digits(rng, 2)}"
    mid = f"{rng.integers(2, 10)}{digits(rng, 2)}"
    end = digits(rng, 4)
    mobile = f"1{rng.integers(3, 10)}{digits(rng, 9)}"
    return str(
        rng.choice(
            [
                f"({near}) {mid}-{end}",
                f"{near}-{mid}-{end}",
                f"{near}.{mid}.{end}",
                f"+1 {near} {mid} {end}",
                mobile,
                f"+86 {mobile}",
                f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}",
                f"0{rng.integers(10, 1000)}-{rng.integers(2, 9)}{digits(rng, 7)}",
                f"+44 20 7{digits(rng, 3)} {digits(rng, 4)}",
                f"+49 30 {digits(rng, 8)}",
            ]
        )
    )


def email(rng: Rng) -> str:
    user = f"{rng.choice(GIVEN[:5]).lower()}{rng.choice(['.', '_', '-', ''])}{digits(rng, 2)}"
    return f"{user}@{rng.choice(['mail.com', 'bank.co.uk', 'qq.com', 'uni-x.edu.cn'])}"


def address(rng: Rng) -> str:
    if rng.random() < 0.5:
        home = rng.choice(["", ", Apt 4B", ", Suite 210", " #12"])
        return f"{rng.integers(1, 9999)} {rng.choice(STREETS)} {rng.choice(ENDS)}{home}"
    room = rng.choice(["", "3栋402室", "5号楼2单元", "1201室"])
    return f"{rng.choice(CITIES)}{rng.choice(ROADS)}{rng.integers(1, 900)}号{room}"


def name(rng: Rng) -> str:
    if rng.random() < 0.5:
        return f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}"
    return f"{rng.choice(SURNAMES)}{rng.choice(CALLED)}"


def passport(rng: Rng) -> str:
    return str(rng.choice([f"{rng.choice(list('EGPKL'))}{digits(rng, 8)}", digits(rng, 9)]))


MADE: Mapping[str, Callable[[Rng], str]] = {
    "email": email,
    "resident_id": resident,
    "iban": iban,
    "card": card,
    "card_plain": card_plain,
    "ssn": ssn,
    "passport": passport,
    "phone": phone,
    "address": address,
    "name": name,
}
AROUND: Mapping[str, tuple[tuple[str, str], ...]] = {
    "passport": (("passport ", ", issued last year"), ("护照号码：", "，请核对"), ("Passport no. ", ".")),
    "name": (
        ("my name is ", " and I need a loan"),
        ("Dear Mr. ", ", thank you"),
        ("姓名：", "，请尽快处理"),
        ("我叫", "，想申请贷款"),
    ),
    "address": (("I live at ", ", since May"), ("地址：", "，常住"), ("Send it to ", ". Thanks")),
}
ANY = (("please use ", " from now on"), ("(", ")"), ("联系：", "。谢谢"), ("it was ", ", I think."), ("", ""))


def written(kind: str, rng: Rng) -> tuple[str, str]:
    """A text with one value of a kind in it, and the value."""
    value = MADE[kind](rng)
    around = AROUND.get(kind, ANY)
    before, after = around[int(rng.integers(len(around)))]
    if kind == "name":  # a Chinese name in a Chinese text, and the like
        chinese = not value.isascii() and value[0] > "\u4e00"
        before, after = around[int(rng.integers(2)) + 2 * chinese]
    return before + value + after, value


LOOKALIKES = (
    "order 4111 1111 1111 1112 is late",
    "paid 1,234,567.89 on 2024-01-15 at 12:30",
    "version 10.0.19045.3803",
    "ISBN 978-3-16-148410-0",
    "loan 2024-00012345, account 00012345678901234567",
    "between 2010-2015 and 2016-2020",
    "coordinates 52.520008, 13.404954",
    "sha 9f86d081884c7d659a2feaa0c55ad015",
    "ratio 70.123456789012345",
    "XX/XX/XXXX XXXX XXXX account ending XXXX",
    "高中毕业，金融专业，马上办理",
    "the Apple Store on the corner",
    "Debt Consolidation Loan",
    "twitter @handle and C++ @ home",
    "合同编号20240115000123456",
    "300 Main reasons to save",
)


def negatives(rng: Rng, rows: int) -> pd.DataFrame:
    """Columns without personal data: amounts, codes, dates, categories, words."""
    words = ("loan", "branch", "Payment", "Credit", "London", "balance", "贷款", "还款", "利率", "March", "fee", "Oak")
    return pd.DataFrame(
        {
            "amount": rng.gamma(2.0, 5e4, rows).round(2),
            "volume": rng.integers(10**9, 10**12, rows),
            "code": [f"{rng.choice(list('ABC'))}{digits(rng, 6)}" for _ in range(rows)],
            "stamp": [
                f"2024-0{rng.integers(1, 10)}-{rng.integers(10, 29)}T10:15:{digits(rng, 2)}.{digits(rng, 6)}"
                for _ in range(rows)
            ],
            "price": [f"{rng.integers(1, 999)},{digits(rng, 3)}.{digits(rng, 2)} EUR" for _ in range(rows)],
            "note": [" ".join(rng.choice(words, 12)) + f" {rng.integers(1, 5000)}" for _ in range(rows)],
            "product_name": rng.choice(["Gold Card", "Plus Account", "Home Loan"], rows),
            "hash": [f"{rng.integers(2**63):016x}" for _ in range(rows)],
        }
    )


def run(seed: int) -> Report:
    """Texts with one value each; numbers and words without any; and, where it is, real text as counts."""
    rng = np.random.default_rng(seed)
    figures, taken, right = [], 0, 0
    for kind in KINDS:
        hits = 0
        for _ in range(EACH):
            text, value = written(kind, rng)
            found = spans(text)
            hits += [text[s.start : s.end] for s in found if s.kind == kind] == [value]
            taken += len(found)
            right += sum(s.kind == kind and text[s.start : s.end] == value for s in found)
        figures.append(Measured(f"{kind}: recall, whole value", hits / EACH, *wilson(hits, EACH), "share"))
    figures.append(Measured("precision on the same texts", right / taken, *wilson(right, taken), "share"))
    clean = negatives(rng, NEGATIVES)
    cells = [str(cell) for column in clean.columns for cell in clean[column]]
    wrong = sum(bool(spans(cell)) for cell in cells)
    digits_alone = sum(sum(sign.isdigit() for sign in cell) >= 9 for cell in cells)
    beside = {"nine digits or more": Beside(digits_alone / len(cells), *wilson(digits_alone, len(cells)))}
    figures.append(
        Measured(
            "cells without any: taken for personal", wrong / len(cells), *wilson(wrong, len(cells)), "share", beside
        )
    )
    folder = os.environ.get("PLAIT_DATA")
    if folder is not None:
        texts = {
            "LendingClub desc": read(Path(folder) / "lendingclub" / "loans.parquet")["desc"],
            "CFPB narratives": read(Path(folder) / "cfpb" / "complaints.parquet")["complaint_what_happened"],
        }
        figures += _counted(texts)
    return Report(
        data=f"made values, {EACH} a kind, in English and Chinese texts; {len(cells):,} made cells without any",
        split="nothing is fitted; the patterns were mended while these makers were written: no held-out test",
        figures=tuple(figures),
        notes=(
            "values and patterns were written by the same hands: on other data expect less, for names above all",
            "recall: the whole value and nothing more is found, as its own kind",
            "real texts have no labels: counts of cells, of which many are real names, mails and phones",
            "intervals of Wilson (1927)",
        ),
    )


def _counted(texts: Mapping[str, pd.Series[str]]) -> list[Measured]:
    figures = []
    for what, column in texts.items():
        cells = column.dropna()
        kinds = [{span.kind for span in spans(text)} for text in cells]
        counts = {kind: sum(kind in found for found in kinds) for kind in KINDS}
        figures += [
            Measured(f"{what}, {len(cells):,} texts: with {k}", n, unit="cells") for k, n in counts.items() if n
        ]
    return figures


if __name__ == "__main__":
    sys.exit(main(run))
