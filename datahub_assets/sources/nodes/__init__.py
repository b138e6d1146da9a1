"""Public nodes of blockchains, of which each may be down, behind, or wrong.

json_rpc                a node that is called by JSON-RPC, as Ethereum's are
bitcoin                 an explorer of Bitcoin that is asked by GET
belief                  which of several nodes is believed
"""
