"""Pages for a person: the documentation, and queries as permalinks and code.

docs                    Swagger UI, Scalar, the frame of the OpenAPI schema
endpoints               the endpoints there are, read off the routes
query_checks            checks a query as its endpoint does, without asking it
snippets                permalinks and code
snippets_controller     their endpoints
"""
