"""Made letters with a telling phrase somewhere among other sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.data.samples.planted_outcome import beside

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["phrase"]

CHINESE = 0.2  # share of letters
# What tells, by language: each wording is a few words, which stand in other sentences too, if not together.
TELLING = (
    (
        "lost my job in the spring",
        "lost the job that paid for it all",
        "was let go from my job",
        "am out of a job since May",
        "have been without a job for weeks",
        "had to give up my job",
    ),
    ("丢了工作", "被公司辞退", "失去了这份工作", "已经没有工作"),
)
# What is put in its place where it is not there: the same words, which tell nothing.
HARMLESS = (
    (
        "lost my keys in the spring",
        "paid for the job on the roof",
        "was let in by my sister",
        "am out of town since May",
        "have been without a car for weeks",
        "had to give up my garden",
    ),
    ("丢了钥匙", "被公司邀请", "失去了这份收据", "已经没有花园"),
)
STARTS = (("Sadly I", "I", "To be open with you, I", "As you may know, I"), ("很遗憾，我", "我", "坦白地说，我"))
ENDS = (
    (".", ", but I am well.", ", as I told your clerk.", " and so I write to you."),
    ("。", "，但身体还好。", "，特此说明。"),
)
OTHERS = (
    (
        "The kitchen needs a new floor and a sink.",
        "My sister is looking for a job near the harbour.",
        "We moved into the house in the spring.",
        "The car was paid for in May.",
        "I have been with your bank for nine years.",
        "It took weeks to find a builder.",
        "I had to wait, but the quote is fair.",
        "Please write to me, or give me a call after six.",
        "Our garden is small, and we like it that way.",
        "The roof lost some tiles in the storm.",
        "My wife works for the city, three days a week.",
        "I could pay by the first of each month.",
        "The papers that you asked for are in the envelope.",
        "We own a van, a bicycle and an old boat.",
        "The school let us know about the fees.",
        "All of it would go to the builder at once.",
    ),
    (
        "厨房需要换新的地板。",
        "我妹妹正在港口附近找工作。",
        "我们是春天搬进来的。",
        "车款五月已经付清了。",
        "我在贵行开户九年了。",
        "这家公司的报价很公道。",
        "请晚上六点以后给我打电话。",
        "我妻子每周工作三天。",
        "您要的材料都在信封里。",
        "学校通知了我们学费的事。",
    ),
)


def phrase(n: int, seed: int) -> tuple[pd.DataFrame, None, pd.Series]:
    """Letters of 4 to 7 sentences; ``letter`` holds the evidence, a wording of a lost job, in half of the rows.

    One letter in five is Chinese; the other rows have the same words in another sentence. The truth is the first
    character of the wording, and the one after its last.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 61])
    there = rng.random(n) < 0.5
    letters, truth = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        language = int(rng.random() < CHINESE)
        others, space = OTHERS[language], "" if language else " "
        sentences = [others[i] for i in rng.permutation(len(others))[: rng.integers(3, 7)]]
        pools = STARTS, TELLING if there[row] else HARMLESS, ENDS
        start, told, end = (pool[language][rng.integers(len(pool[language]))] for pool in pools)
        at = int(rng.integers(len(sentences) + 1))
        first = sum(len(sentence) + len(space) for sentence in sentences[:at]) + len(start) + len(space)
        sentences.insert(at, f"{start}{space}{told}{end}")
        if there[row]:
            truth[row] = (float(first), float(first + len(told)))
        letters[row] = space.join(sentences)
    return beside(letters, there, "letter", seed), None, pd.Series(truth, name="letter", dtype=object)
