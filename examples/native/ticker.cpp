/* A feed handler in C++: its std::thread produces quotes, and a C++ subscriber keeps the best of each.
 *
 * c++ -std=c++17 -O2 -shared -fPIC -pthread -I"$(python -c 'import tocsin; print(tocsin.get_include())')"
 *     ticker.cpp -o ticker.so
 */
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>

#include <tocsin.h>

namespace {

struct quote {
    std::uint32_t instrument;
    std::uint32_t quantity;
    double price;
};

class feed {
  public:
    feed(tocsin_producer *producer, std::uint32_t quotes)
        : thread_([this, producer, quotes] { run(producer, quotes); }) {}

    std::uint32_t join() {
        thread_.join();
        return accepted_;
    }

  private:
    void run(tocsin_producer *producer, std::uint32_t quotes) {
        for (std::uint32_t i = 0; i < quotes; i++) {
            const quote last{i % 4, 100, 10.0 + i % 4 + 0.01 * (i % 1000)};
            if (tocsin_notify(producer, 0, &last, sizeof last, TOCSIN_NOW) == 0)
                accepted_++; // else: refused, counted, and the next event will tell
        }
    }

    std::uint32_t accepted_ = 0;
    std::thread thread_; // the last one: it uses what stands above
};

class board {
  public:
    static int on_quote(void *context, const tocsin_event *event) noexcept {
        quote last;
        std::memcpy(&last, event->payload, sizeof last);
        auto &best = static_cast<board *>(context)->best_.at(last.instrument);
        if (last.price > best.load(std::memory_order_relaxed))
            best.store(last.price, std::memory_order_relaxed);
        return 0;
    }

    double best(std::uint32_t instrument) const {
        return best_.at(instrument).load(std::memory_order_relaxed);
    }

  private:
    std::array<std::atomic<double>, 4> best_{};
};

} // namespace

extern "C" {

void *feed_start(void *producer, std::uint32_t quotes) {
    return new feed(static_cast<tocsin_producer *>(producer), quotes);
}

std::uint32_t feed_join(void *handle) {
    auto *started = static_cast<feed *>(handle);
    const std::uint32_t accepted = started->join();
    delete started;
    return accepted;
}

void *board_new() { return new board; }
void board_delete(void *handle) { delete static_cast<board *>(handle); }
double board_best(void *handle, std::uint32_t instrument) {
    return static_cast<board *>(handle)->best(instrument);
}

int board_on_quote(void *handle, const tocsin_event *event) { return board::on_quote(handle, event); }
}
