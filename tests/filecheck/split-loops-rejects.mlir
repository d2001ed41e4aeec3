// RUN: hetc-opt -p split-loops --split-input-file %s | filecheck %s

// A pass that uses what the one before it stored: who has the second chunk would wait for the first.
// CHECK-NOT: chunk
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
        nest.for %one to %size step 1 : i64 most 100000 : i64 {
        ^bb0(%t: index):
          %before = arith.subi %t, %one : index
          %v = nest.load %s[%b, %before] : !nest.buf<[B, T] x f32, global> -> f32
          nest.store %v in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }
      }
    }
  }
}

// -----

// A short loop.
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 2000 : i64 per "B"
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
        nest.for %zero to %size step 1 : i64 most 2000 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.store %v in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }
      }
    }
  }
}
