"""The workers of the Data Hub: they fetch, check, keep and publish rows.

cli                     `datahub …`
cli_history             `datahub history …`
cli_support             what all commands share
definitions             Dagster's only entry
settings                all settings, read from the environment
settings_table          the table of them, for people
settings_faults         what is wrong with them, in words
setting_values          what values of settings look like
settings_typos          variables that look like misspelt settings
datasets                a package per dataset, and the list of them
domain                  what holds for every dataset; pure
sources                 what clients of upstream APIs share
stores                  landing folder, SQLite cache, Hub
defs                    Dagster: assets, checks, sensors
ops                     runs and watches it all on one machine
"""
