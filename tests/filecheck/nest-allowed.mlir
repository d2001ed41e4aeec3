// RUN: hetc-opt --split-input-file %s | filecheck %s

// What the rules between ops of the nest dialect allow, however near it is to what they refuse (nest-rejects.mlir).

// Four values of m fill what lies between 4p and 4(p + 1): the passes of the loop over p are disjoint.
// CHECK: bind <parallel>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <parallel> {
      ^bb0(%p: index):
        %p4 = arith.muli %p, %four : index
        nest.for %zero to %four step 1 : i64 most 4 : i64 {
        ^bb0(%m: index):
          %i = arith.addi %p4, %m : index
          %v = nest.read %x[%p, %m] : !mp.tensor<[8, 8], f32> -> f32
          nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
        }
      }
    }
  }
}

// -----

// A tile: steps of 4 and what four lanes add to them.
// CHECK: bind <vector 4>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 4 : i64 most 2 : i64 bind <parallel> {
      ^bb0(%t0: index):
        nest.for %zero to %four step 1 : i64 most 4 : i64 bind <vector 4> {
        ^bb0(%m: index):
          %i = arith.addi %t0, %m : index
          %v = nest.read %x[%i, %m] : !mp.tensor<[8, 8], f32> -> f32
          nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
        }
      }
    }
  }
}

// -----

// Lanes fold into a state from around, as a fixed tree.
// CHECK: bind <vector 8>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <vector 8> {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
      }
    }
  }
}

// -----

// A queue takes its pairs in any order.
// CHECK: bind <vector 8>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %best = nest.acc "best" : !nest.acc<[] of queue<f32, 4>, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <vector 8> {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        nest.fold %v, %i into %best[] : f32, index into !nest.acc<[] of queue<f32, 4>, reg>
      }
    }
  }
}

// -----

// Integers are counted at an index that is read: any order gives the same.
// CHECK: into %histogram
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %histogram = nest.acc "histogram" : !nest.acc<[64] of sum<i32>, local>
      %unit = arith.constant 1 : i32
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <vector 8> {
      ^bb0(%i: index):
        %number = nest.read %at[%i] : !mp.tensor<[8], i32> -> i32
        %place = arith.index_cast %number : i32 to index
        nest.fold %unit into %histogram[%place] : i32 into !nest.acc<[64] of sum<i32>, local>
      }
    }
  }
}

// -----

// The largest float does not depend on the order either.
// CHECK: into %largest
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %largest = nest.acc "largest" : !nest.acc<[64] of max<f32>, local>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        %number = nest.read %at[%i] : !mp.tensor<[8], i32> -> i32
        %place = arith.index_cast %number : i32 to index
        nest.fold %v into %largest[%place] : f32 into !nest.acc<[64] of max<f32>, local>
      }
    }
  }
}

// -----

// A column of stored entries is met once, moved by a constant too.
// CHECK: nest.fold %v into %a[%place]
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[64] of sum<f32>, local>
      %end = arith.constant 64 : index
      nest.entries %tf[%one] from %eight to %end most 64 : i64 {
      ^bb0(%n: index, %count: i32):
        %v = arith.sitofp %count : i32 to f32
        %place = arith.subi %n, %eight : index
        nest.fold %v into %a[%place] : f32 into !nest.acc<[64] of sum<f32>, local>
      } : !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>
    }
  }
}

// -----

// Engines with streams of their own, and what a parallel loop left on the chip used after it.
// CHECK: nest.push
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %sums = nest.acc "sums" : !nest.acc<[4] of sum<f32>, local>
      nest.for %zero to %four step 1 : i64 most 4 : i64 bind <parallel> {
      ^bb0(%c: index):
        %rows = nest.buffer "rows" : !nest.buf<[8] x f32, stream 2>
        nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
        ^bb0(%i: index):
          %out = nest.buffer "out" : !nest.buf<[8] x f32, reg>
          nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <unroll> {
          ^bb0(%d: index):
            %v = nest.read %x[%i, %d] : !mp.tensor<[8, 8], f32> -> f32
            nest.store %v in %out[%d] : f32, !nest.buf<[8] x f32, reg>
          }
          nest.push %out into %rows : !nest.buf<[8] x f32, reg>, !nest.buf<[8] x f32, stream 2>
        }
        nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
        ^bb0(%i_1: index):
          %in = nest.buffer "in" : !nest.buf<[8] x f32, reg>
          nest.pop %rows into %in : !nest.buf<[8] x f32, stream 2>, !nest.buf<[8] x f32, reg>
          %first = nest.load %in[%zero] : !nest.buf<[8] x f32, reg> -> f32
          nest.fold %first into %sums[%c] : f32 into !nest.acc<[4] of sum<f32>, local>
        }
      }
      nest.for %zero to %four step 1 : i64 most 4 : i64 {
      ^bb0(%c_1: index):
        %sum = nest.finish %sums[%c_1] : !nest.acc<[4] of sum<f32>, local> -> f32
        nest.store %sum in %s[%c_1] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}
