"""Filling a dataset with its history: which months are due, and one after the other until all are committed.

wishes                  what is to be filled
filling                 month by month, until all that can be had is committed
room                    whether the disk takes it
requests                what somebody asked a running hub to fill, and how far that is
tellings                what came of a fill, for a person
verifying               published rows against what the ledger of sources says
"""
