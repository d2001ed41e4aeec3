// RUN: hetc-opt -p bind-vector --split-input-file %s | filecheck %s

// What has no form in lanes stays as it is: a search, states of many sums.
// CHECK-NOT: vector
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
          %n, %stored = nest.find %tf[%b, %d] : !mp.tensor<[64, 32], ui8, #mp.sparse<#builtin.int<100>>> -> i32, i1
          %u = arith.sitofp %n : i32 to f32
          nest.store %u in %r[%b, %d] : f32, !nest.buf<[B, 64] x f32, global>
        }
      }
    }
  }
}

// -----

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
        nest.for %zero to %wide step 1 : i64 most 32 : i64 {
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

// A pass that uses what the one before it stored.
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
        nest.for %one to %wide step 1 : i64 most 31 : i64 {
        ^bb0(%d: index):
          %before = arith.subi %d, %one : index
          %u = nest.load %r[%b, %before] : !nest.buf<[B, 64] x f32, global> -> f32
          nest.store %u in %r[%b, %d] : f32, !nest.buf<[B, 64] x f32, global>
        }
      }
    }
  }
}
