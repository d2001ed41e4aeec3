// RUN: hetc-opt -p remove-unused %s | filecheck %s

// A loop in a loop carries %y, which nobody reads, and %z for it alone: all that makes them goes; %h stays.
// CHECK:      %h = mp.compute
// CHECK:      %out = mp.for "l" 2 : i64 carries(%h : !mp.tensor<[4], f32>) slices() writes []
// CHECK:      mp.for "m" 3 : i64 carries(%{{.*}} : !mp.tensor<[4], f32>) slices() writes []
// CHECK:      arith.constant 2.000000e+00
// CHECK-NOT:  arith.constant 3.000000e+00
// CHECK-NOT:  arith.constant 4.000000e+00
// CHECK:      mp.next carries(%h2 : !mp.tensor<[4], f32>) layers()
// CHECK:      mp.next carries(%h1 : !mp.tensor<[4], f32>) layers()
// CHECK:      mp.output "h"
builtin.module {
  mp.pipeline @p {
    mp.declare @x "input" : <[4], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[4], f32>
      %h = mp.compute [#mp.range<d in 4>] {
      ^bb0(%d: index):
        %v = mp.read %x[%d] : !mp.tensor<[4], f32> -> f32
        mp.yield %v : f32
      } {stage = "prepare"} : !mp.tensor<[4], f32>
      %y = mp.compute [#mp.range<d in 4>] {
      ^bb0(%d: index):
        %v = arith.constant 1.0 : f32
        mp.yield %v : f32
      } {stage = "prepare"} : !mp.tensor<[4], f32>
      %out:3 = mp.for "l" 2 : i64 carries (%h, %y, %y : !mp.tensor<[4], f32>, !mp.tensor<[4], f32>, !mp.tensor<[4], f32>) slices () writes [] {
      ^bb0(%l: !mp.tensor<[], index>, %hl: !mp.tensor<[4], f32>, %yl: !mp.tensor<[4], f32>, %zl: !mp.tensor<[4], f32>):
        %h1, %y1, %z1 = mp.for "m" 3 : i64 carries (%hl, %yl, %zl : !mp.tensor<[4], f32>, !mp.tensor<[4], f32>, !mp.tensor<[4], f32>) slices () writes [] {
        ^bb1(%m: !mp.tensor<[], index>, %hm: !mp.tensor<[4], f32>, %ym: !mp.tensor<[4], f32>, %zm: !mp.tensor<[4], f32>):
          %h2 = mp.compute [#mp.range<d in 4>] {
          ^bb2(%d: index):
            %v = mp.read %hm[%d] : !mp.tensor<[4], f32> -> f32
            %two = arith.constant 2.0 : f32
            %w = arith.mulf %v, %two : f32
            mp.yield %w : f32
          } {stage = "prepare"} : !mp.tensor<[4], f32>
          %y2 = mp.compute [#mp.range<d in 4>] {
          ^bb2(%d: index):
            %v = mp.read %zm[%d] : !mp.tensor<[4], f32> -> f32
            %three = arith.constant 3.0 : f32
            %w = arith.mulf %v, %three : f32
            mp.yield %w : f32
          } {stage = "prepare"} : !mp.tensor<[4], f32>
          %z2 = mp.compute [#mp.range<d in 4>] {
          ^bb2(%d: index):
            %v = mp.read %hm[%d] : !mp.tensor<[4], f32> -> f32
            %four = arith.constant 4.0 : f32
            %w = arith.mulf %v, %four : f32
            mp.yield %w : f32
          } {stage = "prepare"} : !mp.tensor<[4], f32>
          mp.next carries (%h2, %y2, %z2 : !mp.tensor<[4], f32>, !mp.tensor<[4], f32>, !mp.tensor<[4], f32>) layers ()
        } -> !mp.tensor<[4], f32>, !mp.tensor<[4], f32>, !mp.tensor<[4], f32>
        mp.next carries (%h1, %y1, %z1 : !mp.tensor<[4], f32>, !mp.tensor<[4], f32>, !mp.tensor<[4], f32>) layers ()
      } {stage = "prepare"} -> !mp.tensor<[4], f32>, !mp.tensor<[4], f32>, !mp.tensor<[4], f32>
      mp.output "h", %out#0 as f32 : !mp.tensor<[4], f32>
    }
  }
}
