// RUN: hetc-opt -p expand-softmax %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1024 : i64 per "B"
    mp.declare @s "input" : <[B, T], f32>
    mp.step @p grows {} pins {} {
      %s = mp.get "s" : !mp.tensor<[B, T], f32>

      // CHECK:      [[SCORE:%.*]] = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
      // CHECK:        [[C:%.*]] = arith.cmpf ogt
      // CHECK:        arith.select [[C]]
      // CHECK:      } {stage = "apply"} : !mp.tensor<[B, T], f32>
      // CHECK:      [[LARGEST:%.*]] = mp.compute [#mp.range<b in B>] {
      // CHECK:        mp.reduce "max" <t in T> per %{{b.*}} {
      // CHECK:          [[C:%.*]] = arith.cmpf ogt
      // CHECK-NEXT:     [[V:%.*]] = mp.read [[SCORE]][%{{b.*}}, %{{t.*}}] if [[C]]
      // CHECK-NEXT:     mp.yield [[V]] if [[C]]
      // CHECK:      [[TOTAL:%.*]] = mp.compute [#mp.range<b in B>] {
      // CHECK:        [[M:%.*]] = mp.read [[LARGEST]]
      // CHECK:        mp.reduce "sum" <t in T> per %{{b.*}} {
      // CHECK:          arith.subf %{{.*}}, [[M]] : f32
      // CHECK-NEXT:     [[E:%.*]] = math.exp
      // CHECK-NEXT:     mp.yield [[E]] if
      // CHECK:      %p = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
      // CHECK:        [[N:%.*]] = mp.read [[TOTAL]]
      // CHECK-NEXT:   [[Q:%.*]] = arith.divf %{{.*}}, [[N]] : f32
      // CHECK:        arith.select %{{.*}}, [[Q]], %{{.*}} : f32
      // CHECK:      } {stage = "apply"} : !mp.tensor<[B, T], bf16>
      // CHECK-NOT:  mp.softmax
      %p = mp.softmax [1 : i64] [#mp.range<b in B>, #mp.range<t in T per 0>] {
      ^bb0(%b: index, %t: index):
        %v = mp.read %s[%b, %t] : !mp.tensor<[B, T], f32> -> f32
        %zero = arith.constant 0.0 : f32
        %c = arith.cmpf ogt, %v, %zero : f32
        mp.yield %v if %c : f32
      } {stage = "apply"} : !mp.tensor<[B, T], bf16>
    }
  }
}
