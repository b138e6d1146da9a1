"""What holds for every dataset: rows and how versions merge, files, ledgers, times, errors. No I/O and no clock.

columns                 a column and what it holds
errors                  the error tree
fields                  reads one field of an upstream row
files                   the files of a repo, and which of them a row belongs in
gaps                    which rows of a series are missing
history                 months of history, and what a source said of one
hub_errors              which error a Hub's refusal is
ledgers                 side tables published beside the rows
rechecks                whose turn it is to be asked for again
rows                    checked and rejected rows, and how two versions of a row merge
spelling                the known name that an unknown one is most like
sql_names               names in SQL text
tables                  TableSpec: columns, key, order and partitioning of a table
times                   units of time, and times as milliseconds and as text
worker_status           what the workers tell of their chains
"""
