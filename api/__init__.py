"""The HTTP API: serves what commits of the Hub's datasets hold. It neither asks upstreams nor writes.

asgi            the application, put together
front           the outermost layer of every request
arrival         a request as it comes in, and its bounds
refusals        requests that go no further
querycache      large queries, forgotten
controllers     the routes
dropin          the routes in the shapes of Binance and CoinGecko
guards          token, rate and parameters, before a handler runs
auth            whose a token is
unknown_tokens  how many unknown tokens are looked up, by address
ratelimit       requests a minute
budget          events a minute, for `auth`
parameters      query parameters that endpoints share
queries         what may be asked of rows, in one normal form
sqlqueries      what may be asked of SQL
times           times as callers write them
cursors         where a page ended
revisions       from `revision` and `as_of` to snapshots
engine          commits, snapshots and rows of them
sandbox         caller SQL in confined processes
rows            a request for rows, answered from a snapshot
statements      a statement, answered over HTTP
history         differences and coverage
describe        status, dataset information, commits
health          how data and system are
stream          new commits, handed to who listens
changes         what a commit changed, for them
followers       one of them
eventstream     server-sent events
snippets        queries as permalinks and code
endpoints       what is answered to a GET, read off the routes
rehearsal       what the application would answer, asked by itself
answers         rows over HTTP
conditional     the same for one JSON object
listings        the same for lists that are of no commit
validators      ETag, lifetime and 304 of all of them
recall          answers that need not be made again
delivery        bodies sent in pieces, to clients that take them
bodies          rows as the body of an answer
encoders        the formats
negotiation     which format and content coding
compression     the content codings
cache           finished answers in memory
hot             those asked for again in the very same words
presence        whether the caller is still there
schemas         shapes of answers
docs            Swagger UI, Scalar, the schema's frame
errors          the errors, with status and code
problems        errors as callers see them
metrics         what Prometheus reads
"""
