"""Care for the repos on the Hub that no tick does by itself."""
