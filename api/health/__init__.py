"""How data and system are: status, health, metrics.

collector               the gauges of /metrics
controller              the endpoints
schemas                 the shapes of the status
service                 health of the datasets, the workers and the disk
status                  the status in brief
"""
