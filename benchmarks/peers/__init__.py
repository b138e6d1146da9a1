"""The peers, each set up as its own documentation advises for this work; none of them knows the others."""
