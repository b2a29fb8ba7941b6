"""Show what a model will be trained on, segment by segment; takes the overrides of train.py.

python -m coig.data.inspect data.ratio=1k supervision=answer_loss
python -m coig.data.inspect data.ratio=1k format=json > examples.jsonl
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from coig.config import TrainConfig
from coig.config.command_line import config_of, show_messages
from coig.config.process import run_tool
from coig.data.encoded import EncodedSet, encode_mixture
from coig.data.encoding import Encoder
from coig.data.mixture import Mixture, build_mixture, left_out, remarks
from coig.data.tokens import Encoded, Segment
from coig.display.numbers import whole
from coig.display.tables import fill_table, text_column, value_column
from coig.display.terminal import make_console, print_table
from coig.errors import ConfigError

FORMATS = ("table", "json")
SHOWN = 2  # examples of each kind and language
COLOURS = {Segment.PROMPT: "bright_black", Segment.REASONING: "blue", Segment.ANSWER: "green"}
COLUMNS = [
    *(text_column(name, name) for name in ("source", "kind", "lang")),
    *(value_column(name, whole, name) for name in ("examples", "split", "tokens")),
    value_column("supervised tokens", whole, "supervised_tokens"),
    *(value_column(name, whole, name) for name in ("truncated", "dropped")),
]
NO_LOSS = -100  # the label that cross-entropy ignores


def main(arguments: Sequence[str]) -> None:
    """Print the mixture that train.py would train on: a table and examples in colour, or with `format=json` JSON lines.

    Raises ConfigError if `format` is neither table nor json, or the config is wrong, and DataError if the data are.
    """
    show_messages()
    options = [argument for argument in arguments if argument.startswith("format=")]
    output = options[-1].removeprefix("format=") if options else "table"
    if output not in FORMATS:
        raise ConfigError(f"format={output}: choose from {', '.join(FORMATS)}")
    config = config_of("train", TrainConfig, [argument for argument in arguments if argument not in options])
    mixture = build_mixture(config.data, config.seed, config.supervision.needs_reasoning)
    from coig.data.tokenizer import load_tokenizer  # imports torch, which is slow: only after the data are checked

    tokenizer = load_tokenizer(config.model)
    encoded, _ = encode_mixture(mixture, config, Encoder.of(config.model, tokenizer))
    if output == "json":
        for one in encoded:
            print(json.dumps(make_record(one, tokenizer), ensure_ascii=False))
    else:
        _show(make_console(120), config, mixture, encoded, tokenizer)


def make_record(encoded: Encoded, tokenizer: Any) -> dict[str, Any]:
    """Return an example as {id, input_ids, labels, segments, text}; labels are ids, or −100 where there is no loss.

    Labels are not shifted: each has the position of its own token, as `transformers` expects.
    """
    ids = encoded.input_ids.tolist()
    return {
        "id": encoded.id,
        "input_ids": ids,
        "labels": [token if weight > 0 else NO_LOSS for token, weight in zip(ids, encoded.weights, strict=True)],
        "segments": encoded.segments.tolist(),
        "text": tokenizer.decode(ids),
    }


def colour_segments(encoded: Encoded, tokenizer: Any) -> Text:
    """Return the decoded example with a colour for each segment, underlined where its tokens have loss."""
    text = Text()
    start = 0
    for segment, length, weight in zip(Segment, encoded.lengths, encoded.segment_weights, strict=True):
        style = COLOURS[segment] + (" underline" if weight > 0 else "")
        text.append(tokenizer.decode(encoded.input_ids[start : start + length]), style)
        start += length
    return text


def _show(console: Console, config: TrainConfig, mixture: Mixture, encoded: EncodedSet, tokenizer: Any) -> None:
    """Print the counts per source, the use of each pool's rows, and `SHOWN` examples per kind and language."""
    print_table(console, fill_table(encoded.groups, COLUMNS), f"{config.arm}, supervision {config.supervision.name}")
    for source in mixture.sources:
        said = "".join(f"; {remark}" for remark in remarks(source))
        without = f" (left out: {reasons})" if (reasons := left_out(source)) else ""
        console.print(
            f"{source['pool']}: {source['usable']:,} of {source['rows']:,} rows usable{without}{said}", highlight=False
        )
    console.print(Text.assemble(*((f"{s.name.lower()} ", COLOURS[s]) for s in Segment), ("bears loss", "underline")))
    shown: Counter[tuple[str, str]] = Counter()
    for one in encoded:
        pool = one.kind, one.lang
        shown[pool] += 1
        if shown[pool] <= SHOWN:
            console.rule(f"{one.id} ({len(one.input_ids)} tokens)", align="left", style="bright_black")
            console.print(colour_segments(one, tokenizer))


if __name__ == "__main__":
    run_tool(main)
