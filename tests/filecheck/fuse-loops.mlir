// RUN: hetc-opt -p fuse-loops --split-input-file %s | filecheck %s

// What one phase stores at the indices of its loops the next one loads there: one phase, one loop of each kind.
// CHECK: nest.phase {
// CHECK: nest.for
// CHECK-NEXT: ^bb0(%b: index):
// CHECK-NEXT: nest.for
// CHECK-NEXT: ^bb0(%i: index):
// CHECK: nest.store %w in %s[%b, %i]
// CHECK-NEXT: nest.load %s[%b, %i]
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
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          %w = arith.mulf %v, %v : f32
          nest.store %w in %s[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %u = nest.load %s[%b, %i] : !nest.buf<[B, 16] x f32, global> -> f32
          nest.store %u in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// The states of a queue move in front of the loop that makes the scores; a phase without a loop stays.
// CHECK: nest.phase
// CHECK: %best = nest.acc "best"
// CHECK: nest.for %zero to %length
// CHECK: nest.store %v in %s[%b, %t]
// CHECK: nest.fold %u, %t into %best[]
// CHECK: nest.arrange
// CHECK: nest.phase
// CHECK-NOT: nest.for
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %length = mp.dim_size "T" per %b : index
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%t: index):
          %v = nest.read %y[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.store %v in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }
      }
    }
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 4>, reg>
        %length = mp.dim_size "T" per %b : index
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%t: index):
          %u = nest.load %s[%b, %t] : !nest.buf<[B, T] x f32, global> -> f32
          nest.fold %u, %t into %best[] : f32, index into !nest.acc<[] of queue<f32, 4>, reg>
        }
        nest.arrange %best[] by "score" : !nest.acc<[] of queue<f32, 4>, reg>
        %score, %index = nest.entry %best[] at %zero : !nest.acc<[] of queue<f32, 4>, reg> -> f32
        nest.store %score in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.store %none in %r[%zero, %one] : f32, !nest.buf<[B, 16] x f32, global>
    }
  }
}

// -----

// CHECK: {{//}} -----
// A phase between two that can be one stays behind them if nothing needs it.
// CHECK: nest.phase
// CHECK: most 64
// CHECK: nest.store %v in %s[%b, %zero]
// CHECK: nest.load %s[%b, %zero_1]
// CHECK: nest.phase
// CHECK: most 16
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
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %end step 1 : i64 most 16 : i64 {
      ^bb0(%i: index):
        nest.store %none in %r[%zero, %i] : f32, !nest.buf<[B, 16] x f32, global>
      }
    }
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %u = nest.load %s[%b, %zero] : !nest.buf<[B, 16] x f32, global> -> f32
        nest.store %u in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
