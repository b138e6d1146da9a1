"""Dataset repos on the Hub: the client, the account, and what their files look like.

client                  the few calls we make to a Hub
http                    bounds on its HTTP calls
account                 the Hub of the settings, and whose account it is
rights                  what a token may do, and what to do where it may not
card                    the README.md of a repo
layout                  frames to parquet bytes and back
footers                 what a file's footer tells, without its rows
portions                a large file, series by series
parquet_faults          what is wrong with a parquet file, with its name
history                 how long a repo's history is, and making it short
"""
