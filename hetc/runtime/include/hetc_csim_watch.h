// Ends a run of a simulated kernel that takes too long, or that the user interrupts (Ctrl-C).
//
// A timer signals the kernel's own thread. The run is left where a fault would leave it, and only while code of this
// library runs: code of the C library may hold a lock that the process needs afterwards.
#ifndef HETC_CSIM_WATCH_H
#define HETC_CSIM_WATCH_H

#include <link.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "hetc_csim_fault.h"

namespace hetc {
namespace sim {

// Seconds that a call may take in this thread; 0 for any time.
inline double& time_limit() {
  static thread_local double seconds = 0;
  return seconds;
}

struct code_range {
  uintptr_t low = 0, high = 0;
  bool holds(uintptr_t address) const { return address >= low && address < high; }
};

inline int find_own_code(struct dl_phdr_info* object, size_t, void* result) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& part = object->dlpi_phdr[i];
    const uintptr_t low = object->dlpi_addr + part.p_vaddr;
    const code_range range{low, low + part.p_memsz};
    if (part.p_type != PT_LOAD || !(part.p_flags & PF_X)) continue;
    if (!range.holds(reinterpret_cast<uintptr_t>(&find_own_code))) continue;
    *static_cast<code_range*>(result) = range;
    return 1;
  }
  return 0;
}

class watch {
 public:
  explicit watch(fault_trap& trap) : trap_(trap) {
    dl_iterate_phdr(&find_own_code, &code_);
    interrupted() = 0;
    deadline_ = time_limit() > 0 ? now() + time_limit() : 0;
    active() = this;
    struct sigaction action = {};
    action.sa_sigaction = &watch::tick;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGRTMAX, &action, &previous_tick_);
    sigaction(SIGINT, nullptr, &previous_interrupt());
    takes_interrupts_ = (previous_interrupt().sa_flags & SA_SIGINFO) ||
                        (previous_interrupt().sa_handler != SIG_DFL && previous_interrupt().sa_handler != SIG_IGN);
    if (takes_interrupts_) {
      action.sa_sigaction = &watch::interrupt;
      sigaction(SIGINT, &action, nullptr);
    }
    start_timer();
  }
  ~watch() { end(); }
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;

  // The run is over: nothing leaves it any more.
  void end() {
    if (active() != this) return;
    active() = nullptr;
    if (ticking_) syscall(SYS_timer_delete, timer_);
    sigaction(SIGRTMAX, &previous_tick_, nullptr);
    if (takes_interrupts_) sigaction(SIGINT, &previous_interrupt(), nullptr);
  }

 private:
  static constexpr long tick_ns = 20 * 1000 * 1000;

  static watch*& active() {
    static thread_local watch* instance = nullptr;
    return instance;
  }
  // Of the process: whichever thread is interrupted. Runs of a process follow one another.
  static volatile sig_atomic_t& interrupted() {
    static volatile sig_atomic_t flag = 0;
    return flag;
  }
  static struct sigaction& previous_interrupt() {
    static struct sigaction action;
    return action;
  }
  static double now() {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  static uintptr_t running_at(void* context) {
    const auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return static_cast<uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return static_cast<uintptr_t>(machine.pc);
#else
#error "C simulation knows x86-64 and AArch64"
#endif
  }

  void start_timer() {
    struct sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMAX;
    event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer_) != 0) fail("the system gives no timer");
    ticking_ = true;
    const struct itimerspec every = {{0, tick_ns}, {0, tick_ns}};
    syscall(SYS_timer_settime, timer_, 0, &every, nullptr);
  }

  static void tick(int, siginfo_t*, void* context) {
    watch* self = active();
    if (self == nullptr || !self->code_.holds(running_at(context))) return;
    if (interrupted()) self->trap_.leave(ending::interrupted);
    if (self->deadline_ > 0 && now() > self->deadline_) self->trap_.leave(ending::too_late);
  }
  // The handler before (Python's) is told at once; the next tick leaves the kernel.
  static void interrupt(int signal, siginfo_t* info, void* context) {
    interrupted() = 1;
    const struct sigaction& before = previous_interrupt();
    if (before.sa_flags & SA_SIGINFO)
      before.sa_sigaction(signal, info, context);
    else
      before.sa_handler(signal);
  }

  fault_trap& trap_;
  code_range code_;
  double deadline_ = 0;
  int timer_ = 0;  // the kernel's timer_t
  bool ticking_ = false, takes_interrupts_ = false;
  struct sigaction previous_tick_;
};

}  // namespace sim
}  // namespace hetc

#endif
