// RUN: hetc-opt -p 'reorder{loop="i"}' --split-input-file %s | filecheck %s

// What stands beside the inner loop goes with the outer one.
// CHECK: %end = arith.constant 100 : index
// CHECK-NEXT: nest.for %zero to %end step 1 : i64 most 100 : i64 {
// CHECK-NEXT: ^bb0(%j: index):
// CHECK-NEXT: nest.for %zero to %eight step 1 : i64 most 8 : i64 {
// CHECK-NEXT: ^bb0(%i: index):
// CHECK-NEXT: %m = arith.addi %i, %one : index
// CHECK-NEXT: %v = nest.read %x[%m, %j]
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
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%i: index):
          %m = arith.addi %i, %one : index
          %end = arith.constant 100 : index
          nest.for %zero to %end step 1 : i64 most 100 : i64 {
          ^bb0(%j: index):
            %v = nest.read %x[%m, %j] : !mp.tensor<[B, T], f32> -> f32
            nest.store %v in %s[%i, %j] : f32, !nest.buf<[B, T] x f32, global>
          }
        }
      }
    }
  }
}
