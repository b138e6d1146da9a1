"""Uploads from clients that have hf-xet: takes their xorbs and shards in and makes plain blobs of the files.

huggingface_hub 2.4 sends every LFS file this way when hf-xet can be imported and HF_HUB_DISABLE_XET is not set
(`_commit_api.py`, `_upload_files`); no answer of the server makes it choose otherwise, so a Hub for unchanged clients
has to understand it. Only the least of the protocol is here: its newer endpoints (xorb grants, streamed shards, global
deduplication) answer 404, upon which the client uses the older ones. Downloads never come this way, for no answer
carries `X-Xet-Hash`.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub.app import access
from localhub.app.signing import check_permit, permit
from localhub.app.site import Call, Site, path_param, reads, site_of, small_body
from localhub.errors import bad_request, forbidden, repo_not_found, too_large
from localhub.names import check_sha256
from localhub.protocol.xet import MAX_XORB_BYTES, Segment, read_chunks, read_shard
from localhub.store import repos
from localhub.store.xorbs import current_epoch

_WRITE = "xet-write"
_WRITE_BYTES = 1024 * 1024


@reads
def write_token(call: Call) -> Response:
    """GET …/xet-write-token/{revision}: where to send xorbs and shards, and the token for it."""
    repo, _ = access.writable(call)
    access.commit_at(call, repo)
    epoch = current_epoch()
    call.site.home.xorbs.drop_old()
    token, expires = permit(call.site.home.signing_key, _WRITE, repo.id)
    url = f"{call.base_url}/xet/{repo.id}/{epoch}"
    headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expires)}
    return JSONResponse({"casUrl": url, "accessToken": token, "exp": expires}, headers=headers)


async def put_xorb(request: Request) -> Response:
    """POST …/v1/xorbs/default/{hash}. The hash is the sender's word and only a name: the files are hashed anew."""
    site, repo_id, epoch = _allowed(request)
    name = check_sha256(path_param(request, "hash"))
    arrived = site.home.xorbs.receive(repo_id, epoch)
    try:
        await _receive(site, request, arrived)
        await site.in_thread(site.home.xorbs.keep, arrived, sender_hash=name)
    finally:
        arrived.unlink(missing_ok=True)
    return JSONResponse({"was_inserted": True})


async def put_shard(request: Request) -> Response:
    """POST …/v1/shards: makes the files, durably, before it answers."""
    site, repo_id, epoch = _allowed(request)
    body = await small_body(request)
    await site.in_thread(_make_files, site, read_shard(body), repo_id=repo_id, epoch=epoch)
    return JSONResponse({"result": 1})


def _allowed(request: Request) -> tuple[Site, int, int]:
    site = site_of(request)
    repo_id: int = request.path_params["repo"]
    epoch: int = request.path_params["epoch"]
    _, _, token = request.headers.get("authorization", "").partition(" ")
    check_permit(site.home.signing_key, token, _WRITE, repo_id)
    if epoch not in {current_epoch(), current_epoch() - 1}:
        raise forbidden("This storage address is no longer used: ask for a new token")
    return site, repo_id, epoch


async def _receive(site: Site, request: Request, target: Path) -> None:
    buffer = bytearray()
    received = 0
    with target.open("xb", buffering=0) as file:
        async for chunk in request.stream():
            buffer += chunk
            received += len(chunk)
            if received > MAX_XORB_BYTES:
                raise too_large(f"A xorb is at most {MAX_XORB_BYTES} bytes")
            if len(buffer) >= _WRITE_BYTES:
                await site.in_thread(file.write, bytes(buffer))
                buffer.clear()
        await site.in_thread(file.write, bytes(buffer))


def _make_files(site: Site, files: list[list[Segment]], *, repo_id: int, epoch: int) -> None:
    kept = [_make_file(site, segments, repo_id=repo_id, epoch=epoch) for segments in files]
    with site.home.database.write() as con:
        repo = repos.by_id(con, repo_id)
        if repo is None:
            raise repo_not_found()
        for sha256 in kept:
            repos.remember_upload(con, repo, sha256)


def _make_file(site: Site, segments: list[Segment], *, repo_id: int, epoch: int) -> str:
    with site.home.blobs.receive() as upload:
        for segment in segments:
            before = upload.size
            try:
                xorb = site.home.xorbs.open(repo_id, epoch, sender_hash=segment.xorb)
            except FileNotFoundError as error:
                raise bad_request(f"The xorb {segment.xorb} was not sent") from error
            with xorb:
                for chunk in read_chunks(xorb, first=segment.first, end=segment.end):
                    upload.write(chunk)
            if upload.size - before != segment.size:
                raise bad_request("The chunks are not as long as the shard says")
        return upload.keep()
