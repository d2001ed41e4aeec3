// RUN: hetc-opt -p place-buffers --split-input-file %s | filecheck %s

// Another phase uses it.
// CHECK: nest.buffer "s" : !nest.buf<[B, 16] x f32, global>
// CHECK: nest.load
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
        %v = nest.read %x[%b, %zero] : !mp.tensor<[B, 16], f32> -> f32
        nest.store %v in %s[%b, %zero] : f32, !nest.buf<[B, 16] x f32, global>
      }
    }
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %u = nest.load %s[%b, %zero] : !nest.buf<[B, 16] x f32, global> -> f32
        nest.store %u in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// A row of tokens has no constant extent.
// CHECK: nest.buffer "s" : !nest.buf<[B, T] x f32, global>
// CHECK: nest.load
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %length = mp.dim_size "T" per %b : index
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%t: index):
          %v = nest.read %y[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          nest.store %v in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }

        %u = nest.load %s[%b, %zero] : !nest.buf<[B, T] x f32, global> -> f32
        nest.store %u in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Two places store it: which of them was last is not looked for.
// CHECK: nest.store
// CHECK: nest.store
// CHECK: nest.load %s[%zero]
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
        %v = nest.read %x[%b, %zero] : !mp.tensor<[B, 16], f32> -> f32
        nest.store %v in %s[%b, %zero] : f32, !nest.buf<[B, 16] x f32, global>
        %p = arith.cmpf ogt, %v, %none : f32
        scf.if %p {
          nest.store %none in %s[%b, %zero] : f32, !nest.buf<[B, 16] x f32, global>
        }
        %u = nest.load %s[%b, %zero] : !nest.buf<[B, 16] x f32, global> -> f32
        nest.store %u in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Each pass of the loop around it loads what the one before stored.
// CHECK: nest.buffer "s" : !nest.buf<[B, 16] x f32, global>
// CHECK: nest.load %s[%zero, %i]
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
          %u = nest.load %s[%zero, %i] : !nest.buf<[B, 16] x f32, global> -> f32
          nest.store %u in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
          nest.store %none in %s[%zero, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}
