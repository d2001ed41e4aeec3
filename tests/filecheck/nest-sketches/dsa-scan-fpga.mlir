// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Index scores and top-k on an FPGA: five engines, one a memory channel, token t in channel t mod 5. In an engine one
// process reads rows, one scores them with an exact sum, one keeps the best; what they hand on are streams.

// CHECK: %best = nest.acc "best" : !nest.acc<[5] of queue<f32, 2048>, local>
// CHECK: bind <parallel>
// CHECK: nest.buffer "rows" : !nest.buf<[128] x f8E4M3FN, stream 16>
// CHECK: bind <pipeline 1>
// CHECK: bind <unroll>
// CHECK: nest.push %row into %rows
// CHECK: bind <pipeline 8>
// CHECK: nest.pop %rows into %key
// CHECK: bind <vector 8>
// CHECK: bind <vector 128>
// CHECK: nest.fold %qk into %dot[] : f32 into !nest.acc<[] of fixed_sum<f32, 18>, reg>
// CHECK: nest.merge %best[%c_{{[0-9]+}}] into %all[]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1048576 : i64 per "B"
  }
  nest.kernel @scan task "scan" on "fpga" arguments [] scratch [] {
  ^bb0(%scale: !mp.tensor<[B, T], f32>, %w: !mp.tensor<[B, 64], f32>, %q8: !mp.tensor<[B, 64, 128], f8E4M3FN>, %keys: !mp.tensor<[B, T, 128], f8E4M3FN>, %picked: !nest.buf<[B, 2048] x index, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %rounds = arith.constant 8 : index
      %width = arith.constant 128 : index
      %engines = arith.constant 5 : index
      %four = arith.constant 4 : index
      %picks = arith.constant 2048 : index
      %none = arith.constant 0.000000e+00 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %tokens = mp.dim_size "T" per %b : index
        %best = nest.acc "best" : !nest.acc<[5] of queue<f32, 2048>, local>
        nest.for %zero to %engines step 1 : i64 most 5 : i64 bind <parallel> {
        ^bb0(%c: index):
          %rows = nest.buffer "rows" : !nest.buf<[128] x f8E4M3FN, stream 16>
          %scores = nest.buffer "scores" : !nest.buf<[] x f32, stream 16>
          %left = arith.subi %tokens, %c : index
          %more = arith.addi %left, %four : index
          %own = arith.floordivsi %more, %engines : index
          nest.for %zero to %own step 1 : i64 most 209716 : i64 bind <pipeline 1> {
          ^bb0(%r: index):
            %r5 = arith.muli %r, %engines : index
            %t = arith.addi %r5, %c : index
            %row = nest.buffer "row" : !nest.buf<[128] x f8E4M3FN, reg>
            nest.for %zero to %width step 1 : i64 most 128 : i64 bind <unroll> {
            ^bb0(%d: index):
              %k8 = nest.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 128], f8E4M3FN> -> f32
              nest.store %k8 in %row[%d] : f32, !nest.buf<[128] x f8E4M3FN, reg>
            }
            nest.push %row into %rows : !nest.buf<[128] x f8E4M3FN, reg>, !nest.buf<[128] x f8E4M3FN, stream 16>
          }
          nest.for %zero to %own step 1 : i64 most 209716 : i64 bind <pipeline 8> {
          ^bb0(%r_1: index):
            %r5_1 = arith.muli %r_1, %engines : index
            %t_1 = arith.addi %r5_1, %c : index
            %key = nest.buffer "key" : !nest.buf<[128] x f8E4M3FN, reg>
            nest.pop %rows into %key : !nest.buf<[128] x f8E4M3FN, stream 16>, !nest.buf<[128] x f8E4M3FN, reg>
            %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %rounds step 1 : i64 most 8 : i64 bind <pipeline 1> {
            ^bb0(%hr: index):
              %first = arith.muli %hr, %rounds : index
              nest.for %zero to %rounds step 1 : i64 most 8 : i64 bind <vector 8> {
              ^bb0(%h8: index):
                %h = arith.addi %first, %h8 : index
                %dot = nest.acc "dot" : !nest.acc<[] of fixed_sum<f32, 18>, reg>
                nest.for %zero to %width step 1 : i64 most 128 : i64 bind <vector 128> {
                ^bb0(%d_1: index):
                  %q = nest.read %q8[%b, %h, %d_1] : !mp.tensor<[B, 64, 128], f8E4M3FN> -> f32
                  %k = nest.load %key[%d_1] : !nest.buf<[128] x f8E4M3FN, reg> -> f32
                  %qk = arith.mulf %q, %k : f32
                  nest.fold %qk into %dot[] : f32 into !nest.acc<[] of fixed_sum<f32, 18>, reg>
                }
                %sum = nest.finish %dot[] : !nest.acc<[] of fixed_sum<f32, 18>, reg> -> f32
                %positive = arith.maximumf %sum, %none : f32
                %weight = nest.read %w[%b, %h] : !mp.tensor<[B, 64], f32> -> f32
                %wr = arith.mulf %weight, %positive : f32
                nest.fold %wr into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
              }
            }
            %total = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %factor = nest.read %scale[%b, %t_1] : !mp.tensor<[B, T], f32> -> f32
            %score = arith.mulf %factor, %total : f32
            %out = nest.buffer "out" : !nest.buf<[] x f32, reg>
            nest.store %score in %out[] : f32, !nest.buf<[] x f32, reg>
            nest.push %out into %scores : !nest.buf<[] x f32, reg>, !nest.buf<[] x f32, stream 16>
          }
          nest.for %zero to %own step 1 : i64 most 209716 : i64 bind <pipeline 1> {
          ^bb0(%r_2: index):
            %r5_2 = arith.muli %r_2, %engines : index
            %t_2 = arith.addi %r5_2, %c : index
            %in = nest.buffer "in" : !nest.buf<[] x f32, reg>
            nest.pop %scores into %in : !nest.buf<[] x f32, stream 16>, !nest.buf<[] x f32, reg>
            %s = nest.load %in[] : !nest.buf<[] x f32, reg> -> f32
            nest.fold %s, %t_2 into %best[%c] : f32, index into !nest.acc<[5] of queue<f32, 2048>, local>
          }
        }
        %all = nest.acc "all" : !nest.acc<[] of queue<f32, 2048>, local>
        nest.for %zero to %engines step 1 : i64 most 5 : i64 {
        ^bb0(%c_1: index):
          nest.merge %best[%c_1] into %all[] : !nest.acc<[5] of queue<f32, 2048>, local>, !nest.acc<[] of queue<f32, 2048>, local>
        }
        nest.for %zero to %picks step 1 : i64 most 2048 : i64 bind <pipeline 1> {
        ^bb0(%j: index):
          %best_score, %index = nest.entry %all[] at %j : !nest.acc<[] of queue<f32, 2048>, local> -> f32
          nest.store %index in %picked[%b, %j] : index, !nest.buf<[B, 2048] x index, global>
        }
      }
    }
  }
}
