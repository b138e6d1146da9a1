"""Dagster as this product runs it: its home folder, and what its runs print.

dagster_home            dagster.yaml, workspace and sockets, from the settings
run_output              which lines of a run a terminal shows
runtime_folder          where the sockets of the running product are
web                     Dagster's UI behind a login
"""
