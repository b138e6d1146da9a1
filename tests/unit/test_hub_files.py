"""The ids a Hub gives contents are those of `git hash-object` and `sha256sum`."""

import pytest

from datahub_assets.domain.files.hub_files import CONTENT_ID, FULL_SHA, is_content, lfs_content_id


@pytest.mark.parametrize(
    ("content", "blob", "sha256"),
    [
        (
            b"",
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            b"prices\n",
            "3accdd04974e064c3a848ab7cd881f2508728050",
            "a3da255b9ab5e20452cbd303973b154c8ea5bd45575be93aad8c595c3ef97a3f",
        ),
    ],
)
def test_a_content_is_known_by_both_its_ids(content: bytes, blob: str, sha256: str) -> None:
    assert lfs_content_id(content) == sha256
    for content_id in (blob, sha256):
        assert CONTENT_ID.fullmatch(content_id)
        assert is_content(content, content_id=content_id)
        assert not is_content(content + b"!", content_id=content_id)


@pytest.mark.parametrize("name", ["main", "v1", "a" * 39, "a" * 41, "A" * 40, "g" * 40, "a" * 64, ""])
def test_no_branch_tag_or_short_id_is_a_full_one(name: str) -> None:
    assert FULL_SHA.fullmatch("0123456789abcdef" * 2 + "01234567")
    assert not FULL_SHA.fullmatch(name)
