// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Attention over the tokens that were picked, in one pass over them: scores and probabilities are never stored. A pick
// that is absent is not folded; with no pick at all the sums are 0.

// CHECK: nest.acc "f" : !nest.acc<[] of softmax<f32, 512>, local>
// CHECK: nest.fold %x into %f[] if %here weights {
// CHECK: nest.finish %f[] at %v_{{[0-9]+}}
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1048576 : i64 per "B"
  }
  nest.kernel @apply task "apply" on "cpu" arguments [] scratch [] {
  ^bb0(%picked: !mp.tensor<[B, 2048], i32>, %qa: !mp.tensor<[B, 128, 512], f32>, %kv: !mp.tensor<[B, T, 576], bf16>, %qp: !mp.tensor<[B, 128, 64], bf16>, %ol: !nest.buf<[B, 128, 512] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %heads = arith.constant 128 : index
      %picks = arith.constant 2048 : index
      %latent = arith.constant 512 : index
      %rotary = arith.constant 64 : index
      %factor = arith.constant 0.135233775 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        %tokens = mp.dim_size "T" per %b : index
        nest.for %zero to %heads step 1 : i64 most 128 : i64 bind <parallel> {
        ^bb0(%g: index):
          %f = nest.acc "f" : !nest.acc<[] of softmax<f32, 512>, local>
          nest.for %zero to %picks step 1 : i64 most 2048 : i64 {
          ^bb0(%j: index):
            %pick = nest.read %picked[%b, %j] : !mp.tensor<[B, 2048], i32> -> i32
            %t = arith.index_cast %pick : i32 to index
            %from = arith.cmpi sge, %t, %zero : index
            %below = arith.cmpi slt, %t, %tokens : index
            %here = arith.andi %from, %below : i1
            %a1 = nest.acc "a1" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %latent step 1 : i64 most 512 : i64 bind <vector 16> {
            ^bb0(%v: index):
              %q = nest.read %qa[%b, %g, %v] : !mp.tensor<[B, 128, 512], f32> -> f32
              %k = nest.read %kv[%b, %t, %v] if %here : !mp.tensor<[B, T, 576], bf16> -> f32
              %qk = arith.mulf %q, %k : f32
              nest.fold %qk into %a1[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %a2 = nest.acc "a2" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %rotary step 1 : i64 most 64 : i64 bind <vector 16> {
            ^bb0(%r: index):
              %place = arith.addi %latent, %r : index
              %q_1 = nest.read %qp[%b, %g, %r] : !mp.tensor<[B, 128, 64], bf16> -> f32
              %k_1 = nest.read %kv[%b, %t, %place] if %here : !mp.tensor<[B, T, 576], bf16> -> f32
              %qk_1 = arith.mulf %q_1, %k_1 : f32
              nest.fold %qk_1 into %a2[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %s1 = nest.finish %a1[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %s2 = nest.finish %a2[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %s = arith.addf %s1, %s2 : f32
            %x = arith.mulf %s, %factor : f32
            nest.fold %x into %f[] if %here weights {
            ^bb0(%v_1: index):
              %value = nest.read %kv[%b, %t, %v_1] if %here : !mp.tensor<[B, T, 576], bf16> -> f32
              nest.yield %value : f32
            } : f32 into !nest.acc<[] of softmax<f32, 512>, local>
          }
          nest.for %zero to %latent step 1 : i64 most 512 : i64 bind <vector 16> {
          ^bb0(%v_2: index):
            %o = nest.finish %f[] at %v_2 : !nest.acc<[] of softmax<f32, 512>, local> -> f32
            nest.store %o in %ol[%b, %g, %v_2] : f32, !nest.buf<[B, 128, 512] x f32, global>
          }
        }
      }
    }
  }
}
