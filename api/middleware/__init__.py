"""What every request passes through before its handler.

bounds                  a close look at requests with a header twice, a long URL, or a token elsewhere
front                   the request's context, HEAD, answers to repeated requests, metrics
private_answers         headers of answers to URLs that hold a secret
public_url              the URL callers know the server by
query_cache             keeps Litestar from keeping large queries
ranges                  parts of binary answers
refusals                refusals before a handler, in the form of the API they belong to
"""
