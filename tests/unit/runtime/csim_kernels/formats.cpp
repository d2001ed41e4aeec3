// Every conversion and lane helper, over arrays; compiled once with byte lanes and once with .range().
#include "hetc_hls.h"

// The paths that synthesis takes, beside those of the host.
extern "C" void decode_codes(int format, const unsigned short* codes, float* host, float* synthesised, int n) {
  for (int i = 0; i < n; ++i) {
    const unsigned code = codes[i];
    switch (format) {
      case 0: host[i] = hetc::from_bf16(code); synthesised[i] = host[i]; break;
      case 1: host[i] = hetc::from_f16(code); synthesised[i] = hetc::detail::decode_bits<5, 10, false>(code); break;
      case 2: host[i] = hetc::from_fp8(code); synthesised[i] = hetc::detail::decode_bits<4, 3, true>(code); break;
      default: host[i] = hetc::from_fp8e5m2(code); synthesised[i] = hetc::detail::decode_bits<5, 2, false>(code);
    }
  }
}

extern "C" void encode_floats(int format, const float* values, unsigned short* codes, int n) {
  for (int i = 0; i < n; ++i) {
    switch (format) {
      case 0: codes[i] = hetc::to_bf16(values[i]).to_uint(); break;
      case 1: codes[i] = hetc::to_f16(values[i]).to_uint(); break;
      case 2: codes[i] = hetc::to_fp8(values[i]).to_uint(); break;
      default: codes[i] = hetc::to_fp8e5m2(values[i]).to_uint();
    }
  }
}

extern "C" void ordered_keys(const float* values, unsigned* keys, float* back, int n) {
  for (int i = 0; i < n; ++i) {
    const ap_uint<32> key = hetc::ordered(values[i]);
    keys[i] = key.to_uint();
    back[i] = hetc::from_ordered(key);
  }
}

template <int BITS>
static void copy_lanes(const ap_uint<512>* words, unsigned long long* lanes, ap_uint<512>* rebuilt, int n) {
  for (int row = 0; row < n; ++row) {
    ap_uint<512> word = 0;
    for (int i = 0; i < 512 / BITS; ++i) {
      const ap_uint<BITS> value = hetc::lane<BITS>(words[row], i);
      lanes[row * (512 / BITS) + i] = value.to_uint64();
      hetc::set_lane<BITS>(word, i, value);
    }
    rebuilt[row] = word;
  }
}

extern "C" void lanes_of(int bits, const ap_uint<512>* words, unsigned long long* lanes, ap_uint<512>* rebuilt,
                         int n) {
  switch (bits) {
    case 1: return copy_lanes<1>(words, lanes, rebuilt, n);
    case 4: return copy_lanes<4>(words, lanes, rebuilt, n);
    case 8: return copy_lanes<8>(words, lanes, rebuilt, n);
    case 16: return copy_lanes<16>(words, lanes, rebuilt, n);
    case 32: return copy_lanes<32>(words, lanes, rebuilt, n);
    case 64: return copy_lanes<64>(words, lanes, rebuilt, n);
  }
}

extern "C" void uses_byte_lanes(int* out) { out[0] = HETC_BYTE_LANES; }

extern "C" void sum_lanes(const ap_uint<512>* words, float* out, int n) {
  float sum[32] = {};
  for (int row = 0; row < n; ++row)
    for (int i = 0; i < 32; ++i) sum[i] += hetc::from_bf16(hetc::lane<16>(words[row], i));
  for (int i = 0; i < 32; ++i) out[i] = sum[i];
}
