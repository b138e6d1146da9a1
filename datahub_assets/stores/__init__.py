"""Where bytes rest: SQLite cache, landing folder, Hub. Nothing here fetches from upstreams or knows of Dagster.

landing         what a fetch brought, durable before anything else happens to it
cache           rows between upstream and Hub, the outbox
database        its SQLite connection
schema          the format of its file
tables          its tables, from the specs
series          the state of each series: first and last row, coverage, gaps
inherited       open gaps that another installation left on the Hub
quarantine      rejected rows with their reasons
publisher       what waits in the cache becomes one commit
budget          how often that may happen
head            a repo as it is now
remote          what the cache remembers of it
draft           what the next commit would hold
losses          what others took from a repo, and what goes there again for it
layout          frames to parquet bytes and back
card            the README.md of a repo
hub             the few things done with repos on a Hub
hub_http        bounds on its HTTP calls
account         the Hub of the settings, and whose it is there
maintenance     long histories made short
rebuild         a new cache from the Hub
salvage         what only the old one knows, brought into it
"""
