// The C interface of a compiled kernel library. HETC_CSIM_ENTRY(top) follows the kernel's definition in
// the same translation unit, so the argument types are the compiler's own and none can be misdeclared.
#ifndef HETC_CSIM_ENTRY_H
#define HETC_CSIM_ENTRY_H

#include <cstring>

#include "hetc_csim_watch.h"
#include "hls_stream.h"

namespace hetc {
namespace sim {

enum outcome { succeeded = 0, deadlocked = 1, failed = 2, too_late = 3, interrupted = 4 };

struct last_run {
  std::string error, report, blocked;
  uint64_t fault_address = 0;
  static last_run& get() {
    static thread_local last_run instance;
    return instance;
  }
};

// "p<bytes>" a pointer to written elements, "c<bytes>" to constant ones; "i32", "u64", "f32", "b8" a scalar.
template <typename A>
std::string describe() {
  if constexpr (std::is_pointer<A>::value) {
    using element = std::remove_pointer_t<A>;
    return (std::is_const<element>::value ? "c" : "p") + std::to_string(sizeof(element));
  } else {
    static_assert(std::is_arithmetic<A>::value, "a kernel argument is a pointer or a plain number");
    if (std::is_same<A, bool>::value) return "b8";
    const char* kind = std::is_floating_point<A>::value ? "f" : std::is_signed<A>::value ? "i" : "u";
    return kind + std::to_string(8 * sizeof(A));
  }
}

template <typename... A>
std::string signature_of(void (*)(A...)) {
  std::string text;
  ((text += (text.empty() ? "" : ",") + describe<A>()), ...);
  return text;
}

// Each slot holds one argument in its first bytes.
template <typename A>
A unpack(const uint64_t& slot) {
  A value;
  static_assert(sizeof(A) <= sizeof(slot), "an argument fits one slot");
  std::memcpy(&value, &slot, sizeof(A));
  return value;
}

template <typename... A, size_t... I>
void apply_slots(void (*top)(A...), const uint64_t* slots, std::index_sequence<I...>) {
  top(unpack<A>(slots[I])...);
}

inline void write_report(scheduler& all, last_run& last) {
  for (const fifo* each = all.live; each; each = each->next)  // those declared static
    all.retired.push_back({each->name, each->depth, each->high_water, each->words});
  for (const fifo_record& each : all.retired)
    last.report += each.name + "\t" + std::to_string(each.depth) + "\t" + std::to_string(each.high_water) + "\t" +
                   std::to_string(each.words) + "\n";
}

inline int attempt(const std::function<void()>& body, last_run& last) {
  scheduler& all = scheduler::get();
  try {
    body();
    for (const std::string& each : all.leftovers) last.error += (last.error.empty() ? "" : "\n") + each;
    return last.error.empty() ? succeeded : failed;
  } catch (const deadlock& reason) {
    last.error = reason.what();
    for (const blocked_process& each : reason.blocked)
      last.blocked += each.process + "\t" + each.action + "\t" + each.fifo + "\t" + std::to_string(each.depth) +
                      "\t" + std::to_string(each.occupancy) + "\n";
    return deadlocked;
  } catch (const std::exception& reason) {
    last.error = reason.what();
  } catch (...) {
    last.error = "an exception of an unknown type left the kernel";
  }
  return failed;
}

struct outer_call {
  const std::function<void()>* body;
  ucontext_t inside, back;
  int result = failed;
};

inline outer_call*& outer() {
  static thread_local outer_call* current = nullptr;
  return current;
}

inline void enter_outer() {
  outer_call* call = outer();
  call->result = attempt(*call->body, last_run::get());
  setcontext(&call->back);
}

inline void enter_kernel(outer_call& call, const stack& memory) {
  getcontext(&call.inside);
  call.inside.uc_stack.ss_sp = memory.low();
  call.inside.uc_stack.ss_size = memory.size();
  call.inside.uc_link = nullptr;
  outer() = &call;
  makecontext(&call.inside, enter_outer, 0);
  swapcontext(&call.back, &call.inside);
}

// What an earlier call left behind, a faulted one above all.
inline void forget(scheduler& all) {
  all.fibres.clear();
  all.retired.clear();
  all.leftovers.clear();
  all.current = nullptr;
  all.cancelling = false;
}

// The kernel runs on a stack of its own, large enough for on-chip arrays, and nothing that it throws
// or traps on passes through the C interface.
inline int guarded(const std::function<void()>& body) {
  scheduler& all = scheduler::get();
  last_run& last = last_run::get();
  last = last_run();
  forget(all);
  try {
    const stack memory(stack_bytes());
    outer_call call;
    call.body = &body;
    fault_trap trap;
    watch timer(trap);
    if (sigsetjmp(trap.where, 1) != 0) {
      timer.end();
      last.error = trap.describe(memory, last.fault_address);
      forget(all);
      all.live = nullptr;
      return trap.how() == ending::fault ? failed : trap.how() == ending::too_late ? too_late : interrupted;
    }
    enter_kernel(call, memory);
    timer.end();
    write_report(all, last);
    return call.result;
  } catch (const std::exception& reason) {
    last.error = reason.what();
    return failed;
  }
}

template <typename... A>
int call(void (*top)(A...), const uint64_t* slots) {
  return guarded([=]() { apply_slots(top, slots, std::index_sequence_for<A...>()); });
}

}  // namespace sim
}  // namespace hetc

#define HETC_CSIM_EXPORT extern "C" __attribute__((visibility("default")))

#define HETC_CSIM_ENTRY(top)                                                                             \
  HETC_CSIM_EXPORT int hetc_csim_call_##top(const uint64_t* slots) { return hetc::sim::call(&top, slots); } \
  HETC_CSIM_EXPORT const char* hetc_csim_signature_##top() {                                             \
    static const std::string text = hetc::sim::signature_of(&top);                                       \
    return text.c_str();                                                                                 \
  }

// Once a library. The texts stand until this thread's next call.
#define HETC_CSIM_LIBRARY()                                                                                \
  HETC_CSIM_EXPORT void hetc_csim_limit(double seconds) { hetc::sim::time_limit() = seconds; }             \
  HETC_CSIM_EXPORT const char* hetc_csim_last_error() { return hetc::sim::last_run::get().error.c_str(); } \
  HETC_CSIM_EXPORT const char* hetc_csim_report() { return hetc::sim::last_run::get().report.c_str(); }    \
  HETC_CSIM_EXPORT uint64_t hetc_csim_fault_address() { return hetc::sim::last_run::get().fault_address; } \
  HETC_CSIM_EXPORT const char* hetc_csim_blocked() { return hetc::sim::last_run::get().blocked.c_str(); }

#endif
