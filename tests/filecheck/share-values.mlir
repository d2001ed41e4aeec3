// RUN: hetc-opt -p share-values --split-input-file %s | filecheck %s

// Equal reads, conditions in either order, and reductions are computed once.
// CHECK: nest.acc "a"
// CHECK: nest.for
// CHECK: nest.read
// CHECK: nest.fold
// CHECK: %sum = nest.finish
// CHECK-NOT: nest.acc "c"
// CHECK: arith.addf %sum, %sum
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
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %c = nest.acc "c" : !nest.acc<[] of sum<f32>, reg>
        %end_1 = arith.constant 16 : index
        nest.for %zero to %end_1 step 1 : i64 most 16 : i64 {
        ^bb0(%j: index):
          %v = nest.read %x[%b, %j] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %c[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %same = nest.finish %c[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %both = arith.addf %sum, %same : f32
        nest.store %both in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// A load of what nothing stored since; what is known around a loop is known in it.
// CHECK: %v = nest.load %q[%b]
// CHECK-NOT: nest.load
// CHECK: nest.store %v in %r[%b, %i]
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
        %v = nest.load %q[%b] : !nest.buf<[B] x f32, global> -> f32
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %w = nest.load %q[%b] : !nest.buf<[B] x f32, global> -> f32
          nest.store %w in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// What nothing uses is gone.
// CHECK: nest.kernel
// CHECK-NOT: nest.phase
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    %s = nest.buffer "s" : !nest.buf<[B, 16] x f32, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %v = nest.read %x[%b, %zero] : !mp.tensor<[B, 16], f32> -> f32
        nest.store %v in %s[%b, %zero] : f32, !nest.buf<[B, 16] x f32, global>
      }
    }
  }
}
