// RUN: hetc-opt -p split-fold --split-input-file %s | filecheck %s
// RUN: hetc-opt -p split-fold --split-input-file %s | hetc-opt --split-input-file | filecheck %s

// A phase of its own: as many chunks as the longest row has, of each the best pairs.
// CHECK: %best_scores = nest.buffer "best_scores" : !nest.buf<[B, 25, 8] x f32, global>
// CHECK-NEXT: %best_indices = nest.buffer "best_indices" : !nest.buf<[B, 25, 8] x index, global>
// CHECK-NEXT: nest.phase {
// CHECK: nest.acc "longest" : !nest.acc<[] of max<index>, reg>
// CHECK: most 64 : i64 {
// CHECK: most 25 : i64 {
// CHECK: %[[FIRST:.*]] = arith.muli %chunk
// CHECK: %[[LAST:.*]] = arith.minsi
// CHECK: scf.if
// CHECK: nest.acc "best"
// CHECK: nest.for %[[FIRST]] to %[[LAST]] step 1 : i64 most 4096 : i64 {
// CHECK: nest.fold %v, %t into %best[]
// CHECK: nest.store %{{.*}} in %best_scores[%b_1, %chunk, %j]
// CHECK: nest.store %{{.*}} in %best_indices[%b_1, %chunk, %j]
// The phase that was there takes these pairs, those that are some.
// CHECK: nest.phase {
// CHECK: nest.acc "best"
// CHECK: nest.load %best_scores
// CHECK: %[[INDEX:.*]] = nest.load %best_indices
// CHECK: %[[HERE:.*]] = arith.cmpi sge, %[[INDEX]]
// CHECK: nest.fold {{.*}} into %best_1[] if %[[HERE]]
// CHECK: nest.arrange
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 100000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], f32>, %s: !nest.buf<[B, T] x f32, global>, %r: !nest.buf<[B, 8] x index, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 8>, reg>
        nest.for %zero to %size step 1 : i64 most 100000 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.fold %v, %t into %best[] : f32, index into !nest.acc<[] of queue<f32, 8>, reg>
        }
        nest.arrange %best[] by "index" : !nest.acc<[] of queue<f32, 8>, reg>
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%j: index):
          %score, %index = nest.entry %best[] at %j : !nest.acc<[] of queue<f32, 8>, reg> -> f32
          nest.store %index in %r[%b, %j] : index, !nest.buf<[B, 8] x index, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// States of one number are merged as they are.
// CHECK: %sum_parts = nest.acc "sum_parts" : !nest.acc<[B, 25] of sum<f32>, global>
// CHECK: nest.merge %sum[] into %sum_parts[%b_1, %chunk]
// CHECK: nest.phase {
// CHECK: nest.merge %sum_parts[%b_2, %chunk_1] into %sum_1[]
// CHECK-NEXT: }
// CHECK-NEXT: nest.finish %sum_1[]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 100000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], f32>, %s: !nest.buf<[B, T] x f32, global>, %r: !nest.buf<[B, 8] x index, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %size step 1 : i64 most 100000 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.fold %v into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }
        %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %a in %s[%b, %zero] : f32, !nest.buf<[B, T] x f32, global>
      }
    }
  }
}
