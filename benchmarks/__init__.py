"""What tocsin costs, and what the peers cost that do the same job in the same run.

    python -m benchmarks [path ...]          every path, held against its targets; --quick for a first look
    python -m benchmarks --check             the same, and exit 1 if a target is missed
    python -m benchmarks compare             the peers that are installed, on the same work
    python -m benchmarks plot                draw the last run (and comparison) for the documentation
    python -m benchmarks instructions        count instructions under valgrind: the guard without noise
    python -m benchmarks.paths.notify        one path alone
    pytest benchmarks                        whether every case runs, delivers and prints; no times

A path is a way that events take, one module of benchmarks/paths each: its cases, and the targets that we
promise for them. A case builds its world, does one round unmeasured, collects garbage, does one round
measured, checks the books and takes its world down. All cases of a path run so in turn, A B C A B C, so that
what the machine does at a moment meets them all, and nothing of one case lives while another runs.

A time begins before the first call and ends at the last delivery, and as many must have been delivered as
were sent. Nothing is pinned to a core.
"""
