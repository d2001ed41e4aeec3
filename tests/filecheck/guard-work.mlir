// RUN: hetc-opt -p guard-work --split-input-file %s | filecheck %s

// What only a fold needs is done where its condition holds, with the reads that the condition keeps in range.
// CHECK: scf.if %p {
// CHECK-NEXT: %place = arith.index_cast
// CHECK-NEXT: %v = nest.read %x[%b, %place] :
// CHECK-NEXT: nest.fold %v into %a[] :
// CHECK-NEXT: }
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
          %place = arith.index_cast %m : i32 to index
          %v = nest.read %x[%b, %place] if %p : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] if %p : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// A sum that is used where a condition holds is summed up where it does.
// CHECK: nest.acc "a"
// CHECK: scf.if %p {
// CHECK-NEXT: nest.for
// CHECK: nest.read %x[%place, %i] :
// CHECK: nest.fold
// CHECK: nest.finish
// CHECK: arith.select %p, %sum, %none
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
        %m = nest.read %at[%b, %zero] : !mp.tensor<[B, 16], i32> -> i32
        %no = arith.constant 0 : i32
        %p = arith.cmpi sge, %m, %no : i32
        %place = arith.index_cast %m : i32 to index
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %v = nest.read %x[%place, %i] if %p : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %t = arith.select %p, %sum, %none : f32
        nest.store %t in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
