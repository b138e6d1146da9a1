"""Repositories, commits, trees, refs, accounts and bytes on disk; nothing here knows HTTP.

The shape, and why. Bytes are files named by their SHA-256, stored once for the whole Hub. Everything else is one
SQLite database in WAL mode with synchronous=FULL: a commit is one transaction that ends by moving the ref, so it is
all there or not at all, and after SIGKILL at any instant the next start reads the last whole commit.

A tree is not an object that is rewritten. Each path of a branch has rows (`since`, `until`) saying between which
commits it held which content; folders are rows too and carry the count, digest and last commit of what is below them.
So a commit costs a few index operations per changed path and per ancestor folder, whatever the number of files or
earlier commits (measured by `benchmarks/localhub_throughput.py`), and the last commit of a path is a column, not a
walk. The price: starting a branch and squashing copy the listing once, which neither does often. Git's own trees were
the alternative: a commit then rewrites the whole listing of each touched folder, which grows with the folder.
"""
