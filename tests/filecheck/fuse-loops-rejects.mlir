// RUN: hetc-opt -p fuse-loops --split-input-file %s | filecheck %s

// A pass loads what another one stored: two phases.
// CHECK: nest.phase
// CHECK: nest.store
// CHECK: nest.phase
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
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.store %v in %s[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
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
        %u = nest.load %s[%zero, %one] : !nest.buf<[B, 16] x f32, global> -> f32
        nest.store %u in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// The loops inside have one range, but the second loads what the first stores one pass later.
// CHECK: nest.phase
// CHECK-NOT: nest.phase
// CHECK: most 16
// CHECK: nest.store
// CHECK: most 16
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
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.store %v in %s[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
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

// -----

// CHECK: {{//}} -----
// The second sums what the first stores: together they would be one loop that threads cannot share.
// CHECK: nest.phase
// CHECK: nest.store
// CHECK: nest.phase
// CHECK: nest.fold
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
      nest.for %zero to %end step 1 : i64 most 16 : i64 {
      ^bb0(%i: index):
        %v = nest.read %x[%zero, %i] : !mp.tensor<[B, 16], f32> -> f32
        nest.store %v in %s[%zero, %i] : f32, !nest.buf<[B, 16] x f32, global>
      }
    }
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      nest.for %zero to %end step 1 : i64 most 16 : i64 {
      ^bb0(%i: index):
        %u = nest.load %s[%zero, %i] : !nest.buf<[B, 16] x f32, global> -> f32
        nest.fold %u into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
      }

      %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
      nest.store %sum in %q[%zero] : f32, !nest.buf<[B] x f32, global>
    }
  }
}

// -----

// CHECK: {{//}} -----
// What the second needs of the first stands between them: the sum of all passes.
// CHECK: nest.fold
// CHECK: nest.finish
// CHECK: most 16
// CHECK: nest.store
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%j: index):
          nest.store %sum in %r[%b, %j] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Another kind of device.
// CHECK: on "gpu"
// CHECK: nest.phase
// CHECK: nest.phase
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "gpu" arguments [] scratch [] {
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
        }
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
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %u = nest.load %s[%b, %i] : !nest.buf<[B, 16] x f32, global> -> f32
          nest.store %u in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Both loops read 2 MiB again in each pass: in turns they would evict them from the cache.
// CHECK: most 16 : i64 {
// CHECK-NEXT: ^bb0(%i: index):
// CHECK: nest.read %x[%d]
// CHECK: nest.finish
// CHECK: most 16 : i64 {
// CHECK-NEXT: ^bb0(%j: index):
// CHECK: nest.read %y[%e]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[524288], f32>, %y: !mp.tensor<[524288], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    %s = nest.buffer "s" : !nest.buf<[B, 16] x f32, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      %many = arith.constant 524288 : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %many step 1 : i64 most 524288 : i64 {
          ^bb0(%d: index):
            %v = nest.read %x[%d] : !mp.tensor<[524288], f32> -> f32
            nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }

          %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %sum in %s[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%j: index):
          %c = nest.acc "c" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %many step 1 : i64 most 524288 : i64 {
          ^bb0(%e: index):
            %v = nest.read %y[%e] : !mp.tensor<[524288], f32> -> f32
            nest.fold %v into %c[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }

          %sum = nest.finish %c[] : !nest.acc<[] of sum<f32>, reg> -> f32
          %u = nest.load %s[%b, %j] : !nest.buf<[B, 16] x f32, global> -> f32
          %t = arith.addf %u, %sum : f32
          nest.store %t in %r[%b, %j] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}
