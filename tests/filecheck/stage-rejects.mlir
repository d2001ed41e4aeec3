// RUN: hetc-opt -p stage --split-input-file %s | filecheck %s

// Few repetitions are not worth a copy.
// CHECK-NOT: nest.buffer
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 8 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[B, 8, 32], f8E4M3FN>, %keys: !mp.tensor<[B, T, 32], f32>, %s: !nest.buf<[B, T, 8] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %heads = arith.constant 8 : index
      %wide = arith.constant 32 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        nest.for %zero to %size step 1 : i64 most 8 : i64 {
        ^bb0(%t: index):
          nest.for %zero to %heads step 1 : i64 most 8 : i64 {
          ^bb0(%h: index):
            %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %wide step 1 : i64 most 32 : i64 {
            ^bb0(%d: index):
              %v = nest.read %q[%b, %h, %d] : !mp.tensor<[B, 8, 32], f8E4M3FN> -> f32
              %k = nest.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 32], f32> -> f32
              %p = arith.mulf %v, %k : f32
              nest.fold %p into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
            nest.store %total in %s[%b, %t, %h] : f32, !nest.buf<[B, T, 8] x f32, global>
          }
        }
      }
    }
  }
}

// -----

// What is read under a condition may not be there.
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[B, 8, 32], f8E4M3FN>, %keys: !mp.tensor<[B, T, 32], f32>, %s: !nest.buf<[B, T, 8] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %heads = arith.constant 8 : index
      %wide = arith.constant 32 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        nest.for %zero to %size step 1 : i64 most 1000 : i64 {
        ^bb0(%t: index):
          nest.for %zero to %heads step 1 : i64 most 8 : i64 {
          ^bb0(%h: index):
            %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %wide step 1 : i64 most 32 : i64 {
            ^bb0(%d: index):
              %may = arith.cmpi slt, %d, %h : index
              %v = nest.read %q[%b, %h, %d] if %may : !mp.tensor<[B, 8, 32], f8E4M3FN> -> f32
              %k = nest.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 32], f32> -> f32
              %p = arith.mulf %v, %k : f32
              nest.fold %p into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
            nest.store %total in %s[%b, %t, %h] : f32, !nest.buf<[B, T, 8] x f32, global>
          }
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Where there is no token there is no last one to widen.
// CHECK-NOT: nest.buffer "
// CHECK: nest.read %y[%b, %last, %d]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%y: !mp.tensor<[B, T, 16], f8E4M3FN>, %q: !nest.buf<[B] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %length = mp.dim_size "T" per %b : index
        %last = arith.subi %length, %one : index
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%t: index):
          nest.for %zero to %end step 1 : i64 most 16 : i64 {
          ^bb0(%d: index):
            %v = nest.read %y[%b, %last, %d] : !mp.tensor<[B, T, 16], f8E4M3FN> -> f32
            nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
        }
        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
