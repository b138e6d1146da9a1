"""What holds for every dataset: rows and how versions merge, files, ledgers, times, errors. No I/O and no clock.

columns                 a column and what it holds
data_files              what a file of a repo is, by its path
errors                  the error tree
fields                  reads one field of an upstream row
gaps                    which rows of a series are missing
hub_errors              which error a Hub's refusal is
hub_files               a file of a repo, and the ids of commits and contents
ledgers                 side tables published beside the rows
partitions              which file of a repo a row belongs in, now and later
rechecks                whose turn it is to be asked for again
rows                    checked and rejected rows, and how two versions of a row merge
sql_names               names in SQL text
tables                  TableSpec: columns, key, order and partitioning of a table
times                   units of time, and times as milliseconds and as text
worker_status           what the workers tell of their chains
"""
