"""Public nodes of blockchains, of which each may be down, behind, of another chain, or wrong.

json_rpc                a call by JSON-RPC
ethereum                a node of Ethereum, called by it
bitcoin                 an explorer of Bitcoin, asked by GET
chain_proofs            which chain each node is of, and when it said so
belief                  which of several nodes is believed
followed                the nodes of all chains that are followed
"""
