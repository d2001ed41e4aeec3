// RUN: hetc-opt -p limit-loops --split-input-file %s | filecheck %s

// A finite fill is present: a fold under no condition.
// CHECK: nest.for %zero to %end
// CHECK: arith.select %p, %v, %fill
// CHECK: nest.fold %w into %a[] :
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
          %p = arith.cmpi slt, %i, %n : index
          %fill = arith.constant -1.0e30 : f32
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          %w = arith.select %p, %v, %fill : f32
          nest.fold %w into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Something else is done in each pass.
// CHECK: nest.for %zero to %end
// CHECK: nest.fold %v into %a[] if %p
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
        %number = nest.read %at[%b, %zero] : !mp.tensor<[B, 16], i32> -> i32
        %n = arith.index_cast %number : i32 to index
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %p = arith.cmpi slt, %i, %n : index
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] if %p : f32 into !nest.acc<[] of sum<f32>, reg>
          nest.store %v in %r[%b, %i] : f32, !nest.buf<[B, 16] x f32, global>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// The limit changes in the loop, wraps, or is one of a step.
// CHECK: to %end step 1
// CHECK: if %p
// CHECK: to %end_1 step 1
// CHECK: if %p_1
// CHECK: nest.for %zero_2 to %end_2 step 4
// CHECK: if %p_2
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
          %l = arith.index_cast %m : i32 to index
          %p = arith.cmpi slt, %i, %l : index
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] if %p : f32 into !nest.acc<[] of sum<f32>, reg>
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
        %number = nest.read %at[%b, %zero] : !mp.tensor<[B, 16], i32> -> i32
        %n = arith.index_cast %number : i32 to index
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %short = arith.index_cast %i : index to i32
          %sum_32 = arith.addi %short, %number : i32
          %no = arith.constant 0 : i32
          %p_1 = arith.cmpi slt, %sum_32, %no : i32
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] if %p_1 : f32 into !nest.acc<[] of sum<f32>, reg>
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
        %number = nest.read %at[%b, %zero] : !mp.tensor<[B, 16], i32> -> i32
        %n = arith.index_cast %number : i32 to index
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 4 : i64 most 4 : i64 {
        ^bb0(%i: index):
          %p_2 = arith.cmpi sge, %i, %n : index
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] if %p_2 : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
