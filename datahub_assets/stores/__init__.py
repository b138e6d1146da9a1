"""Where rows are kept: landing folder, SQLite cache, Hub.

landing                 what a fetch brought, durable before anything else happens to it
forms                   which columns and types a file has, and earlier ones read as today's
worker_status           the file that tells API and CLI how the workers are
step_log                the log of a step, in which what holds for many runs is told once
cache                   the SQLite cache
hub                     dataset repos on the Hub
history                 months of history, built apart from the commit that carries them
publish                 from the cache to one commit
fill                    filling a dataset with its history
recovery                lost caches and inherited gaps
"""
