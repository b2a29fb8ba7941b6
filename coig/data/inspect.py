"""See what a model will be trained on, segment by segment, with the overrides of train.py.

python -m coig.data.inspect data.ratio=1k supervision=answer_loss
python -m coig.data.inspect data.ratio=1k format=json > examples.jsonl
"""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coig.cli import config_of
from coig.config import ConfigError, TrainConfig
from coig.data.encoding import Encoded, Encoder, Segment, encode_all, group_counts
from coig.data.mixture import build_mixture
from coig.data.tokenizer import load_tokenizer

FORMATS = ("table", "json")
SHOWN = 2  # examples of each kind and language
COLOURS = {Segment.PROMPT: "bright_black", Segment.REASONING: "blue", Segment.ANSWER: "green"}
NO_LOSS = -100  # the label that cross-entropy ignores


def main(arguments: Sequence[str]) -> None:
    """Print the mixture that train.py would train on: a table and examples in colour, or all examples as JSON lines."""
    options = [argument for argument in arguments if argument.startswith("format=")]
    output = options[-1].removeprefix("format=") if options else "table"
    if output not in FORMATS:
        raise ConfigError(f"format={output}: choose from {', '.join(FORMATS)}")
    config = config_of("train", TrainConfig, [argument for argument in arguments if argument not in options])
    tokenizer = load_tokenizer(config.model)
    encoded, counts = encode_all(
        build_mixture(config.data, config.seed).train,
        Encoder(tokenizer, config.model.system_prompt),
        config.supervision,
        config.model.max_length,
        config.data.overlong,
    )
    if output == "json":
        for one in encoded:
            print(json.dumps(record(one, tokenizer), ensure_ascii=False))
    else:
        _show(Console(), config, encoded, counts, tokenizer)


def record(encoded: Encoded, tokenizer: Any) -> dict[str, Any]:
    """An example as JSON types; `labels` are −100 where no loss falls, the first token never bears any."""
    losses = [False, *(weight > 0 for weight in encoded.weights[1:])]
    return {
        "id": encoded.example.id,
        "input_ids": encoded.input_ids,
        "labels": [token if loss else NO_LOSS for token, loss in zip(encoded.input_ids, losses, strict=True)],
        "segments": encoded.segments,
        "text": tokenizer.decode(encoded.input_ids),
    }


def coloured(encoded: Encoded, tokenizer: Any) -> Text:
    """The example as text: a colour per segment, underlined where loss falls."""
    text = Text()
    places = range(len(encoded.input_ids))
    for (segment, loss), run in itertools.groupby(places, lambda i: (encoded.segments[i], encoded.weights[i] > 0)):
        style = COLOURS[Segment(segment)] + (" underline" if loss else "")
        text.append(tokenizer.decode([encoded.input_ids[place] for place in run]), style)
    return text


def _show(
    console: Console, config: TrainConfig, encoded: Sequence[Encoded], counts: Counter[str], tokenizer: Any
) -> None:
    table = Table(box=SIMPLE_HEAD, title=f"{config.arm}, supervision {config.supervision.name}", title_justify="left")
    for column in ("kind", "lang", "source", "examples", "tokens", "supervised tokens"):
        table.add_column(column, justify="left" if column in ("kind", "lang", "source") else "right")
    for group in group_counts(encoded):
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in group.values()))
    console.print(table)
    console.print(", ".join(f"{count} {name}" for name, count in counts.items()), style="bright_black")
    console.print(Text.assemble(*((f"{s.name.lower()} ", COLOURS[s]) for s in Segment), ("bears loss", "underline")))
    shown: Counter[tuple[str, str]] = Counter()
    for one in encoded:
        pool = one.example.kind, one.example.lang
        shown[pool] += 1
        if shown[pool] <= SHOWN:
            console.rule(f"{one.example.id} ({len(one.input_ids)} tokens)", align="left", style="bright_black")
            console.print(coloured(one, tokenizer))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ConfigError as error:
        sys.exit(str(error))
