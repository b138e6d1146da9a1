"""What changed between commits, and what is missing.

controller              the endpoints
service                 differences and coverage
"""
