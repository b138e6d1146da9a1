"""The datasets library, unchanged, in a process of its own whose HF_ENDPOINT is the Hub."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from localhub.testing import HubServer

CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.csv
- config_name: one
  data_files: data/1.csv
---
"""
PRELUDE = """
from datasets import Dataset, load_dataset
import sys
repo, *args = sys.argv[1:]
"""


def run(hub: HubServer, home: Path, script: str, *args: str, token: bool = True) -> str:
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    if token:
        environment["HF_TOKEN"] = hub.token
    command = [sys.executable, "-W", "ignore", "-c", PRELUDE + script, *args]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def commits(api: HfApi, repo: str) -> list[str]:
    """Two commits of two CSV files; the second adds a row."""

    def commit(rows: str) -> str:
        files = {"README.md": CARD, "data/1.csv": f"symbol,price\nBTC,1\n{rows}", "data/2.csv": "symbol,price\nSOL,3\n"}
        operations = [CommitOperationAdd(path, text.encode()) for path, text in files.items()]
        return api.create_commit(repo, operations, commit_message="rows", repo_type="dataset").oid

    return [commit(""), commit("ETH,2\n")]


def test_load_dataset_plain_by_config_pinned_and_streaming(
    hub: HubServer, repo: str, commits: list[str], tmp_path: Path
) -> None:
    script = """
frame = load_dataset(repo, split="train").to_pandas()
print(len(frame), frame[frame.symbol == "ETH"].price.tolist())
print(load_dataset(repo, "one", split="train")["symbol"][:])
print(load_dataset(repo, split="train", revision=args[0])["symbol"][:])
print([row["symbol"] for row in load_dataset(repo, split="train", streaming=True)])
"""
    assert run(hub, tmp_path / "hf", script, repo, commits[0], token=False).splitlines() == [
        "3 [2]",
        "['BTC', 'ETH']",
        "['BTC', 'SOL']",
        "['BTC', 'ETH', 'SOL']",
    ]


def test_push_to_hub_and_load_again(hub: HubServer, api: HfApi, tmp_path: Path) -> None:
    script = """
Dataset.from_dict({"a": list(range(1000))}).push_to_hub(repo, num_shards=3)
Dataset.from_dict({"a": ["x"]}).push_to_hub(repo, "second", private=False)
print(sum(load_dataset(repo, "default", split="train")["a"]), load_dataset(repo, "second", split="train")["a"][:])
Dataset.from_dict({"a": [1]}).push_to_hub(repo)
print(load_dataset(repo, "default", split="train", download_mode="force_redownload")["a"][:])
"""
    assert run(hub, tmp_path / "hf", script, "local/pushed").splitlines() == ["499500 ['x']", "[1]"]
    names = api.list_repo_files("local/pushed", repo_type="dataset")
    assert [name for name in names if name.endswith(".parquet")] == [
        "data/train-00000-of-00001.parquet",
        "second/train-00000-of-00001.parquet",
    ]
