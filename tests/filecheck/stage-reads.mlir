// RUN: hetc-opt -p stage-reads --split-input-file %s | filecheck %s

// Each of 16 passes reads the row again: it is decoded once.
// CHECK: ^bb0(%b: index):
// CHECK-NEXT: %x_row = nest.buffer "x_row" : !nest.buf<[16] x f32, local>
// CHECK-NEXT: nest.for %zero to %end
// CHECK-NEXT: ^bb0(%d: index):
// CHECK-NEXT: nest.read %x[%b, %d]
// CHECK-NEXT: nest.store
// CHECK: ^bb0(%i: index):
// CHECK: nest.load %x_row[%d_1]
// CHECK-NOT: nest.read
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
            %v = nest.read %x[%b, %d] : !mp.tensor<[B, 16], f8E4M3FN> -> f32
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
// In front of a loop that may have no pass, where the loops around it keep the row in range.
// CHECK: nest.buffer "x_row"
// CHECK: nest.for %zero to %length
// CHECK: nest.load %x_row[%d_1]
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
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%t: index):
          nest.for %zero to %end step 1 : i64 most 16 : i64 {
          ^bb0(%d: index):
            %v = nest.read %x[%b, %d] : !mp.tensor<[B, 16], f8E4M3FN> -> f32
            nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
