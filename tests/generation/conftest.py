"""An arm that nobody had to train: the base itself, which has seen the sample's problems, so that answers end."""

import pytest

from coig.config import Model
from coig.config.fields import Language
from coig.data.tokenizer import load_tokenizer
from coig.models.export import export
from coig.models.loading import load_model
from coig.records.query import Query
from coig.study.arm import Arm
from tests.data.reading import read
from tests.generation.asking import SYSTEM
from tests.studies import make_arm


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Arm:
    model = Model(
        name="tiny", path="sample:tiny", max_length=1024, learning_rate=1, system_prompt=SYSTEM, template_arguments={}
    )
    folder = tmp_path_factory.mktemp("run") / "multirun" / "s" / "cw"
    made = make_arm(folder)
    made.write_config(made.config().model_copy(update={"model": model}))
    lm, tokenizer = load_model(model, seed=0), load_tokenizer(model)
    export(lm, lm.state_dict(), None, tokenizer, {tokenizer.eos_token_id}, folder / "model")
    return made


@pytest.fixture(scope="session")
def queries() -> list[Query]:
    langs: tuple[Language, ...] = ("zh", "en")
    problems = [(lang, example) for lang in langs for example in read(f"sample:general_{lang}.jsonl")[:8]]
    return [Query(id=example.id, lang=lang, genre="problem", query=example.prompt) for lang, example in problems]
