// RUN: hetc-opt -p postings --split-input-file %s | filecheck %s

// The rows' entries, each folded into the state of its column; what depends on a column is worked out for each entry.
// CHECK: %sum_columns = nest.acc "sum_columns" : !nest.acc<[40] of sum<f32>, local>
// CHECK: [[SOME:%.*]] = arith.cmpi slt, %zero, %columns
// CHECK: scf.if [[SOME]] {
// CHECK: nest.for %zero to %terms
// CHECK: nest.entries %tf[%row] from %zero to %columns if %known most 40 : i64 {
// CHECK-NEXT: ^bb0(%n: index, %v: i32):
// CHECK: nest.read %w[%n]
// CHECK: nest.fold %p into %sum_columns[%{{.*}}] if %large
// CHECK: nest.for %zero to %columns
// CHECK-NOT: nest.find
// CHECK: nest.finish %sum_columns[
// CHECK: builtin.module
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

// Rows of several loops, and another combiner.
// CHECK: nest.acc "best_columns" : !nest.acc<[40] of max<f32>, local>
// CHECK: nest.entries
// CHECK-NOT: nest.find
// CHECK: builtin.module
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
          %best = nest.acc "best" : !nest.acc<[] of max<f32>, reg>
          %wn = nest.read %w[%n] : !mp.tensor<[N], f32> -> f32
          %scale = arith.addf %wn, %half : f32
          nest.for %zero to %one step 1 : i64 most 1 : i64 {
          ^bb0(%outer: index):
          nest.for %one to %terms step 1 : i64 most 5 : i64 {
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
            nest.fold %p into %best[] if %both : f32 into !nest.acc<[] of max<f32>, reg>
          }
          }
          %a = nest.finish %best[] : !nest.acc<[] of max<f32>, reg> -> f32
          nest.store %a in %s[%b, %n] : f32, !nest.buf<[B, N] x f32, global>
        }
      }
    }
  }
}

// -----

// Columns from the sixth on.
// CHECK: nest.entries %tf[%row] from %terms to %columns
// CHECK: arith.subi %n, %terms
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
        nest.for %terms to %columns step 1 : i64 most 40 : i64 {
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

// More columns than states: by blocks.
// CHECK: nest.for %zero to %columns step 32768
// CHECK: nest.acc "sum_columns" : !nest.acc<[32768] of sum<f32>, local>
// CHECK: nest.entries %tf[%row] from %n0 to
// CHECK: nest.for %n0 to
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.dim @N bound 100000 : i64
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
        nest.for %zero to %columns step 1 : i64 most 100000 : i64 {
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
            nest.fold %p into %sum[] if %both : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%b, %n] : f32, !nest.buf<[B, N] x f32, global>
        }
      }
    }
  }
}
