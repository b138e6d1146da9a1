"""What the clients of all upstream APIs share: one bounded GET, and when to ask again.

ask                     one question, one answer
backoff                 attempts and the waits between them
fetched                 what a client hands to its asset
http                    one bounded GET
loop_thread             an event loop that threads share
pauses                  the pauses upstreams asked for
"""
