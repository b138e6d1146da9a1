"""A dataset of the embedded Hub, and requests about it."""

import hashlib

import httpx

REPO = "local/prices"


def readme(block: str) -> str:
    return f"---\n{block}---\n# Prices\n"


def batch(http: httpx.Client, *sizes: int) -> httpx.Response:
    objects = [{"oid": hashlib.sha256(str(size).encode()).hexdigest(), "size": size} for size in sizes]
    return http.post(f"/datasets/{REPO}.git/info/lfs/objects/batch", json={"operation": "upload", "objects": objects})
