"""Asking nodes for blocks.

ethereum                a node of Ethereum
bitcoin                 an explorer of Bitcoin
fetch                   one fetch of what is new on both chains
"""
