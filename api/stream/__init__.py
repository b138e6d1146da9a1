"""New commits as they come, as server-sent events.

changes                 what a commit changed, written for each subscriber
controller              the endpoint
feed                    new commits, handed to the subscribers
schemas                 the shape of `restart` events
server_sent_events      server-sent events over ASGI
subscribers             one subscriber: what it wants, where it goes on, its events
"""
