"""Months of history, built by workers that share nothing but the Hub, for a commit that somebody else makes.

worker                  builds a month of a group, and uploads it
merging                 fetched rows of a month meet those its files have
held_rows               what the files of a head have of a month, series by series
month_files             the new files of a month, open together
base                    the head of a repo as workers see it
reports                 what was built, for whoever commits
told_sources            the ledger of sources: what is done
told_gaps               the ledger of gaps: what is missing still, and what is filled now
"""
