"""Clients of the upstream HTTP APIs. Nothing here writes to disk or knows of Dagster."""
