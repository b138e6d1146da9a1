"""What every request passes through before its handler.

outermost               request id, authentication, rate limit, metrics, answers to repeated requests
arrival                 a request as it comes in: its id, the headers read once, bounds on URL and headers
refusals                refusals before a handler, in the form of the API they belong to
query_cache             keeps Litestar from keeping large queries
"""
