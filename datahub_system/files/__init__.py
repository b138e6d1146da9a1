"""What every process of this project does to keep its files from other users of the machine.

private                 folders and files of this user's own
home                    the folder DATAHUB_HOME names
"""
