"""Blocks of Ethereum and Bitcoin, as public nodes tell them.

spec                    what the dataset is
rows                    what makes a block as a node tells it a row
linked                  how blocks hang together: what is new, what was replaced, what is final now
client                  the nodes of each chain, and one fetch of all of them
missing                 which missing blocks to ask for again
asset                   the source asset
doctor                  what `datahub doctor` asks
"""
