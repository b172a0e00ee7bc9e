"""Instructions of notify and dispatch, counted under valgrind: the same on a busy machine as on a quiet one.

    python -m benchmarks instructions             compare with the baseline; exit 1 beyond 5 %
    python -m benchmarks instructions --update    make what was counted the baseline

driver.py runs in one process under callgrind and does every scene 5,000 and 15,000 times; what
the second takes more, divided by 10,000, is one operation, and whatever surrounds it cancels out. Only the
scenes are counted, not the start of the interpreter. Nothing runs in a thread of its own, and Python's hash
seed is fixed; without workers no stage looks at a clock to choose how many events it handles in one go. So
two runs differ by less than a percent.

A baseline holds for one compiler, Python and kind of processor. Instructions are no times: a cache line that
two cores fight for, a lock prefix and a system call count as one each. Under valgrind a clock is read by a
system call, so what the clock itself takes is not in these counts.
"""
