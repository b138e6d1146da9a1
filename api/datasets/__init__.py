"""What the datasets are: files, columns and coverage, and the webhook that tells of a new commit.

controller              the endpoints
schemas                 the shapes of their answers
service                 a dataset at a commit: files, columns, coverage
webhook_controller      the Hub's webhook
"""
