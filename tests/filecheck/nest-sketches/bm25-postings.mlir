// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// BM25 over postings: a block of 65536 documents at a time, the terms of a query one after the other, and of a term the
// documents that have it. Documents that no term touched compete with the score 0 that their states begin with.

// CHECK: %s = nest.acc "s" : !nest.acc<[65536] of sum<f32>, local>
// CHECK: nest.entries %tf[%term] from %first to %last if %known most 65536 : i64 {
// CHECK: nest.fold %gain into %s[%place] : f32 into !nest.acc<[65536] of sum<f32>, local>
// CHECK: nest.arrange %best_{{[0-9]+}}[] by "score"
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @N bound 21015324 : i64
  }
  nest.kernel @rank task "rank" on "cpu" arguments [] scratch [] {
  ^bb0(%query: !mp.tensor<[B, 32], i32>, %idf: !mp.tensor<[B, 32], f32>, %norm: !mp.tensor<[N], f32>, %tf: !mp.tensor<[30522, N], ui8, #mp.sparse<#builtin.int<2000000000>>>, %picked: !nest.buf<[B, 16] x index, global>, %score: !nest.buf<[B, 16] x f32, global>):
    %part_score = nest.buffer "part_score" : !nest.buf<[B, 321, 16] x f32, global>
    %part_index = nest.buffer "part_index" : !nest.buf<[B, 321, 16] x index, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %size = arith.constant 65536 : index
      %rest = arith.constant 65535 : index
      %terms = arith.constant 32 : index
      %vocabulary = arith.constant 30522 : index
      %picks = arith.constant 16 : index
      %batch = mp.dim_size "B" : index
      %documents = mp.dim_size "N" : index
      %more = arith.addi %documents, %rest : index
      %blocks = arith.floordivsi %more, %size : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        nest.for %zero to %blocks step 1 : i64 most 321 : i64 bind <parallel> {
        ^bb0(%block: index):
          %first = arith.muli %block, %size : index
          %full = arith.addi %first, %size : index
          %last = arith.minsi %full, %documents : index
          %s = nest.acc "s" : !nest.acc<[65536] of sum<f32>, local>
          nest.for %zero to %terms step 1 : i64 most 32 : i64 {
          ^bb0(%q: index):
            %number = nest.read %query[%b, %q] : !mp.tensor<[B, 32], i32> -> i32
            %term = arith.index_cast %number : i32 to index
            %not_padding = arith.cmpi sge, %term, %zero : index
            %in_vocabulary = arith.cmpi slt, %term, %vocabulary : index
            %known = arith.andi %not_padding, %in_vocabulary : i1
            %weight = nest.read %idf[%b, %q] : !mp.tensor<[B, 32], f32> -> f32
            nest.entries %tf[%term] from %first to %last if %known most 65536 : i64 {
            ^bb0(%n: index, %count: i32):
              %times = arith.sitofp %count : i32 to f32
              %length = nest.read %norm[%n] : !mp.tensor<[N], f32> -> f32
              %below = arith.addf %times, %length : f32
              %share = arith.divf %times, %below : f32
              %gain = arith.mulf %weight, %share : f32
              %place = arith.subi %n, %first : index
              nest.fold %gain into %s[%place] : f32 into !nest.acc<[65536] of sum<f32>, local>
            } : !mp.tensor<[30522, N], ui8, #mp.sparse<#builtin.int<2000000000>>>
          }
          %best = nest.acc "best" : !nest.acc<[] of queue<f32, 16>, local>
          %own = arith.subi %last, %first : index
          nest.for %zero to %own step 1 : i64 most 65536 : i64 bind <vector 16> {
          ^bb0(%i: index):
            %document = arith.addi %first, %i : index
            %offer = nest.finish %s[%i] : !nest.acc<[65536] of sum<f32>, local> -> f32
            nest.fold %offer, %document into %best[] : f32, index into !nest.acc<[] of queue<f32, 16>, local>
          }
          nest.for %zero to %picks step 1 : i64 most 16 : i64 {
          ^bb0(%j: index):
            %entry_score, %entry_index = nest.entry %best[] at %j : !nest.acc<[] of queue<f32, 16>, local> -> f32
            nest.store %entry_score in %part_score[%b, %block, %j] : f32, !nest.buf<[B, 321, 16] x f32, global>
            nest.store %entry_index in %part_index[%b, %block, %j] : index, !nest.buf<[B, 321, 16] x index, global>
          }
        }
      }
    }
    nest.phase {
      %zero_1 = arith.constant 0 : index
      %size_1 = arith.constant 65536 : index
      %rest_1 = arith.constant 65535 : index
      %picks_1 = arith.constant 16 : index
      %batch_1 = mp.dim_size "B" : index
      %documents_1 = mp.dim_size "N" : index
      %more_1 = arith.addi %documents_1, %rest_1 : index
      %blocks_1 = arith.floordivsi %more_1, %size_1 : index
      nest.for %zero_1 to %batch_1 step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b_1: index):
        %best_1 = nest.acc "best_1" : !nest.acc<[] of queue<f32, 16>, local>
        nest.for %zero_1 to %blocks_1 step 1 : i64 most 321 : i64 {
        ^bb0(%block_1: index):
          nest.for %zero_1 to %picks_1 step 1 : i64 most 16 : i64 {
          ^bb0(%j_1: index):
            %one_score = nest.load %part_score[%b_1, %block_1, %j_1] : !nest.buf<[B, 321, 16] x f32, global> -> f32
            %one_index = nest.load %part_index[%b_1, %block_1, %j_1] : !nest.buf<[B, 321, 16] x index, global> -> index
            %is_one = arith.cmpi sge, %one_index, %zero_1 : index
            nest.fold %one_score, %one_index into %best_1[] if %is_one : f32, index into !nest.acc<[] of queue<f32, 16>, local>
          }
        }
        nest.arrange %best_1[] by "score" : !nest.acc<[] of queue<f32, 16>, local>
        nest.for %zero_1 to %picks_1 step 1 : i64 most 16 : i64 {
        ^bb0(%j_2: index):
          %last_score, %last_index = nest.entry %best_1[] at %j_2 : !nest.acc<[] of queue<f32, 16>, local> -> f32
          nest.store %last_score in %score[%b_1, %j_2] : f32, !nest.buf<[B, 16] x f32, global>
          nest.store %last_index in %picked[%b_1, %j_2] : index, !nest.buf<[B, 16] x index, global>
        }
      }
    }
  }
}
