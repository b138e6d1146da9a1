"""Uploads from clients that have hf-xet: takes their xorbs and shards in and makes plain blobs of the files.

huggingface_hub 2.4 sends every LFS file this way when hf-xet can be imported and HF_HUB_DISABLE_XET is not set
(`_commit_api.py`, `_upload_files`); no answer of the server makes it choose otherwise, so a Hub for unchanged clients
has to understand it. Only the least of the protocol is here: its newer endpoints (xorb grants, streamed shards, global
deduplication) answer 404, upon which the client uses the older ones. Downloads never come this way, for no answer
carries `X-Xet-Hash`.
"""

from functools import partial
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub.app.requests import access
from localhub.app.requests.bodies import announced_bytes, read_bytes
from localhub.app.requests.endpoints import reads
from localhub.app.requests.site import Call, Site, path_param, site_of
from localhub.app.uploads.signing import check_permit, permit
from localhub.errors import LocalHubError, bad_request, forbidden, repo_not_found, too_large
from localhub.names import check_sha256
from localhub.protocol.xet import MAX_XORB_BYTES, Segment, Unpacker, read_shard
from localhub.store import repos
from localhub.store.disk.space import Reservation
from localhub.store.disk.xorbs import current_epoch

_WRITE = "xet-write"
_WRITE_BYTES = 1024 * 1024
MAX_SHARD_BYTES = 8 * 1024 * 1024


@reads()
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
    announced = announced_bytes(request)
    size = MAX_XORB_BYTES if announced is None else announced
    if size > MAX_XORB_BYTES:
        raise _too_large_xorb()
    with await site.in_thread(site.home.space.reserve, size) as reservation:
        arrived = site.home.xorbs.receive(repo_id, epoch)
        try:
            await _receive(site, request, arrived, reservation)
            await site.in_thread(site.home.xorbs.keep, arrived, sender_hash=name)
        finally:
            arrived.unlink(missing_ok=True)
    return JSONResponse({"was_inserted": True})


async def put_shard(request: Request) -> Response:
    """POST …/v1/shards: makes the files, durably, before it answers."""
    site, repo_id, epoch = _allowed(request)
    body = await read_bytes(request, MAX_SHARD_BYTES)
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


async def _receive(site: Site, request: Request, target: Path, reservation: Reservation) -> None:
    buffer = bytearray()
    received = 0
    with target.open("xb", buffering=0) as file:

        def write(chunk: bytes) -> None:
            reservation.written(len(chunk))
            file.write(chunk)

        async for chunk in request.stream():
            buffer += chunk
            received += len(chunk)
            if received > MAX_XORB_BYTES:
                raise _too_large_xorb()
            if len(buffer) >= _WRITE_BYTES:
                await site.in_thread(write, bytes(buffer))
                buffer.clear()
        await site.in_thread(write, bytes(buffer))


def _too_large_xorb() -> LocalHubError:
    return too_large(f"A xorb is at most {MAX_XORB_BYTES} bytes")


def _make_files(site: Site, files: list[list[Segment]], *, repo_id: int, epoch: int) -> None:
    sizes = [sum(segment.size for segment in segments) for segments in files]
    for size in sizes:
        site.home.space.check_file(size)
    with site.home.space.reserve(sum(sizes)) as room:
        unpacker = Unpacker(partial(_open_xorb, site, repo_id, epoch))
        kept = [_make_file(site, segments, room, unpacker) for segments in files]
    with site.home.database.write() as con:
        repo = repos.by_id(con, repo_id)
        if repo is None:
            raise repo_not_found()
        for sha256 in kept:
            repos.remember_upload(con, repo, sha256)


def _open_xorb(site: Site, repo_id: int, epoch: int, sender_hash: str) -> BinaryIO:
    try:
        return site.home.xorbs.open(repo_id, epoch, sender_hash=sender_hash)
    except FileNotFoundError as error:
        raise bad_request(f"The xorb {sender_hash} was not sent") from error


def _make_file(site: Site, segments: list[Segment], room: Reservation, unpacker: Unpacker) -> str:
    with site.home.blobs.receive() as upload:
        for segment in segments:
            end = upload.size + segment.size
            for chunk in unpacker.chunks(segment):
                if upload.size + len(chunk) > end:
                    raise _wrong_length()
                room.written(len(chunk))
                upload.write(chunk)
            if upload.size != end:
                raise _wrong_length()
        return upload.keep()


def _wrong_length() -> LocalHubError:
    return bad_request("The chunks are not as long as the shard says")
