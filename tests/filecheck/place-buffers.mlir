// RUN: hetc-opt -p place-buffers --split-input-file %s | filecheck %s

// What is loaded where it was stored is the value, in no memory.
// CHECK-NOT: nest.buffer
// CHECK: nest.store %s in %r[%b, %i]
// CHECK-NOT: nest.load
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
          %u = nest.load %s[%b, %i] : !nest.buf<[B, 16] x f32, global> -> f32
          nest.store %u in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Rounded as it would be stored, and 0 where the load's condition is false.
// CHECK: %s = mp.round %v to bf16
// CHECK: arith.select %p, %s
// CHECK-NOT: nest.load
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    %s = nest.buffer "s" : !nest.buf<[B, 16] x bf16, global>
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
          nest.store %v in %s[%b, %i] : f32, !nest.buf<[B, 16] x bf16, global>
          %p = arith.cmpi slt, %i, %b : index
          %u = nest.load %s[%b, %i] if %p : !nest.buf<[B, 16] x bf16, global> -> f32
          nest.store %u in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// What lives within one pass of a loop lies in a cache.
// CHECK: ^bb0(%b: index):
// CHECK-NEXT: %s = nest.buffer "s" : !nest.buf<[16] x f32, local>
// CHECK: nest.store %v in %s[%i]
// CHECK: nest.load %s[%back] : !nest.buf<[16] x f32, local>
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
          nest.store %v in %s[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %last = arith.constant 15 : index
          %back = arith.subi %last, %i : index
          %u = nest.load %s[%b, %back] : !nest.buf<[B, 16] x f32, global> -> f32
          nest.store %u in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}
