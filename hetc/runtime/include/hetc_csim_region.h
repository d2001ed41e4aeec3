// Dataflow regions over the fibres of hetc_csim.h, and the rounds that run them.
#ifndef HETC_CSIM_REGION_H
#define HETC_CSIM_REGION_H

#include <algorithm>

#include "hetc_csim.h"

namespace hls {
template <typename T, int DEPTH>
class stream;
}

namespace hetc {
namespace sim {

template <typename T>
struct is_stream : std::false_type {};
template <typename T, int DEPTH>
struct is_stream<hls::stream<T, DEPTH>> : std::true_type {};

// How a process keeps an argument until it starts: a stream (or an array of them, or a constant table)
// by reference, anything else by value, since a loop that starts processes changes its counter.
template <typename T>
struct kept_reference {
  T* at;
  explicit kept_reference(T& item) : at(&item) {}
  T& get() const { return *at; }
};
template <typename T>
struct kept_value {
  T value;
  explicit kept_value(const T& item) : value(item) {}
  const T& get() const { return value; }
};
template <typename A>
struct kept {
  using bare = std::remove_reference_t<A>;
  using element = std::remove_all_extents_t<bare>;
  static constexpr bool stream = is_stream<std::remove_cv_t<element>>::value;
  static constexpr bool array = std::is_array<bare>::value;
  static_assert(!array || stream || std::is_const<element>::value,
                "an array written by one process and read by another is not simulated: use an hls::stream");
  using type = std::conditional_t<stream || array, kept_reference<bare>, kept_value<std::decay_t<A>>>;
};

class region {
 public:
  region() : all_(scheduler::get()) {}
  region(const region&) = delete;
  region& operator=(const region&) = delete;
  // Only after an error between the opening and run(): the processes never started.
  ~region() {
    for (auto& each : all_.fibres)
      if (each->owner == this && !each->started) each->finished = true;
  }

  template <typename F, typename... A>
  void process(const char* text, F function, A&&... arguments) {
    keep(text, function, typename kept<A>::type(arguments)...);
  }

  void run() {
    if (all_.current != nullptr) {
      if (!done()) all_.wait(want::children, nullptr, this);
      // The rounds go by index and stand at the parent, which is older than these: nothing is skipped.
      auto& fibres = all_.fibres;
      fibres.erase(std::remove_if(fibres.begin(), fibres.end(), [this](const auto& each) { return each->owner == this; }),
                   fibres.end());
    } else {
      all_.run(this);
    }
  }

  bool done() const {
    for (const auto& each : all_.fibres)
      if (each->owner == this && !each->finished) return false;
    return true;
  }

 private:
  // Little is made of each process, for kernels have many and much of the compiler's time goes here.
  template <typename F, typename... K>
  void keep(const char* text, F function, const K&... arguments) {
    auto* work = new auto([=]() { function(arguments.get()...); });
    using kind = decltype(work);
    start(text, {work, [](void* held) { delete static_cast<kind>(held); }},
          [](void* held) { (*static_cast<kind>(held))(); });
  }
  void start(const char* text, std::unique_ptr<void, void (*)(void*)> work, void (*body)(void*)) {
    std::unique_ptr<fibre> made(new fibre(std::move(work), body));
    made->name = unique_name(text);
    made->owner = this;
    all_.fibres.push_back(std::move(made));
  }
  std::string unique_name(const char* text) const {
    std::string name(text);
    if (name.size() > 2 && name.front() == '(' && name.back() == ')') name = name.substr(1, name.size() - 2);
    int same = 1;
    for (const auto& each : all_.fibres)
      if (each->owner == this && (each->name == name || each->name.compare(0, name.size() + 1, name + "#") == 0))
        ++same;
    return same == 1 ? name : name + "#" + std::to_string(same);
  }
  scheduler& all_;
};

inline bool ready(const fibre& each) {
  switch (each.state) {
    case want::read: return each.on->count > 0;
    case want::write: return each.on->count < each.on->depth;
    case want::children: return each.inner->done();
    default: return true;
  }
}

inline void scheduler::resume(fibre* next) {
  current = next;
  switch_to(*this, next);
  current = nullptr;
}

inline uint64_t scheduler::words_moved() const {
  uint64_t sum = 0;
  for (const fifo* each = live; each; each = each->next) sum += 2 * each->words - each->count;
  return sum;
}

// Rounds over the fibres until the region's are done. A process that polls (empty(), read_nb) always
// looks ready; 2^20 rounds in which only such processes ran and no word moved count as a hang.
inline void scheduler::run(const region* until) {
  const uint64_t idle_limit = uint64_t(1) << 20;
  uint64_t idle_rounds = 0, words_before = words_moved();
  while (!until->done()) {
    bool ran = false, only_polls = true;
    for (size_t i = 0; i < fibres.size(); ++i) {
      fibre* each = fibres[i].get();
      if (each->finished || !ready(*each)) continue;
      const bool polled = each->state == want::poll;
      ran = true;
      resume(each);
      if (each->failure) {
        const std::string name = each->name;
        const std::exception_ptr failure = each->failure;
        cancel_all();
        try {
          std::rethrow_exception(failure);
        } catch (const std::exception& reason) {
          fail("process '" + name + "': " + reason.what());
        }
      }
      if (!polled || each->finished || each->state != want::poll) only_polls = false;
    }
    if (!ran) report_deadlock();
    idle_rounds = only_polls ? idle_rounds + 1 : 0;
    if (idle_rounds >= idle_limit) {
      const uint64_t words_now = words_moved();
      if (words_now == words_before) report_deadlock();
      words_before = words_now;
      idle_rounds = 0;
    }
  }
  fibres.clear();
}

// Youngest first: the processes of an inner region use streams that live in their parent.
inline void scheduler::cancel_all() {
  cancelling = true;
  for (size_t i = fibres.size(); i-- > 0;) {
    fibre* each = fibres[i].get();
    if (each->started && !each->finished) resume(each);
  }
  fibres.clear();
  cancelling = false;
}

inline void scheduler::report_deadlock() {
  std::vector<blocked_process> blocked;
  std::string finished, text;
  for (const auto& each : fibres) {
    if (each->finished) {
      finished += (finished.empty() ? "" : ", ") + each->name;
    } else if (each->state == want::children) {
      text += "\n  process '" + each->name + "' waits for the processes of its own dataflow region";
    } else {
      const char* action = each->state == want::read ? "read" : each->state == want::write ? "write" : "poll";
      const fifo& on = *each->on;
      blocked.push_back({each->name, action, on.name, on.depth, on.count});
      text += "\n  process '" + each->name + "' waits to " + action + " FIFO '" + on.name + "' (depth " +
              std::to_string(on.depth) + ", holds " + std::to_string(on.count) + ")";
    }
  }
  if (!finished.empty()) text += "\n  finished before: " + finished;
  text = "dataflow deadlock: no process can go on, " + std::to_string(blocked.size()) + " wait on a FIFO" + text;
  cancel_all();
  throw deadlock(text, std::move(blocked));
}

inline fifo::fifo(std::string given_name, uint64_t given_depth) : name(std::move(given_name)), depth(given_depth) {
  scheduler& all = scheduler::get();
  next = all.live;
  if (next) next->previous = this;
  all.live = this;
}

inline void fifo::wait_for_element() {
  scheduler& all = scheduler::get();
  if (all.current == nullptr) fail("read of the empty stream '" + name + "' outside a dataflow process");
  all.wait(want::read, this, nullptr);
  if (count == 0) fail("stream '" + name + "' has more than one reader");
}

inline void fifo::wait_for_room() {
  scheduler& all = scheduler::get();
  if (all.current == nullptr)
    fail("write to the full stream '" + name + "' (depth " + std::to_string(depth) + ") outside a dataflow process");
  all.wait(want::write, this, nullptr);
  if (count == depth) fail("stream '" + name + "' has more than one writer");
}

inline void fifo::give_way() {
  scheduler& all = scheduler::get();
  if (all.current != nullptr) all.wait(want::poll, this, nullptr);
}

inline fifo::~fifo() {
  scheduler& all = scheduler::get();
  (previous ? previous->next : all.live) = next;
  if (next) next->previous = previous;
  all.retired.push_back({name, depth, high_water, words});
  // In hardware what is left would be the first thing that the next call reads.
  if (count > 0 && !all.cancelling && std::uncaught_exceptions() == 0)
    all.leftovers.push_back("FIFO '" + name + "' still holds " + std::to_string(count) + " of the " +
                            std::to_string(words) + " elements written to it when the kernel ends");
}

}  // namespace sim
}  // namespace hetc

#endif
