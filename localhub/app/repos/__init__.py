"""Endpoints that read and manage repositories: info, refs, trees, files and the pages for a browser.

accounts                who am I, and is this card all right
repos                   repositories as wholes
refs                    branches, tags and history
trees                   what a commit holds
files                   downloads
pages                   pages for a browser
"""
