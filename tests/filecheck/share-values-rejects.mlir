// RUN: hetc-opt -p share-values --split-input-file %s | filecheck %s

// Something was stored in between, here and in a loop.
// CHECK: nest.load %q[%b]
// CHECK: nest.load %q[%b]
// CHECK: nest.load %q[%b]
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
        %w = arith.negf %v : f32
        nest.store %w in %q[%b] : f32, !nest.buf<[B] x f32, global>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %u = nest.load %q[%b] : !nest.buf<[B] x f32, global> -> f32
          %t = arith.negf %u : f32
          nest.store %t in %q[%b] : f32, !nest.buf<[B] x f32, global>
        }

        %z = nest.load %q[%b] : !nest.buf<[B] x f32, global> -> f32
        nest.store %z in %r[%b, %zero] : f32, !nest.buf<[B, 16] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Two reductions over one range that fold different values, and two of different combiners.
// CHECK: nest.acc "a"
// CHECK: nest.acc "c"
// CHECK: nest.acc "d"
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

        %c = nest.acc "c" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%j: index):
          %v = nest.read %x[%b, %j] : !mp.tensor<[B, 16], f32> -> f32
          %w = arith.negf %v : f32
          nest.fold %w into %c[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %d = nest.acc "d" : !nest.acc<[] of max<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%k: index):
          %v = nest.read %x[%b, %k] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %d[] : f32 into !nest.acc<[] of max<f32>, reg>
        }

        %one_sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %other = nest.finish %c[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %largest = nest.finish %d[] : !nest.acc<[] of max<f32>, reg> -> f32
        %both = arith.addf %one_sum, %other : f32
        %all = arith.addf %both, %largest : f32
        nest.store %all in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
