"""What `datahub history …` does.

fill                    `fill`: alone, or by a running `up`
published               `status` and `verify`
options                 what is asked for, checked
"""
