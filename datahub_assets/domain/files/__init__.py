"""The files of a repo: what each is by its path, and which of them a row belongs in.

data_files              what a file of a repo is, by its path
hub_files               a file of a repo, and the ids of commits and contents
partitions              which file of a repo a row belongs in, now and later
"""
