// RUN: hetc-opt -p bind-parallel --split-input-file %s | filecheck %s

// The outermost loop whose passes write different elements; those inside stay serial.
// CHECK: most 8 : i64 bind <parallel> {
// CHECK-NEXT: ^bb0(%i: index):
// CHECK-NEXT: nest.for %zero to %eight step 1 : i64 most 8 : i64 {
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
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

// -----

// A loop of one pass is none.
// CHECK: most 1 : i64 {
// CHECK: most 8 : i64 bind <parallel> {
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %s: !nest.buf<[64] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %one step 1 : i64 most 1 : i64 {
      ^bb0(%r: index):
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%i: index):
          %v = nest.read %x[%r, %i] : !mp.tensor<[8, 8], f32> -> f32
          nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
        }
      }
    }
  }
}

// -----

// Each pass needs what the one before it stored: the loop inside is bound, whose passes do not.
// CHECK: most 7 : i64 {
// CHECK: most 8 : i64 bind <parallel> {
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %s: !nest.buf<[64] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %eight = arith.constant 8 : index
      nest.for %one to %eight step 1 : i64 most 7 : i64 {
      ^bb0(%r: index):
        %before = arith.subi %r, %one : index
        %v = nest.load %s[%before] : !nest.buf<[64] x f32, global> -> f32
        %a = nest.buffer "a" : !nest.buf<[8] x f32, local>
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%i: index):
          %w = nest.read %x[%r, %i] : !mp.tensor<[8, 8], f32> -> f32
          nest.store %w in %a[%i] : f32, !nest.buf<[8] x f32, local>
        }
        %u = nest.load %a[%r] : !nest.buf<[8] x f32, local> -> f32
        %t = arith.addf %u, %v : f32
        nest.store %t in %s[%r] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}
