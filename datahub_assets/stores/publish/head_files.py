"""The files of a head: what their footers tell, their content, and that one is damaged.

A sealed file that is damaged is left as it is, and everything that does not need its rows goes on without them.
"""

import io

from datahub_assets.domain.errors import HubFileDamaged, HubUnavailable
from datahub_assets.domain.files.data_files import is_sealed
from datahub_assets.domain.files.hub_files import is_content
from datahub_assets.stores import forms
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub.footers import Footer, read_footer
from datahub_assets.stores.publish.work import Work


def footer(work: Work, base: RepoState, path: str) -> Footer:
    """The footer of a file of the head; a sealed file that is damaged has no rows and the form `forms.UNREADABLE`.

    Raises:
        HubError: the file could not be fetched.
        HubFileDamaged: it is damaged and not sealed, so that no publish can do without it.
    """
    name = f"{path} at {base.head}"
    try:
        with work.hub.opened(work.spec, path, revision=base.head) as file:
            return read_footer(file, name=name)
    except HubFileDamaged:
        if not is_sealed(work.spec, path):
            raise
    content = whole(work, base, path)  # an answer that came in part must not be taken for a damaged file
    try:
        return read_footer(io.BytesIO(content), name=name)
    except HubFileDamaged as error:
        leave(work, base, path, error)
        return Footer(rows=0, form=forms.UNREADABLE)


def whole(work: Work, base: RepoState, path: str) -> bytes:
    """The content of a file of the head.

    Raises:
        HubError: it could not be fetched.        HubUnavailable: what came is not the content the head names.
    """
    content = work.hub.read(work.spec, path, revision=base.head)
    if not is_content(content, content_id=base.files[path].content_id):
        raise HubUnavailable(f"{path} at {base.head} came with other content than the Hub says it has")
    return content


def leave(work: Work, base: RepoState, path: str, error: HubFileDamaged) -> None:
    """A sealed file is damaged: remember it, by its content, and say so once."""
    work.cache.repo(work.spec).note_unreadable(base.files[path].content_id)
    work.log.warning("%s: the file is left as it is, and publishing goes on: %s", base.repo, error)
