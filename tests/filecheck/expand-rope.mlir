// RUN: hetc-opt -p expand-rope %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.dim @T bound 1024 : i64
    mp.declare @x "input" : <[T, 8], bf16>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[T, 8], bf16>

      // Frequency 1 is 2^48 / (2 pi) units a position; channels from 4 on pass.
      // CHECK:      [[TABLE:%.*]] = mp.constant dense<[44798133900177, 22399066950089]> : tensor<2xi64> -> !mp.tensor<[2], i64> {stage = "prepare"}
      // CHECK-NEXT: %half = mp.compute [#mp.range<t in T>, #mp.range<d in 8>] {
      // CHECK:        [[PAIR:%.*]] = mp.mod %d, %{{.*}} : index
      // CHECK:        [[FIRST:%.*]] = arith.cmpi slt, %d
      // CHECK:        [[OTHER:%.*]] = arith.addi [[PAIR]], %{{.*}} : index
      // CHECK:        [[X1:%.*]] = mp.read %x[%t, [[PAIR]]] :
      // CHECK:        [[X2:%.*]] = mp.read %x[%t, [[OTHER]]] :
      // CHECK:        [[TURNS:%.*]] = mp.read [[TABLE]][[[PAIR]]] :
      // CHECK:        [[T64:%.*]] = arith.index_cast %t : index to i64
      // CHECK-NEXT:   [[PRODUCT:%.*]] = arith.muli [[T64]], [[TURNS]] : i64
      // CHECK:        arith.andi
      // CHECK:        arith.shrui
      // CHECK:        arith.sitofp %{{.*}} : i64 to f32
      // CHECK:        math.cos
      // CHECK:        math.sin
      // CHECK:        [[PASSES:%.*]] = mp.read %x[%t, %d] :
      // CHECK-NEXT:   arith.select %{{.*}}, %{{.*}}, [[PASSES]] : f32
      // CHECK:      } {stage = "prepare"} : !mp.tensor<[T, 8], bf16>
      %half = mp.rope %x 1 : i64 4 : i64 "half" [1.0 : f64, 0.5 : f64] [#mp.range<t in T>, #mp.range<d in 8>] {
      ^bb0(%t: index, %d: index):
        mp.yield %t : index
      } {stage = "prepare"} : !mp.tensor<[T, 8], bf16> -> !mp.tensor<[T, 8], bf16>

      // The same frequencies share the table; neighbours make a pair.
      // CHECK-NOT:  mp.constant
      // CHECK:      %even = mp.compute
      // CHECK:        [[PAIR:%.*]] = arith.minsi
      // CHECK:        mp.read %half
      // CHECK:        mp.read %half
      // CHECK:        mp.read [[TABLE]][[[PAIR]]]
      // CHECK-NOT:    mp.rope
      %even = mp.rope %half 1 : i64 4 : i64 "interleaved" [1.0 : f64, 0.5 : f64] [#mp.range<t in T>, #mp.range<d in 8>] {
      ^bb0(%t: index, %d: index):
        mp.yield %t : index
      } {stage = "prepare"} : !mp.tensor<[T, 8], bf16> -> !mp.tensor<[T, 8], bf16>
    }
  }
}
