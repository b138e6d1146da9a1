"""Runs callers' SQL in confined worker processes, because a statement is code of a stranger: it must not read files,
reach the network, use up the machine, or see another caller's data. This package is the server's half; it never parses
or runs a statement. It imports nothing of `worker`, and this file imports nothing, as every worker process loads it.

pool                    the entry: runs a statement in a worker within its limits
queue                   who gets the next free worker
process                 one worker process
fork_client             asks the fork server for workers
snapshot                the tables a statement may read
messages                messages between server and worker
limits                  the limits as plain numbers
errors                  what can become of a statement
confinement             what a worker gives up first: files, network, privileges
seccomp                 the system calls it keeps
worker                  the half that runs in those processes
"""
