"""The asset checks every dataset has.

asset_checks            the checks
rules                   what must hold for rows
read_back               rows of the last commit, compared with the cache
"""
