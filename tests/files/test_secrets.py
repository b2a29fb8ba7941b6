"""Secrets are removed from whatever text they come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from coig.files.secrets import find_secrets, fold_home, remove_secrets

KEY = "5ec2e7" * 6


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder with a netrc, beside an environment with secrets."""
    folder = tmp_path / "home" / "ann"
    folder.mkdir(parents=True)
    (folder / ".netrc").write_text("machine api.wandb.ai login user password of-netrc-1\n")
    monkeypatch.delenv("NETRC", raising=False)
    for name, value in {
        "HOME": str(folder),
        "MY_PASSWORD": "correct horse 1",
        "GITHUB_TOKEN": "plain-token",
        "OTHER_PASSWORD": 'it\'s "me" & you',
        "AWS_ACCESS_KEY_ID": "an-access-key",
        "HTTPS_PROXY": "http://ann:of-the-proxy@proxy:3128",
        "PIP_INDEX_URL": "https://of-the-index@pypi.example/simple",
    }.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("pass it: correct horse 1!", "pass it: [removed]!"),
        ("plain-token", "[removed]"),
        ("an-access-key", "[removed]"),
        ("of-netrc-1 of-the-proxy of-the-index", "[removed] [removed] [removed]"),
        ("https://me:x@github.com/me/it.git", "https://[removed]@github.com/me/it.git"),
        ("https://x@github.com/me/it.git", "https://[removed]@github.com/me/it.git"),
        ("postgresql+psycopg://ann:x@host/db", "postgresql+psycopg://[removed]@host/db"),
        (f"api_key: {KEY}", "api_key: [removed]"),
        (f"hub?token={KEY}&page=1", "hub?token=[removed]&page=1"),
        (f"Authorization: Bearer {KEY}", "Authorization: Bearer [removed]"),
        (f"hf_{KEY}", "[removed]"),
        (f"密钥sk-{KEY}，勿传", "密钥[removed]，勿传"),
        (f"我的api_key={KEY}", "我的api_key=[removed]"),
        (f"密码api_key：{KEY}。", "密码api_key：[removed]。"),
        (f"&quot;api_key&quot;: &quot;{KEY}&quot;", "&quot;api_key&quot;: &quot;[removed]&quot;"),
        ("it&#x27;s &quot;me&quot; &amp; you", "[removed]"),
    ],
)
def test_a_secret_is_removed(home: Path, text: str, clean: str) -> None:
    assert remove_secrets(text) == clean
    assert remove_secrets({"a": [text, 1, (text, None)]}) == {"a": [clean, 1, (clean, None)]}


@pytest.mark.parametrize(
    "text",
    [
        "token = tokenizer.end_of_sequence_2",
        "eos_token: <|im_end|>",
        "git@github.com:me/it.git",
        "ssh://git@github.com/me/it",
        "postgresql+psycopg://ann@host/db",
        "https://example.org/a@b",
    ],
)
def test_what_is_no_secret_stays(home: Path, text: str) -> None:
    assert remove_secrets(text) == text


def test_what_a_key_of_a_dict_names_is_removed() -> None:
    stored = {"api_key": 1234567890123456, "token": KEY, "eos_token": KEY, "hf_token": "", "tokens": 1234567890123456}
    clean = stored | {"api_key": "[removed]", "token": "[removed]"}
    assert remove_secrets({"logger": [stored]}) == {"logger": [clean]}


def test_secrets_of_settings_are_found_by_their_keys(home: Path) -> None:
    settings = {
        "engine": {
            "password": "short",
            "args": ["plain", f"hf_{KEY}"],
            "token": None,
            "secret": "",
            "eos_token": "<|im_end|>",
        },
        "path": str(home / "data"),
    }
    assert find_secrets(settings) == ["engine.password", "engine.args"]


def test_the_home_folder_becomes_a_tilde(home: Path) -> None:
    assert fold_home(f"{home}/data/a.jsonl:7, {home}") == "~/data/a.jsonl:7, ~"
    assert fold_home(f"file://{home}/a") == "file://~/a"
    for other in (f"{home}s/a", f"{home}.old", f"/backup{home}/a", "~/a"):
        assert fold_home(other) == other


def test_of_a_home_that_links_to_a_folder_above_it_the_whole_path_is_folded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (home / name for name in "abcdef"):
        folder.mkdir()
        (folder / "link").symlink_to(folder)
        monkeypatch.setenv("HOME", str(folder / "link"))
        assert fold_home(f"{folder}/link/data, {folder}/data") == "~/data, ~/data"


def test_without_a_home_nothing_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    for home in ("/", None):
        monkeypatch.setenv("HOME", home) if home else monkeypatch.delenv("HOME")
        assert fold_home("/a/b") == "/a/b"
