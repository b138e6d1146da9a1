"""Publishing: what waits in the cache becomes one commit.

publisher               what waits in the cache becomes one commit
draft                   what the next commit would hold
plans                   which files change when rows arrive or a window rolls
head                    a repo as it is now
commit_budget           how often we may commit
moved_keys              finds the sealed files that hold the keys of rows
losses                  what others removed from a repo, and what is sent again for it
chain_facts             what the cache knows of a chain
"""
