// hls::stream for C simulation: bounded as in hardware, so that a FIFO too shallow shows.
//
// It takes the place of the vendor's header of this name and offers the same calls. DEPTH is the
// FIFO's depth; without one it is 2, as in synthesis. (`#pragma HLS STREAM` is invisible here.)
#ifndef HETC_HLS_STREAM_H
#define HETC_HLS_STREAM_H

#include <string>

#include "hetc_csim.h"

namespace hls {

template <typename T, int DEPTH = 0>
class stream;

// The part that processes take by reference, whatever the depth: stream<T, 16>& converts to stream<T>&.
template <typename T>
class stream<T, 0> {
 public:
  stream() : stream("unnamed") {}
  explicit stream(const char* name) : stream(name, 2) {}
  explicit stream(const std::string& name) : stream(name, 2) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  ~stream() { delete[] data_; }

  T read() {
    if (state_.count == 0) state_.wait_for_element();
    return take();
  }
  void read(T& into) { into = read(); }
  void operator>>(T& into) { into = read(); }
  bool read_nb(T& into) {
    if (empty()) return false;
    into = take();
    return true;
  }
  void write(const T& value) {
    if (state_.count == capacity_) make_room();
    put(value);
  }
  void operator<<(const T& value) { write(value); }
  bool write_nb(const T& value) {
    if (full()) return false;
    write(value);
    return true;
  }
  // A process that asks in vain gives the others a turn, or it would ask for ever.
  bool empty() {
    if (state_.count == 0) state_.give_way();
    return state_.count == 0;
  }
  bool full() {
    if (state_.count == state_.depth) state_.give_way();
    return state_.count == state_.depth;
  }
  unsigned size() { return static_cast<unsigned>(state_.count); }
  unsigned capacity() { return static_cast<unsigned>(state_.depth); }
  void set_name(const char* name) { state_.name = name; }

 protected:
  stream(const std::string& name, uint64_t depth) : state_(name, depth) {}

 private:
  T take() {
    T value = data_[head_];
    head_ = head_ + 1 == capacity_ ? 0 : head_ + 1;
    --state_.count;
    return value;
  }
  void put(const T& value) {
    data_[tail_] = value;
    tail_ = tail_ + 1 == capacity_ ? 0 : tail_ + 1;
    ++state_.words;
    if (++state_.count > state_.high_water) state_.high_water = state_.count;
  }

  // Room is taken as it is needed: a deep FIFO that stays shallow costs no memory.
  __attribute__((noinline)) void make_room() {
    if (state_.count == state_.depth) state_.wait_for_room();
    if (state_.count == capacity_) grow();
  }
  void grow() {
    const uint64_t doubled = capacity_ == 0 ? 16 : 2 * capacity_;
    const uint64_t larger = doubled < state_.depth ? doubled : state_.depth;
    T* moved = new T[larger];
    for (uint64_t i = 0; i < state_.count; ++i) moved[i] = data_[(head_ + i) % capacity_];
    delete[] data_;
    data_ = moved;
    capacity_ = larger;
    head_ = 0;
    tail_ = state_.count;
  }

  hetc::sim::fifo state_;
  T* data_ = nullptr;
  uint64_t capacity_ = 0, head_ = 0, tail_ = 0;
};

template <typename T, int DEPTH>
class stream : public stream<T, 0> {
  static_assert(DEPTH > 0, "a FIFO holds at least one element");

 public:
  stream() : stream<T, 0>("unnamed", DEPTH) {}
  explicit stream(const char* name) : stream<T, 0>(name, DEPTH) {}
  explicit stream(const std::string& name) : stream<T, 0>(name, DEPTH) {}
};

}  // namespace hls

#endif
