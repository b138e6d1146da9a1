"""What every process of this project does with its files: kept from other users of the machine, written whole.

private                 folders and files of this user's own
whole                   write a file whole
home                    the folder DATAHUB_HOME names
client_tokens           the tokens of the API's clients, as hashes
"""
