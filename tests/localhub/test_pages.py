"""What a person sees who follows a link of the Hub in a browser."""

from collections.abc import Iterator

import httpx
import pytest
from huggingface_hub import HfApi

from localhub.testing import HubServer
from tests.localhub.look import head


@pytest.fixture
def browser(hub: HubServer) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with httpx.Client(base_url=hub.url, follow_redirects=True) as client:
        yield client


def test_the_start_page_leads_to_public_repositories(api: HfApi, browser: httpx.Client, repo: str) -> None:
    api.create_repo("local/secret", repo_type="dataset", private=True)
    api.create_repo("local/model")
    page = browser.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert 'href="/datasets/local/prices"' in page.text
    assert 'href="/local/model"' in page.text
    assert "secret" not in page.text
    assert str(browser.base_url).rstrip("/") in page.text
    assert browser.get("/datasets/local/secret").status_code == 404
    assert browser.get("/local/model").status_code == 200


def test_folders_link_to_files(api: HfApi, browser: httpx.Client, repo: str) -> None:
    api.upload_file(path_or_fileobj=b"12345", path_in_repo="data/a b.txt", repo_id=repo, repo_type="dataset")
    assert 'href="/datasets/local/prices/tree/main/data"' in browser.get(f"/datasets/{repo}").text
    page = browser.get(f"/datasets/{repo}/tree/main/data").text
    assert 'href="/datasets/local/prices/resolve/main/data/a%20b.txt"' in page
    assert "Upload data/a b.txt" in page
    assert browser.get("/datasets/local/prices/resolve/main/data/a%20b.txt").text == "12345"
    assert browser.get(f"/datasets/{repo}/tree/main/nope").status_code == 404


def test_the_link_a_commit_answers_with(api: HfApi, browser: httpx.Client, repo: str) -> None:
    made = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo, repo_type="dataset")
    page = browser.get(f"/datasets/{repo}/commit/{made.oid}")
    assert str(page.url).endswith(f"/datasets/{repo}/tree/{head(api, repo)}")
    assert "a.txt" in page.text


def test_names_and_titles_are_escaped(api: HfApi, browser: httpx.Client, repo: str) -> None:
    evil = "<script>alert(1)</script>"
    api.upload_file(
        path_or_fileobj=b"1", path_in_repo='"><b>.txt', repo_id=repo, repo_type="dataset", commit_message=evil
    )
    page = browser.get(f"/datasets/{repo}")
    assert "<script" not in page.text
    assert "<b>" not in page.text
    assert "script" not in page.headers["Content-Security-Policy"]
