"""The Hub's wire shapes as pure functions: what goes in and out of the HTTP API. No HTTP server and no disk here."""
