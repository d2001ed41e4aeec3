// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Causal attention of new tokens over paged memory: a tile is four tokens with both heads, whose keys are the same; keys
// and values come in tiles of 64, and the loop over them ends where no token of the tile sees more.

// CHECK: %f = nest.acc "f" : !nest.acc<[4, 2] of softmax<f32, 8>, local>
// CHECK: step 64 : i64 most 4 : i64 {
// CHECK: nest.read %ks[%b, %t, %d] if %stored : !mp.tensor<[B, T, 8], bf16, #mp.rows<8 at 0 in pages of 16 every 128>>
// CHECK: unit "split3"
// CHECK: nest.fold %x into %f[%i, %h] if %sees weights {
// CHECK: scf.if %is_token
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.dim @C bound 16 : i64
    mp.dim @T bound 256 : i64 per "B"
  }
  nest.kernel @apply task "apply" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[B, C, 2, 8], f32>, %ks: !mp.tensor<[B, T, 8], bf16, #mp.rows<8 at 0 in pages of 16 every 128>>, %vs: !mp.tensor<[B, T, 8], bf16, #mp.rows<8 at 0 in pages of 16 every 128>>, %o: !nest.buf<[B, C, 2, 8] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %heads = arith.constant 2 : index
      %four = arith.constant 4 : index
      %three = arith.constant 3 : index
      %columns = arith.constant 64 : index
      %width = arith.constant 8 : index
      %factor = arith.constant 0.353553385 : f32
      %batch = mp.dim_size "B" : index
      %tokens = mp.dim_size "C" : index
      %more = arith.addi %tokens, %three : index
      %tiles = arith.floordivsi %more, %four : index
      nest.for %zero to %batch step 1 : i64 most 4 : i64 bind <parallel> {
      ^bb0(%b: index):
        %live = mp.dim_size "T" per %b : index
        %old = arith.subi %live, %tokens : index
        nest.for %zero to %tiles step 1 : i64 most 4 : i64 bind <parallel> {
        ^bb0(%tile: index):
          %c0 = arith.muli %tile, %four : index
          %f = nest.acc "f" : !nest.acc<[4, 2] of softmax<f32, 8>, local>
          %c_last = arith.addi %c0, %four : index
          %seen = arith.addi %old, %c_last : index
          %end = arith.minsi %seen, %live : index
          nest.for %zero to %end step 64 : i64 most 4 : i64 {
          ^bb0(%t0: index):
            %keys = nest.buffer "keys" : !nest.buf<[64, 8] x bf16, local>
            %values = nest.buffer "values" : !nest.buf<[64, 8] x bf16, local>
            nest.for %zero to %columns step 1 : i64 most 64 : i64 {
            ^bb0(%n: index):
              %t = arith.addi %t0, %n : index
              %stored = arith.cmpi slt, %t, %end : index
              nest.for %zero to %width step 1 : i64 most 8 : i64 bind <vector 8> {
              ^bb0(%d: index):
                %k8 = nest.read %ks[%b, %t, %d] if %stored : !mp.tensor<[B, T, 8], bf16, #mp.rows<8 at 0 in pages of 16 every 128>> -> f32
                %v8 = nest.read %vs[%b, %t, %d] if %stored : !mp.tensor<[B, T, 8], bf16, #mp.rows<8 at 0 in pages of 16 every 128>> -> f32
                nest.store %k8 in %keys[%n, %d] : f32, !nest.buf<[64, 8] x bf16, local>
                nest.store %v8 in %values[%n, %d] : f32, !nest.buf<[64, 8] x bf16, local>
              }
            }
            nest.for %zero to %four step 1 : i64 most 4 : i64 bind <vector 4> {
            ^bb0(%i: index):
              %c = arith.addi %c0, %i : index
              %is_one = arith.cmpi slt, %c, %tokens : index
              %last = arith.addi %old, %c : index
              nest.for %zero to %heads step 1 : i64 most 2 : i64 bind <vector 2> {
              ^bb0(%h: index):
                nest.for %zero to %columns step 1 : i64 most 64 : i64 {
                ^bb0(%n_1: index):
                  %score = nest.acc "score" : !nest.acc<[] of sum<f32>, reg>
                  nest.for %zero to %width step 1 : i64 most 8 : i64 {
                  ^bb0(%d_1: index):
                    %x_q = nest.read %q[%b, %c, %h, %d_1] if %is_one : !mp.tensor<[B, C, 2, 8], f32> -> f32
                    %x_k = nest.load %keys[%n_1, %d_1] : !nest.buf<[64, 8] x bf16, local> -> f32
                    %qk = arith.mulf %x_q, %x_k : f32
                    nest.fold %qk into %score[] unit "split3" : f32 into !nest.acc<[] of sum<f32>, reg>
                  }
                  %s = nest.finish %score[] : !nest.acc<[] of sum<f32>, reg> -> f32
                  %x = arith.mulf %s, %factor : f32
                  %t_1 = arith.addi %t0, %n_1 : index
                  %causal = arith.cmpi sle, %t_1, %last : index
                  %sees = arith.andi %causal, %is_one : i1
                  nest.fold %x into %f[%i, %h] if %sees weights {
                  ^bb0(%d_2: index):
                    %value = nest.load %values[%n_1, %d_2] : !nest.buf<[64, 8] x bf16, local> -> f32
                    nest.yield %value : f32
                  } : f32 into !nest.acc<[4, 2] of softmax<f32, 8>, local>
                }
              }
            }
          }
          nest.for %zero to %four step 1 : i64 most 4 : i64 {
          ^bb0(%i_1: index):
            %c_1 = arith.addi %c0, %i_1 : index
            %is_token = arith.cmpi slt, %c_1, %tokens : index
            scf.if %is_token {
              nest.for %zero to %heads step 1 : i64 most 2 : i64 {
              ^bb0(%h_1: index):
                nest.for %zero to %width step 1 : i64 most 8 : i64 {
                ^bb0(%d_3: index):
                  %out = nest.finish %f[%i_1, %h_1] at %d_3 : !nest.acc<[4, 2] of softmax<f32, 8>, local> -> f32
                  nest.store %out in %o[%b, %c_1, %h_1, %d_3] : f32, !nest.buf<[B, C, 2, 8] x f32, global>
                }
              }
            }
          }
        }
      }
    }
  }
}
