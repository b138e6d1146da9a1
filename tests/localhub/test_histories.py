"""Random histories, told to the Hub and to a plain in-memory model, which must then agree.

Between the steps the Hub is restarted, and in the second test killed with SIGKILL in the middle of commits.
"""

import itertools
import threading
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from localhub.store.collect import collect
from localhub.store.home import Home
from localhub.testing import HubServer
from tests.localhub.process import HubProcess
from tests.localhub.wire import Change, blob_ids, commit, commit_body, git_blob_id, heads, history, post_commit

FOLDERS = st.lists(st.sampled_from(["d", "e-"]), max_size=2)
NAMES = st.sampled_from(["a", "b", "é", "d"])  # "d" is a folder's name too: some commits have to be refused
PATHS = st.builds(lambda folders, name: "/".join([*folders, name]), FOLDERS, NAMES)
CONTENTS = st.binary(max_size=40)
FILES = st.dictionaries(PATHS, CONTENTS, max_size=4)
BRANCHES = ["dev", "feature/x"]
TAGS = ["v1", "v2"]

Tree = dict[str, bytes]


def applied(tree: Tree, changes: list[Change]) -> Tree | None:
    """The tree after the changes in order; None if the Hub must refuse them."""
    result = dict(tree)
    for path, content in changes:
        if content is not None:
            result[path] = content
        else:
            gone = [name for name in result if name == path or (path.endswith("/") and name.startswith(path))]
            if not gone:
                return None
            for name in gone:
                del result[name]
    folders = {name.rsplit("/", depth)[0] for name in result for depth in range(1, name.count("/") + 1)}
    return None if folders & result.keys() else result


class Histories(RuleBasedStateMachine):
    """The model: what each commit holds, what came before it, and where each ref points."""

    hub: HubServer | HubProcess  # one for all examples, each of which has a repository of its own
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.name = f"history{next(self.numbers)}"
        self.repo = f"local/{self.name}"
        self.http = self._client()
        self.trees: dict[str, Tree] = {}
        self.parents: dict[str, str | None] = {}
        self.refs: dict[str, str] = {}

    @initialize()
    def create(self) -> None:
        self.http.post("/api/repos/create", json={"type": "dataset", "name": self.name}).raise_for_status()
        first = heads(self.http, self.repo)["refs/heads/main"]
        attributes = self.http.get(f"/datasets/{self.repo}/resolve/main/.gitattributes").content
        self.trees[first] = {".gitattributes": attributes}
        self.parents[first] = None
        self.refs["refs/heads/main"] = first

    @rule(data=st.data(), commits=st.lists(FILES, min_size=1, max_size=4))
    def commits(self, data: st.DataObject, commits: list[Tree]) -> None:
        ref = data.draw(st.sampled_from(self._branches()))
        for files in commits:
            changes: list[Change] = list(files.items())
            present = sorted(self.trees[self.refs[ref]].keys() - {".gitattributes"})
            if present:
                for path in data.draw(st.lists(st.sampled_from(present), max_size=2, unique=True)):
                    whole_folder = "/" in path and data.draw(st.booleans())
                    changes.insert(0, (path.split("/")[0] + "/" if whole_folder else path, None))
            self._commit(ref, changes)

    @rule(files=FILES)
    def commits_to_no_branch(self, files: Tree) -> None:
        for name in ("nowhere", *(ref.removeprefix("refs/tags/") for ref in self.refs if "/tags/" in ref)):
            assert commit(self.http, self.repo, files.items(), branch=name).status_code == 404

    @rule(path=PATHS, folder=st.booleans())
    def deletes_what_may_not_be_there(self, path: str, *, folder: bool) -> None:
        self._commit("refs/heads/main", [(f"{path}/" if folder else path, None)])

    @precondition(lambda self: len(self.trees) > 1)
    @rule(data=st.data(), content=CONTENTS)
    def commits_on_a_stale_parent(self, data: st.DataObject, content: bytes) -> None:
        head = self.refs["refs/heads/main"]
        stale = data.draw(st.sampled_from([sha for sha in self.trees if sha != head]))
        assert commit(self.http, self.repo, [("stale", content)], parent=stale).status_code == 412

    @rule(data=st.data(), name=st.sampled_from(BRANCHES))
    def branches(self, data: st.DataObject, name: str) -> None:
        start = data.draw(st.sampled_from(list(self.trees)))
        url = f"/api/datasets/{self.repo}/branch/{name.replace('/', '%2F')}"
        status = self.http.post(url, json={"startingPoint": start}).status_code
        assert status == (409 if f"refs/heads/{name}" in self.refs else 201)
        self.refs.setdefault(f"refs/heads/{name}", start)

    @rule(name=st.sampled_from(BRANCHES))
    def deletes_a_branch(self, name: str) -> None:
        status = self.http.delete(f"/api/datasets/{self.repo}/branch/{name.replace('/', '%2F')}").status_code
        assert status == (204 if self.refs.pop(f"refs/heads/{name}", None) else 404)

    @rule(data=st.data(), name=st.sampled_from(TAGS))
    def tags(self, data: st.DataObject, name: str) -> None:
        target = data.draw(st.sampled_from(list(self.trees)))
        status = self.http.post(f"/api/datasets/{self.repo}/tag/{target}", json={"tag": name}).status_code
        assert status == (409 if f"refs/tags/{name}" in self.refs else 201)
        self.refs.setdefault(f"refs/tags/{name}", target)

    @rule(name=st.sampled_from(TAGS))
    def deletes_a_tag(self, name: str) -> None:
        status = self.http.delete(f"/api/datasets/{self.repo}/tag/{name}").status_code
        assert status == (204 if self.refs.pop(f"refs/tags/{name}", None) else 404)

    @rule(data=st.data())
    def squashes(self, data: st.DataObject) -> None:
        ref = data.draw(st.sampled_from(self._branches()))
        url = f"/api/datasets/{self.repo}/super-squash/{ref.removeprefix('refs/heads/').replace('/', '%2F')}"
        sha = self.http.post(url, json={}).raise_for_status().json()["commitOid"]
        self._moved(ref, sha, self.trees[self.refs[ref]], parent=None)

    @rule()
    def collects_garbage(self) -> None:
        home = Home(self.hub.home)
        collect(home.database, home.blobs, grace_s=0)
        home.close()
        reachable = {sha for head in self.refs.values() for sha in self._ancestry(head)}
        for sha in self.trees.keys() - reachable:
            del self.trees[sha], self.parents[sha]

    @rule()
    def restarts(self) -> None:
        self.http.close()
        self.hub.stop()
        self.hub.start()
        self.http = self._client()

    @invariant()
    def agrees(self) -> None:
        assert heads(self.http, self.repo) == self.refs if self.refs else True
        for head in set(self.refs.values()):
            expected = {path: git_blob_id(content) for path, content in self.trees[head].items()}
            assert blob_ids(self.http, self.repo, head) == expected
            assert history(self.http, self.repo, head) == self._ancestry(head)

    def teardown(self) -> None:
        """Every commit ever made, unless collected, still holds what it held."""
        try:
            for sha, tree in self.trees.items():
                expected = {path: git_blob_id(content) for path, content in tree.items()}
                assert blob_ids(self.http, self.repo, sha) == expected
            for path, content in self.trees.get(self.refs.get("refs/heads/main", ""), {}).items():
                assert self.http.get(f"/datasets/{self.repo}/resolve/main/{path}").content == content
        finally:
            self.http.request("DELETE", "/api/repos/delete", json={"type": "dataset", "name": self.name})
            self.http.close()

    def _branches(self) -> list[str]:
        return sorted(ref for ref in self.refs if ref.startswith("refs/heads/"))

    def _commit(self, ref: str, changes: list[Change]) -> None:
        head = self.refs[ref]
        branch = ref.removeprefix("refs/heads/").replace("/", "%2F")
        response = commit(self.http, self.repo, changes, branch=branch, parent=head)
        after = applied(self.trees[head], changes)
        if after is None:
            assert response.status_code in {400, 404}
        else:
            self._moved(ref, response.raise_for_status().json()["commitOid"], after, parent=head)

    def _moved(self, ref: str, sha: str, tree: Tree, *, parent: str | None) -> None:
        assert sha not in self.trees
        self.trees[sha], self.parents[sha], self.refs[ref] = tree, parent, sha

    def _ancestry(self, sha: str | None) -> list[str]:
        result = []
        while sha is not None:
            result.append(sha)
            sha = self.parents[sha]
        return result

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.hub.url, headers={"Authorization": f"Bearer {self.hub.token}"}, timeout=30)


class KilledHistories(Histories):
    """The same in a process of its own, which is killed at any moment of a commit."""

    hub: HubProcess

    @rule(files=FILES, delay_s=st.floats(0, 0.02))
    def is_killed_while_committing(self, files: Tree, delay_s: float) -> None:
        """Afterwards the commit is there as a whole or not at all; then it is sent again, so that chance ends here."""
        ref = "refs/heads/main"
        before = self.refs[ref]
        after = applied(self.trees[before], list(files.items()))
        self.http.close()
        sending = threading.Thread(target=self._send_and_forget, args=(commit_body(files.items()),))
        sending.start()
        sending.join(delay_s)
        self.hub.kill()
        sending.join()
        self.hub.start()
        self.http = self._client()
        now = heads(self.http, self.repo)[ref]
        if now != before:
            assert after is not None
            self._moved(ref, now, after, parent=before)
        else:
            self._commit(ref, list(files.items()))

    def _send_and_forget(self, body: str) -> None:
        try:
            with self._client() as http:
                post_commit(http, self.repo, body)
        except httpx.TransportError:
            return  # killed under it, which is the point


def run(machine: type[Histories], hub: HubServer | HubProcess, *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        type("Machine", (machine,), {"hub": hub}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


LONG = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(("examples", "steps"), [(12, 20), pytest.param(150, 40, marks=LONG)])
def test_histories(hub: HubServer, examples: int, steps: int) -> None:
    run(Histories, hub, examples=examples, steps=steps)


@pytest.mark.parametrize(("examples", "steps"), [(3, 8), pytest.param(40, 25, marks=LONG)])
def test_histories_with_kills(tmp_path: Path, examples: int, steps: int) -> None:
    with HubProcess(tmp_path / "hub") as hub:
        run(KilledHistories, hub, examples=examples, steps=steps)
