// RUN: hetc-opt -p tile-registers --split-input-file %s | filecheck %s

// Eight sums in registers: four of g by two of b, so that each operand is read once for several of them.
// CHECK: nest.for %zero to %size step 4 : i64 most 16 : i64 {
// CHECK: nest.for %zero to %{{.*}} step 2 : i64 most 20 : i64 {
// CHECK: bind <vector 16> {
// CHECK-COUNT-2: nest.read %x
// CHECK: bind <vector 16> {
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      nest.for %zero to %size step 1 : i64 most 64 : i64 {
      ^bb0(%g: index):
        nest.for %zero to %rows step 1 : i64 most 40 : i64 {
        ^bb0(%b: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %size step 1 : i64 most 64 : i64 bind <vector 16> {
          ^bb0(%d: index):
            %v = nest.read %q[%g, %d] : !mp.tensor<[64, 64], f32> -> f32
            %w = nest.read %x[%b, %d] : !mp.tensor<[B, 64], f32> -> f32
            %product = arith.mulf %v, %w : f32
            nest.fold %product into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%g, %b] : f32, !nest.buf<[64, B] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: nest.for %zero to %size step
// CHECK-COUNT-4: nest.fold %{{.*}} into %best
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 40 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      nest.for %zero to %size step 1 : i64 most 64 : i64 {
      ^bb0(%g: index):
        %best = nest.acc "best" : !nest.acc<[] of max<f32>, reg>
        nest.for %zero to %rows step 1 : i64 most 40 : i64 {
        ^bb0(%b: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %size step 1 : i64 most 64 : i64 bind <vector 16> {
          ^bb0(%d: index):
            %v = nest.read %q[%g, %d] : !mp.tensor<[64, 64], f32> -> f32
            %w = nest.read %x[%b, %d] : !mp.tensor<[B, 64], f32> -> f32
            %product = arith.mulf %v, %w : f32
            nest.fold %product into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.fold %a into %best[] : f32 into !nest.acc<[] of max<f32>, reg>
        }
        %c = nest.finish %best[] : !nest.acc<[] of max<f32>, reg> -> f32
        nest.store %c in %m[%g] : f32, !nest.buf<[64] x f32, global>
      }
    }
  }
}

// -----

// Rows of b come from memory, with little to do for each: only g takes several passes at once.
// CHECK: nest.for %zero to %size step 8
// CHECK-NEXT: ^bb0(%g: index):
// CHECK: nest.for %zero to %rows step 1
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 100000 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[64, 64], f32>, %x: !mp.tensor<[B, 64], f32>, %s: !nest.buf<[64, B] x f32, global>, %m: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %size = arith.constant 64 : index
      %rows = mp.dim_size "B" : index
      nest.for %zero to %size step 1 : i64 most 64 : i64 {
      ^bb0(%g: index):
        nest.for %zero to %rows step 1 : i64 most 100000 : i64 {
        ^bb0(%b: index):
          %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
          nest.for %zero to %size step 1 : i64 most 64 : i64 bind <vector 16> {
          ^bb0(%d: index):
            %v = nest.read %q[%g, %d] : !mp.tensor<[64, 64], f32> -> f32
            %w = nest.read %x[%b, %d] : !mp.tensor<[B, 64], f32> -> f32
            %product = arith.mulf %v, %w : f32
            nest.fold %product into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %a in %s[%g, %b] : f32, !nest.buf<[64, B] x f32, global>
        }
      }
    }
  }
}

