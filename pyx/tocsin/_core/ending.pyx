"""The end of a pipeline: what closing it and dropping it have in common.

Shut the doors, halt the workqueues, see that no call can begin any more, count the rest as abandoned. None of
it waits for a call. With the GIL; the face's lock is held, or nobody has the pipeline any more.
"""

from tocsin._core.channel cimport channel_close
from tocsin._core.core cimport Core, core_queue, equeue_abandon, equeue_shut
from tocsin._core.mainthread cimport MainReader, main_silence
from tocsin._core.reader cimport ChannelCore
from tocsin._core.subscription cimport bridge_detach, bridge_keep_running
from tocsin._core.ties cimport StageBridge, bridge_pass
from tocsin._core.worker cimport workqueue_stop


cdef void core_shut(Core* core) noexcept:
    cdef int protocol
    for protocol in range(256):
        if core_queue(core, protocol) != NULL:
            equeue_shut(core_queue(core, protocol))


cdef void core_stop(Core* core, list bridges) noexcept:
    cdef int protocol
    workqueue_stop(&core.native)
    workqueue_stop(&core.python)
    bridges_pass(bridges)
    for protocol in range(256):
        if core_queue(core, protocol) != NULL:
            equeue_abandon(core_queue(core, protocol))


cdef void bridges_pass(list bridges) noexcept:
    """See every call either running or never begun, after a halt. Under the face's lock."""
    cdef StageBridge bridge
    for bridge in bridges:
        if bridge is not None:
            bridge_pass(bridge)


cdef void pipeline_end(void* core, object kept) noexcept:
    """Close a pipeline that goes, without waiting: its finaliser."""
    cdef StageBridge bridge
    cdef list bridges = kept[0]
    core_shut(<Core*> core)
    for bridge in bridges:
        if bridge is not None:
            bridge_detach(bridge)
    core_stop(<Core*> core, bridges)
    for bridge in bridges:
        if bridge is not None:
            bridge_keep_running(bridge, kept[1])
    channels_end(kept[2])
    for main in kept[3]:
        if not (<MainReader> main).is_kept:
            main_silence(main)


cdef void channels_end(list channels) noexcept:
    """Say that nothing more will come to the channels of a pipeline; readers take what is there."""
    cdef ChannelCore channel
    for channel in channels:
        channel_close(channel.channel)
