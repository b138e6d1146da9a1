"""What it costs to use Ethereum and Bitcoin, minute by minute, as public nodes tell it.

spec                    what the dataset is
rows                    what makes what a node tells a row
client                  one fetch of both chains
asset                   the source asset
"""
