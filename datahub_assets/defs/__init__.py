"""Dagster, thin: resources, assets, checks and sensors. Logic lives in domain, sources and stores."""
