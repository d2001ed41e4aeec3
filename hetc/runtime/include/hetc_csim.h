// The C-simulation scheduler: every process of a dataflow region is a fibre, and a fibre is left only
// when the FIFO it needs is full or empty. Host only; never seen by synthesis.
//
// When no fibre can go on, the design would hang in hardware: the run stops with a report that names
// each waiting process and the FIFO it waits on.
#ifndef HETC_CSIM_H
#define HETC_CSIM_H

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#define HETC_CSIM 1

namespace hetc {
namespace sim {

struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct blocked_process {
  std::string process, action, fifo;
  uint64_t depth, occupancy;
};

struct deadlock : error {
  std::vector<blocked_process> blocked;
  deadlock(const std::string& text, std::vector<blocked_process> who) : error(text), blocked(std::move(who)) {}
};

// Thrown through a waiting fibre so that its destructors run when another one failed. Not a
// std::exception, so that no handler written for errors takes it.
struct cancelled {};

[[noreturn]] inline void fail(const std::string& text) { throw error(text); }

// What a FIFO is to the scheduler, whatever it carries.
struct fifo {
  std::string name;
  uint64_t depth;
  uint64_t count = 0;       // elements held now
  uint64_t high_water = 0;  // most elements ever held
  uint64_t words = 0;       // elements ever written
  fifo *previous = nullptr, *next = nullptr;
  inline fifo(std::string given_name, uint64_t given_depth);
  inline ~fifo();
  fifo(const fifo&) = delete;
  fifo& operator=(const fifo&) = delete;
  // What a process does that finds none, finds no room, or asks in vain.
  inline void wait_for_element();
  inline void wait_for_room();
  inline void give_way();
};

struct fifo_record {
  std::string name;
  uint64_t depth, high_water, words;
};

// A lazily backed stack between two guard pages. It is large because a process holds its on-chip
// arrays as locals, and a large card has some 40 MB of them.
class stack {
 public:
  explicit stack(size_t wanted) {
    page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_ = (wanted + page_ - 1) / page_ * page_ + 2 * page_;
    base_ = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base_ == MAP_FAILED) fail("no address space for the stack of a process");
    if (mprotect(low(), size(), PROT_READ | PROT_WRITE) != 0) {
      munmap(base_, size_);
      fail("no memory for the stack of a process");
    }
  }
  ~stack() { munmap(base_, size_); }
  stack(const stack&) = delete;
  stack& operator=(const stack&) = delete;
  char* low() const { return static_cast<char*>(base_) + page_; }
  size_t size() const { return size_ - 2 * page_; }
  // A frame larger than a page may step over the guard page: a megabyte below counts as well.
  bool guards(const char* where) const { return where < low() && where >= low() - (1 << 20); }

 private:
  void* base_;
  size_t size_, page_;
};

inline size_t stack_bytes() {
  const char* given = std::getenv("HETC_CSIM_STACK_MB");
  const long megabytes = given ? std::atol(given) : 0;
  return static_cast<size_t>(megabytes > 0 ? megabytes : 128) << 20;
}

class region;
enum class want { run, read, write, poll, children };

struct fibre {
  std::string name;
  std::unique_ptr<void, void (*)(void*)> work;
  void (*body)(void*);  // what the process does, with `work`
  region* owner = nullptr;
  std::unique_ptr<stack> memory;
  ucontext_t start;
  jmp_buf where;
  want state = want::run;
  const fifo* on = nullptr;      // what a reader or writer waits for
  const region* inner = nullptr;  // what a process with a region of its own waits for
  bool started = false, finished = false;
  std::exception_ptr failure;
  fibre(std::unique_ptr<void, void (*)(void*)> given, void (*what)(void*)) : work(std::move(given)), body(what) {}
};

// One a thread. Its members are touched only on a switch, never for an element that moves freely.
struct scheduler {
  std::vector<std::unique_ptr<fibre>> fibres;
  fibre* current = nullptr;
  bool cancelling = false;
  ucontext_t root_start;
  jmp_buf root;
  fifo* live = nullptr;
  std::vector<fifo_record> retired;
  std::vector<std::string> leftovers;

  static scheduler& get() {
    static thread_local scheduler instance;
    return instance;
  }
  void resume(fibre* next);
  void wait(want state, const fifo* on, const region* inner);
  void run(const region* until);
  void cancel_all();
  uint64_t words_moved() const;
  [[noreturn]] void report_deadlock();
};

// _setjmp saves no signal mask, so a switch costs no system call; glibc's fortified longjmp refuses
// to change stacks, and then swapcontext does it, slower.
#if defined(__USE_FORTIFY_LEVEL) && __USE_FORTIFY_LEVEL > 0
#define HETC_CSIM_SWAPCONTEXT 1
#else
#define HETC_CSIM_SWAPCONTEXT 0
#endif

inline void enter_fibre() {
  scheduler& all = scheduler::get();
  fibre* self = all.current;
  try {
    self->body(self->work.get());
  } catch (const cancelled&) {
  } catch (...) {
    self->failure = std::current_exception();
  }
  self->finished = true;
#if HETC_CSIM_SWAPCONTEXT
  setcontext(&all.root_start);
#else
  _longjmp(all.root, 1);
#endif
}

__attribute__((noinline)) inline void switch_to(scheduler& all, fibre* next) {
  const bool first = !next->started;
  if (first) {
    next->started = true;
    next->memory.reset(new stack(stack_bytes()));
    getcontext(&next->start);
    next->start.uc_stack.ss_sp = next->memory->low();
    next->start.uc_stack.ss_size = next->memory->size();
    next->start.uc_link = nullptr;
    makecontext(&next->start, enter_fibre, 0);
  }
#if HETC_CSIM_SWAPCONTEXT
  swapcontext(&all.root_start, &next->start);
#else
  if (_setjmp(all.root) == 0) {
    if (first) setcontext(&next->start);
    _longjmp(next->where, 1);
  }
#endif
}

__attribute__((noinline)) inline void switch_back(scheduler& all, fibre* self) {
#if HETC_CSIM_SWAPCONTEXT
  swapcontext(&self->start, &all.root_start);
#else
  if (_setjmp(self->where) == 0) _longjmp(all.root, 1);
#endif
}

inline void scheduler::wait(want state, const fifo* on, const region* inner) {
  fibre* self = current;
  self->state = state;
  self->on = on;
  self->inner = inner;
  switch_back(*this, self);
  self->state = want::run;
  if (cancelling) throw cancelled();
}

}  // namespace sim
}  // namespace hetc

#include "hetc_csim_region.h"

#endif
