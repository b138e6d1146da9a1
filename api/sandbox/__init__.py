"""Caller SQL, run where it can do no harm: in confined worker processes. The parent half must never parse or run it.

Import what you need from its module (`api.sandbox.pool` for the pool, `api.sandbox.errors`, …): this file imports
nothing, as every worker process loads it.
"""
