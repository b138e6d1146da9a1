"""What candles, prices and datasets are. Pure: no I/O, no clock, no framework.

datasets        one DatasetSpec per dataset
intervals       candle intervals and their grid in time
candles         a kline becomes a row, or is rejected
prices          an item of CoinGecko becomes a row, or is rejected
fields          reading one field of either
rows            checked and rejected rows, and how two versions of a row merge
gaps            what a series should hold and does not
ledgers         gaps and corrections as data beside the rows
partitions      which file of a repo a row belongs in
errors          the error tree
"""
