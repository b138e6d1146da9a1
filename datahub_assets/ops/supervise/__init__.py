"""The processes of `datahub up`: how they are started, watched, restarted and stopped, and where their lines go.

supervisor              starts, restarts and stops the processes
supervised              the life of one process
process                 what a process is and how it is started
stack                   which processes there are, in what order
environment             the environment of each, with the secrets it needs
linux                   what only the kernel can promise about processes
logs                    lines of processes, without secrets, in files
ports                   whether address and ports are free
home_lock               one `up` per home
home                    the home as commands open it
"""
