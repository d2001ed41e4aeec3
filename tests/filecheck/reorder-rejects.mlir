// RUN: hetc-opt -p 'reorder{loop="i"}' --verify-diagnostics --split-input-file %s | filecheck %s

// CHECK: passes whose order matters: s is written by one and used by another
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 100000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], f32>, %s: !nest.buf<[B, T] x f32, global>, %r: !nest.buf<[B, 8] x index, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%i: index):
          nest.for %zero to %eight step 1 : i64 most 8 : i64 {
          ^bb0(%j: index):
            %k = arith.addi %i, %j : index
            %v = nest.load %s[%b, %k] : !nest.buf<[B, T] x f32, global> -> f32
            nest.store %v in %s[%b, %j] : f32, !nest.buf<[B, T] x f32, global>
          }
        }
      }
    }
  }
}

// -----

// CHECK: the limits of the inner loop are worked out in the outer one
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 100000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], f32>, %s: !nest.buf<[B, T] x f32, global>, %r: !nest.buf<[B, 8] x index, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%i: index):
          nest.for %zero to %i step 1 : i64 most 8 : i64 {
          ^bb0(%j: index):
            %v = nest.read %x[%i, %j] : !mp.tensor<[B, T], f32> -> f32
            nest.store %v in %s[%i, %j] : f32, !nest.buf<[B, T] x f32, global>
          }
        }
      }
    }
  }
}

// -----

// CHECK: a loop that holds more than another one is not exchanged with it
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 100000 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], f32>, %s: !nest.buf<[B, T] x f32, global>, %r: !nest.buf<[B, 8] x index, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %size step 1 : i64 most 100000 : i64 {
        ^bb0(%i: index):
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, T], f32> -> f32
          nest.fold %v into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }
        %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %a in %s[%b, %zero] : f32, !nest.buf<[B, T] x f32, global>
      }
    }
  }
}
