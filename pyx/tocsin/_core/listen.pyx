# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Channels of a pipeline, and those among them that the main thread reads. Cold.

The face serialises what opens and ends them. What a pipeline that goes must know of stands in two lists, which its
finaliser has too.
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from tocsin._core.channel cimport OVERFLOW_DROP_OLDEST, OVERFLOW_LATEST
from tocsin._core.mainthread cimport (
    MainReader,
    main_again,
    main_drain,
    main_has_more,
    main_new,
    main_outlive,
    main_put_later,
    main_silence,
)
from tocsin._core.opening cimport channel_abandon, channel_make, channel_open
from tocsin._core.reader cimport ChannelCore
from tocsin._core.tally cimport Tally, channel_tally
from tocsin._core.ties cimport StageBridge, SubscriptionCore
from tocsin._core.times cimport deadline_of


cdef class ListenCore(NotifyCore):
    """Keep the channels of a pipeline."""

    def __cinit__(self, *args, **kwargs):
        self.channels = []
        self.mains = []

    def _make_channel(
        self, channel: ChannelCore, overflow: int, capacity: int, timeout: float, several: bool, start: int
    ) -> None:
        """Make a channel; `several`: of protocols. Under the face's lock."""
        cdef bint is_locked = several or overflow in (OVERFLOW_DROP_OLDEST, OVERFLOW_LATEST)
        channel_make(channel, self.core, overflow, capacity, <uint64_t> (timeout * 1e9), is_locked, start)
        self.channels.append(channel)

    def _open_channel(self, channel: ChannelCore, protocol: int, events: list, size: int) -> None:
        """Have a channel know events of a protocol, before it is attached to it. `size`: bytes of its ring."""
        cdef StageBridge bridge = self.bridges[protocol]
        channel_open(channel, bridge.q, bridge.types, events, size)

    def _shut_channel(self, channel: ChannelCore) -> None:
        """Say that nothing more will come to a channel. Under the face's lock."""
        channel._shut()
        self.channels[:] = [other for other in self.channels if other is not channel]
        self.mains[:] = [main for main in self.mains if (<MainReader> main).channel is not channel]

    # -- the main thread

    def _call_on_main(self, subscription: SubscriptionCore, is_main: bool) -> None:
        """Have the main thread call the callable of a subscription with what its channel hears.

        is_main: this is the main thread. Before the channel is attached. Under the face's lock.
        """
        cdef SubscriptionCore core = subscription
        cdef MainReader main = main_new(core.channel, core, self.on_error, is_main)
        core.main = main
        self.mains.append(main)

    def _drain_main(self, timeout: object) -> bool:
        """Call what is queued for the main thread now; False: not in time. The main thread."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef MainReader main
        cdef Tally tally
        try:
            for main in list(self.mains):
                channel_tally(main.channel.channel, &tally)
                if main_drain(main, tally.pending, deadline) < tally.pending and main_has_more(main):
                    return False             # out of time, or frozen
        finally:
            for main in list(self.mains):    # by now: the calls of newer ones were turned away meanwhile
                main_again(main)
        return True

    cdef void mains_pass(self) noexcept:
        """See every call either running or never begun, after a halt. Under the face's lock."""
        for main in self.mains:
            with cython.critical_section(main):
                pass             # whoever begins a call after this sees the halt

    cdef void mains_go_on(self) noexcept:
        """Have what is left called, after a thaw. Under the face's lock."""
        for main in self.mains:
            main_again(main)

    def _reset_channel(self, channel: ChannelCore) -> None:
        """Leave a channel to the parent, before another _make_channel(). A forked child, in which nobody reads."""
        channel_abandon(channel)

    cdef void leave_mains(self) noexcept:
        """Leave what the main thread has to call to that of the parent. A forked child."""
        for main in self.mains:
            main_silence(main)
        self.mains = []

    def _end_mains(self, deliver: bool) -> None:
        """Begin no call any more, or leave what is queued to the main thread. Under the face's lock."""
        cdef MainReader main
        cdef list late = []
        for main in self.mains:
            if not deliver:
                main_silence(main)
            elif not main_outlive(main):
                late.append(main)
        if late:
            main_put_later(late)
