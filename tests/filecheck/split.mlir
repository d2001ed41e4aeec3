// RUN: hetc-opt -p 'split{loop="t" by=64}' --split-input-file %s | filecheck %s

// CHECK: nest.for %zero to %size step 64 : i64 most 1563 : i64 {
// CHECK-NEXT: ^bb0(%t0: index):
// CHECK: %[[END:.*]] = arith.addi %t0
// CHECK-NEXT: %[[LAST:.*]] = arith.minsi %[[END]], %size : index
// CHECK-NEXT: nest.for %t0 to %[[LAST]] step 1 : i64 most 64 : i64 {
// CHECK-NEXT: ^bb0(%t: index):
// CHECK: nest.fold %v into %sum[]
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
