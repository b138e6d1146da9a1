"""Large files go through a bit at a time: the served process stays small while they do."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.localhub.process import HubProcess

MIB = 1024 * 1024
LIMIT_MIB = 200
SCRIPT = """
import sys
from huggingface_hub import HfApi
api, path = HfApi(), sys.argv[1]
repo = api.create_repo("large", repo_type="dataset").repo_id
api.upload_file(path_or_fileobj=path, path_in_repo="large.bin", repo_id=repo, repo_type="dataset")
print(api.hf_hub_download(repo, "large.bin", repo_type="dataset"))
"""


def peak_mib(hub: HubProcess) -> float:
    """The most memory the process ever held, as the kernel counts it."""
    lines = Path(f"/proc/{hub.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def large_file(path: Path, *, mib: int) -> str:
    """Write content that does not repeat within a chunk; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(mib):
            block = hashlib.shake_128(b"%d" % number).digest(MIB)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize(
    ("mib", "xet"),
    [
        (256, "off"),
        pytest.param(1024, "off", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
        pytest.param(1024, "on", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_a_large_file_goes_through_a_small_server(tmp_path: Path, mib: int, xet: str) -> None:
    source = tmp_path / "source.bin"
    digest = large_file(source, mib=mib)
    with HubProcess(tmp_path / "hub") as hub:
        environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_DISABLE_XET"}
        environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(tmp_path / "hf")}
        if xet == "off":
            environment["HF_HUB_DISABLE_XET"] = "1"
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(source)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
        assert done.returncode == 0, done.stderr
        peak = peak_mib(hub)
    assert sha256_of(Path(done.stdout.strip())) == digest
    assert peak < LIMIT_MIB
    for file in [source, *tmp_path.rglob("large.bin"), *(tmp_path / "hub" / "blobs").rglob("*")]:
        if file.is_file():
            file.unlink()  # pytest keeps the folder of the last runs
