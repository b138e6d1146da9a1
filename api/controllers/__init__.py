"""The routes, one controller per area; handlers say what is asked and hand over. No logic lives here."""
