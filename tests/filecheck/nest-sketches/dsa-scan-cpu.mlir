// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Index scores and top-k on a processor: scores stay in a cache, a block of 512 at a time, and are offered to a queue for
// each chunk of 65536 tokens. Chunks are constant, so what is selected does not depend on the number of threads.

// CHECK: %part = nest.acc "part" : !nest.acc<[B, 16] of queue<f32, 2048>, global>
// CHECK: nest.phase
// CHECK: bind <parallel>
// CHECK: %block = nest.buffer "block" : !nest.buf<[512] x f32, local>
// CHECK: bind <vector 16>
// CHECK: nest.phase
// CHECK: nest.merge %part[%b_{{[0-9]+}}, %c_{{[0-9]+}}] into %best[]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1048576 : i64 per "B"
  }
  nest.kernel @scan task "scan" on "cpu" arguments [] scratch [] {
  ^bb0(%scale: !mp.tensor<[B, T], f32>, %w: !mp.tensor<[B, 64], f32>, %q8: !mp.tensor<[B, 64, 128], f8E4M3FN>, %keys: !mp.tensor<[B, T, 128], f8E4M3FN>, %picked: !nest.buf<[B, 2048] x index, global>):
    %part = nest.acc "part" : !nest.acc<[B, 16] of queue<f32, 2048>, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %heads = arith.constant 64 : index
      %width = arith.constant 128 : index
      %tile = arith.constant 512 : index
      %chunk = arith.constant 65536 : index
      %most = arith.constant 65535 : index
      %none = arith.constant 0.000000e+00 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        %tokens = mp.dim_size "T" per %b : index
        %more = arith.addi %tokens, %most : index
        %chunks = arith.floordivsi %more, %chunk : index
        nest.for %zero to %chunks step 1 : i64 most 16 : i64 bind <parallel> {
        ^bb0(%c: index):
          %first = arith.muli %c, %chunk : index
          %last = arith.addi %first, %chunk : index
          %end = arith.minsi %last, %tokens : index
          nest.for %first to %end step 512 : i64 most 128 : i64 {
          ^bb0(%t0: index):
            %block = nest.buffer "block" : !nest.buf<[512] x f32, local>
            nest.for %zero to %tile step 1 : i64 most 512 : i64 bind <vector 16> {
            ^bb0(%i: index):
              %t = arith.addi %t0, %i : index
              %here = arith.cmpi slt, %t, %end : index
              %key = nest.buffer "key" : !nest.buf<[128] x f32, local>
              nest.for %zero to %width step 1 : i64 most 128 : i64 {
              ^bb0(%d: index):
                %k8 = nest.read %keys[%b, %t, %d] if %here : !mp.tensor<[B, T, 128], f8E4M3FN> -> f32
                nest.store %k8 in %key[%d] : f32, !nest.buf<[128] x f32, local>
              }
              %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
              nest.for %zero to %heads step 1 : i64 most 64 : i64 {
              ^bb0(%h: index):
                %dot = nest.acc "dot" : !nest.acc<[] of sum<f32>, reg>
                nest.for %zero to %width step 1 : i64 most 128 : i64 {
                ^bb0(%d_1: index):
                  %q = nest.read %q8[%b, %h, %d_1] : !mp.tensor<[B, 64, 128], f8E4M3FN> -> f32
                  %k = nest.load %key[%d_1] : !nest.buf<[128] x f32, local> -> f32
                  %qk = arith.mulf %q, %k : f32
                  nest.fold %qk into %dot[] : f32 into !nest.acc<[] of sum<f32>, reg>
                }
                %sum = nest.finish %dot[] : !nest.acc<[] of sum<f32>, reg> -> f32
                %positive = arith.maximumf %sum, %none : f32
                %weight = nest.read %w[%b, %h] : !mp.tensor<[B, 64], f32> -> f32
                %wr = arith.mulf %weight, %positive : f32
                nest.fold %wr into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
              }
              %total = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
              %factor = nest.read %scale[%b, %t] if %here : !mp.tensor<[B, T], f32> -> f32
              %score = arith.mulf %factor, %total : f32
              nest.store %score in %block[%i] : f32, !nest.buf<[512] x f32, local>
            }
            nest.for %zero to %tile step 1 : i64 most 512 : i64 bind <vector 16> {
            ^bb0(%i_1: index):
              %t_1 = arith.addi %t0, %i_1 : index
              %here_1 = arith.cmpi slt, %t_1, %end : index
              %s = nest.load %block[%i_1] : !nest.buf<[512] x f32, local> -> f32
              nest.fold %s, %t_1 into %part[%b, %c] if %here_1 : f32, index into !nest.acc<[B, 16] of queue<f32, 2048>, global>
            }
          }
        }
      }
    }
    nest.phase {
      %zero_1 = arith.constant 0 : index
      %picks = arith.constant 2048 : index
      %chunk_1 = arith.constant 65536 : index
      %most_1 = arith.constant 65535 : index
      %batch_1 = mp.dim_size "B" : index
      nest.for %zero_1 to %batch_1 step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b_1: index):
        %tokens_1 = mp.dim_size "T" per %b_1 : index
        %more_1 = arith.addi %tokens_1, %most_1 : index
        %chunks_1 = arith.floordivsi %more_1, %chunk_1 : index
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 2048>, local>
        nest.for %zero_1 to %chunks_1 step 1 : i64 most 16 : i64 {
        ^bb0(%c_1: index):
          nest.merge %part[%b_1, %c_1] into %best[] : !nest.acc<[B, 16] of queue<f32, 2048>, global>, !nest.acc<[] of queue<f32, 2048>, local>
        }
        nest.for %zero_1 to %picks step 1 : i64 most 2048 : i64 {
        ^bb0(%j: index):
          %best_score, %index = nest.entry %best[] at %j : !nest.acc<[] of queue<f32, 2048>, local> -> f32
          nest.store %index in %picked[%b_1, %j] : index, !nest.buf<[B, 2048] x index, global>
        }
      }
    }
  }
}
