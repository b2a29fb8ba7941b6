"""An arm's encoded examples: what bears loss, what is cut, and the cache they lie in."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coig.config import TrainConfig
from coig.config.loading import load_config
from coig.data import encoded as dataset
from coig.data.encoded import EncodedSet, encode_mixture
from coig.data.encoding import Encoder
from coig.data.mixture import build_mixture
from coig.data.tokenizer import load_tokenizer
from coig.errors import DataError
from tests.conftest import ROOT, SHARED
from tests.data.reading import composed
from tests.forked import Forked

SYSTEM = "You are a helpful assistant."
QWEN = SHARED / "tokenizers" / "qwen2.5"
PROMPT = "<|im_start|>system\n" + SYSTEM + "<|im_end|>\n<|im_start|>user\n{p}<|im_end|>\n<|im_start|>assistant\n"
TARGETS = {
    "process": "<think>\n{r}\n</think>\n\n{a}<|im_end|>",
    "outcome": "{a}<|im_end|>",
    "answer_loss": "{a}<|im_end|>",
    "text": PROMPT + "<think>\n{r}\n</think>\n\n{a}<|im_end|>",
}


def train_config(*overrides: str) -> TrainConfig:
    return load_config(composed("train", *overrides))


def encode(*overrides: str) -> tuple[EncodedSet, EncodedSet]:
    config = train_config(*overrides)
    encoder = Encoder.of(config.model, load_tokenizer(config.model))
    return encode_mixture(build_mixture(config.data, config.seed), config, encoder)


def supervised(one: Any) -> list[int]:
    return [token for token, weight in zip(one.input_ids.tolist(), one.weights, strict=True) if weight > 0]


@pytest.mark.parametrize(
    ("model", "supervision"), [*(("sample", supervision) for supervision in TARGETS), ("qwen2.5", "process")]
)
def test_what_bears_loss_decodes_to_exactly_the_target(model: str, supervision: str) -> None:
    if model == "qwen2.5" and not QWEN.exists():
        pytest.skip(f"{QWEN} is not beside this checkout")
    # long enough to cut none, and so short that some are cut
    for limit in (4096, 450):
        config = train_config(
            *([f"model.path={QWEN}"] if model == "qwen2.5" else []),
            f"supervision={supervision}",
            "data.ratio=1k",
            f"model.max_length={limit}",
        )
        tokenizer = load_tokenizer(config.model)
        mixture = build_mixture(config.data, config.seed)
        texts = {one.id: one for one in mixture.examples(mixture.train)}
        train, _ = encode_mixture(mixture, config, Encoder.of(config.model, tokenizer))
        ends = 0
        for one in train:
            text = texts[one.id]
            target = TARGETS[supervision].format(p=text.prompt, r=text.reasoning, a=text.answer)
            decoded = tokenizer.decode(supervised(one))
            ends += decoded.endswith("<|im_end|>")
            assert decoded == target if limit == 4096 else target.startswith(decoded.rstrip("\ufffd"))
            assert len(one.input_ids) == len(one.segments) == len(one.weights) <= limit
        assert len(train) == 51 + 62 - train.counts["dropped"]
        assert ends == len(train) - train.counts["truncated"]
        assert (train.counts["truncated"] == 0) == (limit == 4096)


def test_counts_per_kind_language_and_source() -> None:
    train, validation = encode("data.ratio=1k", "model.max_length=600")
    for encoded in (train, validation):
        for group in encoded.groups:
            mine = [one for one in encoded if (one.kind, one.lang) == (group["kind"], group["lang"])]
            assert group["examples"] == len(mine)
            assert group["tokens"] == sum(len(one.input_ids) for one in mine)
            assert group["supervised_tokens"] == sum(len(supervised(one)) for one in mine)
    assert [(g["kind"], g["lang"], g["source"]) for g in train.groups] == [
        ("creative", "zh", "creative"),
        ("general", "en", "general_en"),
        ("general", "zh", "general_zh"),
    ]
    assert [group["truncated"] > 0 for group in train.groups] == [True, False, False]


def test_a_segment_weight_of_zero_bears_no_loss() -> None:
    train, _ = encode("data.ratio=0", "supervision.weights.reasoning=0", "supervision.weights.answer=0.5")
    one = train[0]
    prompt, reasoning, answer = one.lengths
    assert one.weights.tolist() == [0.0] * (prompt + reasoning) + [0.5] * answer
    assert train.groups[0]["supervised_tokens"] == sum(one.lengths[2] for one in train)


def test_text_counts_no_first_token() -> None:
    """Nothing stands before it that could predict it."""
    train, _ = encode("data.ratio=0", "supervision=text")
    assert train.groups[0]["supervised_tokens"] == train.groups[0]["tokens"] - len(train)


def written(file: Path, *rows: str) -> str:
    file.write_text("\n".join(rows), encoding="utf-8")
    return str(file)


SHORT = '{"query": "问", "thought": "想", "answer": "答"}'
LONG = '{"id": "long", "query": "问", "thought": "想", "answer": "' + "很长的答案" * 50 + '"}'
HOPELESS = '{"query": "' + "很长的问题" * 50 + '", "thought": "想", "answer": "答"}'
ALONE = ("data=local", "data.ratio=0", "model.max_length=60")


def test_a_truncated_example_has_no_end_token(tmp_path: Path) -> None:
    file = written(tmp_path / "rows.jsonl", SHORT, LONG)
    train, _ = encode(f"data.creative.path={file}", *ALONE)
    [long] = [one for one in train if one.id == "long"]
    end = load_tokenizer(train_config("model=tiny").model).convert_tokens_to_ids("<|im_end|>")
    assert len(long.input_ids) == 60
    assert end not in supervised(long)
    assert train.counts == {"truncated": 1, "dropped": 0}


def test_an_example_without_supervised_tokens_is_dropped(tmp_path: Path) -> None:
    file = written(tmp_path / "rows.jsonl", SHORT, HOPELESS)
    train, _ = encode(f"data.creative.path={file}", *ALONE)
    assert (len(train), train.counts) == (1, {"truncated": 0, "dropped": 1})


@pytest.mark.parametrize(
    ("overlong", "why"),
    [("drop", "all are longer than model.max_length=60"), ("truncate", "none has a token that bears loss within")],
)
def test_an_arm_never_loses_a_whole_pool(tmp_path: Path, overlong: str, why: str) -> None:
    file = written(tmp_path / "rows.jsonl", HOPELESS)
    with pytest.raises(DataError, match=rf"data.creative: of its 1 examples {why}"):
        encode(f"data.creative.path={file}", *ALONE, f"data.overlong={overlong}")


def test_a_pool_may_lose_a_whole_file(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", SHORT)
    written(tmp_path / "b.jsonl", HOPELESS)
    train, _ = encode(f"data.creative.path='{tmp_path}/*.jsonl'", *ALONE)
    assert [(group["source"], group["examples"], group["dropped"]) for group in train.groups] == [
        ("a", 1, 0),
        ("b", 0, 1),
    ]


def test_overlong_examples_can_be_dropped_or_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "rows.jsonl", SHORT, LONG)
    train, _ = encode(f"data.creative.path={file}", *ALONE, "data.overlong=drop")
    assert (len(train), train.counts) == (1, {"truncated": 0, "dropped": 1})
    with pytest.raises(DataError, match=r"rows.jsonl:2: example long has \d+ tokens, over model.max_length=60"):
        encode(f"data.creative.path={file}", *ALONE, "data.overlong=error")


def test_documents_are_learned_whole(tmp_path: Path) -> None:
    texts = written(tmp_path / "texts.jsonl", *(f'{{"text": "第{n}段文字。"}}' for n in range(3)))
    train, _ = encode(
        "data.ratio=3",
        "data.scale=1",
        "source@data.general.zh=plain_text",
        f"data.general.zh.path={texts}",
        "data.general.en.path=null",
        "data.validation.general=0",
    )
    documents = [one for one in train if one.kind == "general"]
    assert len(documents) == 3
    assert all(one.lengths[0] == one.lengths[1] == 0 and one.weights.min() == 1 for one in documents)


def test_a_long_document_is_split_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    sentences = "".join(f"第{n}句话。" for n in range(200))
    texts = written(tmp_path / "texts.jsonl", f'{{"id": "long", "text": "{sentences}"}}', '{"text": "短。"}')
    train, _ = encode(
        "data=local",
        f"data.creative.path={written(tmp_path / 'creative.jsonl', SHORT)}",
        "data.ratio=2",
        "source@data.general.zh=plain_text",
        f"data.general.zh.path={texts}",
        "model.max_length=100",
    )
    tokenizer = load_tokenizer(train_config("model=tiny").model)
    pieces = [one for one in train if one.id.startswith("long")]
    assert [one.id for one in pieces] == [f"long/{n}" for n in range(1, len(pieces) + 1)]
    assert len(pieces) > 2
    assert "".join(tokenizer.decode(one.input_ids) for one in pieces) == sentences + "<|endoftext|>"
    sizes = [len(one.input_ids) for one in pieces]
    assert max(sizes) <= 100 < 2 * min(sizes)
    [group] = [group for group in train.groups if group["kind"] == "general"]
    assert (group["examples"], group["split"], group["truncated"], group["dropped"]) == (2, 1, 0, 0)
    assert group["tokens"] == sum(len(one.input_ids) for one in train if one.kind == "general")


OWN_SYSTEM = '{"id": "own", "prompt": "问", "reasoning": "想", "answer": "答", "system": "Be brief."}'
DROPS_SYSTEM = "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"


def test_a_rows_own_system_message_that_the_template_drops_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "rows.jsonl", OWN_SYSTEM)
    config = train_config(f"data.creative.path={file}", *ALONE, "model.system_prompt=null")
    tokenizer = load_tokenizer(config.model)
    tokenizer.chat_template = DROPS_SYSTEM
    with pytest.raises(DataError, match=r"rows.jsonl:1: example own: .*leaves out the system message"):
        encode_mixture(build_mixture(config.data, config.seed), config, Encoder.of(config.model, tokenizer))


# --- the cache ---------------------------------------------------------------------------------------------------


def shards(cache: Path) -> list[Path]:
    return sorted(cache.glob("encoded/*/[!.]*"))


def content(encoded: EncodedSet) -> list[list[int]]:
    return [one.input_ids.tolist() for one in encoded]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_arms_share_what_was_encoded(own_cache: Path) -> None:
    first = content(encode("data.ratio=1k")[0])
    [shard] = shards(own_cache)
    encode("data.ratio=1k", "supervision=answer_loss", "seed=0", "model.max_length=900")
    encode("data.ratio=0", "data.overlong=drop")
    assert shards(own_cache) == [shard]
    encode("data.ratio=5k")
    assert len(shards(own_cache)) == 2
    assert content(encode("data.ratio=1k")[0]) == first


@pytest.mark.parametrize("other", ["supervision=outcome", "model.system_prompt=another", "model.system_prompt=null"])
def test_what_bears_on_the_ids_has_a_cache_of_its_own(own_cache: Path, other: str) -> None:
    plain, different = content(encode("data.ratio=0")[0]), content(encode("data.ratio=0", other)[0])
    assert len(list(own_cache.glob("encoded/*.lock"))) == 2
    assert plain != different


@pytest.mark.parametrize("file", ["ids.npy", "index.parquet"])
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_shard_is_made_again(own_cache: Path, file: str, damage: str) -> None:
    before = content(encode("data.ratio=0")[0])
    [shard] = shards(own_cache)
    whole = (shard / file).read_bytes()
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 1
    if damage == "gone":
        (shard / file).unlink()
    else:
        (shard / file).write_bytes(broken if damage == "changed" else whole[:100])
    assert content(encode("data.ratio=0")[0]) == before
    assert (shards(own_cache), (shard / file).read_bytes()) == ([shard], whole)


def inspect(cache: Path, stop_at: str | None = None) -> Forked:
    """Start coig.data.inspect with its cache in a folder."""
    arguments = ["data.ratio=10k", "format=json"]
    return Forked("coig/data/inspect.py", arguments, ROOT, os.environ | {"COIG_CACHE": str(cache)}, stop_at)


def printed(process: Forked) -> str:
    """Return what a process has printed once it has ended."""
    ended = process.wait()
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what `inspect` prints with an empty cache and nothing in its way."""
    return printed(inspect(tmp_path_factory.mktemp("undisturbed")))


def test_two_processes_at_once(own_cache: Path, undisturbed: str) -> None:
    processes = [inspect(own_cache) for _ in range(2)]
    assert [printed(process) for process in processes] == [undisturbed, undisturbed]
    assert len(shards(own_cache)) == 1


@pytest.mark.parametrize("moment", ["sources/.*", "encoded/*/.*/index.parquet"])
def test_a_killed_builder_leaves_nothing_wrong(own_cache: Path, undisturbed: str, moment: str) -> None:
    """kill -9 as a source is converted, and as half a shard is written: the next process gets it right."""
    process = inspect(own_cache, stop_at=moment)
    process.wait_until_stopped()
    process.kill()
    assert process.wait().returncode == -signal.SIGKILL
    assert not shards(own_cache)
    assert printed(inspect(own_cache)) == undisturbed


def test_what_a_killed_builder_left_is_removed(own_cache: Path) -> None:
    encode("data.ratio=0")
    [shard] = shards(own_cache)
    left = shard.parent / f".{shard.name}.1234"
    shard.rename(left)
    (shard.parent / ".DS_Store").write_text("not ours")
    assert len(encode("data.ratio=0")[0]) == 51
    assert (shards(own_cache), left.exists()) == ([shard], False)


def test_a_cache_deleted_while_it_is_written_is_no_smaller_mixture(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = dataset._write

    def write_and_lose(folder: Path, shard: Any) -> None:
        write(folder, shard)
        shutil.rmtree(folder)

    monkeypatch.setattr(dataset, "_write", write_and_lose)
    with pytest.raises(DataError, match=r"was changed by something else while it was written; run again"):
        encode("data.ratio=0")


def test_counts_of_many_tokens_do_not_overflow() -> None:
    line = {"id": "a", "kind": "general", "lang": "zh", "source": "s", "supervised": 2**30, "truncated": False}
    lines = pl.DataFrame(
        [line | {"dropped": False, "prompt": 0, "reasoning": 0, "answer": 2**30, "piece": 0, "pieces": 1}] * 4
    )
    small = pl.col("prompt", "reasoning", "answer", "supervised").cast(pl.Int32)
    [group] = dataset._groups(lines.with_columns(small))
    assert (group["tokens"], group["supervised_tokens"]) == (2**32, 2**32)
