"""The HTTP API: serves what commits of the Hub's datasets hold. It neither asks upstreams nor writes.

asgi                    the application, put together from the settings
access                  who may call and how often
http                    what HTTP asks of every endpoint
caching                 answers of pinned commits: ETag, 304, response cache
encoders                the formats
arrow_bytes             Arrow batches whose bytes say nothing but their values
engine                  snapshots of commits, and rows selected from them
rows                    rows of each dataset, in pages
sql                     SQL over the datasets
datasets                what the datasets are
health                  status, health and metrics
history                 differences, revisions, coverage
stream                  new commits as server-sent events
dropin                  endpoints in the form of other APIs
web                     documentation, permalinks and code
memory                  gives memory back when a time of much work is over
middleware              what every request passes through before its handler
"""
