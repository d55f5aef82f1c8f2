"""The phrase grammar behind the letters of made loans: what a borrower may write, in English and Chinese."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["worst", "write"]

CHINESE = 0.2  # share of letters
T = TypeVar("T")

OPENINGS = (
    (
        "Dear lender, thank you for reading my application today.",
        "Hello, I would like to borrow money for a planned expense.",
        "Good morning, I am writing about the loan I asked for.",
        "To whom it may concern, here is a little about me.",
    ),
    (
        "您好，感谢您抽时间审阅我的贷款申请。",
        "尊敬的审核人员，我想申请一笔贷款用于计划中的支出。",
        "你好，下面简单介绍一下我的情况。",
        "您好，这是我为本次借款写的说明。",
    ),
)
# Each pool: (weight in the log-odds, phrase).
NEUTRAL = (
    (
        (0.0, "I live with my family near the city centre."),
        (0.0, "The money would arrive just before the summer."),
        (0.0, "I found your offer on a comparison page."),
        (0.0, "A friend recommended your company to me."),
        (0.0, "I prefer to pay at the beginning of the month."),
        (0.0, "My documents are attached to the application."),
        (0.0, "Please send the contract by post or by mail."),
        (0.0, "I have two children and an old dog."),
        (0.0, "I moved to this part of the country recently."),
        (0.0, "You can reach me in the evening by phone."),
    ),
    (
        (0.0, "我和家人住在市中心附近。"),
        (0.0, "我是在比价网站上看到贵公司的。"),
        (0.0, "朋友向我推荐了你们。"),
        (0.0, "我希望每月月初还款。"),
        (0.0, "相关材料已随申请一并提交。"),
        (0.0, "晚上可以通过电话联系到我。"),
        (0.0, "我有两个孩子和一只老狗。"),
        (0.0, "我最近刚搬到这个地区。"),
    ),
)
DISTRESS = (
    (
        (0.7, "My hours at work were cut this spring."),
        (0.7, "I have fallen behind on a few bills."),
        (0.7, "Medical costs took most of what I had saved."),
        (0.7, "I am juggling several credit cards at the moment."),
        (0.7, "The rent went up and money is tight."),
        (0.7, "I borrow from relatives to get through the month."),
        (1.3, "I was laid off and have found nothing yet."),
        (1.3, "A collector calls me almost every day."),
        (1.3, "I missed the last three payments on my car."),
        (1.3, "My account has been overdrawn since the divorce."),
        (1.3, "I took a payday loan to repay another one."),
        (1.3, "The landlord has sent me an eviction notice."),
    ),
    (
        (0.7, "今年春天公司减少了我的工时。"),
        (0.7, "有几张账单我已经拖欠了。"),
        (0.7, "医药费花掉了我大部分积蓄。"),
        (0.7, "我目前靠好几张信用卡周转。"),
        (0.7, "房租上涨，手头很紧。"),
        (1.3, "我被裁员了，至今没有找到工作。"),
        (1.3, "催收人员几乎每天给我打电话。"),
        (1.3, "车贷已经连续三个月没有还上。"),
        (1.3, "我借了高息网贷去还另一笔债。"),
    ),
)
STEADY = (
    (
        (-0.7, "I pay my cards in full every month."),
        (-0.7, "My spouse also earns a regular salary."),
        (-0.7, "I received a raise at the last review."),
        (-0.7, "My job is permanent and the firm is growing."),
        (-0.7, "I have never missed a payment in my life."),
        (-0.7, "The car is paid off and the house nearly."),
        (-1.3, "Six months of expenses lie in my savings account."),
        (-1.3, "I have worked for the city for twelve years."),
        (-1.3, "I could repay early from my yearly bonus."),
        (-1.3, "My pension is guaranteed and covers all costs twice."),
        (-1.3, "I closed my last loan a year before its term."),
    ),
    (
        (-0.7, "我的信用卡每月都全额还清。"),
        (-0.7, "我的爱人也有稳定的工资收入。"),
        (-0.7, "上次考核后我刚刚加薪。"),
        (-0.7, "我的工作是长期合同，公司发展良好。"),
        (-1.3, "我的存款足够支付半年的开销。"),
        (-1.3, "我在市政府单位工作了十二年。"),
        (-1.3, "我可以用年终奖提前还款。"),
        (-1.3, "上一笔贷款我提前一年就结清了。"),
    ),
)
CLOSINGS = (
    ("Thank you for your time.", "Kind regards.", "I look forward to your answer.", "With best wishes to your team."),
    ("谢谢您的时间。", "此致敬礼。", "期待您的回复。", "祝工作顺利。"),
)


def write(distress: npt.NDArray[np.float64], rng: np.random.Generator) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Write one letter for each degree of distress (standard normal).

    A letter is an opening, three to five statements and a closing, 20 to 64 English words or as much Chinese. The more
    distress, the more of the statements tell of trouble rather than of steadiness.

    Returns the letters and the sum of their phrases' weights, float64 ``N``: what the letters really say of the risk.
    """
    n = len(distress)
    language = (rng.random(n) < CHINESE).astype(int)
    count = rng.integers(3, 6, n)
    draws, picks = rng.random((n, 5)), rng.random((n, 7))
    troubled = 0.6 / (1.0 + np.exp(-1.6 * distress))[:, None]
    # 0 neutral (four in ten), 1 distress, 2 steady.
    kinds = np.where(draws < troubled, 1, np.where(draws < 0.6, 2, 0))
    letters: list[str] = []
    weights = np.zeros(n)
    for i in range(n):
        tongue = language[i]
        parts = [_pick(OPENINGS[tongue], picks[i, 5])]
        said: set[str] = set()
        for j in range(count[i]):
            weight, phrase = _pick((NEUTRAL, DISTRESS, STEADY)[kinds[i, j]][tongue], picks[i, j])
            if phrase not in said:
                said.add(phrase)
                parts.append(phrase)
                weights[i] += weight
        parts.append(_pick(CLOSINGS[tongue], picks[i, 6]))
        letters.append(("" if tongue else " ").join(parts))
    return letters, weights


def worst(letter: str | None) -> tuple[float, float] | None:
    """The sentence of a written letter that tells of the worst trouble, the first of several.

    Returns its first character and the one after its last; None if no sentence tells of any, or there is no letter.
    """
    if letter is None:
        return None
    told = [(-weight, letter.find(said), said) for pool in DISTRESS for weight, said in pool if said in letter]
    if not told:
        return None
    _, first, said = min(told)
    return float(first), float(first + len(said))


def _pick(pool: tuple[T, ...], where: float) -> T:
    return pool[int(where * len(pool))]
