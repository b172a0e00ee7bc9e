"""Puts the classes of tocsin.compat.logging into logging.handlers when an interpreter with this path begins.

At the end the records that went through them are written to the file that TOCSIN_COMPAT_CALLS names: those
that were enqueued, and those that were handled. A child has no say in that.
"""

import atexit
import itertools
import logging.handlers
import multiprocessing
import os

from tocsin.compat.logging import QueueHandler, QueueListener

enqueued, handled = itertools.count(), itertools.count()


class CountedHandler(QueueHandler):
    def enqueue(self, record):
        next(enqueued)
        super().enqueue(record)


class CountedListener(QueueListener):
    def handle(self, record):
        next(handled)
        super().handle(record)


def report():
    if multiprocessing.parent_process() is None:
        with open(os.environ["TOCSIN_COMPAT_CALLS"], "w") as file:
            file.write(f"{next(enqueued)} {next(handled)}")


logging.handlers.QueueHandler, logging.handlers.QueueListener = CountedHandler, CountedListener
atexit.register(report)
