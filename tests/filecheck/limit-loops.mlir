// RUN: hetc-opt -p limit-loops --split-input-file %s | filecheck %s

// The upper end.
// CHECK: %i_end = arith.minsi %end
// CHECK: nest.for %zero to %i_end step 1
// CHECK-NOT: arith.cmpi
// CHECK: nest.fold %v into %a[] :
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
        %number = nest.read %at[%b, %zero] : !mp.tensor<[B, 16], i32> -> i32
        %n = arith.index_cast %number : i32 to index
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %next = arith.addi %i, %one : index
          %p = arith.cmpi slt, %next, %n : index
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
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
// The lower end, of two folds, and both of one that is tested in 64 bits.
// CHECK: %i_begin = arith.maxsi %zero, %n
// CHECK: %i_end = arith.minsi %end
// CHECK: nest.for %i_begin to %i_end
// CHECK-NOT: arith.cmpi
// CHECK: nest.fold %v into %a[] :
// CHECK: nest.fold %w into %a[] if %r_1
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
        %number = nest.read %at[%b, %zero] : !mp.tensor<[B, 16], i32> -> i32
        %n = arith.index_cast %number : i32 to index
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %p = arith.cmpi sge, %i, %n : index
          %wide = arith.index_cast %i : index to i64
          %ten = arith.constant 10 : i64
          %sum_64 = arith.addi %wide, %ten : i64
          %n_64 = arith.index_cast %n : index to i64
          %limit = arith.addi %n_64, %ten : i64
          %l = arith.constant 20 : i64
          %far = arith.addi %limit, %l : i64
          %o = arith.cmpi sle, %sum_64, %far : i64
          %both = arith.andi %p, %o : i1
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          %w = arith.negf %v : f32
          %r_1 = arith.cmpf ogt, %v, %none : f32
          %three = arith.andi %both, %r_1 : i1
          nest.fold %v into %a[] if %both : f32 into !nest.acc<[] of sum<f32>, reg>
          nest.fold %w into %a[] if %three : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
