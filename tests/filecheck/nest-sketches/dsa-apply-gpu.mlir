// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// The same on a GPU: 16 heads and 256 picks a program, so that one sequence fills the machine; the rows of a tile are
// fetched once, products are tiles, and partial states meet in a second launch.

// CHECK: %part = nest.acc "part" : !nest.acc<[B, 128, 8] of softmax<f32, 512>, global>
// CHECK: nest.phase
// CHECK: nest.buffer "tile" : !nest.buf<[64, 576] x bf16, local>
// CHECK: nest.acc "scores" : !nest.acc<[16, 64] of sum<f32>, local>
// CHECK: unit "dot bf16"
// CHECK: unit "split3" weights {
// CHECK: nest.phase
// CHECK: nest.merge %part[%b_{{[0-9]+}}, %g_{{[0-9]+}}, %c_{{[0-9]+}}] into %f[]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1048576 : i64 per "B"
  }
  nest.kernel @apply task "apply" on "gpu" arguments [] scratch [] {
  ^bb0(%picked: !mp.tensor<[B, 2048], i32>, %qa: !mp.tensor<[B, 128, 512], f32>, %kv: !mp.tensor<[B, T, 576], bf16>, %qp: !mp.tensor<[B, 128, 64], bf16>, %ol: !nest.buf<[B, 128, 512] x f32, global>):
    %part = nest.acc "part" : !nest.acc<[B, 128, 8] of softmax<f32, 512>, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %groups = arith.constant 8 : index
      %rows = arith.constant 16 : index
      %columns = arith.constant 64 : index
      %chunks = arith.constant 8 : index
      %chunk = arith.constant 256 : index
      %latent = arith.constant 512 : index
      %rotary = arith.constant 64 : index
      %width = arith.constant 576 : index
      %factor = arith.constant 0.135233775 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        %tokens = mp.dim_size "T" per %b : index
        nest.for %zero to %groups step 1 : i64 most 8 : i64 bind <parallel> {
        ^bb0(%gr: index):
          %g0 = arith.muli %gr, %rows : index
          nest.for %zero to %chunks step 1 : i64 most 8 : i64 bind <parallel> {
          ^bb0(%c: index):
            %first = arith.muli %c, %chunk : index
            %last = arith.addi %first, %chunk : index
            nest.for %first to %last step 64 : i64 most 4 : i64 {
            ^bb0(%j0: index):
              %tile = nest.buffer "tile" : !nest.buf<[64, 576] x bf16, local>
              %present = nest.buffer "present" : !nest.buf<[64] x i1, local>
              nest.for %zero to %columns step 1 : i64 most 64 : i64 bind <vector 64> {
              ^bb0(%i: index):
                %j = arith.addi %j0, %i : index
                %pick = nest.read %picked[%b, %j] : !mp.tensor<[B, 2048], i32> -> i32
                %t = arith.index_cast %pick : i32 to index
                %from = arith.cmpi sge, %t, %zero : index
                %below = arith.cmpi slt, %t, %tokens : index
                %here = arith.andi %from, %below : i1
                nest.store %here in %present[%i] : i1, !nest.buf<[64] x i1, local>
                nest.for %zero to %width step 1 : i64 most 576 : i64 {
                ^bb0(%v: index):
                  %element = nest.read %kv[%b, %t, %v] if %here : !mp.tensor<[B, T, 576], bf16> -> f32
                  nest.store %element in %tile[%i, %v] : f32, !nest.buf<[64, 576] x bf16, local>
                }
              }
              %scores = nest.acc "scores" : !nest.acc<[16, 64] of sum<f32>, local>
              %turned = nest.acc "turned" : !nest.acc<[16, 64] of sum<f32>, local>
              nest.for %zero to %rows step 1 : i64 most 16 : i64 bind <vector 16> {
              ^bb0(%g: index):
                %head = arith.addi %g0, %g : index
                nest.for %zero to %columns step 1 : i64 most 64 : i64 bind <vector 64> {
                ^bb0(%i_1: index):
                  nest.for %zero to %latent step 1 : i64 most 512 : i64 {
                  ^bb0(%v_1: index):
                    %q = nest.read %qa[%b, %head, %v_1] : !mp.tensor<[B, 128, 512], f32> -> f32
                    %k = nest.load %tile[%i_1, %v_1] : !nest.buf<[64, 576] x bf16, local> -> f32
                    %qk = arith.mulf %q, %k : f32
                    nest.fold %qk into %scores[%g, %i_1] unit "split3" : f32 into !nest.acc<[16, 64] of sum<f32>, local>
                  }
                  nest.for %zero to %rotary step 1 : i64 most 64 : i64 {
                  ^bb0(%r: index):
                    %place = arith.addi %latent, %r : index
                    %q_1 = nest.read %qp[%b, %head, %r] : !mp.tensor<[B, 128, 64], bf16> -> f32
                    %k_1 = nest.load %tile[%i_1, %place] : !nest.buf<[64, 576] x bf16, local> -> f32
                    %qk_1 = arith.mulf %q_1, %k_1 : f32
                    nest.fold %qk_1 into %turned[%g, %i_1] unit "dot bf16" : f32 into !nest.acc<[16, 64] of sum<f32>, local>
                  }
                }
              }
              nest.for %zero to %rows step 1 : i64 most 16 : i64 bind <vector 16> {
              ^bb0(%g_1: index):
                %head_1 = arith.addi %g0, %g_1 : index
                nest.for %zero to %columns step 1 : i64 most 64 : i64 {
                ^bb0(%i_2: index):
                  %here_1 = nest.load %present[%i_2] : !nest.buf<[64] x i1, local> -> i1
                  %s1 = nest.finish %scores[%g_1, %i_2] : !nest.acc<[16, 64] of sum<f32>, local> -> f32
                  %s2 = nest.finish %turned[%g_1, %i_2] : !nest.acc<[16, 64] of sum<f32>, local> -> f32
                  %s = arith.addf %s1, %s2 : f32
                  %x = arith.mulf %s, %factor : f32
                  nest.fold %x into %part[%b, %head_1, %c] if %here_1 unit "split3" weights {
                  ^bb0(%v_2: index):
                    %value = nest.load %tile[%i_2, %v_2] : !nest.buf<[64, 576] x bf16, local> -> f32
                    nest.yield %value : f32
                  } : f32 into !nest.acc<[B, 128, 8] of softmax<f32, 512>, global>
                }
              }
            }
          }
        }
      }
    }
    nest.phase {
      %zero_1 = arith.constant 0 : index
      %heads = arith.constant 128 : index
      %chunks_1 = arith.constant 8 : index
      %latent_1 = arith.constant 512 : index
      %batch_1 = mp.dim_size "B" : index
      nest.for %zero_1 to %batch_1 step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b_1: index):
        nest.for %zero_1 to %heads step 1 : i64 most 128 : i64 bind <parallel> {
        ^bb0(%g_2: index):
          %f = nest.acc "f" : !nest.acc<[] of softmax<f32, 512>, local>
          nest.for %zero_1 to %chunks_1 step 1 : i64 most 8 : i64 {
          ^bb0(%c_1: index):
            nest.merge %part[%b_1, %g_2, %c_1] into %f[] : !nest.acc<[B, 128, 8] of softmax<f32, 512>, global>, !nest.acc<[] of softmax<f32, 512>, local>
          }
          nest.for %zero_1 to %latent_1 step 1 : i64 most 512 : i64 bind <vector 512> {
          ^bb0(%v_3: index):
            %o = nest.finish %f[] at %v_3 : !nest.acc<[] of softmax<f32, 512>, local> -> f32
            nest.store %o in %ol[%b_1, %g_2, %v_3] : f32, !nest.buf<[B, 128, 512] x f32, global>
          }
        }
      }
    }
  }
}
