"""Incidents of services, as their status page tells them: a dataset that an installed package brings."""
