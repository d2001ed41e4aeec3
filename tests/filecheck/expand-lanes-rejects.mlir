// RUN: hetc-opt -p expand-lanes --verify-diagnostics --split-input-file %s | filecheck %s

// CHECK: not supported on the processor: softmax as a tree of lanes
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
        %f = nest.acc "f" : !nest.acc<[] of softmax<f32, 4>, local>
        nest.for %zero to %wide step 1 : i64 most 32 : i64 bind <vector 16> {
        ^bb0(%d: index):
          %u = nest.read %y[%b, %d] : !mp.tensor<[B, 32], f32> -> f32
          nest.fold %u into %f[] weights {
          ^bb1(%v: index):
            %weight = nest.read %w[%v, %d] : !mp.tensor<[32, 64], f32> -> f32
            nest.yield %weight : f32
          } : f32 into !nest.acc<[] of softmax<f32, 4>, local>
        }
      }
    }
  }
}

// -----

// CHECK: not supported on the processor: nest.find in lanes
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
        nest.for %zero to %wide step 1 : i64 most 32 : i64 bind <vector 16> {
        ^bb0(%d: index):
          %n, %stored = nest.find %tf[%b, %d] : !mp.tensor<[64, 32], ui8, #mp.sparse<#builtin.int<100>>> -> i32, i1
          %u = arith.sitofp %n : i32 to f32
          nest.store %u in %r[%b, %d] : f32, !nest.buf<[B, 64] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: not supported on the processor: 3 lanes: their number is a power of two of at most 64
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
        %m = nest.acc "m" : !nest.acc<[] of max<f32>, reg>
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 4>, reg>
        nest.for %zero to %wide step 1 : i64 most 32 : i64 bind <vector 3> {
        ^bb0(%d: index):
          %u = nest.read %y[%b, %d] : !mp.tensor<[B, 32], f32> -> f32
          nest.fold %u into %m[] : f32 into !nest.acc<[] of max<f32>, reg>
          nest.fold %u, %d into %best[] : f32, index into !nest.acc<[] of queue<f32, 4>, reg>
        }
        %most = nest.finish %m[] : !nest.acc<[] of max<f32>, reg> -> f32
        nest.store %most in %r[%b, %one] : f32, !nest.buf<[B, 64] x f32, global>
      }
    }
  }
}

// -----

// CHECK: not supported on the processor: a loop whose limits each lane has its own
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
        nest.for %zero to %wide step 1 : i64 most 32 : i64 bind <vector 16> {
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
