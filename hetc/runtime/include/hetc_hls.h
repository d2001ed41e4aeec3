// What every generated kernel includes: dataflow, lanes of wide words, narrow floats, sortable keys.
// It travels with the project and is read by synthesis too; host-only text is under HETC_HOST.
#ifndef HETC_HLS_H
#define HETC_HLS_H

#include <ap_int.h>
#include <hls_stream.h>

#include "hetc_float.h"

// Dataflow. In a region, HETC_PROCESS(function, arguments...) is a plain call for synthesis and for the
// vendor's C simulation, whose streams are unbounded; with our hls_stream.h it starts a fibre.
//
//   #pragma HLS DATAFLOW
//     hls::stream<float, 16> scores("scores");
//     HETC_DATAFLOW_BEGIN();
//     HETC_PROCESS(score, keys, scores, rows);
//     HETC_PROCESS((write<8>), scores, out, rows);    // parentheses where a template has a comma
//     HETC_DATAFLOW_END();
#if defined(HETC_CSIM) && !defined(__SYNTHESIS__)
#define HETC_DATAFLOW_BEGIN() ::hetc::sim::region hetc_dataflow_region
#define HETC_PROCESS(function, ...)          \
  hetc_dataflow_region.process(              \
      #function, [](auto&&... hetc_arguments) { (function)(hetc_arguments...); }, ##__VA_ARGS__)
#define HETC_DATAFLOW_END() hetc_dataflow_region.run()
#else
#define HETC_DATAFLOW_BEGIN()
#define HETC_PROCESS(function, ...) function(__VA_ARGS__)
#define HETC_DATAFLOW_END()
#endif

#if !defined(__SYNTHESIS__) && !defined(HETC_SLOW_LANES) && defined(__BYTE_ORDER__) && \
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HETC_BYTE_LANES 1
#include <cstring>
#else
#define HETC_BYTE_LANES 0
#endif

namespace hetc {

#ifndef __SYNTHESIS__
namespace detail {
[[noreturn]] inline void lane_out_of_range(int index, int lanes) {
  const std::string text = "lane " + std::to_string(index) + " of a word of " + std::to_string(lanes) + " lanes";
#ifdef HETC_CSIM
  ::hetc::sim::fail(text);
#else
  throw std::out_of_range(text);
#endif
}
}  // namespace detail
#endif

// Lane `index` of `word`, BITS wide, lane 0 in the lowest bits. On the host a lane of whole bytes is read
// from memory, some hundred times faster than through .range().
template <int BITS, int WIDTH>
inline ap_uint<BITS> lane(const ap_uint<WIDTH>& word, int index) {
#pragma HLS INLINE
  static_assert(WIDTH % BITS == 0, "the word is a whole number of lanes");
#ifndef __SYNTHESIS__
  if (static_cast<unsigned>(index) >= WIDTH / BITS) detail::lane_out_of_range(index, WIDTH / BITS);
#endif
#if HETC_BYTE_LANES
  if constexpr (BITS == 8 || BITS == 16 || BITS == 32 || BITS == 64) {
    uint64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const unsigned char*>(&word) + index * (BITS / 8), BITS / 8);
    return ap_uint<BITS>(value);
  } else if constexpr (BITS < 8 && 8 % BITS == 0) {
    const int first = index * BITS;
    unsigned char value;
    std::memcpy(&value, reinterpret_cast<const unsigned char*>(&word) + first / 8, 1);
    return ap_uint<BITS>(value >> (first % 8));
  }
#endif
  return word.range(index * BITS + BITS - 1, index * BITS);
}

template <int BITS, int WIDTH>
inline void set_lane(ap_uint<WIDTH>& word, int index, ap_uint<BITS> value) {
#pragma HLS INLINE
  static_assert(WIDTH % BITS == 0, "the word is a whole number of lanes");
#ifndef __SYNTHESIS__
  if (static_cast<unsigned>(index) >= WIDTH / BITS) detail::lane_out_of_range(index, WIDTH / BITS);
#endif
#if HETC_BYTE_LANES
  if constexpr (BITS == 8 || BITS == 16 || BITS == 32 || BITS == 64) {
    const uint64_t bits = value.to_uint64();
    std::memcpy(reinterpret_cast<unsigned char*>(&word) + index * (BITS / 8), &bits, BITS / 8);
    return;
  }
#endif
  word.range(index * BITS + BITS - 1, index * BITS) = value;
}

}  // namespace hetc

#endif
