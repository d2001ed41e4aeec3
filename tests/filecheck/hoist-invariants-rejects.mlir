// RUN: hetc-opt -p hoist-invariants --split-input-file %s | filecheck %s

// Where there is no token there is no last one: the read stays where there is.
// CHECK: %last = arith.subi %length, %one
// CHECK: nest.for %zero to %length
// CHECK: nest.read %y[%b, %last]
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
          %last = arith.subi %length, %one : index
          %w = nest.read %y[%b, %last] : !mp.tensor<[B, T], f32> -> f32
          nest.fold %w into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// The loop stores what is loaded; a state goes on from pass to pass.
// CHECK: nest.acc "a"
// CHECK: nest.for
// CHECK-NEXT: ^bb0(%i: index):
// CHECK-NEXT: nest.load
// CHECK: nest.for
// CHECK: nest.fold
// CHECK: nest.finish
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
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %v = nest.load %q[%b] : !nest.buf<[B] x f32, global> -> f32
          nest.for %zero to %end step 1 : i64 most 16 : i64 {
          ^bb0(%j: index):
            %u = nest.read %x[%b, %j] : !mp.tensor<[B, 16], f32> -> f32
            nest.fold %u into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }

          %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
          %w = arith.addf %v, %sum : f32
          nest.store %w in %q[%b] : f32, !nest.buf<[B] x f32, global>
        }
      }
    }
  }
}
