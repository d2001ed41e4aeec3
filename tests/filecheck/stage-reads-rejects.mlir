// RUN: hetc-opt -p stage-reads --split-input-file %s | filecheck %s

// bf16 is decoded by a shift; another row in each pass; a condition keeps the read in range.
// CHECK: nest.read %h[%b, %d]
// CHECK-NOT: nest.buffer "
// CHECK: nest.read %y[%b_1, %t, %d_1]
// CHECK-NOT: nest.buffer "
// CHECK: nest.read %x[%b_2, %d_2] if %p
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f8E4M3FN>, %y: !mp.tensor<[B, T, 16], f8E4M3FN>, %h: !mp.tensor<[B, 16], bf16>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
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
          %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %end step 1 : i64 most 16 : i64 {
          ^bb0(%d: index):
            %v = nest.read %h[%b, %d] : !mp.tensor<[B, 16], bf16> -> f32
            nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }

          %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %sum in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
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
        %length = mp.dim_size "T" per %b : index
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%t: index):
          nest.for %zero to %end step 1 : i64 most 16 : i64 {
          ^bb0(%d: index):
            %v = nest.read %y[%b, %t, %d] : !mp.tensor<[B, T, 16], f8E4M3FN> -> f32
            nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
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
          %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %end step 1 : i64 most 16 : i64 {
          ^bb0(%d: index):
            %p = arith.cmpi slt, %i, %d : index
            %v = nest.read %x[%b, %d] if %p : !mp.tensor<[B, 16], f8E4M3FN> -> f32
            nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }

          %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %sum in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Where there is no token there is no last one to decode.
// CHECK-NOT: nest.buffer
// CHECK: nest.read %y[%b, %last, %d]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f8E4M3FN>, %y: !mp.tensor<[B, T, 16], f8E4M3FN>, %h: !mp.tensor<[B, 16], bf16>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
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
