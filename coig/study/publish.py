"""Publish the model of an arm or point on the Hugging Face hub: python -m coig.study publish STUDY/ARM OWNER/NAME"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from coig.errors import ConfigError, first_line
from coig.files.atomic import write_atomic
from coig.study.arm import Arm
from coig.study.card import write_card
from coig.study.find import find_arm_or_point, is_arm

CARD = "README.md"


def publish(arguments: Sequence[str]) -> None:
    """Upload the exported model of an arm or point, with a model card, to a private repository of the hub.

    The repository is made if needed; the card replaces README.md in the model's folder. Prints the repository's
    address.

    Raises ConfigError for other arguments, an arm that is not done, weights that are damaged, a repository that is
    public, or if the hub refuses.
    """
    if len(arguments) != 2 or not is_arm(arguments[0]) or arguments[1].count("/") != 1:
        raise ConfigError("publish: give an arm and a repository, publish STUDY/ARM OWNER/NAME")
    arm, repository = find_arm_or_point(arguments[0]), arguments[1]
    if arm.manifest().status != "done" or not arm.model.is_dir():
        raise ConfigError(f"{arm.folder}: has no model, or its training is not done; train it first")
    arm.check_weights()
    write_atomic(arm.model / CARD, write_card(arm))
    address = _upload(arm, repository)
    print(f"{address}: private; read the card, {arm.model / CARD}, then make it public in the repository's settings")


def _upload(arm: Arm, repository: str) -> str:
    """Upload the model's folder in one commit, and return the repository's address.

    Raises ConfigError if it fails, or if the repository was there before and is public.
    """
    from huggingface_hub import HfApi

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    hub = HfApi()
    try:
        address = hub.create_repo(repository, private=True, exist_ok=True)
        if not hub.repo_info(repository).private:  # one that was there keeps its visibility
            raise ConfigError(
                f"publish {repository}: this repository is public, and nobody has read the card; name another one, or "
                "make it private in its settings"
            )
        message = f"{arm.study}/{arm.name}, {arm.manifest().model_sha256}"
        hub.upload_folder(repo_id=repository, folder_path=arm.model, commit_message=message)
    except ConfigError:
        raise
    except Exception as error:  # of the hub, of the network, or of a name that the hub does not allow
        raise ConfigError(
            f"publish {repository}: was not uploaded ({first_line(error)}); `hf auth login` with a token that may "
            "write there, without HF_HUB_OFFLINE, and run again"
        ) from error
    return str(address)
