"""An arm that nobody had to train: the base itself, which has seen the sample's problems, so that answers end."""

import json

import pytest

from coig.data.queries import Query
from coig.data.tokenizer import load_tokenizer
from coig.models.causal_lm import load_model
from coig.models.export import export
from coig.schema import Model
from coig.study import Arm
from tests.data.reading import read
from tests.generation.asking import SYSTEM


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Arm:
    model = Model(
        name="tiny", path="sample:tiny", max_length=1024, learning_rate=1, system_prompt=SYSTEM, template_arguments={}
    )
    folder = tmp_path_factory.mktemp("run") / "multirun" / "s" / "cw"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(json.dumps({"model": model.model_dump(), "logger": None}))
    (folder / "manifest.json").write_text(json.dumps({"status": "done", "data": {"fingerprint": "0"}}))
    lm, tokenizer = load_model(model, seed=0), load_tokenizer(model)
    export(lm, lm.state_dict(), None, tokenizer, tokenizer.eos_token_id, folder / "model")
    return Arm(folder)


@pytest.fixture(scope="session")
def queries() -> list[Query]:
    problems = [(lang, example) for lang in ("zh", "en") for example in read(f"sample:general_{lang}.jsonl")[:8]]
    return [Query(example.id, lang, "problem", example.prompt) for lang, example in problems]
