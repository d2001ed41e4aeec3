// Kernel postings_kernel, from test.mp:8.
#include "postings_kernel.h"

#include <hls_math.h>

#include "hetc_kernel.h"

namespace postings_kernel_parts {

// test.mp:9
static void scan_best(
    const int32_t* len_N,
    const float* weight,
    const int64_t* tf_row_start,
    const int32_t* tf_row_length,
    const int32_t* tf_column,
    const uint8_t* tf_value,
    int32_t* best) {
  const int live_N = len_N[0];
  hetc::register_queue<float, 4> best_2;
  float tile_sums[128];
#pragma HLS BIND_STORAGE variable=tile_sums type=ram_2p impl=bram
  for (int tile = 0; tile < hetc::floor_div(live_N + 127, 128); ++tile) {
    const int base = tile * 128;
    const int size = hetc::smaller(live_N - base, 128);
    for (int i = 0; i < size; ++i) {
#pragma HLS PIPELINE II=1
      tile_sums[i] = 0.0f;
    }
    for (int v = 0; v < 16; ++v) {
      const float weight_value = weight[v];
      const int64_t tf_row_start_value = tf_row_start[v];
      const int tf_row_length_value = tf_row_length[v];
      const int first_entry = hetc::lower_bound(tf_column, tf_row_start_value, tf_row_length_value, base);
      const int last_entry = hetc::lower_bound(tf_column, tf_row_start_value, tf_row_length_value, base + size);
      for (int entry = first_entry; entry < last_entry; ++entry) {
#pragma HLS PIPELINE II=1
#pragma HLS DEPENDENCE variable=tile_sums inter false
        const int n = tf_column[tf_row_start_value + entry];
        const int32_t tf_value_value = tf_value[tf_row_start_value + entry];
        const int v_2 = n - base;
        const float tile_sums_value = tile_sums[v_2];
        const float v_3 = true ? (tile_sums_value + (true ? (weight_value * float(tf_value_value)) : 0.0f)) : tile_sums_value;
        tile_sums[v_2] = v_3;
      }
    }
    for (int i_2 = 0; i_2 < size; ++i_2) {
#pragma HLS PIPELINE II=1
      const float tile_sums_value_2 = tile_sums[i_2];
      best_2.push(tile_sums_value_2, base + i_2);
    }
  }
  best_2.arrange_by_score();
  for (int j = 0; j < 4; ++j) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=4
    const int entry_index = best_2.index_at(j);
    best[j] = entry_index;
  }
}

}  // namespace postings_kernel_parts

extern "C" void postings_kernel(
    const int64_t* tf_row_start,
    const int32_t* tf_row_length,
    const int32_t* tf_column,
    const uint8_t* tf_value,
    const float* weight,
    int32_t* best,
    const int32_t* len_N) {
#pragma HLS INTERFACE m_axi port=tf_row_start offset=slave bundle=gmem_tf_row_start max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=tf_row_start bundle=control
#pragma HLS INTERFACE m_axi port=tf_row_length offset=slave bundle=gmem_tf_row_length max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=tf_row_length bundle=control
#pragma HLS INTERFACE m_axi port=tf_column offset=slave bundle=gmem_tf_column max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=tf_column bundle=control
#pragma HLS INTERFACE m_axi port=tf_value offset=slave bundle=gmem_tf_value max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=tf_value bundle=control
#pragma HLS INTERFACE m_axi port=weight offset=slave bundle=gmem_weight max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=weight bundle=control
#pragma HLS INTERFACE m_axi port=best offset=slave bundle=gmem_best max_write_burst_length=64 num_write_outstanding=16
#pragma HLS INTERFACE s_axilite port=best bundle=control
#pragma HLS INTERFACE m_axi port=len_N offset=slave bundle=gmem_len_N max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=len_N bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control
  // test.mp:9
  postings_kernel_parts::scan_best(len_N, weight, tf_row_start, tf_row_length, tf_column, tf_value, best);
}
