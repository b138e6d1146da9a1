"""Asking nodes for blocks.

ethereum                those of a node of Ethereum
bitcoin                 those of an explorer of Bitcoin
chain_blocks            what is asked of a node, whichever chain it is of
holes                   blocks that are missing between stored ones
fetch                   one fetch of what is new on both chains
"""
