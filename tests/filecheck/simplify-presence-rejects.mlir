// RUN: hetc-opt -p simplify-presence --split-input-file %s | filecheck %s

// The value is used where the condition is false, too; the read may be out of range there.
// CHECK: %v = nest.read %x[%b, %place] if %p
// CHECK: %w = arith.select %p, %v, %one_f
// CHECK: nest.fold %w into %a[] :
// CHECK: nest.fold %w into %c[] if %p
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
        %one_f = arith.constant 1.0 : f32
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        %c = nest.acc "c" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %n = nest.read %at[%b, %i] : !mp.tensor<[B, 16], i32> -> i32
          %no = arith.constant 0 : i32
          %p = arith.cmpi sge, %n, %no : i32
          %place = arith.index_cast %n : i32 to index
          %v = nest.read %x[%b, %place] if %p : !mp.tensor<[B, 16], f32> -> f32
          %w = arith.select %p, %v, %one_f : f32
          nest.fold %w into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
          nest.fold %w into %c[] if %p : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %other = nest.finish %c[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %both = arith.addf %sum, %other : f32
        nest.store %both in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Arithmetic that may wrap says nothing; nor does a condition of one pass outside of its loop.
// CHECK: %p = arith.cmpi slt, %next, %limit : i32
// CHECK: arith.andi %p, %before
// CHECK: nest.fold
// CHECK: nest.finish
// CHECK: arith.select %u
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
        %limit = arith.constant 5 : i32
        %step = arith.constant 1 : i32
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %n = nest.read %at[%b, %i] : !mp.tensor<[B, 16], i32> -> i32
          %next = arith.addi %n, %step : i32
          %p = arith.cmpi slt, %next, %limit : i32
          %before = arith.cmpi slt, %n, %limit : i32
          %all = arith.andi %p, %before : i1
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] if %all : f32 into !nest.acc<[] of sum<f32>, reg>
        }
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%j: index):
          %n = nest.read %at[%b, %j] : !mp.tensor<[B, 16], i32> -> i32
          %u = arith.cmpi slt, %n, %limit : i32
          %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
          %t = arith.select %u, %sum, %none : f32
          nest.store %t in %r[%b, %j] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}
