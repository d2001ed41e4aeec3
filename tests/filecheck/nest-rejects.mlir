// RUN: hetc-opt --verify-diagnostics --split-input-file %s | filecheck %s

// Rules between ops of the nest dialect, and what breaks them. What they allow of the same kind is in nest-allowed.mlir.

// Passes 4p .. and 4(p + 1) .. meet where m has five values; with four they would not.
// CHECK: a parallel loop whose passes meet: s is written by one and used by another
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
        %five = arith.constant 5 : index
        nest.for %zero to %five step 1 : i64 most 5 : i64 {
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

// p + m is one index for several pairs, whatever the loop over m does.
// CHECK: a parallel loop whose passes meet: s is written by one
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
        nest.for %zero to %four step 1 : i64 most 4 : i64 {
        ^bb0(%m: index):
          %i = arith.addi %p, %m : index
          %v = nest.read %x[%p, %m] : !mp.tensor<[8, 8], f32> -> f32
          nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
        }
      }
    }
  }
}

// -----

// A pass reads what the one before it wrote.
// CHECK: a parallel loop whose passes meet: s is written by one and used by another
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %one to %eight step 1 : i64 most 7 : i64 bind <parallel> {
      ^bb0(%i: index):
        %before = arith.subi %i, %one : index
        %v = nest.load %s[%before] : !nest.buf<[64] x f32, global> -> f32
        nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// Lanes are passes at the same time too.
// CHECK: a vector loop whose passes meet: s is written by one
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %one to %eight step 1 : i64 most 7 : i64 bind <vector 4> {
      ^bb0(%i: index):
        %before = arith.subi %i, %one : index
        %v = nest.load %s[%before] : !nest.buf<[64] x f32, global> -> f32
        nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// An index that is read is not known to differ.
// CHECK: a parallel loop whose passes meet: s is written by one
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <parallel> {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        %number = nest.read %at[%i] : !mp.tensor<[8], i32> -> i32
        %place = arith.index_cast %number : i32 to index
        nest.store %v in %s[%place] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// A fold into a state from around a parallel loop: only lanes may.
// CHECK: a parallel loop whose passes meet: a is written by one
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <parallel> {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        nest.fold %v into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
      }
    }
  }
}

// -----

// A lane may fold into a state from around, but not see what it is.
// CHECK: a vector loop whose passes meet: a is written by one
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
        %so_far = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %so_far in %s[%i] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// Sums of floats depend on the order, which a computed index hides.
// CHECK: nest.fold: sum of floats depends on the order of its folds
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[64] of sum<f32>, local>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        %number = nest.read %at[%i] : !mp.tensor<[8], i32> -> i32
        %place = arith.index_cast %number : i32 to index
        nest.fold %v into %a[%place] : f32 into !nest.acc<[64] of sum<f32>, local>
      }
    }
  }
}

// -----

// A column is met once; half of it is not.
// CHECK: nest.fold: sum of floats depends on the order of its folds
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[32] of sum<f32>, local>
      %end = arith.constant 64 : index
      %two = arith.constant 2 : index
      nest.entries %tf[%one] from %zero to %end most 64 : i64 {
      ^bb0(%n: index, %count: i32):
        %v = arith.sitofp %count : i32 to f32
        %half = arith.floordivsi %n, %two : index
        nest.fold %v into %a[%half] : f32 into !nest.acc<[32] of sum<f32>, local>
      } : !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>
    }
  }
}

// -----

// Nothing waits for a parallel loop inside of a phase.
// CHECK: nest.phase: s is written in a parallel loop and used beside it
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <parallel> {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
      }
      %last = nest.load %s[%four] : !nest.buf<[64] x f32, global> -> f32
      nest.store %last in %s[%eight] : f32, !nest.buf<[64] x f32, global>
    }
  }
}

// -----

// What one process pushes, a later one pops.
// CHECK: nest.phase: the op that pushes rows comes before the one that pops it
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %rows = nest.buffer "rows" : !nest.buf<[] x f32, stream 4>
      %row = nest.buffer "row" : !nest.buf<[] x f32, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i: index):
        nest.pop %rows into %row : !nest.buf<[] x f32, stream 4>, !nest.buf<[] x f32, reg>
      }
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i_1: index):
        nest.push %row into %rows : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 4>
      }
    }
  }
}

// -----

// Streams that go round in a circle: one of them is popped first.
// CHECK: comes before the one that pops it
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %there = nest.buffer "there" : !nest.buf<[] x f32, stream 4>
      %back = nest.buffer "back" : !nest.buf<[] x f32, stream 4>
      %row = nest.buffer "row" : !nest.buf<[] x f32, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i: index):
        nest.push %row into %there : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 4>
        nest.pop %back into %row : !nest.buf<[] x f32, stream 4>, !nest.buf<[] x f32, reg>
      }
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i_1: index):
        nest.pop %there into %row : !nest.buf<[] x f32, stream 4>, !nest.buf<[] x f32, reg>
        nest.push %row into %back : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 4>
      }
    }
  }
}

// -----

// Two that push.
// CHECK: nest.phase: rows is pushed in one place and popped in one
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %rows = nest.buffer "rows" : !nest.buf<[] x f32, stream 4>
      %row = nest.buffer "row" : !nest.buf<[] x f32, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i: index):
        nest.push %row into %rows : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 4>
      }
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i_1: index):
        nest.push %row into %rows : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 4>
      }
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i_2: index):
        nest.pop %rows into %row : !nest.buf<[] x f32, stream 4>, !nest.buf<[] x f32, reg>
      }
    }
  }
}

// -----

// Eight rows go in, four come out.
// CHECK: nest.phase: as many rows go into rows as come out
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %rows = nest.buffer "rows" : !nest.buf<[] x f32, stream 4>
      %row = nest.buffer "row" : !nest.buf<[] x f32, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i: index):
        nest.push %row into %rows : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 4>
      }
      nest.for %zero to %four step 1 : i64 most 4 : i64 bind <pipeline 1> {
      ^bb0(%i_1: index):
        nest.pop %rows into %row : !nest.buf<[] x f32, stream 4>, !nest.buf<[] x f32, reg>
      }
    }
  }
}

// -----

// How many rows go in depends on data.
// CHECK: nest.phase: as many rows go into rows as come out
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %rows = nest.buffer "rows" : !nest.buf<[] x f32, stream 4>
      %row = nest.buffer "row" : !nest.buf<[] x f32, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i: index):
        %number = nest.read %at[%i] : !mp.tensor<[8], i32> -> i32
        %place = arith.index_cast %number : i32 to index
        %some = arith.cmpi sge, %place, %zero : index
        scf.if %some {
          nest.push %row into %rows : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 4>
          scf.yield
        }
      }
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <pipeline 1> {
      ^bb0(%i_1: index):
        nest.pop %rows into %row : !nest.buf<[] x f32, stream 4>, !nest.buf<[] x f32, reg>
      }
    }
  }
}

// -----

// A stream that engines share.
// CHECK: a parallel loop whose passes meet: rows is written by one
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %rows = nest.buffer "rows" : !nest.buf<[] x f32, stream 4>
      %row = nest.buffer "row" : !nest.buf<[] x f32, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <parallel> {
      ^bb0(%i: index):
        nest.push %row into %rows : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 4>
      }
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%i_1: index):
        nest.pop %rows into %row : !nest.buf<[] x f32, stream 4>, !nest.buf<[] x f32, reg>
      }
    }
  }
}

// -----

// Rows of another type.
// CHECK: nest.push: rows of !nest.buf<[8] x f32, stream 4> are no rows of !nest.buf<[8] x bf16, local>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %rows = nest.buffer "rows" : !nest.buf<[8] x f32, stream 4>
      %row = nest.buffer "row" : !nest.buf<[8] x bf16, local>
      nest.push %row into %rows : !nest.buf<[8] x bf16, local>, !nest.buf<[8] x f32, stream 4>
    }
  }
}

// -----

// Elements of a stream.
// CHECK: nest.load: rows of a stream are pushed and popped
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %rows = nest.buffer "rows" : !nest.buf<[8] x f32, stream 4>
      %v = nest.load %rows[%one] : !nest.buf<[8] x f32, stream 4> -> f32
    }
  }
}

// -----

// What is declared outside of the phases outlives them.
// CHECK: nest.kernel: what lies outside of the phases is global, got !nest.buf<[8] x f32, local>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    %row = nest.buffer "row" : !nest.buf<[8] x f32, local>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
    }
  }
}

// -----

// So do states.
// CHECK: nest.kernel: what lies outside of the phases is global, got !nest.acc<[] of sum<f32>, reg>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
    }
  }
}

// -----

// Only phases run anything.
// CHECK: nest.kernel holds nest.phase, nest.buffer, nest.acc, mp.constant, got arith.constant
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    %zero = arith.constant 0 : index
  }
}

// -----

// A phase in a phase.
// CHECK: nest.phase stands in nest.kernel
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.phase {
        %two = arith.constant 2 : index
      }
    }
  }
}

// -----

// Results come last.
// CHECK: nest.kernel: operands come before results
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%s: !nest.buf<[64] x f32, global>, %x: !mp.tensor<[8], f32>):
  }
}

// -----

// And outlive the kernel.
// CHECK: nest.kernel: a result lies in a global buffer, got !nest.buf<[64] x f32, local>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%s: !nest.buf<[64] x f32, local>):
  }
}

// -----

// More passes than the loop says.
// CHECK: nest.for: from 0 to 8 there are more than 4 passes
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 4 : i64 {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// A queue that is in order has no room to find.
// CHECK: nest.arrange: a queue that is in order takes no more
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %best = nest.acc "best" : !nest.acc<[] of queue<f32, 4>, reg>
      nest.arrange %best[] by "score" : !nest.acc<[] of queue<f32, 4>, reg>
      nest.for %zero to %eight step 1 : i64 most 8 : i64 {
      ^bb0(%i: index):
        %v = nest.read %x[%i, %i] : !mp.tensor<[8, 8], f32> -> f32
        nest.fold %v, %i into %best[] : f32, index into !nest.acc<[] of queue<f32, 4>, reg>
      }
    }
  }
}
