"""What changed between commits, and what is missing.

controller              the endpoints
coverage                what a snapshot holds of each series, and its gaps
differences             what changed between two commits
ledger_files            ledgers as files, whichever version of the project wrote them
narrowing               by what callers may narrow down what is asked of any dataset
narrowing_parameters    the parameters for that
queries                 what callers may ask, checked
revisions               the commits of a dataset
schemas                 the shapes of answers
service                 differences and coverage as answers
"""
