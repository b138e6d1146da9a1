"""Rows of the datasets, in pages: an endpoint for each dataset, made from its spec.

controller              the endpoints
descriptions            what a query is answered from
parameters              the query parameters of an endpoint
queries                 what callers say, checked and brought into normal form; cursors
schemas                 a row in the OpenAPI schema
"""
