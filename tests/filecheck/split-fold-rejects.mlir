// RUN: hetc-opt -p split-fold --split-input-file %s | filecheck %s

// A short loop stays whole.
// CHECK-NOT: chunk
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 8000 : i64 per "B"
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
        nest.for %zero to %size step 1 : i64 most 8000 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.fold %v into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }
        %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %a in %s[%b, %zero] : f32, !nest.buf<[B, T] x f32, global>
      }
    }
  }
}

// -----

// So does one that stores beside its folds, and a queue of which more is asked than its pairs.
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
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.fold %v into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          nest.store %v in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }
        %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
      }
    }
  }
}

// -----

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
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 8>, reg>
        nest.for %zero to %size step 1 : i64 most 100000 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.fold %v, %t into %best[] : f32, index into !nest.acc<[] of queue<f32, 8>, reg>
        }
        %n = nest.offered %best[] : !nest.acc<[] of queue<f32, 8>, reg>
        nest.store %n in %r[%b, %zero] : index, !nest.buf<[B, 8] x index, global>
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%j: index):
          %score, %index = nest.entry %best[] at %j : !nest.acc<[] of queue<f32, 8>, reg> -> f32
          nest.store %index in %r[%b, %j] : index, !nest.buf<[B, 8] x index, global>
        }
      }
    }
  }
}
