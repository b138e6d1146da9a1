"""The HTTP API: serves what commits of the Hub's datasets hold. Nothing here fetches from upstreams or writes to the Hub."""
