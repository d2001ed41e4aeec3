// RUN: hetc-opt -p expand-rope --verify-diagnostics %s | filecheck %s

// CHECK: expand-rope: the position depends on d, the axis that is rotated
builtin.module {
  mp.pipeline @p {
    mp.dim @T bound 1024 : i64
    mp.declare @x "input" : <[T, 8], bf16>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[T, 8], bf16>
      %r = mp.rope %x 1 : i64 4 : i64 "half" [1.0 : f64, 0.5 : f64] [#mp.range<t in T>, #mp.range<d in 8>] {
      ^bb0(%t: index, %d: index):
        %p = arith.addi %t, %d : index
        mp.yield %p : index
      } : !mp.tensor<[T, 8], bf16> -> !mp.tensor<[T, 8], bf16>
    }
  }
}
