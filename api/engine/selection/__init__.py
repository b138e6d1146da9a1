"""Selects rows of a snapshot by series, time, position and filters: slices of sorted files, no scan of the history.

many_series             pieces of many series of a file at once
pages                   pieces of files put together to a page
pieces                  rows of one file that can be on a page, and places in it
query                   which rows are meant
runs                    rows of many series in one file, searched together
select                  the page of rows a query means
"""
