"""What HTTP asks of every endpoint: parameters, formats, codings, errors, and bodies sent to clients that come and go.

context                 what is known of one request
delivery                sends a large body in pieces, and stops for a client that does not read
disconnects             whether the caller is still connected
errors                  the errors of the API, with status and code
form                    format and content coding: chosen, and rows written in them
metrics                 the counters of /metrics
openapi                 the answers besides success, for the OpenAPI schema
parameters              query parameters that endpoints share
problems                errors as callers see them
reading                 which parameters there may be, and how their values are read
recent                  values used lately, bounded in weight
token_form              what a token of the Hub looks like
work_threads            where answers are worked out: threads for small and for large work
"""
