"""The card of a commit, read once for each content of its README.md; and the check a new one has to pass."""

from sqlite3 import Connection

from localhub.app.requests.site import Site
from localhub.errors import bad_request
from localhub.protocol.card import HEAD_BYTES, Card, read_card
from localhub.store import commits, trees
from localhub.store.commits import Commit

README = "README.md"


def card_of(site: Site, con: Connection, commit: Commit) -> Card:
    """The card in the README.md of a commit; an empty one if there is none, or none that can be read."""
    entry = trees.lookup(con, commits.view_of(con, commit), README)
    if entry is None or entry.file is None:
        return Card(data={})
    sha256 = entry.file.sha256
    return site.cards.get(sha256, lambda: read_card(site.home.blobs.head(sha256, HEAD_BYTES).decode(errors="replace")))


def check_card(path: str, head: bytes) -> None:
    """Let a file of a commit through unless it is a README.md whose metadata cannot be read, as on huggingface.co.

    Args:
        path: where the file will be.
        head: its first `HEAD_BYTES` bytes, or all of it.

    Raises:
        HubError: 400, saying what is wrong with the block.
    """
    if path == README:
        card = read_card(head[:HEAD_BYTES].decode(errors="replace"))
        if card.error is not None:
            raise bad_request(f"Invalid metadata in {README}: {card.error}")
