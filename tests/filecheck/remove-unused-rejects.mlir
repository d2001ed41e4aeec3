// RUN: hetc-opt -p remove-unused %s | filecheck %s

// An append is an effect: neither it nor the row that it writes may go, though no statement reads them.
// CHECK: mp.compute
// CHECK: mp.append
// CHECK: mp.commit
builtin.module {
  mp.pipeline @p {
    mp.dim @T bound 4 : i64
    mp.declare @m "memory" : <[T], f32>
    mp.step @p grows {T = 1 : i64} pins {} {
      %m = mp.get "m" : !mp.tensor<[T], f32>
      %row = mp.compute [] {
        %v = arith.constant 1.0 : f32
        mp.yield %v : f32
      } {stage = "prepare"} : !mp.tensor<[], f32>
      %m1 = mp.append %m, %row along "T" {stage = "prepare"} : !mp.tensor<[T], f32>, !mp.tensor<[], f32> -> !mp.tensor<[T], f32>
      mp.commit "m", %m1 : !mp.tensor<[T], f32>
    }
  }
}
