// RUN: hetc-opt -p guard-work --split-input-file %s | filecheck %s

// The value is stored, too; lanes in lockstep take their folds as they are.
// CHECK-NOT: scf.if
// CHECK: nest.fold %v into %a[] if %p
// CHECK: nest.store %v
// CHECK: bind <vector 16>
// CHECK-NOT: scf.if
// CHECK: nest.fold %w into %a_1[] if %p_1
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
          %m = nest.read %at[%b, %i] : !mp.tensor<[B, 16], i32> -> i32
          %no = arith.constant 0 : i32
          %p = arith.cmpi sge, %m, %no : i32
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] if %p : f32 into !nest.acc<[] of sum<f32>, reg>
          nest.store %v in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
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
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 bind <vector 16> {
        ^bb0(%i: index):
          %m = nest.read %at[%b, %i] : !mp.tensor<[B, 16], i32> -> i32
          %no = arith.constant 0 : i32
          %p_1 = arith.cmpi sge, %m, %no : i32
          %v = nest.read %x[%b, %i] if %p_1 : !mp.tensor<[B, 16], f32> -> f32
          %w = arith.mulf %v, %v : f32
          nest.fold %w into %a[] if %p_1 : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// A load does not pass the store behind it.
// CHECK: %u = nest.load %r[%b, %i]
// CHECK: nest.store
// CHECK: nest.fold %u into %a[] if %p
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
          %m = nest.read %at[%b, %i] : !mp.tensor<[B, 16], i32> -> i32
          %no = arith.constant 0 : i32
          %p = arith.cmpi sge, %m, %no : i32
          %u = nest.load %r[%b, %i] : !nest.buf<[B, 16] x f32, global> -> f32
          %next = arith.negf %none : f32
          nest.store %next in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
          nest.fold %u into %a[] if %p : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
