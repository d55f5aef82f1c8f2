"""A pretrained encoder in a local folder in Hugging Face format: its configuration, its tokenizer, its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from torch import nn

from plait.contracts import Json, Ragged
from plait.errors import ConfigError, MissingExtraError

__all__ = ["Checkpoint"]

TEXTS = ("config.json", "preprocessor_config.json", "1_Pooling/config.json")
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Checkpoint:
    """What is known of a checkpoint without its weights, as texts that a saved model can carry.

    Parameters
    ----------
    texts
        The files of the folder that say how to build the model and what it reads, by name.
    digest
        BLAKE2b of the weights, hexadecimal: embeddings are kept by it.
    """

    texts: Mapping[str, str]
    digest: str

    @classmethod
    def open(cls, folder: str) -> Self:
        """Read a folder. Nothing is fetched, and no code in it is run.

        Raises
        ------
        ConfigError
            If the folder is not there or holds no ``config.json`` and ``*.safetensors``.
        """
        place = Path(folder)
        weights = sorted(place.glob("*.safetensors"))
        if not (place / "config.json").is_file() or not weights:
            pickled = " (weights as .bin are pickles, which are never read)" if list(place.glob("*.bin")) else ""
            raise ConfigError(
                f"pretrained {folder!r} is no folder in Hugging Face format: it needs config.json and "
                f"model.safetensors{pickled}; save it with save_pretrained(folder)"
            )
        texts = {name: (place / name).read_text("utf-8") for name in TEXTS if (place / name).is_file()}
        digest = hashlib.blake2b(digest_size=16)
        for file in weights:
            with file.open("rb") as stream:
                while block := stream.read(1 << 22):
                    digest.update(block)
        if any((place / name).exists() for name in (TOKENIZER, "vocab.txt", "spiece.model", "tokenizer_config.json")):
            texts[TOKENIZER] = _tokenizer(folder)
        return cls(texts, digest.hexdigest())

    @cached_property
    def config(self) -> Any:
        """The configuration, of a model type that the installed transformers knows.

        Raises
        ------
        ConfigError
            If it is damaged or of an unknown type.
        """
        transformers = _transformers()
        try:
            said = json.loads(self.texts["config.json"])
            return transformers.AutoConfig.for_model(**said)
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"the pretrained encoder's config.json cannot be used: {error}") from None

    @cached_property
    def preprocessing(self) -> dict[str, Json]:
        """What preprocessor_config.json says, if there is one."""
        return dict(json.loads(self.texts.get("preprocessor_config.json", "{}")))

    @property
    def pools_first(self) -> bool:
        """Whether a cell's vector is its first token's (said by sentence-transformers) and not the mean."""
        return bool(json.loads(self.texts.get("1_Pooling/config.json", "{}")).get("pooling_mode_cls_token", False))

    def blank(self) -> nn.Module:
        """The model without its weights, to be loaded from a saved one."""
        return _encoder(_transformers().AutoModel.from_config(self.config))

    def load(self, folder: str) -> nn.Module:
        """The model with the weights of `folder`.

        Raises
        ------
        ConfigError
            If the weights do not fit the configuration.
        """
        transformers = _transformers()
        try:
            model = transformers.AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(f"pretrained {folder!r} cannot be loaded: {str(error).splitlines()[0]}") from None
        return _encoder(model)

    def ids(self, texts: list[str], longest: int) -> Ragged:
        """Token ids, cut to `longest` (int32).

        Raises
        ------
        ConfigError
            If the folder has no tokenizer.
        """
        self._tokens.no_padding()
        self._tokens.enable_truncation(max(1, longest))
        rows = [np.array(encoding.ids, np.int32) for encoding in self._tokens.encode_batch(texts)]
        return Ragged.from_rows(rows, np.empty(0, np.int32))

    @cached_property
    def _tokens(self) -> Any:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise _missing() from None
        if TOKENIZER not in self.texts:
            raise ConfigError("the pretrained folder has no tokenizer; save it there with tokenizer.save_pretrained")
        return Tokenizer.from_str(self.texts[TOKENIZER])


def _encoder(model: Any) -> nn.Module:
    """The encoder alone of a model that also has a decoder."""
    encoder: nn.Module = model.get_encoder() if getattr(model.config, "is_encoder_decoder", False) else model
    return encoder


def _tokenizer(folder: str) -> str:
    """The tokenizer as the JSON of the tokenizers library, whatever form the folder has it in."""
    if (Path(folder) / TOKENIZER).is_file():
        return (Path(folder) / TOKENIZER).read_text("utf-8")
    try:
        found = _transformers().AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return str(found.backend_tokenizer.to_str())
    except (OSError, ValueError, AttributeError, ImportError) as error:
        raise ConfigError(f"the tokenizer in {folder!r} cannot be read: {str(error).splitlines()[0]}") from None


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise _missing() from None
    logging: Any = transformers.utils.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return transformers


def _missing() -> MissingExtraError:
    return MissingExtraError("pretrained encoders need the extra 'hf': pip install 'plait[hf]'")
