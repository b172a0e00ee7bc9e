"""What tocsin costs, and what the peers cost that do the same job in the same run.

    python -m benchmarks                     every topic; --quick for a first look
    python -m benchmarks.notify              one topic
    pytest benchmarks --benchmark-only       the same cases under pytest-benchmark

A case builds its world, does one round unmeasured, collects garbage, does one round measured, checks
the books and takes its world down. All cases of a topic run so in turn, A B C A B C, so that what the
machine does at a moment meets them all, and nothing of one case lives while another runs.
"""
