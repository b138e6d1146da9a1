"""How every process of this project meets the network: its servers, its HTTP clients, and the proxies between.

server                  runs an ASGI application on uvicorn, within the limits of `connections`
connections             how many connections there may be, and how long each may keep the server waiting
http_connection         one connection, with its limits
bodies                  the largest and slowest request body
hosts                   which names in a `Host` header are ours
headers                 which headers may come only once
forwarded               whom a request that came through a proxy is from
log_limit               a log that nobody can fill with repeats
clients                 the one place that makes HTTP clients
hub_sessions            the same for huggingface_hub
proxies                 which proxy a URL is asked through
no_proxy                which hosts are asked directly
addresses               hosts made comparable, and what counts as one client's address
"""
