// RUN: hetc-opt -p expand-softmax %s | filecheck %s

// Over two ranges, one of them per a free one: the maximum and the total are nested reductions.
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1024 : i64 per "B"
    mp.declare @s "input" : <[B, T, 8], f32>
    mp.step @p grows {} pins {} {
      %s = mp.get "s" : !mp.tensor<[B, T, 8], f32>

      // CHECK:      [[SCORE:%.*]] = mp.compute [#mp.range<h in 8>, #mp.range<b in B>, #mp.range<t in T per 1>] {
      // CHECK:      [[LARGEST:%.*]] = mp.compute [#mp.range<b in B>] {
      // CHECK-NEXT: ^bb0([[B:%.*]]: index):
      // CHECK-NEXT:   mp.reduce "max" <h in 8> {
      // CHECK-NEXT:   ^bb0([[H:%.*]]: index):
      // CHECK-NEXT:     mp.reduce "max" <t in T> per [[B]] {
      // CHECK-NEXT:     ^bb0([[T:%.*]]: index):
      // CHECK-NEXT:       mp.read [[SCORE]]{{\[}}[[H]], [[B]], [[T]]]
      // CHECK:      [[TOTAL:%.*]] = mp.compute [#mp.range<b in B>] {
      // CHECK:        mp.reduce "sum" <h in 8> {
      // CHECK:          mp.reduce "sum" <t in T> per
      // CHECK:            math.exp
      // CHECK:      %p = mp.compute [#mp.range<h in 8>, #mp.range<b in B>, #mp.range<t in T per 1>] {
      // CHECK:        [[N:%.*]] = mp.read [[TOTAL]]
      // CHECK:        arith.divf %{{.*}}, [[N]] : f32
      // CHECK-NOT:  mp.softmax
      %p = mp.softmax [0 : i64, 2 : i64] [#mp.range<h in 8>, #mp.range<b in B>, #mp.range<t in T per 1>] {
      ^bb0(%h: index, %b: index, %t: index):
        %v = mp.read %s[%b, %t, %h] : !mp.tensor<[B, T, 8], f32> -> f32
        mp.yield %v : f32
      } {stage = "apply"} : !mp.tensor<[8, B, T], f32>
    }
  }
}
