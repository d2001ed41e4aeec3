// RUN: hetc-opt -p stage --split-input-file %s | filecheck %s
// RUN: hetc-opt -p stage,bind-vector --split-input-file %s | filecheck %s --check-prefix BOUND

// Each token reads all of q: it is widened once, in front of the loop over them. The keys are f32 as they lie.
// CHECK: %q_rows = nest.buffer "q_rows" : !nest.buf<[8, 32] x f32, local>
// CHECK: nest.for %{{.*}} to %{{.*}} step 1 : i64 most 8 : i64 {
// CHECK: nest.for %{{.*}} to %{{.*}} step 1 : i64 most 32 : i64 {
// CHECK: %[[WIDE:.*]] = nest.read %q[%b, %h, %d]
// CHECK-NEXT: nest.store %[[WIDE]] in %q_rows[%h, %d]
// CHECK: nest.for %zero to %size step 1 : i64 most 1000 : i64 {
// CHECK: nest.load %q_rows[%h_1, %d_1]
// CHECK: nest.read %keys[%b, %t, %d_1]
// Of what lies in a cache the order of dims is free: here heads are lanes.
// BOUND: nest.buffer "q_rows" order [1 : i64, 0 : i64]
// BOUND: nest.for %zero to %heads step 1 : i64 most 8 : i64 bind <vector 8> {
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[B, 8, 32], f8E4M3FN>, %keys: !mp.tensor<[B, T, 32], f32>, %s: !nest.buf<[B, T, 8] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %heads = arith.constant 8 : index
      %wide = arith.constant 32 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        nest.for %zero to %size step 1 : i64 most 1000 : i64 {
        ^bb0(%t: index):
          nest.for %zero to %heads step 1 : i64 most 8 : i64 {
          ^bb0(%h: index):
            %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %wide step 1 : i64 most 32 : i64 {
            ^bb0(%d: index):
              %v = nest.read %q[%b, %h, %d] : !mp.tensor<[B, 8, 32], f8E4M3FN> -> f32
              %k = nest.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 32], f32> -> f32
              %p = arith.mulf %v, %k : f32
              nest.fold %p into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
            nest.store %total in %s[%b, %t, %h] : f32, !nest.buf<[B, T, 8] x f32, global>
          }
        }
      }
    }
  }
}
