// RUN: hetc-opt -p 'split{loop="t" by=64}' --verify-diagnostics --split-input-file %s | filecheck %s

// CHECK: a loop is split before it is bound to vector
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
        nest.for %zero to %size step 1 : i64 most 100000 : i64 bind <vector 16> {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.store %v in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }
      }
    }
  }
}
