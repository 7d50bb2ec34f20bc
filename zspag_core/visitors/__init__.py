"""Several people on one dashboard: who they are, what is theirs, how much each may ask for, where they are.

None of it is in force unless the dashboard was started with `zspag app --share`.
"""
