// RUN: hetc-opt -p hoist-invariants --split-input-file %s | filecheck %s

// Sizes, reads, and a whole sum move in front of the loops whose index they do not mention.
// CHECK: ^bb0(%b: index):
// CHECK-NEXT: %a = nest.acc "a"
// CHECK-NEXT: nest.for
// CHECK: nest.fold
// CHECK: %sum = nest.finish
// CHECK-NEXT: nest.for
// CHECK-NEXT: ^bb0(%j: index):
// CHECK-NEXT: nest.store %sum
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%j: index):
          %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %end step 1 : i64 most 16 : i64 {
          ^bb0(%i: index):
            %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
            nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }

          %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %sum in %r[%b, %j] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Out of a loop that may have no pass, for the loop around it keeps the read in range.
// CHECK: nest.read %x[%b, %zero]
// CHECK: nest.for %zero to %length
// CHECK: nest.read %y[%b, %t]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        %length = mp.dim_size "T" per %b : index
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%t: index):
          %w = nest.read %x[%b, %zero] : !mp.tensor<[B, 16], f32> -> f32
          %v = nest.read %y[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          %m = arith.mulf %v, %w : f32
          nest.fold %m into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
