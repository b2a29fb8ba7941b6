"""Build `tiny/`: the sample's tokenizer, a tiny model trained on some Chinese and English, and its card.

python -m recipes.sample.build_tiny ../shared/corpus     (novels in zh.jsonl and en.jsonl; an hour or so on two cores)

First a base model is trained on texts, then it is fine-tuned to reason and answer. The same command resumes an
interrupted training. Texts and both arms are kept under multirun/.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from safetensors.torch import load_file, save
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config

from coig.config.fields import MULTIRUN, SAMPLE
from coig.files.atomic import write_atomic
from coig.study.arm import Arm
from recipes.sample.card import write_card
from recipes.sample.corpus import documents, write_texts
from recipes.sample.stories import write_chats

CONF = Path(__file__).parent / "conf"  # the two experiments
TINY = SAMPLE / "tiny"
TEXTS = MULTIRUN / "texts"  # as in conf/experiment/pretrain_tiny.yaml
VOCABULARY = 8192
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"  # as Qwen names them
# Qwen2's split: contractions, words with one leading sign, single digits, signs, line ends, spaces
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role + '\\n' + message.content }}<|im_end|>{{ '\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>{{ 'assistant\\n' }}
{%- endif -%}
"""


def texts(folder: Path) -> Iterator[str]:
    """Yield the texts to train the tokenizer on.

    English novels count twice, to balance the languages, and the sample four times, as novels have little modern
    Chinese.
    """
    sample = [SAMPLE / f"{name}.jsonl" for name in ("creative", "general_en", "general_zh", "queries", "validation")]
    for file, times in [(folder / "zh.jsonl", 1), (folder / "en.jsonl", 2), *((file, 4) for file in sample)]:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield from times * [row[key] for key in ("text", "prompt", "reasoning", "answer", "query") if key in row]


def build_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Train and return a byte-level BPE tokenizer with a chat template; it has no unknown tokens.

    Args:
        folder: holds `zh.jsonl` and `en.jsonl` (see `texts`).
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(folder), trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in ("<think>", "</think>")])  # as in Qwen3
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)
    fast.chat_template = CHAT_TEMPLATE
    return fast


def build_config(tokenizer: PreTrainedTokenizerFast) -> Qwen2Config:
    """Return the config of a model of 5.05 M parameters, 2.1 M of them embeddings."""
    return Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.06,  # 1/√hidden; the usual 0.02 is for models ten times as wide and learns slower here
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        architectures=["Qwen2ForCausalLM"],
        dtype="float32",  # to compute in: bf16 was half as fast on a CPU
    )


def trained(experiment: str, arm: str) -> Arm:
    """Run train.py with an experiment, which skips an arm that is done; return the experiment's arm of this name."""
    subprocess.run([sys.executable, "train.py", "--config-dir", str(CONF), f"experiment={experiment}"], check=True)
    return Arm(MULTIRUN / experiment / arm)


def install(arm: Arm) -> None:
    """Write the arm's weights into the sample, rounded to bf16 for half the size."""
    weights = load_file(arm.model / "model.safetensors")
    rounded = {name: weight.bfloat16() for name, weight in weights.items()}
    write_atomic(TINY / "model.safetensors", save(rounded, {"format": "pt"}))


def main(corpus: Path) -> None:
    """Build the tokenizer, train the base and the tuned model; write tokenizer, tuned model and card to the sample."""
    write_texts(corpus, TEXTS)
    tokenizer = build_tokenizer(TEXTS)
    tokenizer.save_pretrained(TINY)
    build_config(tokenizer).save_pretrained(TINY)
    base = trained("pretrain_tiny", "general-text")
    write_chats(documents(base)[0], TEXTS)
    tuned = trained("instruct_tiny", "general")
    install(tuned)
    write_card(base, tuned, TINY)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path("train.py").exists():
        raise SystemExit(
            "usage, in the project's folder: python -m recipes.sample.build_tiny <folder with zh.jsonl and en.jsonl>"
        )
    main(Path(sys.argv[1]))
