// RUN: hetc-opt -p bind-vector --split-input-file %s | filecheck %s

// A sum over what lies innermost in memory, of a length known only when the kernel runs.
// CHECK: nest.for %zero to %size step 1 : i64 most 1000 : i64 bind <vector 16> {
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], bf16>, %y: !mp.tensor<[B, 32], f32>, %w: !mp.tensor<[32, 64], f32>, %tf: !mp.tensor<[64, 32], ui8, #mp.sparse<#builtin.int<100>>>, %r: !nest.buf<[B, 64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %wide = arith.constant 32 : index
      %outs = arith.constant 64 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %size step 1 : i64 most 1000 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], bf16> -> f32
          %may = arith.cmpf ogt, %v, %none : f32
          nest.fold %v into %sum[] if %may : f32 into !nest.acc<[] of sum<f32>, reg>
        }
        %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %total in %r[%b, %zero] : f32, !nest.buf<[B, 64] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Rows of w lie along o, and y is the same for all of them: a sum in each lane.
// CHECK: nest.for %zero to %outs step 1 : i64 most 64 : i64 bind <vector 32> {
// CHECK: nest.for %zero to %wide step 1 : i64 most 32 : i64 {
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], bf16>, %y: !mp.tensor<[B, 32], f32>, %w: !mp.tensor<[32, 64], f32>, %tf: !mp.tensor<[64, 32], ui8, #mp.sparse<#builtin.int<100>>>, %r: !nest.buf<[B, 64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %wide = arith.constant 32 : index
      %outs = arith.constant 64 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        nest.for %zero to %outs step 1 : i64 most 64 : i64 {
        ^bb0(%o: index):
          %dot = nest.acc "dot" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %wide step 1 : i64 most 32 : i64 {
          ^bb0(%e: index):
            %p = nest.read %y[%b, %e] : !mp.tensor<[B, 32], f32> -> f32
            %q = nest.read %w[%e, %o] : !mp.tensor<[32, 64], f32> -> f32
            %pq = arith.mulf %p, %q : f32
            nest.fold %pq into %dot[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %d_1 = nest.finish %dot[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %d_1 in %r[%b, %o] : f32, !nest.buf<[B, 64] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Of passes whose loops are of different lengths only the loops are lanes.
// CHECK: nest.for %zero to %wide step 1 : i64 most 32 : i64 {
// CHECK: nest.for %zero to %d step 1 : i64 most 32 : i64 bind <vector 16> {
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], bf16>, %y: !mp.tensor<[B, 32], f32>, %w: !mp.tensor<[32, 64], f32>, %tf: !mp.tensor<[64, 32], ui8, #mp.sparse<#builtin.int<100>>>, %r: !nest.buf<[B, 64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %wide = arith.constant 32 : index
      %outs = arith.constant 64 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        nest.for %zero to %wide step 1 : i64 most 32 : i64 {
        ^bb0(%d: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %d step 1 : i64 most 32 : i64 {
          ^bb0(%e: index):
            %u = nest.read %y[%b, %e] : !mp.tensor<[B, 32], f32> -> f32
            nest.fold %u into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %total in %r[%b, %d] : f32, !nest.buf<[B, 64] x f32, global>
        }
      }
    }
  }
}
