// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Pages by the bounds of their logical pages, for sixteen query heads at once: a row of bounds is read once, not once a
// head. What a page's last logical page may lack and that the newest page is no candidate are limits of loops.

// CHECK: %best = nest.acc "best" : !nest.acc<[4, 4] of queue<f32, 63>, local>
// CHECK: bind <pipeline 1>
// CHECK: %s = nest.acc "s" : !nest.acc<[4, 4] of max<f32>, local>
// CHECK: nest.fold %bound into %s[%h, %g]
// CHECK: nest.fold %page_score, %p into %best[%h_{{[0-9]+}}, %g_{{[0-9]+}}]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @N bound 16384 : i64 per "B"
    mp.dim @NL bound 65536 : i64 per "B"
  }
  nest.kernel @choose task "choose" on "cpu" arguments [] scratch [] {
  ^bb0(%q: !mp.tensor<[B, 4, 4, 128], f32>, %high: !mp.tensor<[B, NL, 4, 128], bf16>, %low: !mp.tensor<[B, NL, 4, 128], bf16>, %chosen: !nest.buf<[B, 4, 4, 63] x index, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %width = arith.constant 128 : index
      %picks = arith.constant 63 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 bind <parallel> {
      ^bb0(%b: index):
        %pages = mp.dim_size "N" per %b : index
        %logical = mp.dim_size "NL" per %b : index
        %best = nest.acc "best" : !nest.acc<[4, 4] of queue<f32, 63>, local>
        %before_last = arith.subi %pages, %one : index
        nest.for %zero to %before_last step 1 : i64 most 16384 : i64 bind <pipeline 1> {
        ^bb0(%p: index):
          %s = nest.acc "s" : !nest.acc<[4, 4] of max<f32>, local>
          %first = arith.muli %p, %four : index
          %left = arith.subi %logical, %first : index
          %parts = arith.minsi %left, %four : index
          nest.for %zero to %parts step 1 : i64 most 4 : i64 {
          ^bb0(%m: index):
            %n = arith.addi %first, %m : index
            nest.for %zero to %four step 1 : i64 most 4 : i64 {
            ^bb0(%h: index):
              %upper = nest.buffer "upper" : !nest.buf<[128] x f32, local>
              %lower = nest.buffer "lower" : !nest.buf<[128] x f32, local>
              nest.for %zero to %width step 1 : i64 most 128 : i64 bind <vector 16> {
              ^bb0(%d: index):
                %hi = nest.read %high[%b, %n, %h, %d] : !mp.tensor<[B, NL, 4, 128], bf16> -> f32
                %lo = nest.read %low[%b, %n, %h, %d] : !mp.tensor<[B, NL, 4, 128], bf16> -> f32
                nest.store %hi in %upper[%d] : f32, !nest.buf<[128] x f32, local>
                nest.store %lo in %lower[%d] : f32, !nest.buf<[128] x f32, local>
              }
              nest.for %zero to %four step 1 : i64 most 4 : i64 bind <unroll> {
              ^bb0(%g: index):
                %u = nest.acc "u" : !nest.acc<[] of sum<f32>, reg>
                nest.for %zero to %width step 1 : i64 most 128 : i64 bind <vector 128> {
                ^bb0(%d_1: index):
                  %x = nest.read %q[%b, %h, %g, %d_1] : !mp.tensor<[B, 4, 4, 128], f32> -> f32
                  %above = nest.load %upper[%d_1] : !nest.buf<[128] x f32, local> -> f32
                  %below = nest.load %lower[%d_1] : !nest.buf<[128] x f32, local> -> f32
                  %xa = arith.mulf %x, %above : f32
                  %xb = arith.mulf %x, %below : f32
                  %most = arith.maximumf %xa, %xb : f32
                  nest.fold %most into %u[] : f32 into !nest.acc<[] of sum<f32>, reg>
                }
                %bound = nest.finish %u[] : !nest.acc<[] of sum<f32>, reg> -> f32
                nest.fold %bound into %s[%h, %g] : f32 into !nest.acc<[4, 4] of max<f32>, local>
              }
            }
          }
          nest.for %zero to %four step 1 : i64 most 4 : i64 {
          ^bb0(%h_1: index):
            nest.for %zero to %four step 1 : i64 most 4 : i64 {
            ^bb0(%g_1: index):
              %page_score = nest.finish %s[%h_1, %g_1] : !nest.acc<[4, 4] of max<f32>, local> -> f32
              nest.fold %page_score, %p into %best[%h_1, %g_1] : f32, index into !nest.acc<[4, 4] of queue<f32, 63>, local>
            }
          }
        }
        nest.for %zero to %four step 1 : i64 most 4 : i64 {
        ^bb0(%h_2: index):
          nest.for %zero to %four step 1 : i64 most 4 : i64 {
          ^bb0(%g_2: index):
            nest.for %zero to %picks step 1 : i64 most 63 : i64 {
            ^bb0(%j: index):
              %a_score, %a_page = nest.entry %best[%h_2, %g_2] at %j : !nest.acc<[4, 4] of queue<f32, 63>, local> -> f32
              nest.store %a_page in %chosen[%b, %h_2, %g_2, %j] : index, !nest.buf<[B, 4, 4, 63] x index, global>
            }
          }
        }
      }
    }
  }
}
