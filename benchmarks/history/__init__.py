"""Months of history: made files of an archive on loopback, and those who fetch them.

files                   made zips with their CHECKSUMs, monthly and daily
archive_server          serves them, and their list
fill_process            the product's fill, in a process of its own
bare_loop               a loop that unzips, parses and writes the same files, and does nothing else
freqtrade_fetch         freqtrade's downloader of archives
history_fill            rows: speed against those two, and memory
history_rest            row: how much of a limited request weight is used
history_beside_live     row: ticks while a fill runs
"""
