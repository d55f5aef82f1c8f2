"""Subwords: a unigram language model over pieces of words (Kudo, 2018), trained here by sentencepiece."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Ragged

__all__ = ["UNKNOWN", "Subwords", "train"]

PADDING, UNKNOWN = 0, 1
BYTES = 256  # pieces kept for characters never seen
LEAST, MOST = 500, 8000
CHARACTERS_A_PIECE = 100  # training text behind each piece, where the text is short
LONGEST = 400  # characters of a text that training reads: about what the tokens of a cell cover


def train(texts: Sequence[str], vocabulary: int | None, lowercase: bool) -> npt.NDArray[np.uint8]:
    """Train a model on some texts.

    Parameters
    ----------
    texts
        At least one, none blank.
    vocabulary
        Pieces wanted; None lets the amount of text decide, between 500 and 8,000. Every common character and every byte
        is a piece whatever is wanted, and texts that hold fewer pieces make a smaller model.
    lowercase
        Whether capitals count as small letters.

    Returns
    -------
    ndarray
        uint8: the model as sentencepiece's protocol buffer.
    """
    import sentencepiece

    texts = [text[:LONGEST] for text in texts]
    wanted = vocabulary or int(np.clip(sum(map(len, texts)) // CHARACTERS_A_PIECE, LEAST, MOST))
    characters = len(set().union(*texts))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="unigram",
        vocab_size=max(wanted, characters + BYTES + 50),
        hard_vocab_limit=False,
        character_coverage=0.9995,
        byte_fallback=True,
        normalization_rule_name="nmt_nfkc_cf" if lowercase else "nmt_nfkc",
        max_sentence_length=8 * LONGEST,
        shuffle_input_sentence=False,
        num_threads=1,
        pad_id=PADDING,
        unk_id=UNKNOWN,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    return np.frombuffer(model.getvalue(), np.uint8)


class Subwords:
    """A trained model at work.

    Parameters
    ----------
    model
        uint8, as `train` gives it; empty for a model of no text, which knows no piece.
    """

    def __init__(self, model: npt.NDArray[np.uint8]) -> None:
        self.model = model

    @cached_property
    def _processor(self) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=self.model.tobytes())

    @property
    def size(self) -> int:
        """Number of ids: 0 is padding, 1 is what no piece covers."""
        return int(self._processor.get_piece_size()) if len(self.model) else UNKNOWN + 1

    def encode(self, texts: Sequence[str], most: int) -> Ragged:
        """Ids (int32) of each text's first pieces: at least one, at most `most`."""
        found: list[list[int]] = [[]] * len(texts)
        if len(self.model) and texts:
            # one by one: a list starts a thread, which a single record waits for longer than for its pieces; a piece
            # holds at most 16 characters: what lies behind cannot matter
            found = [self._processor.encode(text[: 16 * most], out_type=int) for text in texts]
        rows = [ids[:most] or [UNKNOWN] for ids in found]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return Ragged(np.fromiter(chain.from_iterable(rows), np.int32, int(offsets[-1])), offsets)
