// RUN: hetc-opt -p expand-combiners --split-input-file %s | filecheck %s

// States on another kind of device are left to its own lowering; its lanes too.
// CHECK: nest.acc "part" : !nest.acc<[B] of mean<f32>, global>
// CHECK: nest.acc "sum"
// CHECK: bind <vector 8>
// CHECK: nest.merge %part[%b_1] into %all[]
// CHECK: weights {
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
  }
  nest.kernel @k task "k" on "gpu" arguments [] scratch [] {
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
