// What a kernel built with -fsanitize=undefined calls where it does what C++ leaves undefined: the run ends with an error
// that says what and where. The sanitizer's own runtime, which is not linked, would print and end the process.
//
// Names and layouts are those of the runtime's interface, the same in GCC and Clang (compiler-rt, ubsan_handlers.h).
#ifndef HETC_CSIM_UNDEFINED_H
#define HETC_CSIM_UNDEFINED_H

#include <cinttypes>
#include <cstdio>

#include "hetc_csim_fault.h"

namespace hetc {
namespace sim {

struct source_place {
  const char* file;
  uint32_t line, column;
};

// kind 0: an integer, whose `info` is twice the logarithm of its bits and one more where it has a sign.
struct type_description {
  uint16_t kind, info;
  char name[1];
};

// What is known of every finding but the last three.
struct finding {
  source_place place;
  const type_description* type;
};
struct shift_finding {
  source_place place;
  const type_description *left, *right;
};
struct access_finding {
  source_place place;
  const type_description* type;
  unsigned char alignment_log, kind;
};
struct index_finding {
  source_place place;
  const type_description *array, *index;
};

// An integer of up to 64 bits as text; a wider one, or another type, as its type's name.
struct operand_text {
  char text[48];
  operand_text(const type_description* type, uintptr_t value) {
    const unsigned bits = 1u << (type->info >> 1);
    if (type->kind != 0 || bits > 64) {
      std::snprintf(text, sizeof text, "a value of type %.24s", type->name);
    } else if (type->info & 1) {
      const int64_t wide = static_cast<int64_t>(static_cast<uint64_t>(value) << (64 - bits)) >> (64 - bits);
      std::snprintf(text, sizeof text, "%" PRId64, wide);
    } else {
      std::snprintf(text, sizeof text, "%" PRIu64, static_cast<uint64_t>(value));
    }
  }
};

template <typename... A>
[[noreturn]] void undefined(const source_place& place, const char* format, A... values) {
  char what[160], text[512];
  std::snprintf(what, sizeof what, format, values...);
  std::snprintf(text, sizeof text, "undefined behaviour at %s:%u:%u: %s", place.file, place.line, place.column, what);
  fault_trap::end_run(text);
}

}  // namespace sim
}  // namespace hetc

#define HETC_UNDEFINED(handler, ...) \
  extern "C" __attribute__((visibility("hidden"), used)) void __ubsan_handle_##handler(__VA_ARGS__)
#define HETC_UNDEFINED_ARITHMETIC(handler, sign)                                                                   \
  HETC_UNDEFINED(handler, hetc::sim::finding* found, uintptr_t left, uintptr_t right) {                            \
    const hetc::sim::operand_text a(found->type, left), b(found->type, right);                                  \
    hetc::sim::undefined(found->place, "%s " sign " %s does not fit %s", a.text, b.text, found->type->name);    \
  }

HETC_UNDEFINED_ARITHMETIC(add_overflow, "+")
HETC_UNDEFINED_ARITHMETIC(sub_overflow, "-")
HETC_UNDEFINED_ARITHMETIC(mul_overflow, "*")
HETC_UNDEFINED_ARITHMETIC(divrem_overflow, "/")
HETC_UNDEFINED(negate_overflow, hetc::sim::finding* found, uintptr_t value) {
  const hetc::sim::operand_text a(found->type, value);
  hetc::sim::undefined(found->place, "the negative of %s does not fit %s", a.text, found->type->name);
}
HETC_UNDEFINED(shift_out_of_bounds, hetc::sim::shift_finding* found, uintptr_t left, uintptr_t right) {
  const hetc::sim::operand_text a(found->left, left), b(found->right, right);
  hetc::sim::undefined(found->place, "%s of type %s shifted by %s", a.text, found->left->name, b.text);
}
HETC_UNDEFINED(out_of_bounds, hetc::sim::index_finding* found, uintptr_t index) {
  const hetc::sim::operand_text a(found->index, index);
  hetc::sim::undefined(found->place, "index %s outside of %s", a.text, found->array->name);
}
HETC_UNDEFINED(load_invalid_value, hetc::sim::finding* found, uintptr_t value) {
  hetc::sim::undefined(found->place, "%u is read as a %s", static_cast<unsigned>(value), found->type->name);
}
HETC_UNDEFINED(float_cast_overflow, hetc::sim::shift_finding* found, uintptr_t) {
  hetc::sim::undefined(found->place, "a %s that does not fit %s", found->left->name, found->right->name);
}
HETC_UNDEFINED(type_mismatch_v1, hetc::sim::access_finding* found, uintptr_t address) {
  hetc::sim::undefined(found->place, address ? "a %s at a misaligned address or past the end of its object"
                                             : "a %s at a null pointer", found->type->name);
}
HETC_UNDEFINED(pointer_overflow, hetc::sim::finding* found, uintptr_t, uintptr_t) {
  hetc::sim::undefined(found->place, "a pointer outside of all memory, or an offset from a null pointer");
}
HETC_UNDEFINED(vla_bound_not_positive, hetc::sim::finding* found, uintptr_t) {
  hetc::sim::undefined(found->place, "an array without a size");
}
HETC_UNDEFINED(nonnull_arg, hetc::sim::finding* found) {
  hetc::sim::undefined(found->place, "a null pointer passed where none may be");
}
HETC_UNDEFINED(nonnull_return_v1, hetc::sim::finding*, hetc::sim::source_place* place) {
  hetc::sim::undefined(*place, "a null pointer returned where none may be");
}
HETC_UNDEFINED(invalid_builtin, hetc::sim::finding* found) {
  hetc::sim::undefined(found->place, "the leading or trailing zeros of 0");
}
HETC_UNDEFINED(builtin_unreachable, hetc::sim::finding* found) {
  hetc::sim::undefined(found->place, "a place that is never reached");
}
HETC_UNDEFINED(missing_return, hetc::sim::finding* found) {
  hetc::sim::undefined(found->place, "the end of a function that returns a value");
}

#endif
