"""The workers of the Data Hub: fetch, check, keep, publish. No HTTP serving lives here; that is `api`."""
