"""How data and system are: status, health, metrics.

service                 health of the datasets, the workers and the disk
"""
