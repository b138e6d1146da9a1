"""What every endpoint uses: the call and the opened home, who may do what, pages of lists, refusals.

site                    the opened home, and the call an endpoint is given
access                  who may do what
failures                refusals as HTTP answers
paging                  lists in pages
bodies                  how many bytes and which media types an endpoint takes
cache                   answers that never change, bounded in bytes
cards                   the card of a commit, and the check of a new one
endpoints               makes endpoints of functions over a call
large_answers           answers of several megabytes, sent in pieces
"""
