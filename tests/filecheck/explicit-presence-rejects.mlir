// RUN: hetc-opt -p explicit-presence --verify-diagnostics %s | filecheck %s

// CHECK: explicit-presence: arith.divsi has no place in the region of a statement
builtin.module {
  mp.pipeline @p {
    mp.dim @N bound 64 : i64
    mp.declare @x "input" : <[N], i32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[N], i32>
      %y = mp.compute [#mp.range<n in N>] {
      ^bb0(%n: index):
        %v = mp.read %x[%n] : !mp.tensor<[N], i32> -> i32
        %w = arith.divsi %v, %v : i32
        mp.yield %w : i32
      } : !mp.tensor<[N], i32>
    }
  }
}
