"""Selects rows of a snapshot by series, time, position and filters: slices of sorted files, no scan of the history.

pages                   pieces of files put together to a page
pieces                  runs of rows of one series in one file, and places in them
query                   which rows are meant
select                  the page of rows a query means
"""
