// What synthesis reads of our headers: no fibres, plain calls, no byte views. The open ap_int headers refuse
// __SYNTHESIS__, so they are read before it is defined.
#include <ap_int.h>
#include <hls_stream.h>
#define __SYNTHESIS__
#include "hetc_hls.h"

static void read_rows(const ap_uint<512>* rows, hls::stream<ap_uint<16>>& values, int n) {
  for (int row = 0; row < n; ++row)
    for (int i = 0; i < 32; ++i) values.write(hetc::lane<16>(rows[row], i));
}
template <int BITS, int COUNT>
static void write_rows(hls::stream<ap_uint<16>>& values, ap_uint<512>* out, int n) {
  for (int row = 0; row < n; ++row) {
    ap_uint<512> word = 0;
    for (int i = 0; i < COUNT; ++i)
      hetc::set_lane<BITS>(word, i, hetc::to_bf16(2 * hetc::from_bf16(values.read())));
    out[row] = word;
  }
}
extern "C" void synthesis_view(const ap_uint<512>* rows, ap_uint<512>* out, int n) {
#pragma HLS DATAFLOW
  hls::stream<ap_uint<16>, 1024> values("values");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(read_rows, rows, values, n);
  HETC_PROCESS((write_rows<16, 32>), values, out, n);
  HETC_DATAFLOW_END();
}
#undef __SYNTHESIS__
