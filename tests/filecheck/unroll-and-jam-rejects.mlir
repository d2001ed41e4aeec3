// RUN: hetc-opt -p 'unroll-and-jam{loop="g" by=2}' --verify-diagnostics --split-input-file %s | filecheck %s

// CHECK: no loop in it has the same limits in all passes
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      nest.for %zero to %size step 1 : i64 most 64 : i64 {
      ^bb0(%g: index):
        %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %g step 1 : i64 most 64 : i64 bind <vector 16> {
        ^bb0(%d: index):
          %v = nest.read %q[%one, %d] : !mp.tensor<[64, 64], f32> -> f32
          nest.fold %v into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }
        %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %a in %m[%g] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// CHECK: sum is written by one pass and used by another
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
      nest.for %zero to %size step 1 : i64 most 64 : i64 {
      ^bb0(%g: index):
        nest.for %zero to %size step 1 : i64 most 64 : i64 bind <vector 16> {
        ^bb0(%d: index):
          %v = nest.read %q[%one, %d] : !mp.tensor<[64, 64], f32> -> f32
          nest.fold %v into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }
      }
      %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
      nest.store %a in %m[%zero] : f32, !nest.buf<[64] x f32, global>
    }
  }
}

// -----

// CHECK: best is written by one pass and used by another
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      %best = nest.acc "best" : !nest.acc<[] of max<f32>, reg>
      nest.for %zero to %size step 1 : i64 most 64 : i64 {
      ^bb0(%g: index):
        %v = nest.read %q[%g, %zero] : !mp.tensor<[64, 64], f32> -> f32
        nest.fold %v into %best[] : f32 into !nest.acc<[] of max<f32>, reg>
        %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %size step 1 : i64 most 64 : i64 bind <vector 16> {
        ^bb0(%d: index):
          %w = nest.read %q[%one, %d] : !mp.tensor<[64, 64], f32> -> f32
          nest.fold %w into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }
        %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %sofar = nest.finish %best[] : !nest.acc<[] of max<f32>, reg> -> f32
        %both = arith.addf %a, %sofar : f32
        nest.store %both in %m[%g] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// CHECK: a loop is unrolled before it is bound to parallel
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      nest.for %zero to %size step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%g: index):
        nest.for %zero to %rows step 1 : i64 most 40 : i64 {
        ^bb0(%b: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %size step 1 : i64 most 64 : i64 bind <vector 16> {
          ^bb0(%d: index):
            %v = nest.read %q[%g, %d] : !mp.tensor<[64, 64], f32> -> f32
            %w = nest.read %x[%b, %d] : !mp.tensor<[B, 64], f32> -> f32
            %product = arith.mulf %v, %w : f32
            nest.fold %product into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%g, %b] : f32, !nest.buf<[64, B] x f32, global>
        }
      }
    }
  }
}
