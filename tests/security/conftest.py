"""The Hub, the workers and the application of the API's tests."""

from tests.api.conftest import client, hub, seeded, workers

__all__ = ("client", "hub", "seeded", "workers")
