"""Fifty clients that ask for everything at once, a writer that commits meanwhile, and what others notice of it.

clients                 the clients, in a process of their own
probes                  one who asks how the server is, and one who follows what is new, in a process of their own
requests                what each kind of client asks
run                     all of them against one server, and what they saw
"""
