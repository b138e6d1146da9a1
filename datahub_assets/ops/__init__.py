"""Running and watching the product on one machine.

errors                  why a command cannot do what it was asked
supervise               the processes of `datahub up`
dagster                 Dagster's home folder and output
commands                what each command does
warm                    runs forked from a preloaded process
"""
