"""Publishing tried out: a private dataset is made, written, read back, removed. No dataset of ours is touched."""

import secrets
import tempfile
import time
from pathlib import Path

from huggingface_hub import HfApi

from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.stores.hub.client import LIBRARY, Hub
from datahub_assets.stores.hub.http import bounded

_DEADLINE_S = 60.0
_PATH = "trial.bin"


def publish_and_read_back(hub: Hub, *, token: str | None) -> str:
    """Do it, and say how long it took.

    Raises:
        HubError: a step failed.        HubContentInvalid: what came back is not what was sent.
    """
    name = f"{hub.namespace}/datahub-doctor-{secrets.token_hex(4)}"
    content = secrets.token_bytes(64)
    api = HfApi(endpoint=hub.endpoint, token=token or False, library_name=LIBRARY)
    started = time.monotonic()
    with bounded(deadline_s=_DEADLINE_S):
        api.create_repo(name, repo_type="dataset", private=True)
        try:
            api.upload_file(path_or_fileobj=content, path_in_repo=_PATH, repo_id=name, repo_type="dataset")
            with tempfile.TemporaryDirectory() as folder:
                local = api.hf_hub_download(name, _PATH, repo_type="dataset", cache_dir=folder)
                came = Path(local).read_bytes()
        finally:
            api.delete_repo(name, repo_type="dataset")
    if came != content:
        raise HubContentInvalid(f"{name} gave back other bytes than it was sent")
    return f"a private dataset was made, written, read and removed in {time.monotonic() - started:.1f} s"
