"""The backend in plain Python: the model to read, and what runs where there is no compiled core.

It has the names and the behaviour of tocsin._core, and none of its speed. What there is done with atomic
operations is done here with locks, so each promise can be read off in a few lines:

    header, kfifo, typedfifo, recordfifo    bytes in order, alone
    payload, times                          what a payload may look like; clocks and timeouts
    work, workqueue, worker                 PENDING: a kick is neither lost nor doubled; who runs what
    event, batch                            what callables get
    equeue                                  a protocol's queue: what was accepted, and its books
    channelqueue, channel, listener         a subscriber's own queue, and who reads and fills it
    subscription, stage                     who wants which event, and the run that calls them
    many, notify, engine, producer          the way in, and the whole of a pipeline
    workcore, works, notifier               the parts on their own
    exit, failing                           the interpreter's end; exceptions without a caller

Two stages become one. The compiled core has a stage for native subscribers, without the GIL, and behind it
one for Python callables. Here nobody is native: so there is one stage, it takes all, and it is the last
one.

One lock for a queue, one for the workers. Every notify() takes the lock of its queue, for a few
instructions; no callable is ever called under it. Both are reentrant, since a signal handler, or a
finaliser that the collector runs, may come in on the same thread in the middle: what changes under a lock
is changed in an order in which that does no harm.

Workers hold on to a workqueue and to nothing behind it: it knows what it runs by weak references only. So a
pipeline of which nobody has a reference any more goes at once, with its workers still asleep.
"""
