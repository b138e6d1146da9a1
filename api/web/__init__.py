"""Pages for a person: the documentation, and queries as permalinks and code.

docs                    Swagger UI, Scalar, the frame of the OpenAPI schema
dry_run                 sends a request to this application itself, to see whether it is accepted
endpoints               the endpoints there are, read off the routes
snippets                permalinks and code
snippets_controller     their endpoints
"""
