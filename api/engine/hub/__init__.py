"""What the Hub holds, read over HTTP, and the local index of its commits and files.

blobs                   files of commits on disk, named by their hash
call_budget             how many calls a minute
catalog                 the index of commits, trees and files, in SQLite
commits                 the commits of a dataset
reader                  commits, trees, files and accounts over HTTP
revision_lookup         asks the Hub for a revision that is not in the index
"""
