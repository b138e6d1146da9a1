"""The HTTP API: serves what commits of the Hub's datasets hold. It neither asks upstreams nor writes."""
