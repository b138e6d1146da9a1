"""What changed between commits, and what is missing.

controller              the endpoints
revisions               the commits of a dataset
schemas                 the shapes of their answers
service                 differences and coverage
"""
