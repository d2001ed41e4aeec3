// RUN: hetc-opt -p split-loops --split-input-file %s | filecheck %s
// RUN: hetc-opt -p split-loops,bind-parallel --split-input-file %s | filecheck %s --check-prefix BOUND

// What stands beside the loop goes into the one over the chunks, so that it stands alone in the loop around it.
// CHECK: nest.acc "longest"
// CHECK: nest.for %zero to %batch step 1 : i64 most 64 : i64 {
// CHECK-NEXT: ^bb0(%b_1: index):
// CHECK-NEXT: arith.constant 0 : index
// CHECK-NEXT: nest.for %{{.*}} to %{{.*}} step 1 : i64 most 98 : i64 {
// CHECK-NEXT: ^bb0(%chunk: index):
// CHECK-NEXT: %size_1 = mp.dim_size "T" per %b_1 : index
// CHECK: %[[FIRST:.*]] = arith.muli %chunk
// CHECK: %[[LAST:.*]] = arith.minsi %{{.*}}, %size_1 : index
// CHECK: nest.for %[[FIRST]] to %[[LAST]] step 1 : i64 most 1024 : i64 {
// Both are shared by the threads.
// BOUND: most 64 : i64 bind <parallel> {
// BOUND: most 98 : i64 bind <parallel> {
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
        nest.for %zero to %size step 1 : i64 most 100000 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.store %v in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }
      }
    }
  }
}
