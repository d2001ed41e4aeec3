// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Index scores and top-k as the naive lowering writes them: a phase a statement, every score through memory.

// CHECK: %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
// CHECK: nest.phase
// CHECK: nest.fold %{{[0-9]+}} into %sum_d[]
// CHECK: nest.store %{{[0-9]+}} in %s[%b, %t]
// CHECK: nest.phase
// CHECK: nest.fold %{{[0-9]+}}, %t_{{[0-9]+}} into %best[]
// CHECK: nest.entry %best[] at %j
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1048576 : i64 per "B"
  }
  nest.kernel @relevancy_retrieve task "relevancy_retrieve" on "cpu" arguments [] scratch [] {
  ^bb0(%scale: !mp.tensor<[B, T], f32>, %w: !mp.tensor<[B, 64], f32>, %q8: !mp.tensor<[B, 64, 128], f8E4M3FN>, %keys: !mp.tensor<[B, T, 128], f8E4M3FN>, %picked: !nest.buf<[B, 2048] x index, global>):
    %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
    nest.phase {
      %0 = mp.dim_size "B" : index
      %1 = arith.constant 0 : index
      nest.for %1 to %0 step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %2 = mp.dim_size "T" per %b : index
        %3 = arith.constant 0 : index
        nest.for %3 to %2 step 1 : i64 most 1048576 : i64 {
        ^bb0(%t: index):
          %4 = nest.read %scale[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          %sum_h = nest.acc "sum_h" : !nest.acc<[] of sum<f32>, reg>
          %5 = arith.constant 64 : index
          %6 = arith.constant 0 : index
          nest.for %6 to %5 step 1 : i64 most 64 : i64 {
          ^bb0(%h: index):
            %7 = nest.read %w[%b, %h] : !mp.tensor<[B, 64], f32> -> f32
            %sum_d = nest.acc "sum_d" : !nest.acc<[] of sum<f32>, reg>
            %8 = arith.constant 128 : index
            %9 = arith.constant 0 : index
            nest.for %9 to %8 step 1 : i64 most 128 : i64 {
            ^bb0(%d: index):
              %10 = nest.read %q8[%b, %h, %d] : !mp.tensor<[B, 64, 128], f8E4M3FN> -> f32
              %11 = nest.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 128], f8E4M3FN> -> f32
              %12 = arith.mulf %10, %11 : f32
              nest.fold %12 into %sum_d[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %13 = nest.finish %sum_d[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %14 = arith.constant 0.000000e+00 : f32
            %15 = arith.maximumf %13, %14 : f32
            %16 = arith.mulf %7, %15 : f32
            nest.fold %16 into %sum_h[] : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %17 = nest.finish %sum_h[] : !nest.acc<[] of sum<f32>, reg> -> f32
          %18 = arith.mulf %4, %17 : f32
          nest.store %18 in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }
      }
    }
    nest.phase {
      %19 = mp.dim_size "B" : index
      %20 = arith.constant 0 : index
      nest.for %20 to %19 step 1 : i64 most 64 : i64 {
      ^bb0(%b_1: index):
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 2048>, reg>
        %21 = mp.dim_size "T" per %b_1 : index
        %22 = arith.constant 0 : index
        nest.for %22 to %21 step 1 : i64 most 1048576 : i64 {
        ^bb0(%t_1: index):
          %23 = nest.load %s[%b_1, %t_1] : !nest.buf<[B, T] x f32, global> -> f32
          nest.fold %23, %t_1 into %best[] : f32, index into !nest.acc<[] of queue<f32, 2048>, reg>
        }
        %24 = arith.constant 2048 : index
        %25 = arith.constant 0 : index
        nest.for %25 to %24 step 1 : i64 most 2048 : i64 {
        ^bb0(%j: index):
          %26, %27 = nest.entry %best[] at %j : !nest.acc<[] of queue<f32, 2048>, reg> -> f32
          nest.store %27 in %picked[%b_1, %j] : index, !nest.buf<[B, 2048] x index, global>
        }
      }
    }
  }
}
