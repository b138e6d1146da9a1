"""What HTTP asks of every endpoint: parameters, formats, codings, errors, and bodies sent to clients that come and go.

bodies                  rows as the body of an answer, whole or streamed
compression             content codings
delivery                sends a large body in pieces, and stops for a client that does not read
disconnects             whether the caller is still connected
errors                  the errors of the API, with status and code
etags                   ETag, lifetime and 304
metrics                 the counters of /metrics
negotiation             which format and content coding
openapi                 the answers besides success, for the OpenAPI schema
parameters              query parameters that endpoints share
problems                errors as callers see them
token_form              what a token of the Hub looks like
times                   times as callers write them
"""
