"""Runs that start at once, forked from a process that has imported everything.

Starting a run is most of a tick when each run is a new interpreter that imports Dagster and the project anew (seconds
of CPU); a fork of a process that has done so takes milliseconds. `server` is that process, `launcher` is how Dagster's
daemon asks it for a run, `protocol` is what they say to each other.
"""
