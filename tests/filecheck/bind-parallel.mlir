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

// -----

// A value that stands between two loops moves into the inner one: threads share the passes of both.
// CHECK: most 8 : i64 bind <parallel> {
// CHECK-NEXT: ^bb0(%b: index):
// CHECK-NEXT: nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <parallel> {
// CHECK-NEXT: ^bb0(%i: index):
// CHECK-NEXT: nest.read %n[%b]
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%n: !mp.tensor<[8], f32>, %x: !mp.tensor<[8, 4096], f32>, %s: !nest.buf<[8, 8] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %eight = arith.constant 8 : index
      %long = arith.constant 4096 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%b: index):
        %scale = nest.read %n[%b] : !mp.tensor<[8], f32> -> f32
        nest.for %zero to %eight step 1 : i64 most 8 : i64 {
        ^bb0(%i: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %long step 1 : i64 most 4096 : i64 {
          ^bb0(%d: index):
            %v = nest.read %x[%i, %d] : !mp.tensor<[8, 4096], f32> -> f32
            %w = arith.mulf %v, %scale : f32
            nest.fold %w into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %total in %s[%b, %i] : f32, !nest.buf<[8, 8] x f32, global>
        }
      }
    }
  }
}
