// RUN: hetc-opt -p expand-combiners %s | filecheck %s
// RUN: hetc-opt -p expand-combiners %s | hetc-opt | filecheck %s

// States that outlive phases get their identity in one.
// CHECK: %part_sum = nest.buffer "part_sum" : !nest.buf<[B] x f32, global>
// CHECK-NEXT: %part_count = nest.buffer "part_count" : !nest.buf<[B] x i32, global>
// CHECK-NEXT: nest.phase {
// CHECK: nest.store %{{.*}} in %part_sum[%i0]
// CHECK: nest.store %{{.*}} in %part_count[%i0]
// CHECK: nest.phase {
// CHECK: %sum = nest.buffer "sum" : !nest.buf<[] x f32, reg>
// CHECK: nest.store %{{.*}} in %sum[]
// A queue stays. Lanes do not: the sum is now loaded and stored by each pass.
// CHECK: nest.acc "best" : !nest.acc<[] of queue<f32, 8>, reg>
// CHECK: nest.for %zero to %end step 1 : i64 most 32 : i64 {
// CHECK: nest.load %sum[]
// CHECK-NEXT: arith.addf
// CHECK-NEXT: arith.select %may
// CHECK-NEXT: nest.store %{{.*}} in %sum[]
// CHECK: nest.fold %v, %d into %best[]
// CHECK: nest.load %sum[]
// CHECK-NEXT: nest.store
// CHECK: nest.phase {
// CHECK: nest.load %part_sum[%b_1]
// CHECK: arith.divf
// CHECK: %f_o = nest.buffer "f_o" : !nest.buf<[4] x f32, local>
// The weights are read in the loop over the sums, the exponentials before it: once an element.
// CHECK: math.exp
// CHECK: nest.for
// CHECK-NOT: math.exp
// CHECK: nest.read %x[%b_1, %v_2]
// CHECK: nest.store %{{.*}} in %f_o[%v_2]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 32], f32>, %s: !nest.buf<[B, 4] x f32, global>, %i: !nest.buf<[B] x index, global>):
    %part = nest.acc "part" : !nest.acc<[B] of mean<f32>, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %four = arith.constant 4 : index
      %end = arith.constant 32 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 8>, reg>
        nest.for %zero to %end step 1 : i64 most 32 : i64 bind <vector 8> {
        ^bb0(%d: index):
          %v = nest.read %x[%b, %d] : !mp.tensor<[B, 32], f32> -> f32
          %may = arith.cmpf ogt, %v, %none : f32
          nest.fold %v into %sum[] if %may : f32 into !nest.acc<[] of sum<f32>, reg>
          nest.fold %v, %d into %best[] : f32, index into !nest.acc<[] of queue<f32, 8>, reg>
          nest.fold %v into %part[%b] : f32 into !nest.acc<[B] of mean<f32>, global>
        }
        %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %total in %s[%b, %zero] : f32, !nest.buf<[B, 4] x f32, global>
      }
    }
    nest.phase {
      %zero_1 = arith.constant 0 : index
      %four_1 = arith.constant 4 : index
      %one = arith.constant 1 : index
      %batch_1 = mp.dim_size "B" : index
      nest.for %zero_1 to %batch_1 step 1 : i64 most 64 : i64 {
      ^bb0(%b_1: index):
        %all = nest.acc "all" : !nest.acc<[] of mean<f32>, local>
        nest.merge %part[%b_1] into %all[] : !nest.acc<[B] of mean<f32>, global>, !nest.acc<[] of mean<f32>, local>
        %mean = nest.finish %all[] : !nest.acc<[] of mean<f32>, local> -> f32
        %f = nest.acc "f" : !nest.acc<[] of softmax<f32, 4>, local>
        nest.fold %mean into %f[] weights {
        ^bb0(%w: index):
          %weight = nest.read %x[%b_1, %w] : !mp.tensor<[B, 32], f32> -> f32
          nest.yield %weight : f32
        } : f32 into !nest.acc<[] of softmax<f32, 4>, local>
        %share = nest.finish %f[] at %one : !nest.acc<[] of softmax<f32, 4>, local> -> f32
        nest.store %share in %s[%b_1, %one] : f32, !nest.buf<[B, 4] x f32, global>
      }
    }
  }
}
