// RUN: hetc-opt -p simplify-presence --split-input-file %s | filecheck %s

// The loop's limits imply the comparisons; the fold's condition that of the read.
// CHECK: %v = nest.read %x[%b, %i] if %p
// CHECK-NEXT: nest.fold %v into %a[] if %p
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
          %n = nest.read %at[%b, %i] : !mp.tensor<[B, 16], i32> -> i32
          %no = arith.constant 0 : i32
          %p = arith.cmpi sge, %n, %no : i32
          %low = arith.cmpi sge, %i, %zero : index
          %high = arith.cmpi slt, %i, %end : index
          %in = arith.andi %low, %high : i1
          %all = arith.andi %in, %p : i1
          %twice = arith.andi %p, %all : i1
          %v = nest.read %x[%b, %i] if %twice : !mp.tensor<[B, 16], f32> -> f32
          %w = arith.select %p, %v, %none : f32
          nest.fold %w into %a[] if %all : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// A sum that is used where a condition holds only: what it selects by that condition is as if it held. A load that is in
// range without its condition needs none.
// CHECK: %u = nest.load %r[%b, %i] : !nest.buf
// CHECK-NEXT: nest.fold %u into %a[]
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
        %v = nest.read %x[%b, %zero] : !mp.tensor<[B, 16], f32> -> f32
        %p = arith.cmpf ogt, %v, %none : f32
        %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %u = nest.load %r[%b, %i] if %p : !nest.buf<[B, 16] x f32, global> -> f32
          %w = arith.select %p, %u, %none : f32
          nest.fold %w into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        %t = arith.select %p, %sum, %none : f32
        nest.store %t in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// One comparison implies another.
// CHECK: %six = arith.cmpi slt, %i, %n
// CHECK-NOT: arith.andi
// CHECK: nest.fold %v into %a[] if %six
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
        %number = nest.read %at[%b, %zero] : !mp.tensor<[B, 16], i32> -> i32
        %n = arith.index_cast %number : i32 to index
        nest.for %zero to %end step 1 : i64 most 16 : i64 {
        ^bb0(%i: index):
          %six = arith.cmpi slt, %i, %n : index
          %less = arith.subi %i, %one : index
          %seven = arith.cmpi slt, %less, %n : index
          %all = arith.andi %seven, %six : i1
          %v = nest.read %x[%b, %i] : !mp.tensor<[B, 16], f32> -> f32
          nest.fold %v into %a[] if %all : f32 into !nest.acc<[] of sum<f32>, reg>
        }

        %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %sum in %q[%b] : f32, !nest.buf<[B] x f32, global>
      }
    }
  }
}
