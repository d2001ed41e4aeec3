// Turns the faults of a simulated kernel (an access outside its buffers, a division by zero) into errors
// of the run. What the abandoned processes held is not destroyed: a fault leaks, and only a fault does.
#ifndef HETC_CSIM_FAULT_H
#define HETC_CSIM_FAULT_H

#include <setjmp.h>
#include <signal.h>

#include <cstdio>

#include "hetc_csim.h"

namespace hetc {
namespace sim {

// Why a run was left.
enum class ending { fault, too_late, interrupted };

// The signals in question, handled during one call and given back after it, as is the signal stack: the
// stack in use may be the one that overflowed.
class fault_trap {
 public:
  fault_trap() {
    active() = this;
    stack_t own = {};
    own.ss_sp = signal_stack();
    own.ss_size = stack_size;
    sigaltstack(&own, &previous_stack_);
    struct sigaction action = {};
    action.sa_sigaction = &fault_trap::handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < count; ++i) sigaction(signals()[i], &action, &previous_[i]);
  }
  ~fault_trap() {
    for (int i = 0; i < count; ++i) sigaction(signals()[i], &previous_[i], nullptr);
    sigaltstack(&previous_stack_, nullptr);
    active() = nullptr;
  }
  fault_trap(const fault_trap&) = delete;
  fault_trap& operator=(const fault_trap&) = delete;

  // From a signal handler of the kernel's thread: the run ends here.
  [[noreturn]] void leave(ending how) {
    how_ = how;
    siglongjmp(where, 1);
  }
  ending how() const { return how_; }

  // What happened, in words, and the address that was accessed (0 where that says nothing).
  std::string describe(const stack& outer_stack, uint64_t& address) const {
    const fibre* running = scheduler::get().current;
    const std::string place = running ? "process '" + running->name + "': " : "";
    address = 0;
    if (how_ != ending::fault) return place + "did not end";
    if (text_[0] != 0) return place + text_;
    if (signal_ == SIGFPE) return place + "integer division by zero";
    if (signal_ == SIGILL)
      return place + "undefined behaviour, seen by the compiler (the build type `checked` says where)";
    const stack& used = running && running->memory ? *running->memory : outer_stack;
    const char* where = static_cast<const char*>(address_);
    if (used.guards(where))
      return place + "its local arrays need more than the stack of " + std::to_string(used.size() >> 20) +
             " MB (HETC_CSIM_STACK_MB sets it)";
    address = reinterpret_cast<uint64_t>(address_);
    return place + "access outside every buffer";
  }

  // Ends the run in progress with this text, whichever process runs.
  [[noreturn]] static void end_run(const char* text) {
    fault_trap* trap = active();
    if (trap == nullptr) {  // not in a kernel: in what surrounds it
      std::fprintf(stderr, "%s\n", text);
      std::abort();
    }
    std::snprintf(trap->text_, sizeof trap->text_, "%s", text);
    trap->leave(ending::fault);
  }

  sigjmp_buf where;

 private:
  static constexpr size_t stack_size = 64 << 10;
  static constexpr int count = 4;
  static const int* signals() {
    static const int each[count] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    return each;
  }
  static char* signal_stack() {
    static thread_local std::unique_ptr<char[]> memory(new char[stack_size]);
    return memory.get();
  }
  static fault_trap*& active() {
    static thread_local fault_trap* trap = nullptr;
    return trap;
  }
  static void handle(int signal, siginfo_t* info, void*) {
    fault_trap* trap = active();
    if (trap == nullptr) {  // another thread's, none of ours: it happens again, and ends the process
      ::signal(signal, SIG_DFL);
      return;
    }
    trap->signal_ = signal;
    trap->address_ = info->si_addr;
    trap->leave(ending::fault);
  }

  ending how_ = ending::fault;
  char text_[512] = "";
  int signal_ = 0;
  void* address_ = nullptr;
  struct sigaction previous_[count];
  stack_t previous_stack_;
};

}  // namespace sim
}  // namespace hetc

#endif
