"""What holds for every dataset: rows and how versions merge, files, ledgers, times, errors. No I/O and no clock.

columns                 a column and what it holds
errors                  the error tree
fields                  reads one field of an upstream row
ledgers                 side tables published beside the rows
partitions              which file of a repo a row belongs in
rows                    checked and rejected rows, and how two versions of a row merge
tables                  TableSpec: columns, key, order and partitioning of a table
times                   units of time, and times as ISO 8601
worker_status           what the workers tell of their chains
"""
