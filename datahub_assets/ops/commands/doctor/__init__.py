"""`datahub doctor`.

checks                  the checks, one after another
server_checks           whether the servers of the stack answer
trial_publish           a trial of publishing
"""
