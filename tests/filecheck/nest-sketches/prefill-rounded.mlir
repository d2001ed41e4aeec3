// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Attention whose probabilities are rounded to bf16 before they meet the values, with a mask of -1e30. Masked tokens are
// present, so no limit of a loop leaves them out; and the rounding comes after the division, so one pass would give other
// numbers: the first finds what is subtracted and divided by, the second computes the scores again.

// CHECK: nest.acc "scale" : !nest.acc<[] of normalizer<f32>, reg>
// CHECK: nest.finish %scale[] : !nest.acc<[] of normalizer<f32>, reg> -> f32, f32
// CHECK: mp.round %exact to bf16
// CHECK: unit "dot bf16"
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.dim @C bound 16 : i64
    mp.dim @T bound 256 : i64 per "B"
  }
  nest.kernel @apply task "apply" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[B, C, 8], bf16>, %ks: !mp.tensor<[B, T, 8], bf16>, %vs: !mp.tensor<[B, T, 8], bf16>, %o: !nest.buf<[B, C, 8] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %width = arith.constant 8 : index
      %factor = arith.constant 0.353553385 : f32
      %masked = arith.constant -1.000000e+30 : f32
      %batch = mp.dim_size "B" : index
      %tokens = mp.dim_size "C" : index
      nest.for %zero to %batch step 1 : i64 most 4 : i64 bind <parallel> {
      ^bb0(%b: index):
        %live = mp.dim_size "T" per %b : index
        %old = arith.subi %live, %tokens : index
        nest.for %zero to %tokens step 1 : i64 most 16 : i64 bind <parallel> {
        ^bb0(%c: index):
          %last = arith.addi %old, %c : index
          %scale = nest.acc "scale" : !nest.acc<[] of normalizer<f32>, reg>
          nest.for %zero to %live step 1 : i64 most 256 : i64 bind <vector 16> {
          ^bb0(%t: index):
            %dot = nest.acc "dot" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %width step 1 : i64 most 8 : i64 {
            ^bb0(%d: index):
              %x_q = nest.read %q[%b, %c, %d] : !mp.tensor<[B, C, 8], bf16> -> f32
              %x_k = nest.read %ks[%b, %t, %d] : !mp.tensor<[B, T, 8], bf16> -> f32
              %qk = arith.mulf %x_q, %x_k : f32
              nest.fold %qk into %dot[] unit "dot bf16" : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %s = nest.finish %dot[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %scaled = arith.mulf %s, %factor : f32
            %causal = arith.cmpi sle, %t, %last : index
            %x = arith.select %causal, %scaled, %masked : f32
            nest.fold %x into %scale[] : f32 into !nest.acc<[] of normalizer<f32>, reg>
          }
          %largest, %total = nest.finish %scale[] : !nest.acc<[] of normalizer<f32>, reg> -> f32, f32
          %sums = nest.acc "sums" : !nest.acc<[8] of sum<f32>, local>
          nest.for %zero to %live step 1 : i64 most 256 : i64 {
          ^bb0(%t_1: index):
            %dot_1 = nest.acc "dot_1" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %width step 1 : i64 most 8 : i64 {
            ^bb0(%d_1: index):
              %x_q1 = nest.read %q[%b, %c, %d_1] : !mp.tensor<[B, C, 8], bf16> -> f32
              %x_k1 = nest.read %ks[%b, %t_1, %d_1] : !mp.tensor<[B, T, 8], bf16> -> f32
              %qk_1 = arith.mulf %x_q1, %x_k1 : f32
              nest.fold %qk_1 into %dot_1[] unit "dot bf16" : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %s_1 = nest.finish %dot_1[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %scaled_1 = arith.mulf %s_1, %factor : f32
            %causal_1 = arith.cmpi sle, %t_1, %last : index
            %x_1 = arith.select %causal_1, %scaled_1, %masked : f32
            %below = arith.subf %x_1, %largest : f32
            %power = math.exp %below : f32
            %exact = arith.divf %power, %total : f32
            %p = mp.round %exact to bf16 : f32 -> f32
            nest.for %zero to %width step 1 : i64 most 8 : i64 bind <vector 8> {
            ^bb0(%d_2: index):
              %value = nest.read %vs[%b, %t_1, %d_2] : !mp.tensor<[B, T, 8], bf16> -> f32
              %pv = arith.mulf %p, %value : f32
              nest.fold %pv into %sums[%d_2] unit "dot bf16" : f32 into !nest.acc<[8] of sum<f32>, local>
            }
          }
          nest.for %zero to %width step 1 : i64 most 8 : i64 {
          ^bb0(%d_3: index):
            %out = nest.finish %sums[%d_3] : !nest.acc<[8] of sum<f32>, local> -> f32
            nest.store %out in %o[%b, %c, %d_3] : f32, !nest.buf<[B, C, 8] x f32, global>
          }
        }
      }
    }
  }
}
