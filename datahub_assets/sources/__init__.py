"""What the clients of all upstream APIs share: one bounded GET, and when to ask again.

ask                     one question, one answer
backoff                 attempts and the waits between them
binance                 the exchange that several datasets ask
clocks                  what upstreams tell of the time
fetched                 what a client hands to its asset
http                    one bounded GET
loop_thread             an event loop that threads share
nodes                   public nodes of blockchains
pauses                  the pauses upstreams asked for
"""
