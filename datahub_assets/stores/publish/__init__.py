"""Publishing: what waits in the cache becomes one commit.

publisher               what waits in the cache becomes one commit, step by step
work                    what the steps work with
retries                 when a publish that failed is tried again at once
head                    a repo as it is now, and what others took from it
draft                   what the next commit would hold
carried                 months of history that go with a commit
plans                   which files change when rows arrive, or a window or a period is over
folds                   the windows that are due to become one file
head_files              files of a head: their footers, their content, and which of them are damaged
earlier_files           files of an earlier form, found and written anew
moved_keys              finds the sealed files that hold the keys of rows
losses                  what others removed from a repo, and what is sent again for it
chain_facts             what the cache knows of a chain
"""
