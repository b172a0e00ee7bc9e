// boost::lockfree::spsc_queue on the work of paths/native_to_native.py, boost::lockfree::queue, which
// several may push to, on that of paths/native_shared.py, and two spsc_queues, one behind the other, on that
// of paths/channel.py.
//
// Records of 48 bytes in a ring of 4 MiB, a producer, and a consumer thread that takes them one by one (pop)
// or all that are there (consume_all) and reads each timestamp. Either side pauses when it finds nothing to
// do, the producer as long as the one in native.c, but without a yield, which would cost it half its speed.
// The shared queue has 65,534 records, the most that it can.
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/version.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

struct record {
    std::uint64_t timestamp;
    std::uint32_t size;
    std::uint8_t protocol, event;
    std::uint16_t lost;
    unsigned char payload[32];
};
static_assert(sizeof(record) == 48, "as much as a record of tocsin");

constexpr std::size_t ring = (4 << 20) / sizeof(record);
constexpr int full_pauses = 64;
using queue = boost::lockfree::spsc_queue<record, boost::lockfree::capacity<ring>>;
using shared = boost::lockfree::queue<record, boost::lockfree::capacity<65534>>;

void pause_for(int pauses) {
    for (int i = 0; i < pauses; i++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        asm volatile("" ::: "memory");
#endif
    }
}

std::int64_t now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

// The ns from the first push to the last record taken; negative if a record was not what was pushed.
template <typename Queue>
std::int64_t run(Queue *q, std::uint64_t n, int pauses, bool all, bool clock, const unsigned char *payload) {
    std::atomic<bool> ready{false};
    std::int64_t ended = 0;
    std::uint64_t stamps = 0;
    std::thread consumer([&] {
        std::uint64_t taken = 0;
        const auto take = [&](const record &r) { stamps += r.timestamp != 0; };
        record r;
        ready.store(true);
        while (taken < n) {
            std::uint64_t found;
            if (all) {
                found = q->consume_all(take);
            } else {
                found = q->pop(r);
                if (found)
                    take(r);
            }
            taken += found;
            if (!found)
                pause_for(pauses);
        }
        ended = now();
    });
    while (!ready.load())
        pause_for(1);
    const std::int64_t began = now();
    for (std::uint64_t i = 0; i < n; i++) {
        record r;
        r.timestamp = clock ? static_cast<std::uint64_t>(now()) : 1;
        r.size = sizeof r.payload;
        r.protocol = 0x80;
        r.event = 0;
        r.lost = 0;
        std::memcpy(r.payload, payload, sizeof r.payload);
        while (!q->push(r))
            pause_for(full_pauses);
    }
    consumer.join();
    return stamps == n ? ended - began : -EIO;
}

struct hops {
    queue first, second;
};

// Three threads, as a channel has: one that writes, one that hands on what it reads, and one that copies that
// to a block, 4,096 records at a time. They may have fewer cores, so whoever finds nothing to do yields.
std::int64_t run_hops(hops *h, std::uint64_t n, int pauses, const unsigned char *payload) {
    const auto rest = [&] {
        pause_for(pauses);
        std::this_thread::yield();
    };
    std::int64_t ended = 0;
    std::uint64_t stamps = 0;
    std::thread middle([&] {
        for (std::uint64_t taken = 0; taken < n;) {
            const std::uint64_t found = h->first.consume_all([&](const record &r) {
                while (!h->second.push(r))
                    rest();
            });
            taken += found;
            if (!found)
                rest();
        }
    });
    std::thread reader([&] {
        std::vector<record> block(4096);
        for (std::uint64_t taken = 0; taken < n;) {
            const std::size_t found = h->second.pop(block.data(), block.size());
            for (std::size_t i = 0; i < found; i++)
                stamps += block[i].timestamp != 0;
            taken += found;
            if (!found)
                rest();
        }
        ended = now();
    });
    const std::int64_t began = now();
    for (std::uint64_t i = 0; i < n; i++) {
        record r{1, sizeof r.payload, 0x80, 0, 0, {}};
        std::memcpy(r.payload, payload, sizeof r.payload);
        while (!h->first.push(r))
            rest();
    }
    middle.join();
    reader.join();
    return stamps == n ? ended - began : -EIO;
}

} // namespace

extern "C" {

int spsc_version() { return BOOST_VERSION; }

queue *spsc_open() { return new queue; }

void spsc_close(queue *q) { delete q; }

std::int64_t spsc_run(queue *q, std::uint64_t n, int pauses, int all, int clock,
                      const unsigned char *payload) {
    return run(q, n, pauses, all, clock, payload);
}

hops *hops_open() { return new hops; }

void hops_close(hops *h) { delete h; }

std::int64_t hops_run(hops *h, std::uint64_t n, int pauses, int, int, const unsigned char *payload) {
    return run_hops(h, n, pauses, payload);
}

shared *shared_open() { return new shared; }

void shared_close(shared *q) { delete q; }

std::int64_t shared_run(shared *q, std::uint64_t n, int pauses, int all, int clock,
                        const unsigned char *payload) {
    return run(q, n, pauses, all, clock, payload);
}
}
