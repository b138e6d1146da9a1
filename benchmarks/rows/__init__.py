"""One module per claim: each says what is asked, makes sure that all answer alike, and returns its rows."""
