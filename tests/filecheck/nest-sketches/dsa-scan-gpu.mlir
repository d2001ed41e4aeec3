// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Index scores and top-k on a GPU: products as tiles of 64 heads and 128 tokens; then a radix selection in each chunk of
// 32768 tokens (a histogram a digit, four digits of the score's ordered bits; -0 becomes 0, which it ties with), and
// the winners of the chunks selected.

// CHECK: nest.acc "dots" : !nest.acc<[64, 128] of sum<f32>, local>
// CHECK: unit "dot fp8"
// CHECK: nest.phase
// CHECK: nest.acc "histogram" : !nest.acc<[256] of sum<i32>, local>
// CHECK: bind <vector 256>
// CHECK: nest.fold %one into %histogram[%digit] if %counts
// CHECK: nest.store %t_{{[0-9]+}} in %winners[%b_{{[0-9]+}}, %c, %slot]
// CHECK: nest.phase
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1048576 : i64 per "B"
  }
  nest.kernel @scan task "scan" on "gpu" arguments [] scratch [] {
  ^bb0(%scale: !mp.tensor<[B, T], f32>, %w: !mp.tensor<[B, 64], f32>, %q8: !mp.tensor<[B, 64, 128], f8E4M3FN>, %keys: !mp.tensor<[B, T, 128], f8E4M3FN>, %picked: !nest.buf<[B, 2048] x index, global>):
    %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
    %winners = nest.buffer "winners" : !nest.buf<[B, 32, 2048] x index, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %heads = arith.constant 64 : index
      %tokens = arith.constant 128 : index
      %width = arith.constant 128 : index
      %none = arith.constant 0.000000e+00 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        %live = mp.dim_size "T" per %b : index
        nest.for %zero to %live step 128 : i64 most 8192 : i64 bind <parallel> {
        ^bb0(%t0: index):
          %dots = nest.acc "dots" : !nest.acc<[64, 128] of sum<f32>, local>
          nest.for %zero to %width step 1 : i64 most 128 : i64 {
          ^bb0(%d: index):
            nest.for %zero to %heads step 1 : i64 most 64 : i64 bind <vector 64> {
            ^bb0(%h: index):
              nest.for %zero to %tokens step 1 : i64 most 128 : i64 bind <vector 128> {
              ^bb0(%i: index):
                %t = arith.addi %t0, %i : index
                %here = arith.cmpi slt, %t, %live : index
                %q = nest.read %q8[%b, %h, %d] : !mp.tensor<[B, 64, 128], f8E4M3FN> -> f32
                %k = nest.read %keys[%b, %t, %d] if %here : !mp.tensor<[B, T, 128], f8E4M3FN> -> f32
                %qk = arith.mulf %q, %k : f32
                nest.fold %qk into %dots[%h, %i] unit "dot fp8" : f32 into !nest.acc<[64, 128] of sum<f32>, local>
              }
            }
          }
          nest.for %zero to %tokens step 1 : i64 most 128 : i64 bind <vector 128> {
          ^bb0(%i_1: index):
            %t_1 = arith.addi %t0, %i_1 : index
            %here_1 = arith.cmpi slt, %t_1, %live : index
            scf.if %here_1 {
              %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
              nest.for %zero to %heads step 1 : i64 most 64 : i64 bind <vector 64> {
              ^bb0(%h_1: index):
                %dot = nest.finish %dots[%h_1, %i_1] : !nest.acc<[64, 128] of sum<f32>, local> -> f32
                %positive = arith.maximumf %dot, %none : f32
                %weight = nest.read %w[%b, %h_1] : !mp.tensor<[B, 64], f32> -> f32
                %wr = arith.mulf %weight, %positive : f32
                nest.fold %wr into %a[] : f32 into !nest.acc<[] of sum<f32>, reg>
              }
              %total = nest.finish %a[] : !nest.acc<[] of sum<f32>, reg> -> f32
              %factor = nest.read %scale[%b, %t_1] : !mp.tensor<[B, T], f32> -> f32
              %score = arith.mulf %factor, %total : f32
              nest.store %score in %s[%b, %t_1] : f32, !nest.buf<[B, T] x f32, global>
            }
          }
        }
      }
    }
    nest.phase {
      %zero_1 = arith.constant 0 : index
      %one = arith.constant 1 : i32
      %no = arith.constant 0 : i32
      %absent = arith.constant -1 : index
      %digits = arith.constant 4 : index
      %eight = arith.constant 8 : i32
      %top = arith.constant 24 : i32
      %values = arith.constant 256 : index
      %last_value = arith.constant 255 : index
      %byte = arith.constant 255 : i32
      %sign = arith.constant -2147483648 : i32
      %bits = arith.constant 31 : i32
      %magnitude = arith.constant 2147483647 : i32
      %wanted = arith.constant 2048 : i32
      %picks = arith.constant 2048 : index
      %size = arith.constant 32768 : index
      %rest = arith.constant 32767 : index
      %least = arith.constant 0xff800000 : f32
      %positive_zero = arith.constant 0.000000e+00 : f32
      %batch_1 = mp.dim_size "B" : index
      nest.for %zero_1 to %batch_1 step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b_1: index):
        %live_1 = mp.dim_size "T" per %b_1 : index
        %more = arith.addi %live_1, %rest : index
        %chunks = arith.floordivsi %more, %size : index
        nest.for %zero_1 to %chunks step 1 : i64 most 32 : i64 bind <parallel> {
        ^bb0(%c: index):
          %from = arith.muli %c, %size : index
          %full = arith.addi %from, %size : index
          %to = arith.minsi %full, %live_1 : index
          %prefix = nest.buffer "prefix" : !nest.buf<[] x i32, reg>
          %mask = nest.buffer "mask" : !nest.buf<[] x i32, reg>
          %left = nest.buffer "left" : !nest.buf<[] x i32, reg>
          nest.store %no in %prefix[] : i32, !nest.buf<[] x i32, reg>
          nest.store %no in %mask[] : i32, !nest.buf<[] x i32, reg>
          nest.store %wanted in %left[] : i32, !nest.buf<[] x i32, reg>
          nest.for %zero_1 to %digits step 1 : i64 most 4 : i64 {
          ^bb0(%r: index):
            %histogram = nest.acc "histogram" : !nest.acc<[256] of sum<i32>, local>
            %round = arith.index_cast %r : index to i32
            %down = arith.muli %round, %eight : i32
            %shift = arith.subi %top, %down : i32
            %prefix_1 = nest.load %prefix[] : !nest.buf<[] x i32, reg> -> i32
            %mask_1 = nest.load %mask[] : !nest.buf<[] x i32, reg> -> i32
            nest.for %from to %to step 1 : i64 most 32768 : i64 bind <vector 256> {
            ^bb0(%t_2: index):
              %score_1 = nest.load %s[%b_1, %t_2] : !nest.buf<[B, T] x f32, global> -> f32
              %number = arith.addf %score_1, %positive_zero : f32
              %code = arith.bitcast %number : f32 to i32
              %spread = arith.shrsi %code, %bits : i32
              %flips = arith.andi %spread, %magnitude : i32
              %ordered = arith.xori %code, %flips : i32
              %key = arith.xori %ordered, %sign : i32
              %masked = arith.andi %key, %mask_1 : i32
              %same = arith.cmpi eq, %masked, %prefix_1 : i32
              %may = arith.cmpf ogt, %score_1, %least : f32
              %counts = arith.andi %same, %may : i1
              %moved = arith.shrui %key, %shift : i32
              %low = arith.andi %moved, %byte : i32
              %digit = arith.index_cast %low : i32 to index
              nest.fold %one into %histogram[%digit] if %counts : i32 into !nest.acc<[256] of sum<i32>, local>
            }
            %above = nest.buffer "above" : !nest.buf<[] x i32, reg>
            %chosen = nest.buffer "chosen" : !nest.buf<[] x i32, reg>
            %taken = nest.buffer "taken" : !nest.buf<[] x i32, reg>
            nest.store %no in %above[] : i32, !nest.buf<[] x i32, reg>
            nest.store %no in %chosen[] : i32, !nest.buf<[] x i32, reg>
            nest.store %no in %taken[] : i32, !nest.buf<[] x i32, reg>
            nest.for %zero_1 to %values step 1 : i64 most 256 : i64 {
            ^bb0(%v: index):
              %value = arith.subi %last_value, %v : index
              %count = nest.finish %histogram[%value] : !nest.acc<[256] of sum<i32>, local> -> i32
              %before = nest.load %above[] : !nest.buf<[] x i32, reg> -> i32
              %reached = arith.addi %before, %count : i32
              %need = nest.load %left[] : !nest.buf<[] x i32, reg> -> i32
              %enough = arith.cmpi sge, %reached, %need : i32
              %is_last = arith.cmpi eq, %v, %last_value : index
              %ends = arith.ori %enough, %is_last : i1
              %already = nest.load %taken[] : !nest.buf<[] x i32, reg> -> i32
              %open = arith.cmpi eq, %already, %no : i32
              %takes = arith.andi %ends, %open : i1
              scf.if %takes {
                %value_1 = arith.index_cast %value : index to i32
                nest.store %value_1 in %chosen[] : i32, !nest.buf<[] x i32, reg>
                nest.store %one in %taken[] : i32, !nest.buf<[] x i32, reg>
              }
              %still = nest.load %taken[] : !nest.buf<[] x i32, reg> -> i32
              %passes = arith.cmpi eq, %still, %no : i32
              scf.if %passes {
                nest.store %reached in %above[] : i32, !nest.buf<[] x i32, reg>
              }
            }
            %found = nest.load %chosen[] : !nest.buf<[] x i32, reg> -> i32
            %placed = arith.shli %found, %shift : i32
            %old = nest.load %prefix[] : !nest.buf<[] x i32, reg> -> i32
            %joined = arith.ori %old, %placed : i32
            nest.store %joined in %prefix[] : i32, !nest.buf<[] x i32, reg>
            %window = arith.shli %byte, %shift : i32
            %wider = arith.ori %mask_1, %window : i32
            nest.store %wider in %mask[] : i32, !nest.buf<[] x i32, reg>
            %needed = nest.load %left[] : !nest.buf<[] x i32, reg> -> i32
            %over = nest.load %above[] : !nest.buf<[] x i32, reg> -> i32
            %remaining = arith.subi %needed, %over : i32
            nest.store %remaining in %left[] : i32, !nest.buf<[] x i32, reg>
          }
          %threshold = nest.load %prefix[] : !nest.buf<[] x i32, reg> -> i32
          %bound = arith.xori %threshold, %sign : i32
          %ties = nest.buffer "ties" : !nest.buf<[] x i32, reg>
          %filled = nest.buffer "filled" : !nest.buf<[] x i32, reg>
          nest.store %no in %ties[] : i32, !nest.buf<[] x i32, reg>
          nest.store %no in %filled[] : i32, !nest.buf<[] x i32, reg>
          nest.for %from to %to step 1 : i64 most 32768 : i64 {
          ^bb0(%t_3: index):
            %score_2 = nest.load %s[%b_1, %t_3] : !nest.buf<[B, T] x f32, global> -> f32
            %number_1 = arith.addf %score_2, %positive_zero : f32
            %code_1 = arith.bitcast %number_1 : f32 to i32
            %spread_1 = arith.shrsi %code_1, %bits : i32
            %flips_1 = arith.andi %spread_1, %magnitude : i32
            %ordered_1 = arith.xori %code_1, %flips_1 : i32
            %may_1 = arith.cmpf ogt, %score_2, %least : f32
            %beats = arith.cmpi sgt, %ordered_1, %bound : i32
            %equal = arith.cmpi eq, %ordered_1, %bound : i32
            %tied = nest.load %ties[] : !nest.buf<[] x i32, reg> -> i32
            %room = nest.load %left[] : !nest.buf<[] x i32, reg> -> i32
            %fits = arith.cmpi slt, %tied, %room : i32
            %as_tie = arith.andi %equal, %fits : i1
            %wins = arith.ori %beats, %as_tie : i1
            %takes_1 = arith.andi %wins, %may_1 : i1
            scf.if %takes_1 {
              %position = nest.load %filled[] : !nest.buf<[] x i32, reg> -> i32
              %slot = arith.index_cast %position : i32 to index
              nest.store %t_3 in %winners[%b_1, %c, %slot] : index, !nest.buf<[B, 32, 2048] x index, global>
              %following = arith.addi %position, %one : i32
              nest.store %following in %filled[] : i32, !nest.buf<[] x i32, reg>
              scf.if %equal {
                %tied_1 = arith.addi %tied, %one : i32
                nest.store %tied_1 in %ties[] : i32, !nest.buf<[] x i32, reg>
              }
            }
          }
          %stored = nest.load %filled[] : !nest.buf<[] x i32, reg> -> i32
          %start = arith.index_cast %stored : i32 to index
          nest.for %start to %picks step 1 : i64 most 2048 : i64 {
          ^bb0(%slot_1: index):
            nest.store %absent in %winners[%b_1, %c, %slot_1] : index, !nest.buf<[B, 32, 2048] x index, global>
          }
        }
      }
    }
    nest.phase {
      %zero_2 = arith.constant 0 : index
      %picks_1 = arith.constant 2048 : index
      %size_1 = arith.constant 32768 : index
      %rest_1 = arith.constant 32767 : index
      %batch_2 = mp.dim_size "B" : index
      nest.for %zero_2 to %batch_2 step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b_2: index):
        %live_2 = mp.dim_size "T" per %b_2 : index
        %more_1 = arith.addi %live_2, %rest_1 : index
        %chunks_1 = arith.floordivsi %more_1, %size_1 : index
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 2048>, local>
        nest.for %zero_2 to %chunks_1 step 1 : i64 most 32 : i64 {
        ^bb0(%c_1: index):
          nest.for %zero_2 to %picks_1 step 1 : i64 most 2048 : i64 bind <vector 256> {
          ^bb0(%i_2: index):
            %winner = nest.load %winners[%b_2, %c_1, %i_2] : !nest.buf<[B, 32, 2048] x index, global> -> index
            %is_one = arith.cmpi sge, %winner, %zero_2 : index
            %score_3 = nest.load %s[%b_2, %winner] if %is_one : !nest.buf<[B, T] x f32, global> -> f32
            nest.fold %score_3, %winner into %best[] if %is_one : f32, index into !nest.acc<[] of queue<f32, 2048>, local>
          }
        }
        nest.for %zero_2 to %picks_1 step 1 : i64 most 2048 : i64 {
        ^bb0(%j: index):
          %best_score, %index = nest.entry %best[] at %j : !nest.acc<[] of queue<f32, 2048>, local> -> f32
          nest.store %index in %picked[%b_2, %j] : index, !nest.buf<[B, 2048] x index, global>
        }
      }
    }
  }
}
