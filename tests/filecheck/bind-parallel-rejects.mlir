// RUN: hetc-opt -p bind-parallel --split-input-file %s | filecheck %s

// A pass reads what the one before it stored.
// CHECK: nest.for
// CHECK-NOT: bind
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %s: !nest.buf<[64] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      nest.for %one to %eight step 1 : i64 most 7 : i64 {
      ^bb0(%i: index):
        %before = arith.subi %i, %one : index
        %v = nest.load %s[%before] : !nest.buf<[64] x f32, global> -> f32
        nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Passes fold into one state: how it is split is no matter of this pass.
// CHECK: nest.for
// CHECK-NOT: bind
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %s: !nest.buf<[64] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
      }
      %sum = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
      nest.store %sum in %s[%zero] : f32, !nest.buf<[64] x f32, global>
    }
  }
}

// -----

// CHECK: {{//}} -----
// What the first loop stores is used beside it in its phase, where nothing would wait for it. The second may be bound.
// CHECK: most 8 : i64 {
// CHECK-NEXT: ^bb0(%i: index):
// CHECK: most 8 : i64 bind <parallel> {
// CHECK-NEXT: ^bb0(%j: index):
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %s: !nest.buf<[64] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
      }
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%j: index):
        %w = nest.load %s[%one] : !nest.buf<[64] x f32, global> -> f32
        nest.store %w in %m[%j] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Another kind of device.
// CHECK: on "gpu"
// CHECK: nest.for
// CHECK-NOT: bind
builtin.module {
  nest.kernel @k task "k" on "gpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %s: !nest.buf<[64] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%i: index):
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%j: index):
          %e = arith.muli %i, %eight : index
          %place = arith.addi %e, %j : index
          %v = nest.read %x[%i, %j] : !mp.tensor<[8, 8], f32> -> f32
          nest.store %v in %s[%place] : f32, !nest.buf<[64] x f32, global>
        }
      }
    }
  }
}
