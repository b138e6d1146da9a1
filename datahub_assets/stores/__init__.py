"""Where bytes rest: SQLite cache, landing folder, Hub. Nothing here fetches from upstreams or knows of Dagster."""
