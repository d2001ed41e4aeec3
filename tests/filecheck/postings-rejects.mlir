// RUN: hetc-opt -p postings --split-input-file %s | filecheck %s

// What is not stored is folded, too.
// CHECK-NOT: nest.entries
// CHECK: nest.find
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.dim @N bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%tf: !mp.tensor<[32, N], ui8, #mp.sparse<#builtin.int<600>>>, %rows: !mp.tensor<[B, 5], index>, %w: !mp.tensor<[N], f32>, %s: !nest.buf<[B, N] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %terms = arith.constant 5 : index
      %last = arith.constant 32 : index
      %half = arith.constant 0.5 : f32
      %batch = mp.dim_size "B" : index
      %columns = mp.dim_size "N" : index
      nest.for %zero to %batch step 1 : i64 most 4 : i64 {
      ^bb0(%b: index):
        nest.for %zero to %columns step 1 : i64 most 40 : i64 {
        ^bb0(%n: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          %wn = nest.read %w[%n] : !mp.tensor<[N], f32> -> f32
          %scale = arith.addf %wn, %half : f32
          nest.for %zero to %terms step 1 : i64 most 5 : i64 {
          ^bb0(%q: index):
            %row = nest.read %rows[%b, %q] : !mp.tensor<[B, 5], index> -> index
            %low = arith.cmpi sge, %row, %zero : index
            %high = arith.cmpi slt, %row, %last : index
            %known = arith.andi %low, %high : i1
            %v, %there = nest.find %tf[%row, %n] if %known : !mp.tensor<[32, N], ui8, #mp.sparse<#builtin.int<600>>> -> i32, i1
            %f = arith.sitofp %v : i32 to f32
            %p = arith.mulf %f, %scale : f32
            %large = arith.cmpf ogt, %p, %half : f32
            %first = arith.andi %known, %there : i1
            %both = arith.andi %known, %large : i1
            nest.fold %p into %sum[] if %both : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%b, %n] : f32, !nest.buf<[B, N] x f32, global>
        }
      }
    }
  }
}

// -----

// The column after the loop's.
// CHECK-NOT: nest.entries
// CHECK: nest.find
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.dim @N bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%tf: !mp.tensor<[32, N], ui8, #mp.sparse<#builtin.int<600>>>, %rows: !mp.tensor<[B, 5], index>, %w: !mp.tensor<[N], f32>, %s: !nest.buf<[B, N] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %terms = arith.constant 5 : index
      %last = arith.constant 32 : index
      %half = arith.constant 0.5 : f32
      %batch = mp.dim_size "B" : index
      %columns = mp.dim_size "N" : index
      nest.for %zero to %batch step 1 : i64 most 4 : i64 {
      ^bb0(%b: index):
        nest.for %zero to %columns step 1 : i64 most 40 : i64 {
        ^bb0(%n: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          %wn = nest.read %w[%n] : !mp.tensor<[N], f32> -> f32
          %next = arith.addi %n, %one : index
          %scale = arith.addf %wn, %half : f32
          nest.for %zero to %terms step 1 : i64 most 5 : i64 {
          ^bb0(%q: index):
            %row = nest.read %rows[%b, %q] : !mp.tensor<[B, 5], index> -> index
            %low = arith.cmpi sge, %row, %zero : index
            %high = arith.cmpi slt, %row, %last : index
            %known = arith.andi %low, %high : i1
            %below = arith.cmpi slt, %next, %columns : index
            %inside = arith.andi %known, %below : i1
            %v, %there = nest.find %tf[%row, %next] if %inside : !mp.tensor<[32, N], ui8, #mp.sparse<#builtin.int<600>>> -> i32, i1
            %f = arith.sitofp %v : i32 to f32
            %p = arith.mulf %f, %scale : f32
            %large = arith.cmpf ogt, %p, %half : f32
            %first = arith.andi %known, %there : i1
            %both = arith.andi %first, %large : i1
            nest.fold %p into %sum[] if %both : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%b, %n] : f32, !nest.buf<[B, N] x f32, global>
        }
      }
    }
  }
}

// -----

// Each column has rows of its own.
// CHECK-NOT: nest.entries
// CHECK: nest.find
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.dim @N bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%tf: !mp.tensor<[32, N], ui8, #mp.sparse<#builtin.int<600>>>, %rows: !mp.tensor<[B, 5], index>, %w: !mp.tensor<[N], f32>, %s: !nest.buf<[B, N] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %terms = arith.constant 5 : index
      %last = arith.constant 32 : index
      %half = arith.constant 0.5 : f32
      %batch = mp.dim_size "B" : index
      %columns = mp.dim_size "N" : index
      nest.for %zero to %batch step 1 : i64 most 4 : i64 {
      ^bb0(%b: index):
        nest.for %zero to %columns step 1 : i64 most 40 : i64 {
        ^bb0(%n: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          %wn = nest.read %w[%n] : !mp.tensor<[N], f32> -> f32
          %scale = arith.addf %wn, %half : f32
          nest.for %zero to %terms step 1 : i64 most 5 : i64 {
          ^bb0(%q: index):
            %row = nest.read %rows[%b, %q] : !mp.tensor<[B, 5], index> -> index
            %low = arith.cmpi sge, %row, %zero : index
            %high = arith.cmpi slt, %row, %last : index
            %known = arith.andi %low, %high : i1
            %mixed = arith.addi %row, %n : index
            %ok = arith.cmpi slt, %mixed, %last : index
            %also = arith.andi %known, %ok : i1
            %v, %there = nest.find %tf[%mixed, %n] if %also : !mp.tensor<[32, N], ui8, #mp.sparse<#builtin.int<600>>> -> i32, i1
            %f = arith.sitofp %v : i32 to f32
            %p = arith.mulf %f, %scale : f32
            %large = arith.cmpf ogt, %p, %half : f32
            %first = arith.andi %known, %there : i1
            %both = arith.andi %first, %large : i1
            nest.fold %p into %sum[] if %both : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%b, %n] : f32, !nest.buf<[B, N] x f32, global>
        }
      }
    }
  }
}

// -----

// More is done with an element than a fold.
// CHECK-NOT: nest.entries
// CHECK: nest.find
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.dim @N bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%tf: !mp.tensor<[32, N], ui8, #mp.sparse<#builtin.int<600>>>, %rows: !mp.tensor<[B, 5], index>, %w: !mp.tensor<[N], f32>, %s: !nest.buf<[B, N] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %terms = arith.constant 5 : index
      %last = arith.constant 32 : index
      %half = arith.constant 0.5 : f32
      %batch = mp.dim_size "B" : index
      %columns = mp.dim_size "N" : index
      nest.for %zero to %batch step 1 : i64 most 4 : i64 {
      ^bb0(%b: index):
        nest.for %zero to %columns step 1 : i64 most 40 : i64 {
        ^bb0(%n: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          %wn = nest.read %w[%n] : !mp.tensor<[N], f32> -> f32
          %scale = arith.addf %wn, %half : f32
          nest.for %zero to %terms step 1 : i64 most 5 : i64 {
          ^bb0(%q: index):
            %row = nest.read %rows[%b, %q] : !mp.tensor<[B, 5], index> -> index
            %low = arith.cmpi sge, %row, %zero : index
            %high = arith.cmpi slt, %row, %last : index
            %known = arith.andi %low, %high : i1
            %v, %there = nest.find %tf[%row, %n] if %known : !mp.tensor<[32, N], ui8, #mp.sparse<#builtin.int<600>>> -> i32, i1
            %f = arith.sitofp %v : i32 to f32
            %p = arith.mulf %f, %scale : f32
            %large = arith.cmpf ogt, %p, %half : f32
            %first = arith.andi %known, %there : i1
            %both = arith.andi %first, %large : i1
            nest.store %p in %s[%b, %n] : f32, !nest.buf<[B, N] x f32, global>
            nest.fold %p into %sum[] if %both : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%b, %n] : f32, !nest.buf<[B, N] x f32, global>
        }
      }
    }
  }
}
