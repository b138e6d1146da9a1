"""How every process of this project meets the system it runs on. `api`, `datahub_assets` and `localhub` build on it.

clock                   the time of this machine
net                     servers, HTTP clients, and the proxies between
files                   folders and files that other users of the machine cannot reach
certificates            which authorities vouch for a server's certificate
terminal                printing where the terminal's encoding lacks a character
interpreter             what the interpreter of a server does not load, and what its collector passes over
processes               how a process is told to end
"""
