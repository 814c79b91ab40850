"""The papers' claims as inequalities that are measured: run by `tools/claims.py`.

`suite` is the data (runs, claims), `jobs` one measured run and its cache, `pool` the processes,
`judge` the statistics, `report` the tables. A method adds a file to `suites`.
"""
