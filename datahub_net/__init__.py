"""How every process of this project meets the network: servers, connections, names of hosts, proxies, HTTP clients.

    server       runs an ASGI application on uvicorn, with the limits of `connections` and the check of `hosts`
    connections  which connections are closed: silent, half-sent, stalled, or one too many
    hosts        which names in a `Host` header are ours
    addresses    what counts as one client's address

`api`, `datahub_assets` and `localhub` build on it; it knows none of them.
"""
