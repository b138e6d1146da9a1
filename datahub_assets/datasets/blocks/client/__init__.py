"""Asking nodes for blocks.

ethereum                those of a node of Ethereum
bitcoin                 those of an explorer of Bitcoin
fetch                   one fetch of what is new on both chains
"""
